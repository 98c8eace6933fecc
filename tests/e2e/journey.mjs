// The walk through the whole migration: its window, which may be killed and opened again over the same data,
// and the played machine, asked from outside how it really is.
import assert from 'node:assert/strict';
import { appendFile, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

import { Bench } from './bench.mjs';
import { Window } from './driver.mjs';
import { Site } from './site.mjs';

/** The machine is shared: what takes seconds may take a minute. */
const LONG = 120_000;

export class Journey {
  /** @type {Window} */
  window;
  /** @type {Site} */
  site;
  #binary;
  #folder;
  #plan;

  static async begin(binary, speed) {
    const journey = new Journey();
    journey.#binary = binary;
    journey.site = await Site.start(binary, speed);
    journey.#folder = await mkdtemp(join(tmpdir(), 'forgekeeper-journey-'));
    const project = join(journey.#folder, 'project');
    await mkdir(project);
    await writeFile(join(project, 'compose.yaml'), 'services: {}\n');
    const settings = journey.site.env.FORGEKEEPER_CONFIG;
    const copy = join(journey.#folder, 'copy');
    await appendFile(settings, `\n[backup]\nsource = '${project}'\ntarget = '${copy}'\n`);
    journey.#plan = await readFile(join(dirname(settings), 'migration.toml'), 'utf8');
    journey.copy = copy;
    await journey.#open();
    return journey;
  }

  async #open() {
    const env = { ...this.site.env, FORGEKEEPER_DATA: join(this.#folder, 'data') };
    this.window = await Window.open({ binary: this.#binary, env });
    await this.window.resize(1280, 900);
    await this.window.get('nav-migration', LONG);
  }

  /** Its program ends in the middle of whatever it does, and is started again. */
  async crash() {
    await this.window.kill();
    await this.#open();
  }

  async end() {
    await this.window?.close();
    await this.site?.stop();
    if (this.#folder) await rm(this.#folder, { recursive: true, force: true });
  }

  /** A value of the plan's file. */
  planned(key) {
    return new RegExp(`^${key} = ["'](.+)["']$`, 'm').exec(this.#plan)[1];
  }

  // The page.

  /** Waits, as long as a busy machine may need. */
  until(what, ask) {
    return this.window.until(what, ask, LONG);
  }
  click(id) {
    return this.until(`a click on ${id}`, async () => {
      const [one] = await this.window.all(`[data-testid="${id}"]:not([disabled])`);
      await one?.click();
      return one;
    });
  }
  /** Fills a field in once it is there. */
  async set(id, value) {
    await this.window.get(id, LONG);
    await new Bench(this.window).set(id, value);
  }
  there(id) {
    return this.window.script(`return document.querySelector('[data-testid="' + arguments[0] + '"]') !== null`, id);
  }
  said(id) {
    return this.window.script(
      `return document.querySelector('[data-testid="' + arguments[0] + '"]')?.innerText ?? ''`,
      id,
    );
  }
  tells(id, words) {
    return this.until(`${id} to tell ${words}`, async () => {
      const said = await this.said(id);
      return words.test(said) && said;
    });
  }
  data(id, name) {
    return this.window.script(
      `return document.querySelector('[data-testid="' + arguments[0] + '"]')?.dataset[arguments[1]] ?? null`,
      id,
      name,
    );
  }
  async page(id, phase) {
    await this.click(`nav-${id}`);
    if (phase) await this.click(`phase-${phase}`);
  }
  state(step) {
    return this.data(`step-${step}`, 'state');
  }
  becomes(step, ...wanted) {
    return this.until(`${step} ${wanted.join(' or ')}`, async () => {
      const state = await this.state(step);
      return wanted.includes(state) ? state : assert.ok(!(await this.#problem(step)), await this.said(`step-${step}`));
    });
  }
  /** What was refused or failed is told at its step. */
  #problem(step) {
    return this.window.script(
      `return document.querySelector('[data-testid="step-' + arguments[0] + '"] [data-code]') !== null`,
      step,
    );
  }
  /** Nothing is done to it any more. */
  rests(step) {
    return this.until(`rest of ${step}`, async () =>
      !(await this.there(`cancel-${step}`)) && (await this.state(step)) !== 'running');
  }
  async unfold(step) {
    await this.window.script(
      `const title = document.querySelector('[data-testid="step-' + arguments[0] + '"] button.title');
      title.click();
      title.scrollIntoView({ block: 'center' });`,
      step,
    );
  }

  /** Out of the menu of a step. */
  async chosen(step, what) {
    await this.click(`more-${step}`);
    await this.click(`more-${step}-${what}`);
  }
  /** Measured by its button. */
  async measured(step, ...wanted) {
    if (await this.there(`check-${step}`)) await this.click(`check-${step}`);
    else await this.chosen(step, 'check');
    return this.becomes(step, ...(wanted.length > 0 ? wanted : ['proved']));
  }
  async attested(step) {
    await this.click(`attest-${step}`);
    await (await this.window.get('step-by')).type('Jesse');
    await this.click('step-attest-save');
    await this.becomes(step, 'proved');
    assert.match(await this.said(`step-${step}`), /attested/);
  }
  async skipped(step, reason) {
    await this.chosen(step, 'skip');
    await (await this.window.get('step-reason')).type(reason);
    await this.click('step-skip-save');
    await this.becomes(step, 'skipped');
    assert.match(await this.said(`step-${step}`), new RegExp(reason));
  }
  /** The dialog with what it would do; nothing is done. Answers what it says. */
  async preview(step, what) {
    if (await this.there(`${what}-${step}`)) await this.click(`${what}-${step}`);
    else await this.chosen(step, what);
    return this.tells('step-dialog', /Interrupts|Taken back by|taken back/i);
  }
  async yes() {
    await this.click('step-dialog-yes');
    await this.until('no dialog', async () => !(await this.there('step-dialog')));
  }
  async cancel() {
    await this.window.press('\uE00C');
    await this.until('no dialog', async () => !(await this.there('step-dialog')));
  }
  /** Previewed and done: until it holds. */
  async done(step, previewed = /./) {
    assert.match(await this.preview(step, 'run'), previewed);
    await this.yes();
    await this.becomes(step, 'proved');
  }
  /** Previewed and taken back: until it holds no more. */
  async undone(step, previewed = /./) {
    assert.match(await this.preview(step, 'undo'), previewed);
    await this.yes();
    return this.becomes(step, 'ready');
  }
  /** Done, taken back, done again; the machine is asked after each. */
  async thrice(step, isDone) {
    for (const wanted of [true, false, true]) {
      await (wanted ? this.done(step) : this.undone(step));
      assert.equal(Boolean(await isDone()), wanted, `${step}: ${wanted ? 'done' : 'taken back'}`);
    }
  }

  // The test bench.

  /** A golden set of a few prompts, each out of the bench's form. */
  async kept(set, prompts) {
    await this.page('bench');
    await this.set('bench-steps', 4);
    for (const [place, name] of prompts.entries()) {
      await this.click('tab-make');
      await this.set('bench-prompt', `a ${name}`);
      await this.set('bench-seed', 7 + place);
      await this.click('tab-golden');
      await this.click('golden-from-form');
      await (place === 0 ? this.set('golden-name', set) : this.set('golden-into', set));
      await this.set('golden-prompt-name', name);
      await this.click('golden-save');
      await this.until('it is kept', async () => !(await this.there('golden-new')));
    }
  }
  /** The shown set is run on a service; then there are so many runs of it. */
  async made(service, runs) {
    await this.set('golden-service', service);
    await this.click('golden-run');
    await this.until(`the run of ${service}`, () =>
      this.window.script(
        `return document.querySelectorAll('[data-testid^="golden-run-"]').length === arguments[0]
          && document.querySelector('[data-testid="golden-progress"]') === null`,
        runs,
      ));
  }

  // The machine.

  /** A container as the engine tells it, or null. */
  async container(name) {
    const engine = this.site.env.DOCKER_HOST.replace(/^tcp:/, 'http:');
    const response = await fetch(`${engine}/containers/${name}/json`);
    return response.status === 404 ? null : response.json();
  }
  async runs(name) {
    return (await this.container(name))?.State.Running ?? false;
  }
  /** A file that the plan names, as text; null where there is none. */
  file(key) {
    const path = this.planned(key);
    const whole = path.startsWith('/') ? path : join(dirname(this.site.env.FORGEKEEPER_CONFIG), path);
    return readFile(whole, 'utf8').catch((error) => (error.code === 'ENOENT' ? null : assert.fail(error.message)));
  }
  /** Whether ComfyUI answers at an address of IIS. */
  async comfyuiAt(key) {
    const response = await fetch(`${this.planned(key)}/system_stats`).catch(() => null);
    return response?.status === 200 && /comfyui_version/.test(await response.text());
  }
}
