// The stand-ins as containers of a real Docker Engine: one Forge and one ComfyUI. The engine is named by
// FORGEKEEPER_TEST_DOCKER, the static stand-in by FORGEKEEPER_TEST_STANDIN.
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';

const run = promisify(execFile);
const { FORGEKEEPER_TEST_DOCKER: ENGINE, FORGEKEEPER_TEST_STANDIN: STANDIN } = process.env;

/** Why there are no containers here, if so. */
export const missing =
  ENGINE && STANDIN ? false : 'needs an engine (FORGEKEEPER_TEST_DOCKER) and the static stand-in';

/** Kind of service, name of its image, port inside, what the container runs, and what the image lacks. */
const SERVICES = [
  { id: 'forge', image: 'stable-diffusion-webui-forge', port: 17_860, command: 'supervisor', without: [] },
  { id: 'comfyui', image: 'comfyui', port: 8_188, command: 'comfyui', without: ['--no-supervisor'] },
];

/** How each server says that it works at nothing. */
const RESTS = {
  forge: ['/sdapi/v1/progress', ({ state }) => state.job_count === 0],
  comfyui: ['/queue', ({ queue_running, queue_pending }) => queue_running.length + queue_pending.length === 0],
};

export class Containers {
  #run = `fkw${process.pid}`;
  #images = [];
  #apis = {};
  #folder;

  static async start() {
    const here = new Containers();
    here.#folder = await mkdtemp(join(tmpdir(), 'forgekeeper-containers-'));
    const services = await Promise.all(SERVICES.map((service) => here.#container(service)));
    const settings = join(here.#folder, 'forgekeeper.toml');
    await writeFile(settings, `[[host]]\nid = "local"\nengine = "${ENGINE}"\n\n${services.join('\n')}`);
    /** What a program needs to look at them; its data outlives it. */
    here.env = {
      FORGEKEEPER_CONFIG: settings,
      DOCKER_HOST: ENGINE,
      XDG_DATA_HOME: join(here.#folder, 'data'),
    };
    return here;
  }

  /** Docker's own command line, as another hand on the engine. */
  async docker(...args) {
    const { stdout } = await run('docker', ['-H', ENGINE, ...args]);
    return stdout.trim();
  }

  async #import(image, without) {
    const root = spawn(STANDIN, ['rootfs', ...without], { stdio: ['ignore', 'pipe', 'inherit'] });
    const words = ['import', '--change', 'ENTRYPOINT ["/bin/forgekeeper-standin"]', '-', image];
    const take = spawn('docker', ['-H', ENGINE, ...words], { stdio: ['pipe', 'ignore', 'inherit'] });
    root.stdout.pipe(take.stdin);
    const [code] = await once(take, 'exit');
    if (code !== 0) throw new Error(`docker import ended with ${code}`);
    this.#images.push(image);
  }

  async #container({ id, image, port, command, without }) {
    const name = `${this.#run}-${id}`;
    const tag = `forgekeeper-test/${image}:${this.#run}`;
    await this.#import(tag, without);
    const options = ['--name', name, '--label', `forgekeeper.test=${this.#run}`, '-e', 'STANDIN_SPEED=2'];
    await this.docker('run', '-d', ...options, '-p', `127.0.0.1::${port}`, tag, command);
    const published = await this.docker('port', name, `${port}/tcp`);
    const outside = published.split('\n')[0].split(':').at(-1);
    const api = `http://127.0.0.1:${outside}`;
    this.#apis[id] = api;
    return `[[service]]\nid = "${id}"\nkind = "${id}"\nhost = "local"\ncontainer = "${name}"\napi = "${api}"\n`;
  }

  /** Breaks something of a service from inside its container, or mends it. */
  async fault(id, name, ...more) {
    await this.docker('exec', `${this.#run}-${id}`, '/bin/forgekeeper-standin', 'fault', name, ...more);
    // The program looks for its faults a few times a second.
    await sleep(1_000);
  }

  /** Whether a server works at nothing, by its own word. */
  async rests(id) {
    const [path, rests] = RESTS[id];
    return rests(await (await fetch(this.#apis[id] + path)).json());
  }

  async stop() {
    const ids = await this.docker('ps', '-aq', '--filter', `label=forgekeeper.test=${this.#run}`);
    if (ids) await this.docker('rm', '-f', ...ids.split('\n'));
    if (this.#images.length > 0) await this.docker('rmi', '-f', ...this.#images);
    await rm(this.#folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
  }
}
