import { Channel, convertFileSrc } from '@tauri-apps/api/core';
import { LazyStore } from '@tauri-apps/plugin-store';

import type { Backend, Preferences, Release } from './backend';
import type {
  LogBatch_Deserialize,
  LogGroupBatch_Deserialize,
  LogSearchBatch_Deserialize,
  SavingLog,
} from './bindings.gen';
import { done, given, type Answer } from './answer';
import { commands, events } from './bindings.gen';
import { tauriBackup } from './tauri-backup';
import type { MigrationBackend } from './migration';
import type { TauriBench } from './tauri-bench';
import type { LogBatch, LogGroupBatch, LogSearchBatch, SavedLog, Signature } from './types';

declare global {
  interface Window {
    /** Written by the shell before the page runs. */
    __FORGEKEEPER_PREFERENCES__?: Partial<Preferences>;
  }
}

/** What only the test bench asks for: its code is there with the first question. */
const late = <K extends keyof TauriBench>(name: K) =>
  (async (...args: never[]) => {
    const { tauriBench } = await import('./tauri-bench');
    return (tauriBench[name] as (...given: never[]) => unknown)(...args);
  }) as unknown as TauriBench[K];

/** The same for the migration, which has a page of its own. */
const lateMigration = new Proxy({} as MigrationBackend, {
  get:
    (_, name) =>
    async (...args: never[]) => {
      const { tauriMigration } = await import('./tauri-migration');
      return (tauriMigration[name as keyof MigrationBackend] as (...given: never[]) => unknown)(
        ...args,
      );
    },
});

/** Opens a stream with an owner, who ends it. */
async function streamed<T>(
  open: (channel: Channel<T>) => Promise<Answer<number>>,
  receive: (part: T) => void,
): Promise<Release> {
  let wanted = true;
  /** Its number, once it is known; batches may come before. */
  let id: number | null = null;
  let early = 0;
  const taken = () => {
    if (id === null) early += 1;
    // A reader that ended meanwhile waits for nobody.
    else commands.logsTaken(id).catch(() => undefined);
  };
  const channel = new Channel<T>();
  channel.onmessage = (part) => {
    if (!wanted) return;
    receive(part);
    taken();
  };
  const opened = await given(open(channel));
  id = opened;
  for (; early > 0; early--) taken();
  return () => {
    if (!wanted) return;
    wanted = false;
    // The window may be closing: an unanswered farewell harms nobody, the shell closes every
    // reader of a window that is gone.
    commands.logsClose(opened).catch(() => undefined);
  };
}

/** Talks to the shell through its generated commands, events and channels. */
export function tauriBackend(): Backend {
  const store = new LazyStore('preferences.json');

  return {
    state: () => given(commands.keeperState()),
    async listen(listener) {
      const releases = await Promise.all([
        // The generated listener is typed by what would be sent; what arrives is what was written.
        events.stateChanged.listen((event) => listener.state(event.payload as never)),
        events.incidentOpened.listen((event) => listener.incidentOpened(event.payload)),
        events.incidentClosed.listen((event) => listener.incidentClosed(event.payload)),
        events.snapshotsChanged.listen((event) => listener.snapshotsChanged(event.payload)),
        events.migrationChanged.listen(() => listener.migrationChanged?.()),
      ]);
      return () => releases.forEach((release) => release());
    },

    migration: lateMigration,

    plan: (service, action) => given(commands.actionPlan(service, action)),
    act: (service, action, force) => given(commands.actionRun(service, action, force)),
    cancel: (job) => done(commands.jobCancel(job)),
    skip: (job) => done(commands.jobSkip(job)),

    generate: (service, request, workflow, force) =>
      given(commands.generationStart(service, request, workflow, force)),
    generationRoom: late('generationRoom'),
    choices: (service) => given(commands.generationChoices(service)),
    generations: (limit) => given(commands.generationList(limit)),
    pictureUrl: (path) => convertFileSrc(path, 'picture'),
    thumbUrl: (hash) => convertFileSrc(`thumb/${hash}`, 'picture'),
    readParameters: late('readParameters'),
    generationGraph: late('generationGraph'),
    saveGraph: late('saveGraph'),
    workflows: late('workflows'),
    keepWorkflow: late('keepWorkflow'),
    removeWorkflow: late('removeWorkflow'),
    presets: late('presets'),
    savePreset: late('savePreset'),
    removePreset: late('removePreset'),
    gallery: late('gallery'),
    galleryUse: late('galleryUse'),
    forgetGenerations: late('forgetGenerations'),
    saveContactSheet: late('saveContactSheet'),
    goldenSets: late('goldenSets'),
    saveGoldenSet: late('saveGoldenSet'),
    removeGoldenSet: late('removeGoldenSet'),
    runGolden: late('runGolden'),
    goldenRuns: late('goldenRuns'),
    removeGoldenRun: late('removeGoldenRun'),
    compareGolden: late('compareGolden'),
    voteGolden: late('voteGolden'),
    saveGoldenTable: late('saveGoldenTable'),

    gpuHistory: (query) => given(commands.gpuHistory(query)),
    saveGpuTable: (query) => given(commands.gpuTableSave(query)),
    saveGpuPicture: (host, png) => given(commands.gpuPictureSave(host, png)),
    provePlacement: (service) => given(commands.placementProve(service)),
    placementEvidence: (service) => given(commands.placementEvidence(service)),

    logs: (service, query, receive) =>
      streamed<LogBatch_Deserialize>(
        (channel) => commands.logsOpen(service, query, channel),
        // As above: typed as sent, written with every field.
        (batch) => receive(batch as LogBatch),
      ),
    searchLogs: (service, query, before, most, receive) =>
      streamed<LogSearchBatch_Deserialize>(
        (channel) => commands.logsSearch(service, query, before, most, channel),
        (batch) => receive(batch as LogSearchBatch),
      ),
    groupLogs: (service, query, receive) =>
      streamed<LogGroupBatch_Deserialize>(
        (channel) => commands.logsGroups(service, query, channel),
        (batch) => receive(batch as LogGroupBatch),
      ),
    saveLog: async (services, query, format, tell) => {
      const channel = new Channel<SavingLog>();
      channel.onmessage = ({ id, looked, all }) =>
        tell({ looked, all, cancel: () => void commands.logsClose(id).catch(() => undefined) });
      return (await given(commands.logsSave(services, query, format, channel))) as SavedLog | null;
    },
    signatures: async () => (await given(commands.logSignatures())) as Signature[],

    rules: () => given(commands.rulesView()),
    testRule: (service, draft, replaces) => given(commands.rulesTest(service, draft, replaces)),
    saveRule: (draft, replaces) => done(commands.rulesSave(draft, replaces)),
    removeRule: (id) => done(commands.rulesRemove(id)),
    silence: (id, until) => done(commands.rulesSilence(id, until)),
    unsilence: (id) => done(commands.rulesUnsilence(id)),
    ruleFromLine: (text, language) => given(commands.rulesFromLine(text, language)),

    guard: async () => (await import('./tauri-guard')).tauriGuard,
    ...tauriBackup,

    discover: () => given(commands.discover()),
    adopt: (candidates) => done(commands.servicesAdopt(candidates)),
    settings: () => given(commands.settingsGet()),
    saveService: (settings) => done(commands.serviceSave(settings)),
    removeService: (id) => done(commands.serviceRemove(id)),
    saveHost: (settings) => done(commands.hostSave(settings)),
    setCredentials: (service, credentials) => given(commands.credentialsSet(service, credentials)),
    forgetCredentials: (service) => done(commands.credentialsForget(service)),
    startDemo: () => done(commands.demoStart()),
    stopDemo: () => done(commands.demoStop()),
    retry: () => done(commands.keeperRetry()),

    visible: (visible) => commands.windowVisible(visible),
    ready: () => commands.uiReady(),
    info: () => given(commands.appInfo()),

    earlyPreferences: () => window.__FORGEKEEPER_PREFERENCES__ ?? {},
    async loadPreferences() {
      return (await store.get<Partial<Preferences>>('preferences')) ?? {};
    },
    async savePreferences(preferences) {
      await store.set('preferences', preferences);
      await store.save();
    },
  };
}
