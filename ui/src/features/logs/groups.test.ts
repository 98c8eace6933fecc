import { fireEvent, render, screen } from '@testing-library/svelte';
import userEvent from '@testing-library/user-event';
import { expect, test } from 'vitest';

import type { Backend } from '../../backend/backend';
import type { ErrorInfo, LogGroup, LogGroupBatch, LogQuery } from '../../backend/types';
import { settled } from '../../test-kit';
import { signaturesOf } from '../../state/signatures.svelte';
import GroupView from './GroupView.svelte';
import { EVERYTHING } from './query';

const QUERY: LogQuery = { ...EVERYTHING, level: 'warning', program: 'forge' };

const group = (shape: string, count: number, last_seq: number): LogGroup => ({
  shape,
  count,
  first: '2026-01-01T00:00:01Z',
  last: '2026-01-02T00:00:03Z',
  last_seq,
  sample: `${shape} <b>7</b>`,
  level: 'error',
  signature: null,
  finder: `^\\s*${shape}`,
});

/** The view over a backend that is asked and answers by hand. */
async function shown(refused?: ErrorInfo) {
  const calls: {
    query: LogQuery;
    service: string;
    tell: (batch: Partial<LogGroupBatch>) => Promise<void>;
    released: boolean;
  }[] = [];
  const backend = {
    signatures: async () => [],
    groupLogs: async (service, query, receive) => {
      if (refused && calls.length === 0) {
        calls.push({ service, query, released: true, tell: () => expect.fail('refused') });
        throw refused;
      }
      const tell = (batch: Partial<LogGroupBatch>) => {
        receive({
          groups: [],
          others: 0,
          looked: 0,
          all: 1_000,
          back_to: null,
          done: false,
          error: null,
          ...batch,
        });
        return settled();
      };
      const call = { service, query, tell, released: false };
      calls.push(call);
      return () => (call.released = true);
    },
  } as Partial<Backend> as Backend;
  const chosen: string[] = [];
  const props = {
    backend,
    service: 'myia',
    query: QUERY,
    today: 0,
    signatures: signaturesOf(backend, false),
    onchoose: (expression: string) => chosen.push(expression),
  };
  const view = render(GroupView, { props });
  await settled();
  const call = (index: number) => calls[index] ?? expect.fail(`no call ${index}`);
  const rows = () => screen.queryAllByTestId('log-group').map((row) => row.textContent);
  return { ...view, calls, call, chosen, props, rows };
}

test('groups are shown as they are counted, with how far the count is', async () => {
  const { call, rows } = await shown();
  expect(call(0)).toMatchObject({ service: 'myia', query: QUERY });
  expect(screen.getByTestId('log-groups-title')).toHaveTextContent('Counting…');
  expect(screen.getByTestId('log-groups-progress')).toHaveTextContent('Opening what is stored…');
  await call(0).tell({
    groups: [group('step', 1_234, 7)],
    looked: 400,
    back_to: '2026-01-02T00:00:00Z',
  });
  expect(rows()).toHaveLength(1);
  expect(rows()[0]).toContain('1,234');
  const progress = screen.getByTestId('log-groups-progress');
  expect(progress).toHaveTextContent(/^400 of 1,000 lines looked at, back to .+/);
  await call(0).tell({
    groups: [group('step', 3_000, 7), group('done', 2, 9)],
    others: 5,
    looked: 1_000,
    done: true,
  });
  expect(screen.getByTestId('log-groups-title')).toHaveTextContent(
    '2 shapes of lines · 5 lines of further shapes',
  );
  expect(progress).toHaveTextContent(/as of .*\d\d:\d\d:\d\d/);
  expect(screen.queryByTestId('log-groups-cancel')).toBeNull();
});

test('a group is text, and leads to its lines', async () => {
  const { call, chosen, container } = await shown();
  await call(0).tell({ groups: [group('step', 2, 7)], looked: 1_000, done: true });
  expect(container.querySelector('.sample b'), 'what a program prints is text').toBeNull();
  expect(screen.getByTestId('log-group')).toHaveTextContent('step <b>7</b>');
  await fireEvent.click(screen.getByTestId('log-group'));
  expect(chosen).toEqual(['^\\s*step']);
});

test('the order is by number or by the newest line', async () => {
  const { call, rows } = await shown();
  await call(0).tell({ groups: [group('often', 9, 3), group('late', 2, 8)], done: true });
  const order = () => rows().map((row) => /often|late/.exec(row ?? '')?.[0]);
  expect(order()).toEqual(['often', 'late']);
  await fireEvent.click(screen.getByTestId('log-groups-last'));
  expect(order()).toEqual(['late', 'often']);
});

test('it is counted again on demand and when something else is asked for', async () => {
  const user = userEvent.setup();
  const { calls, call, props, rerender } = await shown();
  await call(0).tell({ groups: [group('step', 2, 7)], done: true });
  await user.click(screen.getByTestId('log-groups-again'));
  expect(calls).toHaveLength(2);
  await rerender({ ...props, query: { ...QUERY, filter: 'x' } });
  await new Promise((resolve) => setTimeout(resolve, 220));
  expect(call(2).query.filter).toBe('x');
  expect(call(1).released, 'the count before is ended').toBe(true);
  await rerender({ ...props, query: { ...QUERY, filter: 'x' }, service: 'other' });
  await new Promise((resolve) => setTimeout(resolve, 20));
  expect(call(3).service).toBe('other');
});

test('a count can be cancelled and keeps what it has; it ends with the view', async () => {
  const user = userEvent.setup();
  const { call, unmount, rows } = await shown();
  await call(0).tell({ groups: [group('step', 2, 7)], looked: 5 });
  await user.click(screen.getByTestId('log-groups-cancel'));
  expect(call(0).released).toBe(true);
  await call(0).tell({ groups: [], done: true });
  expect(rows()).toHaveLength(1);
  expect(screen.getByTestId('log-groups-progress')).toHaveTextContent('Cancelled');
  await user.click(screen.getByTestId('log-groups-again'));
  unmount();
  expect(call(1).released).toBe(true);
});

test('nothing to count and nothing that matches are told apart', async () => {
  const { call } = await shown();
  await call(0).tell({ all: 0, done: true });
  expect(screen.getByTestId('log-groups-empty')).toHaveTextContent('Nothing of this log is stored');
  await fireEvent.click(screen.getByTestId('log-groups-again'));
  await call(1).tell({ looked: 1_000, done: true });
  expect(screen.getByTestId('log-groups-empty')).toHaveTextContent('No line matches');
});

test('a failure is told with what was counted, and can be tried again', async () => {
  const user = userEvent.setup();
  const refused: ErrorInfo = { code: 'bad_filter', message: 'x', hint: null, detail: null };
  const { call, rows } = await shown(refused);
  expect(screen.getByTestId('log-groups-error')).toHaveTextContent('not valid');
  await user.click(screen.getByTestId('log-groups-again'));
  expect(screen.queryByTestId('log-groups-error')).toBeNull();
  await call(1).tell({ groups: [group('step', 2, 7)], looked: 5, done: true, error: 'disk I/O' });
  expect(screen.getByTestId('log-groups-error')).toHaveTextContent('disk I/O');
  expect(rows()).toHaveLength(1);
});
