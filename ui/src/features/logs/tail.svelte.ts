import { tick } from 'svelte';

import type { Backend, Release } from '../../backend/backend';
import { asErrorInfo } from '../../backend/errors';
import type { ErrorInfo, LogBatch, LogQuery } from '../../backend/types';
import { arrived } from './arrived';
import { MOST_LINES } from './lines.svelte';
import { OlderLines } from './older.svelte';
import { Timeline } from './timeline.svelte';

/** New lines are put into the list together, this often at most. */
const GATHER_MS = 60;
/** In a flood nobody can read each of them: then the list is drawn anew less often. */
const FLOOD_MS = 200;
/** So many lines at once are a flood. */
const FLOOD = 1_000;
/** Lines over the limit before the oldest go. */
const SLACK = 20_000;
/** Pixels that every browser can lay out; longer lists lose their oldest lines earlier. */
const TALLEST = 30_000_000;
/** Lines that the list begins with; older ones come when somebody goes up. */
const FIRST_LINES = 2_000;
/** Fewer lines than this are few: older ones are asked for at once, where that is cheap. */
const FEW = 200;

/** The reader of one service. */
class Source {
  held = 0;
  matched = 0;
  dropped = 0;
  /** Whether its first batch, with what was held, has come. */
  begun = false;
  /** Number of the newest line that came. */
  newest = -1;
  waiting: LogBatch[] = [];
}

/** Follows the logs of services; readers for a new query replace the old ones once they speak. */
export class LogTail {
  /** What is shown. */
  timeline = $state.raw(new Timeline(true));
  older = $state.raw<OlderLines | null>(null);
  /** The services whose lines are shown, in the order of their numbers. */
  services = $state.raw<readonly string[]>([]);
  held = $state(0);
  matched = $state(0);
  dropped = $state(0);
  error = $state.raw<ErrorInfo | null>(null);
  loading = $state(true);
  /** Lines that came since the start. */
  arrived = $state(0);
  /** Where the list is held still: number of the row after the last one shown. */
  private heldAt = $state<number | null>(null);
  private arrivedAt = $state(0);
  /** Whether somebody reads further up: nothing may fold under their eyes. */
  reading = $state(false);

  readonly paused = $derived(this.heldAt !== null);
  /** Lines that came while paused, or since somebody reads further up. */
  readonly waiting = $derived(this.paused || this.reading ? this.arrived - this.arrivedAt : 0);
  /** Rows that are shown. */
  readonly shown = $derived.by(() => {
    const { timeline } = this;
    void timeline.version;
    const all = timeline.rows.length;
    return this.heldAt === null ? all : Math.max(0, Math.min(all, this.heldAt - timeline.first));
  });

  /** Told how tall the list is in pixels, before lines are let go. */
  height: () => number = () => 0;
  /** Called around changes at the upper end, for the list to keep its place. */
  above: (change: () => void) => void = (change) => change();

  private sources: Source[] = [];
  private releases: Release[] = [];
  /** The newest readers asked for. */
  private asked = 0;
  /** The readers that are listened to. */
  private live = 0;
  /** Whether many lines came at once the last time. */
  private flooded = false;
  private timer: ReturnType<typeof setTimeout> | null = null;
  private readonly backend: Backend;

  constructor(backend: Backend) {
    this.backend = backend;
  }

  /** Asks for another query; until it is granted, what is shown goes on. */
  open = async (services: readonly string[], query: LogQuery, folded: boolean): Promise<void> => {
    const asked = ++this.asked;
    this.loading = true;
    const granted: Release[] = [];
    const turn = () => this.turnTo(asked, services, query, folded);
    // What is marked is counted among all that is held.
    const first = { ...query, tail: query.mark ? null : FIRST_LINES };
    try {
      await Promise.all(
        services.map(async (service, number) => {
          const release = await this.backend.logs(service, first, (batch) => {
            if (asked < this.live || asked > this.asked) return;
            turn();
            this.receive(number, batch, query);
          });
          granted.push(release);
        }),
      );
      if (asked !== this.asked) {
        for (const release of granted) release();
        return;
      }
      turn();
      this.close();
      this.releases = granted;
      this.error = null;
      this.loading = this.sources.some((source) => !source.begun);
    } catch (thrown) {
      for (const release of granted) release();
      if (asked !== this.asked) return;
      // A half-typed expression neither empties nor stops what is shown.
      this.error = asErrorInfo(thrown);
      this.loading = false;
    }
  };

  /** Ends for good. */
  end = (): void => {
    this.asked++;
    this.live = this.asked;
    this.close();
    this.older?.end();
    if (this.timer !== null) clearTimeout(this.timer);
  };

  pause = (): void => {
    this.arrivedAt = this.arrived;
    this.heldAt = this.timeline.first + this.timeline.rows.length;
  };

  resume = (): void => {
    this.heldAt = null;
  };

  /** Somebody begins or ceases to read further up. */
  read = (reading: boolean): void => {
    if (reading === this.reading) return;
    if (reading && !this.paused) this.arrivedAt = this.arrived;
    this.reading = reading;
  };

  /** Loads older lines above what is shown. */
  lookBack = async (): Promise<void> => {
    const { older, timeline } = this;
    if (!older) return;
    const lines = await older.more();
    if (timeline !== this.timeline || lines.length === 0) return;
    for (const { line, source } of lines) {
      const of = this.sources[source];
      if (of) of.newest = Math.max(of.newest, line.seq);
    }
    this.above(() => timeline.prepend(lines));
  };

  private close(): void {
    for (const release of this.releases) release();
    this.releases = [];
  }

  private turnTo(asked: number, services: readonly string[], query: LogQuery, folded: boolean) {
    if (asked <= this.live) return;
    this.live = asked;
    this.older?.end();
    this.services = services;
    this.sources = services.map(() => new Source());
    this.timeline = new Timeline(folded);
    this.older = new OlderLines(this.backend, services, query);
    this.held = 0;
    this.matched = 0;
    this.dropped = 0;
    this.heldAt = null;
    this.reading = false;
  }

  private receive(number: number, batch: LogBatch, query: LogQuery): void {
    const source = this.sources[number];
    if (!source) return;
    source.held = batch.held;
    source.matched = batch.matched;
    source.dropped += batch.dropped;
    source.waiting.push(batch);
    if (!source.begun) {
      source.begun = true;
      if (this.sources.every((one) => one.begun)) this.begin(query);
      return;
    }
    this.timer ??= setTimeout(() => this.flush(), this.flooded ? FLOOD_MS : GATHER_MS);
  }

  /** Everybody told what was held: the list begins with it. */
  private begin(query: LogQuery): void {
    for (const [number, source] of this.sources.entries()) {
      const lines = source.waiting.flatMap((batch) => batch.lines);
      const hits = source.waiting.flatMap((batch) => batch.hits);
      source.waiting = [];
      source.newest = lines.at(-1)?.seq ?? -1;
      this.older?.begin(number, { lines, hits });
    }
    this.loading = false;
    this.timeline.append(this.older?.give() ?? [], false);
    this.count();
    // A filter by text may have to look through everything: that is for the person to want.
    if (this.timeline.held < FEW && (query.filter === '' || query.mark)) void this.lookBack();
  }

  private flush(): void {
    this.timer = null;
    if (this.sources.some((source) => !source.begun)) return;
    const before = this.arrived;
    for (const [number, source] of this.sources.entries()) {
      const batches = source.waiting;
      source.waiting = [];
      for (const { lines, hits } of batches) {
        // A look back may have been faster.
        const fresh = lines.filter((line) => line.seq > source.newest);
        const [first] = fresh;
        if (!first) continue;
        this.older?.bound(number, first.seq);
        source.newest = fresh.at(-1)?.seq ?? source.newest;
        this.arrived += fresh.length;
        this.timeline.append(arrived({ lines: fresh, hits }, number), this.reading);
      }
    }
    this.flooded = this.arrived - before >= FLOOD;
    this.count();
    // On its own: the list can follow a change at one end at a time.
    void tick().then(this.trim);
  }

  private count(): void {
    const sum = (of: (source: Source) => number) =>
      this.sources.reduce((all, source) => all + of(source), 0);
    this.held = sum((source) => source.held);
    this.matched = sum((source) => source.matched);
    this.dropped = sum((source) => source.dropped);
  }

  private readonly trim = (): void => {
    const { timeline } = this;
    const height = this.height();
    const fit = height > TALLEST ? Math.floor(timeline.held * (TALLEST / height) * 0.9) : Infinity;
    if (timeline.held <= Math.min(MOST_LINES + SLACK, fit)) return;
    this.above(() => timeline.trim(Math.min(MOST_LINES, fit)));
  };
}
