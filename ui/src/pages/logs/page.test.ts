import { fireEvent, screen } from '@testing-library/svelte';
import userEvent from '@testing-library/user-event';
import { expect, test } from 'vitest';

import { open, settled } from '../../test-kit';

const typed = async () => {
  await new Promise((resolve) => setTimeout(resolve, 220));
  await settled();
};

test('lines, counts and the state of the stream are shown', async () => {
  await open('logs');
  await typed();
  expect(screen.getByTestId('log-count')).toHaveTextContent('Live');
  expect(screen.getByTestId('log-count')).toHaveTextContent('120 lines held');
  expect(screen.getAllByTestId('log-row').length).toBeGreaterThan(0);
});

test('a filter narrows, marks, and counts its matches', async () => {
  await open('logs');
  await typed();
  await fireEvent.input(screen.getByTestId('log-filter'), { target: { value: 'NVIDIA' } });
  await typed();
  const rows = screen.getAllByTestId('log-row');
  for (const row of rows) expect(row.querySelector('mark')).toHaveTextContent('NVIDIA');
  expect(screen.getByTestId('log-count')).toHaveTextContent(/\d+ match/);
});

test('a wrong expression is told in place and empties nothing', async () => {
  const user = userEvent.setup();
  await open('logs');
  await typed();
  await user.click(screen.getByTestId('log-regex'));
  await fireEvent.input(screen.getByTestId('log-filter'), { target: { value: '[unclosed' } });
  await typed();
  expect(screen.getByTestId('log-filter-error')).toHaveTextContent('This expression is not valid.');
  expect(screen.getByTestId('log-filter')).toHaveAttribute('aria-invalid', 'true');
  expect(screen.getAllByTestId('log-row').length).toBeGreaterThan(0);
});

test('a pause holds the page still and goes on counting', async () => {
  const user = userEvent.setup();
  const { pass } = await open('logs');
  await typed();
  await user.click(screen.getByTestId('log-pause'));
  await pass(3_000);
  expect(screen.getByText(/3 new lines/)).toBeInTheDocument();
  await user.click(screen.getByTestId('log-pause'));
  await settled();
  expect(screen.queryByText(/new lines/)).toBeNull();
});

test('what a program prints is text and nothing else', async () => {
  const { backend, container } = await open('logs');
  await typed();
  await fireEvent.input(screen.getByTestId('log-filter'), { target: { value: 'onerror' } });
  await typed();
  backend.advance(1_000);
  await settled();
  expect(container.querySelector('[data-testid=log-row] img')).toBeNull();
});

test('a filter without matches says so and can be cleared', async () => {
  const user = userEvent.setup();
  await open('logs');
  await typed();
  await fireEvent.input(screen.getByTestId('log-filter'), { target: { value: 'no such words' } });
  await typed();
  expect(screen.getByTestId('log-empty')).toHaveTextContent('None of the 120 lines held match.');
  await user.click(screen.getByRole('button', { name: 'Clear the filter' }));
  await typed();
  expect(screen.getAllByTestId('log-row').length).toBeGreaterThan(0);
});

test('the reader is closed when the page goes', async () => {
  const { app, backend } = await open('logs');
  await typed();
  const held = backend['services'][0]?.log as unknown as { readers: Set<unknown> };
  expect(held.readers.size).toBe(1);
  app.page = 'overview';
  await settled();
  expect(held.readers.size, 'no reader outlives its page').toBe(0);
});
