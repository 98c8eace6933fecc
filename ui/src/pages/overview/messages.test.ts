import { screen, waitFor, within } from '@testing-library/svelte';
import userEvent from '@testing-library/user-event';
import { expect, test, vi } from 'vitest';

import { FakeBackend, type FakeOptions } from '../../backend/fake';
import { language } from '../../shared/i18n.svelte';
import { open, settled } from '../../test-kit';

/** The page once the card is there, which comes after the first frame. */
async function opened(options: FakeOptions = {}) {
  const view = await open('overview', options);
  await screen.findByTestId('messages');
  await settled();
  return view;
}
const row = (id: string) => screen.getByTestId(`message-${id}`);

test('known messages tell what, how often, since when and what it means', async () => {
  await opened();
  const group = screen.getByTestId('messages-myia');
  expect(group).toHaveTextContent(/myia since the container started at .*\d\d:\d\d/);
  const script = row('myia-ext.script-load');
  expect(script).toHaveAttribute('data-severity', 'degraded');
  expect(script).toHaveTextContent(/degraded, A script of an extension did not load/);
  expect(script).toHaveTextContent(/no picture fails because of it \d+×/);
  expect(row('myia-torch.load-futurewarning')).toHaveTextContent(/note, .* harmless \d+×/);
});

test('signatures are asked for once, and only when the page stands', async () => {
  const asked = vi.spyOn(FakeBackend.prototype, 'signatures');
  const { app, pass } = await opened();
  expect(asked).toHaveBeenCalledTimes(1);
  await pass(5_000);
  app.page = 'settings';
  await settled();
  app.page = 'overview';
  await settled();
  await screen.findByTestId('messages');
  await settled();
  expect(asked).toHaveBeenCalledTimes(1);
});

test('without their meaning the lines stand, and it can be asked for again', async () => {
  const user = userEvent.setup();
  const asked = vi.spyOn(FakeBackend.prototype, 'signatures').mockRejectedValueOnce(new Error());
  await opened();
  const script = row('myia-ext.script-load');
  expect(script).toHaveTextContent('*** Error loading script: attention.py');
  expect(screen.getByTestId('messages')).toHaveTextContent('could not be asked');
  await user.click(
    within(screen.getByTestId('messages')).getByRole('button', { name: 'Try again' }),
  );
  await settled();
  expect(asked).toHaveBeenCalledTimes(2);
  expect(script).toHaveTextContent('A script of an extension did not load');
  expect(screen.getByTestId('messages')).not.toHaveTextContent('could not be asked');
});

test('a message opens to its cause, its remedy and the file it names', async () => {
  const user = userEvent.setup();
  await opened();
  const script = row('myia-ext.script-load');
  const button = within(script).getByRole('button');
  expect(button).toHaveAttribute('aria-expanded', 'false');
  await user.click(button);
  expect(button).toHaveAttribute('aria-expanded', 'true');
  const term = (name: string) => within(script).getByText(name).nextElementSibling;
  expect(term('Why')).toHaveTextContent('The rest works.');
  expect(term('What to do')).toHaveTextContent('Update the extension.');
  expect(term('Name')).toHaveTextContent('attention.py');
  expect(term('Last line')).toHaveTextContent('*** Error loading script: attention.py');
});

test('the log opens at the line, once', async () => {
  const user = userEvent.setup();
  const { app } = await opened();
  const script = row('myia-ext.script-load');
  await user.click(within(script).getByRole('button'));
  await user.click(within(script).getByTestId('message-in-log'));
  await settled();
  expect(app.page).toBe('logs');
  expect(screen.getByTestId('log-service-myia')).toHaveAttribute('aria-pressed', 'true');
  expect(screen.getByTestId('log-filter')).toHaveValue('*** Error loading script: attention.py');
  await waitFor(() =>
    expect(screen.getByTestId('log-count')).toHaveTextContent(/, [1-9]\d* match/),
  );
  app.page = 'overview';
  await settled();
  app.page = 'logs';
  await settled();
  expect(screen.getByTestId('log-filter'), 'taken up once').toHaveValue('');
});

test('an error that nobody knows stands apart, and is only text', async () => {
  const user = userEvent.setup();
  const { app, container } = await opened();
  expect(screen.getByTestId('messages-myia-new')).toHaveTextContent('Never seen before');
  const unknown = screen.getByTestId('unknown-myia');
  expect(unknown).toHaveTextContent('what it means is not known');
  await user.click(within(unknown).getByRole('button'));
  expect(within(unknown).getByText('In common').nextElementSibling).toHaveTextContent(
    'after <n> attempts',
  );
  expect(container.querySelector('[data-testid=messages] img')).toBeNull();
  await user.click(within(unknown).getByTestId('message-in-log'));
  await settled();
  expect(app.logService).toBe('myia');
  expect(screen.getByTestId('log-filter')).toHaveValue(
    'CivitaiLink: could not reach the relay <img src=x onerror=alert(2)> after 3 attempts',
  );
});

test('the first three stand, the rest when asked; what is over is said to be over', async () => {
  const user = userEvent.setup();
  await opened({ faults: ['log-noisy'] });
  const group = screen.getByTestId('messages-myia-turbo');
  const ids = () =>
    [...group.querySelectorAll('[data-testid^=message-myia]')].map((one) =>
      one.getAttribute('data-testid')?.replace('message-myia-turbo-', ''),
    );
  expect(group).toHaveTextContent('since the oldest line held');
  expect(ids()).toHaveLength(3);
  expect(ids()[0]).toBe('oom.torch');
  expect(row('myia-turbo-oom.torch')).toHaveTextContent('the picture under way failed 1,204×');
  await user.click(within(group).getByRole('button', { name: /^show all 6/ }));
  expect(ids()).toHaveLength(6);
  expect(ids().slice(-2)).toEqual(['port.taken', 'torch.load-futurewarning']);
  expect(row('myia-turbo-port.taken')).toHaveTextContent(
    'before the last start of the program 1× time unknown',
  );
  await user.click(within(row('myia-turbo-own.forgotten')).getByRole('button'));
  expect(row('myia-turbo-own.forgotten')).toHaveTextContent(
    'No words are known for the rule own.forgotten.',
  );
  await user.click(within(group).getByRole('button', { name: /^show fewer/ }));
  expect(ids()).toHaveLength(3);
  expect(screen.getByTestId('messages-myia-turbo-before')).toHaveTextContent(
    'seen in the run before, too',
  );
  expect(screen.queryByTestId('messages-myia-turbo-new'), 'not known to be new').toBeNull();
  expect(screen.getByTestId('messages-myia-turbo-others')).toHaveTextContent(
    'and 12 errors of other shapes',
  );
});

test('a lost context is an incident with its step, and blocks in words', async () => {
  await opened({ faults: ['context-lost'] });
  const incident = screen.getByTestId('incident');
  expect(incident).toHaveAttribute('data-cause', 'program.context_lost');
  expect(incident).toHaveTextContent('The program of myia lost its GPU context');
  expect(incident).toHaveTextContent('Only a restart of the program helps.');
  expect(within(incident).getByRole('button', { name: 'Restart program' })).toBeEnabled();
  expect(row('myia-cuda.illegal')).toHaveTextContent(
    'The CUDA context is broken no picture can be made until someone acts 3×',
  );
});

test.each([
  [['log-lost'], 'not_connected', 'nothing is known now: myia-turbo, myia'],
  [[], 'nothing_read', 'no line was read yet'],
] as const)('a log without lines, %o: %s', async (faults, say, words) => {
  await opened({ faults: [...faults], lines: 0 });
  expect(screen.getByTestId('messages-silent')).toHaveAttribute('data-say', say);
  expect(screen.getByTestId('messages-silent')).toHaveTextContent(words);
  expect(screen.getByTestId('messages')).not.toHaveTextContent('No known message');
});

test('no message of a log that is read is said so', async () => {
  const { backend } = await opened({ lines: 0 });
  for (const service of backend['services']) {
    service.log.write(backend.now, ['forge', 'info', 'Device: cuda:0']);
  }
  backend.advance(0);
  await settled();
  expect(screen.getByTestId('messages-silent')).toHaveTextContent(
    'No known message since the last start: myia-turbo, myia',
  );
});

test('what a log said stays when it is no longer connected, as what was known then', async () => {
  await opened({ faults: ['log-lost'] });
  expect(row('myia-ext.script-load')).toBeInTheDocument();
  expect(screen.getAllByTestId('messages-off')).toHaveLength(2);
  expect(screen.queryByTestId('messages-silent')).toBeNull();
});

test('messages follow the language', async () => {
  await opened();
  language.use('fr');
  await settled();
  expect(row('myia-ext.script-load')).toHaveTextContent(
    'Un script d’extension n’a pas été chargé aucune image n’échoue pour cette raison',
  );
  language.use('en');
});
