// How long a chart of 24 h takes from the click to the screen, as JSON on standard output. Started by
// `cargo xtask bench gpu`, which filled the history below CHARTS_DATA.
import { setTimeout as sleep } from 'node:timers/promises';

import { Window } from './driver.mjs';

const { FORGEKEEPER_BIN, CHARTS_DATA } = process.env;
const ROUNDS = Number(process.env.CHARTS_ROUNDS);
const DAY_S = 86_400;

const window = await Window.open({
  binary: FORGEKEEPER_BIN,
  args: ['--demo'],
  env: { FORGEKEEPER_DATA: CHARTS_DATA },
});
const took = [];
let empty = true;
try {
  await (await window.get('nav-gpus')).click();
  await window.get('gpu-chart-row-load', 30_000);
  for (let round = 0; round < ROUNDS; round++) {
    await (await window.get('gpu-range-60s')).click();
    await window.until('a minute', async () =>
      window.script(`return document.querySelector('[data-span="60"]') !== null`));
    await sleep(700);
    await window.script(`
      const began = performance.now();
      window.chartTook = null;
      document.querySelector('[data-testid="gpu-range-24h"]').click();
      requestAnimationFrame(function look() {
        const drawn = document.querySelectorAll('[data-span="${DAY_S}"]');
        // Told, laid out, and painted: the frame after next begins when it is on the screen.
        if (drawn.length < 4 || document.querySelector('[data-span="60"]')) return requestAnimationFrame(look);
        requestAnimationFrame(() => requestAnimationFrame(() => { window.chartTook = performance.now() - began; }));
      });`);
    took.push(await window.until('a day', async () => window.script('return window.chartTook'), 20_000));
  }
  empty = await window.script(`return document.querySelector('[data-testid="gpu-empty"]') !== null`);
} finally {
  await window.close();
}
process.stdout.write(JSON.stringify({ took, empty }));
