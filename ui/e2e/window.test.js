/** Drives the fake build in a real browser; run with `node --test`. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';

import { stage, standsStill, violations } from './story.js';

const PAGES = ['overview', 'gpus', 'logs', 'bench', 'configuration', 'settings'];
const story = stage();

/** A reading once it has stopped changing: a wheel is answered a frame or more after it was turned. */
async function settled(read) {
  let seen = await read();
  for (let same = 0, tries = 0; same < 3 && tries < 40; tries++) {
    await new Promise((resolve) => setTimeout(resolve, 150));
    const now = await read();
    same = now === seen ? same + 1 : 0;
    seen = now;
  }
  return seen;
}

for (const theme of ['dark', 'light']) {
  for (const language of ['en', 'fr']) {
    test(`no serious accessibility violation: ${theme}, ${language}`, async () => {
      await story({ theme, language }, async (page) => {
        for (const name of PAGES) {
          await page.getByTestId(`nav-${name}`).click();
          await page.waitForTimeout(350);
          assert.deepEqual(await violations(page), [], name);
        }
        await page.getByTestId('nav-logs').click();
        await page.getByTestId('log-signature').last().click();
        await page.getByTestId('log-follow').waitFor();
        assert.deepEqual(await violations(page), [], 'a known message explained');
        await page.keyboard.press('Control+Shift+F');
        await page.locator('[data-testid=log-search] [data-phase=done]').waitFor();
        await page.getByTestId('log-around').first().click();
        await page.locator('[data-testid=log-around-lines] .chosen').waitFor();
        assert.deepEqual(await violations(page), [], 'results');
        await page.keyboard.press('Escape');
        await page.getByTestId('log-grouped').click();
        await page.getByTestId('log-group').first().waitFor();
        assert.deepEqual(await violations(page), [], 'groups');
        await page.getByTestId('log-range').click();
        await page.getByTestId('log-range-hour').click();
        await page.getByTestId('log-range-chip').waitFor();
        await page.getByTestId('log-range').click();
        await page.getByTestId('log-range-apply').waitFor();
        assert.deepEqual(await violations(page), [], 'time range');
        await page.keyboard.press('Escape');
        await page.getByTestId('nav-overview').click();
        await page.getByTestId('message-myia-ext.script-load').getByRole('button').click();
        await page.getByTestId('unknown-myia').getByRole('button').click();
        assert.deepEqual(await violations(page), [], 'known messages, opened');
        await page.getByTestId('restart-menu-myia').click();
        await page.getByTestId('restart-menu-myia-stop').waitFor();
        assert.deepEqual(await violations(page), [], 'menu');
        await page.getByTestId('restart-menu-myia-stop').click();
        await page.getByTestId('confirm-dialog').waitFor();
        assert.deepEqual(await violations(page), [], 'dialog');
        await page.keyboard.press('Escape');
        await page.getByTestId('rung-myia-api').click();
        await page.locator('.popover').waitFor();
        assert.deepEqual(await violations(page), [], 'popover');
        await page.keyboard.press('Escape');
        await page.keyboard.press('Control+k');
        await page.getByTestId('palette').waitFor();
        assert.deepEqual(await violations(page), [], 'palette');
        await page.keyboard.press('Escape');
      });
    });
    test(`no serious accessibility violation in forms and pictures: ${theme}, ${language}`, async () => {
      await story({ theme, language }, async (page) => {
        await page.getByTestId('nav-settings').click();
        await page.getByTestId('service-add').click();
        await page.getByTestId('service-form-save').click();
        assert.deepEqual(await violations(page), [], 'service form');
        await page.keyboard.press('Escape');
        await page.getByTestId('service-form').waitFor({ state: 'detached' });
        await page.getByTestId('settings-service-myia').getByRole('button').nth(1).click();
        await page.getByTestId('credentials-form').waitFor();
        assert.deepEqual(await violations(page), [], 'credentials form');
        await page.keyboard.press('Escape');
        await page.getByTestId('nav-logs').click();
        await page.getByTestId('open-rules').click();
        await page.getByTestId('rules-empty').waitFor();
        assert.deepEqual(await violations(page), [], 'no rules');
        await page.getByTestId('rules-add').click();
        await page.getByTestId('rule-pattern').fill('relay (');
        await page.locator('#rule-pattern-problem').waitFor();
        assert.deepEqual(await violations(page), [], 'a wrong rule');
        await page.getByTestId('rule-pattern').fill('reach the relay');
        await page.getByTestId('rule-trial').getByRole('listitem').first().waitFor();
        assert.deepEqual(await violations(page), [], 'a rule that is tried');
        await page.getByTestId('rule-id').fill('own.relay');
        await page.getByTestId('rule-save').click();
        await page.getByTestId('rule-own.relay').getByRole('button').nth(1).click();
        await page.getByTestId('silence-end').waitFor();
        assert.deepEqual(await violations(page), [], 'silence form');
        await page.getByTestId('silence-save').click();
        await page.getByTestId('silence-own.relay').waitFor();
        await page.getByTestId('rule-own.relay').getByRole('button').nth(2).click();
        assert.deepEqual(await violations(page), [], 'rules');
        await page.keyboard.press('Escape');
        await page.getByTestId('rules').waitFor({ state: 'detached' });
        await page.getByTestId('nav-bench').click();
        await page.getByTestId('bench-width').fill('100');
        assert.deepEqual(await violations(page), [], 'a wrong value');
        await page.getByTestId('bench-width').fill('512');
        await page.getByTestId('bench-steps').fill('8');
        await page.getByTestId('bench-generate').click();
        await page.getByTestId('bench-progress').waitFor();
        assert.deepEqual(await violations(page), [], 'progress');
        await page.getByTestId('bench-picture').waitFor({ timeout: 15_000 });
        assert.deepEqual(await violations(page), [], 'result');
        await page.getByTestId('bench-picture').click();
        await page.getByRole('dialog').waitFor();
        assert.deepEqual(await violations(page), [], 'lightbox');
      });
    });
  }
  for (const fault of [
    'container-stopped',
    'engine-refused',
    'context-lost',
    'log-noisy',
    'log-lost',
    'first-start',
    'settings-error,no-gpu',
    'demo',
    'no-keeper',
    'disconnected',
  ]) {
    test(`no serious accessibility violation: ${theme}, ${fault}`, async () => {
      await story({ theme, query: `?fault=${fault}` }, async (page) => {
        await page.waitForTimeout(500);
        assert.deepEqual(await violations(page), []);
      });
    });
  }
}

test('a restart goes through its stages to proof', async () => {
  await story({}, async (page) => {
    await page.getByTestId('restart-myia-turbo').click();
    const stages = page.getByTestId('stages-myia-turbo');
    await stages.getByTestId('stage-stopped').and(page.locator('[data-state=reached]')).waitFor();
    await page.locator('[data-testid=lane-myia-turbo]:not([data-status=ok])').waitFor();
    await page
      .locator('[data-testid=stages-myia-turbo][data-phase=succeeded]')
      .waitFor({ timeout: 20_000 });
    await page.locator('[data-testid=lane-myia-turbo][data-status=ok]').waitFor();
  });
});

test('a stop asks first; Escape changes nothing and gives the focus back', async () => {
  await story({}, async (page) => {
    await page.getByTestId('restart-menu-myia').focus();
    await page.keyboard.press('Enter');
    await page.getByTestId('restart-menu-myia-stop').waitFor();
    await page.keyboard.press('End');
    await page.keyboard.press('Enter');
    await page.getByTestId('confirm-dialog').waitFor();
    await page.keyboard.press('Escape');
    await page.getByTestId('confirm-dialog').waitFor({ state: 'detached' });
    await page.waitForFunction(
      () => document.activeElement?.getAttribute('data-testid') === 'restart-menu-myia',
    );
    // huntabyte/bits-ui#1667: the page stayed unclickable after menu and dialog.
    await page.getByTestId('logs-myia').click({ timeout: 3_000 });
    await page.getByTestId('log-filter').waitFor();
  });
});

test('behind a dialog shortcuts do nothing, and a yes hits whom it was asked for', async () => {
  await story({}, async (page) => {
    await page.getByTestId('restart-menu-myia').click();
    await page.getByTestId('restart-menu-myia-stop').click();
    await page.getByTestId('confirm-dialog').waitFor();
    await page.keyboard.press('Control+k');
    await page.keyboard.press('Control+2');
    await page.waitForTimeout(300);
    assert.equal(await page.getByTestId('palette').count(), 0);
    assert.equal(await page.getByTestId('lane-myia').count(), 1, 'the page is still the overview');
    await page.getByTestId('confirm-ok').click();
    await page.locator('[data-testid=lane-myia]:not([data-status=ok])').waitFor();
    assert.equal(
      await page.getByTestId('lane-myia-turbo').getAttribute('data-status'),
      'ok',
      'the other one runs on',
    );
  });
});

test('a confirmed stop stops, and start brings it back', async () => {
  await story({}, async (page) => {
    await page.getByTestId('restart-menu-myia').click();
    await page.getByTestId('restart-menu-myia-stop').click();
    await page.getByTestId('confirm-ok').click();
    await page.locator('[data-testid=incident][data-cause="container.exited"]').waitFor();
    await page.getByTestId('restart-myia').click();
    await page.locator('[data-testid=lane-myia][data-status=ok]').waitFor({ timeout: 15_000 });
  });
});

test('ten thousand lines scroll, stop following, and follow again', async () => {
  await story({ query: '?lines=10000' }, async (page) => {
    await page.getByTestId('nav-logs').click();
    await page.getByTestId('log-row').last().waitFor();
    const rows = await page.getByTestId('log-row').count();
    assert.ok(rows < 200, `${rows} rows are in the page, not all`);
    // The newest row that is drawn comes to be later than this line.
    const passes = (seq) =>
      page.waitForFunction(
        (least) =>
          Number([...document.querySelectorAll('[data-testid=log-row]')].at(-1)?.dataset.seq) >
          least,
        seq,
      );
    await passes(9_999);
    await page.getByTestId('log-row').last().hover();
    // A wheel turns notch by notch.
    for (let notch = 0; notch < 25; notch++) {
      await page.mouse.wheel(0, -120);
      await page.waitForTimeout(20);
    }
    await page.getByTestId('log-follow').waitFor();
    const top = await settled(() => page.getByTestId('log-row').first().getAttribute('data-seq'));
    assert.ok(Number(top) < 9_900, `it scrolled up, to line ${top}`);
    await page.waitForTimeout(2_300);
    assert.equal(
      await page.getByTestId('log-row').first().getAttribute('data-seq'),
      top,
      'what is read does not move while lines come',
    );
    await page.getByTestId('log-follow').click();
    await passes(10_001);
    const newest = Number(await page.getByTestId('log-row').last().getAttribute('data-seq'));
    await passes(newest);
  });
});

test('the list stands still under a pressed button, and goes on after it', async () => {
  await story({}, async (page) => {
    await page.getByTestId('nav-logs').click();
    const last = page.getByTestId('log-row').last();
    await last.waitFor();
    const seen = () =>
      page.evaluate(() => {
        const list = document.querySelector('[data-testid=log-row]').closest('[tabindex="0"]');
        return { top: list.scrollTop, end: list.scrollHeight - list.clientHeight };
      });
    await last.hover();
    await page.mouse.down();
    await page.waitForTimeout(300);
    const before = await seen();
    await page.waitForTimeout(2_300);
    const after = await seen();
    assert.equal(after.top, before.top, 'it stands still');
    assert.ok(after.end > before.end, 'while lines come');
    await page.mouse.move(5, 300);
    await page.mouse.up();
    await page.waitForFunction((top) => {
      const list = document.querySelector('[data-testid=log-row]').closest('[tabindex="0"]');
      return list.scrollTop > top && list.scrollTop + list.clientHeight >= list.scrollHeight - 24;
    }, before.top);
  });
});

test('a wrong expression keeps the log alive, and clearing it brings every line back', async () => {
  await story({}, async (page) => {
    await page.getByTestId('nav-logs').click();
    await page.getByTestId('log-filter').fill('device');
    await page.waitForFunction(() => {
      const rows = [...document.querySelectorAll('[data-testid=log-row]')];
      return rows.length > 0 && rows.every((row) => /device/i.test(row.textContent));
    });
    await page.getByTestId('log-filter').fill('');
    await page.getByTestId('log-regex').click();
    await page.getByTestId('log-filter').fill('[unclosed');
    await page.getByTestId('log-filter-error').waitFor();
    const before = await page.getByTestId('log-row').last().getAttribute('data-seq');
    await page.waitForFunction(
      (seq) => [...document.querySelectorAll('[data-testid=log-row]')].at(-1)?.dataset.seq !== seq,
      before,
    );
    await page.getByTestId('log-filter').fill('');
    await page.getByTestId('log-regex').click();
    await page.getByTestId('log-filter-error').waitFor({ state: 'detached' });
    await page.waitForFunction(
      () =>
        new Set([...document.querySelectorAll('[data-testid=log-row]')].map((r) => r.textContent))
          .size > 3,
    );
  });
});

test('a search through everything stored, lines around a result, and back with Escape', async () => {
  await story({ query: '?lines=4000' }, async (page) => {
    await page.getByTestId('nav-logs').click();
    await page.getByTestId('log-filter').fill('Startup');
    await page.keyboard.press('Control+Shift+F');
    await page.locator('[data-testid=log-search] [data-phase=done]').waitFor();
    await page.getByTestId('log-around').first().click();
    const box = page.getByTestId('log-around-lines');
    await box.locator('.chosen').waitFor();
    const seen = await box.evaluate((element) => {
      const chosen = element.querySelector('.chosen').getBoundingClientRect();
      const { top, bottom } = element.getBoundingClientRect();
      return chosen.top >= top && chosen.bottom <= bottom;
    });
    assert.ok(seen, 'the result is in sight among its neighbours');
    await page.keyboard.press('Escape');
    await page.getByTestId('log-search').waitFor({ state: 'detached' });
    assert.equal(
      await page.evaluate(() => document.activeElement?.getAttribute('data-testid')),
      'log-filter',
    );
  });
});

test('a known message is explained in sight, and following stops for it', async () => {
  await story({}, async (page) => {
    await page.getByTestId('nav-logs').click();
    await page.getByTestId('log-signature').last().click();
    const told = page.getByText('What to do');
    await told.waitFor();
    await page.getByTestId('log-follow').waitFor();
    const place = await settled(async () => JSON.stringify(await told.boundingBox()));
    await page.waitForTimeout(2_300);
    assert.equal(JSON.stringify(await told.boundingBox()), place, 'what is read does not move');
    const { y, height } = JSON.parse(place);
    assert.ok(y > 0 && y + height < 900, 'it is in the window');
  });
});

test('scrolling through ten thousand lines draws a screenful at a time, and never nothing', async () => {
  await story({ query: '?lines=10000' }, async (page) => {
    await page.getByTestId('nav-logs').click();
    await page.getByTestId('log-row').last().waitFor();
    const counts = await page.evaluate(async () => {
      const list = document.querySelector('[data-testid=log-row]').closest('[tabindex="0"]');
      const frame = () => new Promise((resolve) => requestAnimationFrame(resolve));
      const drawn = [];
      for (let step = 0; step < 90; step++) {
        list.scrollTop -= 900;
        await frame();
        await frame();
        drawn.push(document.querySelectorAll('[data-testid=log-row]').length);
      }
      return drawn;
    });
    assert.ok(Math.min(...counts) > 10, `at least ${Math.min(...counts)} rows were drawn`);
    assert.ok(Math.max(...counts) < 200, `at most ${Math.max(...counts)} rows were drawn`);
  });
});

test('a known message opens the log at its line', async () => {
  await story({}, async (page) => {
    const message = page.getByTestId('message-myia-ext.script-load');
    await message.getByRole('button').focus();
    await page.keyboard.press('Enter');
    await page.keyboard.press('Tab');
    await page.keyboard.press('Enter');
    await page.locator('[data-testid=log-service-myia][aria-pressed=true]').waitFor();
    await page.waitForFunction(() => {
      const rows = [...document.querySelectorAll('[data-testid=log-row]')];
      return rows.length > 0 && rows.every((row) => row.textContent.includes('Error loading'));
    });
  });
});

test('a picture is made, enlarged and kept in the history', async () => {
  await story({}, async (page) => {
    await page.getByTestId('nav-bench').click();
    await page.getByTestId('bench-prompt').fill('a lighthouse');
    await page.getByTestId('bench-steps').fill('8');
    await page.getByTestId('bench-generate').click();
    await page.getByTestId('bench-progress').waitFor();
    const picture = page.getByTestId('bench-picture');
    await picture.waitFor({ timeout: 10_000 });
    assert.ok(await picture.evaluate((img) => img.naturalWidth > 0), 'it decodes');
    await picture.click();
    await page.getByRole('dialog').waitFor();
    await page.keyboard.press('1');
    await page
      .getByTestId('zoom-percent')
      .getByText(/^100.?%$/u)
      .waitFor();
    await page.keyboard.press('+');
    await page
      .getByTestId('zoom-percent')
      .getByText(/^125.?%$/u)
      .waitFor();
    await page.keyboard.press('Escape');
    assert.equal(await page.getByTestId('bench-history-item').count(), 1);
  });
});

test('French after the switch, without losing what was typed', async () => {
  await story({}, async (page) => {
    const loaded = () =>
      page.evaluate(() =>
        performance
          .getEntriesByType('resource')
          .map(({ name }) => /\/(en|fr)-[^/]+\.js$/.exec(name)?.[1])
          .filter(Boolean),
      );
    assert.deepEqual(await loaded(), ['en'], 'only the words of the language in use');
    await page.getByTestId('nav-settings').click();
    await page.getByTestId('settings-language').selectOption('fr');
    await page.getByText('Vue d’ensemble').waitFor();
    assert.deepEqual(await loaded(), ['en', 'fr']);
    await page.getByTestId('nav-bench').click();
    await page.getByTestId('bench-prompt').fill('gardé');
    await page.getByTestId('nav-overview').click();
    await page.getByTestId('lane-myia').waitFor();
    await page.getByTestId('nav-bench').click();
    assert.equal(await page.getByTestId('bench-prompt').inputValue(), 'gardé');
    await page.reload();
    await page.getByText('Vue d’ensemble').first().waitFor();
    assert.equal(await page.evaluate(() => document.documentElement.lang), 'fr');
    assert.deepEqual(await loaded(), ['fr']);
  });
});

for (const [width, height] of [
  [1024, 640],
  [1280, 900],
]) {
  test(`nothing is cut off at ${width}×${height}, in French`, async () => {
    await story({ language: 'fr', size: { width, height } }, async (page) => {
      for (const name of PAGES) {
        await page.getByTestId(`nav-${name}`).click();
        await page.waitForTimeout(350);
        const wide = await page.evaluate(() => {
          const main = document.querySelector('main');
          return main.scrollWidth - main.clientWidth;
        });
        assert.equal(wide, 0, `${name} does not scroll sideways`);
      }
    });
  });
}

test('live values do not move the layout', async () => {
  await story({}, async (page) => {
    await page.waitForTimeout(600);
    await standsStill(page);
  });
});

/** Scripts that the first frame waits for, with the words of one language, in kB as sent. */
const START_KB = 73;

test('the production build holds no line of the fake, and what is late is apart', async () => {
  const { gzipSync } = await import('node:zlib');
  const { readdir } = await import('node:fs/promises');
  const { build } = await import('vite');
  const { mkdtemp, rm } = await import('node:fs/promises');
  const { tmpdir } = await import('node:os');
  const { join } = await import('node:path');
  const out = await mkdtemp(join(tmpdir(), 'forgekeeper-ui-'));
  try {
    await build({ logLevel: 'error', build: { outDir: out, emptyOutDir: true } });
    const assets = await readdir(join(out, 'assets'));
    for (const late of [
      'en',
      'fr',
      'en-late',
      'fr-late',
      'FirstStart',
      'MessagesCard',
      'Palette',
      'ConfirmAction',
      'RulesDialog',
      'EvidenceDialog',
      'RemedyDialog',
    ]) {
      assert.ok(
        assets.some((name) => name.startsWith(`${late}-`)),
        `${late} is a file of its own, which the first paint does not wait for`,
      );
    }
    for (const name of assets) {
      const text = await readFile(join(out, 'assets', name), 'utf8');
      assert.ok(!text.includes('forgekeeper.fake'), `${name} holds the fake`);
    }
    const first = (await readFile(join(out, 'index.html'), 'utf8')).match(/[\w-]+\.js(?=")/g);
    const words = assets.find((name) => name.startsWith('fr-') && !name.startsWith('fr-late-'));
    let weight = 0;
    for (const name of [...first, words]) {
      weight += gzipSync(await readFile(join(out, 'assets', name))).length / 1000;
    }
    assert.ok(weight < START_KB, `${weight.toFixed(1)} kB before the first frame`);
  } finally {
    await rm(out, { recursive: true });
  }
});
