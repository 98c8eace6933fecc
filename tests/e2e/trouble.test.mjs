// The log room in the real window over a host in trouble, and over work that takes its time.
// FORGEKEEPER_BIN names the program; the stand-in lies beside it. With UPDATE_SCREENSHOTS=1 a picture
// of every state is taken, in both themes.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { Window } from './driver.mjs';
import { picture } from './pictures.mjs';
import { Site } from './site.mjs';

/** Takes milliseconds for every line, and matches none: and ends in the end. */
const SLOW = '([ -~]{0,99}){1,90}[#^][0-9]';

describe('the log room in trouble', () => {
  /** @type {Site} */
  let site;
  /** @type {Window} */
  let window;
  const click = async (id) => (await window.get(id)).click();
  const textOf = async (id) => (await window.get(id)).text();

  before(async () => {
    const binary = process.env.FORGEKEEPER_BIN;
    assert.ok(binary, 'FORGEKEEPER_BIN must name the program');
    site = await Site.start(binary, 10);
    window = await Window.open({ binary, env: site.env });
    await click('nav-logs');
    await click('log-service-myia');
    await window.get('log-row');
  });
  after(async () => {
    await window?.close();
    await site?.stop();
  });

  test('a search that takes long says so, and can be cancelled', async () => {
    // Long enough to be looked at: the history of a calm start is searched in a blink.
    await site.raise('log-flood', 'myia');
    await window.until('the flood', async () => /[12] ?,?\d{3} lines/.test(await textOf('log-count')));
    const filter = await window.get('log-filter');
    await click('log-regex');
    await filter.type(SLOW);
    await click('log-search-start');
    const cancel = await window.get('log-search-cancel');
    assert.match(await textOf('log-search-title'), /Searching/);
    await picture(window, 'searching');
    // The page still moves, whatever the expression asks of it.
    await cancel.click();
    await window.find('[data-testid="log-search"] [data-phase="cancelled"]');
    await click('log-search-back');
    await filter.clear();
    await click('log-regex');
  });

  test('silent: the log stands still while the program works, and lines come from its file', async () => {
    await site.raise('log-silent', 'myia');
    await click('nav-bench');
    await window.get('bench-on-myia');
    await window.script(`
      for (const box of document.querySelectorAll('[data-testid^="bench-on-"]')) {
        if (box.checked !== (box.dataset.testid === 'bench-on-myia')) box.click();
      }`);
    await (await window.get('bench-prompt')).type('a lighthouse');
    await click('bench-generate');
    await window.get('bench-picture', 30_000);
    await click('nav-logs');
    await click('log-service-myia');
    await window.until('the word for it', async () => /silent/i.test(await textOf('log-count')), 60_000);
    await window.until('its file', async () => /\/var\/log\//.test(await textOf('log-count')), 60_000);
    await picture(window, 'silent');
    await site.clear('log-silent');
  });
});
