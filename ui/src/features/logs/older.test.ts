import { expect, test } from 'vitest';

import type { Backend } from '../../backend/backend';
import type { LogLine } from '../../backend/types';
import { OlderLines } from './older.svelte';
import { EVERYTHING } from './query';

const line = (seq: number, second: number) =>
  ({ seq, at: new Date(second * 1_000).toISOString(), text: `${seq}` }) as LogLine;

/** Services with stored lines, `most` of which are given at a time, whatever is asked. */
function stored(lines: Record<string, LogLine[]>, fails: { now: boolean } = { now: false }) {
  const asked: [string, number | null][] = [];
  const backend = {
    searchLogs: async (service, _query, before, most, receive) => {
      asked.push([service, before]);
      const all = lines[service] ?? [];
      const old = all.filter((one) => before === null || one.seq < before).reverse();
      setTimeout(() =>
        receive({
          lines: fails.now ? [] : old.slice(0, most),
          hits: [],
          looked: old.length,
          all: old.length,
          back_to: null,
          done: true,
          error: fails.now ? 'disk I/O error' : null,
        }),
      );
      return () => undefined;
    },
  } as Partial<Backend> as Backend;
  return { backend, asked };
}

const range = (count: number, from: number, step: number) =>
  Array.from({ length: count }, (_, index) => line(index, from + index * step));
const texts = (given: { line: LogLine; source: number }[]) =>
  given.map((one) => `${one.source}:${one.line.seq}`);

test('one service gives what it has, page by page, until nothing is older', async () => {
  const { backend, asked } = stored({ myia: range(1_200, 0, 1) });
  const older = new OlderLines(backend, ['myia'], EVERYTHING);
  older.begin(0, { lines: range(1_200, 0, 1).slice(1_100), hits: [] });
  expect(texts(older.give())).toHaveLength(100);
  const page = await older.more();
  expect([page[0]?.line.seq, page.at(-1)?.line.seq]).toEqual([600, 1_099]);
  expect(older.exhausted).toBe(false);
  await older.more();
  expect((await older.more()).length).toBe(100);
  expect(older.exhausted).toBe(true);
  expect(await older.more()).toEqual([]);
  expect(asked.map(([, before]) => before)).toEqual([1_100, 600, 100]);
});

test('of several nothing is given while something younger of another may still come', async () => {
  // One wrote every second, the other once a minute.
  const [busy, calm] = [range(2_000, 0, 1), range(30, 0, 60)];
  const { backend } = stored({ busy, calm });
  const older = new OlderLines(backend, ['busy', 'calm'], EVERYTHING);
  older.begin(0, { lines: busy.slice(1_900), hits: [] });
  older.begin(1, { lines: calm, hits: [] });
  const first = older.give();
  // The busy one has nothing at hand before 1900 s: what the calm one said then has to wait.
  expect(texts(first).filter((text) => text.startsWith('1:'))).toEqual([]);
  expect(first).toHaveLength(100);
  const second = await older.more();
  const times = second.map((one) => Date.parse(one.line.at ?? ''));
  expect(times).toEqual([...times].sort((a, b) => a - b));
  expect(texts(second)).toContain('1:29');
  const all = [...second];
  while (!older.exhausted) all.unshift(...(await older.more()));
  expect(all.length + first.length).toBe(2_030);
});

test('what could not be read is said, and asked for again', async () => {
  const fails = { now: true };
  const { backend } = stored({ myia: range(10, 0, 1) }, fails);
  const older = new OlderLines(backend, ['myia'], EVERYTHING);
  expect(await older.more()).toEqual([]);
  expect(older.error).toMatchObject({ code: 'store', message: 'disk I/O error' });
  fails.now = false;
  expect(await older.more()).toHaveLength(10);
  expect(older.error).toBeNull();
});

test('what came by itself while older lines were asked for is not given twice', async () => {
  const { backend } = stored({ myia: range(10, 0, 1) });
  const older = new OlderLines(backend, ['myia'], EVERYTHING);
  const page = older.more();
  older.bound(0, 8);
  expect((await page).map((one) => one.line.seq)).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
});
