// The Logs page under a flood of lines: gaps between frames and memory, as JSON on standard output.
// Started by `cargo xtask bench frames`, which made the engine and the container that FLOOD_ENGINE
// and FLOOD_CONTAINER name.
import { execFileSync } from 'node:child_process';
import { mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { Window } from './driver.mjs';

const { FORGEKEEPER_BIN, FLOOD_ENGINE, FLOOD_CONTAINER } = process.env;
const SECONDS = Number(process.env.FLOOD_SECONDS);
/** Filters in turn: text, an expression, many matches, few, and none, where all is shown. */
const FILTERS = ['', 'fatal', 'model', 'request 1', 'thresholds', 'no such words', 'seconds'];
const EVERY_S = 3;
/** Lines in the list, among which is scrolled then. */
const MANY = 1_000_000;
/** When memory is looked at first: the first lines are there, what is kept for later is not. */
const EARLY_S = 9;

/** Resident memory of the program and all it started, in MiB. */
async function memory() {
  const processes = new Map();
  for (const name of await readdir('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    // One that ended in between has no files any more.
    const stat = await readFile(`/proc/${name}/stat`, 'utf8').catch(() => '');
    const status = await readFile(`/proc/${name}/status`, 'utf8').catch(() => '');
    const parent = Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]);
    const kib = Number(/^VmRSS:\s+(\d+)/m.exec(status)?.[1] ?? 0);
    processes.set(Number(name), { parent, kib, own: stat.includes('(forgekeeper)') });
  }
  const belongs = (id) => {
    const one = processes.get(id);
    return one !== undefined && (one.own || belongs(one.parent));
  };
  let kib = 0;
  for (const [id, one] of processes) if (belongs(id)) kib += one.kib;
  return kib / 1024;
}

const folder = await mkdtemp(join(tmpdir(), 'forgekeeper-flood-'));
const settings = join(folder, 'forgekeeper.toml');
await writeFile(
  settings,
  `[[host]]
id = "local"
engine = "${FLOOD_ENGINE}"

[[service]]
id = "flood"
kind = "forge"
host = "local"
container = "${FLOOD_CONTAINER}"
api = "http://127.0.0.1:9"
`,
);
const window = await Window.open({
  binary: FORGEKEEPER_BIN,
  env: { DOCKER_HOST: FLOOD_ENGINE, FORGEKEEPER_CONFIG: settings },
});

/** Lines that have come into the page. */
const arrived = () =>
  window.script(`return Number(document.querySelector('[data-testid="log-count"]').dataset.arrived)`);

/** Watches the frames for a while; `act` is called every few seconds. */
async function watch(act, seconds = SECONDS, every = EVERY_S) {
  await window.script(`
    const gaps = (window.floodGaps = []);
    let last = performance.now();
    requestAnimationFrame(function frame(now) {
      gaps.push(now - last);
      last = now;
      if (window.floodGaps === gaps) requestAnimationFrame(frame);
    });`);
  const began = Date.now();
  let early = 0;
  for (let round = 0; Date.now() - began < seconds * 1_000; round++) {
    await act(round);
    if (early === 0 && Date.now() - began >= EARLY_S * 1_000) early = await memory();
    await sleep(Math.max(0, began + (round + 1) * every * 1_000 - Date.now()));
  }
  const late = await memory();
  const seen = await window.script(`
    const gaps = window.floodGaps.slice(1).sort((a, b) => a - b);
    const { arrived, missed } = document.querySelector('[data-testid="log-count"]').dataset;
    return {
      frames: gaps.length,
      p99_ms: gaps[Math.floor(gaps.length * 0.99)],
      longest_ms: gaps.at(-1),
      arrived: Number(arrived),
      missed: Number(missed),
    };`);
  return { ...seen, early_mib: early, late_mib: late };
}

try {
  await (await window.get('nav-logs')).click();
  const filter = await window.get('log-filter');
  execFileSync('docker', ['--host', FLOOD_ENGINE, 'start', FLOOD_CONTAINER], { stdio: 'ignore' });
  await window.get('log-row');
  const filtered = await watch(async (round) => {
    const wanted = FILTERS[round % FILTERS.length];
    await filter.clear();
    if (wanted !== '') await filter.type(wanted);
  });
  // Then all lines stay, and some are marked.
  await (await window.get('log-keep')).click();
  await filter.clear();
  await filter.type('thresholds');
  const before = await arrived();
  const kept = await watch(async () => undefined);
  // Until a million are in the list; then it is quiet, and somebody turns the wheel and jumps.
  await window.until('a million lines', async () => (await arrived()) - before >= MANY, 120_000);
  execFileSync('docker', ['--host', FLOOD_ENGINE, 'kill', FLOOD_CONTAINER], { stdio: 'ignore' });
  await window.until('the end of the flood', async () => {
    const now = await arrived();
    await sleep(1_000);
    return now === (await arrived());
  }, 30_000);
  const scrolled = await watch(
    (round) =>
      window.script(
        `const list = document.querySelector('[role="log"]');
        const up = new WheelEvent('wheel', { deltaY: -600, bubbles: true });
        list.dispatchEvent(up);
        list.scrollTop = arguments[0] % 10 === 9 ? list.scrollHeight * Math.random() : list.scrollTop - 600;`,
        round,
      ),
    10,
    0.1,
  );
  console.log(JSON.stringify({ filtered, kept, scrolled }));
} finally {
  await window.close();
  await rm(folder, { recursive: true, force: true });
}
