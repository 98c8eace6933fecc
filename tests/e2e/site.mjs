// The played host as a program of its own, whose faults can be raised while the window looks.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';

export class Site {
  #program;
  #folder;
  #control;

  /** Starts it; `speed` makes start-up and generation faster. The stand-in lies beside the program. */
  static async start(binary, speed) {
    const site = new Site();
    site.#folder = await mkdtemp(join(tmpdir(), 'forgekeeper-site-'));
    const standin = join(dirname(binary), 'forgekeeper-standin');
    const args = ['site', '--speed', String(speed), '--json-endpoints'];
    site.#program = spawn(standin, args, { stdio: ['ignore', 'pipe', 'inherit'] });
    await once(site.#program, 'spawn');
    const [line] = await once(createInterface(site.#program.stdout), 'line');
    const { control, config, engine, plan } = JSON.parse(line);
    site.#control = control;
    const settings = join(site.#folder, 'forgekeeper.toml');
    await writeFile(settings, config);
    await writeFile(join(site.#folder, 'migration.toml'), plan);
    site.config = config;
    /** What a program needs to look at it. */
    site.env = { FORGEKEEPER_CONFIG: settings, DOCKER_HOST: engine };
    return site;
  }

  async #order(method, path, body) {
    const response = await fetch(`${this.#control}/faults${path}`, { method, body });
    if (!response.ok) throw new Error(`${method} ${path}: ${await response.text()}`);
  }

  /** Breaks something of a service. */
  raise(name, service) {
    return this.#order('POST', '', JSON.stringify({ name, service }));
  }

  /** Mends it. */
  clear(name) {
    return this.#order('DELETE', `/${name}`);
  }

  async stop() {
    if (this.#program.exitCode === null) {
      const gone = once(this.#program, 'exit');
      // It would wait for a window that did not end.
      this.#program.kill('SIGKILL');
      await gone;
    }
    await rm(this.#folder, { recursive: true, force: true });
  }
}
