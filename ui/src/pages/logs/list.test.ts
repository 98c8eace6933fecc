import { fireEvent, screen } from '@testing-library/svelte';
import userEvent from '@testing-library/user-event';
import { expect, test } from 'vitest';

import { open, settled } from '../../test-kit';

const typed = async () => {
  await new Promise((resolve) => setTimeout(resolve, 220));
  await settled();
};
const searched = async () => {
  await new Promise((resolve) => setTimeout(resolve, 400));
  await settled();
};
/** What is put on the clipboard from now on. */
function clipboard() {
  const copied: string[] = [];
  Object.defineProperty(navigator, 'clipboard', {
    configurable: true,
    value: { writeText: async (text: string) => void copied.push(text) },
  });
  return copied;
}

test('matches are marked among all lines, and one jumps from one to the next', async () => {
  const user = userEvent.setup();
  const { app } = await open('logs');
  await typed();
  await fireEvent.input(screen.getByTestId('log-filter'), { target: { value: 'NVIDIA' } });
  await typed();
  const narrow = screen.getByTestId('log-count').textContent ?? '';
  const matches = Number(/(\d+) match/.exec(narrow)?.[1]);
  expect(screen.queryByTestId('log-hits')).toBeNull();
  await user.click(screen.getByTestId('log-keep'));
  await typed();
  expect(app.preferences.logs.keep, 'it is remembered').toBe(true);
  expect(screen.getByTestId('log-hits')).toHaveTextContent(new RegExp(`^${matches} match`));
  const rows = screen.getAllByTestId('log-row');
  const hits = rows.filter((row) => row.classList.contains('hit'));
  expect(hits.length).toBeLessThan(rows.length);
  for (const row of hits) expect(row.querySelector('mark')).toHaveTextContent('NVIDIA');
  await user.click(screen.getByTestId('log-hit-previous'));
  await settled();
  expect(screen.getByTestId('log-hits')).toHaveTextContent(/^\d+ of \d+$/);
  const first = screen.getByTestId('log-hits').textContent;
  await user.keyboard('{Shift>}{F3}{/Shift}');
  await settled();
  expect(screen.getByTestId('log-hits').textContent).not.toBe(first);
});

test('rows are chosen, copied as text, and let go with Escape', async () => {
  const user = userEvent.setup();
  await open('logs');
  await typed();
  const copied = clipboard();
  const rows = screen.getAllByTestId('log-row').filter((row) => !row.querySelector('.fold'));
  const [one, other] = rows.slice(-3);
  await user.click(one?.querySelector('.program') ?? expect.fail('no row'));
  await user.keyboard('{Shift>}');
  await user.click(other?.querySelector('.program') ?? expect.fail('no row'));
  await user.keyboard('{/Shift}');
  expect(screen.getByTestId('log-selection')).toHaveTextContent(/lines? chosen/);
  await user.click(screen.getByTestId('log-copy'));
  await settled();
  expect(copied[0]?.split('\n').length).toBeGreaterThan(1);
  await user.keyboard('{Escape}');
  expect(screen.queryByTestId('log-selection')).toBeNull();
});

test('the lines around a chosen one are shown, whatever the filter keeps away', async () => {
  const user = userEvent.setup();
  await open('logs');
  await typed();
  await fireEvent.input(screen.getByTestId('log-filter'), { target: { value: 'Startup' } });
  await typed();
  const row = screen.getAllByTestId('log-row').at(-1) ?? expect.fail('no row');
  await user.click(row.querySelector('.program') ?? row);
  await user.click(screen.getByTestId('log-selection-around'));
  await searched();
  expect(
    screen.getByTestId('log-around-lines').querySelectorAll('[data-seq]').length,
  ).toBeGreaterThan(10);
});

test('services stand together by time, each with its name and colour', async () => {
  const user = userEvent.setup();
  const { app, pass } = await open('logs');
  await typed();
  await user.click(screen.getByTestId('log-together'));
  await typed();
  const names = app.state?.services.map((one) => one.id) ?? [];
  expect(names.length).toBeGreaterThan(1);
  expect(app.preferences.logs.together).toEqual(names);
  await pass(4_000);
  await typed();
  const shown = [...document.querySelectorAll('.voice')].map((voice) => voice.textContent);
  expect(new Set(shown)).toEqual(new Set(names));
  expect(screen.getByTestId('log-search-start')).toBeDisabled();
  await user.click(screen.getByTestId('log-together'));
  await typed();
  expect(document.querySelector('.voice')).toBeNull();
});

test('who reads further up is told of new lines and not moved', async () => {
  const user = userEvent.setup();
  const { pass } = await open('logs');
  await typed();
  const row = screen.getAllByTestId('log-row')[0] ?? expect.fail('no row');
  await user.click(row.querySelector('.program') ?? row);
  await pass(2_000);
  await typed();
  expect(screen.getByTestId('log-follow')).toHaveTextContent(/2 new lines/);
  await user.click(screen.getByTestId('log-follow'));
  await settled();
  expect(screen.queryByTestId('log-follow')).toBeNull();
});

test('an incident leads to the minutes of its line', async () => {
  const { app, backend } = await open('overview');
  const target = backend['services'][0]?.log.lines[60] ?? expect.fail('no line');
  const id = app.state?.services[0]?.id ?? '';
  app.openLogs(id, '', { at: target.at ?? '', text: target.text });
  await typed();
  await typed();
  expect(screen.getByTestId('log-range-chip')).toBeInTheDocument();
  const user = userEvent.setup();
  const copied = clipboard();
  await user.click(screen.getByTestId('log-copy'));
  await settled();
  expect(copied[0]).toContain(target.text);
});

test('a rule can be made from a chosen line', async () => {
  const user = userEvent.setup();
  const { app } = await open('logs');
  await typed();
  const row = screen.getAllByTestId('log-row').at(-1) ?? expect.fail('no row');
  await user.click(row.querySelector('.program') ?? row);
  await user.click(screen.getByTestId('log-selection-rule'));
  expect(app.rulesAsk).toMatchObject({ what: 'line', service: app.state?.services[0]?.id });
});

test('only lines of some gravity are shown, and the empty page leads back', async () => {
  const user = userEvent.setup();
  await open('logs');
  await typed();
  await user.selectOptions(screen.getByTestId('log-level'), 'error');
  await typed();
  const levels = () =>
    screen.getAllByTestId('log-row').map((row) => row.querySelector('.level')?.textContent);
  expect(new Set(levels())).toEqual(new Set(['error']));
  await user.selectOptions(screen.getByTestId('log-level'), 'fatal');
  await searched();
  expect(screen.getByTestId('log-empty')).toHaveTextContent(/None of the \d+ lines held match/);
  await user.click(screen.getByRole('button', { name: 'Clear the filter' }));
  await typed();
  expect(screen.getByTestId('log-level')).toHaveValue('all');
  expect(new Set(levels()).size).toBeGreaterThan(1);
});
