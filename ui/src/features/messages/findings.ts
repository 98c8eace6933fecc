import type {
  Finding,
  LogMeter,
  LogRun,
  ServiceState,
  Severity,
  Signature,
  UnknownError,
} from '../../backend/types';
import type { Locale, MessageKey } from '../../shared/i18n.svelte';

const GRAVITY: Record<Severity, number> = { info: 0, warning: 1, degraded: 2, error: 3, fatal: 4 };
const STOPS: Record<Finding['blocking'], number> = { no: 0, job: 1, service: 2 };

export type Effect = 'over' | 'harmless' | Finding['blocking'];

/** What a message means for pictures. */
export function effectOf({ open, severity, blocking }: Finding): Effect {
  if (severity === 'info' && blocking === 'no') return 'harmless';
  return open ? blocking : 'over';
}

/** What is over is no present fault; what is harmless comes last. */
function standing(finding: Finding): number {
  const effect = effectOf(finding);
  return effect === 'harmless' ? 0 : effect === 'over' ? 1 : 2;
}

const began = ({ first }: { first: string | null }): number =>
  first === null ? 0 : Date.parse(first);

/**
 * The gravest first. Within one gravity by their first time, which does not change: a row must not
 * change its place each time its message comes again.
 */
export function ordered(findings: readonly Finding[]): Finding[] {
  return [...findings].sort(
    (a, b) =>
      standing(b) - standing(a) ||
      GRAVITY[b.severity] - GRAVITY[a.severity] ||
      STOPS[b.blocking] - STOPS[a.blocking] ||
      began(a) - began(b) ||
      a.id.localeCompare(b.id),
  );
}

/** What is known of errors that no rule names. */
export type Novelty = 'new' | 'before' | 'unsure';

/**
 * The errors that no rule names, by what is known of the run before: where the beginning of this
 * one was not seen, nothing is.
 */
export function byNovelty({ unknown, opening }: LogRun): [Novelty, UnknownError[]][] {
  const lists: Record<Novelty, UnknownError[]> = { new: [], before: [], unsure: [] };
  const fresh = opening === 'unseen' ? 'unsure' : 'new';
  for (const error of unknown) lists[error.before ? 'before' : fresh].push(error);
  const order = (a: UnknownError, b: UnknownError) =>
    Number(b.level === 'fatal') - Number(a.level === 'fatal') || began(a) - began(b);
  return (['new', 'unsure', 'before'] as const)
    .filter((novelty) => lists[novelty].length > 0)
    .map((novelty) => [novelty, lists[novelty].sort(order)]);
}

/** Since when is counted; nothing is said that was not seen. */
export function sinceKey({ opening, at }: LogRun): MessageKey {
  if (opening === 'unseen') return 'messages.since.unseen';
  const what = opening === 'told' ? 'container' : 'program';
  return at === null ? `messages.since.${what}` : `messages.since.${what}_at`;
}

/** What may be said of a log without a single message. */
export type Silence = 'none' | 'none_unseen' | 'nothing_read' | 'not_connected';

/** What is silenced was said all the same. */
export const hasMessages = ({ findings, unknown, others, silenced }: LogRun): boolean =>
  findings.length + unknown.length + others + silenced > 0;

export function silenceOf({ connected, held, rotated, said }: LogMeter): Silence {
  if (!connected) return 'not_connected';
  if (held + rotated === 0) return 'nothing_read';
  return said.opening === 'unseen' ? 'none_unseen' : 'none';
}

/** Services whose log has no message, by what may be said of them. */
export function silences(services: readonly ServiceState[]): [Silence, string[]][] {
  const by = new Map<Silence, string[]>();
  for (const { id, log } of services) {
    if (hasMessages(log.said)) continue;
    const say = silenceOf(log);
    by.set(say, [...(by.get(say) ?? []), id]);
  }
  return [...by];
}

/**
 * What to seek in the log to find the line of a finding. The keeper may have put the file's name
 * before the words of the line.
 */
export function sought({ text, names }: Pick<Finding, 'text' | 'names'>): string {
  const prefix = names.map(({ value }) => `${value}: `).find((start) => text.startsWith(start));
  return text.slice(prefix?.length ?? 0);
}

/** Of what the patterns find, these are names of things; the rest are quantities. */
const NAMED = ['path', 'name', 'url', 'code'] as const;
export type Named = (typeof NAMED)[number];

export function namesOf(finding: Finding): { group: Named; values: string[] }[] {
  return NAMED.map((group) => ({
    group,
    values: finding.names.filter((name) => name.group === group).map((name) => name.value),
  })).filter(({ values }) => values.length > 0);
}

export interface Words {
  title: string;
  cause: string;
  remedy: string;
  language: Locale;
}

/** In the reader's language, or else in the one there is. */
export function wordsOf(signature: Signature | undefined, locale: Locale): Words | null {
  for (const language of [locale, 'en', 'fr'] as const) {
    const wording = signature?.[language];
    if (wording?.title) return { ...wording, language };
  }
  return null;
}

/** Text with its parts in backticks told apart. */
export function parts(text: string): { text: string; code: boolean }[] {
  return text
    .split('`')
    .map((part, index) => ({ text: part, code: index % 2 === 1 }))
    .filter((part) => part.text !== '');
}
