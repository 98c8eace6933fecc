import type {
  BackupBackend,
  BackupPlan,
  BackupProgress,
  BackupRecord,
  BackupSettings,
} from '../backup';
import type { Fault } from './faults';
import { iso } from './site';
import { thrown } from './workflows';

const SETTINGS: BackupSettings = {
  source: 'D:\\Production\\stable-diffusion-webui-forge',
  target: 'E:\\Backups\\forge',
  mode: 'mirror',
  exclude: ['outputs'],
  keep: 7,
};
const ALL = { files: 1240, bytes: 6.4e9 };
const NONE = { files: 0, bytes: 0 };
/** How long a run and a verification take. */
const LASTS = 8_000;
const LOOKS = 1_000;

/** A backup that copies nothing, at the pace of the fake's time. */
export class FakeBackup implements BackupBackend {
  private running: { task: BackupProgress['task']; since: number } | null = null;
  private last: BackupRecord | null = null;
  private whole: BackupRecord | null = null;
  private verified: BackupRecord | null = null;

  constructor(
    private readonly faults: ReadonlySet<Fault>,
    private readonly now: () => number,
  ) {}

  async planBackup(): Promise<BackupPlan> {
    this.refuse();
    return {
      source: SETTINGS.source,
      target: SETTINGS.target,
      mode: SETTINGS.mode,
      all: ALL,
      copy: this.whole ? { files: 3, bytes: 40_000 } : ALL,
      unchanged: this.whole ? { files: 1237, bytes: 6.39996e9 } : NONE,
      remove: NONE,
      excluded: 1,
      links: 2,
      special: 0,
      models: { files: 2, bytes: 6.1e9 },
      folders: [
        { name: 'models', amount: { files: 2, bytes: 6.1e9 } },
        { name: '', amount: { files: 12, bytes: 48_000 } },
      ],
      needed_bytes: this.whole ? 400_000 : 6.5e9,
      free_bytes: this.faults.has('backup-full') ? 1e9 : 4e11,
      disks: this.faults.has('backup-same-disk') ? 'same_disk' : 'unknown',
      continues: this.last?.end === 'cancelled',
      problems: [],
      problem_count: 0,
    };
  }

  runBackup = () => this.begin('run');
  verifyBackup = () => this.begin('verify');

  async cancelBackup() {
    if (!this.running) throw thrown('refused', 'the backup is not at work');
    this.end('cancelled');
  }

  async backupStatus() {
    if (this.running && this.now() - this.running.since >= LASTS) {
      const held = this.faults.has('backup-held') && this.running.task === 'run';
      const full = this.faults.has('backup-full') && this.running.task === 'run';
      this.end(full ? 'disk_full' : held ? 'incomplete' : 'whole');
    }
    return {
      settings: this.faults.has('backup-configured') ? SETTINGS : null,
      running: this.progress(),
      last: this.last,
      last_whole: this.whole,
      verified: this.verified,
    };
  }

  private async begin(task: BackupProgress['task']): Promise<void> {
    this.refuse();
    if (this.running) throw thrown('refused', 'the backup is at work already');
    this.running = { task, since: this.now() };
  }

  private refuse() {
    if (!this.faults.has('backup-configured'))
      throw thrown(
        'bad_request',
        'the backup has no source: there is no `[backup]` in the settings',
      );
  }

  private progress(): BackupProgress | null {
    if (!this.running) return null;
    const gone = this.now() - this.running.since;
    const looking = gone < LOOKS;
    const part = Math.min(1, (gone - LOOKS) / (LASTS - LOOKS));
    return {
      task: this.running.task,
      stage: looking ? 'looking' : this.running.task === 'verify' ? 'verifying' : 'copying',
      started_at: iso(this.running.since),
      done: looking
        ? NONE
        : { files: Math.floor(ALL.files * part), bytes: Math.floor(ALL.bytes * part) },
      of: looking ? null : ALL,
      rate: gone < 3 * LOOKS ? null : ALL.bytes / ((LASTS - LOOKS) / 1000),
      remaining_s: gone < 3 * LOOKS ? null : Math.ceil((LASTS - gone) / 1000),
      current: looking ? null : 'models/Stable-diffusion/sd_xl_turbo_1.0_fp16.safetensors',
      problems: 0,
    };
  }

  private end(end: BackupRecord['end']) {
    if (!this.running) return;
    const { task, since } = this.running;
    this.running = null;
    const held = end === 'incomplete';
    const record: BackupRecord = {
      id: `backup-${since}`,
      task,
      source: SETTINGS.source,
      target: SETTINGS.target,
      mode: SETTINGS.mode,
      folder: null,
      started_at: iso(since),
      finished_at: iso(this.now()),
      end,
      held: ALL,
      copied: task === 'run' ? ALL : NONE,
      linked: NONE,
      unchanged: NONE,
      removed: NONE,
      excluded: 1,
      links: 2,
      special: 0,
      problems: held
        ? [
            {
              path: 'myia-turbo.env',
              why: 'in_use',
              detail: 'The process cannot access the file (os error 32)',
            },
          ]
        : [],
      problem_count: held ? 1 : 0,
      error:
        end === 'disk_full'
          ? {
              code: 'disk_full',
              message: 'the target of the backup is full',
              hint: 'Make room and run it again: it goes on from there.',
              detail: null,
            }
          : null,
    };
    if (task === 'verify') this.verified = record;
    else this.last = record;
    if (task === 'run' && end === 'whole') this.whole = record;
  }
}
