import type { KeeperState } from '../../backend/types';

/** What may be said when no incident is open. */
export type Calm =
  | { say: 'all_green'; since: string | null }
  | { say: 'green_as_far'; since: string | null; unmeasured: number }
  | { say: 'under_way'; services: string[] }
  | { say: 'not_known'; services: string[] };

/**
 * Green is said only when every check that exists was measured and is good; what was not measured
 * is said to be so.
 */
export function calm(state: KeeperState): Calm | null {
  if (state.incidents.length > 0 || state.services.length === 0) return null;
  const doubtful = state.services.filter((s) => s.status !== 'ok');
  if (doubtful.length > 0) {
    // What was asked for, or a start within its usual time, passes by itself.
    const passing = doubtful.every(
      (s) => s.acting !== null || s.ladder.rungs.some((r) => r.outcome.transient),
    );
    const say = passing ? 'under_way' : 'not_known';
    return { say, services: doubtful.map((s) => s.id) };
  }
  const outcomes = state.services.flatMap((s) => s.ladder.rungs.map((r) => r.outcome));
  const measurable = outcomes.filter((o) => o.status !== 'not_configured');
  const green = measurable.filter((o) => o.status === 'ok');
  const since = green.reduce<string | null>(
    (latest, { since }) =>
      since !== null && (latest === null || Date.parse(since) > Date.parse(latest))
        ? since
        : latest,
    null,
  );
  const unmeasured = measurable.length - green.length;
  return unmeasured > 0 ? { say: 'green_as_far', since, unmeasured } : { say: 'all_green', since };
}
