import type { GalleryQuery, GenerationVerdict } from '../../backend/types';

const PAGE = 120;
const DAY_MS = 86_400_000;

export const SPANS = { any: null, day: DAY_MS, week: 7 * DAY_MS, month: 30 * DAY_MS } as const;

export interface Filters {
  text: string;
  service: string;
  model: string;
  verdict: GenerationVerdict | '';
  span: keyof typeof SPANS;
}
export const ALL: Filters = { text: '', service: '', model: '', verdict: '', span: 'any' };

/** What the keeper is asked for filters, after the last one that is known. */
export function queryOf(filters: Filters, after: string | null, now: number): GalleryQuery {
  const { text, service, model, verdict, span } = filters;
  const ms = SPANS[span];
  return {
    text: text.trim(),
    service: service || null,
    model: model.trim(),
    verdict: verdict || null,
    since: ms === null ? null : new Date(now - ms).toISOString(),
    until: null,
    after,
    limit: PAGE,
  };
}
