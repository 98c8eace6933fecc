import type { Guard } from './guard';
import type { BackupBackend } from './backup';
import type { MigrationBackend } from './migration';
import type {
  Action,
  ActionPlan,
  AppInfo,
  Candidate,
  Credentials,
  DiscoveryReport,
  GalleryPage,
  GalleryQuery,
  GalleryUse,
  GenerationChoices,
  GenerationRecord,
  GenerationRequest,
  GoldenComparison,
  GoldenRuns,
  GoldenSet,
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
  OwnWorkflow,
  SavedLog,
  SaveFormat,
  Room,
  RuleDraft,
  RuleLanguage,
  RulesView,
  RuleTest,
  SecretPlace,
  ServiceSettings,
  SettingsView,
  Signature,
  Vote,
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
  benchView: {
    /** Whether the fields that most requests leave alone are shown. */
    advanced: boolean;
    /** Services after the first one that the same request goes to. */
    also: string[];
    /** One service begins when the one before it has ended; else all at once. */
    inTurn: boolean;
    /** Workflows of one's own by the service that works with them. */
    workflows: Record<string, string>;
  };
}

/** What the parameters written into a picture's file ask for. */
export interface ReadParameters {
  request: GenerationRequest;
  /** Who wrote them. */
  source: 'a1111' | 'comfyui';
  /** What stands there and could not be taken over. */
  missing: string[];
}

/** A request kept under a name. */
export interface Preset {
  name: string;
  request: GenerationRequest;
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
  /** Snapshots of a service's configuration were taken, removed or pinned. */
  snapshotsChanged(service: string): void;
  /** Something of the migration changed. */
  migrationChanged?(): void;
}

/**
 * The keeper as this window sees it. Every method may reject with an `ErrorInfo`.
 */
export interface Backend extends BackupBackend {
  state(): Promise<KeeperState>;
  /** Resolves once the announcements really arrive. */
  listen(listener: KeeperListener): Promise<Release>;

  /** The plan from Forge to ComfyUI. */
  readonly migration: MigrationBackend;

  plan(service: string, action: Action): Promise<ActionPlan>;
  act(service: string, action: Action, force: boolean): Promise<string>;
  cancel(job: string): Promise<void>;
  /** Asks for the picture of a running job as it is now. */
  skip(job: string): Promise<void>;

  /**
   * With a kept workflow where one is named; `force` accepts that the memory of the card may not
   * suffice.
   */
  generate(
    service: string,
    request: GenerationRequest,
    workflow: string | null,
    force: boolean,
  ): Promise<string>;
  /** What a generation needs on its card, and what is there. */
  generationRoom(service: string, request: GenerationRequest): Promise<Room>;
  choices(service: string): Promise<GenerationChoices>;
  generations(limit: number): Promise<GenerationRecord[]>;
  /** Address of a picture: a hash, or a preview path from a job's progress. */
  pictureUrl(path: string): string;
  /** Address of a picture in small. */
  thumbUrl(hash: string): string;
  /** The parameters that a picture's file carries. */
  readParameters(bytes: Uint8Array): Promise<ReadParameters>;
  /** The graph that a service would be sent for a request, as JSON text. */
  generationGraph(
    service: string,
    request: GenerationRequest,
    workflow: string | null,
  ): Promise<string>;
  /** Saves it to a file: the path, or `null` when that was cancelled. */
  saveGraph(
    service: string,
    request: GenerationRequest,
    workflow: string | null,
  ): Promise<string | null>;
  /** Workflows of one's own that are kept, and what finds a place in them. */
  workflows(): Promise<OwnWorkflow[]>;
  /** Keeps the text of a file; the same one again is kept once. */
  keepWorkflow(file: string, text: string): Promise<OwnWorkflow>;
  removeWorkflow(name: string): Promise<void>;
  presets(): Promise<Preset[]>;
  savePreset(name: string, request: GenerationRequest): Promise<void>;
  removePreset(name: string): Promise<void>;

  /** Kept generations, newest first, page by page. */
  gallery(query: GalleryQuery): Promise<GalleryPage>;
  galleryUse(): Promise<GalleryUse>;
  /** Deletes generations with their pictures; how many went. Those of golden runs stay. */
  forgetGenerations(ids: string[]): Promise<number>;
  /** One picture of many: the path it was saved to, or `null` when that was cancelled. */
  saveContactSheet(ids: string[]): Promise<string | null>;

  goldenSets(): Promise<GoldenSet[]>;
  saveGoldenSet(set: GoldenSet): Promise<void>;
  removeGoldenSet(name: string): Promise<void>;
  /** Makes every picture of a set on a service; the job's id, which is the run's as well. */
  runGolden(set: string, service: string, force: boolean): Promise<string>;
  /** Runs of a set, newest first, and the two that a comparison begins with. */
  goldenRuns(set: string): Promise<GoldenRuns>;
  removeGoldenRun(id: string): Promise<void>;
  compareGolden(reference: string, candidate: string): Promise<GoldenComparison>;
  voteGolden(reference: string, candidate: string, prompt: string, vote: Vote): Promise<void>;
  /** A comparison as a table: the path it was saved to, or `null` when that was cancelled. */
  saveGoldenTable(reference: string, candidate: string): Promise<string | null>;

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

  /** Snapshots of the services' configuration; loaded with the first question. */
  guard(): Promise<Guard>;

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
