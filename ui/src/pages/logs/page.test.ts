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
  await typed();
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

const searched = async () => {
  await new Promise((resolve) => setTimeout(resolve, 400));
  await settled();
};
/** Searches all that is stored for a text. */
async function search(text: string) {
  await typed();
  await fireEvent.input(screen.getByTestId('log-filter'), { target: { value: text } });
  await userEvent.setup().click(screen.getByTestId('log-search-start'));
}

test('a known message is explained where it stands, and Escape closes it', async () => {
  const user = userEvent.setup();
  await open('logs');
  await typed();
  await fireEvent.input(screen.getByTestId('log-filter'), { target: { value: 'FutureWarn' } });
  await typed();
  const tag = screen.getAllByTestId('log-signature')[0] ?? expect.fail('no known message');
  expect(tag).toHaveAccessibleName(/: ./);
  tag.focus();
  await user.keyboard('{Enter}');
  expect(tag).toHaveAttribute('aria-expanded', 'true');
  expect(screen.getByText('Pictures and jobs go on.')).toBeInTheDocument();
  expect(screen.getByText('What to do')).toBeInTheDocument();
  await user.keyboard('{Escape}');
  expect(tag).toHaveAttribute('aria-expanded', 'false');
  await user.click(tag);
  await user.click(screen.getByRole('button', { name: 'Close' }));
  expect(tag).toHaveAttribute('aria-expanded', 'false');
  expect(tag).toHaveFocus();
});

test('a title is in the language in use', async () => {
  const { app } = await open('logs');
  await typed();
  await fireEvent.input(screen.getByTestId('log-filter'), { target: { value: 'FutureWarn' } });
  await typed();
  const titles = () =>
    screen.getAllByTestId('log-signature').map((tag) => tag.getAttribute('title'));
  expect(titles()).toContain('PyTorch announces a new default');
  app.prefer({ language: 'fr' });
  await settled();
  expect(titles()).toContain('PyTorch annonce un nouveau défaut');
});

test('everything stored is searched, newest first, and one click goes back', async () => {
  const user = userEvent.setup();
  await open('logs');
  await search('startup');
  expect(screen.getByTestId('log-search-title')).toHaveTextContent('Searching…');
  expect(screen.getByTestId('log-search-progress')).toHaveTextContent('Opening what is stored…');
  await searched();
  expect(screen.getByTestId('log-search-title')).toHaveTextContent(/^\d+ lines found$/);
  expect(screen.getByTestId('log-search-progress')).toHaveTextContent(
    /^120 of 120 lines looked at, back to .+/,
  );
  const rows = screen.getAllByTestId('log-row');
  const numbers = rows.map((row) => Number(row.dataset['seq']));
  expect(numbers).toEqual([...numbers].sort((a, b) => b - a));
  for (const row of rows) expect(row.querySelector('mark')).toHaveTextContent('Startup');
  await user.click(screen.getByTestId('log-search-back'));
  expect(screen.queryByTestId('log-search')).toBeNull();
  expect(screen.getByRole('log')).toBeInTheDocument();
});

test('a result shows the lines around it, and itself among them', async () => {
  const user = userEvent.setup();
  await open('logs');
  await search('startup');
  await searched();
  const last = screen.getAllByTestId('log-around').at(-1) ?? expect.fail('nothing found');
  await user.click(last);
  await searched();
  const around = screen.getByTestId('log-around-lines');
  const numbers = [...around.querySelectorAll<HTMLElement>('[data-seq]')].map((row) =>
    Number(row.dataset['seq']),
  );
  expect(numbers).toEqual([...numbers].sort((a, b) => a - b));
  expect(numbers.length).toBeGreaterThan(20);
  const chosen = around.querySelector<HTMLElement>('.chosen');
  expect(chosen?.dataset['seq']).toBe(String(numbers[numbers.length - 21]));
  await user.click(last);
  expect(screen.queryByTestId('log-around-lines')).toBeNull();
});

test('nothing found says how much was looked at; Escape goes back to live', async () => {
  const user = userEvent.setup();
  await open('logs');
  await search('no such words');
  await searched();
  expect(screen.getByTestId('log-search-title')).toHaveTextContent('Nothing found');
  expect(screen.getByTestId('log-search-progress')).toHaveTextContent('120 of 120 lines looked at');
  await user.keyboard('{Escape}');
  expect(screen.queryByTestId('log-search')).toBeNull();
  expect(screen.getByTestId('log-filter'), 'the filter stays').toHaveValue('no such words');
});

test('a search can be cancelled, and keeps what it found', async () => {
  const user = userEvent.setup();
  await open('logs', { faults: ['search-slow'] });
  await search('');
  await new Promise((resolve) => setTimeout(resolve, 1_700));
  await settled();
  await user.click(screen.getByTestId('log-search-cancel'));
  expect(screen.getByTestId('log-search-progress')).toHaveTextContent('Cancelled');
  expect(screen.getAllByTestId('log-row').length).toBeGreaterThan(0);
  expect(screen.queryByTestId('log-search-cancel')).toBeNull();
});

test('a search that cannot go on says so, and keeps what it found', async () => {
  await open('logs', { faults: ['search-fails'] });
  await search('');
  await searched();
  expect(screen.getByTestId('log-search-title')).toHaveTextContent('Ended early');
  expect(screen.getByTestId('log-search-error')).toHaveTextContent('disk I/O error');
  expect(screen.getAllByTestId('log-row').length).toBeGreaterThan(0);
});

test('a wrong expression is no search', async () => {
  const user = userEvent.setup();
  await open('logs');
  await typed();
  await user.click(screen.getByTestId('log-regex'));
  await search('[unclosed');
  await searched();
  expect(screen.getByTestId('log-search-error')).toHaveTextContent('This expression is not valid.');
});

test('times were a yes or no once, and are a choice now', async () => {
  for (const [kept, expected] of [
    [true, 'local'],
    [false, 'off'],
    ['utc', 'utc'],
  ] as const) {
    const json = JSON.stringify({ logs: { wrap: false, times: kept } });
    const storage = {
      getItem: () => json,
      setItem: () => undefined,
    } as Partial<Storage> as Storage;
    const { unmount } = await open('logs', { storage });
    await typed();
    expect(screen.getByTestId('log-times')).toHaveValue(expected);
    unmount();
  }
});

test('the time of a line is told as one likes', async () => {
  const user = userEvent.setup();
  const { app, backend } = await open('logs');
  await typed();
  const first = () => screen.getAllByTestId('log-row')[0] ?? expect.fail('no line');
  const at = backend['services'][0]?.log.lines[0]?.at ?? expect.fail('no line');
  await user.selectOptions(screen.getByTestId('log-times'), 'utc');
  expect(first()).toHaveTextContent(`${at.slice(11, 23)}Z`);
  await user.selectOptions(screen.getByTestId('log-times'), 'relative');
  expect(first()).toHaveTextContent(/1 min ago/);
  await user.selectOptions(screen.getByTestId('log-times'), 'off');
  expect(first()).not.toHaveTextContent(/\d\d:\d\d|ago/);
  expect(app.preferences.logs.times).toBe('off');
});

test('a time range is chosen, shown as a chip, and put away again', async () => {
  const user = userEvent.setup();
  const { backend } = await open('logs');
  await typed();
  const asked: (string | null)[] = [];
  const real = backend.logs.bind(backend);
  backend.logs = (...given) => {
    asked.push(given[1].since);
    return real(...given);
  };
  await user.click(screen.getByTestId('log-range'));
  await settled();
  await user.click(screen.getByTestId('log-range-minutes'));
  await typed();
  const minutes = (Date.now() - Date.parse(asked.at(-1) ?? '')) / 60_000;
  expect(minutes).toBeGreaterThan(14.9);
  expect(minutes).toBeLessThan(15.1);
  const chip = screen.getByTestId('log-range-chip');
  expect(chip).toHaveTextContent(/^since \d\d:\d\d|^since \d+ \w+/);
  await user.click(chip);
  await typed();
  expect(asked.at(-1)).toBeNull();
  expect(screen.queryByTestId('log-range-chip')).toBeNull();
});

test('a group leads to its lines', async () => {
  const user = userEvent.setup();
  await open('logs');
  await typed();
  await user.click(screen.getByTestId('log-grouped'));
  await searched();
  expect(screen.getByTestId('log-groups-progress')).toHaveTextContent('120 of 120 lines');
  const groups = screen.getAllByTestId('log-group');
  const counts = groups.map((group) => Number(group.querySelector('.count')?.textContent));
  expect(counts).toEqual([...counts].sort((a, b) => b - a));
  expect(counts[0]).toBeGreaterThan(1);
  await user.click(groups[0] ?? expect.fail('no group'));
  await typed();
  expect(screen.queryByTestId('log-groups')).toBeNull();
  expect(screen.getByTestId('log-count')).toHaveTextContent(`${counts[0]} match`);
});
