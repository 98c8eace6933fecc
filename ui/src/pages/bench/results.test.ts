import { fireEvent, screen, within } from '@testing-library/svelte';
import userEvent from '@testing-library/user-event';
import { expect, test } from 'vitest';

import { open, settled } from '../../test-kit';

const fill = (id: string, value: string) =>
  fireEvent.input(screen.getByTestId(id), { target: { value } });

test('a picture that waits behind others says how many', async () => {
  const user = userEvent.setup();
  const { pass } = await open('bench', { faults: ['generation-queued'] });
  await user.click(screen.getByTestId('bench-generate'));
  await pass(1_000);
  expect(screen.getByTestId('bench-progress')).toHaveTextContent('2 ahead');
  await user.click(screen.getByTestId('bench-cancel'));
  await settled();
  expect(screen.queryByTestId('bench-progress')).toBeNull();
});

test('the result tells where the time went and on which card', async () => {
  const user = userEvent.setup();
  const { pass } = await open('bench');
  await user.click(screen.getByTestId('bench-generate'));
  await pass(8_000);
  const timing = screen.getByTestId('bench-timing');
  expect(timing).toHaveTextContent(/queue 20.ms/);
  expect(timing).toHaveTextContent(/steps\/s/);
  expect(screen.getByTestId('bench-card')).toHaveTextContent(
    /GPU 1 · RTX 3090 · \d+\.\d GB at peak/,
  );
});

test('a part of the time that was not told is not called nothing', async () => {
  const user = userEvent.setup();
  const { pass } = await open('bench');
  await user.click(screen.getByTestId('bench-on-myia'));
  await user.click(screen.getByTestId('bench-on-myia-turbo'));
  await user.click(screen.getByTestId('bench-generate'));
  await pass(8_000);
  const timing = screen.getByTestId('bench-timing');
  expect(timing).toHaveTextContent('model load not told');
  expect(timing.textContent).not.toMatch(/[^\d.]0.(ms|s)\b/);
  expect(within(timing).getByTitle(/not told apart/)).toBeInTheDocument();
  expect(screen.getByTestId('bench-card')).toHaveTextContent('by its readings alone');
});

test('a failure tells no times at all', async () => {
  const user = userEvent.setup();
  const { pass } = await open('bench', { faults: ['generation-fails'] });
  await user.click(screen.getByTestId('bench-generate'));
  await pass(8_000);
  expect(screen.getByTestId('bench-verdict')).toBeInTheDocument();
  expect(screen.queryByTestId('bench-timing'), 'a bar of nothing').toBeNull();
});

test('a picture that the processor made is not told as the card’s work', async () => {
  const user = userEvent.setup();
  const { pass } = await open('bench', { faults: ['image-cpu'] });
  await user.click(screen.getByTestId('bench-generate'));
  await pass(8_000);
  expect(screen.getByTestId('bench-cpu')).toHaveTextContent('the card stayed idle');
});

test('a batch stands in a grid with its seeds, and each picture opens at its place', async () => {
  const user = userEvent.setup();
  const { pass } = await open('bench');
  await fill('bench-batch', '3');
  await fill('bench-seed', '100');
  await user.click(screen.getByTestId('bench-generate'));
  await pass(16_000);
  expect(screen.getAllByTestId('bench-picture')).toHaveLength(3);
  expect(screen.getByText('seed 102')).toBeInTheDocument();
  await user.click(screen.getByRole('button', { name: 'Enlarge picture 2 of 3' }));
  await settled();
  const box = screen.getByTestId('lightbox');
  expect(box).toHaveTextContent('2 of 3');
  expect(box).toHaveTextContent('seed 101');
  await user.click(within(box).getByRole('button', { name: 'Next picture' }));
  expect(box).toHaveTextContent('3 of 3');
  expect(within(box).getByRole('button', { name: 'Next picture' })).toBeDisabled();
});

test('two generations are compared, moved together, with what differs marked', async () => {
  const user = userEvent.setup();
  const { pass } = await open('bench');
  for (const steps of ['8', '9']) {
    await fill('bench-steps', steps);
    await user.click(screen.getByTestId('bench-generate'));
    await pass(8_000);
  }
  await user.click(screen.getByTestId('bench-compare'));
  await settled();
  expect(within(screen.getByTestId('difference-steps')).getByText('differs')).toBeInTheDocument();
  expect(within(screen.getByTestId('difference-prompt')).queryByText('differs')).toBeNull();
  await user.click(screen.getByTestId('differences-only'));
  expect(screen.queryByTestId('difference-prompt')).toBeNull();

  const images = () =>
    within(screen.getByTestId('compare'))
      .getAllByRole('img')
      .map((image) => image.style.transform);
  const [left, right] = images();
  expect(left).toBe(right);
  screen.getByTestId('compare-B').focus();
  await user.keyboard('+{ArrowLeft}');
  expect(images()[0]).not.toBe(left);
  expect(images()[0]).toBe(images()[1]);

  await user.click(screen.getByTestId('compare-mode-fade'));
  await fireEvent.input(screen.getByTestId('compare-share'), { target: { value: '0.25' } });
  const over = within(screen.getByTestId('compare-over')).getAllByRole('img')[1];
  expect(over).toHaveStyle({ opacity: '0.25' });
});

test('a ComfyUI service shows its graph, Forge says that it has none', async () => {
  const user = userEvent.setup();
  const { pass } = await open('bench', { faults: ['many-services'] });
  await user.click(screen.getByTestId('bench-on-atelier-1'));
  await user.click(screen.getByTestId('bench-generate'));
  await pass(8_000);
  const [forge, comfyui] = screen.getAllByTestId('bench-graph');
  await user.click(forge as HTMLElement);
  await settled();
  expect(screen.getByTestId('graph')).toHaveTextContent('Forge takes parameters, not a graph');
  await user.keyboard('{Escape}');
  await user.click(comfyui as HTMLElement);
  await settled();
  expect(screen.getByTestId('graph')).toHaveTextContent('KSampler');
  expect(screen.getByTestId('graph-copy')).toBeEnabled();
});
