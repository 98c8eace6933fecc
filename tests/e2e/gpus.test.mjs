// The GPU page in the real window over a played host: its normal state, a card that is lost, a
// placement that is not as declared with its remedy, and no driver at all.
// FORGEKEEPER_BIN names the program; the stand-in lies beside it. With UPDATE_SCREENSHOTS=1 a picture
// of every state is taken, in both themes.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { Window } from './driver.mjs';
import { picture } from './pictures.mjs';
import { Site } from './site.mjs';

const PROOF = 120_000;

/** @param {Window} window */
const hands = (window) => ({
  click: async (id) => (await window.get(id)).click(),
  textOf: async (id) => (await window.get(id)).text(),
  leave: async () => {
    await window.script(
      `document.activeElement.dispatchEvent(new KeyboardEvent('keydown', { key: 'Escape', bubbles: true }))`,
    );
    await window.until('the dialog gone', async () =>
      (await window.all('[role="dialog"]')).length === 0);
  },
  shown: (id) =>
    window.script(
      `document.querySelector('[data-testid="' + arguments[0] + '"]').scrollIntoView({ block: 'start' })`,
      id,
    ),
});

describe('the cards', () => {
  /** @type {Site} */
  let site;
  /** @type {Window} */
  let window;
  let click, textOf, shown, leave;

  before(async () => {
    const binary = process.env.FORGEKEEPER_BIN;
    assert.ok(binary, 'FORGEKEEPER_BIN must name the program');
    site = await Site.start(binary, 1.5);
    window = await Window.open({ binary, env: site.env });
    ({ click, textOf, shown, leave } = hands(window));
    await click('nav-gpus');
  });
  after(async () => {
    await window?.close();
    await site?.stop();
  });

  test('both are read, charted, and their memory is divided', async () => {
    await window.get('gpu-tile-1', 30_000);
    const text = await textOf('gpu-tile-1');
    assert.match(text, /RTX 3090/);
    await window.until('who holds it', async () =>
      /myia-turbo/.test(await textOf('gpu-shares-1')), 30_000);
    await click('gpu-range-60s');
    // What is drawn is read anew every second.
    const load = await window.get('gpu-chart-row-load');
    await window.until('values beside the chart', async () => /%/.test(await load.text()), 15_000);
    await picture(window, 'normal', 'gpus');
    await shown('placement');
    assert.match(await textOf('declared-myia'), /RTX 3080/);
    assert.doesNotMatch(await textOf('measured-myia'), /RTX/, 'nothing was measured yet');
  });

  test('a proof finds both services on one card, says so, and shows what to change', async () => {
    await site.raise('placement-wrong', 'myia');
    await click('prove-all');
    await window.get('proof-progress-myia');
    const measured = async (id, card) =>
      window.until(`the proof of ${id}`, async () =>
        card.test(await textOf(`measured-${id}`)), PROOF);
    await measured('myia', /RTX 3090/);
    await measured('myia-turbo', /RTX 3090/);
    await picture(window, 'mismatch', 'gpus');
    await click('nav-overview');
    await window.until('the incident', async () =>
      /RTX 3090/.test(await textOf('incident')), 15_000);
    assert.match(await textOf('place-myia'), /RTX 3080[^]*RTX 3090/);
    await picture(window, 'incident', 'gpus');
    await click('incident-fix');
    const diff = await window.get('remedy-diff');
    assert.match(await diff.text(), /\+ +CUDA_DEVICE_ORDER: PCI_BUS_ID/);
    await picture(window, 'remedy', 'gpus');
    await leave();
    await click('incident-evidence');
    await window.get('round-1');
    await picture(window, 'evidence', 'gpus');
    await leave();
    await site.clear('placement-wrong');
  });

  test('a card that falls off the bus is said on its tile, and the other one goes on', async () => {
    await click('nav-gpus');
    await site.raise('gpu-lost', 'myia');
    await window.until('the loss', async () =>
      /lost/i.test(await textOf('gpu-verdicts-0')), 15_000);
    await picture(window, 'lost', 'gpus');
    assert.doesNotMatch(await textOf('gpu-tile-1'), /lost/i);
    await site.clear('gpu-lost');
    await window.until('the return', async () => {
      const tile = await textOf('gpu-tile-0');
      return !/lost/i.test(tile);
    }, 15_000);
  });
});

describe('no driver', () => {
  let site, window;
  before(async () => {
    const binary = process.env.FORGEKEEPER_BIN;
    site = await Site.start(binary, 10);
    await site.raise('gpu-driver');
    window = await Window.open({ binary, env: site.env });
  });
  after(async () => {
    await window?.close();
    await site?.stop();
  });

  test('what was tried is said, and nothing is drawn as zero', async () => {
    const { click, textOf } = hands(window);
    await click('nav-gpus');
    await window.until('what was tried', async () =>
      /couldn't communicate/.test(await textOf('gpu-none')), 30_000);

    await picture(window, 'none', 'gpus');
  });
});
