import { expect, test } from 'vitest';

import type { MigrationStep } from '../../backend/migration';
import { troubleOf } from './say';

const failed = (found: 'unknown' | 'failed' | null, code = 'cancelled') =>
  ({
    state: { is: 'failed', at: '2026-11-01T00:00:00Z' },
    look: found && { at: '', finding: { found, says: [], evidence: [] } },
    proof: {
      evidence: [
        { name: 'error', value: code },
        { name: 'message', value: 'the drill was cut short' },
      ],
    },
  }) as unknown as MigrationStep;

test('a failure that no look explains says its own reason', () => {
  expect(troubleOf(failed('unknown'))).toContain('the drill was cut short');
  expect(troubleOf(failed(null))).toContain('the drill was cut short');
  expect(troubleOf(failed('failed'))).toBeNull();
  expect(troubleOf(failed('unknown', 'no such code'))).toBeNull();
  expect(troubleOf({ ...failed('unknown'), state: { is: 'ready' } })).toBeNull();
});
