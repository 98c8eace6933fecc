import { screen, within } from '@testing-library/svelte';
import userEvent from '@testing-library/user-event';
import { expect, test } from 'vitest';

import { FOUNDING } from '../../features/generation/request';
import { open, settled } from '../../test-kit';

test('every rung of both services is shown with its own status', async () => {
  await open('overview');
  for (const id of ['myia-turbo', 'myia']) {
    expect(screen.getByTestId(`lane-${id}`)).toHaveAttribute('data-status', 'ok');
    for (const rung of ['container', 'program', 'api']) {
      expect(screen.getByTestId(`rung-${id}-${rung}`)).toHaveAttribute('data-status', 'ok');
    }
    expect(screen.getByTestId(`rung-${id}-image`)).toHaveAttribute('data-status', 'unknown');
    expect(screen.getByTestId(`rung-${id}-public`)).toHaveAttribute(
      'data-status',
      'not_configured',
    );
    expect(
      screen.queryByTestId(`rung-${id}-engine`),
      'an engine that is ok stays in the footer',
    ).toBeNull();
  }
});

test('green is only said as far as it was measured', async () => {
  const { pass } = await open('overview');
  expect(screen.getByTestId('calm')).toHaveAttribute('data-say', 'green_as_far');
  expect(screen.getByTestId('calm')).toHaveTextContent('2 checks were not measured');
  await pass(500);
});

test('nothing measured is not green', async () => {
  await open('overview', { faults: ['not-measured'] });
  expect(screen.getByTestId('calm')).toHaveAttribute('data-say', 'not_known');
  expect(screen.getByTestId('lane-myia')).toHaveAttribute('data-status', 'unknown');
});

test('a stopped container is one incident with a start button that starts it', async () => {
  const user = userEvent.setup();
  const { backend, pass } = await open('overview', { faults: ['container-stopped'] });
  const incident = screen.getByTestId('incident');
  expect(incident).toHaveAttribute('data-cause', 'container.exited');
  expect(incident).toHaveTextContent('The container of myia is stopped.');
  await user.click(within(incident).getByRole('button', { name: 'Evidence' }));
  expect(incident).toHaveTextContent('exit code');
  await user.click(within(incident).getByRole('button', { name: 'Start container' }));
  await settled();
  expect(backend.calls).toContain('act myia {"verb":"start"} force=false');
  await pass(10_000);
  expect(screen.queryByTestId('incident')).toBeNull();
  expect(screen.getByTestId('lane-myia')).toHaveAttribute('data-status', 'ok');
});

test('a restart shows each stage as it is reached and its result stays', async () => {
  const user = userEvent.setup();
  const { backend, pass } = await open('overview');
  await user.click(screen.getByTestId('restart-myia-turbo'));
  await settled();
  expect(backend.calls).toContain(
    'act myia-turbo {"verb":"restart","target":"container"} force=false',
  );
  await pass(2_500);
  const stages = screen.getByTestId('stages-myia-turbo');
  expect(within(stages).getByTestId('stage-stopped')).toHaveAttribute('data-state', 'reached');
  expect(within(stages).getByTestId('stage-api_answers')).toHaveAttribute('data-state', 'waiting');
  expect(screen.getByTestId('lane-myia-turbo')).not.toHaveAttribute('data-status', 'ok');
  await pass(11_000);
  expect(within(stages).getByTestId('stage-api_answers')).toHaveTextContent('12 s');
  expect(stages).toHaveTextContent('Container restarted, API proved');
  await user.click(within(stages).getByRole('button', { name: 'Dismiss' }));
  expect(screen.queryByTestId('stages-myia-turbo')).toBeNull();
});

test('a restart that fails says why, with hint and detail', async () => {
  const user = userEvent.setup();
  const { pass } = await open('overview', { faults: ['act-fails'] });
  await user.click(screen.getByTestId('restart-myia'));
  await pass(4_000);
  const stages = screen.getByTestId('stages-myia');
  expect(stages).toHaveAttribute('data-phase', 'failed');
  expect(within(stages).getByRole('alert')).toHaveAttribute('data-code', 'port_in_use');
  expect(stages).toHaveTextContent('docker ps --filter publish=17861');
  expect(within(stages).getByTestId('stage-api_answers')).toHaveAttribute('data-state', 'missed');
});

test('a running generation is not lost without a yes', async () => {
  const user = userEvent.setup();
  const { backend, pass } = await open('overview');
  const request = { ...FOUNDING, steps: 60, seed: '1' };
  await backend.generate('myia', request);
  await pass(2_000);
  await user.click(screen.getByTestId('restart-myia'));
  await settled();
  const dialog = screen.getByTestId('confirm-dialog');
  expect(dialog).toHaveTextContent('would be lost');
  expect(dialog).toHaveTextContent('docker restart --time 30 myia-supervisor-1');
  expect(dialog).toHaveTextContent('It took 42 s ± 5.0 s in 6 runs.');
  await user.click(screen.getByTestId('confirm-cancel'));
  expect(backend.calls.filter((c) => c.startsWith('act'))).toEqual([]);
  await user.click(screen.getByTestId('restart-myia'));
  await settled();
  await user.click(screen.getByTestId('confirm-ok'));
  await settled();
  expect(backend.calls.at(-1)).toContain('force=true');
});

test('cards show what is measured, and what is not available is not zero', async () => {
  await open('overview', { faults: ['gpu-values-missing'] });
  expect(screen.getByTestId('gpu-load-0')).toHaveTextContent(/^\d+\s%$/);
  expect(screen.getByTestId('gpu-load-1')).toHaveTextContent('not available');
  expect(screen.getByTestId('gpu-1')).toHaveTextContent('Windows and unknown 1.9 GB');
});

test('without a GPU the page says what was tried', async () => {
  await open('overview', { faults: ['no-gpu'] });
  expect(screen.getByTestId('gpu-none')).toHaveTextContent('libnvidia-ml.so.1 was not found');
});

test('an engine that refuses is one incident that names what it hides', async () => {
  await open('overview', { faults: ['engine-refused'] });
  const incidents = screen.getAllByTestId('incident');
  expect(incidents).toHaveLength(1);
  expect(incidents[0]).toHaveTextContent('myia-turbo, myia');
  expect(screen.getByTestId('rung-myia-engine')).toHaveAttribute('data-status', 'failing');
  expect(screen.getByTestId('rung-myia-container')).toHaveAttribute('data-status', 'unknown');
  expect(screen.getByTestId('engine-status')).toHaveTextContent('tries again in 4 s');
});

test('without services the first start looks around and adds what was chosen', async () => {
  const user = userEvent.setup();
  const { backend } = await open('overview', { faults: ['first-start'] });
  expect(screen.getByTestId('first-start')).toBeInTheDocument();
  await user.click(within(screen.getByTestId('candidate-comfyui')).getByRole('checkbox'));
  await user.click(screen.getByTestId('adopt'));
  await settled();
  expect(backend.calls).toContain('adopt myia-turbo myia');
  expect(screen.getByTestId('lane-myia')).toBeInTheDocument();
});

test('when nothing is found the demo host is offered', async () => {
  const user = userEvent.setup();
  const { backend } = await open('overview', { faults: ['nothing-found'] });
  expect(screen.getByTestId('first-start')).toHaveTextContent('No such file or directory');
  expect(screen.queryByTestId('demo-badge')).toBeNull();
  await user.click(within(screen.getByTestId('demo-offer')).getByRole('button'));
  await settled();
  expect(backend.calls).toContain('demo');
  expect(screen.getByTestId('demo-badge')).toBeInTheDocument();
});
