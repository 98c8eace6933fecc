import { readFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';

import { svelte } from '@sveltejs/vite-plugin-svelte';
import type { Plugin } from 'vite';
import { defineConfig } from 'vitest/config';

// `--mode fake` swaps the real keeper for a living fake; the constant lets the bundler drop
// the fake from every other build.
const ALWAYS_NEEDED =
  /node_modules\/(svelte|esm-env|clsx|@tauri-apps)\/|\/src\/(state|backend)\/(?!fake|tauri-(?:bench|guard|migration))|\/src\/shared\/(format|i18n)/;

/** Messages of the pages that come late: the first frame goes without. */
const LATE_WORDS = /^(backup|bench|gallery|generation|golden|guard|migration|verdict)\./;

/**
 * Hands out the messages of a language in two parts, `fr.json?early` and `fr.json?late`, as the modules
 * `fr.js` and `fr-late.js`, which are no files: they stand together in one.
 */
const words: Plugin = {
  name: 'words',
  enforce: 'pre',
  resolveId(source, importer) {
    const [, path, part] = /^(\..*\/messages\/\w+)\.json\?(early|late)$/.exec(source) ?? [];
    if (path === undefined || importer === undefined) return null;
    return `${resolve(dirname(importer), path)}${part === 'late' ? '-late' : ''}.js`;
  },
  async load(id) {
    const [, path, late] = /^(.*[\\/]messages[\\/][a-z]+)(-late)?\.js$/.exec(id) ?? [];
    if (path === undefined) return null;
    this.addWatchFile(`${path}.json`);
    const all = JSON.parse(await readFile(`${path}.json`, 'utf8')) as Record<string, unknown>;
    const part = Object.entries(all).filter(
      ([key]) => LATE_WORDS.test(key) === (late !== undefined),
    );
    const text = JSON.stringify(Object.fromEntries(part));
    return `export default JSON.parse(${JSON.stringify(text)});`;
  },
};

export default defineConfig(({ mode }) => ({
  plugins: [words, svelte()],
  define: { __FAKE__: JSON.stringify(mode === 'fake') },
  resolve: process.env['VITEST'] ? { conditions: ['browser'] } : {},
  clearScreen: false,
  server: { port: 1420, strictPort: true },
  build: {
    target: 'es2022',
    // Inlined assets would need `data:` in the content security policy.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    // Every file the first frame waits for is one more turn of WebKit's load, during which it
    // holds frames back: what is always needed is one sheet and two scripts, beside the words of
    // one language, which come while the keeper is asked.
    cssCodeSplit: false,
    rolldownOptions: {
      output: { codeSplitting: { groups: [{ name: 'start', test: ALWAYS_NEEDED }] } },
    },
  },
  test: {
    environment: 'jsdom',
    include: ['src/**/*.test.ts'],
    setupFiles: ['src/test-setup.ts'],
    restoreMocks: true,
    // The window opens whole in most tests, and machines are slow at times.
    testTimeout: 20_000,
  },
}));
