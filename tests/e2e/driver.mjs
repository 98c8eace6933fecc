// A small client of the W3C WebDriver protocol, and WebKitWebDriver with one program behind it.
// Only what the window tests need; no package has to be installed for them.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

const ELEMENT = 'element-6066-11e4-a52e-4f735466cecf';

async function freePort() {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address();
  server.close();
  await once(server, 'close');
  return port;
}

async function childrenOf(pid) {
  const text = await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8').catch(() => '');
  return text.split(' ').filter(Boolean).map(Number);
}

function end(pid) {
  try {
    process.kill(pid);
  } catch (error) {
    if (error.code !== 'ESRCH') throw error;
  }
}

/** What WebDriver answered when it refused a command. */
export class WebDriverError extends Error {
  constructor(command, status, value) {
    super(`${command}: ${value?.error ?? status}: ${value?.message ?? ''}`);
    this.code = value?.error;
  }
}

/** One program with its window, driven from outside. */
export class Window {
  #base;
  #session;
  #driver;
  #folder;
  #output = '';
  #last = Promise.resolve();

  /**
   * Starts the driver and, through it, the program, with folders of its own so that nothing of
   * the user's settings is read or written.
   * @param {{ binary: string, args?: string[], env?: Record<string, string> }} options
   */
  static async open({ binary, args = [], env = {} }) {
    const window = new Window();
    window.#folder = await mkdtemp(join(tmpdir(), 'forgekeeper-window-'));
    const port = await freePort();
    window.#base = `http://127.0.0.1:${port}`;
    window.#driver = spawn('WebKitWebDriver', [`--port=${port}`, '--host=127.0.0.1'], {
      env: {
        ...process.env,
        // Without these two the request for a session hangs.
        TAURI_AUTOMATION: 'true',
        TAURI_WEBVIEW_AUTOMATION: 'true',
        XDG_CONFIG_HOME: join(window.#folder, 'config'),
        XDG_DATA_HOME: join(window.#folder, 'data'),
        XDG_CACHE_HOME: join(window.#folder, 'cache'),
        DOCKER_HOST: `unix://${join(window.#folder, 'no-engine.sock')}`,
        FORGEKEEPER_CONFIG: join(window.#folder, 'config', 'forgekeeper', 'forgekeeper.toml'),
        ...env,
      },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const keep = (chunk) => (window.#output = (window.#output + chunk).slice(-20_000));
    window.#driver.stdout.on('data', keep);
    window.#driver.stderr.on('data', keep);
    try {
      await window.#untilListening();
      // `browserName` is left out on purpose: WebKitWebDriver would refuse the program's own.
      const value = await window.#send('POST', '/session', {
        capabilities: { alwaysMatch: { 'webkitgtk:browserOptions': { binary, args } } },
      });
      window.#session = value.sessionId;
    } catch (error) {
      await window.close();
      throw new Error(`${error.message}\nOutput so far:\n${window.#output}`);
    }
    return window;
  }

  async #untilListening() {
    const end = Date.now() + 10_000;
    while (Date.now() < end) {
      if (this.#driver.exitCode !== null) throw new Error('WebKitWebDriver ended at once');
      try {
        await fetch(`${this.#base}/status`);
        return;
      } catch {
        await sleep(50);
      }
    }
    throw new Error('WebKitWebDriver did not listen within 10 s');
  }

  async #send(method, path, body) {
    const response = await fetch(this.#base + path, {
      method,
      body: body === undefined ? undefined : JSON.stringify(body),
      signal: AbortSignal.timeout(60_000),
    });
    const { value } = await response.json();
    if (!response.ok) throw new WebDriverError(`${method} ${path}`, response.status, value);
    return value;
  }

  // One at a time: WebKitWebDriver loses the answer of one of two that overlap.
  #command(method, path, body) {
    const run = () => this.#send(method, `/session/${this.#session}${path}`, body);
    const answer = this.#last.then(run, run);
    this.#last = answer.catch(() => undefined);
    return answer;
  }

  /** What the program and its driver printed. */
  get output() {
    return this.#output;
  }

  /** Runs a function body in the page; `arguments` are the given ones. */
  script(body, ...args) {
    return this.#command('POST', '/execute/sync', { script: body, args });
  }

  /** Elements now in the page. */
  async all(css) {
    const found = await this.#command('POST', '/elements', { using: 'css selector', value: css });
    return found.map((one) => new Element((m, p, b) => this.#command(m, `/element/${one[ELEMENT]}${p}`, b)));
  }

  /** The first element that matches, waited for. */
  async find(css, timeout = 10_000) {
    return this.until(`an element ${css}`, async () => (await this.all(css))[0], timeout);
  }

  /** The element with a `data-testid`, waited for. */
  get(id, timeout) {
    return this.find(`[data-testid="${id}"]`, timeout);
  }

  /** Asks again and again until the answer is truthy; elements that went away in between count as "not yet". */
  async until(what, ask, timeout = 10_000) {
    const end = Date.now() + timeout;
    let last;
    for (;;) {
      try {
        const answer = await ask();
        if (answer) return answer;
        last = answer;
      } catch (error) {
        if (!(error instanceof WebDriverError)) throw error;
        last = error.message;
      }
      if (Date.now() > end) {
        throw new Error(`waited ${timeout} ms for ${what}; last seen: ${JSON.stringify(last)}`);
      }
      await sleep(50);
    }
  }

  /** A key pressed with no element in mind, such as Escape (`\uE00C`). */
  press(key) {
    const actions = ['keyDown', 'keyUp'].map((type) => ({ type, value: key }));
    return this.#command('POST', '/actions', { actions: [{ type: 'key', id: 'keys', actions }] });
  }

  async resize(width, height) {
    await this.#command('POST', '/window/rect', { x: 0, y: 0, width, height });
  }

  /** PNG of the page as shown. */
  async screenshot(path) {
    // WebKitGTK takes it with its next frame, for which a page that rests has no reason for a minute.
    await this.script(`
      let left = 40;
      const stir = () => {
        document.body.style.opacity = left % 2 ? '0.9999' : '';
        if (left-- > 0) setTimeout(stir, 50);
      };
      stir();`);
    const bytes = Buffer.from(await this.#command('GET', '/screenshot'), 'base64');
    if (path) await writeFile(path, bytes);
    return bytes;
  }

  /** Ends the program as a crash does, without a word to it; then the window is gone. */
  async kill() {
    for (const pid of await childrenOf(this.#driver.pid)) process.kill(pid, 'SIGKILL');
    this.#session = undefined;
    await this.close();
  }

  async close() {
    if (this.#session) {
      // A program that already ended has no session left to delete.
      await this.#command('DELETE', '').catch((error) => (this.#output += `\n${error.message}`));
      this.#session = undefined;
    }
    if (this.#driver && this.#driver.exitCode === null) {
      const left = await childrenOf(this.#driver.pid);
      const gone = once(this.#driver, 'exit');
      this.#driver.kill();
      await gone;
      // A session that broke leaves its program behind.
      left.forEach(end);
    }
    if (this.#folder) await rm(this.#folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
  }
}

/** One element of the page. */
class Element {
  #command;

  constructor(command) {
    this.#command = command;
  }

  text() {
    return this.#command('GET', '/text');
  }

  attribute(name) {
    return this.#command('GET', `/attribute/${encodeURIComponent(name)}`);
  }

  property(name) {
    return this.#command('GET', `/property/${encodeURIComponent(name)}`);
  }

  click() {
    return this.#command('POST', '/click', {});
  }

  type(text) {
    return this.#command('POST', '/value', { text });
  }

  /** As a person does it: everything marked, then removed. */
  clear() {
    const [control, backspace] = ['\uE009', '\uE003'];
    return this.type(`${control}a${control}${backspace}`);
  }
}
