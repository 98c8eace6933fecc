/** What every test in a real browser needs. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { after, before } from 'node:test';

import { launch, open } from './browser.js';
import { serve } from './serve.js';

const axe = await readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

/** Starts server and browser for the tests of one file; what it returns tells a story. */
export function stage() {
  let server;
  let browser;
  before(async () => {
    server = await serve();
    browser = await launch();
  });
  after(async () => {
    await browser?.close();
    server?.close();
  });

  /** Runs a story on a fresh page and fails on any error or policy violation it caused. */
  return async function story(options, tell) {
    const { page, troubles, close } = await open(browser, server.url, options);
    try {
      await page.getByTestId('nav-overview').waitFor();
      await tell(page);
      assert.deepEqual(troubles, [], 'nothing was refused by the policy and nothing threw');
    } finally {
      await close();
    }
  };
}

export async function violations(page) {
  // Evaluated by the debugger, so the page's own policy stays as strict as it is.
  await page.evaluate(axe);
  const { violations: found } = await page.evaluate(() => globalThis.axe.run(document));
  return found
    .filter((v) => v.impact === 'serious' || v.impact === 'critical')
    .map((v) => `${v.id}: ${v.nodes.map((n) => n.target.join(' ')).join(' | ')}`);
}

/** Fails when what comes in within four seconds moves anything. */
export async function standsStill(page) {
  const shift = await page.evaluate(
    () =>
      new Promise((resolve) => {
        let sum = 0;
        const observer = new PerformanceObserver((list) => {
          for (const entry of list.getEntries()) sum += entry.value;
        });
        observer.observe({ type: 'layout-shift' });
        setTimeout(() => resolve(sum), 4_000);
      }),
  );
  assert.ok(shift < 0.005, `layout shift ${shift}`);
}
