// The migration in the real window, on the demo host: steps are measured against its registry, disk and
// services, one is done and taken back, one attested. FORGEKEEPER_BIN names the program; the stand-in lies
// beside it. With UPDATE_SCREENSHOTS=1 a picture of every state is taken, in both themes.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { Window } from './driver.mjs';
import { picture } from './pictures.mjs';
import { Site } from './site.mjs';

describe('the migration', () => {
  /** @type {Site} */
  let site;
  /** @type {Window} */
  let window;
  const click = async (id) => (await window.get(id)).click();
  const state = (step) =>
    window.script(
      `return document.querySelector('[data-testid="step-' + arguments[0] + '"]')?.dataset.state ?? null`,
      step,
    );
  const said = (id) =>
    window.script(`return document.querySelector('[data-testid="' + arguments[0] + '"]')?.innerText ?? ''`, id);
  const becomes = (step, wanted, within = 60_000) =>
    window.until(`${step} ${wanted}`, async () => (await state(step)) === wanted, within);

  before(async () => {
    const binary = process.env.FORGEKEEPER_BIN;
    assert.ok(binary, 'FORGEKEEPER_BIN must name the program');
    site = await Site.start(binary, 20);
    window = await Window.open({ binary, env: site.env });
    await window.get('nav-migration', 60_000);
    await click('nav-migration');
    await window.get('migration-summary', 30_000);
  });
  after(async () => {
    await window?.close();
    await site?.stop();
  });

  test('a fresh plan has nothing proved, and says what comes first', async () => {
    await click('phase-groundwork');
    assert.equal(await state('target-image'), 'ready');
    assert.match(await said('migration-summary'), /0 of \d+ steps proved/);
    await picture(window, 'fresh', 'migration');
  });

  test('the disk is measured, and its evidence is shown', async () => {
    await click('check-disk-space');
    await window.until('a verdict', async () => (await state('disk-space')) !== 'ready', 60_000);
    await window.script(`document.querySelector('[data-testid="step-disk-space"] button.title').click()`);
    assert.match(await said('step-evidence'), /free_bytes/);
    await picture(window, 'evidence', 'migration');
  });

  test('what no machine can measure is attested with a name, and is shown as such', async () => {
    await click('phase-preparation');
    await click('attest-read-docs');
    await (await window.get('step-by')).type('Jesse');
    await picture(window, 'attest', 'migration');
    await click('step-attest-save');
    await becomes('read-docs', 'proved');
    assert.match(await said('step-read-docs'), /attested/);
  });

  test('a step that waits says for what, and is not done', async () => {
    assert.equal(await state('workflows'), 'blocked');
    assert.match(await said('step-workflows'), /Waits for/);
    await picture(window, 'preparation', 'migration');
    await window.resize(1024, 640);
    await picture(window, 'small', 'migration');
    await window.resize(1280, 900);
  });

  test('the flight recorder has it all, in order', async () => {
    await click('tab-record');
    await window.get('migration-record', 20_000);
    const record = await said('migration-record');
    assert.match(record, /Attested[^]*Jesse/);
    assert.match(record, /Check/);
    await picture(window, 'record', 'migration');
  });

  test('what was weighed for the plan can be read', async () => {
    await click('tab-background');
    await window.get('migration-background', 20_000);
    assert.match(await said('migration-background'), /Risks/);
    await picture(window, 'background', 'migration');
  });

  test('the overview tells how far it is', async () => {
    await click('nav-overview');
    await window.get('overview-migration', 60_000);
    assert.match(await said('overview-migration'), /1 of \d+ steps proved|2 of \d+ steps proved/);
  });
});
