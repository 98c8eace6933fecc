import type { Preferences } from '../../backend/backend';
import type { GpuHistoryQuery, GpuMetric } from '../../backend/types';

export type RangeId = Preferences['gpus']['range'];
export type ExtraId = Preferences['gpus']['extra'];

/** A span of time in seconds since 1970. */
export interface Span {
  from: number;
  to: number;
}

interface Range {
  /** Seconds. */
  span: number;
  /** About how many steps are asked for. */
  steps: number;
  /** How often it is asked for anew while somebody looks. */
  everyMs: number;
}

export const RANGES: Record<RangeId, Range> = {
  '60s': { span: 60, steps: 60, everyMs: 1_000 },
  '1h': { span: 3_600, steps: 720, everyMs: 5_000 },
  '24h': { span: 86_400, steps: 720, everyMs: 60_000 },
  '30d': { span: 2_592_000, steps: 720, everyMs: 60_000 },
};
export const RANGE_IDS = Object.keys(RANGES) as RangeId[];
export const EXTRAS: readonly ExtraId[] = ['none', 'memory_load', 'clock', 'fan'];

const ALWAYS: readonly GpuMetric[] = ['load', 'memory', 'temperature', 'power'];
const ZOOM_STEPS = 360;
/** Nothing is known more finely than by the second. */
const LEAST_ZOOM_S = 10;

/** The charts there are, from top to bottom. */
export const chartsOf = (extra: ExtraId): GpuMetric[] =>
  extra === 'none' ? [...ALWAYS] : [...ALWAYS, extra];

export const spanOf = (range: RangeId, now: number): Span => {
  const to = Math.floor(now / 1000);
  return { from: to - RANGES[range].span, to };
};

/** A zoom kept within the whole range; `null` when it is the whole. */
export function zoomWithin(wanted: Span, whole: Span): Span | null {
  const length = Math.max(LEAST_ZOOM_S, Math.round(wanted.to - wanted.from));
  if (length >= whole.to - whole.from) return null;
  const middle = (wanted.from + wanted.to) / 2;
  const from = Math.round(Math.min(Math.max(middle - length / 2, whole.from), whole.to - length));
  return { from, to: from + length };
}

export function queryOf(
  host: string,
  range: RangeId,
  extra: ExtraId,
  span: Span,
  zoomed: boolean,
): GpuHistoryQuery {
  return {
    host,
    from: new Date(span.from * 1000).toISOString(),
    to: new Date(span.to * 1000).toISOString(),
    steps: zoomed ? ZOOM_STEPS : RANGES[range].steps,
    metrics: [...chartsOf(extra), 'throttled'],
  };
}
