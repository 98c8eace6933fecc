import { render } from '@testing-library/svelte';
import { tick } from 'svelte';

import type { FakeOptions } from './backend/fake';
import { FakeBackend } from './backend/fake';
import { firstStart } from './features/first-start/first';
import Frame from './pages/Frame.svelte';
import { messagesCard } from './features/messages/messages';
import { migrationCard } from './features/migration/card';
import { rulesDialog } from './features/rules/rules';
import { confirmation } from './features/services/confirmation';
import { loadPalette, PAGES } from './pages/registry';
import { language } from './shared/i18n.svelte';
import { lazy } from './shared/lazy';
import type { PageId } from './state/app.svelte';
import { App } from './state/app.svelte';

// Loaded before any test runs, so that what is loaded when needed appears within a few turns of
// the event loop.
await Promise.all([
  ...PAGES.map((entry) => entry.load()),
  loadPalette(),
  firstStart(),
  confirmation(),
  messagesCard(),
  migrationCard(),
  rulesDialog(),
  lazy.menu(),
  lazy.popover(),
]);

/** The whole window over the fake keeper, on one page, at one moment. */
export async function open(page: PageId, options: FakeOptions = {}) {
  language.use('en');
  const backend = new FakeBackend({ lines: 120, ...options });
  const app = new App(backend);
  app.page = page;
  const view = render(Frame, { props: { app } });
  await settled();
  return {
    app,
    backend,
    ...view,
    /** Lets the fake's time pass and the window follow. */
    async pass(ms: number, step = 250) {
      for (let gone = 0; gone < ms; gone += step) backend.advance(step);
      await settled();
    },
  };
}

/** Waits until lazily loaded pages and answered questions are on the page. */
export async function settled() {
  for (let turn = 0; turn < 12; turn++) {
    await new Promise((resolve) => setTimeout(resolve, 0));
    await tick();
  }
}
