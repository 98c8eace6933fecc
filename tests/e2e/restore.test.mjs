// Configuration put back in the real window: what Forge's API changed is shown, one value and then the whole
// file go back, and both are taken back, each time to the byte as the container has it. FORGEKEEPER_BIN names
// the program; the stand-in lies beside it. With UPDATE_SCREENSHOTS=1 a picture of every state is taken.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { fileOf } from './archive.mjs';
import { Window } from './driver.mjs';
import { picture } from './pictures.mjs';
import { Site } from './site.mjs';

const CONFIG = '/opt/stable-diffusion-webui-forge/config.json';

describe('restores', () => {
  /** @type {Site} */
  let site;
  /** @type {Window} */
  let window;
  let api;
  let container;
  /** The settings as they were when the snapshot was taken, and after the API changed them. */
  let first;
  let changed;
  const click = async (id) => (await window.get(id, 30_000)).click();
  const said = (id) =>
    window.script(`return document.querySelector('[data-testid="' + arguments[0] + '"]')?.innerText ?? ''`, id);
  const data = (id, name) =>
    window.script(
      `return document.querySelector('[data-testid="' + arguments[0] + '"]')?.dataset[arguments[1]] ?? null`,
      id,
      name,
    );
  const onDisk = () => fileOf(site.env.DOCKER_HOST, container, CONFIG);
  const count = () =>
    window.script(`return document.querySelectorAll('[data-testid="snapshot-entry"]').length`);
  const take = async () => {
    const had = await count();
    await click('snapshot-take');
    await window.until('one more snapshot', async () => (await count()) === had + 1, 60_000);
  };
  const green = () =>
    window.until(
      'an API',
      async () => (await fetch(`${api}/sdapi/v1/options`).catch(() => null))?.ok,
      60_000,
    );
  /** Does what the dialog shows, to its proof. */
  const carryOut = async () => {
    await click('restore-yes');
    await window.get('restore-end', 90_000);
    assert.equal(await data('restore-end', 'status'), 'ok', await said('restore-dialog'));
  };
  const close = async () => {
    await click('restore-close');
    await window.until('no dialog', async () => (await window.all('[data-testid="restore-dialog"]')).length === 0);
  };

  before(async () => {
    const binary = process.env.FORGEKEEPER_BIN;
    assert.ok(binary, 'FORGEKEEPER_BIN must name the program');
    site = await Site.start(binary, 20);
    const own = site.config.split('[[service]]').find((part) => /id = "myia"/.test(part));
    api = /^api = "(.+)"$/m.exec(own)[1];
    container = /^container = "(.+)"$/m.exec(own)[1];
    window = await Window.open({ binary, env: site.env });
    await window.until(
      'a green lane',
      () => window.script(`return document.querySelector('[data-testid="lane-myia"]')?.dataset.status === 'ok'`),
      60_000,
    );
    await click('nav-configuration');
    await click('config-service-myia');
    await take();
    first = await onDisk();
    const response = await fetch(`${api}/sdapi/v1/options`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ jpeg_quality: 61, samples_format: 'webp' }),
    });
    assert.equal(response.status, 200);
    changed = await onDisk();
    assert.notDeepEqual(changed, first);
    await take();
    await window.get('drift-forge_config', 30_000);
  });
  after(async () => {
    await window?.close();
    await site?.stop();
  });

  test('a trial that was never made is not said to be well, and one is made', async () => {
    assert.equal(await data('drill', 'status'), 'unknown');
    await click('drill-try');
    await window.until('its end', async () => (await data('drill', 'status')) !== 'unknown', 60_000);
    await click('drill-evidence');
    assert.match(await said('drill-parts'), /config\.json came back to the byte/);
    await picture(window, 'trial', 'restore');
    await window.press('\uE00C');
    assert.deepEqual(await onDisk(), changed, 'no service is touched');
  });

  test('one value is shown, goes back, is proved, and nothing else of the file changes', async () => {
    const value = await window.find('[aria-label="Restore this value: jpeg_quality"]');
    await value.click();
    await window.get('restore-yes', 30_000);
    assert.match(await said('restore-dialog'), /jpeg_quality[^]*61[^]*80/);
    assert.match(await said('restore-stops'), /stopped/);
    assert.match(await said('restore-yes'), /Write 1 value and restart myia/);
    assert.deepEqual(await onDisk(), changed, 'only shown');
    await picture(window, 'value', 'restore');
    await carryOut();
    const then = changed.toString().replace(/("jpeg_quality": )61/, (_, key) => {
      const [, was] = /"jpeg_quality": ([\d.]+)/.exec(first.toString());
      return key + was;
    });
    assert.notEqual(then, changed.toString());
    assert.equal((await onDisk()).toString(), then);
    await picture(window, 'proved', 'restore');
  });

  test('it is taken back to the byte where it was proved', async () => {
    await click('restore-take-back');
    await window.get('restore-yes', 30_000);
    assert.match(await said('restore-dialog'), /Take back the last restore[^]*jpeg_quality/);
    await picture(window, 'take-back', 'restore');
    await carryOut();
    assert.deepEqual(await onDisk(), changed);
    await close();
    await green();
  });

  test('a whole file goes back to its exact bytes, and back again from the line below the snapshots', async () => {
    const entries = await window.all('[data-testid="snapshot-entry"]');
    await entries.at(-1).click();
    await click('tab-parts');
    await click('restore-held-forge_config');
    await window.get('restore-yes', 30_000);
    await picture(window, 'file', 'restore');
    await carryOut();
    assert.deepEqual(await onDisk(), first);
    await close();
    await green();
    await window.until('the last one', async () => /config\.json/.test(await said('restore-last')), 30_000);
    await click('restore-undo');
    await carryOut();
    assert.deepEqual(await onDisk(), changed);
    await close();
    await green();
  });

  test('what changed after it was shown is not written over', async () => {
    await click('restore-held-forge_config');
    await window.get('restore-yes', 30_000);
    const response = await fetch(`${api}/sdapi/v1/options`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ jpeg_quality: 44 }),
    });
    assert.equal(response.status, 200);
    const other = await onDisk();
    await click('restore-yes');
    await window.find('[data-testid="restore-dialog"] [data-code="changed_meanwhile"]', 30_000);
    assert.deepEqual(await onDisk(), other);
    await picture(window, 'changed', 'restore');
    await click('restore-again');
    await window.until('the new plan', async () => /44/.test(await said('restore-file-forge_config')), 30_000);
    await click('restore-cancel');
  });

  test('everything of a snapshot: what cannot go back says why', async () => {
    await click('restore-all');
    await window.get('restore-yes', 30_000);
    assert.match(await said('restore-left'), /Environment and command/);
    await window.resize(1024, 640);
    await picture(window, 'all', 'restore');
    await window.press('\uE00C');
    await window.until('no dialog', async () => (await window.all('[data-testid="restore-dialog"]')).length === 0);
  });
});
