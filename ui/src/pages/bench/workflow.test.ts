import { fireEvent, screen, within } from '@testing-library/svelte';
import userEvent from '@testing-library/user-event';
import { expect, test } from 'vitest';

import type { FakeOptions } from '../../backend/fake';
import { open, settled } from '../../test-kit';

const COMFY = 'atelier-1';
const GRAPH = JSON.stringify({
  1: { class_type: 'KSampler', inputs: { seed: '%seed%', text: '%prompt%' } },
});
const asked = (calls: readonly string[]) => calls.filter((call) => call.startsWith('generate'));
const json = (text: string, name = 'mine.json') =>
  new File([text], name, { type: 'application/json' });
const drop = async (...files: File[]) => {
  const dataTransfer = { types: ['Files'], files };
  await fireEvent.drop(screen.getByTestId('bench-form'), { dataTransfer });
  await settled();
};

/** The form with nothing but a ComfyUI chosen. */
async function comfy(faults: FakeOptions['faults'] = []) {
  const user = userEvent.setup();
  const view = await open('bench', { faults: ['many-services', ...(faults ?? [])] });
  await user.click(screen.getByTestId('bench-on-myia-turbo'));
  await user.click(screen.getByTestId(`bench-on-${COMFY}`));
  await settled();
  const picker = () => screen.getByTestId(`bench-workflow-${COMFY}`);
  return { user, picker, ...view };
}

test('a workflow that is dropped is kept, chosen, and what finds a place in it is shown', async () => {
  const { user, app, backend, picker, pass } = await comfy();
  expect(picker()).toHaveValue('');
  await drop(json(GRAPH));
  expect(picker()).toHaveValue('mine');
  const parts = screen.getByTestId('bench-workflow-parts');
  const taken = within(parts).getAllByRole('listitem');
  expect(taken.map((one) => one.textContent)).toEqual(['Prompt', 'Seed']);
  expect(parts).toHaveTextContent('Has its own: Negative prompt, Steps');
  await user.click(screen.getByTestId('bench-generate'));
  await user.click(screen.getByTestId('bench-generate'));
  await settled();
  expect(screen.getByTestId('bench-queued')).toHaveTextContent('Workflow: mine');
  await pass(16_000);
  expect(asked(backend.calls)).toHaveLength(2);
  for (const call of asked(backend.calls)) expect(call).toMatch(`generate ${COMFY} by mine {`);
  expect(screen.getByTestId('bench-results')).toHaveTextContent('Workflow: mine');
  expect(app.preferences.benchView.workflows).toEqual({ [COMFY]: 'mine' });
  await user.selectOptions(picker(), '');
  await user.click(screen.getByTestId('bench-generate'));
  expect(asked(backend.calls).at(-1)).toMatch(`generate ${COMFY} {`);
});

test('what is no workflow says why, and nothing is chosen', async () => {
  const { backend, picker } = await comfy();
  await drop(json(JSON.stringify({ nodes: [], links: [] })));
  expect(screen.getByRole('alert')).toHaveTextContent('Export (API)');
  await drop(json('{'));
  expect(screen.getByRole('alert')).toHaveTextContent('no JSON');
  const before = backend.calls.length;
  await drop(json('x'.repeat(1024 * 1024 + 1)));
  expect(screen.getByRole('alert')).toHaveTextContent('at most 1 MiB');
  expect(backend.calls).toHaveLength(before);
  expect(picker()).toHaveValue('');
});

test('a Forge takes none, and the form says so', async () => {
  const user = userEvent.setup();
  const { backend } = await open('bench', { faults: ['many-services', 'workflows-kept'] });
  expect(screen.getByTestId('bench-workflow-none')).toBeDisabled();
  expect(screen.getByTestId('bench-workflow')).toHaveTextContent('needs a ComfyUI service');
  await user.click(screen.getByTestId(`bench-on-${COMFY}`));
  await user.selectOptions(screen.getByTestId(`bench-workflow-${COMFY}`), 'Portrait, two passes');
  await settled();
  expect(screen.getByTestId('bench-workflow')).toHaveTextContent(
    'Without the workflow: myia-turbo',
  );
  await user.click(screen.getByTestId('bench-generate'));
  await settled();
  const by = asked(backend.calls).map((call) => call.split(' {')[0]);
  expect(by.toSorted()).toEqual([
    `generate ${COMFY} by Portrait, two passes`,
    'generate myia-turbo',
  ]);
});

test('what stands in the way of a workflow is told before it is sent', async () => {
  const { user, picker } = await comfy(['workflows-kept']);
  await user.selectOptions(picker(), 'Needs a model');
  await user.click(screen.getByTestId('bench-hires'));
  await settled();
  const parts = screen.getByTestId('bench-workflow-parts');
  expect(parts).toHaveTextContent('It asks the form for a model');
  expect(parts).toHaveTextContent('would be refused: Second pass, larger');
  await user.selectOptions(picker(), 'torn');
  await settled();
  expect(screen.getByTestId('bench-workflow')).toHaveTextContent('the workflow is no JSON');
});

test('a workflow is removed after a second thought, and no service works with it any more', async () => {
  const { user, app, backend, picker } = await comfy(['workflows-kept']);
  await user.selectOptions(picker(), 'Needs a model');
  await user.click(screen.getByTestId('bench-workflow-remove'));
  await settled();
  expect(screen.getByTestId('workflow-confirm')).toHaveTextContent('Its file is deleted');
  await user.click(screen.getByTestId('workflow-confirm-yes'));
  await settled();
  expect(backend.calls).toContain('workflow Needs a model removed');
  expect(picker()).toHaveValue('');
  expect(app.preferences.benchView.workflows).toEqual({});
});

test('the graph of a picture is saved to a file', async () => {
  const { user, backend, picker, pass } = await comfy(['workflows-kept']);
  await user.selectOptions(picker(), 'Portrait, two passes');
  await user.click(screen.getByTestId('bench-generate'));
  await pass(9_000);
  await user.click(screen.getByTestId('bench-graph'));
  await settled();
  expect(screen.getByTestId('graph')).toHaveTextContent('FaceDetailer');
  await user.click(screen.getByTestId('graph-save'));
  await settled();
  expect(screen.getByTestId('graph-saved')).toHaveTextContent('/home/admin/workflow.json');
  expect(backend.calls).toContain(`graph of ${COMFY} by Portrait, two passes saved`);
});
