import { isErrorCode } from '../../backend/errors';
import type { MigrationStep, StepState, Words } from '../../backend/migration';
import type { Status } from '../../backend/types';
import { language, t } from '../../shared/i18n.svelte';

/** A text of the plan in the language in use; names between backticks, as terminals have them, get quotes. */
export const say = (words: Words): string => {
  const [open, close] = language.locale === 'fr' ? ['«\u202f', '\u202f»'] : ['“', '”'];
  return words[language.locale].replaceAll(/`([^`]*)`/g, `${open}$1${close}`);
};

/** The shape that tells a state without colour; states that are no verdict have shapes of their own. */
export function shapeOf(state: StepState): Status | 'ready' | 'blocked' | 'running' | 'skipped' {
  switch (state.is) {
    case 'proved':
      return 'ok';
    case 'failed':
      return 'failing';
    case 'stale':
      return 'degraded';
    default:
      return state.is;
  }
}

/** Why doing a step failed, where no look has told more since. */
export function troubleOf({ state, look, proof }: MigrationStep): string | null {
  if (state.is !== 'failed' || (look !== null && look.finding.found !== 'unknown')) return null;
  const told = (name: string) => proof?.evidence.find((one) => one.name === name)?.value;
  const code = told('error');
  if (!isErrorCode(code)) return null;
  // The keeper's own sentences are English: elsewhere the code says it.
  const more = language.locale === 'en' ? told('message') : undefined;
  return [`${t(`error.${code}`)}`, more].filter((one) => one !== undefined).join(' ');
}

/** The one word for where a step stands. */
export const wordOf = (state: StepState): string =>
  t(
    state.is === 'proved' && state.attested
      ? 'migration.state.attested'
      : `migration.state.${state.is}`,
  );

/** `1 to 3 days`. */
export function daysOf([least, most]: readonly [number, number]): string {
  if (least === most) return t('migration.days', { count: most });
  return t('migration.days_range', { least, most });
}

/** A day of the plan, as it is written where the reader lives. */
export function dayWords(day: string): string {
  const [year = 0, month = 1, date = 1] = day.split('-').map(Number);
  const at = new Date(Date.UTC(year, month - 1, date));
  return new Intl.DateTimeFormat(language.locale === 'fr' ? 'fr-FR' : 'en-GB', {
    day: 'numeric',
    month: 'short',
    year: 'numeric',
    timeZone: 'UTC',
  }).format(at);
}

/** Steps that the plan counts as done. */
export const doneOf = (steps: readonly MigrationStep[]): number =>
  steps.filter(({ state }) => state.is === 'proved').length;
