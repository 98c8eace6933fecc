import { expect, test } from 'vitest';

import { among, choose, NOTHING, step } from './selection';

const LIST = ['a', 'b', 'c', 'd', 'e'];
const plain = { shift: false, toggle: false };
const pick = (...turns: [string, ('shift' | 'toggle')?][]) =>
  turns.reduce(
    (before, [id, key]) => choose(before, LIST, id, { ...plain, ...(key ? { [key]: true } : {}) }),
    NOTHING,
  );

test('a click chooses one, with Ctrl one more or one less, with Shift all between', () => {
  expect([...pick(['b'], ['d']).ids]).toEqual(['d']);
  expect([...pick(['b'], ['d', 'toggle'], ['b', 'toggle']).ids]).toEqual(['d']);
  expect([...pick(['d'], ['b', 'shift']).ids]).toEqual(['b', 'c', 'd']);
  const again = pick(['b'], ['d', 'shift'], ['a', 'shift']);
  expect([...again.ids], 'from the same end').toEqual(['a', 'b']);
});

test('what is gone is neither selected nor a place to begin at', () => {
  const kept = among(pick(['a'], ['c', 'toggle']), ['b', 'c']);
  expect(kept).toEqual({ ids: new Set(['c']), cursor: 'c', anchor: 'c' });
  expect(among(pick(['a']), ['b'])).toEqual({ ids: new Set(), cursor: null, anchor: null });
  expect([...choose(pick(['a']), ['b', 'c'], 'c', { shift: true, toggle: false }).ids]).toEqual([
    'c',
  ]);
});

test('keys go about in rows and columns and stay inside', () => {
  const go = (key: string, place: number) => step(key, place, 8, 3, 2);
  expect(go('ArrowDown', 1)).toBe(4);
  expect(go('ArrowDown', 5), 'the last row is shorter').toBe(7);
  expect(go('ArrowDown', 7)).toBe(7);
  expect(go('ArrowUp', 2)).toBe(2);
  expect(go('ArrowRight', 7)).toBe(7);
  expect(go('PageDown', 0)).toBe(6);
  expect([go('Home', 5), go('End', 0)]).toEqual([0, 7]);
  expect(go('ArrowDown', -1), 'from nowhere').toBe(0);
  expect(go('x', 0)).toBeNull();
  expect(step('ArrowDown', -1, 0, 3, 2)).toBeNull();
});
