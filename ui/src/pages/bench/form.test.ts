import { fireEvent, screen, waitFor, within } from '@testing-library/svelte';
import userEvent from '@testing-library/user-event';
import { expect, test } from 'vitest';

import { open, settled } from '../../test-kit';

const fill = (id: string, value: string) =>
  fireEvent.input(screen.getByTestId(id), { target: { value } });
const asked = (calls: readonly string[]) => calls.filter((call) => call.startsWith('generate'));
const PARAMETERS =
  'parameters\0a harbour\nNegative prompt: people\nSteps: 31, Sampler: UniPC, CFG scale: 5.5, Seed: 42, Size: 640x768, ADetailer model: face.pt';
const picture = (text: string, name = 'harbour.png') =>
  new File([text], name, { type: 'image/png' });
const drop = async (...files: File[]) => {
  const dataTransfer = { types: ['Files'], files };
  await fireEvent.drop(screen.getByTestId('bench-form'), { dataTransfer });
  await settled();
};

test('the advanced fields are sent, and stay open the next time', async () => {
  const user = userEvent.setup();
  const { app, backend } = await open('bench');
  await user.click(within(screen.getByTestId('bench-advanced')).getByText('Advanced'));
  await settled();
  expect(app.preferences.benchView.advanced).toBe(true);
  await user.selectOptions(screen.getByTestId('bench-model'), 'turboVision_v431.safetensors');
  await fill('bench-batch', '3');
  await fill('bench-clip-skip', '2');
  await user.click(screen.getByTestId('bench-hires'));
  await fill('bench-hires-steps', '12');
  await user.selectOptions(screen.getByTestId('bench-hires-upscaler'), 'R-ESRGAN 4x+');
  await user.click(screen.getByTestId('bench-variation'));
  await fill('bench-variation-seed', '9');
  await user.selectOptions(screen.getByTestId('bench-modules'), 'ae.safetensors');
  await user.click(screen.getByTestId('bench-generate'));
  expect(JSON.parse(asked(backend.calls)[0]?.replace(/^\S+ \S+ /, '') ?? '')).toMatchObject({
    model: 'turboVision_v431.safetensors',
    batch: 3,
    clip_skip: 2,
    distilled_cfg: null,
    hires: { scale: 2, steps: 12, denoise: 0.5, upscaler: 'R-ESRGAN 4x+' },
    variation: { seed: '9', strength: 0.1 },
    modules: ['ae.safetensors'],
  });
});

test('what is wrong among the advanced fields is told at the field and on the closed part', async () => {
  const { backend } = await open('bench');
  await fill('bench-batch', '9');
  await fill('bench-clip-skip', '13');
  await settled();
  expect(screen.getByText('From 1 to 8')).toBeInTheDocument();
  expect(screen.getByText('From 1 to 12')).toBeInTheDocument();
  expect(screen.getByText('2 problems')).toBeInTheDocument();
  expect(screen.getByTestId('bench-generate')).toBeDisabled();
  expect(asked(backend.calls)).toEqual([]);
});

test('a LoRA is put in where the cursor is', async () => {
  const user = userEvent.setup();
  await open('bench');
  const prompt = screen.getByTestId<HTMLTextAreaElement>('bench-prompt');
  await fill('bench-prompt', 'a fern, macro');
  prompt.setSelectionRange(6, 6);
  await user.click(screen.getByTestId('bench-lora'));
  await settled();
  await user.type(screen.getByTestId('bench-lora-search'), 'paper{Enter}');
  await settled();
  expect(prompt).toHaveValue('a fern <lora:papercut:1>, macro');
});

test('the same request goes to two services at once', async () => {
  const user = userEvent.setup();
  const { backend, pass } = await open('bench');
  await user.click(screen.getByTestId('bench-on-myia'));
  await user.click(screen.getByTestId('bench-generate'));
  await settled();
  expect(asked(backend.calls).map((call) => call.split(' ')[1])).toEqual(['myia-turbo', 'myia']);
  expect(screen.getAllByTestId('bench-progress')).toHaveLength(2);
  await pass(8_000);
  expect(screen.getAllByTestId('bench-verdict')).toHaveLength(2);
});

test('one after the other, the second waits in sight until the first has ended', async () => {
  const user = userEvent.setup();
  const { app, backend, pass } = await open('bench');
  await user.click(screen.getByTestId('bench-on-myia'));
  await user.click(screen.getByTestId('bench-in-turn'));
  await user.click(screen.getByTestId('bench-generate'));
  await pass(500);
  expect(asked(backend.calls)).toHaveLength(1);
  expect(screen.getByTestId('bench-queued')).toHaveTextContent('myia');
  app.page = 'overview';
  await settled();
  await pass(7_000);
  expect(asked(backend.calls), 'also while another page is shown').toHaveLength(2);
  app.page = 'bench';
  await settled();
  expect(screen.queryByTestId('bench-queue')).toBeNull();
});

test('requests for a service at work wait, and can be taken out', async () => {
  const user = userEvent.setup();
  const { backend, pass } = await open('bench');
  for (const prompt of ['first', 'second', 'third']) {
    await fill('bench-prompt', prompt);
    await user.click(screen.getByTestId('bench-generate'));
    await settled();
  }
  expect(screen.getAllByTestId('bench-queued')).toHaveLength(2);
  await user.click(screen.getByRole('button', { name: 'Remove from the queue: second' }));
  await pass(7_000);
  expect(asked(backend.calls)).toHaveLength(2);
  expect(asked(backend.calls)[1]).toContain('third');
});

test('a request that was refused waits for a person', async () => {
  const user = userEvent.setup();
  const { backend, pass } = await open('bench', { faults: ['generation-refused'] });
  await user.click(screen.getByTestId('bench-generate'));
  await pass(3_000);
  expect(asked(backend.calls), 'it is not tried by itself').toHaveLength(1);
  const waiting = screen.getByTestId('bench-queued');
  await user.click(within(waiting).getByRole('button', { name: 'Try again' }));
  await settled();
  expect(asked(backend.calls)).toHaveLength(2);
});

test('what a card has too little memory for is told before, and is sent when a person says so', async () => {
  const user = userEvent.setup();
  const { backend } = await open('bench', { faults: ['gpu-memory-low'] });
  const room = screen.getByTestId('bench-room');
  await waitFor(() => {
    expect(room.textContent).toMatch(/Needs about .+ probably too little/s);
  });
  await user.click(screen.getByTestId('bench-generate'));
  await settled();
  const waiting = screen.getByTestId('bench-queued');
  expect(within(waiting).getByRole('alert').dataset['code']).toBe('gpu_memory_low');
  await user.click(within(waiting).getByTestId('error-force'));
  await settled();
  expect(asked(backend.calls).at(-1)).toMatch(/ all the same$/);
  expect(screen.queryByTestId('bench-queued')).toBeNull();
});

test('a dropped picture fills the form in, what could not be read is told, and undo goes back', async () => {
  const user = userEvent.setup();
  await open('bench');
  await fill('bench-prompt', 'typed before');
  await drop(picture(PARAMETERS));
  expect(screen.getByTestId('bench-prompt')).toHaveValue('a harbour');
  expect(screen.getByTestId('bench-negative')).toHaveValue('people');
  expect(screen.getByTestId('bench-height')).toHaveValue(768);
  expect(screen.getByTestId('bench-seed')).toHaveValue('42');
  expect(screen.getByTestId('bench-filled')).toHaveTextContent('Not taken over: ADetailer model');
  expect(screen.getByRole('option', { name: 'UniPC (not offered)' })).toBeInTheDocument();
  await user.click(screen.getByTestId('bench-undo'));
  expect(screen.getByTestId('bench-prompt')).toHaveValue('typed before');
  expect(screen.queryByTestId('bench-filled')).toBeNull();
});

test('a file without parameters, and one that is no picture, change nothing', async () => {
  await open('bench');
  await fill('bench-prompt', 'mine');
  await drop(picture('nothing in it'));
  expect(screen.getByRole('alert')).toHaveTextContent('there are no generation parameters');
  await drop(new File(['x'], 'notes.txt', { type: 'text/plain' }));
  expect(screen.getByRole('alert')).toHaveTextContent('this is neither');
  expect(screen.getByTestId('bench-prompt')).toHaveValue('mine');
});

test('a preset of one’s own keeps every field and can be removed', async () => {
  const user = userEvent.setup();
  await open('bench');
  await fill('bench-steps', '33');
  await fill('bench-seed', '7');
  await user.click(screen.getByTestId('bench-save-preset'));
  await settled();
  await user.type(screen.getByTestId('preset-name'), 'Fern');
  await user.click(screen.getByTestId('preset-save'));
  await settled();
  await fill('bench-steps', '4');
  const chip = screen.getByTestId('bench-own-preset');
  expect(chip).toHaveAttribute('aria-pressed', 'false');
  await user.click(chip);
  expect(screen.getByTestId('bench-steps')).toHaveValue(33);
  expect(screen.getByTestId('bench-seed')).toHaveValue('7');
  expect(chip).toHaveAttribute('aria-pressed', 'true');
  await user.click(screen.getByRole('button', { name: 'Remove the preset Fern' }));
  await settled();
  expect(screen.queryByTestId('bench-own-preset')).toBeNull();
  await user.click(screen.getByTestId('bench-preset-undo'));
  await settled();
  expect(screen.getByTestId('bench-own-preset'), 'a slip is undone').toHaveTextContent('Fern');
});
