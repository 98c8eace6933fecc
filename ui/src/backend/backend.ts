import type {
  Action,
  ActionPlan,
  AppInfo,
  Candidate,
  Credentials,
  DiscoveryReport,
  GenerationChoices,
  GenerationRecord,
  GenerationRequest,
  GpuHistory,
  GpuHistoryQuery,
  HostSettings,
  Incident,
  KeeperState,
  LogBatch,
  LogGroupBatch,
  LogQuery,
  LogSearchBatch,
  Measurement,
  SavedLog,
  SaveFormat,
  RuleDraft,
  RuleLanguage,
  RulesView,
  RuleTest,
  SecretPlace,
  ServiceSettings,
  SettingsView,
  Signature,
} from './types';

/** Ends a subscription; calling it twice is harmless. */
export type Release = () => void;

/** What this window remembers for one person; nothing of it belongs to the keeper. */
export interface Preferences {
  theme: 'system' | 'dark' | 'light';
  language: 'system' | 'en' | 'fr';
  logs: {
    wrap: boolean;
    times: 'off' | 'local' | 'utc' | 'relative';
    /** Lines that do not match the filter stay, and those that do are marked. */
    keep: boolean;
    /** Services whose lines stand in one list; with fewer than two only one is shown. */
    together: string[];
  };
  gpus: {
    /** How far back the charts look. */
    range: '60s' | '1h' | '24h' | '30d';
    /** What the last chart shows besides. */
    extra: 'none' | 'memory_load' | 'clock' | 'fan';
  };
  bench: Partial<GenerationRequest> & { service?: string };
}

/** A file that is being written. */
export interface Saving {
  /** Lines looked at, of all there are. */
  looked: number;
  all: number;
  /** Ends it; no file is left behind. */
  cancel: () => void;
}

/** What the keeper announces between two snapshots. */
export interface KeeperListener {
  state(state: KeeperState): void;
  incidentOpened(incident: Incident): void;
  incidentClosed(incident: Incident): void;
}

/**
 * The keeper as this window sees it. Every method may reject with an `ErrorInfo`.
 */
export interface Backend {
  state(): Promise<KeeperState>;
  /** Resolves once the announcements really arrive. */
  listen(listener: KeeperListener): Promise<Release>;

  plan(service: string, action: Action): Promise<ActionPlan>;
  act(service: string, action: Action, force: boolean): Promise<string>;
  cancel(job: string): Promise<void>;

  generate(service: string, request: GenerationRequest): Promise<string>;
  choices(service: string): Promise<GenerationChoices>;
  generations(limit: number): Promise<GenerationRecord[]>;
  /** Address of a picture: a hash, or a preview path from a job's progress. */
  pictureUrl(path: string): string;

  /** The past of a host's cards, in steps of one length. */
  gpuHistory(query: GpuHistoryQuery): Promise<GpuHistory>;
  /**
   * Saves that past as a table to a file that the system's own dialog asks for: its path, or
   * `null` when that was cancelled.
   */
  saveGpuTable(query: GpuHistoryQuery): Promise<string | null>;
  /** Saves a picture (PNG, base64) of the charts in the same way. */
  saveGpuPicture(host: string, png: string): Promise<string | null>;
  /** Measures which card a service computes on; the job's id. */
  provePlacement(service: string): Promise<string>;
  /** The newest such measurement with all its readings. */
  placementEvidence(service: string): Promise<Measurement[]>;

  /** Batches begin with what is held; they stop after `Release`. */
  logs(service: string, query: LogQuery, receive: (batch: LogBatch) => void): Promise<Release>;
  /**
   * Searches all that is stored of a log, newest first: lines with smaller numbers than `before`,
   * `most` of them. Reports come until one is `done`, or after `Release`.
   */
  searchLogs(
    service: string,
    query: LogQuery,
    before: number | null,
    most: number,
    receive: (batch: LogSearchBatch) => void,
  ): Promise<Release>;
  /**
   * Groups all that is stored of a log by the shapes of its lines; each report has all groups so
   * far. Reports come until one is `done`, or after `Release`.
   */
  groupLogs(
    service: string,
    query: LogQuery,
    receive: (batch: LogGroupBatch) => void,
  ): Promise<Release>;
  /**
   * Saves all that is stored of logs and asked for, oldest first, to a file that the system's own
   * dialog asks for; `null` when that was cancelled. How far it is, is told from when it is being
   * written.
   */
  saveLog(
    services: string[],
    query: LogQuery,
    format: SaveFormat,
    tell: (saving: Saving) => void,
  ): Promise<SavedLog | null>;
  /** What the ids on lines mean, rules of one's own among them. */
  signatures(): Promise<Signature[]>;

  /** The file of one's own rules, and what is silenced. */
  rules(): Promise<RulesView>;
  /** What a draft would name of the lines held, and what is wrong with it. */
  testRule(service: string, draft: RuleDraft, replaces: string | null): Promise<RuleTest>;
  saveRule(draft: RuleDraft, replaces: string | null): Promise<void>;
  removeRule(id: string): Promise<void>;
  /** Silences a message until a moment, RFC 3339. */
  silence(id: string, until: string): Promise<void>;
  unsilence(id: string): Promise<void>;
  ruleFromLine(text: string, language: RuleLanguage): Promise<RuleDraft>;

  discover(): Promise<DiscoveryReport>;
  adopt(candidates: Candidate[]): Promise<void>;
  settings(): Promise<SettingsView>;
  saveService(settings: ServiceSettings): Promise<void>;
  removeService(id: string): Promise<void>;
  saveHost(settings: HostSettings): Promise<void>;
  setCredentials(service: string, credentials: Credentials): Promise<SecretPlace>;
  forgetCredentials(service: string): Promise<void>;
  startDemo(): Promise<void>;
  stopDemo(): Promise<void>;
  /** Starts the keeper again when it did not start. */
  retry(): Promise<void>;

  visible(visible: boolean): Promise<void>;
  /** Told once, after the first paint with data. */
  ready(): Promise<void>;
  info(): Promise<AppInfo>;

  /** What was known about preferences before the page was loaded; may be out of date. */
  earlyPreferences(): Partial<Preferences>;
  loadPreferences(): Promise<Partial<Preferences>>;
  savePreferences(preferences: Preferences): Promise<void>;
}
