/** The configuration in a real browser: what has to be laid out, scrolled, and reached by keyboard. */
import assert from 'node:assert/strict';
import { test } from 'node:test';

import { toConfig } from './scenes-config.js';
import { stage, standsStill, violations } from './story.js';

const story = stage();
const SMALL = { width: 1024, height: 640 };

for (const theme of ['dark', 'light']) {
  test(`no serious accessibility violation on the configuration: ${theme}`, async () => {
    const query = '?fault=config-damaged';
    await story({ theme, language: 'fr', size: SMALL, query }, async (page) => {
      await toConfig(page);
      assert.deepEqual(await violations(page), [], 'a drift by keys');
      await page.getByTestId('snapshot-entry').nth(4).click();
      await page.getByTestId('diff-line').first().waitFor();
      assert.deepEqual(await violations(page), [], 'a drift by lines');
      await page.getByTestId('snapshot-entry').nth(1).click();
      await page.locator('[data-finding=not_read]').first().waitFor();
      assert.deepEqual(await violations(page), [], 'what is not known');
      await page.getByTestId('snapshot-verify').click();
      await page.getByTestId('snapshot-checked').waitFor();
      assert.deepEqual(await violations(page), [], 'what it holds');
      await page.getByTestId('snapshot-parts').getByRole('button').first().click();
      await page.getByTestId('part-text').waitFor();
      assert.deepEqual(await violations(page), [], 'a part');
      await page.keyboard.press('Escape');
      await page.getByTestId('snapshot-menu').click();
      await page.getByTestId('snapshot-menu-remove').click();
      await page.getByTestId('snapshot-remove').waitFor();
      assert.deepEqual(await violations(page), [], 'removing');
    });
  });
}

test('without snapshots and without services it is usable, too', async () => {
  await story({ size: SMALL, query: '?fault=config-none' }, async (page) => {
    await page.getByTestId('nav-configuration').click();
    await page.getByTestId('config-empty').waitFor();
    assert.deepEqual(await violations(page), [], 'empty');
    await page.getByTestId('snapshot-take').focus();
    await page.keyboard.press('Enter');
    await page.getByTestId('snapshot-entry').waitFor();
  });
});

test('the keyboard alone goes through snapshots, comparison, parts and back', async () => {
  await story({ size: SMALL }, async (page) => {
    await page.getByTestId('nav-configuration').focus();
    await page.keyboard.press('Enter');
    await page.getByTestId('snapshot-list').waitFor();
    await page.getByTestId('snapshot-list').focus();
    await page.keyboard.press('End');
    const chosen = () => page.locator('[data-testid=snapshot-entry][aria-selected=true]');
    const box = await chosen().boundingBox();
    assert.ok(box.y > 0 && box.y + box.height <= 640, 'the chosen one is in sight');
    await page.getByTestId('drift-none').waitFor();
    await page.keyboard.press('ArrowUp');
    await page.getByTestId('drift-forge_styles').waitFor();
    await page.getByTestId('tab-changes').focus();
    await page.keyboard.press('ArrowRight');
    const look = page.getByTestId('snapshot-parts').getByRole('button').first();
    await look.focus();
    await page.keyboard.press('Enter');
    await page.getByTestId('part-text').waitFor();
    await page.keyboard.press('Escape');
    await page.getByTestId('part-dialog').waitFor({ state: 'detached' });
    assert.ok(await look.evaluate((one) => one === document.activeElement), 'back where it was');
  });
});

test('the page stands still, and its two sides scroll by themselves', async () => {
  await story({ size: SMALL, query: '?fault=config-many' }, async (page) => {
    await toConfig(page);
    await page.waitForTimeout(600);
    await standsStill(page);
    const { main, list, wide } = await page.evaluate(() => {
      const side = document.querySelector('[data-testid=snapshot-list]').parentElement;
      const whole = document.querySelector('main');
      return {
        main: whole.scrollHeight - whole.clientHeight,
        list: side.scrollHeight - side.clientHeight,
        wide: whole.scrollWidth - whole.clientWidth,
      };
    });
    assert.ok(main <= 0, `the page scrolls by ${main}`);
    assert.ok(list > 200, `the list scrolls by ${list}`);
    assert.equal(wide, 0);
  });
});

test('the backup has a side of its own; what was chosen is still chosen afterwards', async () => {
  await story({ size: SMALL }, async (page) => {
    await toConfig(page);
    const third = page.getByTestId('snapshot-entry').nth(2);
    await third.click();
    await page.getByTestId('tab-snapshots').focus();
    await page.keyboard.press('ArrowRight');
    await page.getByTestId('backup').waitFor();
    assert.equal(await page.getByTestId('snapshot-list').count(), 0);
    assert.deepEqual(await violations(page), []);
    await page.keyboard.press('ArrowLeft');
    await page.getByTestId('drift-forge_config').waitFor();
    assert.equal(await third.getAttribute('aria-selected'), 'true');
  });
});

test('hostile texts turn nothing and run nothing', async () => {
  await story({ size: SMALL, query: '?fault=config-hostile' }, async (page) => {
    await toConfig(page);
    await page.getByTestId('snapshot-entry').nth(4).click();
    await page.getByTestId('drift-forge_ui_config').getByText('onerror').first().waitFor();
    assert.equal(await page.locator('article img, article script').count(), 0);
    const wide = await page.evaluate(() => {
      const all = [...document.querySelectorAll('[data-testid=snapshot-detail] article')];
      return Math.max(...all.map((one) => one.scrollWidth - one.clientWidth));
    });
    assert.ok(wide <= 0, `a part is ${wide} px too wide`);
  });
});
