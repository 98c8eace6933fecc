import { expect, test } from 'vitest';

import type { GpuCard, Look, LookPhase, Round } from '../../backend/types';
import { CHART, chartOf, dashOf, placeOf, readingsOf, spansOf } from './evidence';

const look = (
  at_ms: number,
  phase: LookPhase,
  load: (number | null)[],
  memory_mib: (number | null)[] = [1_000, 2_000],
): Look => ({ at_ms, phase, load, memory_mib });

const round = (looks: Look[]): Round => ({
  at: '2026-11-20T10:00:00Z',
  steps: 12,
  pixels: 512,
  took_ms: 3_400,
  cards: ['GPU-a', 'GPU-b'],
  looks,
  finding: { found: 'card', uuid: 'GPU-b' },
});

const LOOKS: Look[] = [
  look(-600, 'before', [1, 3]),
  look(-400, 'before', [2, 5]),
  look(-200, 'before', [0, 4]),
  look(100, 'between', [1, 60], [1_000, 2_900]),
  look(300, 'working', [1, 80], [1_000, 3_000]),
  look(500, 'working', [0, 70], [1_010, 3_100]),
  look(700, 'working', [1, 90], [1_000, 3_050]),
  look(900, 'working', [1, 100], [1_000, 3_050]),
  look(1_100, 'between', [1, 95]),
  look(1_400, 'after', [1, 7]),
  look(1_600, 'after', [1, 2]),
];

test('a round is summed up by what was read in each phase', () => {
  expect(readingsOf(round(LOOKS))).toEqual([
    { uuid: 'GPU-a', rest: { low: 0, high: 2 }, work: { low: 0, high: 1 }, memory: 10 },
    { uuid: 'GPU-b', rest: { low: 2, high: 7 }, work: { low: 70, high: 100 }, memory: 1_100 },
  ]);
});

test('what was not told is no zero', () => {
  const untold = LOOKS.map((one) => ({ ...one, load: [null, 5], memory_mib: [null, 1] }));
  const [first, second] = readingsOf(round(untold));
  expect(first).toEqual({ uuid: 'GPU-a', rest: null, work: null, memory: null });
  const five = { low: 5, high: 5 };
  expect(second).toEqual({ uuid: 'GPU-b', rest: five, work: five, memory: 0 });
  expect(readingsOf(round([]))[0]).toEqual({
    uuid: 'GPU-a',
    rest: null,
    work: null,
    memory: null,
  });
});

test('phases meet half way and leave no gap', () => {
  const spans = spansOf(LOOKS);
  expect(spans.map((span) => span.phase)).toEqual([
    'before',
    'between',
    'working',
    'between',
    'after',
  ]);
  expect(spans[0]).toEqual({ phase: 'before', from: -600, to: -50 });
  expect(spans.at(-1)).toEqual({ phase: 'after', from: 1_250, to: 1_600 });
  for (const [index, span] of spans.entries()) {
    if (index > 0) expect(span.from).toBe(spans[index - 1]?.to);
  }
});

test('the chart stays within its bands, whatever was read', () => {
  const wild = LOOKS.map((one) => ({ ...one, load: [400, -5], memory_mib: [1e9, 0] }));
  for (const looks of [LOOKS, wild]) {
    const chart = chartOf(round(looks));
    expect(chart).not.toBeNull();
    for (const [lines, band] of [
      [chart?.load, CHART.load],
      [chart?.memory, CHART.memory],
    ] as const) {
      for (const d of lines ?? []) {
        expect(d).not.toMatch(/NaN|Infinity/);
        for (const [, x, y] of d.matchAll(/[ML]([\d.]+) ([\d.]+)/g)) {
          expect(Number(x)).toBeGreaterThanOrEqual(CHART.left);
          expect(Number(x)).toBeLessThanOrEqual(CHART.right);
          expect(Number(y)).toBeGreaterThanOrEqual(band.top);
          expect(Number(y)).toBeLessThanOrEqual(band.bottom);
        }
      }
    }
  }
});

test('a missing reading breaks the line instead of drawing a zero', () => {
  const looks = LOOKS.map((one, index) => (index === 4 ? { ...one, load: [null, null] } : one));
  const chart = chartOf(round(looks));
  expect(chart?.load[0]?.match(/M/g)).toHaveLength(2);
  expect(chartOf(round([]))).toBeNull();
});

test('memory is drawn against what was held before, and small changes stay small', () => {
  const chart = chartOf(round(LOOKS));
  expect(chart?.most).toBe(1_100);
  const flat = chartOf(round(LOOKS.map((one) => ({ ...one, memory_mib: [1_000, 2_000] }))));
  expect(flat?.most).toBe(256);
  expect(flat?.least).toBe(0);
});

test('lines are told apart without colour', () => {
  expect(new Set([0, 1, 2, 3].map(dashOf)).size).toBe(4);
});

test('a card looks the same whatever the order of the readings', () => {
  const cards = ['GPU-b', 'GPU-c'].map((uuid) => ({ latest: { uuid } }) as GpuCard);
  expect(placeOf(cards, round(LOOKS), 1), 'GPU-b').toBe(0);
  expect(placeOf(cards, round(LOOKS), 0), 'GPU-a is gone').toBe(2);
});
