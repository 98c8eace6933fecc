import type { Backend, KeeperListener, Preferences } from './backend';
import { FakeBackup } from './fake/backup';
import { SIGNATURES } from './fake/signatures';
import { discoveryReport } from './fake/discovery';
import { cancelGeneration } from './fake/generation';
import { actionJob } from './fake/jobs';
import type { FakeOptions } from './fake/life';
import { FakeGolden } from './fake/golden';
import { FakeMigration } from './fake/migration';
import { plan } from './fake/plan';
import { FakeRestores } from './fake/restore';
import { countGroups } from './fake/groups';
import { settingsOf } from './fake/site';
import type {
  Action,
  ActionPlan,
  Candidate,
  ErrorInfo,
  KeeperState,
  ServiceSettings,
} from './types';

export type { FakeOptions } from './fake/life';
export { FAULTS, type Fault } from './fake/site';

const DISK = 'forgekeeper.fake.preferences';

/** A living site behind the one interface of the window. */
export class FakeBackend extends FakeGolden implements Backend {
  readonly migration: FakeMigration;
  private readonly storage: Storage | null;
  private preferences: Partial<Preferences> = {};
  private readonly guarding = new FakeRestores({
    faults: this.faults,
    calls: this.calls,
    now: () => this.now,
    find: (service) => this.find(service),
    begin: (job) => void this.jobs.unshift(job),
    changed: (service) => this.listeners.forEach((one) => one.snapshotsChanged(service)),
  });
  private readonly backup = new FakeBackup(this.faults, () => this.now);

  constructor(options: FakeOptions = {}) {
    super(options);
    const changed = () => this.listeners.forEach((listener) => listener.migrationChanged?.());
    this.migration = new FakeMigration(() => this.now, changed, this.calls);
    this.storage = options.storage ?? null;
  }

  planBackup = () => this.backup.planBackup();
  runBackup = () => this.backup.runBackup();
  verifyBackup = () => this.backup.verifyBackup();
  cancelBackup = () => this.backup.cancelBackup();
  backupStatus = () => this.backup.backupStatus();

  state(): Promise<KeeperState> {
    if (this.faults.has('no-keeper')) {
      const error: ErrorInfo = {
        code: 'store',
        message: 'the history could not be opened',
        hint: null,
        detail: 'unable to open database file',
      };
      return Promise.reject(error);
    }
    if (this.faults.has('disconnected') && this.revision > 3)
      return Promise.reject(new Error('gone'));
    return Promise.resolve(this.build());
  }

  listen(listener: KeeperListener) {
    this.listeners.add(listener);
    return Promise.resolve(() => {
      this.listeners.delete(listener);
    });
  }

  async plan(id: string, action: Action): Promise<ActionPlan> {
    return plan(this.find(id), action, this.faults);
  }

  async act(id: string, action: Action, force: boolean): Promise<string> {
    const { refusals } = await this.plan(id, action);
    const refused = refusals.find((r) => !(force && r === 'generation_running'));
    this.calls.push(`act ${id} ${JSON.stringify(action)} force=${force}`);
    if (refused) {
      const error: ErrorInfo = { code: 'refused', message: refused, hint: null, detail: null };
      throw error;
    }
    const job = `job-${this.jobs.length + 1}`;
    const lost = this.jobs.find((j) => j.service.settings.id === id && j.job.phase === 'running');
    if (lost) cancelGeneration(lost, this.now);
    this.jobs.push(actionJob(job, this.find(id), action, this.now, this.faults));
    this.advance(0);
    return job;
  }

  async skip(job: string) {
    this.calls.push(`skip ${job}`);
    this.jobs.find((j) => j.job.id === job)?.skipped?.();
    this.advance(0);
  }

  async cancel(job: string) {
    const running = this.jobs.find((j) => j.job.id === job);
    if (running?.job.phase === 'running') {
      cancelGeneration(running, this.now);
      running.cancelled?.();
    }
    this.advance(0);
  }

  async logs(...[id, query, receive]: Parameters<Backend['logs']>) {
    const close = this.find(id).log.subscribe(query, receive);
    return () => void close();
  }

  async searchLogs(...[id, query, before, most, receive]: Parameters<Backend['searchLogs']>) {
    return this.find(id).log.search(query, before, most, receive, {
      pace: this.faults.has('search-slow') ? 1_500 : 60,
      fails: this.faults.has('search-fails'),
    });
  }

  async groupLogs(...[id, query, receive]: Parameters<Backend['groupLogs']>) {
    return countGroups(this.find(id).log.matching(query), this.find(id).log.lines, receive, {
      pace: this.faults.has('search-slow') ? 1_500 : 60,
      fails: this.faults.has('search-fails'),
    });
  }

  async saveLog(...[services, query, format]: Parameters<Backend['saveLog']>) {
    this.calls.push(`save log ${services.join(' ')} ${format}`);
    const logs = services.map((id) => this.find(id).log);
    const lines = logs.flatMap((log) => log.lines.filter(log.matching(query)));
    const bytes = lines.reduce((sum, line) => sum + line.text.length + 60, 0);
    return { path: `/home/admin/${services.join('-')}.${format}`, lines: lines.length, bytes };
  }

  async signatures() {
    return [...this.own.signatures(), ...SIGNATURES];
  }

  async rules() {
    return this.own.view(this.now);
  }

  async testRule(...[id, draft, replaces]: Parameters<Backend['testRule']>) {
    return this.own.test(this.find(id).log.lines, draft, replaces);
  }

  async saveRule(...[draft, replaces]: Parameters<Backend['saveRule']>) {
    this.calls.push(`rule ${draft.id} for ${replaces}`);
    this.own.save(draft, replaces);
    this.advance(0);
  }

  async removeRule(id: string) {
    this.calls.push(`rule ${id} removed`);
    this.own.remove(id);
    this.advance(0);
  }

  async silence(id: string, until: string) {
    this.calls.push(`silence ${id} ${until}`);
    this.own.silence(id, until);
    this.advance(0);
  }

  async unsilence(id: string) {
    this.calls.push(`unsilence ${id}`);
    this.own.unsilence(id);
    this.advance(0);
  }

  async ruleFromLine(...[text, language]: Parameters<Backend['ruleFromLine']>) {
    return this.own.fromLine(text, language);
  }

  async guard() {
    return this.guarding;
  }

  async discover() {
    const known = new Set(this.services.map((service) => service.settings.id));
    return discoveryReport(known, this.faults.has('nothing-found'));
  }

  async adopt(candidates: Candidate[]) {
    this.changeable();
    this.calls.push(`adopt ${candidates.map((c) => c.id).join(' ')}`);
    for (const { id, kind, container } of candidates) {
      this.add(settingsOf(id, kind, container, 17861, kind === 'forge' ? 0 : null));
    }
    this.advance(0);
  }

  async settings() {
    const services = this.services.map((s) => s.settings);
    return structuredClone({
      settings: { demo: this.demo, hosts: [{ id: 'local', engine: 'auto' }], services },
      path: '/home/admin/.config/forgekeeper/forgekeeper.toml',
      text: '# forgekeeper.toml\n',
      problem: null,
    });
  }

  async saveService(settings: ServiceSettings) {
    this.changeable();
    this.calls.push(`save ${JSON.stringify(settings)}`);
    const known = this.services.find((s) => s.settings.id === settings.id);
    if (known) known.settings = { ...settings };
    else this.add({ ...settings });
    this.advance(0);
  }

  async removeService(id: string) {
    this.changeable();
    this.calls.push(`remove ${id}`);
    this.services = this.services.filter((s) => s.settings.id !== id);
    this.advance(0);
  }

  async saveHost(settings: { id: string; engine: string }) {
    this.changeable();
    this.calls.push(`host ${settings.id} ${settings.engine}`);
  }

  async setCredentials(id: string) {
    const place = this.faults.has('no-keyring') ? 'memory' : 'keyring';
    this.calls.push(`credentials ${id}`);
    this.find(id).credentials = place;
    this.advance(0);
    return place as 'memory' | 'keyring';
  }

  async forgetCredentials(id: string) {
    this.calls.push(`forget ${id}`);
    this.find(id).credentials = null;
    this.advance(0);
  }

  async startDemo() {
    this.calls.push('demo');
    this.demo = true;
    this.faults.clear();
    this.founding();
    this.advance(0);
  }

  async stopDemo() {
    this.calls.push('demo stop');
    this.demo = false;
    this.advance(0);
  }

  async retry() {
    this.calls.push('retry');
    this.faults.delete('no-keeper');
  }

  async visible() {}

  async ready() {
    this.calls.push('ready');
  }

  async info() {
    return {
      version: '0.1.0',
      data_dir: '/home/admin/.local/share/forgekeeper',
      demo: this.demo,
    };
  }

  earlyPreferences() {
    const kept = this.storage?.getItem(DISK);
    return kept ? (JSON.parse(kept) as Partial<Preferences>) : this.preferences;
  }

  async loadPreferences() {
    return this.earlyPreferences();
  }

  async savePreferences(preferences: Preferences) {
    this.preferences = structuredClone(preferences);
    this.storage?.setItem(DISK, JSON.stringify(preferences));
  }
}
