import type { Snapshots } from '../guard';
import type { Drift, DriftChange, DriftDigest, PartDrift, PartId, SnapshotEntry } from '../types';
import { keys, LINES, lines } from './differences';
import type { FakeJob } from './jobs';
import { cause, idOf, past, viewOf } from './kept';
import type { Kept, KeptPart, KeptParts } from './kept';
import { lineDiff } from './line-diff';
import type { FakeService, Fault } from './site';
import { iso } from './site';
import { thrown } from './workflows';

const UNKNOWN = cause('unknown', 'unknown');
const known = (part: PartId, why: string) => why !== 'no_place' || /^forge_(?!options)/.test(part);

/** The rest of a site that snapshots have to do with. */
export interface GuardSite {
  readonly faults: ReadonlySet<Fault>;
  readonly calls: string[];
  now(): number;
  /** Rejects for a service that there is not. */
  find(service: string): FakeService;
  begin(job: FakeJob): void;
  changed(service: string): void;
}

/** Snapshots in memory, compared for real. */
export class FakeGuard implements Snapshots {
  private readonly kept: Kept[] = [];
  private readonly begun = new Set<string>();
  private damaged: string[];

  protected readonly site: GuardSite;

  constructor(site: GuardSite) {
    this.site = site;
    this.damaged = site.faults.has('config-damaged') ? [idOf(site.now() - 9e8, 'dead')] : [];
  }

  protected of(service: string): Kept[] {
    this.site.find(service);
    if (!this.begun.has(service)) {
      this.begun.add(service);
      const { faults } = this.site;
      const extra = faults.has('config-many') ? 60 : 0;
      if (!faults.has('config-none')) {
        this.kept.push(...past(service, this.site.now(), faults.has('config-hostile'), extra));
      }
    }
    return this.kept
      .filter((one) => one.service === service)
      .toSorted((a, b) => (a.id < b.id ? 1 : -1));
  }

  protected keptAs(id: string): Kept {
    const found = this.kept.find((one) => one.id === id);
    if (!found) throw thrown('bad_request', `there is no snapshot \`${id}\``);
    return found;
  }

  protected async answers(): Promise<void> {
    if (this.site.faults.has('config-slow')) await new Promise((done) => setTimeout(done, 2_500));
    if (this.site.faults.has('config-fails')) throw thrown('io', 'the snapshots could not be read');
  }

  async list(...[service, before, most]: Parameters<Snapshots['list']>) {
    await this.answers();
    const all = this.of(service);
    const entries = all.map((one, index): SnapshotEntry => {
      const { items } = viewOf(one, this.site.faults.has('no-keyring'));
      const missed = items.filter((i) => i.state === 'not_readable' && known(i.part, i.why)).length;
      const isGood = (other: Kept) => other.healthy === true && this.missed(other) === 0;
      return {
        id: one.id,
        taken_at: iso(one.at),
        reason: one.reason,
        note: one.note,
        healthy: one.healthy,
        good: isGood(one),
        pinned: one.pinned,
        kept: items.filter((item) => item.state === 'kept').length,
        in_memory: items.filter((item) => item.state === 'in_memory').length,
        missed,
        previous: all[index + 1]?.id ?? null,
        good_before: all.slice(index + 1).find(isGood)?.id ?? null,
      };
    });
    const wanted = entries.filter(({ id }) => before === null || id < before);
    return {
      entries: wanted.slice(0, most),
      total: all.length,
      more: wanted.length > most,
      damaged: this.damaged.map((id) => ({
        id,
        taken_at: iso(this.site.now() - 9e8),
        problem: 'its hash is not that of its text',
      })),
      damaged_total: this.damaged.length,
    };
  }

  private missed({ parts }: Kept): number {
    const all = Object.entries(parts);
    return all.filter(([part, of]) => 'why' in of && known(part as PartId, of.why)).length;
  }

  async drift(...[first, second]: Parameters<Snapshots['drift']>): Promise<Drift> {
    await this.answers();
    const [before, after] = [this.keptAs(first), this.keptAs(second)].toSorted(
      (a, b) => a.at - b.at,
    ) as [Kept, Kept];
    const all = Object.keys(after.parts) as PartId[];
    const parts = all.flatMap((part) => this.compare(part, before, after) ?? []);
    return {
      service: after.service,
      before: before.id,
      after: after.id,
      before_at: iso(before.at),
      after_at: iso(after.at),
      parts,
      unchanged: all.length - parts.length,
    };
  }

  private compare(part: PartId, before: Kept, after: Kept): PartDrift | null {
    const [old, now] = [before.parts[part], after.parts[part]] as [KeptPart, KeptPart];
    const head = { part, path: now.path, changes: [], more: 0, written_at: null, origin: null };
    for (const [side, one] of [
      ['before', old],
      ['after', now],
    ] as const) {
      if ('why' in one) {
        const words = part === 'forge_options' ? 'connection refused (os error 111)' : 'deadline';
        return { ...head, finding: 'not_read', side, why: one.why, words };
      }
    }
    if ('why' in old || 'why' in now || old.text === now.text) return null;
    const between = this.kept.filter(
      ({ service, at }) => service === after.service && at > before.at && at <= after.at,
    );
    const origin = between.findLast((one) => one.causes[part])?.causes[part] ?? UNKNOWN;
    const written_at = iso(after.at - 3_600_000);
    if (old.text === null) return { ...head, written_at, finding: 'appeared', origin };
    if (now.text === null) return { ...head, finding: 'vanished', origin };
    const differ = LINES.includes(part) ? lines(old.text, now.text) : keys(old.text, now.text);
    const changes = differ.map((change): DriftChange => ({ ...change, masked: false, origin }));
    return { ...head, written_at, finding: 'changed', changes };
  }

  async digest(...[before, after]: Parameters<Snapshots['digest']>): Promise<DriftDigest> {
    const drift = await this.drift(before, after);
    const changed = drift.parts.filter(({ finding }) => finding !== 'not_read');
    const named = new Map<string, DriftDigest['named'][number]>();
    const origins = new Map<string, DriftDigest['origins'][number]>();
    for (const { part, changes, origin } of changed) {
      const all =
        changes.length > 0 ? changes : [{ key: [] as string[], origin: origin ?? UNKNOWN }];
      for (const one of all) {
        const twin = part === 'forge_options' ? 'forge_config' : part;
        const name = `${twin} ${one.key.join(' ')}`;
        const there = named.get(name);
        if (there) there.parts.push(part);
        else {
          named.set(name, { key: one.key, parts: [part] });
          const by = `${one.origin.by} ${one.origin.certainty}`;
          const count = (origins.get(by)?.count ?? 0) + 1;
          origins.set(by, { origin: one.origin, count });
        }
      }
    }
    return {
      before,
      after,
      changes: named.size,
      named: [...named.values()].slice(0, 4),
      origins: [...origins.values()].toSorted((a, b) => b.count - a.count),
      unknown: drift.parts.flatMap((one) =>
        one.finding === 'not_read' ? [{ part: one.part, expected: known(one.part, one.why) }] : [],
      ),
    };
  }

  async show(id: string) {
    await this.answers();
    return viewOf(this.keptAs(id), this.site.faults.has('no-keyring'));
  }

  async text(...[id, part]: Parameters<Snapshots['text']>) {
    await this.answers();
    const of = this.keptAs(id).parts[part];
    const text = of && 'text' in of ? (of.text ?? '') : '';
    const problem = text.startsWith('{"sd_model') && !text.endsWith('}') ? 'EOF in a string' : null;
    return { text, masked: text.includes('***'), cut: false, problem };
  }

  async textDiff(...[before, after, part]: Parameters<Snapshots['textDiff']>) {
    const text = async (id: string) => (await this.text(id, part, '')).text;
    return lineDiff(await text(before), await text(after));
  }

  async verify(id: string) {
    await this.answers();
    const bad = this.site.faults.has('config-bytes-lost');
    const items = viewOf(this.keptAs(id), false).items.map(({ part, path, state }) => {
      const lost = bad && part === 'forge_styles';
      return {
        part,
        path,
        verdict:
          state === 'kept'
            ? lost
              ? ('damaged' as const)
              : ('whole' as const)
            : ('nothing_kept' as const),
      };
    });
    return { id, whole: items.every(({ verdict }) => verdict !== 'damaged'), items };
  }

  /** What is there now: by itself as the newest snapshot has it. */
  protected present(service: string): KeptParts {
    return this.newest(service).parts;
  }

  private newest(service: string): Kept {
    const newest = this.of(service)[0] ?? past(service, this.site.now(), false, 0)[0];
    if (!newest) throw thrown('internal', 'nothing to take');
    return newest;
  }

  protected keep(service: string, how: Pick<Kept, 'reason' | 'note' | 'pinned'>): Kept {
    const at = this.site.now();
    const taken: Kept = { ...this.newest(service), at, id: idOf(at, 'f'), causes: {}, ...how };
    const kept: Kept = { ...taken, healthy: true, parts: this.present(service) };
    this.kept.push(kept);
    this.site.changed(service);
    return kept;
  }

  async take(service: string) {
    this.site.calls.push(`snapshot ${service}`);
    await this.answers();
    const kept = this.keep(service, { reason: 'on_demand', note: null, pinned: false });
    return viewOf(kept, false);
  }

  async pin(id: string, stays: boolean) {
    const kept = this.keptAs(id);
    kept.pinned = stays;
    this.site.calls.push(`pin ${stays}`);
    this.site.changed(kept.service);
  }

  async remove(id: string) {
    this.site.calls.push('snapshot removed');
    if (this.damaged.includes(id)) {
      this.damaged = this.damaged.filter((one) => one !== id);
      return;
    }
    const kept = this.keptAs(id);
    this.kept.splice(this.kept.indexOf(kept), 1);
    this.site.changed(kept.service);
  }
}
