import { SvelteMap } from 'svelte/reactivity';

import { asErrorInfo } from '../../backend/errors';
import type { Guard } from '../../backend/guard';
import type { DriftDigest, ErrorInfo, SnapshotEntry, SnapshotPage } from '../../backend/types';
import type { App } from '../../state/app.svelte';
import { RestoreDesk } from './restore.svelte';

/** Snapshots that are asked for at a time, and the most that a question may ask for. */
const PAGE = 25;
const MOST = 100;
/** Comparisons that are asked for at a time. */
const AT_ONCE = 2;

/** What a snapshot is compared with. */
export type Base = { what: 'previous' } | { what: 'good' } | { what: 'one'; id: string };

/** What changed since the one before it: on its way, in few words, or why that cannot be said. */
export type Digest = DriftDigest | { failed: ErrorInfo } | null;

/** The snapshots of one service, newest first, each with what changed since the one before it. */
export class SnapshotList {
  entries = $state.raw<readonly SnapshotEntry[] | null>(null);
  page = $state.raw<SnapshotPage | null>(null);
  error = $state.raw<ErrorInfo | null>(null);
  busy = $state(false);
  private readonly digests = new SvelteMap<string, Digest>();
  private running = 0;
  private turn = 0;
  private readonly guard: () => Promise<Guard>;
  readonly service: string;

  constructor(guard: () => Promise<Guard>, service: string) {
    this.guard = guard;
    this.service = service;
  }

  /** Asks for the newest; older ones that were loaded stay. */
  load = async (): Promise<void> => {
    const most = Math.min(MOST, Math.max(PAGE, this.entries?.length ?? 0));
    await this.ask(null, most, (page) => {
      const last = page.entries.at(-1);
      const known = page.more && last ? (this.entries ?? []).filter(({ id }) => id < last.id) : [];
      return [...page.entries, ...known];
    });
  };

  /** Asks for those that are older than the ones loaded. */
  older = async (): Promise<void> => {
    const last = this.entries?.at(-1);
    if (last) await this.ask(last.id, PAGE, (page) => [...(this.entries ?? []), ...page.entries]);
  };

  private async ask(
    before: string | null,
    most: number,
    join: (page: SnapshotPage) => SnapshotEntry[],
  ): Promise<void> {
    const turn = ++this.turn;
    this.busy = true;
    try {
      const page = await (await this.guard()).list(this.service, before, most);
      if (turn !== this.turn) return;
      this.entries = join(page);
      this.page = page;
      this.error = null;
      this.fill();
    } catch (thrown) {
      if (turn === this.turn) this.error = asErrorInfo(thrown);
    } finally {
      if (turn === this.turn) this.busy = false;
    }
  }

  /** There are more than those loaded. */
  get more(): boolean {
    return (this.page?.total ?? 0) > (this.entries?.length ?? 0);
  }

  /** What changed since the one before; `undefined` when it was not asked for yet. */
  digestOf = (entry: SnapshotEntry): Digest | undefined => this.digests.get(pair(entry));

  /** Compares each with the one before it, newest first, a few at a time. */
  private fill(): void {
    while (this.running < AT_ONCE) {
      const next = this.entries?.find(
        (entry) => entry.previous !== null && !this.digests.has(pair(entry)),
      );
      if (!next || next.previous === null) return;
      this.digests.set(pair(next), null);
      this.running += 1;
      void this.compare(next.previous, next);
    }
  }

  private async compare(before: string, entry: SnapshotEntry): Promise<void> {
    try {
      this.digests.set(pair(entry), await (await this.guard()).digest(before, entry.id));
    } catch (thrown) {
      this.digests.set(pair(entry), { failed: asErrorInfo(thrown) });
    }
    this.running -= 1;
    this.fill();
  }
}

const pair = ({ previous, id }: SnapshotEntry): string => `${previous} ${id}`;

/** What the Configuration page holds, also while another page is shown. */
export class Room {
  /** What the chosen snapshot is compared with. */
  base = $state.raw<Base>({ what: 'previous' });
  /** Services of which one is being taken, and since when. */
  readonly taking = new SvelteMap<string, number>();
  readonly failed = new SvelteMap<string, ErrorInfo>();
  /** The chosen snapshot of a service; the newest where nobody chose. */
  private readonly chosen = new SvelteMap<string, string>();
  private readonly lists: Record<string, SnapshotList> = {};
  readonly guard: () => Promise<Guard>;
  /** Restores and drills. */
  readonly desk: RestoreDesk;

  constructor(guard: () => Promise<Guard>) {
    this.guard = guard;
    this.desk = new RestoreDesk(guard);
  }

  listOf(service: string): SnapshotList {
    return (this.lists[service] ??= new SnapshotList(this.guard, service));
  }

  /** Snapshots of a service are others now. */
  changed = (service: string): void => {
    void this.lists[service]?.load();
  };

  entryOf(list: SnapshotList): SnapshotEntry | null {
    const wanted = this.chosen.get(list.service);
    const all = list.entries ?? [];
    return all.find(({ id }) => id === wanted) ?? all[0] ?? null;
  }

  choose(list: SnapshotList, id: string): void {
    // The newest is followed: what comes is shown.
    if (list.entries?.[0]?.id === id) this.chosen.delete(list.service);
    else this.chosen.set(list.service, id);
  }

  /** Takes one now; how many parts could not be read, or `null` when there is none. */
  async take(service: string): Promise<number | null> {
    if (this.taking.has(service)) return null;
    this.taking.set(service, Date.now());
    this.failed.delete(service);
    try {
      const { id } = await (await this.guard()).take(service);
      const list = this.listOf(service);
      await list.load();
      this.chosen.delete(service);
      return list.entries?.find((entry) => entry.id === id)?.missed ?? 0;
    } catch (thrown) {
      this.failed.set(service, asErrorInfo(thrown));
      return null;
    } finally {
      this.taking.delete(service);
    }
  }
}

const rooms = new WeakMap<App, { demo: boolean; room: Room }>();

/** The room of this window; another keeper, the demo host's, has another. */
export function roomOf(app: App): Room {
  const demo = app.state?.demo ?? false;
  const known = rooms.get(app);
  if (known?.demo === demo) return known.room;
  const room = new Room(() => app.backend.guard());
  rooms.set(app, { demo, room });
  app.onsnapshots = room.changed;
  return room;
}
