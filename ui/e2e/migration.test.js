/** The migration in a real browser: the checklist, its dialogs, what was weighed, the flight recorder. */
import assert from 'node:assert/strict';
import { test } from 'node:test';

import { stage, violations } from './story.js';

const story = stage();
const SMALL = { width: 1024, height: 640 };

async function toMigration(page, phase) {
  await page.getByTestId('nav-migration').click();
  await page.getByTestId('migration-summary').waitFor();
  if (phase) await page.getByTestId(`phase-${phase}`).click();
}
const stateOf = (page, step) => page.getByTestId(`step-${step}`).getAttribute('data-state');

for (const theme of ['dark', 'light']) {
  test(`no serious accessibility violation on the migration: ${theme}`, async () => {
    await story({ theme, language: 'fr', size: SMALL }, async (page) => {
      await toMigration(page, 'preparation');
      assert.deepEqual(await violations(page), [], 'the checklist');
      await page.getByTestId('step-backup').getByRole('button').first().click();
      assert.deepEqual(await violations(page), [], 'a step with its evidence');
      await page.getByTestId('attest-read-docs').click();
      await page.getByTestId('step-attest').waitFor();
      assert.deepEqual(await violations(page), [], 'attesting');
      await page.keyboard.press('Escape');
      await page.getByTestId('more-compose-beside').click();
      await page.getByTestId('more-compose-beside-undo').click();
      await page.getByTestId('step-dialog-yes').waitFor();
      assert.deepEqual(await violations(page), [], 'what taking back does');
      await page.keyboard.press('Escape');
      await page.getByTestId('step-add-open').click();
      await page.getByTestId('step-add').waitFor();
      assert.deepEqual(await violations(page), [], 'adding');
      await page.keyboard.press('Escape');
      for (const part of ['background', 'record']) {
        await page.getByTestId(`tab-${part}`).click();
        assert.deepEqual(await violations(page), [], part);
      }
    });
  });
}

test('a step is checked, taken back, attested, skipped and added', async () => {
  await story({}, async (page) => {
    await toMigration(page, 'groundwork');
    assert.equal(await stateOf(page, 'disk-space'), 'stale');
    await page.getByTestId('check-disk-space').click();
    await page.locator('[data-testid=step-disk-space][data-state=proved]').waitFor();

    await page.getByTestId('phase-preparation').click();
    await page.getByTestId('attest-maintenance-window').click();
    const save = page.getByTestId('step-attest-save');
    assert.equal(await save.isDisabled(), true, 'nobody attests without a name');
    await page.getByTestId('step-by').fill('Anna <b>');
    await save.click();
    await page.locator('[data-testid=step-maintenance-window][data-state=proved]').waitFor();

    await page.getByTestId('more-workflows').click();
    await page.getByTestId('more-workflows-skip').click();
    await page.getByTestId('step-reason').fill('nobody asked for it');
    await page.getByTestId('step-skip-save').click();
    await page.locator('[data-testid=step-workflows][data-state=skipped]').waitFor();
    const row = page.getByTestId('step-workflows');
    assert.match(await row.textContent(), /nobody asked for it/);

    await page.getByTestId('step-add-open').click();
    await page.getByTestId('step-add-title').fill('Tell everybody');
    await page.getByTestId('step-add-why').fill('They know.');
    await page.getByTestId('step-add-save').click();
    await page.getByText('Tell everybody').waitFor();

    await page.getByTestId('tab-record').click();
    const record = await page.getByTestId('migration-record').textContent();
    assert.match(record, /Anna <b>/, 'a name is a name');
  });
});

test('the overview tells the phase, the progress and the next step, and leads there', async () => {
  await story({}, async (page) => {
    const card = page.getByTestId('overview-migration');
    await card.waitFor();
    assert.match(await card.textContent(), /\d+ of \d+ steps proved/);
    await card.click();
    await page.getByTestId('migration-summary').waitFor();
  });
});
