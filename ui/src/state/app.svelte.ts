import { getContext, setContext } from 'svelte';
import { SvelteSet } from 'svelte/reactivity';

import type { Backend, Preferences } from '../backend/backend';
import type { Incident, KeeperState } from '../backend/types';
import { language } from '../shared/i18n.svelte';

/** Without a word for so long, the window asks whether the keeper still lives. */
const SILENCE_MS = 10_000;
const ANSWER_MS = 4_000;
const PROBE_MS = 3_000;

const KEY = Symbol('forgekeeper');

export type PageId = 'overview' | 'logs' | 'bench' | 'settings';

const DEFAULTS: Preferences = {
  theme: 'system',
  language: 'system',
  logs: { wrap: true, times: true },
  bench: {},
};

/** Everything the pages share: the newest snapshot, where one is, what one prefers. */
export class App {
  readonly backend: Backend;
  state = $state.raw<KeeperState | null>(null);
  connected = $state(true);
  now = $state(Date.now());
  page = $state<PageId>('overview');
  /** Service chosen on the Logs page. */
  logService = $state<string | null>(null);
  /** Service chosen on the test bench. */
  benchService = $state<string | null>(null);
  preferences = $state<Preferences>(structuredClone(DEFAULTS));
  /** Said once by screen readers. */
  announcement = $state('');
  /** Ended jobs that the reader has put away. */
  readonly dismissed = new SvelteSet<string>();
  lastHeard = Date.now();

  constructor(backend: Backend) {
    this.backend = backend;
  }

  /** Starts listening; the returned function ends everything that was started. */
  start(onincident: (incident: Incident, opened: boolean) => void): () => void {
    let ended = false;
    let release: (() => void) | null = null;
    const hear = (state: KeeperState) => {
      this.lastHeard = Date.now();
      this.connected = true;
      // A slow answer must not undo a newer announcement. Another keeper (the demo host) counts
      // from the beginning again, so a lower number alone does not make a snapshot old.
      const old =
        this.state !== null &&
        state.revision < this.state.revision &&
        Date.parse(state.at) < Date.parse(this.state.at);
      if (!old) this.state = state;
    };
    const fetch = async () => {
      try {
        hear(await within(this.backend.state(), ANSWER_MS));
      } catch {
        // Whatever the reason, the consequence is the same and is shown: no keeper answers.
        this.connected = false;
      }
    };
    const begin = async () => {
      const subscription = await this.backend.listen({
        state: hear,
        incidentOpened: (incident) => onincident(incident, true),
        incidentClosed: (incident) => onincident(incident, false),
      });
      if (ended) subscription();
      else release = subscription;
      await fetch();
    };
    begin().catch(() => {
      this.connected = false;
    });
    const clock = setInterval(() => (this.now = Date.now()), 1_000);
    const watch = setInterval(() => {
      if (Date.now() - this.lastHeard > SILENCE_MS || !this.connected) void fetch();
    }, PROBE_MS);
    const seen = () => void this.backend.visible(!document.hidden).catch(() => undefined);
    document.addEventListener('visibilitychange', seen);
    return () => {
      ended = true;
      release?.();
      clearInterval(clock);
      clearInterval(watch);
      document.removeEventListener('visibilitychange', seen);
    };
  }

  async loadPreferences(): Promise<void> {
    const kept = await this.backend.loadPreferences().catch(() => ({}) as Partial<Preferences>);
    this.preferences = {
      ...structuredClone(DEFAULTS),
      ...kept,
      logs: { ...DEFAULTS.logs, ...kept.logs },
    };
    this.applyPreferences();
  }

  prefer(change: Partial<Preferences>): void {
    this.preferences = { ...this.preferences, ...change };
    this.applyPreferences();
    // A preference that cannot be kept is in force until the window closes.
    this.backend.savePreferences($state.snapshot(this.preferences)).catch(() => undefined);
  }

  applyPreferences(): void {
    const { theme, language: wanted } = this.preferences;
    const light = matchMedia('(prefers-color-scheme: light)').matches;
    const dark = theme === 'dark' || (theme === 'system' && !light);
    document.documentElement.dataset['theme'] = dark ? 'dark' : 'light';
    const french = navigator.language.toLowerCase().startsWith('fr');
    language.use(wanted === 'system' ? (french ? 'fr' : 'en') : wanted);
  }

  openLogs(service: string): void {
    this.logService = service;
    this.page = 'logs';
  }

  openBench(service: string): void {
    this.benchService = service;
    this.page = 'bench';
  }

  announce(text: string): void {
    this.announcement = text;
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
