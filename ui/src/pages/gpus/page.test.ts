import { fireEvent, screen, within } from '@testing-library/svelte';
import userEvent from '@testing-library/user-event';
import { expect, test, vi } from 'vitest';

import { open, settled } from '../../test-kit';

const metrics = ['load', 'memory', 'temperature', 'power'];

test('both cards are shown with who holds them and where the readings come from', async () => {
  await open('gpus');
  expect(screen.getByTestId('gpu-source')).toHaveTextContent('NVML, driver 576.52, CUDA 12.9');
  expect(screen.getByTestId('gpu-tile-0')).toHaveTextContent('GPU 0 · RTX 3080');
  expect(screen.getByTestId('gpu-verdicts-1')).toHaveTextContent('nothing wrong with it');
  expect(screen.getByTestId('gpu-shares-1')).toHaveTextContent('myia-turbo 10.6 GB (reported)');
  expect(screen.getByTestId('gpu-shares-1')).toHaveTextContent('Windows and unknown 1.9 GB');
  const holders = within(screen.getByTestId('gpu-holders'));
  expect(holders.getAllByText('reported')).toHaveLength(2);
  const values = screen.getByTestId('gpu-values');
  expect(within(values).getAllByRole('columnheader')).toHaveLength(3);
  expect(values).toHaveTextContent('gen 1 ×16 of gen 4 ×16');
});

test('each chart has a name, a summary and the values at its cursor', async () => {
  await open('gpus');
  for (const metric of metrics) {
    const chart = screen.getByTestId(`gpu-chart-${metric}`);
    expect(chart).toHaveAccessibleName(/, 1\u00a0h$/);
    expect(chart).toHaveAccessibleDescription(/GPU 1 · RTX 3090: .+ to .+Escape shows/);
    expect(chart.getAttribute('aria-valuetext')).toMatch(/^newest, .+GPU 0 · RTX 3080 \d/);
  }
});

test('arrows move one cursor of all charts; zoom asks for finer steps, Escape for the whole', async () => {
  const { backend } = await open('gpus');
  const asked = vi.spyOn(backend, 'gpuHistory');
  const chart = screen.getByTestId('gpu-chart-load');
  await fireEvent.keyDown(chart, { key: 'Home' });
  await fireEvent.keyDown(chart, { key: 'ArrowRight' });
  expect(screen.getByTestId('gpu-when')).toHaveTextContent(/^at /);
  expect(screen.getByTestId('gpu-chart-power')).toHaveAttribute('aria-valuenow', '1');
  await fireEvent.keyDown(chart, { key: '+' });
  await settled();
  const query = asked.mock.calls.at(-1)?.[0];
  expect(Date.parse(query?.to ?? '') - Date.parse(query?.from ?? '')).toBe(1_800_000);
  expect(screen.getByTestId('gpu-whole')).toBeInTheDocument();
  expect(screen.getByTestId('gpu-range-1h')).toHaveAttribute('aria-pressed', 'false');
  await fireEvent.keyDown(chart, { key: 'Escape' });
  await settled();
  expect(screen.queryByTestId('gpu-whole')).toBeNull();
});

test('range and further chart are kept', async () => {
  const user = userEvent.setup();
  const { app, backend } = await open('gpus');
  await user.click(screen.getByTestId('gpu-range-24h'));
  await user.selectOptions(screen.getByTestId('gpu-extra'), 'clock');
  await settled();
  expect(screen.getByTestId('gpu-chart-clock')).toHaveAccessibleName('Graphics clock, 24\u00a0h');
  expect(app.preferences.gpus).toEqual({ range: '24h', extra: 'clock' });
  expect((await backend.loadPreferences()).gpus?.range).toBe('24h');
  app.page = 'overview';
  await settled();
  app.page = 'gpus';
  await settled();
  expect(screen.getByTestId('gpu-range-24h')).toHaveAttribute('aria-pressed', 'true');
  expect(screen.getByTestId('gpu-chart-clock')).toBeInTheDocument();
});

test('events are counted below the charts and listed on demand', async () => {
  const user = userEvent.setup();
  await open('gpus', { now: 1_800_000_000_000 });
  await user.click(screen.getByTestId('gpu-range-24h'));
  await settled();
  await user.click(screen.getByTestId('gpu-events-generation'));
  await settled();
  expect(screen.getByRole('dialog', { hidden: true })).toHaveTextContent(
    /myia.*6\.9\ss.*ended well/,
  );
});

test('table and picture are saved, and the file is named', async () => {
  const user = userEvent.setup();
  const { backend } = await open('gpus');
  for (const [form, call] of [
    ['csv', 'save gpu table local load memory temperature power throttled'],
    ['png', 'save gpu picture local true'],
  ]) {
    await user.click(screen.getByTestId('gpu-export'));
    await settled();
    await user.click(screen.getByTestId(`gpu-export-${form}`));
    await settled();
    expect(backend.calls).toContain(call);
    expect(screen.getByTestId('gpu-export-done')).toHaveTextContent(
      `/home/admin/gpus-local.${form}`,
    );
  }
});

test('a file that cannot be written says why', async () => {
  const user = userEvent.setup();
  await open('gpus', { faults: ['gpu-save-fails'] });
  await user.click(screen.getByTestId('gpu-export'));
  await settled();
  await user.click(screen.getByTestId('gpu-export-csv'));
  await settled();
  expect(screen.getByTestId('gpu-export-error')).toHaveTextContent('The disk is full.');
});

test('without a driver it says what was tried and draws nothing', async () => {
  await open('gpus', { faults: ['no-gpu'] });
  expect(screen.getByTestId('gpu-none')).toHaveTextContent('libnvidia-ml.so.1 was not found');
  expect(screen.getByTestId('gpu-source')).toHaveTextContent('no source');
  expect(screen.queryByTestId('gpu-charts')).toBeNull();
});

test('a lost card says so and the other one goes on', async () => {
  await open('gpus', { faults: ['gpu-lost'] });
  expect(screen.getByTestId('gpu-verdicts-1')).toHaveTextContent('card lost');
  expect(screen.getByTestId('gpu-tile-1')).toHaveTextContent('old: read');
  expect(screen.getByTestId('gpu-shares-1')).toHaveTextContent('who holds it is not known');
  expect(screen.getByTestId('gpu-holders')).toHaveTextContent('not read now');
  const row = within(screen.getByTestId('gpu-chart-row-load'));
  const [first, second] = row.getAllByRole('row');
  expect(first).toHaveTextContent(/GPU 0.*%/);
  expect(second).toHaveTextContent('not available');
});

test('what the driver does not tell is not available, never 0', async () => {
  await open('gpus', { faults: ['gpu-values-missing'] });
  expect(screen.getByTestId('gpu-tile-1')).toHaveTextContent('load not available');
  const row = within(screen.getByTestId('gpu-values')).getByText('video encoder').closest('tr');
  expect(row).toHaveTextContent(/^video encoder\s*0\s%\s*not available$/);
});

test('heat, brakes, a narrow link and full memory are told, gravest first', async () => {
  await open('gpus', { faults: ['gpu-hot', 'gpu-pcie', 'gpu-memory-low'] });
  const told = within(screen.getByTestId('gpu-verdicts-1')).getAllByRole('listitem');
  expect(told.map((one) => one.querySelector('b')?.textContent)).toEqual([
    'too hot',
    'throttled',
    'narrow PCIe link',
    'memory nearly full',
  ]);
  expect(screen.getByTestId('gpu-held-1')).toHaveTextContent('heat (hardware)');
  expect(screen.getByTestId('gpu-events')).toHaveTextContent(/GPU 1 held back \d+\s% of the time/);
});

test('claims that cannot be true are a warning', async () => {
  await open('gpus', { faults: ['gpu-contradiction'] });
  expect(screen.getByTestId('gpu-tile-1')).toHaveTextContent(
    'More is claimed than the driver says',
  );
  expect(screen.getByTestId('gpu-tile-1')).toHaveTextContent(
    'For myia-turbo the driver counts less',
  );
});

test('a past that cannot be read says why and can be asked again', async () => {
  await open('gpus', { faults: ['gpu-history-fails'] });
  expect(screen.getByRole('alert')).toHaveTextContent('The history could not be read or written.');
  expect(screen.getByRole('button', { name: 'Try again' })).toBeInTheDocument();
  expect(screen.getByTestId('gpu-tile-0'), 'the present is there').toBeInTheDocument();
  await userEvent.setup().click(screen.getByTestId('gpu-export'));
  await settled();
  expect(screen.getByTestId('gpu-export-png'), 'of nothing there is no picture').toBeDisabled();
});

test('a part that could not be read is told beside the rest', async () => {
  await open('gpus', { faults: ['gpu-history-problem'] });
  expect(screen.getByTestId('gpu-history-problem')).toHaveTextContent('malformed');
  expect(screen.getByTestId('gpu-chart-load')).toBeInTheDocument();
});

test('an empty past is not a line at 0', async () => {
  await open('gpus', { faults: ['gpu-history-empty'] });
  expect(screen.getByTestId('gpu-empty')).toHaveTextContent('Nothing recorded yet in this range.');
  expect(screen.getByTestId('gpu-when')).toHaveTextContent('no reading');
});

test('the page asks for the past only while it is seen', async () => {
  const { app, backend } = await open('gpus');
  const asked = vi.spyOn(backend, 'gpuHistory');
  app.page = 'overview';
  await settled();
  vi.useFakeTimers();
  await vi.advanceTimersByTimeAsync(20_000);
  vi.useRealTimers();
  expect(asked).not.toHaveBeenCalled();
});

test('the title of a card on the overview leads here', async () => {
  const user = userEvent.setup();
  const { app } = await open('overview', { faults: ['placement-wrong'] });
  expect(screen.getByTestId('gpu-shares-1')).toHaveTextContent(
    /myia-turbo 10\.6\sGB.*myia 6\.2\sGB.*Windows and unknown 1\.9\sGB/,
  );
  await user.click(screen.getByTestId('gpu-open-1'));
  await settled();
  expect(app.page).toBe('gpus');
});
