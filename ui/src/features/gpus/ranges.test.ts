import { expect, test } from 'vitest';

import { chartsOf, queryOf, RANGE_IDS, RANGES, spanOf, zoomWithin } from './ranges';

const WHOLE = { from: 1_000, to: 4_600 };

test('a zoom stays within the whole, is never too small, and the whole is none', () => {
  expect(zoomWithin({ from: 2_000, to: 3_000 }, WHOLE)).toEqual({ from: 2_000, to: 3_000 });
  expect(zoomWithin({ from: 500, to: 1_500 }, WHOLE)).toEqual({ from: 1_000, to: 2_000 });
  expect(zoomWithin({ from: 4_200, to: 5_000 }, WHOLE)).toEqual({ from: 3_800, to: 4_600 });
  expect(zoomWithin({ from: 2_000, to: 2_001 }, WHOLE)).toEqual({ from: 1_996, to: 2_006 });
  expect(zoomWithin({ from: 900, to: 4_700 }, WHOLE)).toBeNull();
});

test('each range asks for no more steps than the keeper answers with', () => {
  for (const id of RANGE_IDS) {
    expect(RANGES[id].steps, id).toBeLessThanOrEqual(2_000);
    const span = spanOf(id, 1_800_000_000_500);
    expect(span).toEqual({ from: 1_800_000_000 - RANGES[id].span, to: 1_800_000_000 });
  }
});

test('only what is shown is asked for, and what held the cards back', () => {
  expect(chartsOf('fan').at(-1)).toBe('fan');
  const query = queryOf('local', '1h', 'none', WHOLE, false);
  expect(query.metrics).toEqual(['load', 'memory', 'temperature', 'power', 'throttled']);
  expect(query.from).toBe('1970-01-01T00:16:40.000Z');
});
