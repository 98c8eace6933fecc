import { getContext, setContext } from 'svelte';
import { SvelteSet } from 'svelte/reactivity';

import type { Backend, Preferences, Release } from '../backend/backend';
import { asErrorInfo } from '../backend/errors';
import type { ErrorInfo, Incident, KeeperState } from '../backend/types';
import { dayOf } from '../shared/format';
import { language } from '../shared/i18n.svelte';
import { Bench } from './bench.svelte';
import { reuse } from './reuse';

/** Without a word for so long, the window asks whether the keeper still lives. */
const SILENCE_MS = 10_000;
const ANSWER_MS = 4_000;
const PROBE_MS = 3_000;
/** How often times move on while nothing is heard: each move may cost a repaint. */
const TICK_MS = 1_000;
const CALM_TICK_MS = 5_000;
/** Timers come a little early or late. */
const SLACK_MS = 60;

const KEY = Symbol('forgekeeper');

export type PageId =
  'overview' | 'gpus' | 'logs' | 'bench' | 'migration' | 'configuration' | 'settings';

/** Parts of the Configuration page. */
export type GuardTab = 'snapshots' | 'backup';

/** Where in a log something happened. */
export interface LogAim {
  at: string;
  /** How its line begins, when that is known. */
  text: string | null;
}

/** What somebody wants of the rules for logs. */
export type RulesAsk =
  | { what: 'list' }
  /** A rule that names this line of a service's log, and its like. */
  | { what: 'line'; text: string; service: string }
  | { what: 'edit'; id: string }
  | { what: 'silence'; id: string };

const DEFAULTS: Preferences = {
  theme: 'system',
  language: 'system',
  logs: { wrap: true, times: 'local', keep: false, together: [] },
  gpus: { range: '1h', extra: 'none' },
  bench: {},
  benchView: { advanced: false, also: [], inTurn: false, workflows: {} },
};

/** Everything the pages share: the newest snapshot, where one is, what one prefers. */
export class App {
  readonly backend: Backend;
  state = $state.raw<KeeperState | null>(null);
  connected = $state(true);
  /** Why there is no keeper, when it said so itself. */
  failure = $state.raw<ErrorInfo | null>(null);
  /** When this window was opened. */
  readonly opened = Date.now();
  now = $state(this.opened);
  /** Changes once a day. */
  readonly today = $derived(dayOf(this.now));
  page = $state<PageId>('overview');
  /** Service chosen on the Logs page. */
  logService = $state<string | null>(null);
  /** Text that the Logs page, when it opens, takes up once as its filter. */
  logFilter = '';
  /** The line that the Logs page, when it opens, goes to once. */
  logAim: LogAim | null = null;
  /** What the test bench holds, also while another page is shown. */
  readonly bench = new Bench();
  preferences = $state.raw<Preferences>(structuredClone(DEFAULTS));
  /** What the dialog of rules is open for. */
  rulesAsk = $state.raw<RulesAsk | null>(null);
  /** Said once by screen readers. */
  announcement = $state('');
  /** Ended jobs that the reader has put away. */
  readonly dismissed = new SvelteSet<string>();
  onincident: (incident: Incident, opened: boolean) => void = () => undefined;
  /** Told of a service whose snapshots are others now; there from when their page is first shown. */
  onsnapshots: (service: string) => void = () => undefined;
  /** Service chosen on the Configuration page. */
  guarded = $state<string | null>(null);
  guardTab = $state<GuardTab>('snapshots');
  /** Told of changes of the migration; there from when its page is first shown. */
  onmigration: () => void = () => undefined;
  /** Counts the changes of the migration. */
  migrated = $state(0);
  lastHeard = Date.now();

  /** Fulfilled once the first snapshot was answered or refused. */
  answered: Promise<void> = Promise.resolve();

  private started: Release | null = null;
  private release: Release | null = null;
  private listening = false;
  private lastAsked = 0;
  private preferred = false;

  constructor(backend: Backend) {
    this.backend = backend;
    this.adoptPreferences(backend.earlyPreferences());
  }

  /** Starts listening, once; the returned function ends everything that was started. */
  start(): Release {
    if (this.started) return this.started;
    let timer = 0;
    const run = () => {
      window.clearInterval(timer);
      if (!document.hidden) timer = window.setInterval(this.tick, TICK_MS);
    };
    const seen = () => {
      void this.backend.visible(!document.hidden).catch(() => undefined);
      run();
      if (!document.hidden) void this.ask();
    };
    document.addEventListener('visibilitychange', seen);
    const light = matchMedia('(prefers-color-scheme: light)');
    const themed = () => this.applyPreferences();
    light.addEventListener('change', themed);
    run();
    this.answered = this.ask();
    // What happened between the first answer and the first announcement is asked for again.
    void this.listen().then(() => this.ask());
    this.started = () => {
      this.started = null;
      this.release?.();
      this.release = null;
      window.clearInterval(timer);
      document.removeEventListener('visibilitychange', seen);
      light.removeEventListener('change', themed);
    };
    return this.started;
  }

  /** Asks for the newest snapshot, whatever was announced. */
  ask = async (): Promise<void> => {
    this.lastAsked = Date.now();
    try {
      this.hear(await within(this.backend.state(), ANSWER_MS));
    } catch (thrown) {
      // Whatever the reason, the consequence is the same and is shown: no keeper answers.
      this.connected = false;
      const said = typeof thrown === 'object' && thrown !== null && 'code' in thrown;
      this.failure = said ? asErrorInfo(thrown) : null;
    }
  };

  /** Starts the keeper again when it did not start. */
  retry = async (): Promise<void> => {
    // Whatever goes wrong is what asking says next.
    await this.backend.retry().catch(() => undefined);
    await this.ask();
  };

  private async listen(): Promise<void> {
    if (this.listening) return;
    this.listening = true;
    try {
      const release = await this.backend.listen({
        state: (state) => this.hear(state),
        incidentOpened: (incident) => this.onincident(incident, true),
        incidentClosed: (incident) => this.onincident(incident, false),
        snapshotsChanged: (service) => this.onsnapshots(service),
        migrationChanged: () => {
          this.migrated += 1;
          this.onmigration();
        },
      });
      if (this.started) this.release = release;
      else release();
    } catch {
      // Tried again with the next tick; until then the snapshot is asked for.
      this.listening = false;
    }
  }

  private hear(state: KeeperState): void {
    const now = Date.now();
    this.lastHeard = now;
    this.connected = true;
    this.failure = null;
    if (now - this.now >= TICK_MS - SLACK_MS) this.now = now;
    // A slow answer must not undo a newer announcement. Another keeper (the demo host) counts
    // from the beginning again, so a lower number alone does not make a snapshot old.
    const old =
      this.state !== null &&
      state.revision < this.state.revision &&
      Date.parse(state.at) < Date.parse(this.state.at);
    if (old) return;
    this.state = reuse(this.state, state);
    this.bench.queue?.follow(this.state);
  }

  private tick = (): void => {
    const now = Date.now();
    const running = this.state?.jobs.some((job) => job.phase === 'running') ?? false;
    if (now - this.now >= (running ? TICK_MS : CALM_TICK_MS) - SLACK_MS) this.now = now;
    if (!this.listening) void this.listen();
    const silent = now - this.lastHeard > SILENCE_MS || !this.connected || !this.listening;
    if (silent && now - this.lastAsked >= PROBE_MS - SLACK_MS) void this.ask();
  };

  /** What was kept on disk; what was chosen since the window opened stands. */
  async loadPreferences(): Promise<void> {
    const kept = await this.backend.loadPreferences().catch(() => null);
    if (kept && !this.preferred) this.adoptPreferences(kept);
  }

  private adoptPreferences(kept: Partial<Preferences>): void {
    const logs = { ...DEFAULTS.logs, ...kept.logs };
    // It was a yes or no once.
    const times: unknown = logs.times;
    if (typeof times === 'boolean') logs.times = times ? 'local' : 'off';
    const gpus = { ...DEFAULTS.gpus, ...kept.gpus };
    const benchView = { ...DEFAULTS.benchView, ...kept.benchView };
    const all = { ...structuredClone(DEFAULTS), ...kept, logs, gpus, benchView };
    this.preferences = reuse(this.preferences, all);
    this.applyPreferences();
  }

  prefer(change: Partial<Preferences>): void {
    this.preferred = true;
    this.preferences = { ...this.preferences, ...change };
    this.applyPreferences();
    // A preference that cannot be kept is in force until the window closes.
    this.backend.savePreferences(this.preferences).catch(() => undefined);
  }

  applyPreferences(): void {
    const { theme, language: wanted } = this.preferences;
    const light = matchMedia('(prefers-color-scheme: light)').matches;
    const dark = theme === 'dark' || (theme === 'system' && !light);
    document.documentElement.dataset['theme'] = dark ? 'dark' : 'light';
    const french = navigator.language.toLowerCase().startsWith('fr');
    void language.use(wanted === 'system' ? (french ? 'fr' : 'en') : wanted);
  }

  openLogs(service: string, filter = '', aim: LogAim | null = null): void {
    this.logService = service;
    this.logFilter = filter;
    this.logAim = aim;
    this.page = 'logs';
  }

  takeLogAim(): LogAim | null {
    const aim = this.logAim;
    this.logAim = null;
    return aim;
  }

  takeLogFilter(): string {
    const filter = this.logFilter;
    this.logFilter = '';
    return filter;
  }

  askRules(ask: RulesAsk): void {
    this.rulesAsk = ask;
  }

  /** Begins a rule that names a line and its like. */
  makeRule(service: string, text: string): void {
    this.askRules({ what: 'line', text, service });
  }

  openBench(service: string): void {
    this.bench.services = [service];
    this.bench.tab = 'make';
    this.page = 'bench';
  }

  announce(text: string): void {
    // The same words once more would be no change, and nothing would be said.
    this.announcement = text === this.announcement ? `${text}\u00a0` : text;
  }

  dismiss(job: string): void {
    this.dismissed.add(job);
  }
}

function within<T>(answer: Promise<T>, ms: number): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error('no answer in time')), ms);
    answer.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}

export const provideApp = (app: App): App => setContext(KEY, app);
export const useApp = (): App => getContext<App>(KEY);
