import { expect, test } from 'vitest';

import { View } from './zoom.svelte';

const looking = (picture: [number, number] = [512, 512]) => {
  const view = new View();
  view.sizes = { stage: [1024, 512], picture };
  return view;
};

test('the percentage is told of the picture’s own pixels', () => {
  const view = looking([1024, 1024]);
  expect(view.percent, 'all of it').toBe(50);
  view.actual();
  expect(view.percent).toBe(100);
  view.by(1.25);
  expect(view.percent).toBe(125);
  view.whole();
  expect([view.percent, view.x, view.y]).toEqual([50, 0.5, 0.5]);
});

test('what the pointer is on stays where it is', () => {
  const view = looking();
  // A quarter of the picture right of the middle.
  view.by(2, 0.25, 0);
  // It is half as far away now, in parts of the picture, and as far in pixels.
  expect(view.x).toBeCloseTo(0.5 + 0.25 / 2);
  expect(view.y).toBe(0.5);
});

test('it neither leaves the picture nor zooms without end', () => {
  const view = looking();
  view.pan(99_999, 0, view.sizes, 1);
  expect(view.x).toBe(0);
  for (let turn = 0; turn < 60; turn++) view.by(1.5);
  expect(view.percent).toBe(1600);
  for (let turn = 0; turn < 60; turn++) view.by(0.5);
  expect(view.percent).toBe(5);
});
