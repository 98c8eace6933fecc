/** What the owner decides of the migration, in a real browser: values of the plan's file, images, extensions. */
import assert from 'node:assert/strict';
import { test } from 'node:test';

import { stage, violations } from './story.js';

const story = stage();
const SMALL = { width: 1024, height: 640 };

async function toStep(page, phase, step) {
  await page.getByTestId('nav-migration').click();
  await page.getByTestId('migration-summary').waitFor();
  await page.getByTestId(`phase-${phase}`).click();
  if (step) await page.getByTestId(`step-${step}`).getByRole('button').first().click();
}
const input = (page, key) => page.getByTestId(`setting-${key}`).locator('input, select');

for (const theme of ['dark', 'light']) {
  test(`no serious accessibility violation where something is decided: ${theme}`, async () => {
    await story({ theme, language: 'fr', size: SMALL }, async (page) => {
      await toStep(page, 'groundwork', 'target-image');
      await page.getByTestId('images').waitFor();
      assert.deepEqual(await violations(page), [], 'the images');
      await page.getByTestId('plan-settings-open').click();
      await page.getByTestId('setting-port').waitFor();
      assert.deepEqual(await violations(page), [], 'the values');
      await input(page, 'port').fill('99999');
      await page.getByText('n’est pas un port').waitFor();
      assert.deepEqual(await violations(page), [], 'a wrong value');
      await page.getByTestId('tab-iis').click();
      assert.deepEqual(await violations(page), [], 'the public address');
      await page.keyboard.press('Escape');
      await toStep(page, 'migration', 'custom-nodes');
      await page.getByTestId('extensions').waitFor();
      assert.deepEqual(await violations(page), [], 'the extensions');
    });
  });
}

test('values are judged at their field, shown as a change, and written with the keyboard alone', async () => {
  await story({}, async (page) => {
    await toStep(page, 'groundwork');
    await page.getByTestId('set-gpu-plan').focus();
    await page.keyboard.press('Enter');
    const card = input(page, 'gpu');
    await card.waitFor();
    assert.equal(await card.evaluate((node) => node === document.activeElement), true);
    assert.equal(await input(page, 'to').inputValue(), 'comfyui', 'what was found is filled in');
    assert.match(await page.getByTestId('setting-to').textContent(), /Suggested/);

    const port = input(page, 'port');
    await port.fill('0');
    await page.getByTestId('setting-port').getByText('“0” is no port').waitFor();
    assert.equal(await port.getAttribute('aria-invalid'), 'true');
    assert.equal(await page.getByTestId('settings-save').isDisabled(), true);

    // What was typed is there again after the dialog was closed; nothing was written.
    await page.keyboard.press('Escape');
    await page.getByTestId('plan-settings').waitFor({ state: 'detached' });
    await page.getByTestId('plan-settings-open').click();
    assert.equal(await input(page, 'port').inputValue(), '0');
    await page.getByTestId('settings-discard').click();
    assert.equal(await input(page, 'port').inputValue(), '8188');

    await input(page, 'gpu').selectOption({
      label: 'NVIDIA GeForce RTX 3090 · GPU-3b2c1d0e-aaaa-bbbb-cccc-000000000001',
    });
    const change = page.getByRole('group', { name: 'What changes in' });
    await change.getByText('+gpu = "GPU-3b2c1d0e').waitFor();
    assert.match(await change.textContent(), /\+port = 8188/);
    await input(page, 'port').focus();
    await page.keyboard.press('Enter');
    await page.getByTestId('plan-settings').waitFor({ state: 'detached' });

    await page.getByTestId('plan-settings-open').click();
    await page.getByTestId('no-change').waitFor();
    await page.keyboard.press('Escape');
    await page.getByTestId('tab-record').click();
    assert.match(await page.getByTestId('migration-record').textContent(), /Plan changed/);
  });
});

test('an image is chosen beside the evidence, and asked for at once', async () => {
  await story({}, async (page) => {
    await toStep(page, 'groundwork', 'target-image');
    const images = page.getByTestId('images');
    await images.waitFor();
    const own = images.locator('[aria-current=true]');
    assert.match(await own.textContent(), /comfyanonymous/);
    await page.getByTestId('use-yanwk/comfyui-boot:cu126-slim').click();
    await images.locator('[aria-current=true]', { hasText: 'yanwk' }).waitFor();
    await page.getByTestId('tab-record').click();
    assert.match(await page.getByTestId('migration-record').textContent(), /Check/);
  });
});

test('each extension is decided in the table, and undecided again', async () => {
  await story({}, async (page) => {
    await toStep(page, 'migration', 'custom-nodes');
    const counted = page.getByTestId('extensions-counted');
    await counted.getByText('3 to decide').waitFor();
    const row = page.getByTestId('extension-adetailer');
    await page.getByTestId('decide-adetailer').selectOption('adopt:ComfyUI-Impact-Pack');
    await counted.getByText('1 adopted').waitFor();
    assert.equal(await row.getAttribute('data-decision'), 'adopt');
    await page.getByTestId('note-adetailer').fill('faces');
    await page.keyboard.press('Tab');

    // Others have to be named before they are a decision.
    await page.getByTestId('decide-our-own-things').selectOption('other');
    assert.equal(
      await page.getByTestId('extension-our-own-things').getAttribute('data-decision'),
      'none',
    );
    await page.getByTestId('node-our-own-things').fill('our-nodes');
    await page.keyboard.press('Enter');
    await counted.getByText('2 adopted').waitFor();
    await page.getByTestId('decide-adetailer').selectOption('');
    await counted.getByText('1 adopted').waitFor();
    assert.equal(await row.getAttribute('data-decision'), 'none');
    const back = page.getByRole('button', { name: 'Take the decision back' });
    await back.click();
    await back.waitFor({ state: 'detached' });
  });
});

test('the votes are a click away', async () => {
  await story({}, async (page) => {
    await toStep(page, 'migration', 'quality');
    await page.getByTestId('to-votes').click();
    assert.equal(await page.getByTestId('nav-bench').getAttribute('aria-current'), 'page');
  });
});
