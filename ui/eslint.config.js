import js from '@eslint/js';
import svelte from 'eslint-plugin-svelte';
import globals from 'globals';
import ts from 'typescript-eslint';

import svelteConfig from './svelte.config.js';

const tauri = {
  group: ['@tauri-apps/*'],
  message: 'Only src/backend talks to Tauri; use the Backend interface.',
};
const fake = {
  group: ['**/backend/fake*', '**/backend/fake/**', '**/backend/tauri*'],
  message: 'Use the Backend interface; main.ts and tests choose the implementation.',
};
const above = (...layers) => ({
  group: layers.map((layer) => `**/${layer}/**`),
  message: 'Arrows point down only: pages -> features -> state -> shared -> backend types.',
});
const layer = (files, ...patterns) => ({
  files,
  ignores: ['**/*.test.ts'],
  rules: { 'no-restricted-imports': ['error', { patterns: [tauri, fake, ...patterns] }] },
});

export default ts.config(
  { ignores: ['dist', 'dist-fake', 'node_modules', '.screenshots', 'src/backend/bindings.gen.ts'] },
  js.configs.recommended,
  ...ts.configs.strict,
  ...svelte.configs['flat/recommended'],
  { languageOptions: { globals: { ...globals.browser, __FAKE__: 'readonly' } } },
  {
    files: ['**/*.svelte', '**/*.svelte.ts'],
    languageOptions: { parserOptions: { parser: ts.parser, svelteConfig } },
  },
  { files: ['e2e/**', '*.js', '*.ts'], languageOptions: { globals: globals.node } },
  {
    rules: {
      '@typescript-eslint/no-explicit-any': 'error',
      'svelte/no-at-html-tags': 'error',
      // Svelte trims white space at the start of a block: a separator has to be an expression.
      'svelte/no-useless-mustaches': 'off',
      'no-console': 'error',
    },
  },
  { files: ['e2e/**'], rules: { 'no-console': 'off' } },
  layer(['src/pages/**']),
  layer(['src/features/**'], above('pages')),
  layer(['src/state/**'], above('pages', 'features')),
  layer(['src/shared/**'], above('pages', 'features', 'state')),
);
