/** The page of the graphics cards in a real browser: what a canvas shows and a drag does. */
import assert from 'node:assert/strict';
import { test } from 'node:test';

import { stage, standsStill, violations } from './story.js';

const story = stage();

const toPage = async (page) => {
  await page.getByTestId('nav-gpus').click();
  await page.locator('[data-testid=gpu-chart-load] canvas').waitFor();
  await page.locator('[data-testid=gpu-when]', { hasText: /newest/ }).waitFor();
};

/** How many pixels of a chart are of each card's colour. */
const drawn = (page, metric) =>
  page.evaluate((id) => {
    const canvas = globalThis.document.querySelector(`[data-testid=${id}] canvas`);
    const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
    const style = globalThis.getComputedStyle(globalThis.document.documentElement);
    return ['--voice-0', '--voice-5'].map((name) => {
      const hex = style.getPropertyValue(name).trim().slice(1);
      const want = [0, 2, 4].map((at) => parseInt(hex.slice(at, at + 2), 16));
      let count = 0;
      for (let at = 0; at < data.length; at += 4) {
        if (want.every((part, place) => Math.abs(part - data[at + place]) < 24)) count += 1;
      }
      return count;
    });
  }, `gpu-chart-${metric}`);

for (const theme of ['dark', 'light']) {
  for (const fault of ['', 'gpu-hot,gpu-contradiction', 'gpu-lost', 'gpu-history-fails']) {
    test(`no serious accessibility violation: ${theme}, ${fault || 'all is well'}`, async () => {
      await story({ theme, query: `?fault=${fault}` }, async (page) => {
        await page.getByTestId('nav-gpus').click();
        await page.waitForTimeout(700);
        assert.deepEqual(await violations(page), [], 'the page');
        await page.getByTestId('gpu-export').click();
        await page.getByTestId('gpu-export-csv').waitFor();
        assert.deepEqual(await violations(page), [], 'the menu');
      });
    });
  }
  test(`no serious accessibility violation in what a proof tells: ${theme}`, async () => {
    const size = { width: 1024, height: 640 };
    const query = '?fault=placement-wrong';
    await story({ theme, language: 'fr', size, query }, async (page) => {
      await page.getByTestId('nav-gpus').click();
      const measured = page.getByTestId('measured-myia').getByRole('button');
      for (const [index, dialog] of ['placement-evidence', 'placement-remedy'].entries()) {
        await measured.nth(index).click();
        await page.getByTestId(dialog).waitFor();
        await page.waitForTimeout(300);
        assert.deepEqual(await violations(page), [], dialog);
        const close = page.getByRole('button', { name: 'Fermer' });
        const { y, height } = await close.boundingBox();
        assert.ok(y + height < size.height, 'it can be closed without scrolling');
        await close.click();
        await page.getByTestId(dialog).waitFor({ state: 'detached' });
      }
    });
  });
}

test('both cards are drawn in every chart, and again in the colours of another theme', async () => {
  await story({ theme: 'dark' }, async (page) => {
    await toPage(page);
    for (const metric of ['load', 'memory', 'temperature', 'power']) {
      for (const count of await drawn(page, metric)) assert.ok(count > 100, `${metric}: ${count}`);
    }
    await page.evaluate(() => (globalThis.document.documentElement.dataset.theme = 'light'));
    await page.waitForTimeout(700);
    for (const count of await drawn(page, 'load')) assert.ok(count > 100, `light: ${count}`);
  });
});

test('a drag looks closer, a double click shows the whole again', async () => {
  await story({}, async (page) => {
    await toPage(page);
    const box = await page.getByTestId('gpu-chart-load').boundingBox();
    const y = box.y + box.height / 2;
    await page.mouse.move(box.x + 200, y);
    await page.locator('[data-testid=gpu-when]', { hasText: /^at / }).waitFor();
    await page.mouse.down();
    await page.mouse.move(box.x + 320, y, { steps: 4 });
    await page.mouse.up();
    await page.getByTestId('gpu-whole').waitFor();
    await page.mouse.dblclick(box.x + 300, y);
    await page.getByTestId('gpu-whole').waitFor({ state: 'detached' });
  });
});

test('the keyboard alone moves the cursor, looks closer and goes back', async () => {
  await story({}, async (page) => {
    await toPage(page);
    const chart = page.getByTestId('gpu-chart-power');
    await chart.focus();
    await page.keyboard.press('Home');
    const first = await chart.getAttribute('aria-valuetext');
    await page.keyboard.press('PageUp');
    assert.notEqual(await chart.getAttribute('aria-valuetext'), first);
    await page.keyboard.press('+');
    await page.getByTestId('gpu-whole').waitFor();
    await page.keyboard.press('Escape');
    await page.getByTestId('gpu-whole').waitFor({ state: 'detached' });
  });
});

test('the picture that is saved holds every chart', async () => {
  await story({}, async (page) => {
    await toPage(page);
    await page.evaluate(() => {
      const made = globalThis.HTMLCanvasElement.prototype.toDataURL;
      globalThis.HTMLCanvasElement.prototype.toDataURL = function (...given) {
        globalThis.pictured = { width: this.width, height: this.height };
        return made.apply(this, given);
      };
    });
    await page.getByTestId('gpu-export').click();
    await page.getByTestId('gpu-export-png').click();
    await page.getByTestId('gpu-export-done').waitFor();
    const { width, height } = await page.evaluate(() => globalThis.pictured);
    const chart = await page.getByTestId('gpu-chart-load').boundingBox();
    assert.ok(width > chart.width && height > 4 * chart.height, `${width} × ${height}`);
  });
});

test('values that change move nothing', async () => {
  await story({ size: { width: 1024, height: 640 } }, async (page) => {
    await toPage(page);
    await page.getByTestId('gpu-range-60s').click();
    await page.waitForTimeout(600);
    await standsStill(page);
  });
});

for (const [name, parts] of [
  ['overview', ['.load', '.gauge', 'p[data-testid^=gpu-shares]', 'dl']],
  ['gpus', ['.gauge', 'p[data-testid^=gpu-shares]', '.values', '.held']],
]) {
  test(`parts of neighbouring cards stand at the same height: ${name}`, async () => {
    for (const size of [
      { width: 1024, height: 640 },
      { width: 1280, height: 900 },
    ]) {
      const query = '?fault=gpu-hot,gpu-contradiction,gpu-processes';
      await story({ language: 'fr', size, query }, async (page) => {
        await page.getByTestId(`nav-${name}`).click();
        // Both cards with all their parts: what holds a card's memory is told after its load.
        await page.waitForFunction((selectors) => {
          const cards = [...document.querySelectorAll('article:has([data-testid^=gpu-shares])')];
          return (
            cards.length === 2 &&
            cards.every((card) => selectors.every((s) => card.querySelector(s)))
          );
        }, parts);
        // A very long legend, in one of the cards alone.
        await page.evaluate(() => {
          const legend = document.querySelector('[data-testid=gpu-shares-0]');
          const entry = legend.querySelector('span');
          for (let more = 0; more < 9; more++) legend.append(entry.cloneNode(true));
        });
        const tops = await page.evaluate(
          (selectors) =>
            selectors.map((selector) =>
              [...document.querySelectorAll('article:has([data-testid^=gpu-shares])')].map((card) =>
                Math.round(card.querySelector(selector).getBoundingClientRect().top),
              ),
            ),
          parts,
        );
        for (const [index, [first, second]] of tops.entries()) {
          assert.equal(first, second, `${parts[index]} at ${size.width}`);
        }
      });
    }
  });
}
