// How soon a live preview is on the screen after the server has it, as JSON on standard output.
// Started by `cargo xtask bench generate`. Server, script and window read the same clock.
import { setTimeout as sleep } from 'node:timers/promises';

import { Window } from './driver.mjs';
import { Site } from './site.mjs';

const { FORGEKEEPER_BIN } = process.env;
const ROUNDS = Number(process.env.PREVIEW_ROUNDS);
/** A preview comes with the tenth step. */
const STEPS = 14;

const site = await Site.start(FORGEKEEPER_BIN, 1);
const api = /id = "myia"\n[^[]*api = "([^"]+)"/.exec(site.config)[1];

/** When the server has its first preview, milliseconds since the epoch. */
async function served() {
  for (;;) {
    const answer = await fetch(`${api}/sdapi/v1/progress?skip_current_image=false`);
    const { current_image } = await answer.json();
    if (current_image) return Date.now();
    await sleep(10);
  }
}

const window = await Window.open({ binary: FORGEKEEPER_BIN, env: site.env });
const delays = [];
try {
  await (await window.get('nav-bench')).click();
  await window.get('bench-on-myia');
  await window.script(`
    for (const box of document.querySelectorAll('[data-testid^="bench-on-"]')) {
      if (box.checked !== (box.dataset.testid === 'bench-on-myia')) box.click();
    }
    const steps = document.querySelector('[data-testid="bench-steps"]');
    steps.value = ${STEPS};
    steps.dispatchEvent(new Event('input', { bubbles: true }));
    // Pictures tell their loading only to those who listen on the way down.
    document.addEventListener('load', (event) => {
      const shown = event.target.closest?.('[data-testid="bench-progress"]');
      if (shown && event.target.tagName === 'IMG') window.previewAt ??= Date.now();
    }, true);`);
  for (let round = 0; round < ROUNDS; round++) {
    await window.script('window.previewAt = undefined;');
    await (await window.get('bench-generate')).click();
    const had = await served();
    const shown = await window.until('a preview', () => window.script('return window.previewAt'), 20_000);
    delays.push(shown - had);
    await window.until('its end', async () =>
      window.script(`return document.querySelector('[data-testid="bench-progress"]') === null`), 60_000);
  }
} finally {
  await window.close();
  await site.stop();
}
process.stdout.write(JSON.stringify({ delays }));
