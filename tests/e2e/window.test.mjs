// The main jobs of the real window over the demo host: the program as built, WebKitGTK, WebDriver.
// FORGEKEEPER_BIN names the program. With UPDATE_SCREENSHOTS=1 the pictures of docs/screenshots/
// are taken anew. The tests share one window and run in order, as a person would.
import assert from 'node:assert/strict';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';

import { Window } from './driver.mjs';

const BINARY = process.env.FORGEKEEPER_BIN;
const PICTURES = fileURLToPath(new URL('../../docs/screenshots/', import.meta.url));
const PAGES = ['overview', 'gpus', 'logs', 'bench', 'configuration', 'settings'];
const SERVICES = ['myia', 'myia-turbo'];

const go = async (window, page) => {
  await (await window.get(`nav-${page}`)).click();
  await window.find(`[data-testid="nav-${page}"][aria-current="page"]`);
};

const choose = async (window, id, value) => {
  const option = await window.find(`[data-testid="${id}"] option[value="${value}"]`);
  await option.click();
};

const statusOf = (window, id) =>
  window.script('return document.querySelector(arguments[0])?.dataset.status', `[data-testid="${id}"]`);

describe('the window on the demo host', () => {
  /** @type {Window} */
  let window;

  before(async () => {
    assert.ok(BINARY, 'FORGEKEEPER_BIN must name the program');
    window = await Window.open({ binary: BINARY, args: ['--demo'] });
  });
  after(async () => {
    await window?.close();
  });

  test('both lanes are green within 3 s of its opening', async () => {
    const green = await window.until('two green lanes', async () => {
      const states = await Promise.all(SERVICES.map((id) => statusOf(window, `lane-${id}`)));
      return states.every((state) => state === 'ok') && window.script('return performance.now()');
    });
    assert.ok(green < 3_000, `green after ${Math.round(green)} ms`);
    for (const service of SERVICES) {
      for (const rung of ['container', 'program', 'api']) {
        assert.equal(await statusOf(window, `rung-${service}-${rung}`), 'ok', `${rung} of ${service}`);
      }
    }
    assert.ok(await (await window.get('demo-badge')).text(), 'the window says that this is the demo host');
  });

  test('both cards show their load', async () => {
    for (const index of [0, 1]) {
      const load = await window.get(`gpu-load-${index}`);
      await window.until(`a load of card ${index}`, async () => /^\d+\s*%$/.test(await load.text()));
    }
  });

  test('a restart shows its stages and ends only when the API answered', async () => {
    await (await window.get('restart-myia-turbo')).click();
    await window.get('stages-myia-turbo');
    const seen = new Set();
    await window.until(
      'the end of the restart',
      async () => {
        const now = await window.script(`
          const stages = document.querySelector('[data-testid="stages-myia-turbo"]');
          return {
            phase: stages?.dataset.phase,
            stages: [...(stages?.querySelectorAll('[data-testid^="stage-"]') ?? [])].map((e) => e.dataset.testid),
            other: document.querySelector('[data-testid="lane-myia"]')?.dataset.status,
            api: document.querySelector('[data-testid="rung-myia-turbo-api"]')?.dataset.status,
          };`);
        now.stages.forEach((stage) => seen.add(stage));
        assert.notEqual(now.phase, 'failed', 'the restart failed');
        assert.equal(now.other, 'ok', 'the other service is left alone');
        return now.phase === 'succeeded' && now.api === 'ok';
      },
      120_000,
    );
    for (const stage of ['stopping', 'stopped', 'starting', 'container_up', 'program_up', 'api_answers']) {
      assert.ok(seen.has(`stage-${stage}`), `stage ${stage} was shown; seen: ${[...seen].join(', ')}`);
    }
    await window.until('a green lane again', async () => (await statusOf(window, 'lane-myia-turbo')) === 'ok', 30_000);
  });

  test('the log shows lines, and a filter leaves those that match', async () => {
    await go(window, 'logs');
    await (await window.get('log-service-myia-turbo')).click();
    await window.get('log-row');
    const texts = () =>
      window.script(`return [...document.querySelectorAll('[data-testid="log-row"]')].map((e) => e.textContent)`);
    await window.until('several lines', async () => (await texts()).length > 3);
    const filter = await window.get('log-filter');
    await filter.type('startup');
    await window.until('only lines that match', async () => {
      const lines = await texts();
      return lines.length > 0 && lines.every((line) => /startup/i.test(line));
    });
    await filter.clear();
    await (await window.get('log-regex')).click();
    await filter.type('[unclosed');
    assert.match(await (await window.get('log-filter-error')).text(), /\S/);
    await filter.clear();
    await (await window.get('log-regex')).click();
    await window.until('all lines again', async () => (await texts()).length > 3);
  });

  test('"Generate" brings back a picture', async () => {
    await go(window, 'bench');
    const prompt = await window.get('bench-prompt');
    await prompt.clear();
    await prompt.type('a lighthouse in a storm, oil painting');
    await (await window.get('bench-generate')).click();
    const picture = await window.get('bench-picture', 90_000);
    // Through the custom protocol, decoded by WebKit: a broken picture has no natural size.
    await window.until('a decoded picture', async () => (await picture.property('naturalWidth')) > 0);
    assert.ok((await picture.property('naturalHeight')) > 0);
    assert.equal(
      await window.script(`return document.querySelector('[data-verdict]')?.dataset.verdict`),
      'proved',
    );
  });

  test('every page fits into 1024×640', async () => {
    await window.resize(1024, 640);
    for (const page of PAGES) {
      await go(window, page);
      const { wide, width } = await window.script(
        'return { wide: document.documentElement.scrollWidth, width: innerWidth }',
      );
      assert.ok(wide <= width, `${page} is ${wide} px wide in a window of ${width}`);
    }
    await window.resize(1280, 900);
  });

  test('dark and light', async () => {
    await go(window, 'settings');
    const brightness = () =>
      window.script(`
        const [r, g, b] = getComputedStyle(document.body).backgroundColor.match(/[\\d.]+/g).map(Number);
        return (r + g + b) / 3;`);
    await choose(window, 'settings-theme', 'dark');
    await window.until('a dark page', async () => (await brightness()) < 80);
    await choose(window, 'settings-theme', 'light');
    await window.until('a light page', async () => (await brightness()) > 180);
  });

  test('French after the switch, on every page', async () => {
    await go(window, 'settings');
    await choose(window, 'settings-language', 'fr');
    await window.until('French', () => window.script(`return document.documentElement.lang === 'fr'`));
    assert.match(await (await window.get('nav-logs')).text(), /Journa/);
    for (const page of PAGES) {
      await go(window, page);
      // A key without words would be shown as itself.
      const text = await window.script('return document.body.innerText');
      assert.doesNotMatch(text, /\b(nav|bench|guard|gpus|placement|logs|settings|lane|cause|error)\.[a-z_]+\b/);
    }
    await go(window, 'settings');
    await choose(window, 'settings-language', 'en');
    await window.until('English', () => window.script(`return document.documentElement.lang === 'en'`));
  });

  // No test but a tool: registered only when it is asked for.
  const pictures = process.env.UPDATE_SCREENSHOTS === '1' ? test : () => {};
  pictures('pictures of every page for the README', async () => {
    await mkdir(PICTURES, { recursive: true });
    const set = async (theme, language) => {
      await go(window, 'settings');
      await choose(window, 'settings-theme', theme);
      await choose(window, 'settings-language', language);
      await window.until(language, () => window.script('return document.documentElement.lang === arguments[0]', language));
    };
    const settle = () => new Promise((done) => setTimeout(done, 1_200));
    for (const [theme, language] of [['dark', 'en'], ['light', 'fr']]) {
      await set(theme, language);
      for (const [width, height, suffix] of [[1280, 900, ''], [1024, 640, '-small']]) {
        await window.resize(width, height);
        for (const page of PAGES) {
          await go(window, page);
          await settle();
          await window.screenshot(join(PICTURES, `${page}-${theme}-${language}${suffix}.png`));
        }
      }
      await window.resize(1280, 900);
    }
  });
});
