/** Restores in a real browser: from the plan to the proof and back, by keyboard, and what may go wrong. */
import assert from 'node:assert/strict';
import { test } from 'node:test';

import { toConfig } from './scenes-config.js';
import { stage, violations } from './story.js';

const story = stage();
const SMALL = { width: 1024, height: 640 };

/** Opens the plan of everything of one of the snapshots. */
async function planAll(page, place) {
  await toConfig(page);
  await page.getByTestId('snapshot-entry').nth(place).click();
  await page.getByTestId('restore-all').click();
  await page.getByTestId('restore-yes').waitFor();
}
const ended = (page) => page.getByTestId('restore-end').waitFor({ timeout: 20_000 });
const closed = (page) => page.getByTestId('restore-dialog').waitFor({ state: 'detached' });

for (const [theme, language] of [
  ['dark', 'en'],
  ['light', 'fr'],
]) {
  test(`plan, run, proof and taking back break no rule: ${theme}, ${language}`, async () => {
    await story({ theme, language, size: SMALL }, async (page) => {
      await planAll(page, 4);
      assert.deepEqual(await violations(page), [], 'a plan');
      await page.getByTestId('restore-yes').click();
      await page.locator('[data-step=stopped][data-state=reached]').waitFor();
      assert.deepEqual(await violations(page), [], 'on its way');
      await ended(page);
      assert.equal(await page.getByTestId('restore-end').getAttribute('data-status'), 'ok');
      assert.deepEqual(await violations(page), [], 'proved');
      await page.getByTestId('restore-take-back').click();
      await page.getByTestId('restore-yes').waitFor();
      assert.deepEqual(await violations(page), [], 'taking back');
      await page.getByTestId('restore-yes').click();
      await ended(page);
      await page.getByTestId('restore-close').click();
      await closed(page);
      await page.getByTestId('restore-last').waitFor();
      await page.getByTestId('drill-try').click();
      await page.getByTestId('drill-evidence').click();
      await page.getByTestId('drill-dialog').waitFor();
      assert.deepEqual(await violations(page), [], 'a trial');
    });
  });
}

test('what is refused, lost, left or changed breaks no rule either', async () => {
  const faults = ['restore-refused', 'restore-busy', 'config-bytes-lost,no-keyring'];
  for (const fault of faults) {
    await story({ size: SMALL, query: `?fault=${fault}` }, async (page) => {
      await planAll(page, 5);
      assert.deepEqual(await violations(page), [], fault);
    });
  }
  await story({ size: SMALL, query: '?fault=restore-changed' }, async (page) => {
    await planAll(page, 4);
    await page.getByTestId('restore-yes').click();
    const trouble = page.locator('[data-code=changed_meanwhile]');
    await trouble.waitFor();
    const box = await trouble.boundingBox();
    assert.ok(box.y >= 0 && box.y + box.height <= 640, 'the refusal is in sight');
    assert.deepEqual(await violations(page), [], 'changed meanwhile');
  });
  await story({ size: SMALL, query: '?fault=restore-fails' }, async (page) => {
    await planAll(page, 4);
    await page.getByTestId('restore-yes').click();
    await ended(page);
    assert.deepEqual(await violations(page), [], 'failed');
  });
});

test('the keyboard alone restores one value, and the focus goes back', async () => {
  await story({ size: SMALL }, async (page) => {
    await toConfig(page);
    await page.getByTestId('snapshot-entry').nth(2).click();
    const value = page.getByTestId('drift-forge_config').getByTestId('restore-value').nth(1);
    await value.focus();
    await page.keyboard.press('Enter');
    await page.getByTestId('restore-yes').waitFor();
    await page.getByTestId('restore-from-0').focus();
    await page.keyboard.press('ArrowRight');
    // As it was in the newer one: nothing is there to be put back but what that had.
    await page.getByTestId('restore-dialog').getByText('config.json').first().waitFor();
    await page.keyboard.press('ArrowLeft');
    await page.getByTestId('restore-yes').waitFor();
    await page.keyboard.press('Escape');
    await closed(page);
    assert.ok(await value.evaluate((one) => one === document.activeElement), 'back where it was');
    await page.keyboard.press('Enter');
    await page.getByTestId('restore-yes').focus();
    await page.keyboard.press('Enter');
    await ended(page);
    await page.keyboard.press('Escape');
    await closed(page);
    await page.waitForFunction(() => document.activeElement !== document.body);
  });
});

test('narrow as it may be, the dialog fits and nothing scrolls sideways', async () => {
  await story({ size: SMALL, language: 'fr' }, async (page) => {
    await planAll(page, 5);
    const { out, wide } = await page.evaluate(() => {
      const dialog = document.querySelector('[data-testid=restore-dialog]');
      const box = dialog.getBoundingClientRect();
      return {
        out: box.top < 0 || box.bottom > innerHeight || box.left < 0 || box.right > innerWidth,
        wide: dialog.scrollWidth - dialog.clientWidth,
      };
    });
    assert.equal(out, false);
    assert.ok(wide <= 0, `${wide} px too wide`);
    await page.keyboard.press('Escape');
    const foot = await page.getByTestId('drill').boundingBox();
    const list = await page.getByTestId('snapshot-list').locator('..').boundingBox();
    assert.ok(list.height > 150, `the list keeps ${list.height} px`);
    assert.ok(list.y + list.height <= foot.y + 1, 'the trial stands below the list');
  });
});
