import { fireEvent, screen } from '@testing-library/svelte';
import userEvent from '@testing-library/user-event';
import { expect, test } from 'vitest';

import { open, settled } from '../../test-kit';

const fill = (id: string, value: string) =>
  fireEvent.input(screen.getByTestId(id), { target: { value } });

test('a picture is made with what the form says, with progress and preview on the way', async () => {
  const user = userEvent.setup();
  const { backend, pass } = await open('bench');
  await fill('bench-prompt', 'a lighthouse');
  await fill('bench-seed', '18446744073709551615');
  await user.click(screen.getByTestId('bench-generate'));
  await pass(2_500);
  expect(backend.calls.at(-1)).toContain('"seed":"18446744073709551615"');
  expect(screen.getByTestId('bench-progress')).toHaveTextContent(/step \d+ \/ 20/);
  expect(screen.getByTestId('bench-generate'), 'a second one waits').toHaveTextContent('Queue on');
  await pass(5_000);
  expect(screen.getByTestId('bench-picture')).toHaveAttribute(
    'src',
    expect.stringContaining('data:'),
  );
  expect(screen.getByTestId('bench-verdict')).toHaveTextContent('A real picture');
  expect(screen.getAllByTestId('bench-history-item')).toHaveLength(1);
});

test('values that no server should get are told at the field and not sent', async () => {
  const { backend } = await open('bench');
  await fill('bench-width', '100');
  await fill('bench-steps', '0');
  await fill('bench-seed', 'abc');
  await settled();
  expect(screen.getByText('A multiple of 8')).toBeInTheDocument();
  expect(screen.getByText('From 1 to 150')).toBeInTheDocument();
  expect(screen.getByText(/whole number/)).toBeInTheDocument();
  expect(screen.getByTestId('bench-generate')).toBeDisabled();
  expect(backend.calls.filter((c) => c.startsWith('generate'))).toEqual([]);
});

test('stop ends a running generation', async () => {
  const user = userEvent.setup();
  const { pass } = await open('bench');
  expect(screen.getByTestId('bench-stop')).toBeDisabled();
  await user.click(screen.getByTestId('bench-generate'));
  await pass(1_000);
  await user.click(screen.getByTestId('bench-stop'));
  await settled();
  expect(screen.queryByTestId('bench-progress')).toBeNull();
});

test('a picture of Forge can be taken as it is, and says after how many steps', async () => {
  const user = userEvent.setup();
  const { backend, pass } = await open('bench');
  await user.click(screen.getByTestId('bench-generate'));
  await pass(2_000);
  await user.click(screen.getByTestId('bench-skip'));
  await pass(500);
  expect(backend.calls.some((call) => call.startsWith('skip '))).toBe(true);
  expect(screen.queryByTestId('bench-progress')).toBeNull();
  expect(screen.getByTestId('bench-results')).toHaveTextContent(/Steps/);
});

test('a blank picture is not called a success', async () => {
  const user = userEvent.setup();
  const { pass } = await open('bench', { faults: ['blank-picture'] });
  await user.click(screen.getByTestId('bench-generate'));
  await pass(8_000);
  expect(screen.getByTestId('bench-verdict')).toHaveTextContent('this proves nothing');
});

test('a failed generation shows the cause and its hint', async () => {
  const user = userEvent.setup();
  const { pass } = await open('bench', { faults: ['generation-fails'] });
  await user.click(screen.getByTestId('bench-generate'));
  await pass(8_000);
  expect(screen.getByRole('alert')).toHaveTextContent('restart the program to free memory');
  expect(screen.queryByTestId('bench-picture')).toBeNull();
});

test('what the server replaced is said plainly', async () => {
  const user = userEvent.setup();
  const { pass } = await open('bench');
  await user.selectOptions(screen.getByTestId('bench-sampler'), 'Euler a');
  await user.click(screen.getByTestId('bench-generate'));
  await pass(8_000);
  expect(screen.getByText(/asked for “Euler a”, used “Euler”/)).toBeInTheDocument();
});

test('stop ends the picture of the chosen service and no other', async () => {
  const user = userEvent.setup();
  const { backend, pass } = await open('bench');
  await user.click(screen.getByTestId('bench-generate'));
  await user.click(screen.getByTestId('bench-on-myia'));
  await user.click(screen.getByTestId('bench-on-myia-turbo'));
  expect(screen.getByTestId('bench-progress'), 'what runs elsewhere is shown').toBeInTheDocument();
  expect(screen.getByTestId('bench-stop')).toBeDisabled();
  await fill('bench-steps', '90');
  await user.click(screen.getByTestId('bench-generate'));
  await pass(500);
  expect(screen.getAllByTestId('bench-progress')).toHaveLength(2);
  await user.click(screen.getByTestId('bench-stop'));
  await settled();
  const phases = (await backend.state()).jobs.map((j) => `${j.service} ${j.phase}`);
  expect(phases).toContain('myia cancelled');
  expect(phases).toContain('myia-turbo running');
});

test('what was typed is there again after another page', async () => {
  const { app } = await open('bench');
  await fill('bench-prompt', 'typed only');
  app.page = 'overview';
  await settled();
  app.page = 'bench';
  await settled();
  expect(screen.getByTestId('bench-prompt')).toHaveValue('typed only');
});

test('the form comes back as it was left', async () => {
  const user = userEvent.setup();
  const first = await open('bench');
  await fill('bench-prompt', 'kept words');
  await user.click(screen.getByRole('button', { name: /Turbo/ }));
  await user.click(screen.getByTestId('bench-generate'));
  await settled();
  first.app.page = 'overview';
  await settled();
  first.app.page = 'bench';
  await settled();
  expect(screen.getByTestId('bench-prompt')).toHaveValue('kept words');
  expect(screen.getByTestId('bench-steps')).toHaveValue(4);
});
