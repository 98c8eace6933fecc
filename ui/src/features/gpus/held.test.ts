import { expect, test } from 'vitest';

import type { GpuHistory } from '../../backend/types';
import { STRIP_LEVELS } from '../../shared/chart';
import { lanesOf } from './charts';
import { heldAt, heldBack, stripsOf } from './held';

const FROM = 1_800_000_000;
type Shares = (number | null)[];

/** Cards 0, 1, … with the shares of their steps; `most` where a step's mean was rounded away. */
const history = (cards: Shares[], step_s = 10, most?: Shares): GpuHistory => ({
  from: new Date(FROM * 1000).toISOString(),
  step_s,
  steps: cards[0]?.length ?? 0,
  cards: cards.map((mean, index) => ({
    uuid: `GPU-${index}`,
    name: 'NVIDIA GeForce RTX 3090',
    index,
    lines: [{ metric: 'throttled', mean, min: mean, max: most ?? mean }],
  })),
  markers: [],
  problem: null,
});
const strips = (past: GpuHistory) => stripsOf(past, lanesOf([], past));
const at = (past: GpuHistory, place: number | null) => heldAt(past, lanesOf([], past), place);

test('throttled time is a strip, one row for each card that was', () => {
  const past = history([
    [0, 0, 0, 0],
    [100, 100, 0, 100],
    [null, 0, 100, 0],
  ]);
  const level = STRIP_LEVELS;
  expect(strips(past)).toEqual([
    { from: FROM, to: FROM + 20, row: 0, level },
    { from: FROM + 30, to: FROM + 40, row: 0, level },
    { from: FROM + 20, to: FROM + 30, row: 1, level },
  ]);
});

test('a strip is as high as the share of time that it stands for', () => {
  const levels = strips(history([[0.1, 16, 17, 50, 84, 99, 100]])).map(({ level }) => level);
  expect(levels, 'neighbours of one height are one').toEqual([1, 2, 3, 6]);
  expect(strips(history([[0.1, 16]]))[0]?.to).toBe(FROM + 20);
});

test('what is less than a tenth of a percent is not nothing', () => {
  const past = history([[0, 0, null]], 3600, [0, 100, null]);
  expect(strips(past)).toEqual([{ from: FROM + 3600, to: FROM + 7200, row: 0, level: 1 }]);
  expect(at(past, 1)).toEqual(['GPU 0 held back <1\u00a0% of 1\u00a0h\u00a000']);
  expect(at(past, 0)).toEqual([]);
  expect(heldBack(past, 'GPU-0')).toBeGreaterThan(0);
});

test('the share of a step is told beside its values', () => {
  const past = history([
    [0.4, 44.2, 99.6, null],
    [100, 0, 0, null],
  ]);
  expect(at(past, 0)).toEqual([
    'GPU 0 held back <1\u00a0% of 10\u00a0s',
    'GPU 1 held back 100\u00a0% of 10\u00a0s',
  ]);
  expect(at(past, 1)).toEqual(['GPU 0 held back 44\u00a0% of 10\u00a0s']);
  expect(at(past, 2)).toEqual(['GPU 0 held back >99\u00a0% of 10\u00a0s']);
  expect(at(past, 3)).toEqual([]);
  expect(at(past, null)).toEqual([]);
  expect(at(history([[100]], 1), 0), 'of one reading').toEqual(['GPU 0 held back']);
});

test('the share of the whole time leaves out what was not recorded', () => {
  const past = history([
    [100, 50, 0, null],
    [0, 0, null, null],
  ]);
  expect(heldBack(past, 'GPU-0')).toBe(50);
  expect(heldBack(past, 'GPU-1')).toBeNull();
  expect(heldBack(past, 'GPU-gone')).toBeNull();
});
