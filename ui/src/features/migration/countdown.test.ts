import { describe, expect, it } from 'vitest';

import { FakeBackend } from '../../backend/fake';
import { countdownOf, counting } from './countdown';

async function standby(values: Record<string, string>) {
  const view = await new FakeBackend({ now: Date.UTC(2026, 10, 20) }).migration.view();
  const steps = view.phases.flatMap((phase) => phase.steps);
  const step = steps.find(({ id }) => id === 'standby');
  if (!step) throw new Error('no standby');
  const evidence = Object.entries(values).map(([name, value]) => ({ name, value }));
  step.state = { is: 'ready' };
  step.look = { at: view.at, finding: { found: 'unknown', says: [], evidence } };
  return step;
}

describe('days that are counted', () => {
  it('are shown where they are told, and are nothing where they are not', async () => {
    const running = await standby({ days_counted: '3.5', days_needed: '14' });
    expect(countdownOf(running)).toEqual({ done: 3.5, needed: 14 });
    expect(counting([running])).toBe(running);
    const longer = await standby({ days_counted: '20.1', days_needed: '14' });
    expect(countdownOf(longer)).toEqual({ done: 14, needed: 14 });
    expect(counting([longer])).toBeNull();
    expect(countdownOf(await standby({}))).toBeNull();
    expect(countdownOf(await standby({ days_counted: '?', days_needed: '14' }))).toBeNull();
  });
});
