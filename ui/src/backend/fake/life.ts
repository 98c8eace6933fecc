import type { KeeperListener } from '../backend';
import type { ErrorInfo, GenerationRecord, Incident, KeeperState, ServiceSettings } from '../types';
import type { FakeJob } from './jobs';
import { FakeLog } from './logs';
import { FakePictures } from './generation';
import { generator } from './pictures';
import { cardOf } from './gpus';
import { firstProof } from './placement';
import { FakeRules } from './rules';
import type { Fault, FakeService } from './site';
import { settingsOf } from './site';
import { snapshot } from './snapshot';

export interface FakeOptions {
  faults?: Fault[];
  /** Lines every log begins with. */
  lines?: number;
  /** Moment the fake begins, in Unix milliseconds. */
  now?: number;
  /** Where preferences are kept between page loads; nowhere by default. */
  storage?: Storage;
}

/** A site that lives: time moves with `advance`, or by itself after `run`. */
export class FakeSite {
  now: number;
  /** Every effect that was asked for, for tests. */
  readonly calls: string[] = [];
  protected readonly faults: Set<Fault>;
  protected readonly born: number;
  protected readonly random = generator('gpu');
  protected readonly listeners = new Set<KeeperListener>();
  protected readonly pictures = new FakePictures();
  protected readonly history = new Map<number, (number | null)[]>();
  protected services: FakeService[] = [];
  protected jobs: FakeJob[] = [];
  protected records: GenerationRecord[] = [];
  protected incidents: Incident[] = [];
  protected revision = 0;
  protected demo: boolean;
  protected lastSecond: number;
  protected readonly lines: number;
  protected readonly own: FakeRules;

  constructor(options: FakeOptions = {}) {
    this.faults = new Set(options.faults);
    this.own = new FakeRules(this.faults);
    this.now = options.now ?? Date.now();
    this.lastSecond = Math.floor(this.now / 1000);
    this.born = this.now - 75_840_000;
    this.lines = options.lines ?? 400;
    const first = this.faults.has('first-start') || this.faults.has('nothing-found');
    this.demo = this.faults.has('demo');
    if (!first) this.founding();
    for (const index of [0, 1]) {
      this.history.set(
        index,
        Array.from({ length: 60 }, (_, second) =>
          index === 1 && second > 20 && second < 26 ? null : Math.floor(this.random() * 4),
        ),
      );
    }
    this.incidents = this.build().incidents;
  }

  protected founding() {
    this.add(settingsOf('myia-turbo', 'forge', 'myia-turbo-supervisor-1', 17861, 1));
    this.add(settingsOf('myia', 'forge', 'myia-supervisor-1', 36525, 0));
    if (this.faults.has('many-services')) {
      for (let index = 1; index <= 6; index++) {
        this.add(settingsOf(`atelier-${index}`, 'comfyui', `comfyui-${index}`, 8188 + index, null));
      }
    }
    const stopped = this.services.find((s) => s.settings.id === 'myia');
    if (this.faults.has('container-stopped') && stopped) {
      Object.assign(stopped, {
        running: false,
        programUp: false,
        apiUp: false,
        startedAt: this.now - 4_320_000,
      });
    }
  }

  protected add(settings: ServiceSettings) {
    this.services.push({
      settings,
      running: true,
      startedAt: this.born,
      programUp: true,
      apiUp: true,
      acting: null,
      generating: null,
      image: null,
      credentials: settings.id === 'myia' ? 'keyring' : null,
      restarts: settings.id === 'myia-turbo' ? 3 : 0,
      log: new FakeLog(settings.id, this.now, this.lines),
      proved: null,
    });
    const added = this.services.at(-1);
    if (added) added.proved = firstProof(added, this.faults, this.now);
  }

  /** Lets time run by itself. */
  run(): () => void {
    const timer = setInterval(() => this.advance(250), 250);
    return () => clearInterval(timer);
  }

  advance(ms: number) {
    this.now += ms;
    for (const running of this.jobs) {
      if (running.job.phase !== 'running') continue;
      running.move(this.now - running.begun, this.now);
      const record = running.job.record;
      if (record && !this.records.includes(record)) this.records.unshift(record);
    }
    const second = Math.floor(this.now / 1000);
    if (second !== this.lastSecond) {
      this.lastSecond = second;
      this.everySecond();
    }
    this.announce();
  }

  protected everySecond() {
    for (const [index, loads] of this.history) {
      const busy = this.services.some(
        (s) => s.generating !== null && cardOf(s, this.faults)?.index === index,
      );
      loads.push(Math.floor(busy ? 86 + this.random() * 12 : this.random() * 4));
      if (loads.length > 60) loads.shift();
    }
    if (this.faults.has('engine-refused') || this.faults.has('log-lost')) return;
    for (const service of this.services) if (service.running) service.log.write(this.now);
  }

  protected announce() {
    if (this.faults.has('disconnected') || this.faults.has('no-keeper')) return;
    const state = this.build();
    const before = new Map(this.incidents.map((i) => [i.id, i]));
    const after = new Set(state.incidents.map((i) => i.id));
    this.incidents = state.incidents;
    for (const listener of this.listeners) {
      listener.state(state);
      for (const one of state.incidents) if (!before.has(one.id)) listener.incidentOpened(one);
      for (const [id, one] of before) if (!after.has(id)) listener.incidentClosed(one);
    }
  }

  protected build(): KeeperState {
    return structuredClone(
      snapshot({
        revision: ++this.revision,
        now: this.now,
        born: this.born,
        demo: this.demo,
        services: this.services,
        jobs: this.jobs.map((j) => j.job),
        loads: this.history,
        faults: this.faults,
        rules: this.own.status(this.now),
        silenced: this.own.silenced(this.now),
      }),
    );
  }

  /** The demo host's settings are fixed. */
  protected changeable() {
    if (!this.demo) return;
    const error: ErrorInfo = {
      code: 'refused',
      message: "the demo host's settings cannot be changed",
      hint: 'Leave the demo host to administer your own services.',
      detail: null,
    };
    throw error;
  }

  protected find(id: string): FakeService {
    const found = this.services.find((s) => s.settings.id === id);
    if (found) return found;
    const error: ErrorInfo = {
      code: 'unknown_service',
      message: `no service \`${id}\``,
      hint: null,
      detail: null,
    };
    throw error;
  }
}
