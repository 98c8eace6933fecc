import { render, screen } from '@testing-library/svelte';
import userEvent from '@testing-library/user-event';
import { expect, test } from 'vitest';

import type { Backend, Saving } from '../../backend/backend';
import type { ErrorInfo, LogQuery, SavedLog } from '../../backend/types';
import { language } from '../../shared/i18n.svelte';
import { settled } from '../../test-kit';
import SaveMenu from './SaveMenu.svelte';
import { EVERYTHING } from './query';

const QUERY: LogQuery = { ...EVERYTHING, filter: 'x' };

/** The menu over a backend that answers by hand. */
async function shown(disabled = false) {
  language.use('en');
  const asked: unknown[][] = [];
  let answer: (saved: SavedLog | null) => void = () => expect.fail('nothing was asked');
  let refuse: (error: ErrorInfo) => void = answer as never;
  const backend = {
    saveLog: (...given) => {
      asked.push(given);
      return new Promise((resolve, reject) => {
        answer = resolve;
        refuse = reject;
      });
    },
  } as Partial<Backend> as Backend;
  const props = { backend, services: ['myia', 'myia-turbo'], query: QUERY, disabled };
  render(SaveMenu, { props });
  const user = userEvent.setup();
  return {
    asked,
    async choose(format: 'log' | 'jsonl') {
      await user.click(screen.getByTestId('log-save'));
      await settled();
      await user.click(screen.getByTestId(`log-save-${format}`));
      await settled();
    },
    answer: async (saved: SavedLog | null) => (answer(saved), settled()),
    refuse: async (error: ErrorInfo) => (refuse(error), settled()),
    dismiss: () => user.click(screen.getByRole('button', { name: 'Dismiss' })),
  };
}

test('what is asked for is saved, and the file is named', async () => {
  const { asked, choose, answer, dismiss } = await shown();
  await choose('jsonl');
  expect(asked[0]?.slice(0, 3)).toEqual([['myia', 'myia-turbo'], QUERY, 'jsonl']);
  expect(screen.getByTestId('log-save')).toBeDisabled();
  expect(screen.getByTestId('log-save')).toHaveTextContent('Saving…');
  await answer({ path: '/home/a/<b>.jsonl', lines: 12_345, bytes: 2_400_000 });
  const told = screen.getByTestId('log-save-done');
  expect(told).toHaveTextContent('12,345 lines saved (2.4 MB)');
  expect(told).toHaveTextContent('/home/a/<b>.jsonl');
  expect(screen.getByTestId('log-save')).toBeEnabled();
  await dismiss();
  expect(screen.queryByTestId('log-save-done')).toBeNull();
});

test('a dialog that was cancelled says nothing', async () => {
  const { choose, answer } = await shown();
  await choose('log');
  await answer(null);
  expect(screen.queryByTestId('log-save-done')).toBeNull();
  expect(screen.queryByTestId('log-save-error')).toBeNull();
  expect(screen.getByTestId('log-save')).toBeEnabled();
});

test('a failure says what to do, and goes with the next attempt', async () => {
  const { choose, refuse, answer } = await shown();
  await choose('log');
  await refuse({ code: 'disk_full', message: 'no room', hint: null, detail: null });
  const told = screen.getByTestId('log-save-error');
  expect(told).toHaveTextContent('The disk is full.');
  expect(told).toHaveTextContent('Make room on that disk, or choose another one.');
  await choose('log');
  expect(screen.queryByTestId('log-save-error')).toBeNull();
  await answer(null);
});

test('with nothing to save it is not offered', async () => {
  await shown(true);
  expect(screen.getByTestId('log-save')).toBeDisabled();
});

test('a long file tells how far it is, and can be cancelled', async () => {
  const { asked, choose, refuse } = await shown();
  await choose('log');
  expect(screen.queryByTestId('log-save-cancel'), 'the dialog has its own').toBeNull();
  let cancelled = 0;
  const tell = asked[0]?.[3] as (saving: Saving) => void;
  tell({ looked: 300, all: 1_000, cancel: () => (cancelled += 1) });
  await settled();
  expect(screen.getByTestId('log-save')).toHaveTextContent(/Saving… 30\s%/);
  await userEvent.setup().click(screen.getByTestId('log-save-cancel'));
  expect(cancelled).toBe(1);
  await refuse({ code: 'cancelled', message: 'cancelled', hint: null, detail: null });
  expect(screen.queryByTestId('log-save-cancel')).toBeNull();
  expect(screen.getByTestId('log-save')).toBeEnabled();
});
