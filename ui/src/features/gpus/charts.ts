import type { GpuCard, GpuHistory, GpuMarkerKind, GpuMetric } from '../../backend/types';
import { cardTitle } from '../../shared/cards';
import type {
  ChartLine,
  ChartMark,
  ChartSpec,
  ChartStrip,
  MarkShape,
  Values,
} from '../../shared/chart';
import { part, percent } from '../../shared/format';
import { number, t } from '../../shared/i18n.svelte';
import type { Shown } from './past.svelte';
import type { Span } from './ranges';
import { celsius, megahertz, watts } from './words';

/** A card in the charts; always with the same colour and dashes. */
export interface Lane {
  uuid: string;
  index: number;
  title: string;
  colour: string;
  dash: readonly number[];
}

const COLOURS = ['--voice-0', '--voice-5', '--voice-2', '--voice-3'];
const DASHES = [[], [7, 3], [2, 2], [9, 3, 2, 3]];
const MIB_PER_GIB = 1024;

export const SHAPES: Record<GpuMarkerKind, MarkShape> = {
  generation: 'circle',
  action: 'triangle',
  placement: 'diamond',
};

/** What charts need of a card, and what does not change from one reading to the next. */
export type CardFacts = Pick<
  GpuCard['latest'],
  'uuid' | 'index' | 'name' | 'memory_total' | 'slowdown_c' | 'power_limit_w' | 'graphics_max_mhz'
>;

export const factsOf = (cards: readonly GpuCard[]): CardFacts[] =>
  cards.map(({ latest }) => ({
    uuid: latest.uuid,
    index: latest.index,
    name: latest.name,
    memory_total: latest.memory_total,
    slowdown_c: latest.slowdown_c,
    power_limit_w: latest.power_limit_w,
    graphics_max_mhz: latest.graphics_max_mhz,
  }));

/** Cards that there are and cards that there were, by their numbers. */
export function lanesOf(cards: readonly CardFacts[], history: GpuHistory | null): Lane[] {
  const all = new Map<string, { index: number; name: string }>();
  for (const { uuid, index, name } of history?.cards ?? []) all.set(uuid, { index, name });
  for (const card of cards) all.set(card.uuid, card);
  return [...all]
    .sort(([, a], [, b]) => a.index - b.index)
    .map(([uuid, card], place) => ({
      uuid,
      index: card.index,
      title: cardTitle(card),
      colour: COLOURS[place % COLOURS.length] ?? '--voice-0',
      dash: DASHES[place % DASHES.length] ?? [],
    }));
}

const plain = (value: number) => number(value);

/** How a metric's values are written: with their unit, and on an axis. */
export const WRITTEN: Record<GpuMetric, (value: number) => string> = {
  load: percent,
  memory_load: percent,
  fan: percent,
  throttled: part,
  memory: (mib) => t('gpu.gb', { value: number(mib / MIB_PER_GIB, 1) }),
  temperature: celsius,
  power: watts,
  clock: megahertz,
};
/** What stands beside a chart's name where its values stand nowhere. */
export const unitOf = (metric: GpuMetric): string =>
  WRITTEN[metric](0)
    .replace(/^[\d.,]+/, '')
    .trim();
export const onAxis = (metric: GpuMetric): ((value: number) => string) =>
  metric === 'memory' ? (gib) => number(gib) : plain;

/** Memory is drawn in gigabytes, so that its axis has whole ones. */
const drawn = (metric: GpuMetric, values: Values): Values =>
  metric === 'memory' ? values.map((v) => (v === null ? null : v / MIB_PER_GIB)) : values;

const most = (values: (number | null | undefined)[], least: number): number =>
  values.reduce<number>((a, b) => Math.max(a, b ?? 0), least);

/** Where an axis begins and ends: the same at all times, whatever is on it. */
function axisOf(metric: GpuMetric, cards: readonly CardFacts[], lines: readonly ChartLine[]) {
  const highest = () =>
    most(
      lines.flatMap((line) => [...(line.high ?? line.mean)]),
      0,
    );
  const of = (value: (card: CardFacts) => number | null) => cards.map(value);
  switch (metric) {
    case 'memory':
      return [
        0,
        most(
          of((card) => (card.memory_total ?? 0) / 1024 ** 3),
          highest() || 1,
        ),
      ];
    case 'temperature':
      return [
        20,
        most(
          of((card) => (card.slowdown_c === null ? null : card.slowdown_c + 9)),
          100,
        ),
      ];
    case 'power':
      return [
        0,
        most(
          of((card) => card.power_limit_w),
          Math.max(highest(), 50),
        ),
      ];
    case 'clock':
      return [
        0,
        most(
          of((card) => card.graphics_max_mhz),
          Math.max(highest(), 500),
        ),
      ];
    default:
      return [0, most([highest()], 100)];
  }
}

/** The lowest temperature at which a card slows down. */
export function slowdown(cards: readonly CardFacts[]): number | null {
  const all = cards.map((card) => card.slowdown_c).filter((value) => value !== null);
  return all.length > 0 ? Math.min(...all) : null;
}

export const valuesOf = (history: GpuHistory | null, uuid: string, metric: GpuMetric) =>
  history?.cards.find((card) => card.uuid === uuid)?.lines.find((line) => line.metric === metric);

/** Middle of each step. */
export function timesOf(history: GpuHistory | null): number[] {
  if (!history) return [];
  const from = Date.parse(history.from) / 1000;
  return Array.from({ length: history.steps }, (_, place) => from + (place + 0.5) * history.step_s);
}

export const marksOf = (history: GpuHistory | null): ChartMark[] =>
  (history?.markers ?? []).map(({ kind, at }) => ({
    at: Date.parse(at) / 1000,
    shape: SHAPES[kind],
  }));

export interface Shared {
  times: number[];
  strips: ChartStrip[];
  marks: ChartMark[];
}

/** One chart of all cards. */
export function specOf(
  metric: GpuMetric,
  shown: Shown | null,
  whole: Span,
  lanes: readonly Lane[],
  cards: readonly CardFacts[],
  shared: Shared,
): ChartSpec {
  const history = shown?.history ?? null;
  const nothing: Values = shared.times.map(() => null);
  const lines = lanes.map(({ uuid, colour, dash }): ChartLine => {
    const line = valuesOf(history, uuid, metric);
    const one = history?.step_s === 1;
    return {
      colour,
      dash,
      mean: drawn(metric, line?.mean ?? nothing),
      low: one ? null : drawn(metric, line?.min ?? nothing),
      high: one ? null : drawn(metric, line?.max ?? nothing),
    };
  });
  const [low = 0, high = 100] = axisOf(metric, cards, lines);
  const { from, to } = shown?.span ?? whole;
  const limit = metric === 'temperature' ? slowdown(cards) : null;
  return { ...shared, lines, from, to, low, high, limit };
}
