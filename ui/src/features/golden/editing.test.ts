import { expect, test } from 'vitest';

import { FOUNDING } from '../generation/request';
import type { Draft } from './editing';
import { copyName, differs, keepable, MAX_NAME, moved } from './editing';

const prompt = (name: string, change: object = {}): Draft => ({
  name,
  request: { ...FOUNDING, seed: '7', ...change },
});

test('a prompt goes one place up or down, and stays at an end', () => {
  expect(moved(['a', 'b', 'c'], 2, -1)).toEqual(['a', 'c', 'b']);
  expect(moved(['a', 'b', 'c'], 0, 1)).toEqual(['b', 'a', 'c']);
  expect(moved(['a', 'b'], 0, -1)).toEqual(['a', 'b']);
  expect(moved(['a', 'b'], 1, 1)).toEqual(['a', 'b']);
  expect(moved([], 0, 1)).toEqual([]);
});

test('a copy gets a name that nothing has', () => {
  expect(copyName('Acceptance', ['Acceptance'])).toBe('Acceptance 2');
  expect(copyName('Acceptance 2', ['Acceptance', 'Acceptance 2'])).toBe('Acceptance 3');
  expect([...copyName('é'.repeat(MAX_NAME), [])]).toHaveLength(MAX_NAME);
});

test('what the keeper would refuse cannot be saved', () => {
  expect(keepable([prompt('a'), prompt('b')])).toBe(true);
  expect(keepable([]), 'an empty set').toBe(false);
  expect(keepable([prompt('a'), prompt(' a ')]), 'two of one name').toBe(false);
  expect(keepable([prompt('  ')]), 'no name').toBe(false);
  expect(keepable([prompt('a', { seed: null })]), 'no seed').toBe(false);
  expect(keepable([prompt('a', { width: 513 })]), 'a size').toBe(false);
  expect(keepable([prompt('a', { steps: NaN })]), 'no number').toBe(false);
  const set = { name: 's', prompts: [prompt('a')] };
  expect(differs(set, 's', [prompt('a')])).toBe(false);
  expect(differs(set, 's', [prompt('a', { steps: 5 })])).toBe(true);
  expect(differs(set, 't', [prompt('a')])).toBe(true);
});
