// The test bench in the real window: the form, a picture that appears, results of both kinds side by
// side, the gallery, golden prompts, and what goes wrong. FORGEKEEPER_BIN names the program; the
// stand-in lies beside it. With UPDATE_SCREENSHOTS=1 a picture of every state is taken, in both themes.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { Bench } from './bench.mjs';
import { Window } from './driver.mjs';
import { picture } from './pictures.mjs';
import { Site } from './site.mjs';

const node = (class_type, inputs) => ({ class_type, inputs });
/** In ComfyUI's API format, with words where the form's values go. */
const WORKFLOW = {
  a: node('CheckpointLoaderSimple', { ckpt_name: 'sd_xl_base_1.0.safetensors' }),
  b: node('CLIPTextEncode', { text: 'drawn: %prompt%', clip: ['a', 1] }),
  c: node('CLIPTextEncode', { text: '', clip: ['a', 1] }),
  d: node('EmptyLatentImage', { width: 256, height: 256, batch_size: 1 }),
  e: node('KSampler', {
    model: ['a', 0],
    positive: ['b', 0],
    negative: ['c', 0],
    latent_image: ['d', 0],
    seed: '%seed%',
    steps: '%steps%',
    cfg: 7,
    sampler_name: 'euler',
    scheduler: 'normal',
    denoise: 1,
  }),
  f: node('VAEDecode', { samples: ['e', 0], vae: ['a', 2] }),
  g: node('SaveImage', { images: ['f', 0], filename_prefix: 'own' }),
};

describe('the test bench', () => {
  /** @type {Site} */
  let site;
  /** @type {Window} */
  let window;
  const click = async (id) => (await window.get(id)).click();
  const textOf = async (id) => (await window.get(id)).text();
  /** @type {Bench} */
  let bench;

  before(async () => {
    const binary = process.env.FORGEKEEPER_BIN;
    assert.ok(binary, 'FORGEKEEPER_BIN must name the program');
    site = await Site.start(binary, 2);
    window = await Window.open({ binary, env: site.env });
    bench = new Bench(window);
    await click('nav-bench');
    await window.get('bench-on-myia');
  });
  after(async () => {
    await window?.close();
    await site?.stop();
  });

  test('the form says what is wrong before anything is sent', async () => {
    await bench.only('myia');
    await bench.set('bench-width', 513);
    await window.until('the problem', async () => /8/.test(await textOf('bench-form')));
    assert.equal(await (await window.get('bench-generate')).attribute('disabled'), 'true');
    await bench.set('bench-width', 512);
    await window.script(`document.querySelector('[data-testid="bench-advanced"]').open = true`);
    await picture(window, 'form', 'bench');
    await window.script(`document.querySelector('[data-testid="bench-advanced"]').open = false`);
  });

  test('a picture of Forge appears while it is made, and its time is told apart', async () => {
    await bench.set('bench-prompt', 'a lighthouse at dusk');
    await bench.set('bench-seed', 7);
    await bench.set('bench-steps', 20);
    await click('bench-generate');
    await window.find('[data-testid="bench-progress"] img', 30_000);
    await picture(window, 'running', 'bench');
    await window.get('bench-picture', 60_000);
    await bench.rest();
    assert.match(await textOf('bench-card'), /3080/);
    await picture(window, 'result', 'bench');
  });

  test('the same request goes to ComfyUI, and both pictures stand side by side', async () => {
    await bench.only('comfyui');
    await click('bench-generate');
    await window.find('[data-testid="bench-progress"] img', 30_000);
    await bench.rest();
    await window.until('the result', () =>
      window.script(`return document.querySelector('[data-verdict] h3')?.textContent === 'comfyui'`), 30_000);
    await click('bench-compare');
    await window.get('compare');
    await window.until('both pictures', () =>
      window.script(`
        const shown = [...document.querySelectorAll('[data-testid="compare"] img')];
        return shown.length === 2 && shown.every((one) => one.complete && one.naturalWidth > 0)`));
    await picture(window, 'comparison', 'bench');
    await window.press('\uE00C');
    await window.until('its end', () =>
      window.script(`return document.querySelector('[data-testid="compare"]') === null`));
  });

  test('a workflow of one’s own is dropped, run, and taken off', async () => {
    await bench.drop('Two steps.json', JSON.stringify(WORKFLOW));
    await window.until('the workflow', () =>
      window.script(`return document.querySelector('[data-testid="bench-workflow-comfyui"]').value === 'Two steps'`));
    assert.match(await textOf('bench-workflow-parts'), /Steps/);
    await picture(window, 'workflow', 'bench');
    await click('bench-generate');
    await window.find('[data-testid="bench-progress"]', 30_000);
    await bench.rest();
    await window.until('the result', async () => /Two steps/.test(await textOf('bench-results')), 30_000);
    assert.equal(await (await window.find('[data-verdict]')).attribute('data-verdict'), 'proved');
    await bench.drop('editor.json', JSON.stringify({ nodes: [], links: [], version: 0.4 }));
    await window.find('[data-code="editor_workflow"]');
    await bench.set('bench-workflow-comfyui', '');
    await window.until('its end', () =>
      window.script(`return document.querySelector('[data-testid="bench-workflow-parts"]') === null`));
  });

  test('what fails says why in words', async () => {
    // A card of its own: on the other one two models leave too little room, and nothing would be asked for.
    await site.raise('image-oom', 'myia-turbo');
    await bench.only('myia-turbo');
    await click('bench-generate');
    await window.until('the reason', async () => /memory/i.test(await textOf('bench-verdict')), 60_000);
    await picture(window, 'error', 'bench');
    await site.clear('image-oom');
  });

  test('the gallery has everything, finds it by a word, and marks what is chosen', async () => {
    await click('tab-gallery');
    await window.until('four generations', async () => /4/.test(await textOf('gallery-count')));
    await picture(window, 'gallery', 'bench');
    await (await window.get('gallery-search')).type('no such words');
    await window.get('gallery-no-match');
    await (await window.get('gallery-search')).clear();
    await window.get('gallery-item');
  });

  test('a golden set is recorded twice and compared', async () => {
    await click('tab-make');
    await bench.only('myia-turbo');
    await bench.set('bench-steps', 4);
    await click('tab-golden');
    await window.get('golden-empty');
    await click('golden-from-form');
    await bench.set('golden-name', 'Harbour');
    await bench.set('golden-prompt-name', 'lighthouse');
    await click('golden-save');
    await window.get('golden-set');
    await bench.set('golden-service', 'myia-turbo');
    for (const runs of [1, 2]) {
      await click('golden-run');
      await window.until(`run ${runs}`, () =>
        window.script(
          `return document.querySelectorAll('[data-testid^="golden-run-"]').length === arguments[0]
            && document.querySelector('[data-testid="golden-progress"]') === null
            && document.querySelector('[data-testid="golden-run"]').disabled === false`,
          runs,
        ), 60_000);
    }
    await window.until('the comparison', async () => /1/.test(await textOf('golden-tile-identical')), 30_000);
    await picture(window, 'golden', 'bench');
  });

  // No two that follow each other end alike: what is seen is of the one that was asked for last.
  for (const [fault, expected] of [
    ['image-black', 'blank'],
    ['image-corrupt', 'undecodable'],
    ['image-nan', 'blank'],
    ['image-bomb', 'undecodable'],
    ['api-500', 'failed'],
    ['image-cuda-broken', 'cuda_context_lost'],
    ['api-401', 'failed'],
  ]) {
    test(`${fault} is told as ${expected}`, async () => {
      await click('tab-make');
      await bench.only('myia-turbo');
      await bench.set('bench-steps', 2);
      await site.raise(fault, 'myia-turbo');
      await click('bench-generate');
      await window.until('the verdict', () =>
        window.script(`return document.querySelector('[data-verdict]')?.dataset.verdict === arguments[0]`, expected),
      60_000);
      await bench.rest();
      assert.ok((await textOf('bench-verdict')).length > 10, 'in words');
      await picture(window, `error-${fault}`, 'bench');
      await site.clear(fault);
    });
  }
});
