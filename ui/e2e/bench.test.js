/** The test bench in a real browser: what has to be laid out, scrolled, dropped and dragged. */
import assert from 'node:assert/strict';
import { test } from 'node:test';

import { generate, made, PARAMETERS } from './scenes-bench.js';
import { stage, violations } from './story.js';

const story = stage();
const SMALL = { width: 1024, height: 640 };

const toTab = async (page, tab) => {
  await page.getByTestId('nav-bench').click();
  await page.getByTestId(`tab-${tab}`).click();
};

for (const theme of ['dark', 'light']) {
  test(`no serious accessibility violation on the bench: ${theme}`, async () => {
    const query = '?fault=gallery-many,golden-past';
    await story({ theme, language: 'fr', size: SMALL, query }, async (page) => {
      await page.getByTestId('nav-bench').click();
      await page.getByTestId('bench-on-myia').check();
      await page.getByTestId('bench-advanced').locator('summary').click();
      await page.getByTestId('bench-hires').check();
      await page.getByTestId('bench-variation').check();
      await page.getByTestId('bench-batch').fill('99');
      assert.deepEqual(await violations(page), [], 'the form');
      await page.getByTestId('bench-batch').fill('2');
      await page.getByTestId('bench-steps').fill('4');
      await page.getByTestId('bench-generate').click();
      await page.getByTestId('bench-generate').click();
      await page.getByTestId('bench-queued').first().waitFor();
      assert.deepEqual(await violations(page), [], 'progress and queue');
      await page.getByTestId('bench-picture').nth(3).waitFor({ timeout: 20_000 });
      assert.deepEqual(await violations(page), [], 'results');
      await page.getByTestId('bench-compare').first().click();
      await page.getByTestId('compare-mode-swipe').click();
      assert.deepEqual(await violations(page), [], 'comparison');
      await page.keyboard.press('Escape');
      await page.getByTestId('tab-gallery').click();
      await page.getByTestId('gallery-item').nth(2).click();
      assert.deepEqual(await violations(page), [], 'gallery');
      await page.keyboard.press('Delete');
      await page.getByTestId('gallery-delete-dialog').waitFor();
      assert.deepEqual(await violations(page), [], 'deleting');
      await page.keyboard.press('Escape');
      await page.getByTestId('tab-golden').click();
      await page.getByTestId('golden-rows').waitFor();
      assert.deepEqual(await violations(page), [], 'golden prompts');
      await page.getByTestId('golden-blind').click();
      await page.getByTestId('blind').waitFor();
      assert.deepEqual(await violations(page), [], 'blind vote');
    });
  });
}

test('a picture dropped on the form fills it in, and undo brings back what was typed', async () => {
  await story({}, async (page) => {
    await page.getByTestId('nav-bench').click();
    await page.getByTestId('bench-prompt').fill('typed before');
    const data = await page.evaluateHandle((text) => {
      const transfer = new globalThis.DataTransfer();
      transfer.items.add(new File([text], 'harbour.png', { type: 'image/png' }));
      return transfer;
    }, PARAMETERS);
    const form = page.getByTestId('bench-form');
    await form.dispatchEvent('dragover', { dataTransfer: data });
    await page.getByText('Drop a picture').waitFor();
    await form.dispatchEvent('drop', { dataTransfer: data });
    await page.getByTestId('bench-filled').getByText('ADetailer model').waitFor();
    assert.equal(await page.getByTestId('bench-steps').inputValue(), '31');
    assert.equal(await page.getByText('Drop a picture').count(), 0);
    await page.getByTestId('bench-undo').click();
    assert.equal(await page.getByTestId('bench-prompt').inputValue(), 'typed before');
  });
});

test('a workflow dropped on the form is kept, and the editor’s own file says what to do', async () => {
  await story({ query: '?fault=many-services' }, async (page) => {
    await page.getByTestId('nav-bench').click();
    await page.getByTestId('bench-on-myia-turbo').uncheck();
    await page.getByTestId('bench-on-atelier-1').check();
    const form = page.getByTestId('bench-form');
    const drop = async (name, content) => {
      const data = await page.evaluateHandle(
        ([file, text]) => {
          const transfer = new globalThis.DataTransfer();
          transfer.items.add(new File([text], file, { type: 'application/json' }));
          return transfer;
        },
        [name, JSON.stringify(content)],
      );
      await form.dispatchEvent('drop', { dataTransfer: data });
    };
    await drop('editor.json', { nodes: [], links: [] });
    await form.getByRole('alert').getByText('Export (API)').first().waitFor();
    await drop('two passes.json', { 1: { inputs: { text: '%prompt%', seed: '%seed%' } } });
    await page.getByTestId('bench-workflow-parts').waitFor();
    const picker = page.getByTestId('bench-workflow-atelier-1');
    assert.equal(await picker.inputValue(), 'two passes');
    assert.deepEqual(await violations(page), [], 'the form with a workflow');
  });
});

test('the prompts of a set are moved and removed by the keyboard', async () => {
  await story({ size: SMALL, query: '?fault=golden-past' }, async (page) => {
    await toTab(page, 'golden');
    await page.getByTestId('golden-edit-set').click();
    await page.getByTestId('golden-edit').waitFor();
    const names = () =>
      page.getByTestId('golden-edit-name').evaluateAll((all) => all.map((one) => one.value));
    assert.deepEqual((await names()).slice(0, 2), ['Lighthouse', 'Clockmaker']);
    await page.getByTestId('golden-move-down').first().focus();
    await page.keyboard.press('Enter');
    await page.keyboard.press('Enter');
    assert.deepEqual((await names()).slice(0, 3), ['Clockmaker', 'Workshop', 'Lighthouse']);
    await page.getByTestId('golden-edit-remove').first().click();
    assert.deepEqual(await violations(page), [], 'editing a set');
    await page.getByTestId('golden-edit-remove-yes').click();
    assert.equal((await names()).length, 5);
    await page.getByTestId('golden-edit-save').click();
    await page.getByRole('heading', { name: /Acceptance 2/ }).waitFor();
  });
});

test('the keyboard alone fills the form, sends it and goes from tab to tab', async () => {
  await story({ size: SMALL }, async (page) => {
    await page.getByTestId('nav-bench').click();
    await page.getByTestId('bench-prompt').focus();
    await page.keyboard.type(' by night');
    await page.keyboard.press('Control+Enter');
    await page.getByTestId('bench-progress').waitFor();
    await page.getByTestId('tab-make').focus();
    await page.keyboard.press('ArrowRight');
    await page.getByTestId('gallery-empty').waitFor();
    await page.keyboard.press('End');
    await page.getByTestId('golden-empty').waitFor();
    assert.equal(await page.getByTestId('tab-golden').getAttribute('aria-selected'), 'true');
  });
});

test('progress, queue and result move nothing of the form', async () => {
  await story({}, async (page) => {
    await generate(page);
    const top = async () => (await page.getByTestId('bench-generate').boundingBox()).y;
    const before = await top();
    await page.getByTestId('bench-generate').click();
    await page.getByTestId('bench-queued').waitFor();
    assert.equal(await top(), before);
    await page.getByTestId('bench-picture').first().waitFor({ timeout: 20_000 });
    assert.equal(await top(), before);
  });
});

test('five hundred pictures scroll smoothly, without a shift and with few elements', async () => {
  await story({ query: '?fault=gallery-many' }, async (page) => {
    await toTab(page, 'gallery');
    await page.getByTestId('gallery-item').first().waitFor();
    const seen = await page.evaluate(async () => {
      const list = document.querySelector('[data-testid=gallery-grid]');
      let shift = 0;
      const observer = new PerformanceObserver((entries) => {
        for (const entry of entries.getEntries()) shift += entry.value;
      });
      observer.observe({ type: 'layout-shift' });
      const frame = () => new Promise((resolve) => requestAnimationFrame(resolve));
      let [most, last] = [0, -1];
      const took = [];
      // Until the end: pages come while one scrolls.
      for (let still = 0; still < 40;) {
        const began = performance.now();
        list.scrollBy(0, 90);
        await frame();
        took.push(performance.now() - began);
        most = Math.max(most, document.querySelectorAll('[data-testid=gallery-item]').length);
        still = list.scrollTop === last ? still + 1 : 0;
        last = list.scrollTop;
      }
      observer.disconnect();
      const items = [...document.querySelectorAll('[data-testid=gallery-item]')];
      const places = items.map((item) => Number(item.getAttribute('aria-posinset')));
      const median = took.sort((a, b) => a - b)[Math.floor(took.length / 2)];
      return { shift, most, median, end: Math.max(...places) };
    });
    assert.equal(seen.end, 500, 'the last one was reached');
    assert.ok(seen.most < 160, `elements at a time: ${seen.most}`);
    assert.ok(seen.shift < 0.005, `layout shift ${seen.shift}`);
    // Other tests run beside this one: single frames say nothing.
    assert.ok(seen.median < 50, `a frame took ${seen.median.toFixed(1)} ms`);
  });
});

test('pictures of the gallery are selected with pointer and keys, and the view follows', async () => {
  await story({ query: '?fault=gallery-many' }, async (page) => {
    await toTab(page, 'gallery');
    await page.getByTestId('gallery-item').nth(1).click();
    await page
      .getByTestId('gallery-item')
      .nth(4)
      .click({ modifiers: ['Shift'] });
    await page.getByTestId('gallery-selected').getByText('4 selected').waitFor();
    const list = page.getByTestId('gallery-grid');
    await list.focus();
    await page.keyboard.press('End');
    await page.waitForTimeout(400);
    const id = await list.getAttribute('aria-activedescendant');
    const box = await page.locator(`[id="${id}"]`).boundingBox();
    const around = await list.boundingBox();
    assert.ok(box.y + box.height <= around.y + around.height + 1, 'in sight');
    await page.keyboard.press('Enter');
    await page.getByTestId('gallery-details').waitFor();
  });
});

test('two pictures are zoomed and dragged together', async () => {
  await story({}, async (page) => {
    await page.getByTestId('nav-bench').click();
    await page.getByTestId('bench-steps').fill('4');
    await page.getByTestId('bench-on-myia').check();
    await page.getByTestId('bench-generate').click();
    await page.getByTestId('bench-picture').nth(1).waitFor({ timeout: 20_000 });
    await page.getByTestId('bench-compare').first().click();
    const transforms = () =>
      page
        .locator('[data-testid=compare] img')
        .evaluateAll((images) => images.map((image) => image.style.transform));
    const box = await page.getByTestId('compare-B').boundingBox();
    await page.mouse.move(box.x + box.width / 2 + 30, box.y + box.height / 2);
    await page.mouse.wheel(0, -300);
    await page.mouse.down();
    await page.mouse.move(box.x + box.width / 2 - 40, box.y + box.height / 2 + 20, { steps: 4 });
    await page.mouse.up();
    const [left, right] = await transforms();
    assert.equal(left, right);
    assert.doesNotMatch(left, /scale\(1\)/);
    await page.getByTestId('compare-mode-difference').click();
    const blend = await page
      .locator('[data-testid=compare-over] .difference')
      .evaluate((layer) => globalThis.getComputedStyle(layer).mixBlendMode);
    assert.equal(blend, 'difference');
  });
});

test('golden runs are compared, voted on blindly, and saved', async () => {
  await story({ query: '?fault=golden-past', size: SMALL }, async (page) => {
    await toTab(page, 'golden');
    await page
      .getByTestId('golden-tile-time')
      .getByText(/slower/)
      .waitFor();
    await page.getByTestId('golden-table').click();
    await page.getByTestId('golden-saved').waitFor();
    await page.getByTestId('golden-blind').click();
    for (const [place, key] of ['1', '2', '=', '0', '1'].entries()) {
      await page
        .getByTestId('blind')
        .getByText(`${place + 1} of 5`)
        .waitFor();
      await page.keyboard.press(key);
    }
    await page.getByTestId('blind-end').waitFor();
    await page.keyboard.press('Escape');
    await page
      .getByTestId('golden-tile-votes')
      .getByText(/equal 1, neither 1, open 0/)
      .waitFor();
    const wide = await page.getByTestId('golden-rows').evaluate((table) => {
      const frame = table.parentElement;
      return frame.scrollWidth - frame.clientWidth;
    });
    assert.ok(wide <= 0, `the table is ${wide} px too wide`);
  });
});

test('what was made stays on the bench after another page', async () => {
  await story({}, async (page) => {
    await made(page);
    await page.getByTestId('nav-overview').click();
    await page.getByTestId('lane-myia').waitFor();
    await page.getByTestId('nav-bench').click();
    await page.getByTestId('bench-picture').waitFor();
  });
});
