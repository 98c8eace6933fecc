// The gallery of many pictures scrolled from the first to the last and back, twice, as JSON on
// standard output. Started by `cargo xtask bench generate`, which filled the history below
// GALLERY_DATA.
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { Window } from './driver.mjs';

const { FORGEKEEPER_BIN, GALLERY_DATA } = process.env;
/** Pixels a frame: five hundred pictures in some seconds, as with a wheel held. */
const STEP = 24;
/** Age of the page at which the engine first looks at its memory. */
const ENGINE_LOOKS_MS = 30_000;

/** Thumbnail files and when each was written. */
async function thumbnails() {
  const found = new Map();
  const folder = join(GALLERY_DATA, 'demo');
  for (const name of await readdir(folder, { recursive: true })) {
    if (!name.endsWith('.thumb')) continue;
    found.set(name, (await stat(join(folder, name))).mtimeMs);
  }
  return found;
}

const window = await Window.open({
  binary: FORGEKEEPER_BIN,
  args: ['--demo'],
  env: { FORGEKEEPER_DATA: GALLERY_DATA },
});

/** Scrolls down to the end and up again; gaps between frames. */
async function scroll() {
  await window.script(`
    const grid = document.querySelector('[data-testid="gallery-grid"]');
    const gaps = [];
    const ids = (window.gallerySeen ??= new Set());
    let last = performance.now();
    let step = ${STEP};
    window.galleryGaps = null;
    requestAnimationFrame(function frame(now) {
      gaps.push(now - last);
      last = now;
      for (const cell of document.querySelectorAll('[data-testid="gallery-item"]')) ids.add(cell.id);
      const before = grid.scrollTop;
      grid.scrollTop += step;
      if (grid.scrollTop === before) {
        if (step < 0) { window.galleryGaps = gaps.slice(1); return; }
        step = -step;
      }
      requestAnimationFrame(frame);
    });`);
  // Every question takes the page a few milliseconds, which are not the gallery's.
  for (let asked = 0; asked < 60; asked++) {
    await sleep(3_000);
    const gaps = await window.script('return window.galleryGaps');
    if (gaps) return gaps;
  }
  throw new Error('the way back took longer than three minutes');
}

/**
 * Gaps between frames until the page is so old, while nothing moves: once in 30 s the engine looks at its
 * own memory, which holds a frame up on a page at rest, too. A pass is measured between two such looks.
 */
async function rest(until) {
  await window.script(
    `const gaps = (window.restGaps = []);
    let last = performance.now();
    requestAnimationFrame(function frame(now) {
      gaps.push(now - last);
      last = now;
      if (now < ${until}) requestAnimationFrame(frame);
    });`,
  );
  const age = await window.script('return performance.now()');
  await sleep(Math.max(0, until - age) + 500);
  return window.script('return Math.max(...window.restGaps.slice(1))');
}

let result;
try {
  await (await window.get('nav-bench')).click();
  await (await window.get('tab-gallery')).click();
  await window.get('gallery-item', 30_000);
  await sleep(1_000);
  const gaps = await scroll();
  const engine = await rest(ENGINE_LOOKS_MS + 500);
  const before = await thumbnails();
  gaps.push(...(await scroll()));
  await sleep(1_000);
  const after = await thumbnails();
  gaps.sort((a, b) => a - b);
  const again = [...after].filter(([name, at]) => before.get(name) !== at);
  result = {
    frames: gaps.length,
    longest_ms: gaps.at(-1),
    engine_ms: engine,
    p99_ms: gaps[Math.floor(gaps.length * 0.99)],
    shown: await window.script('return window.gallerySeen.size'),
    made_again: before.size === 0 ? -1 : again.length,
  };
  if (result.made_again < 0) throw new Error('no thumbnail was found');
} finally {
  await window.close();
}
process.stdout.write(JSON.stringify(result));
