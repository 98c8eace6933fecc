import { clockTime } from '../../shared/format';
import { t } from '../../shared/i18n.svelte';

const MINUTE_MS = 60_000;
/** Offered lengths, by the ends of their message keys. */
export const PRESETS = {
  minutes: 15 * MINUTE_MS,
  hour: 60 * MINUTE_MS,
  day: 24 * 60 * MINUTE_MS,
  week: 7 * 24 * 60 * MINUTE_MS,
} as const;

/** From when to when; `null` is an end that nobody set. */
export interface Range {
  since: string | null;
  until: string | null;
  /** Since the container or its program started last. */
  run: boolean;
}

/** The range in words. */
export function rangeLabel({ since, until, run }: Range, today: number): string {
  const from = since ? clockTime(since, today) : null;
  const to = until ? clockTime(until, today) : null;
  if (from && to) return t('logs.range.between', { from, to });
  if (to) return t('logs.range.until', { to });
  return t(run ? 'logs.range.since_run' : 'logs.range.since', { from: from ?? '—' });
}

/** What a person entered, or why it is no range. */
export function customRange(from: string, to: string): Range | 'empty' | 'order' {
  const at = (value: string) => {
    const time = Date.parse(value);
    return Number.isNaN(time) ? null : new Date(time).toISOString();
  };
  const [since, until] = [at(from), at(to)];
  if (since === null && until === null) return 'empty';
  if (since !== null && until !== null && since >= until) return 'order';
  return { since, until, run: false };
}

/** A moment as a `datetime-local` field takes it. */
export function fieldTime(iso: string | null): string {
  if (iso === null) return '';
  const at = new Date(iso);
  return new Date(at.getTime() - at.getTimezoneOffset() * MINUTE_MS).toISOString().slice(0, 16);
}

/** The minutes around a moment. */
export function rangeAround(iso: string): Range {
  const at = Date.parse(iso);
  const moment = (ms: number) => new Date(at + ms).toISOString();
  return { since: moment(-5 * MINUTE_MS), until: moment(5 * MINUTE_MS), run: false };
}
