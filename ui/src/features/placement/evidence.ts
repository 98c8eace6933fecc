import type { GpuCard, Look, LookPhase, Round } from '../../backend/types';

/** The lowest and the highest of some readings. */
export interface Extent {
  low: number;
  high: number;
}

/**
 * What was read of one card, by the phase that each reading names; `null` where nothing was told.
 * What follows from it is the round's own finding: nothing is judged here.
 */
export interface CardReadings {
  uuid: string;
  /** Load before and after, percent. */
  rest: Extent | null;
  /** Load at work. */
  work: Extent | null;
  /** The highest point of its line of memory, MiB. */
  memory: number | null;
}

const told = (values: (number | null | undefined)[]): number[] =>
  values.filter((value): value is number => typeof value === 'number');
const highest = (values: number[]): number | null =>
  values.length === 0 ? null : Math.max(...values);
const extent = (values: number[]): Extent | null =>
  values.length === 0 ? null : { low: Math.min(...values), high: Math.max(...values) };

/** Each card's memory against the highest before the request, MiB: what was held then stays. */
function memoryLines(round: Round): (number | null)[][] {
  const before = round.looks.filter((look) => look.phase === 'before');
  return round.cards.map((_, place) => {
    const base = highest(told(before.map((look) => look.memory_mib[place])));
    return round.looks.map((look) => {
      const held = look.memory_mib[place];
      return typeof held === 'number' && base !== null ? held - base : null;
    });
  });
}

export function readingsOf(round: Round): CardReadings[] {
  const loads = (place: number, phases: LookPhase[]) =>
    told(round.looks.filter(({ phase }) => phases.includes(phase)).map(({ load }) => load[place]));
  const memory = memoryLines(round);
  return round.cards.map((uuid, place) => ({
    uuid,
    rest: extent(loads(place, ['before', 'after'])),
    work: extent(loads(place, ['working'])),
    memory: highest(told(memory[place] ?? [])),
  }));
}

/** A stretch of one phase, in milliseconds since the request. */
export interface Span {
  phase: LookPhase;
  from: number;
  to: number;
}

/** Each phase lasts until half way to the next one's first reading. */
export function spansOf(looks: Look[]): Span[] {
  const spans: Span[] = [];
  looks.forEach((look, index) => {
    const last = spans.at(-1);
    if (last?.phase === look.phase) {
      last.to = look.at_ms;
      return;
    }
    const before = looks[index - 1];
    const edge = before ? (before.at_ms + look.at_ms) / 2 : look.at_ms;
    if (last) last.to = edge;
    spans.push({ phase: look.phase, from: edge, to: look.at_ms });
  });
  return spans;
}

/** Where the chart's two bands lie, in its own units. */
export const CHART = {
  width: 660,
  height: 172,
  left: 42,
  right: 654,
  load: { top: 20, bottom: 104 },
  memory: { top: 122, bottom: 158 },
} as const;

export interface Chart {
  spans: { phase: LookPhase; x: number; width: number }[];
  load: string[];
  memory: string[];
  /** Highest and lowest value of the band of memory, MiB against before. */
  most: number;
  least: number;
  /** Where the request was sent. */
  sent: number | null;
  seconds: { x: number; at: number }[];
}

/** Less than this is drawn flat: memory that comes and goes without any picture. */
const LEAST_RANGE_MIB = 256;

function path(points: ({ x: number; y: number } | null)[]): string {
  let drawn = '';
  let pen = false;
  for (const point of points) {
    if (!point) {
      pen = false;
      continue;
    }
    const at = `${point.x.toFixed(1)} ${point.y.toFixed(1)}`;
    // A lone point between two gaps still has to be seen.
    drawn += pen ? `L${at}` : `M${at}h0.01`;
    pen = true;
  }
  return drawn;
}

/** Lines and shades of one round; a missing reading breaks its line. */
export function chartOf(round: Round): Chart | null {
  const first = round.looks[0];
  const last = round.looks.at(-1);
  if (!first || !last) return null;
  const time = Math.max(1, last.at_ms - first.at_ms);
  const { left, right, load, memory } = CHART;
  const x = (at: number) => left + ((at - first.at_ms) / time) * (right - left);
  const within = (part: number, band: { top: number; bottom: number }) =>
    band.bottom - Math.min(1, Math.max(0, part)) * (band.bottom - band.top);

  const changes = memoryLines(round);
  const all = told(changes.flat());
  const most = Math.max(LEAST_RANGE_MIB, ...all);
  const least = Math.min(0, ...all);

  const step = time > 40_000 ? 10_000 : time > 16_000 ? 5_000 : time > 8_000 ? 2_000 : 1_000;
  const seconds: Chart['seconds'] = [];
  for (let at = Math.ceil(first.at_ms / step) * step; at <= last.at_ms; at += step) {
    seconds.push({ x: x(at), at: at / 1000 });
  }
  return {
    spans: spansOf(round.looks).map((span) => ({
      phase: span.phase,
      x: x(span.from),
      width: Math.max(0, x(span.to) - x(span.from)),
    })),
    load: round.cards.map((_, place) =>
      path(
        round.looks.map((look) => {
          const value = look.load[place];
          return typeof value === 'number'
            ? { x: x(look.at_ms), y: within(value / 100, load) }
            : null;
        }),
      ),
    ),
    memory: changes.map((line) =>
      path(
        line.map((change, index) => {
          const look = round.looks[index];
          return change === null || !look
            ? null
            : { x: x(look.at_ms), y: within((change - least) / (most - least), memory) };
        }),
      ),
    ),
    most,
    least,
    sent: first.at_ms <= 0 && last.at_ms >= 0 ? x(0) : null,
    seconds,
  };
}

/** Lines differ by their dashes as well as by colour, as in the charts of the GPU page. */
export const DASHES = ['none', '7 3', '2 2', '9 3 2 3'] as const;
export const dashOf = (place: number): string => DASHES[place % DASHES.length] ?? 'none';

/** A card's place among those of its host, which its look goes by; one that is gone comes after. */
export function placeOf(cards: readonly GpuCard[], round: Round, index: number): number {
  const place = cards.findIndex((card) => card.latest.uuid === round.cards[index]);
  return place < 0 ? cards.length + index : place;
}
