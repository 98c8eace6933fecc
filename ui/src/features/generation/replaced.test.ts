import { readFileSync } from 'node:fs';

import { expect, test } from 'vitest';

import en from '../../../messages/en.json';
import fr from '../../../messages/fr.json';
import { language } from '../../shared/i18n.svelte';
import { REPLACED, told } from './replaced';

test('everything that the keeper can say was replaced has words in both languages', () => {
  const bindings = readFileSync('src/backend/bindings.gen.ts', 'utf8');
  const [, union = ''] = /export type Replaced =([^;]*);/.exec(bindings) ?? [];
  const codes = [...union.replace(/\/\*.*?\*\//gs, '').matchAll(/"([a-z_]+)"/g)].map((m) => m[1]);
  expect(codes.length).toBeGreaterThan(15);
  expect(codes.toSorted()).toEqual(Object.keys(REPLACED).toSorted());
  for (const key of Object.values(REPLACED)) {
    expect(en[key], key).toBeTruthy();
    expect(fr[key], key).toBeTruthy();
  }
});

test('what was left behind is not called a replacement in this picture', () => {
  language.use('en');
  expect(told({ field: 'options_afterwards', asked: 'a', used: 'b' })).toMatch(/put back/);
  expect(told({ field: 'hires_upscaler', asked: 'x', used: 'y' })).toBe(
    'The server replaced the second pass’s upscaler: asked for “x”, used “y”.',
  );
});
