import { fireEvent, screen, within } from '@testing-library/svelte';
import userEvent from '@testing-library/user-event';
import { expect, test, vi } from 'vitest';

import type { FakeOptions } from '../../backend/fake';
import { UNKNOWN_LINE } from '../../backend/fake/said';
import { language } from '../../shared/i18n.svelte';
import { open, settled } from '../../test-kit';

/** Longer than the pause after typing. */
const rest = async () => {
  await new Promise((resolve) => setTimeout(resolve, 320));
  await settled();
};
const type = (field: string, value: string) =>
  fireEvent.input(screen.getByTestId(`rule-${field}`), { target: { value } });

async function opened(options: FakeOptions = {}) {
  const view = await open('logs', options);
  await userEvent.click(screen.getByTestId('open-rules'));
  await settled();
  return view;
}

test('without rules the dialog says what they are for, and where the file is', async () => {
  await opened();
  const dialog = screen.getByTestId('rules');
  expect(screen.getByTestId('rules-empty')).toHaveTextContent('Rules name lines');
  expect(screen.getByTestId('rules-path')).toHaveTextContent('forgekeeper/rules.toml');
  const copied = vi.fn(() => Promise.resolve());
  Object.defineProperty(navigator, 'clipboard', {
    configurable: true,
    value: { writeText: copied },
  });
  await userEvent.click(within(dialog).getByRole('button', { name: 'Copy the path' }));
  expect(copied).toHaveBeenCalledWith(screen.getByTestId('rules-path').textContent);
});

test('mistakes stand beside their fields while one types, and keep the rule from being saved', async () => {
  const { backend } = await opened();
  await userEvent.click(screen.getByTestId('rules-add'));
  expect(screen.getByTestId('rule-pattern')).toHaveFocus();
  // Nothing is filled in yet: that is no mistake.
  await rest();
  expect(screen.queryByText(/match every line/)).not.toBeInTheDocument();
  expect(screen.getByTestId('rule-count')).toHaveTextContent('Not tried');

  await type('pattern', 'relay (');
  await type('id', 'Own A');
  await rest();
  expect(screen.getByTestId('rule-pattern')).toHaveAccessibleDescription(/no expression/);
  expect(screen.getByTestId('rule-id')).toHaveAccessibleDescription(/small letter/);
  await userEvent.click(screen.getByTestId('rule-save'));
  await settled();
  expect(backend.calls.filter((call) => call.startsWith('rule'))).toEqual([]);
});

test('what was written is not lost to one key', async () => {
  const { backend } = await opened();
  await userEvent.click(screen.getByTestId('rules-add'));
  await type('pattern', 'could not reach the relay');
  await userEvent.keyboard('{Escape}');
  expect(screen.getByTestId('rule-unsaved')).toHaveTextContent('not saved');
  expect(screen.getByRole('button', { name: 'Go on writing' })).toHaveFocus();
  await userEvent.keyboard('{Escape}');
  expect(screen.queryByTestId('rule-unsaved')).not.toBeInTheDocument();
  expect(screen.getByTestId('rule-pattern')).toHaveValue('could not reach the relay');
  await userEvent.keyboard('{Escape}');
  await userEvent.click(screen.getByTestId('rule-discard'));
  await settled();
  expect(screen.queryByTestId('rules')).not.toBeInTheDocument();
  expect(backend.calls.filter((call) => call.startsWith('rule '))).toEqual([]);
});

test('a rule is tried on the lines held before it is saved', async () => {
  const { backend } = await opened();
  await userEvent.click(screen.getByTestId('rules-add'));
  await type('pattern', 'could not reach the relay');
  await type('id', 'oom.torch');
  await rest();
  expect(screen.getByTestId('rule-id')).toHaveAccessibleDescription(/built-in/);
  const found = await screen.findByRole('list', { name: /newest of these lines/ });
  const count = within(found).getAllByRole('listitem').length;
  expect(count).toBeGreaterThan(0);
  expect(screen.getByTestId('rule-count')).toHaveTextContent(/^\d+ of 120 lines held$/);
  // Hostile text stays text.
  expect(found.querySelector('img')).toBeNull();

  await type('id', 'own.relay');
  await type('title', 'The relay is gone');
  await type('sample', 'something else');
  await rest();
  expect(screen.getByTestId('rule-sample')).toHaveAccessibleDescription(/does not match/);
  await type('sample', '');
  await userEvent.click(screen.getByTestId('rule-save'));
  await settled();
  expect(backend.calls).toContain('rule own.relay for null');
  const row = screen.getByTestId('rule-own.relay');
  expect(row).toHaveTextContent('The relay is gone');
  expect(screen.getByTestId('rules-add')).toHaveFocus();
});

test('a rule is changed in place and removed after a question', async () => {
  const { backend, app } = await opened();
  await backend.saveRule(await backend.ruleFromLine(UNKNOWN_LINE, 'en'), null);
  await settled();
  const id = (await backend.rules()).rules[0]?.signature.id ?? expect.fail('it was saved');
  const row = () => screen.getByTestId(`rule-${id}`);
  await userEvent.click(within(row()).getByRole('button', { name: /^Edit/ }));
  await settled();
  expect(screen.getByTestId('rule-sample')).toHaveValue(UNKNOWN_LINE);
  await type('title', 'Changed');
  await userEvent.click(screen.getByTestId('rule-save'));
  await settled();
  expect(row()).toHaveTextContent('Changed');
  expect(backend.calls.at(-1)).toBe(`rule ${id} for ${id}`);
  expect(app.announcement).toContain('The rule is saved');

  await userEvent.click(within(row()).getByRole('button', { name: /^Remove/ }));
  expect(row()).toHaveTextContent('Remove this rule?');
  await userEvent.click(within(row()).getByRole('button', { name: 'Cancel' }));
  expect((await backend.rules()).rules).toHaveLength(1);
  await userEvent.click(within(row()).getByRole('button', { name: /^Remove/ }));
  await userEvent.click(within(row()).getByRole('button', { name: /^Remove/ }));
  await settled();
  expect(screen.getByTestId('rules-empty')).toBeInTheDocument();
});

test('a broken file is told with its place, and nothing can be changed', async () => {
  await open('logs', { faults: ['rules-error'] });
  const button = screen.getByTestId('open-rules');
  expect(button).toHaveTextContent('error in the file');
  await userEvent.click(button);
  await settled();
  const problems = screen.getByTestId('rules-problems');
  expect(problems).toHaveTextContent(/Line 7.* unclosed group; look at character 12/);
  expect(screen.getByTestId('rules-add')).toBeDisabled();
});

test('an unknown error becomes a rule, and is known from then on', async () => {
  const { backend } = await open('overview');
  await screen.findByTestId('messages');
  await settled();
  const row = screen.getAllByTestId('unknown-myia')[0] as HTMLElement;
  await userEvent.click(within(row).getByRole('button'));
  await userEvent.click(within(row).getByTestId('make-rule'));
  await settled();
  expect(screen.getByTestId('rule-pattern')).not.toHaveValue('');
  const sample = screen.getByTestId<HTMLTextAreaElement>('rule-sample').value;
  const asked = vi.spyOn(backend, 'signatures');
  await userEvent.click(screen.getByTestId('rule-save'));
  await settled();
  // Whoever came for this alone is done.
  expect(screen.queryByTestId('rules')).not.toBeInTheDocument();
  const { rules } = await backend.rules();
  expect(rules.map((rule) => rule.sample)).toEqual([sample]);
  expect(asked, 'what ids mean is asked again').toHaveBeenCalled();
});

test('a known message is silenced until a day, and counted all the same', async () => {
  const { backend, app } = await open('overview', {
    now: new Date(2026, 10, 27, 10, 0, 0).getTime(),
  });
  app.now = backend.now;
  await screen.findByTestId('messages');
  await settled();
  const id = 'ext.script-load';
  const row = () => screen.queryByTestId(`message-myia-${id}`);
  await userEvent.click(within(row() as HTMLElement).getByRole('button'));
  await userEvent.click(within(row() as HTMLElement).getByTestId('message-silence'));
  await settled();
  expect(screen.getByRole('radio', { name: '1 day' })).toHaveFocus();
  expect(screen.getByRole('radio', { name: '1 week' })).toBeChecked();
  expect(screen.getByTestId('silence-end')).toHaveTextContent(/until 4 Dec 2026/);
  await userEvent.click(screen.getByRole('radio', { name: 'until' }));
  await userEvent.click(screen.getByTestId('silence-save'));
  expect(screen.getByTestId('silence-end')).toHaveTextContent('still to come');
  await fireEvent.input(screen.getByTestId('silence-date'), { target: { value: '2999-01-01' } });
  expect(screen.getByTestId('silence-end')).toHaveTextContent(/until 1 Jan 2999/);
  await userEvent.click(screen.getByTestId('silence-save'));
  await settled();
  expect(backend.calls).toContain(`silence ${id} ${new Date(2999, 0, 1).toISOString()}`);
  expect(row()).toBeNull();
  const told = screen.getByTestId('messages-myia-silenced');
  expect(told).toHaveTextContent('1 known message is silenced');

  await userEvent.click(within(told).getByRole('button', { name: 'Rules' }));
  await settled();
  const silence = screen.getByTestId(`silence-${id}`);
  expect(silence).toHaveTextContent('A script of an extension did not load');
  await userEvent.click(within(silence).getByRole('button', { name: /^End now/ }));
  await settled();
  expect(screen.queryByTestId(`silence-${id}`)).toBeNull();
  expect(row()).not.toBeNull();
});

test('a line of the log leads to the silence of its message, in French too', async () => {
  await open('logs');
  language.use('fr');
  await rest();
  await fireEvent.input(screen.getByTestId('log-filter'), { target: { value: 'FutureWarn' } });
  await rest();
  const tag = screen.getAllByTestId('log-signature')[0] as HTMLElement;
  tag.focus();
  await userEvent.keyboard('{Enter}');
  await userEvent.click(screen.getByTestId('explanation-silence'));
  await settled();
  const dialog = screen.getByTestId('rules');
  expect(dialog).toHaveTextContent('Mettre un message en sourdine');
  expect(within(dialog).getByRole('radio', { name: '30\u00a0jours' })).toBeInTheDocument();
  language.use('en');
});
