import { expect, test } from 'vitest';

import { customRange, fieldTime } from './range';

test('a range is one only when it has an end and the ends are in order', () => {
  expect(customRange('', '')).toBe('empty');
  expect(customRange('2026-01-02T00:00', '2026-01-01T00:00')).toBe('order');
  expect(customRange('2026-01-01T00:00', '2026-01-01T00:00')).toBe('order');
  const range = customRange('2026-01-01T10:00', '');
  expect(range).toMatchObject({ until: null, run: false });
  expect(typeof range === 'string' ? range : fieldTime(range.since)).toBe('2026-01-01T10:00');
});
