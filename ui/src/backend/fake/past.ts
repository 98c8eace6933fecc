import type {
  ErrorInfo,
  GpuHistory,
  GpuHistoryQuery,
  GpuLine,
  GpuMarker,
  GpuMarkerKind,
  GpuMetric,
  Job,
} from '../types';
import type { FakeCard } from './gpus';
import { CARDS, LOST_MS, noGpus } from './gpus';
import type { Fault } from './site';
import { iso } from './site';

/** Lengths of a step that read well on an axis, in seconds, as the keeper has them. */
const STEPS_S = [
  1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 21_600, 43_200, 86_400,
];
const MOST_STEPS = 2000;
/** So many moments of a step are looked at. */
const LOOKS = 12;

/** A number from 0 to 1 that is always the same for the same key. */
function chance(...key: number[]): number {
  let hash = 2_166_136_261;
  for (const part of key) {
    hash = Math.imul(hash ^ (part | 0), 0x85eb_ca6b);
    hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2_ae35);
    hash ^= hash >>> 16;
  }
  return (hash >>> 0) / 4_294_967_296;
}

/** Load at a second: pictures come in bursts, at night less often. */
function loadAt(index: number, second: number): number {
  const burst = Math.floor(second / 90);
  const hour = Math.floor(second / 3600) % 24;
  const often = hour < 7 ? 0.06 : index === 1 ? 0.42 : 0.2;
  const busy = chance(index, burst, 7) < often;
  return busy ? 86 + chance(index, second) * 12 : chance(index, second, 3) * 4;
}

/** In the last hours somebody always read, whatever time it is: tests look there. */
const WATCHED_S = 3 * 3600;

/** Nobody read then: the machine was off, or Forgekeeper did not run. */
const gapAt = (second: number) => chance(Math.floor(second / 10_800), 99) < 0.1;

function valueAt(metric: GpuMetric, card: FakeCard, load: number, second: number, hot: boolean) {
  const warm = loadAt(card.index, second - 45);
  switch (metric) {
    case 'load':
      return load;
    case 'memory_load':
      return load * 0.62;
    case 'memory':
      return (card.rest + (card.index === 1 ? 10.6 : 6.2) + load * 0.012) * 1024;
    case 'temperature':
      return (hot ? 68 : 41) + warm * 0.2 + load * 0.12;
    case 'power':
      return 22 + (load / 100) * card.watts * 0.9;
    case 'clock':
      return load > 10 ? card.mhz - 90 - chance(second, card.index) * 40 : 210;
    case 'fan':
      return 30 + warm * 0.45;
    case 'throttled': {
      // In some bursts all the time, in others hardly ever.
      const held = Math.min(100, 0.4 + 160 * chance(card.index, Math.floor(second / 90), 13) ** 2);
      return hot && load > 80 ? held : 0;
    }
  }
}

const tenth = (value: number) => Math.round(value * 10) / 10;

export interface Past {
  faults: ReadonlySet<Fault>;
  now: number;
  /** Loads of the last minute, by index of the card. */
  loads: Map<number, (number | null)[]>;
  jobs: Job[];
}

/** A past for any range; the same for every question about it. */
export function past(query: GpuHistoryQuery, { faults, now, loads, jobs }: Past): GpuHistory {
  if (faults.has('gpu-history-fails')) {
    const error: ErrorInfo = {
      code: 'store',
      message: 'the history of the cards could not be read',
      hint: null,
      detail: 'database disk image is malformed',
    };
    throw error;
  }
  const from = Math.floor(Date.parse(query.from) / 1000);
  const to = Math.floor(Date.parse(query.to) / 1000);
  const wanted = Math.max(2, Math.min(MOST_STEPS, query.steps));
  const step = STEPS_S.find((one) => to - from <= wanted * one) ?? 86_400;
  const begin = Math.floor(from / step) * step;
  const steps = Math.min(MOST_STEPS + 1, Math.ceil((to - begin) / step));
  const last = Math.floor(now / 1000);
  const empty = faults.has('gpu-history-empty') || noGpus(faults);

  const line = (metric: GpuMetric, card: FakeCard): GpuLine => {
    const made: GpuLine = { metric, min: [], mean: [], max: [] };
    const lost = faults.has('gpu-lost') && card.index === 1 ? last - LOST_MS / 1000 : Infinity;
    const hot = (faults.has('gpu-hot') || faults.has('gpu-throttled')) && card.index === 1;
    const silent = faults.has('gpu-values-missing') && card.index === 1 && metric !== 'memory';
    for (let place = 0; place < steps; place++) {
      const values: number[] = [];
      for (let look = 0; look < Math.min(LOOKS, step); look++) {
        const second = begin + place * step + Math.floor((look * step) / Math.min(LOOKS, step));
        if (second > last || second > lost || silent) continue;
        const recent = loads.get(card.index)?.at(second - last - 1);
        const near = last - second < 60;
        if (near ? recent === null : last - second > WATCHED_S && gapAt(second)) continue;
        const load = near && typeof recent === 'number' ? recent : loadAt(card.index, second);
        values.push(valueAt(metric, card, load, second, hot && last - second < 5400));
      }
      const some = values.length > 0;
      made.min.push(some ? tenth(Math.min(...values)) : null);
      made.mean.push(some ? tenth(values.reduce((a, b) => a + b, 0) / values.length) : null);
      made.max.push(some ? tenth(Math.max(...values)) : null);
    }
    return made;
  };
  const read = (card: FakeCard) =>
    !empty && !(faults.has('gpu-lost') && card.index === 1 && begin > last - LOST_MS / 1000);
  return {
    from: iso(begin * 1000),
    step_s: step,
    steps,
    cards: CARDS.filter(read).map((card) => ({
      uuid: card.uuid,
      name: card.name,
      index: card.index,
      lines: query.metrics.map((metric) => line(metric, card)),
    })),
    markers: empty ? [] : markers(begin, Math.min(to, last), jobs),
    problem: faults.has('gpu-history-problem')
      ? 'minutes before 2026-11-20 could not be read: database disk image is malformed'
      : null,
  };
}

const KINDS: [GpuMarkerKind, number, number][] = [
  ['generation', 2_820, 6_900],
  ['action', 32_400, 12_400],
  ['placement', 190_000, 21_000],
];

function markers(from: number, to: number, jobs: Job[]): GpuMarker[] {
  const made: GpuMarker[] = [];
  for (const [kind, every, took] of KINDS) {
    for (let at = Math.ceil(from / every) * every; at < to; at += every) {
      if (gapAt(at)) continue;
      const service = chance(at) < 0.6 ? 'myia-turbo' : 'myia';
      const ok = chance(at, 5) > 0.12;
      made.push({ kind, service, at: iso(at * 1000), took_ms: took, ok });
    }
  }
  for (const job of jobs) {
    const began = Date.parse(job.started_at);
    if (began < from * 1000 || began > to * 1000) continue;
    const { what } = job.kind;
    const kind: GpuMarkerKind =
      what === 'generate' ? 'generation' : what === 'prove_placement' ? 'placement' : 'action';
    const took = job.finished_at ? Date.parse(job.finished_at) - began : null;
    const ok = job.phase === 'running' ? null : job.phase === 'succeeded';
    made.push({ kind, service: job.service, at: job.started_at, took_ms: took, ok });
  }
  return made.sort((a, b) => a.at.localeCompare(b.at));
}
