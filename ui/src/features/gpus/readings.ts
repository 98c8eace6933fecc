import type { GpuHistory, GpuMetric } from '../../backend/types';
import { language, t } from '../../shared/i18n.svelte';
import type { Lane } from './charts';
import { valuesOf, WRITTEN } from './charts';

/** What a card's line says at one step. */
export interface Reading {
  lane: Lane;
  value: string | null;
  /** Between which values it was, where the step holds several. */
  range: string | null;
}

/** The newest step in which any card was read; `null` when there is none. */
export function newest(history: GpuHistory | null): number | null {
  if (!history) return null;
  for (let place = history.steps - 1; place >= 0; place--) {
    const read = history.cards.some((card) =>
      card.lines.some((line) => (line.mean[place] ?? null) !== null),
    );
    if (read) return place;
  }
  return null;
}

const bare = (text: string): string => text.replace(/[^\d.,\s\u202f]+$/u, '').trim();

export function readingsAt(
  history: GpuHistory | null,
  lanes: readonly Lane[],
  metric: GpuMetric,
  place: number | null,
): Reading[] {
  const write = WRITTEN[metric];
  return lanes.map((lane) => {
    const line = place === null ? undefined : valuesOf(history, lane.uuid, metric);
    const at = (values: (number | null)[] | undefined) => values?.[place ?? 0] ?? null;
    const [mean, low, high] = [at(line?.mean), at(line?.min), at(line?.max)];
    if (mean === null) return { lane, value: null, range: null };
    const texts = [low, high].map((value) => (value === null ? '' : bare(write(value))));
    const range =
      texts[0] === texts[1]
        ? null
        : t('gpus.range_values', { low: texts[0] ?? '', high: texts[1] ?? '' });
    return { lane, value: write(mean), range };
  });
}

/** What one chart says as a whole, for those who do not see it. */
export function summary(
  history: GpuHistory | null,
  lanes: readonly Lane[],
  metric: GpuMetric,
): string {
  const write = WRITTEN[metric];
  return lanes
    .map(({ uuid, title }) => {
      const line = valuesOf(history, uuid, metric);
      const lows = line?.min.filter((value) => value !== null) ?? [];
      const highs = line?.max.filter((value) => value !== null) ?? [];
      if (lows.length === 0) return t('gpus.chart_card_none', { card: title });
      const [low, high] = [Math.min(...lows), Math.max(...highs)];
      return t('gpus.chart_card', { card: title, low: write(low), high: write(high) });
    })
    .concat(t('gpus.chart_keys'))
    .join('. ');
}

const formats = new Map<string, Intl.DateTimeFormat>();
const DAY_S = 86_400;

function written(style: string, options: Intl.DateTimeFormatOptions, at: number): string {
  const key = `${language.locale} ${style}`;
  let format = formats.get(key);
  if (!format) {
    format = new Intl.DateTimeFormat(language.locale === 'fr' ? 'fr-FR' : 'en-GB', options);
    formats.set(key, format);
  }
  return format.format(new Date(at * 1000));
}

/** A moment on an axis that spans so many seconds. */
export function axisTime(at: number, span: number): string {
  const clock = { hour: '2-digit', minute: '2-digit' } as const;
  if (span <= 600) return written('second', { ...clock, second: '2-digit' }, at);
  if (span <= 1.5 * DAY_S) return written('minute', clock, at);
  return written('day', { day: 'numeric', month: 'short' }, at);
}

/** A moment beside its values: as finely as a step of the span is long. */
export function readingTime(at: number, span: number): string {
  const clock = { hour: '2-digit', minute: '2-digit' } as const;
  if (span <= DAY_S / 2) return written('second', { ...clock, second: '2-digit' }, at);
  return written('hour', { day: 'numeric', month: 'short', ...clock }, at);
}
