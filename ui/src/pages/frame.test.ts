import { fireEvent, screen, within } from '@testing-library/svelte';
import userEvent from '@testing-library/user-event';
import { expect, test, vi } from 'vitest';

import type { KeeperListener } from '../backend/backend';
import { open, settled } from '../test-kit';
import { PAGES } from './registry';

test('every page of the registry mounts and is the current one', async () => {
  const { app } = await open('overview');
  for (const page of PAGES) {
    app.page = page.id;
    await settled();
    expect(screen.getByTestId(`nav-${page.id}`)).toHaveAttribute('aria-current', 'page');
    expect(screen.getByRole('main').textContent?.length ?? 0).toBeGreaterThan(20);
  }
});

test('digits with Ctrl go to the pages', async () => {
  await open('overview');
  await fireEvent.keyDown(window, { key: '"', code: 'Digit3', ctrlKey: true });
  await settled();
  expect(screen.getByTestId('nav-logs')).toHaveAttribute('aria-current', 'page');
});

test('the palette finds a command by words and runs it', async () => {
  const user = userEvent.setup();
  const { app } = await open('overview');
  await fireEvent.keyDown(window, { key: 'k', ctrlKey: true });
  await settled();
  await user.type(screen.getByRole('combobox'), 'logs turbo{Enter}');
  await settled();
  expect(app.page).toBe('logs');
  expect(screen.getByTestId('log-service-myia-turbo')).toHaveAttribute('aria-pressed', 'true');
});

test('the shell is told once that data was painted', async () => {
  const { backend, pass } = await open('overview');
  await new Promise((resolve) => setTimeout(resolve, 60));
  await pass(1_000);
  expect(backend.calls.filter((c) => c === 'ready')).toHaveLength(1);
});

test('a keeper that does not answer is told, and its return too', async () => {
  const { app, backend } = await open('overview');
  const state = vi.spyOn(backend, 'state').mockRejectedValue(new Error('gone'));
  app.lastHeard = 0;
  await new Promise((resolve) => setTimeout(resolve, 3_200));
  await settled();
  expect(screen.getByTestId('disconnected')).toHaveTextContent('may be wrong now');
  state.mockRestore();
  backend.advance(250);
  await settled();
  expect(screen.queryByTestId('disconnected')).toBeNull();
}, 10_000);

test('a keeper that did not start says why, and can be started again', async () => {
  const user = userEvent.setup();
  const { backend } = await open('overview', { faults: ['no-keeper'] });
  const failed = screen.getByTestId('keeper-failed');
  expect(failed).toHaveTextContent('the history could not be opened');
  await user.click(within(failed).getByRole('button', { name: 'Try again' }));
  await settled();
  expect(backend.calls).toContain('retry');
  expect(screen.queryByTestId('keeper-failed')).toBeNull();
  expect(screen.getByTestId('lane-myia')).toBeInTheDocument();
});

test('without a keeper nothing is said to be well', async () => {
  const { app } = await open('overview');
  expect(screen.getByTestId('calm')).toBeInTheDocument();
  app.connected = false;
  await settled();
  expect(screen.queryByTestId('calm')).toBeNull();
});

test('a hidden page asks nothing, and asks once when it is back', async () => {
  const { backend } = await open('overview');
  const hidden = vi.spyOn(document, 'hidden', 'get').mockReturnValue(true);
  document.dispatchEvent(new Event('visibilitychange'));
  const state = vi.spyOn(backend, 'state');
  await new Promise((resolve) => setTimeout(resolve, 1_500));
  expect(state).not.toHaveBeenCalled();
  hidden.mockReturnValue(false);
  document.dispatchEvent(new Event('visibilitychange'));
  await settled();
  expect(state).toHaveBeenCalledTimes(1);
});

test('an old snapshot does not undo a newer one, another keeper may begin anew', async () => {
  const { app, backend } = await open('overview');
  backend.advance(1_000);
  const newest = app.state;
  const listener = [...(backend['listeners'] as Set<KeeperListener>)][0];
  if (!newest || !listener) throw new Error('the window listens');
  listener.state({ ...newest, revision: 1, at: '2020-01-01T00:00:00Z' });
  expect(app.state?.revision).toBe(newest.revision);
  listener.state({ ...newest, revision: 1, at: new Date(backend.now + 5).toISOString() });
  expect(app.state?.revision).toBe(1);
});

test('incidents and results are announced to screen readers', async () => {
  const { backend, pass } = await open('overview');
  await backend.act('myia', { verb: 'restart', target: 'container' }, false);
  await pass(14_000);
  expect(screen.getAllByRole('status').some((e) => e.textContent?.includes('API proved'))).toBe(
    true,
  );
});

test('a file dropped where nobody takes it does not replace the page', async () => {
  await open('overview');
  const dataTransfer = { types: ['Files'], files: [], dropEffect: 'copy' };
  const taken = !(await fireEvent.drop(document.body, { dataTransfer }));
  expect(taken).toBe(true);
});
