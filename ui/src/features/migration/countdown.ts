import type { MigrationStep } from '../../backend/migration';

/** Days that are counted, of those that are asked for: what time alone makes true. */
export interface Countdown {
  done: number;
  needed: number;
}

/** By the last look at a step, else by its proof; `null` where no days are counted. */
export function countdownOf(step: MigrationStep): Countdown | null {
  const evidence = step.look?.finding.evidence ?? step.proof?.evidence ?? [];
  const of = (name: string) => {
    const value = evidence.find((piece) => piece.name === name)?.value;
    return value === undefined ? NaN : Number(value);
  };
  const [done, needed] = [of('days_counted'), of('days_needed')];
  if (!Number.isFinite(done) || !Number.isFinite(needed)) return null;
  return { done: Math.min(done, needed), needed };
}

/** The step whose days are running. */
export const counting = (steps: readonly MigrationStep[]): MigrationStep | null =>
  steps.find((step) => {
    const days = countdownOf(step);
    return step.state.is === 'ready' && days !== null && days.done < days.needed;
  }) ?? null;
