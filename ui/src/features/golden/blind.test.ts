import { expect, test } from 'vitest';

import type { GenerationRecord, GoldenRow, Pace, Vote } from '../../backend/types';
import { language } from '../../shared/i18n.svelte';
import { answerOf, questions, voteOf } from './blind';
import { likeness, ratio } from './say';

const record = (pictures: number) =>
  ({ pictures: Array.from({ length: pictures }, () => ({})) }) as unknown as GenerationRecord;
const row = (prompt: string, a: number, b: number, vote: Vote | null = null): GoldenRow => ({
  prompt,
  reference: record(a),
  candidate: record(b),
  likeness: null,
  slower: null,
  pace: null,
  vote,
});

test('only what both made is asked, what is open first, and each side by its own toss', () => {
  const rows = [row('a', 1, 1, 'equal'), row('b', 1, 0), row('c', 1, 1), row('d', 1, 1)];
  const tosses = [true, false];
  const asked = questions(rows, () => tosses.shift() ?? true);
  expect(asked.map((q) => [q.row.prompt, q.straight])).toEqual([
    ['c', true],
    ['d', false],
  ]);
  expect(questions([row('a', 1, 1, 'equal')]), 'all once more').toHaveLength(1);
});

test('a vote is for a run, whichever side it stood on', () => {
  const asked = row('a', 1, 1);
  expect(voteOf('left', { row: asked, straight: true })).toBe('reference');
  expect(voteOf('left', { row: asked, straight: false })).toBe('candidate');
  expect(voteOf('right', { row: asked, straight: false })).toBe('reference');
  expect(voteOf('neither', { row: asked, straight: false })).toBe('neither');
});

test('keys answer on a French keyboard, too', () => {
  const of = (key: string, code: string) => answerOf({ key, code });
  expect([of('1', 'Digit1'), of('&', 'Digit1'), of('2', 'Numpad2')]).toEqual([
    'left',
    'left',
    'right',
  ]);
  expect([of('=', 'Equal'), of('à', 'Digit0'), of('x', 'KeyX')]).toEqual([
    'equal',
    'neither',
    null,
  ]);
});

test('what is unknown is not called nothing, and a ratio says its direction', () => {
  language.use('en');
  const said = (pace: Pace | null, slower: number | null) => ratio({ pace, slower });
  expect([said(null, null), said('as_fast', 1.01)]).toEqual(['unknown', 'as fast']);
  expect([said('much_slower', 1.38), said('faster', 0.5)]).toEqual([
    '1.38 × slower',
    '2.00 × faster',
  ]);
  expect(likeness(row('a', 1, 0))).toBe('unknown');
  const other = { ...row('a', 1, 1), likeness: { identical: false, similarity: null } };
  expect(likeness(other)).toBe('other size');
});
