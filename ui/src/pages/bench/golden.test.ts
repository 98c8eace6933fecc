import { fireEvent, screen, within } from '@testing-library/svelte';
import userEvent from '@testing-library/user-event';
import { expect, test } from 'vitest';

import type { FakeOptions } from '../../backend/fake';
import { open, settled } from '../../test-kit';

async function golden(options: FakeOptions = { faults: ['golden-past'] }) {
  const user = userEvent.setup();
  const view = await open('bench', options);
  await user.click(screen.getByTestId('tab-golden'));
  await settled();
  return { user, ...view };
}

test('a set is made of the form, recorded, and replayed elsewhere', async () => {
  const { user, backend, pass } = await golden({});
  expect(screen.getByTestId('golden-empty')).toBeInTheDocument();
  await user.click(screen.getByTestId('golden-from-form'));
  await settled();
  expect(screen.getByTestId('golden-new')).toHaveTextContent('drawn now');
  expect(screen.getByTestId('golden-save'), 'a set needs a name').toBeDisabled();
  await user.type(screen.getByTestId('golden-name'), 'Smoke');
  await user.click(screen.getByTestId('golden-save'));
  await settled();
  const [set] = await backend.goldenSets();
  expect(set?.prompts[0]?.request.seed).toMatch(/^\d+$/);
  expect(screen.getByTestId('golden-no-runs')).toBeInTheDocument();

  await user.click(screen.getByTestId('golden-run'));
  await pass(2_000);
  expect(screen.getByTestId('golden-progress')).toHaveTextContent('0 of 1 done · test image');
  await pass(6_000);
  expect(screen.queryByTestId('golden-progress')).toBeNull();
  expect(screen.getByTestId('golden-runs')).toHaveTextContent('complete');
  expect(screen.queryByTestId('golden-comparison'), 'there is nothing to compare').toBeNull();

  await user.selectOptions(screen.getByTestId('golden-service'), 'myia');
  await user.click(screen.getByTestId('golden-run'));
  await pass(8_000);
  expect(screen.getByTestId('golden-tile-identical')).toHaveTextContent('1 of 1');
});

test('a run that is cancelled is kept as what it is', async () => {
  const { user, pass } = await golden();
  await user.click(screen.getByTestId('golden-run'));
  await pass(8_000);
  await user.click(screen.getByTestId('golden-cancel'));
  await settled();
  expect(screen.getAllByRole('row')[1]).toHaveTextContent('stopped at 1 of 6');
});

test('two runs are compared, and the failure among them is told', async () => {
  const { user, backend } = await golden();
  const tile = (key: string) => screen.getByTestId(`golden-tile-${key}`);
  expect(tile('identical')).toHaveTextContent('2 of 5');
  expect(tile('time')).toHaveTextContent(/1\.\d\d × slower/);
  expect(tile('failures')).toHaveTextContent('A 0 · B 1');
  expect(tile('similarity')).toHaveTextContent('a hint');
  expect(tile('memory')).toHaveTextContent(/\d+\.\d.GB → \d.GB/);
  expect(tile('votes')).toHaveTextContent('no vote');
  const row = screen.getByTestId('golden-row-Night market');
  expect(row).toHaveTextContent('B: out of memory');
  expect(row).toHaveTextContent(/→ unknown/);
  expect(within(row).getByTestId('golden-open')).toBeDisabled();

  await user.click(screen.getByTestId('golden-table'));
  await settled();
  expect(backend.calls.at(-1)).toBe('golden table golden-1 golden-2');
  expect(screen.getByTestId('golden-saved')).toHaveTextContent('/home/admin/golden.csv');
  await user.click(screen.getByTestId('golden-sheet'));
  await settled();
  expect(screen.getByTestId('golden-saved')).toHaveTextContent(/^Contact sheet saved/);
  expect(backend.calls.at(-1)).toMatch(/^contact sheet \S+ \S+/);
  await user.click(within(screen.getByTestId('golden-row-Fern')).getByTestId('golden-open'));
  await settled();
  expect(screen.getByTestId('compare')).toBeInTheDocument();
});

test('other runs can be chosen, and a prompt that was not run is no failure', async () => {
  const { user } = await golden();
  const third = screen.getByTestId('golden-run-golden-3');
  expect(third).toHaveTextContent('stopped at 3 of 6');
  await user.click(within(third).getByRole('radio', { name: /Compare as B/ }));
  await settled();
  expect(screen.getByTestId('golden-row-Fern')).toHaveTextContent('B: not run');
  expect(screen.getByTestId('golden-tile-failures')).toHaveTextContent('A 0 · B 0');
});

test('the blind vote tells nothing until its end', async () => {
  const { user, backend } = await golden();
  await user.click(screen.getByTestId('golden-blind'));
  await settled();
  const dialog = screen.getByTestId('blind');
  expect(dialog.textContent).not.toContain('myia');
  expect(dialog).toHaveTextContent('1 of 5');
  for (const key of ['1', '2', '=', '0']) {
    await fireEvent.keyDown(dialog, { key, code: key === '=' ? 'Equal' : `Digit${key}` });
    await settled();
  }
  expect(dialog).toHaveTextContent('5 of 5');
  expect(dialog.textContent).not.toContain('myia');
  await user.click(screen.getByTestId('blind-equal'));
  await settled();
  expect(screen.getByTestId('blind-end')).toHaveTextContent('A · myia-turbo');
  const votes = backend.calls.filter((call) => call.startsWith('vote'));
  expect(votes).toHaveLength(5);
  expect(votes.at(-1)).toBe('vote Harbour equal');
  await user.click(within(dialog).getByRole('button', { name: 'Close' }));
  await settled();
  expect(screen.getByTestId('golden-tile-votes')).toHaveTextContent('equal 2, neither 1, open 0');
});

test('a run and a set go only after one was asked', async () => {
  const { user, backend } = await golden();
  const run = screen.getByTestId('golden-run-golden-3');
  await user.click(within(run).getByRole('button', { name: /Remove the run/ }));
  await settled();
  expect(screen.getByTestId('golden-confirm')).toHaveTextContent('pictures stay in the gallery');
  await user.click(screen.getByTestId('golden-confirm-yes'));
  await settled();
  expect(screen.queryByTestId('golden-run-golden-3')).toBeNull();
  await user.click(screen.getByTestId('golden-remove-set'));
  await settled();
  await user.click(screen.getByTestId('golden-confirm-yes'));
  await settled();
  expect(backend.calls.at(-1)).toBe('golden set Acceptance removed');
  expect(screen.getByTestId('golden-empty')).toBeInTheDocument();
});

test('pictures of the gallery become prompts with the seeds they were made with', async () => {
  const user = userEvent.setup();
  const { backend } = await open('bench', { faults: ['gallery-many'] });
  await user.click(screen.getByTestId('tab-gallery'));
  await settled();
  const items = screen.getAllByTestId('gallery-item');
  await user.click(items[1] as HTMLElement);
  await user.keyboard('{Shift>}');
  await user.click(items[3] as HTMLElement);
  await user.keyboard('{/Shift}');
  await user.click(screen.getByTestId('gallery-golden'));
  await settled();
  const names = screen.getAllByTestId<HTMLInputElement>('golden-prompt-name');
  expect(names).toHaveLength(3);
  await fireEvent.input(names[0] as HTMLElement, { target: { value: names[1]?.value } });
  expect(screen.getAllByText('This name is there twice')).toHaveLength(2);
  expect(screen.getByTestId('golden-save')).toBeDisabled();
  await fireEvent.input(names[0] as HTMLElement, { target: { value: 'First' } });
  await user.type(screen.getByTestId('golden-name'), 'Chosen');
  await user.click(screen.getByTestId('golden-save'));
  await settled();
  expect(screen.getByTestId('golden-set')).toHaveTextContent('Chosen');
  const [set] = await backend.goldenSets();
  expect(set?.prompts.map(({ request }) => request.seed)).toEqual([
    '1000001',
    '1000002',
    '1000003',
  ]);
});

test('sets that cannot be read are not called none', async () => {
  await golden({ faults: ['gallery-fails'] });
  expect(screen.getByRole('alert')).toHaveTextContent('could not be read');
  expect(screen.queryByTestId('golden-empty')).toBeNull();
});

test('a set that was not run is edited: prompts change, move and go', async () => {
  const { user, backend } = await golden({ faults: ['golden-past'] });
  const prompts = (await backend.goldenSets())[0]?.prompts.slice(0, 3) ?? [];
  await backend.saveGoldenSet({ name: 'Draft', prompts });
  await user.click(screen.getByTestId('tab-make'));
  await user.click(screen.getByTestId('tab-golden'));
  await settled();
  await user.click(screen.getByRole('button', { name: /^Draft/ }));
  await settled();
  await user.click(screen.getByTestId('golden-edit-set'));
  await settled();
  expect(screen.getByTestId('golden-edit-save'), 'nothing changed').toBeDisabled();
  const names = () =>
    screen.getAllByTestId<HTMLInputElement>('golden-edit-name').map(({ value }) => value);
  const at = (id: string, place: number) => screen.getAllByTestId(id)[place] as HTMLElement;
  await user.click(at('golden-move-up', 2));
  await settled();
  expect(names()).toEqual(['Lighthouse', 'Workshop', 'Clockmaker']);
  expect(document.activeElement, 'the focus goes along').toBe(at('golden-move-up', 1));
  await user.click(at('golden-edit-remove', 2));
  expect(names(), 'after a second thought').toHaveLength(3);
  await user.click(screen.getByTestId('golden-edit-remove-yes'));
  await settled();
  expect(names()).toEqual(['Lighthouse', 'Workshop']);
  await fireEvent.input(at('golden-edit-seed', 0), { target: { value: '' } });
  await settled();
  expect(screen.getByTestId('golden-edit-save'), 'no fixed seed').toBeDisabled();
  await fireEvent.input(at('golden-edit-seed', 0), { target: { value: '5' } });
  await fireEvent.input(at('golden-edit-steps', 0), { target: { value: '9' } });
  await fireEvent.input(at('golden-edit-name', 1), { target: { value: 'Shed' } });
  await settled();
  await user.click(screen.getByTestId('golden-edit-save'));
  await settled();
  const kept = (await backend.goldenSets()).find(({ name }) => name === 'Draft');
  expect(kept?.prompts.map(({ name }) => name)).toEqual(['Lighthouse', 'Shed']);
  expect(kept?.prompts[0]?.request).toMatchObject({ seed: '5', steps: 9 });
});

test('a set that was run stays as it is: its copy may change', async () => {
  const { user, backend } = await golden();
  expect(screen.getByTestId('golden-edit-set')).toHaveTextContent('Duplicate');
  await user.click(screen.getByTestId('golden-edit-set'));
  await settled();
  expect(screen.getByTestId('golden-copy-name')).toHaveValue('Acceptance 2');
  await fireEvent.input(screen.getByTestId('golden-copy-name'), {
    target: { value: 'Acceptance' },
  });
  await settled();
  expect(screen.getByTestId('golden-edit-save'), 'never in its place').toBeDisabled();
  await fireEvent.input(screen.getByTestId('golden-copy-name'), { target: { value: 'Next' } });
  await settled();
  await user.click(screen.getByTestId('golden-edit-save'));
  await settled();
  const names = (await backend.goldenSets()).map(({ name }) => name);
  expect(names).toEqual(['Acceptance', 'Next']);
  expect(screen.getByTestId('golden-set')).toHaveAccessibleName('Next');
  expect(screen.getByTestId('golden-edit-set')).toHaveTextContent('Edit');
});

test('the finding of the keeper is said in words', async () => {
  await golden();
  expect(screen.getByTestId('golden-finding')).toHaveTextContent('gave none');
});
