// Pictures of the window for the documentation, taken with UPDATE_SCREENSHOTS=1.
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

const FOLDER = fileURLToPath(new URL('../../docs/screenshots/', import.meta.url));
const TAKE = process.env.UPDATE_SCREENSHOTS === '1';

/** A picture of a state of a room in both themes, where pictures are wanted. */
export async function picture(window, name, room = 'logs') {
  if (!TAKE) return;
  await mkdir(FOLDER, { recursive: true });
  for (const theme of ['dark', 'light']) {
    await window.script('document.documentElement.dataset.theme = arguments[0]', theme);
    await sleep(400);
    await window.screenshot(join(FOLDER, `${room}-${name}-${theme}.png`));
  }
}
