import { screen, within } from '@testing-library/svelte';
import userEvent from '@testing-library/user-event';
import { expect, test, vi } from 'vitest';

import type { Cause, Incident, KeeperState } from '../../backend/types';
import { language } from '../../shared/i18n.svelte';
import { open, settled } from '../../test-kit';
import { evidenceDialog, remedyDialog } from '../placement/dialogs';
import { incidentDetail } from './detail';
import { incidentSentence } from './sentence';

await Promise.all([evidenceDialog(), remedyDialog()]);

const told = (
  cause: Cause,
  subject: Incident['subject'],
  evidence: Record<string, string>,
): Incident => ({
  id: 'x',
  subject,
  rung: 'image',
  status: 'degraded',
  cause,
  evidence: Object.entries(evidence).map(([name, value]) => ({ name, value })),
  opened_at: '2026-11-20T10:00:00Z',
  last_seen_at: '2026-11-20T10:00:00Z',
  count: 1,
  flapping: false,
  hides: [],
});
const MYIA = { of: 'service', id: 'myia' } as const;
const DECLARED = 'GPU 0 · NVIDIA GeForce RTX 3080';
const MEASURED = 'GPU 1 · NVIDIA GeForce RTX 3090';

/** The overview with other incidents than the fake's. */
async function overview(incidents: Incident[], faults: 'placement-wrong'[] = []) {
  const opened = await open('overview', { faults });
  opened.app.state = { ...(opened.app.state as KeeperState), incidents };
  await settled();
  return opened;
}

test('a placement names the services and the card that they share', () => {
  language.use('en');
  const shared = { measured_card: MEASURED, declared_card: DECLARED, shared_with: 'myia-turbo' };
  expect(incidentSentence(told('placement.mismatch', MYIA, shared), [])).toBe(
    'myia and myia-turbo both compute on the RTX 3090.',
  );
  const three = { ...shared, shared_with: 'myia-turbo, other' };
  expect(incidentSentence(told('placement.mismatch', MYIA, three), [])).toBe(
    'myia, myia-turbo and other all compute on the RTX 3090.',
  );
  const alone = { measured_card: MEASURED, declared_card: DECLARED };
  expect(incidentSentence(told('placement.mismatch', MYIA, alone), [])).toBe(
    'myia computes on the RTX 3090, not on the RTX 3080 declared for it.',
  );
  expect(incidentSentence(told('placement.mismatch', MYIA, {}), [])).toBe(
    'myia computes on another card than declared.',
  );
});

test('the numbers of a card are said with its trouble', () => {
  language.use('en');
  const gpu = { of: 'gpu', id: 'GPU-7c1e0000' } as const;
  const detail = (cause: Cause, evidence: Record<string, string>) =>
    incidentDetail(told(cause, gpu, evidence), undefined, []);
  expect(detail('gpu.hot', { temperature_c: '95', slowdown_c: '93' })).toBe(
    'Now 95\u00a0°C; slowdown threshold 93\u00a0°C.',
  );
  expect(detail('gpu.hot', { temperature_c: '95' })).toBeNull();
  expect(detail('gpu.lost', { driver_message: 'GPU is lost' })).toBe(
    'The driver says: GPU is lost',
  );
  expect(
    detail('gpu.throttled', {
      throttle_reasons: 'hardware_heat, power_brake',
      graphics_mhz: '900',
      graphics_max_mhz: '1950',
    }),
  ).toBe('Reason: heat (hardware), too little power; clock 900 of 1,950\u00a0MHz.');
  expect(detail('gpu.throttled', { throttle_reasons: 'new_one' })).toBe('Reason: new_one.');
  expect(detail('gpu.pcie_degraded', { pcie_width: '1', pcie_max_width: '16' })).toBe(
    '1 of 16 lanes.',
  );
  expect(detail('gpu.memory_low', { memory_free: '429916160', memory_total: '25769803776' })).toBe(
    '0.4\u00a0GB free of 24.',
  );
});

test('an incident of a card names it and leads to the GPU page', async () => {
  const user = userEvent.setup();
  const opened = await open('overview');
  const card = opened.app.state?.hosts[0]?.gpus.cards[1]?.latest;
  if (!card) throw new Error('a second card is needed');
  const hot = told(
    'gpu.hot',
    { of: 'gpu', id: card.uuid },
    { temperature_c: '95', slowdown_c: '93' },
  );
  opened.app.state = { ...(opened.app.state as KeeperState), incidents: [hot] };
  await settled();
  const incident = screen.getByTestId('incident');
  expect(incident).toHaveTextContent('GPU 1 · RTX 3090 is over its slowdown temperature.');
  expect(incident).toHaveTextContent(/Now 95.°C; slowdown threshold 93.°C/);
  const went = vi.spyOn(opened.app, 'page', 'set').mockReturnValue();
  await user.click(within(incident).getByRole('button', { name: 'Look at the GPUs' }));
  expect(went).toHaveBeenCalledWith('gpus');
});

test('a wrong card opens its evidence and its remedy from the incident', async () => {
  const user = userEvent.setup();
  const mismatch = told('placement.mismatch', MYIA, {
    declared_card: DECLARED,
    measured_card: MEASURED,
    shared_with: 'myia-turbo',
  });
  await overview([mismatch], ['placement-wrong']);
  const incident = screen.getByTestId('incident');
  expect(incident).toHaveTextContent('myia and myia-turbo both compute on the RTX 3090.');
  expect(incident).toHaveTextContent('Declared for myia: RTX 3080 (Compose reservation).');
  expect(incident).toHaveTextContent('In 2 rounds only the RTX 3090 worked');
  await user.click(within(incident).getByRole('button', { name: 'Evidence' }));
  await settled();
  const dialog = screen.getByTestId('placement-evidence');
  await user.click(within(dialog).getByRole('button', { name: 'Close' }));
  await settled();
  await user.click(within(incident).getByRole('button', { name: 'Fix placement…' }));
  await settled();
  expect(screen.getByTestId('placement-remedy')).toHaveTextContent('CUDA_VISIBLE_DEVICES');
});

test('where no proof stands behind it, the evidence is listed as ever', async () => {
  const user = userEvent.setup();
  await overview([told('image.cpu_fallback', MYIA, { detail: 'device: cpu' })]);
  const incident = screen.getByTestId('incident');
  expect(incident).toHaveTextContent('myia computes on the CPU.');
  await user.click(within(incident).getByRole('button', { name: 'Evidence' }));
  expect(incident).toHaveTextContent('device: cpu');
  expect(within(incident).getByRole('button', { name: 'Read the log' })).toBeVisible();
});

test('the lane says where it computes and leads to the GPU page', async () => {
  const user = userEvent.setup();
  const { app } = await open('overview', { faults: ['placement-wrong'] });
  const place = screen.getByTestId('place-myia');
  expect(place).toHaveTextContent('declared RTX 3080, measured RTX 3090');
  expect(place).toHaveAttribute('data-tone', 'degraded');
  expect(screen.getByTestId('place-myia-turbo')).toHaveTextContent('on RTX 3090, measured');
  const went = vi.spyOn(app, 'page', 'set').mockReturnValue();
  await user.click(place);
  expect(went).toHaveBeenCalledWith('gpus');
});
