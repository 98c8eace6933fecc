// The log room in the real window over the demo host, state by state. FORGEKEEPER_BIN names the
// program. With UPDATE_SCREENSHOTS=1 a picture of every state is taken, in both themes.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';

import { Window } from './driver.mjs';
import { picture } from './pictures.mjs';

describe('the log room on the demo host', () => {
  /** @type {Window} */
  let window;
  const click = async (id) => (await window.get(id)).click();
  const textOf = async (id) => (await window.get(id)).text();
  const count = (css) => window.script('return document.querySelectorAll(arguments[0]).length', css);
  const rows = () =>
    window.script(`return [...document.querySelectorAll('[data-testid="log-row"]')].map((e) => e.textContent)`);

  before(async () => {
    assert.ok(process.env.FORGEKEEPER_BIN, 'FORGEKEEPER_BIN must name the program');
    window = await Window.open({ binary: process.env.FORGEKEEPER_BIN, args: ['--demo'] });
    await click('nav-logs');
    await click('log-service-myia');
    await window.until('lines', async () => (await rows()).length > 3);
  });
  after(async () => {
    await window?.close();
  });

  test('live: it is at the newest line, and says that it is', async () => {
    await window.until('the stream', async () => /Live|Direct/.test(await textOf('log-count')));
    const gap = await window.script(`
      const list = document.querySelector('[role="log"]');
      return list.scrollHeight - list.scrollTop - list.clientHeight;`);
    assert.ok(gap < 24, `it ends ${gap} px above the newest line`);
    await picture(window, 'live');
  });

  test('paused: the page stands still and counts what comes', async () => {
    await click('log-pause');
    await window.until('the bar', async () => (await count('.bars button')) === 1);
    // The list made room for the bar.
    await sleep(400);
    const before = await rows();
    await sleep(500);
    assert.deepEqual(await rows(), before);
    await picture(window, 'paused');
    await click('log-pause');
  });

  test('filtered: only what matches, and every match is marked', async () => {
    const filter = await window.get('log-filter');
    await filter.type('memory');
    await window.until('matches only', async () => {
      const texts = await rows();
      return texts.length > 0 && texts.every((text) => /memory/i.test(text));
    });
    assert.ok((await count('[data-testid="log-row"] mark')) > 0);
    await picture(window, 'filtered');
    await click('log-keep');
    await window.until('other lines too', async () => (await rows()).some((text) => !/memory/i.test(text)));
    await click('log-hit-previous');
    await window.until('which match it is', async () => /^\d+ (of|sur) \d+$/.test(await textOf('log-hits')));
    await picture(window, 'in-context');
    await click('log-keep');
    await filter.clear();
  });

  test('a traceback is one row, and opens to its lines', async () => {
    await window.until('the beginning', async () => {
      await window.script(`
        const list = document.querySelector('[role="log"]');
        list.dispatchEvent(new WheelEvent('wheel', { deltaY: -1000, bubbles: true }));
        list.scrollTop -= 400;`);
      return (await count('[data-testid="log-trace"]')) > 0;
    }, 20_000);
    const open = '[data-testid="log-trace"][aria-expanded="true"]';
    // The list may still be on its way: what cannot be clicked yet is tried again.
    await window.until('an open one', async () => {
      if ((await count(open)) === 1) return true;
      await window.script(`document.querySelector('[data-testid="log-trace"]')?.scrollIntoView({ block: 'center' })`);
      await sleep(200);
      await click('log-trace');
      return false;
    });
    assert.ok((await count('[data-testid="log-row"].trace')) > 1, 'its lines stand below it');
    await picture(window, 'traceback');
  });

  test('several services stand in one list', async () => {
    await click('log-together');
    await window.until('two names', async () => {
      const names = await window.script(`return [...document.querySelectorAll('.voice')].map((e) => e.textContent)`);
      return new Set(names).size > 1;
    });
    await picture(window, 'together');
    await click('log-together');
    await click('log-service-myia');
  });

  test('grouped: lines that say the same stand together, the most frequent first', async () => {
    await click('log-grouped');
    await window.get('log-group');
    const counts = await window.script(
      `return [...document.querySelectorAll('[data-testid="log-group"] .count')].map((e) => Number(e.textContent.replace(/\\D/g, '')))`,
    );
    assert.ok(counts[0] > 1, `the first group has ${counts[0]}`);
    assert.deepEqual(counts, [...counts].sort((a, b) => b - a));
    await picture(window, 'grouped');
    await click('log-grouped');
  });

  test('a search looks through all that is stored, newest first', async () => {
    const filter = await window.get('log-filter');
    await filter.type('memory');
    await click('log-search-start');
    await window.until('results', async () => (await rows()).length > 0);
    assert.match(await textOf('log-search-progress'), /\d/);
    await picture(window, 'search');
    await click('log-search-back');
    await filter.clear();
  });

  test('empty: it says how many lines there are, and what to do', async () => {
    const filter = await window.get('log-filter');
    await filter.type('no such words anywhere');
    await window.get('log-empty');
    assert.match(await textOf('log-empty'), /\d/);
    await picture(window, 'empty');
    await filter.clear();
    await window.until('lines again', async () => (await rows()).length > 3);
  });

  test('disconnected: the lines stay, and the page says why nothing comes', async () => {
    await click('nav-overview');
    await click('restart-menu-myia');
    await click('restart-menu-myia-stop');
    await click('confirm-ok');
    await click('nav-logs');
    await click('log-service-myia');
    await window.until('the end of the stream', async () => /Not connected/.test(await textOf('log-count')), 60_000);
    assert.ok((await rows()).length > 3, 'what was said before can still be read');
    await window.until('the marker', async () => (await count('[data-testid="log-marker"]')) > 0);
    await picture(window, 'disconnected');
  });
});
