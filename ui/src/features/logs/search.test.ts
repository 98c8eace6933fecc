import { expect, test } from 'vitest';

import type { Backend } from '../../backend/backend';
import type { LogLine, LogQuery, LogSearchBatch } from '../../backend/types';
import { LogSearch } from './search.svelte';
import { EVERYTHING } from './query';

const QUERY: LogQuery = { ...EVERYTHING, filter: 'x', level: 'warning', program: 'forge' };

/** Lines with falling numbers. */
const lines = (from: number, to: number) =>
  Array.from({ length: from - to + 1 }, (_, index) => ({ seq: from - index }) as LogLine);

/** A backend that is asked and answers by hand. */
function asked() {
  const calls: {
    query: LogQuery;
    before: number | null;
    most: number;
    tell: (batch: Partial<LogSearchBatch>) => void;
    released: boolean;
  }[] = [];
  const backend = {
    searchLogs: async (_, query, before, most, receive) => {
      const call = {
        query,
        before,
        most,
        released: false,
        tell: (batch: Partial<LogSearchBatch>) =>
          receive({
            lines: [],
            hits: [],
            looked: 0,
            all: 1_000,
            back_to: null,
            done: false,
            error: null,
            ...batch,
          }),
      };
      calls.push(call);
      return () => (call.released = true);
    },
  } as Partial<Backend> as Backend;
  const search = new LogSearch(backend, 'myia', QUERY);
  const call = (index: number) => calls[index] ?? expect.fail(`no call ${index}`);
  return { search, calls, call, turn: () => new Promise((resolve) => setTimeout(resolve, 0)) };
}

test('what there is to look at is unknown until it is told', () => {
  const { search, call } = asked();
  expect(search.all).toBeNull();
  expect(call(0)).toMatchObject({ query: QUERY, before: null, most: 200 });
  call(0).tell({ lines: lines(900, 895), looked: 100, back_to: '2026-01-02T00:00:00Z' });
  expect(search).toMatchObject({ phase: 'searching', looked: 100, all: 1_000 });
  call(0).tell({ looked: 1_000, done: true });
  expect(search).toMatchObject({ phase: 'done', more: false, looked: 1_000 });
  expect(search.backTo, 'a report without a time takes none away').toBe('2026-01-02T00:00:00Z');
});

test('further results follow the oldest, and progress is that of the whole', () => {
  const { search, call } = asked();
  call(0).tell({ lines: lines(900, 701), looked: 300, done: true });
  expect(search).toMatchObject({ phase: 'done', more: true });
  search.further();
  expect(call(1).before).toBe(701);
  call(1).tell({ lines: lines(600, 599), all: 700, looked: 50 });
  expect(search).toMatchObject({ all: 1_000, looked: 350, phase: 'searching' });
  call(1).tell({ all: 700, looked: 700, done: true });
  expect(search).toMatchObject({ all: 1_000, looked: 1_000, more: false });
  expect(search.lines.length).toBe(202);
});

test('after a cancel nothing comes any more, and the keeper is told', async () => {
  const { search, call, turn } = asked();
  call(0).tell({ lines: lines(900, 899) });
  await turn();
  search.cancel();
  call(0).tell({ lines: lines(800, 700), done: true });
  expect(search).toMatchObject({ phase: 'cancelled' });
  expect(search.lines.length).toBe(2);
  expect(call(0).released).toBe(true);
});

test('a cancel that comes before the first answer is told too', async () => {
  const { search, call, turn } = asked();
  search.cancel();
  await turn();
  expect(call(0).released).toBe(true);
});

test('the lines around a result are asked for without the filter, and shown oldest first', async () => {
  const { search, call, turn } = asked();
  const line = { seq: 500 } as LogLine;
  search.around.toggle('myia', line);
  expect(search.around.of('myia', line)).toMatchObject({ loading: true });
  expect(call(1)).toMatchObject({ before: 521, most: 41 });
  expect(call(1).query).toEqual({ ...QUERY, filter: '', level: null, program: null });
  call(1).tell({ lines: lines(520, 510) });
  call(1).tell({ lines: lines(509, 480), done: true });
  expect(search.around.of('myia', line)?.lines.map((l) => l.seq)).toEqual(
    lines(520, 480)
      .map((l) => l.seq)
      .reverse(),
  );
  search.around.toggle('myia', line);
  expect(search.around.of('myia', line)).toBeUndefined();
  await turn();
  search.end();
  expect(call(1).released).toBe(true);
});
