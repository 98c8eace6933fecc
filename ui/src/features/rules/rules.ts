import type { DraftFault, RuleDraft, RuleLanguage, RulesView } from '../../backend/types';

/** The dialog of one's own rules, loaded when it is first opened. */
export const rulesDialog = () => import('./RulesDialog.svelte');

/** The field of the form that a fault belongs to; none is the whole rule's. */
export type Field = 'id' | 'pattern' | 'sample' | 'title' | 'remedy';

const FIELDS: Record<DraftFault['kind'], Field | null> = {
  bad_id: 'id',
  id_taken: 'id',
  id_built_in: 'id',
  bad_pattern: 'pattern',
  matches_everything: 'pattern',
  sample_not_matched: 'sample',
  long_title: 'title',
  long_text: 'remedy',
  too_many: null,
};

/** The first fault of each field. */
export function faultsByField(faults: readonly DraftFault[]): Map<Field | null, DraftFault> {
  const by = new Map<Field | null, DraftFault>();
  for (const fault of faults) {
    const field = FIELDS[fault.kind];
    if (!by.has(field)) by.set(field, fault);
  }
  return by;
}

export type OwnRule = RulesView['rules'][number];

/** A rule as the form edits it, in one language. */
export function draftOf({ signature, sample }: OwnRule, language: RuleLanguage): RuleDraft {
  const { id, pattern, severity, blocking } = signature;
  const words = signature[language];
  return {
    id,
    pattern,
    severity,
    blocking,
    sample,
    language,
    title: words?.title ?? '',
    remedy: words?.remedy ?? '',
  };
}

export const emptyDraft = (language: RuleLanguage): RuleDraft => ({
  id: 'own.',
  pattern: '',
  severity: 'warning',
  blocking: 'no',
  sample: '',
  language,
  title: '',
  remedy: '',
});

/** For how long something is silenced. */
export const SPANS = ['day', 'week', 'month', 'date'] as const;
export type Span = (typeof SPANS)[number];

const DAYS: Record<Exclude<Span, 'date'>, number> = { day: 1, week: 7, month: 30 };

/**
 * When a silence ends: so many days from now, at this time of the day, or at the first moment of a
 * chosen day. Nothing when no later day is chosen.
 */
export function endOf(span: Span, date: string, now: number): Date | null {
  const end = new Date(now);
  if (span !== 'date') {
    end.setDate(end.getDate() + DAYS[span]);
    end.setMilliseconds(0);
    return end;
  }
  const [, year, month, day] = /^(\d{4})-(\d\d)-(\d\d)$/.exec(date) ?? [];
  if (day === undefined) return null;
  end.setFullYear(Number(year), Number(month) - 1, Number(day));
  end.setHours(0, 0, 0, 0);
  return end.getTime() > now ? end : null;
}

/** A day as a date field writes it, in the reader's own zone. */
export function dayText(at: Date): string {
  const two = (n: number) => String(n).padStart(2, '0');
  return `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())}`;
}
