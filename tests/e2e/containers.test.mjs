// Test pictures of containers of a real Docker Engine, in the real window: made, watched, cancelled,
// refused in words, and found again after the program was killed.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { Bench } from './bench.mjs';
import { Containers, missing } from './containers.mjs';
import { Window } from './driver.mjs';

describe('test pictures of real containers', { skip: missing }, () => {
  const binary = process.env.FORGEKEEPER_BIN;
  /** @type {Containers} */
  let site;
  /** @type {Window} */
  let window;
  /** @type {Bench} */
  let bench;
  const click = async (id) => (await window.get(id)).click();
  const textOf = async (id) => (await window.get(id)).text();

  async function open() {
    window = await Window.open({ binary, env: site.env });
    bench = new Bench(window);
    await click('nav-bench');
    await window.get('bench-on-comfyui');
    // What a service offers is listed as soon as its API answers.
    for (const id of ['forge', 'comfyui']) {
      await window.until(`${id}, which answers`, () =>
        window.script(
          `return !document.querySelector('[data-testid="bench-on-' + arguments[0] + '"]')
            .closest('label').querySelector('.state')`,
          id,
        ), 60_000);
    }
  }
  const ask = async (id, { prompt, steps }) => {
    await bench.only(id);
    await bench.set('bench-prompt', prompt);
    await bench.set('bench-steps', steps);
    await bench.set('bench-seed', 11);
    await click('bench-generate');
  };
  const verdict = () =>
    window.script(`return document.querySelector('[data-verdict]')?.dataset.verdict ?? null`);

  /** The picture of the result is there, whole. */
  const shown = () =>
    window.until('the picture', () =>
      window.script(
        `const { naturalWidth, naturalHeight } = document.querySelector('[data-testid="bench-picture"]');
        return naturalWidth === 512 && naturalHeight === 512`,
      ), 30_000);

  before(async () => {
    assert.ok(binary, 'FORGEKEEPER_BIN must name the program');
    site = await Containers.start();
    await open();
  });
  after(async () => {
    await window?.close();
    await site?.stop();
  });

  for (const id of ['forge', 'comfyui']) {
    test(`${id}: a picture of 512 × 512 is watched while it is made`, async () => {
      await ask(id, { prompt: `a lighthouse by ${id}`, steps: 20 });
      await window.find('[data-testid="bench-progress"] img', 30_000);
      await bench.rest();
      await window.get('bench-picture', 30_000);
      await shown();
      assert.equal(await verdict(), 'proved');
    });

    test(`${id}: one that is cancelled ends on its server, too`, async () => {
      await ask(id, { prompt: 'a picture that takes long', steps: 140 });
      await window.find('[data-testid="bench-progress"] img', 30_000);
      await click('bench-stop');
      await bench.rest(15_000);
      await window.until('the verdict', async () => (await verdict()) === 'interrupted');
      await window.until('a server at rest', () => site.rests(id), 5_000);
    });

    test(`${id}: what fails says why in words`, async () => {
      await site.fault(id, 'image-oom');
      await ask(id, { prompt: 'one too many', steps: 4 });
      await window.until('the reason', async () => /memory/i.test(await textOf('bench-verdict')), 60_000);
      await site.fault(id, 'image-oom', '--clear');
    });

    test(`${id}: the picture is found again after the program was killed`, async () => {
      await ask(id, { prompt: `killed before ${id} was done`, steps: 60 });
      await window.find('[data-testid="bench-progress"] img', 30_000);
      await window.kill();
      await open();
      await bench.rest(120_000);
      await window.until('the verdict', async () => (await verdict()) === 'proved', 60_000);
      await shown();
    });
  }
});
