import { screen, within } from '@testing-library/svelte';
import userEvent from '@testing-library/user-event';
import { expect, test, vi } from 'vitest';

import type { Fault } from '../../backend/fake';
import { FakeBackend } from '../../backend/fake';
import type { KeeperState } from '../../backend/types';
import { settled } from '../../test-kit';
import { serviceOf, show } from './card-kit';

const fake = (faults: Fault[] = []) => new FakeBackend({ lines: 20, faults });

test('the evidence shows each round with its numbers', async () => {
  const user = userEvent.setup();
  await show(fake(['placement-wrong']));
  await user.click(screen.getByRole('button', { name: 'Evidence of where myia computes' }));
  await settled();
  const dialog = screen.getByTestId('placement-evidence');
  expect(dialog).toHaveTextContent('RTX 3090, not the declared RTX 3080');
  expect(within(dialog).getAllByRole('region', { name: /^Round \d$/ })).toHaveLength(2);
  const [first] = within(dialog).getAllByRole('row', { name: /RTX 3090/ });
  expect(first).toHaveTextContent(/RTX 3090\s*0 %\s*7\d–8\d %\s*0.6 GB/);
  const [chart] = within(dialog).getAllByRole('img');
  expect(chart).toHaveAccessibleName(/RTX 3080: load at rest 0.%, at work 0.%/);
  expect(dialog).toHaveTextContent('driver');
});

test('a newer proof that could not tell stands beside the one that counts', async () => {
  const user = userEvent.setup();
  await show(fake(['placement-unclear']));
  expect(screen.getByTestId('measured-myia')).toHaveTextContent('RTX 3080, as declared');
  expect(screen.getByTestId('unclear-myia')).toHaveTextContent(
    'Tried again, not clear: another service began or ended a picture meanwhile.',
  );
  await user.click(screen.getByRole('button', { name: 'Evidence of where myia computes' }));
  await settled();
  const dialog = screen.getByTestId('placement-evidence');
  expect(within(dialog).getAllByRole('region', { name: /^Round \d$/ })).toHaveLength(4);
  expect(dialog).toHaveTextContent('RTX 3080, as declared');
  expect(dialog).toHaveTextContent(/address\s*http:\/\/localhost/);
});

test('evidence that cannot be loaded can be asked for again', async () => {
  const user = userEvent.setup();
  const { backend } = await show(fake());
  const answer = vi
    .spyOn(backend, 'placementEvidence')
    .mockRejectedValueOnce({ code: 'store', message: 'locked' })
    .mockResolvedValue([]);
  await user.click(screen.getByRole('button', { name: 'Evidence of where myia computes' }));
  await settled();
  const dialog = screen.getByTestId('placement-evidence');
  expect(within(dialog).getByRole('alert')).toHaveAttribute('data-code', 'store');
  await user.click(within(dialog).getByRole('button', { name: 'Try again' }));
  await settled();
  expect(dialog).toHaveTextContent('Nothing was measured yet.');
  expect(answer).toHaveBeenCalledTimes(2);
});

test('the remedy is copied as lines, as a diff, and with what to do then', async () => {
  const user = userEvent.setup();
  const { app } = await show(fake(['placement-wrong']));
  await user.click(screen.getByRole('button', { name: 'Fix the placement of myia…' }));
  await settled();
  const dialog = screen.getByTestId('placement-remedy');
  const diff = serviceOf(app.state as KeeperState, 'myia').placement.remedy?.diff ?? [];
  await user.click(within(dialog).getByRole('button', { name: 'Copy lines' }));
  const lines = await navigator.clipboard.readText();
  expect(lines).toContain('      CUDA_DEVICE_ORDER: PCI_BUS_ID\n');
  expect(lines).not.toMatch(/^[+-]/m);
  await user.click(within(dialog).getByRole('button', { name: 'Copy as diff' }));
  expect(await navigator.clipboard.readText()).toBe(diff.join('\n'));
  await user.click(within(dialog).getByRole('button', { name: 'Copy' }));
  expect(await navigator.clipboard.readText()).toBe('docker compose up -d myia');
  expect(within(dialog).getByRole('button', { name: 'Copied' })).toBeVisible();
});

test('a container that compose did not make gets options of docker run', async () => {
  const user = userEvent.setup();
  await show(fake(['placement-wrong']), (state) => {
    const service = serviceOf(state, 'myia');
    service.placement.remedy = {
      file: null,
      diff: [' docker run --name myia', '-  --gpus all', '+  --env X=<b>y</b>'],
      compose: false,
    };
  });
  await user.click(screen.getByRole('button', { name: 'Fix the placement of myia…' }));
  await settled();
  const dialog = screen.getByTestId('placement-remedy');
  expect(dialog).toHaveTextContent('Options of docker run to change');
  expect(dialog).toHaveTextContent('--env X=<b>y</b>');
  expect(dialog).not.toHaveTextContent('docker compose up');
});
