import { fireEvent, screen } from '@testing-library/svelte';
import userEvent from '@testing-library/user-event';
import { expect, test } from 'vitest';

import type { FakeOptions } from '../../backend/fake';
import { open, settled } from '../../test-kit';

async function gallery(options: FakeOptions = { faults: ['gallery-many'] }) {
  const user = userEvent.setup();
  const view = await open('bench', options);
  await user.click(screen.getByTestId('tab-gallery'));
  await settled();
  return { user, ...view };
}
const items = () => screen.getAllByTestId('gallery-item');
const item = (place: number) => items()[place] as HTMLElement;
const typed = async () => {
  await new Promise((resolve) => setTimeout(resolve, 300));
  await settled();
};

test('five hundred generations are there, and few of them are drawn', async () => {
  await gallery();
  expect(screen.getByTestId('gallery-count')).toHaveTextContent('500 generations');
  expect(items().length).toBeGreaterThan(4);
  expect(items().length).toBeLessThan(120);
  expect(screen.getByTestId('gallery-use')).toHaveTextContent(/MB of 2.GB/);
});

test('words, service, outcome and time narrow it down, and one button shows all again', async () => {
  const { user } = await gallery();
  await fireEvent.input(screen.getByTestId('gallery-search'), {
    target: { value: 'lighthouse STORM' },
  });
  await typed();
  const found = () => Number(screen.getByTestId('gallery-count').textContent?.match(/\d+/)?.[0]);
  const withWords = found();
  expect(withWords).toBeGreaterThan(0);
  expect(withWords).toBeLessThan(200);
  await user.selectOptions(screen.getByTestId('gallery-service'), 'myia');
  await settled();
  expect(found()).toBeLessThan(withWords);
  await user.selectOptions(screen.getByTestId('gallery-verdict'), 'blank');
  await settled();
  expect(screen.getByTestId('gallery-no-match')).toBeInTheDocument();
  await user.click(screen.getByTestId('gallery-clear'));
  await settled();
  expect(screen.getByTestId('gallery-count')).toHaveTextContent('500 generations');
  await user.selectOptions(screen.getByTestId('gallery-span'), 'day');
  await settled();
  expect(found()).toBeLessThan(60);
});

test('click, Ctrl, Shift and keys select', async () => {
  const { user } = await gallery();
  const selected = () => screen.getByTestId('gallery-selected').textContent?.trim();
  await user.click(item(0));
  expect(selected()).toBe('1 selected');
  await user.keyboard('{Control>}');
  await user.click(item(2));
  await user.keyboard('{/Control}');
  expect(selected()).toBe('2 selected');
  await user.keyboard('{Shift>}');
  await user.click(item(4));
  await user.keyboard('{/Shift}');
  expect(selected(), 'from the one before').toBe('3 selected');
  const grid = screen.getByTestId('gallery-grid');
  grid.focus();
  await user.keyboard('{Home}{Shift>}{ArrowRight}{ArrowRight}{/Shift}');
  expect(selected()).toBe('3 selected');
  expect(grid).toHaveAttribute('aria-activedescendant', item(2).id);
  await user.keyboard(' ');
  expect(selected()).toBe('2 selected');
  await user.keyboard('{Escape}');
  expect(item(0)).toHaveAttribute('aria-selected', 'false');
});

test('parameters come back into the form', async () => {
  const { user } = await gallery();
  await user.click(item(1));
  await user.click(screen.getByTestId('gallery-reuse'));
  await settled();
  expect(screen.getByTestId('bench-seed')).toHaveValue('1000001');
});

test('two are compared, and a contact sheet is saved', async () => {
  const { user, backend } = await gallery();
  await user.click(item(0));
  expect(screen.getByTestId('gallery-compare')).toBeDisabled();
  await user.keyboard('{Control>}');
  await user.click(item(1));
  await user.keyboard('{/Control}');
  await user.click(screen.getByTestId('gallery-sheet'));
  await settled();
  expect(backend.calls.at(-1)).toBe('contact sheet past-0 past-1');
  expect(screen.getByTestId('gallery-note')).toHaveTextContent('/home/admin/contact-sheet.png');
  await user.click(screen.getByTestId('gallery-compare'));
  await settled();
  expect(screen.getByTestId('compare')).toBeInTheDocument();
});

test('deleting asks first, says what goes, and what a golden run holds stays', async () => {
  const { user, backend } = await gallery({ faults: ['golden-past'] });
  await user.click(item(0));
  await user.click(screen.getByTestId('gallery-delete'));
  await settled();
  expect(screen.getByTestId('gallery-delete-dialog')).toHaveTextContent('cannot be brought back');
  expect(backend.calls.filter((call) => call.startsWith('forget'))).toEqual([]);
  await user.click(screen.getByTestId('gallery-delete-dialog-yes'));
  await settled();
  expect(screen.getByTestId('gallery-note')).toHaveTextContent('0 generations deleted. 1 stayed');
});

test('what is left after deleting stays where it is', async () => {
  const { user } = await gallery();
  await user.click(item(1));
  await user.click(screen.getByTestId('gallery-delete'));
  await settled();
  await user.click(screen.getByTestId('gallery-delete-dialog-yes'));
  await settled();
  expect(screen.getByTestId('gallery-count')).toHaveTextContent('499 generations');
  expect(screen.getByTestId('gallery-note')).toHaveTextContent('1 generation deleted.');
  expect(screen.getByTestId('gallery-delete'), 'nothing is selected').toBeDisabled();
});

test('nothing yet, and a list that cannot be read, have their own words', async () => {
  const { user } = await gallery({});
  expect(screen.getByTestId('gallery-empty')).toHaveTextContent('No picture yet');
  await user.click(screen.getByRole('button', { name: 'Make a picture' }));
  await settled();
  expect(screen.getByTestId('bench-form')).toBeInTheDocument();
});

test('a list that cannot be read is no empty one', async () => {
  await gallery({ faults: ['gallery-fails', 'gallery-many'] });
  expect(screen.getByRole('alert')).toHaveTextContent('could not be listed');
  expect(screen.queryByTestId('gallery-empty')).toBeNull();
  expect(screen.getByTestId('gallery-count')).toHaveTextContent('');
  expect(screen.getByTestId('gallery-use')).toHaveTextContent('size not known');
});
