import { beforeEach, expect, test } from 'vitest';

import type { GpuHistory, GpuMetric } from '../../backend/types';
import { FakeBackend } from '../../backend/fake';
import { aligned, alone, faded } from '../../shared/chart';
import { language } from '../../shared/i18n.svelte';
import { factsOf, lanesOf, marksOf, slowdown, specOf, timesOf, unitOf } from './charts';
import { axisTime, newest, readingsAt, summary } from './readings';

beforeEach(() => language.use('en'));

const SPAN = { from: 1_800_000_000, to: 1_800_000_040 };
const line = (metric: GpuMetric, mean: (number | null)[], spread = 0) => ({
  metric,
  mean,
  min: mean.map((v) => v && v - spread),
  max: mean.map((v) => v && v + spread),
});
const history = (): GpuHistory => ({
  from: new Date(SPAN.from * 1000).toISOString(),
  step_s: 10,
  steps: 4,
  cards: [
    {
      uuid: 'GPU-gone',
      name: 'NVIDIA GeForce RTX 3060',
      index: 2,
      lines: [line('load', [5, null, 7, null]), line('throttled', [0, 0, 0, 0])],
    },
    {
      uuid: 'GPU-7c1e5b02-41dd-4f6b-8e21-90c3d7aa1f52',
      name: 'NVIDIA GeForce RTX 3090',
      index: 1,
      lines: [
        line('load', [90, 92, 94, null], 4),
        line('memory', [1024, 2048, 10_240, null]),
        line('throttled', [100, 50, 0, 10]),
      ],
    },
  ],
  markers: [
    {
      kind: 'placement',
      service: 'myia',
      at: new Date((SPAN.from + 12) * 1000).toISOString(),
      took_ms: null,
      ok: null,
    },
  ],
  problem: null,
});
async function cards() {
  const [host] = (await new FakeBackend().state()).hosts;
  return factsOf(host?.gpus.cards ?? []);
}

test('cards that are gone keep their line, and colours follow the numbers', async () => {
  const lanes = lanesOf(await cards(), history());
  expect(lanes.map((lane) => lane.title)).toEqual([
    'GPU 0 · RTX 3080',
    'GPU 1 · RTX 3090',
    'GPU 2 · RTX 3060',
  ]);
  expect(new Set(lanes.map((lane) => lane.colour)).size).toBe(3);
  expect(new Set(lanes.map((lane) => lane.dash.join())).size, 'told apart without colour').toBe(3);
});

test('a gap stays a gap, and memory is drawn in gigabytes', async () => {
  const known = await cards();
  const past = history();
  const lanes = lanesOf(known, past);
  const shared = { times: timesOf(past), strips: [], marks: marksOf(past) };
  const shown = { history: past, span: SPAN };
  const spec = specOf('memory', shown, SPAN, lanes, known, shared);
  expect(spec.lines[1]?.mean).toEqual([1, 2, 10, null]);
  expect(spec.lines[0]?.mean, 'nothing is known of it').toEqual([null, null, null, null]);
  expect(spec.high, 'the larger card').toBe(24);
  expect(spec.times[0], 'middle of the step').toBe(SPAN.from + 5);
  expect(aligned(spec)).toHaveLength(1 + 3 * lanes.length);
  const heat = specOf('temperature', shown, SPAN, lanes, known, shared);
  expect(heat.limit).toBe(slowdown(known));
  expect(heat.high, 'the threshold is within').toBeGreaterThan(93);
});

test('a reading without a value is not available, never 0', async () => {
  const past = history();
  const lanes = lanesOf(await cards(), past);
  expect(newest(past), 'the newest step in which anything was read').toBe(3);
  const at = readingsAt(past, lanes, 'load', 1);
  expect(at.map((one) => one.value)).toEqual([null, '92\u00a0%', null]);
  expect(at[1]?.range).toBe('88–96');
  expect(readingsAt(past, lanes, 'load', null).every((one) => one.value === null)).toBe(true);
  expect(readingsAt(past, lanes, 'memory', 2)[1]?.value).toBe('10.0\u00a0GB');
});

test('a chart is summed up in words', async () => {
  const past = history();
  const words = summary(past, lanesOf(await cards(), past), 'load');
  expect(words).toContain('GPU 0 · RTX 3080: nothing recorded');
  expect(words).toContain('GPU 1 · RTX 3090: 86\u00a0% to 98\u00a0%');
  expect(words).toContain('Arrows move the cursor');
});

test('a value between two gaps is found, and colours fade', () => {
  expect(alone([1, null, 3, null, 4, 5, null])).toEqual([0, 2]);
  expect(faded('#ff8000', 0.5)).toBe('rgba(255, 128, 0, 0.5)');
  expect(faded('#fff', 0.1)).toBe('rgba(255, 255, 255, 0.1)');
  expect(faded('canvas', 0.1)).toBe('canvas');
});

test('units stand alone where values do not', () => {
  expect(
    ['load', 'memory', 'temperature', 'power', 'clock'].map((m) => unitOf(m as never)),
  ).toEqual(['%', 'GB', '°C', 'W', 'MHz']);
});

test('an axis tells seconds, minutes or days', () => {
  expect(axisTime(SPAN.from, 60)).toMatch(/^\d\d:\d\d:\d\d$/);
  expect(axisTime(SPAN.from, 86_400)).toMatch(/^\d\d:\d\d$/);
  expect(axisTime(SPAN.from, 2_592_000)).toMatch(/Jan/);
});
