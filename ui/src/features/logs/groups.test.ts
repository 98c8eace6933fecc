import { expect, test } from 'vitest';

import type { LogLine } from '../../backend/types';
import { finder, Grouping, ordered, shape } from './groups';
import { customRange, fieldTime } from './range';

const line = (seq: number, text: string, level: LogLine['level'] = 'info') =>
  ({ seq, text, level, at: `2026-01-01T00:00:0${seq}Z`, marker: null }) as LogLine;

const SAME: [name: string, one: string, other: string][] = [
  ['numbers', 'took 1.92 seconds', 'took 12 seconds'],
  ['hexadecimal', 'commit 29be1da7cf', 'commit a01b77c3d2'],
  ['paths', 'Load /a/b.py now', 'Load ../c.py now'],
  ['windows paths', 'Load C:\\a\\b.py now', 'Load D:\\c.py now'],
  ['quotes', "key 'a b' missing", "key 'c' missing"],
  ['addresses', 'GET http://a/b?c=1 200', 'GET https://d 404'],
  ['progress', '100%| 20/20 [00:06<00:00]', '5%| 1/20 [00:01<00:19]'],
];
test.each(SAME)('lines that differ in %s have one shape, and it finds both', (_, one, other) => {
  expect(shape(one)).toBe(shape(other));
  const found = new RegExp(finder({ shape: shape(one), sample: line(1, one) }));
  expect(one).toMatch(found);
  expect(other).toMatch(found);
});

test('lines that say something else do not', () => {
  expect(shape('took 3 seconds')).not.toBe(shape('took 3 minutes'));
  expect(shape("it isn't a, it's b"), 'an apostrophe quotes nothing').toContain("isn't");
  const found = new RegExp(finder({ shape: 'tick', sample: line(1, 'tick') }));
  expect('ticking').not.toMatch(found);
  expect('a').not.toMatch(new RegExp(finder({ shape: '', sample: line(1, '') })));
});

test('a long line makes an expression that is one', () => {
  const long = '(['.repeat(2_000);
  expect(() => new RegExp(finder({ shape: shape(long), sample: line(1, long) }))).not.toThrow();
  expect(finder({ shape: shape(long), sample: line(1, long) }).length).toBeLessThanOrEqual(900);
});

test('groups count, keep the worst level, first and last, and order two ways', () => {
  const { groups } = new Grouping().group([
    line(1, 'step 1'),
    line(2, 'step 2', 'error'),
    line(3, 'step 3'),
    line(4, 'done'),
  ]);
  expect(ordered(groups, 'count').map((g) => [g.shape, g.count, g.level])).toEqual([
    ['step …', 3, 'error'],
    ['done', 1, 'info'],
  ]);
  expect(ordered(groups, 'last').map((g) => g.shape)).toEqual(['done', 'step …']);
  expect(groups[0]).toMatchObject({
    first: '2026-01-01T00:00:01Z',
    last: '2026-01-01T00:00:03Z',
    sample: { text: 'step 3' },
  });
});

test('ten thousand lines are grouped fast, and faster the next time', () => {
  const lines = Array.from({ length: 10_000 }, (_, i) =>
    line(
      i,
      `[Memory] Target: KModel ${i}, Free GPU: ${i}.26 MB at /opt/forge/${i}.py 'a' ${i % 50}`,
    ),
  );
  const grouping = new Grouping();
  const took = () => {
    const begun = performance.now();
    grouping.group(lines);
    return performance.now() - begun;
  };
  expect(took()).toBeLessThan(1_000);
  expect(took()).toBeLessThan(200);
});

test('a range is one only when it has an end and the ends are in order', () => {
  expect(customRange('', '')).toBe('empty');
  expect(customRange('2026-01-02T00:00', '2026-01-01T00:00')).toBe('order');
  expect(customRange('2026-01-01T00:00', '2026-01-01T00:00')).toBe('order');
  const range = customRange('2026-01-01T10:00', '');
  expect(range).toMatchObject({ until: null, run: false });
  expect(typeof range === 'string' ? range : fieldTime(range.since)).toBe('2026-01-01T10:00');
});
