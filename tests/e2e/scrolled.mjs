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
  return window.until('the way back', () => window.script('return window.galleryGaps'), 180_000);
}

let result;
try {
  await (await window.get('nav-bench')).click();
  await (await window.get('tab-gallery')).click();
  await window.get('gallery-item', 30_000);
  await sleep(2_000);
  const gaps = await scroll();
  await sleep(2_000);
  const before = await thumbnails();
  gaps.push(...(await scroll()));
  await sleep(1_000);
  const after = await thumbnails();
  gaps.sort((a, b) => a - b);
  const again = [...after].filter(([name, at]) => before.get(name) !== at);
  result = {
    frames: gaps.length,
    longest_ms: gaps.at(-1),
    p99_ms: gaps[Math.floor(gaps.length * 0.99)],
    shown: await window.script('return window.gallerySeen.size'),
    made_again: before.size === 0 ? -1 : again.length,
  };
  if (result.made_again < 0) throw new Error('no thumbnail was found');
} finally {
  await window.close();
}
process.stdout.write(JSON.stringify(result));
