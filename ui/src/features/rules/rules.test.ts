import { expect, test } from 'vitest';

import { dayText, endOf, faultsByField } from './rules';

const now = new Date(2026, 10, 27, 10, 30, 15, 250).getTime();

test.each([
  ['day', '', new Date(2026, 10, 28, 10, 30, 15)],
  ['week', '', new Date(2026, 11, 4, 10, 30, 15)],
  ['month', '', new Date(2026, 11, 27, 10, 30, 15)],
  ['date', '2026-11-28', new Date(2026, 10, 28)],
  ['date', '2027-03-01', new Date(2027, 2, 1)],
  ['date', '2026-11-27', null],
  ['date', '2020-01-01', null],
  ['date', '', null],
  ['date', 'soon', null],
] as const)('a silence for a %s %s', (span, date, expected) => {
  expect(endOf(span, date, now)).toEqual(expected);
});

test('a day is written as date fields do', () => {
  expect(dayText(new Date(2026, 0, 5))).toBe('2026-01-05');
});

test('each field has its first fault, and what is of no field stands apart', () => {
  const by = faultsByField([
    { kind: 'bad_id' },
    { kind: 'bad_pattern', message: 'x', at: 3 },
    { kind: 'matches_everything' },
    { kind: 'too_many' },
  ]);
  expect([...by].map(([field, fault]) => [field, fault.kind])).toEqual([
    ['id', 'bad_id'],
    ['pattern', 'bad_pattern'],
    [null, 'too_many'],
  ]);
});
