import { afterEach, expect, test, vi } from 'vitest';

afterEach(() => {
  vi.doUnmock('../../messages/fr.json?early');
  vi.resetModules();
});

/** As a window finds it that was just opened: no words are loaded. */
async function fresh() {
  vi.resetModules();
  return import('./i18n.svelte');
}

test('a language is in use as soon as its words are there, and not before', async () => {
  const { language, t } = await fresh();
  const coming = language.use('fr');
  expect(t('nav.settings'), 'no words at all').toBe('nav.settings');
  await coming;
  expect(t('nav.settings')).toBe('Réglages');
  expect(language.locale).toBe('fr');
  const next = language.use('en');
  expect([language.locale, t('nav.settings')], 'one language at a time').toEqual([
    'fr',
    'Réglages',
  ]);
  await next;
  expect(document.documentElement.lang).toBe('en');
  language.use('fr');
  expect(t('nav.settings'), 'loaded before').toBe('Réglages');
});

test('the language that was chosen last stays, whichever words come last', async () => {
  const { language, t } = await fresh();
  await language.use('en');
  const french = language.use('fr');
  language.use('en');
  await french;
  expect([language.locale, t('nav.settings')]).toEqual(['en', 'Settings']);
});

test('words that cannot be loaded change nothing', async () => {
  vi.doMock('../../messages/fr.json?early', () => {
    throw new Error('no such file');
  });
  const { language, t } = await fresh();
  await language.use('en');
  await expect(language.use('fr')).rejects.toThrow();
  expect([language.locale, t('nav.settings')]).toEqual(['en', 'Settings']);
});

test('the words of the test bench come when they are asked for, in each language from then on', async () => {
  const { language, t } = await fresh();
  await language.use('en');
  expect(t('bench.prompt'), 'not yet').toBe('bench.prompt');
  await language.whole();
  expect([t('bench.seed'), t('nav.settings')]).toEqual(['Seed', 'Settings']);
  await language.use('fr');
  expect([t('bench.seed'), t('nav.settings')]).toEqual(['Graine', 'Réglages']);
});
