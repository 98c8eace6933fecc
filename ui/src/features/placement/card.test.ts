import { screen, within } from '@testing-library/svelte';
import userEvent from '@testing-library/user-event';
import { expect, test, vi } from 'vitest';

import type { Fault } from '../../backend/fake';
import { FakeBackend } from '../../backend/fake';
import type { KeeperState } from '../../backend/types';
import { settled } from '../../test-kit';
import { serviceOf, show } from './card-kit';

const fake = (faults: Fault[] = []) => new FakeBackend({ lines: 20, faults });

const row = (id: string) => screen.getByTestId(`placement-${id}`);

test('declared, reported and measured stand side by side', async () => {
  await show(fake());
  expect(row('myia')).toHaveAttribute('data-status', 'ok');
  expect(screen.getByTestId('declared-myia')).toHaveTextContent(/RTX 3080.*reservation: 0/);
  expect(screen.getByTestId('reported-myia')).toHaveTextContent(
    /cuda:0 NVIDIA GeForce.*in its log/,
  );
  const measured = screen.getByTestId('measured-myia');
  expect(measured).toHaveTextContent('RTX 3080, as declared');
  expect(measured).toHaveTextContent(/high confidence\s· 2 rounds\s· 14 min ago/);
  expect(within(measured).queryByRole('button', { name: /Fix/ })).toBeNull();
});

test('a wrong card is a warning with its remedy', async () => {
  await show(fake(['placement-wrong']));
  expect(row('myia')).toHaveAttribute('data-status', 'degraded');
  const measured = screen.getByTestId('measured-myia');
  expect(measured).toHaveTextContent('RTX 3090, not the declared RTX 3080');
  expect(measured).toHaveTextContent('On the same card: myia-turbo');
  expect(
    within(measured).getByRole('button', { name: 'Fix the placement of myia…' }),
  ).toBeVisible();
});

test('nothing measured is not green', async () => {
  await show(fake(['placement-unproved']));
  expect(row('myia')).toHaveAttribute('data-status', 'unknown');
  expect(screen.getByTestId('measured-myia')).toHaveTextContent('never measured');
  expect(screen.queryByRole('button', { name: /Evidence/ })).toBeNull();
});

test('a faded proof is old, says why and offers another one', async () => {
  await show(fake(['placement-faded']));
  expect(row('myia')).toHaveAttribute('data-status', 'unknown');
  const measured = screen.getByTestId('measured-myia');
  expect(measured).toHaveTextContent('Was on RTX 3080; not known now');
  expect(measured).toHaveTextContent('the driver is another one since');
  expect(screen.getByTestId('prove-myia')).toHaveTextContent('Prove again');
});

test('a proof shows each stage and its round, and can be cancelled', async () => {
  const user = userEvent.setup();
  const { pass, seen } = await show(fake(['placement-unproved']));
  expect(screen.getByTestId('prove-myia')).toHaveAttribute(
    'title',
    expect.stringContaining('512 × 512 pictures on myia; nothing is kept'),
  );
  await user.click(screen.getByTestId('prove-myia'));
  await seen();
  const progress = () => screen.getByTestId('proof-progress-myia');
  expect(progress()).toHaveTextContent('Round 1 of 2: reads at rest');
  await pass(1_000);
  expect(progress()).toHaveTextContent('Round 1 of 2: makes a picture');
  await pass(1_500);
  expect(progress()).toHaveTextContent('Round 2 of 2');
  await user.click(screen.getByRole('button', { name: 'Cancel the proof on myia' }));
  await seen();
  expect(screen.queryByTestId('proof-progress-myia')).toBeNull();
  expect(screen.getByTestId('measured-myia')).toHaveTextContent('never measured');

  await user.click(screen.getByTestId('prove-myia'));
  await pass(6_000);
  expect(screen.getByTestId('measured-myia')).toHaveTextContent('RTX 3080, as declared');
});

test('all are asked for at once; a proof waits its turn by itself', async () => {
  const user = userEvent.setup();
  const { backend, seen } = await show(fake());
  const asked = vi.spyOn(backend, 'provePlacement');
  await user.click(screen.getByTestId('prove-all'));
  await seen();
  expect(asked.mock.calls.flat().sort()).toEqual(['myia', 'myia-turbo']);
  expect(screen.getByTestId('proof-progress-myia')).toBeVisible();
  expect(screen.getByTestId('proof-progress-myia-turbo')).toBeVisible();
  expect(screen.getByTestId('prove-all')).toBeDisabled();
});

test('a refusal stays in its row until it is put away', async () => {
  const user = userEvent.setup();
  const { pass } = await show(fake(['gpu-memory-low']));
  await user.click(screen.getByTestId('prove-myia'));
  await settled();
  const note = () => within(row('myia')).queryByRole('alert');
  expect(note()).toHaveAttribute('data-code', 'gpu_memory_low');
  expect(within(row('myia-turbo')).queryByRole('alert')).toBeNull();
  await pass(3_000);
  expect(note()).toHaveTextContent('410 MiB');
  await user.click(within(row('myia')).getByRole('button', { name: 'Dismiss' }));
  expect(note()).toBeNull();
});

test('a proof that failed says why until it is dismissed', async () => {
  const user = userEvent.setup();
  const job = (state: KeeperState) =>
    state.jobs.unshift({
      id: 'job-9',
      kind: { what: 'prove_placement' },
      service: 'myia',
      phase: 'failed',
      started_at: state.at,
      finished_at: state.at,
      stages: [],
      forecast: null,
      generation: null,
      record: null,
      golden: null,
      placement: null,
      proved: null,
      restored: null,
      cancellable: false,
      skippable: false,
      error: { code: 'not_proved', message: 'the cards were silent', hint: null, detail: null },
    });
  const { seen } = await show(fake(), job);
  expect(within(row('myia')).getByRole('alert')).toHaveTextContent('the cards were silent');
  expect(row('myia'), 'the older proof still counts').toHaveAttribute('data-status', 'ok');
  await user.click(within(row('myia')).getByRole('button', { name: 'Dismiss' }));
  await seen();
  expect(within(row('myia')).queryByRole('alert')).toBeNull();
});

test('a ComfyUI service is proved like any other', async () => {
  await show(fake(), (state) => {
    serviceOf(state, 'myia').kind = 'comfyui';
  });
  expect(screen.getByTestId('prove-myia')).toBeEnabled();
  expect(screen.getByTestId('prove-all')).toBeVisible();
});

test('without cards nothing can be proved, and that is said', async () => {
  await show(fake(['no-gpu']));
  expect(screen.getByTestId('placement-no-cards')).toBeVisible();
  expect(screen.getByTestId('prove-myia')).toBeDisabled();
});

test('without services the table gives way to a sentence', async () => {
  await show(fake(), (state) => (state.services = []));
  expect(screen.getByTestId('placement-no-services')).toBeVisible();
  expect(screen.queryByRole('table')).toBeNull();
});

test('declarations that contradict each other, and CUDA’s own order, are said', async () => {
  await show(fake(), (state) => {
    const [a, b] = state.hosts[0]?.gpus.cards.map((card) => card.latest.uuid) ?? [];
    if (!a || !b) throw new Error('two cards are needed');
    serviceOf(state, 'myia').placement.declared = {
      card: a,
      all: [
        { source: 'reservation', value: '0', cards: [a], cuda_order: false },
        { source: 'cuda_visible', value: '1', cards: [], cuda_order: true },
        { source: 'settings', value: '1', cards: [b], cuda_order: false },
      ],
      conflict: true,
    };
  });
  const declared = screen.getByTestId('declared-myia');
  expect(declared).toHaveTextContent('They name different cards');
  expect(declared).toHaveTextContent('CUDA_VISIBLE_DEVICES: 1 (in CUDA’s own order)');
  expect(declared).toHaveTextContent(/settings: 1 → RTX 3090/);
});

test('hostile texts of a device are shown as text', async () => {
  const evil = 'cuda:0 <img src=x onerror="alert(1)"> {card} \u202eevil';
  await show(fake(), (state) => {
    const { placement } = serviceOf(state, 'myia');
    if (placement.reported) placement.reported = { ...placement.reported, text: evil, cards: [] };
    placement.declared.all = [
      { source: 'reservation', value: '<b>0</b>', cards: [], cuda_order: false },
    ];
  });
  const reported = screen.getByTestId('reported-myia');
  expect(reported).toHaveTextContent('<img src=x onerror="alert(1)"> {card}');
  expect(reported).toHaveTextContent('no card of this host has this name');
  expect(reported.querySelector('img')).toBeNull();
  expect(screen.getByTestId('declared-myia').querySelector('td b')).toBeNull();
});

test('names that two cards share cannot be told apart', async () => {
  await show(fake(), (state) => {
    const cards = state.hosts[0]?.gpus.cards.map((card) => card.latest.uuid) ?? [];
    const { placement } = serviceOf(state, 'myia');
    if (placement.reported) placement.reported = { ...placement.reported, cards };
  });
  expect(screen.getByTestId('reported-myia')).toHaveTextContent('cannot be told apart');
});
