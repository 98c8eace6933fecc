import { expect, test } from 'vitest';

import { reuse } from './reuse';

const state = () => ({
  services: [
    { id: 'a', rungs: [{ status: 'ok', at: 1 }] },
    { id: 'b', rungs: [{ status: 'ok', at: 1 }] },
  ],
  jobs: [] as string[],
  problem: null as { line: number } | null,
});

test('what says the same is the same object', () => {
  const before = state();
  expect(reuse(before, state())).toBe(before);
});

test('what changed is new up to the top, and nothing beside it', () => {
  const before = state();
  const after = state();
  const rung = after.services[1]?.rungs[0];
  if (rung) rung.at = 2;
  const kept = reuse(before, after);
  expect(kept).not.toBe(before);
  expect(kept).toEqual({
    ...state(),
    services: [state().services[0], { id: 'b', rungs: [{ status: 'ok', at: 2 }] }],
  });
  expect(kept.services[0]).toBe(before.services[0]);
  expect(kept.services[1]).not.toBe(before.services[1]);
  expect(kept.jobs).toBe(before.jobs);
});

test('what came, went or became nothing is seen', () => {
  const before = state();
  expect(reuse(before, { ...state(), problem: { line: 3 } }).problem).toEqual({ line: 3 });
  expect(reuse({ ...state(), problem: { line: 3 } }, state()).problem).toBeNull();
  expect(reuse(before, { ...state(), services: [] }).services).toEqual([]);
  const fewer = reuse<Record<string, number>>({ a: 1, b: 2 }, { a: 1 });
  expect(Object.keys(fewer)).toEqual(['a']);
});
