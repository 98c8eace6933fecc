// The configuration in the real window: snapshots are taken, something is changed through the service's
// own API, and what changed is seen with its cause. FORGEKEEPER_BIN names the program; the stand-in lies
// beside it. With UPDATE_SCREENSHOTS=1 a picture of every state is taken, in both themes.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { Window } from './driver.mjs';
import { picture } from './pictures.mjs';
import { Site } from './site.mjs';

describe('the configuration', () => {
  /** @type {Site} */
  let site;
  /** @type {Window} */
  let window;
  let api;
  const click = async (id) => (await window.get(id)).click();
  const textOf = async (id, timeout) => (await window.get(id, timeout)).text();
  /** What an element says, also where it is cut for want of room. */
  const said = (id) =>
    window.script(`return document.querySelector('[data-testid="' + arguments[0] + '"]')?.textContent ?? ''`, id);
  const count = () =>
    window.script(`return document.querySelectorAll('[data-testid="snapshot-entry"]').length`);
  /** Takes one, and waits until it stands in the list. */
  const take = async () => {
    const had = await count();
    await click('snapshot-take');
    await window.until('one more snapshot', async () => (await count()) === had + 1, 60_000);
  };
  const post = async (options) => {
    const response = await fetch(`${api}/sdapi/v1/options`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(options),
    });
    assert.equal(response.status, 200, await response.text());
  };
  const drift = (part) =>
    window.script(
      `const found = document.querySelector('[data-testid="drift-' + arguments[0] + '"]');
       return found && { text: found.innerText,
         by: [...found.querySelectorAll('[data-testid="drift-origin"]')].map((one) => one.dataset.by) };`,
      part,
    );

  before(async () => {
    const binary = process.env.FORGEKEEPER_BIN;
    assert.ok(binary, 'FORGEKEEPER_BIN must name the program');
    site = await Site.start(binary, 20);
    // The address of `myia` as the settings have it.
    const own = site.config.split('[[service]]').find((part) => /id = "myia"/.test(part));
    api = /^api = "(.+)"$/m.exec(own)[1];
    window = await Window.open({ binary, env: site.env });
    await window.until(
      'a green lane',
      () => window.script(`return document.querySelector('[data-testid="lane-myia"]')?.dataset.status === 'ok'`),
      60_000,
    );
    await click('nav-configuration');
    await click('config-service-myia');
  });
  after(async () => {
    await window?.close();
    await site?.stop();
  });

  test('without a snapshot the first one is offered, and taken', async () => {
    assert.match(await textOf('config-empty'), /no snapshot of myia yet/);
    await picture(window, 'empty', 'config');
    await take();
    assert.match(await said('snapshot-entry'), /on demand/);
    assert.match(await textOf('drift-none'), /oldest/);
  });

  test('where nothing changed it says so', async () => {
    await take();
    await window.until('nothing changed', async () => /Nothing changed/.test(await textOf('drift-summary')), 30_000);
    await picture(window, 'same', 'config');
  });

  test('an option changed through the API is seen with its cause, old and new', async () => {
    await post({ jpeg_quality: 61, sd_model_checkpoint: 'sd_xl_base_1.0.safetensors' });
    await take();
    const found = await window.until('the change', () => drift('forge_config'), 30_000);
    assert.match(found.text, /jpeg_quality[^]*80[^]*61/);
    assert.deepEqual([...new Set(found.by)].length, 1, found.text);
    assert.match(found.by[0], /^(api_call|ui_or_api)$/);
    await window.until('it in few words', async () => /1 change.*jpeg_quality/s.test(await said('snapshot-entry')));
  });

  test('a request without the checkpoint is named as what emptied it', async () => {
    await post({ samples_format: 'webp' });
    await take();
    const found = await window.until('the loss', () => drift('forge_options'), 30_000);
    assert.match(found.text, /sd_model_checkpoint/);
    assert.deepEqual([...new Set(found.by)], ['api_call']);
    await picture(window, 'drift', 'config');
    await window.resize(1024, 640);
    await picture(window, 'small', 'config');
    await window.resize(1280, 900);
  });

  test('compared with an older one, both changes stand there; words find one of them', async () => {
    const option = await window.find('[data-testid="drift-base"] optgroup option:last-child');
    await option.click();
    await window.until('both', async () => /jpeg_quality/.test((await drift('forge_config'))?.text ?? ''), 30_000);
    const find = await window.get('drift-find');
    await find.type('jpeg');
    await window.until('one of them', async () => {
      const rows = await window.script(
        `return [...document.querySelectorAll('[data-testid="drift-forge_config"] [data-testid="drift-change"]')]
           .map((one) => one.innerText);`,
      );
      return rows.length === 1 && /jpeg_quality/.test(rows[0]);
    });
    await find.clear();
    await (await window.find('[data-testid="drift-base"] option[value="previous"]')).click();
  });

  test('what it holds is listed, verified and looked at', async () => {
    await click('snapshot-verify');
    assert.match(await textOf('snapshot-checked', 30_000), /whole/);
    const states = await window.script(
      `return [...document.querySelectorAll('[data-testid="snapshot-parts"] [data-part]')]
         .map((one) => one.dataset.part + ' ' + one.dataset.state);`,
    );
    assert.ok(states.includes('forge_config kept'), states.join(', '));
    await picture(window, 'parts', 'config');
    await (await window.find('[data-part="forge_config"] button')).click();
    assert.match(await textOf('part-text'), /"samples_format": "webp"/);
    await picture(window, 'look', 'config');
    await window.press('\uE00C');
    await window.until('no dialog', async () => (await window.all('[data-testid="part-dialog"]')).length === 0);
    await click('tab-changes');
  });

  test('a restart takes one before it, and it appears by itself', async () => {
    const had = await count();
    await click('nav-overview');
    await click('restart-myia');
    await click('nav-configuration');
    await window.until('one more', async () => (await count()) === had + 1, 60_000);
    await window.until('why it was taken', async () => /before docker restart/.test(await said('snapshot-entry')));
  });

  test('an engine that is gone leaves parts unknown, never unchanged', async () => {
    await window.until(
      'an API again',
      async () => (await fetch(`${api}/sdapi/v1/options`).catch(() => null))?.ok,
      90_000,
    );
    await site.raise('api-401', 'myia');
    await take();
    const found = await window.until('what is not known', () => drift('forge_options'), 30_000);
    assert.match(found.text, /not known/);
    assert.match(await textOf('drift-summary'), /not known/);
    await picture(window, 'unknown', 'config');
    await site.clear('api-401');
  });

  test('one is removed after a second thought', async () => {
    const had = await count();
    await click('snapshot-menu');
    await click('snapshot-menu-remove');
    await click('snapshot-remove-yes');
    await window.until('one less', async () => (await count()) === had - 1);
  });
});
