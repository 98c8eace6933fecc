import { svelte } from '@sveltejs/vite-plugin-svelte';
import { defineConfig } from 'vitest/config';

// `--mode fake` swaps the real keeper for a living fake; the constant lets the bundler drop
// the fake from every other build.
const ALWAYS_NEEDED =
  /node_modules\/(svelte|esm-env|clsx|@tauri-apps)\/|\/src\/(state|backend)\/(?!fake|tauri-bench)|\/src\/shared\/(format|i18n)/;

export default defineConfig(({ mode }) => ({
  plugins: [svelte()],
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
