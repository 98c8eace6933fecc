import type { BackupPlan, BackupStatus } from '../../backend/backup';
import type { Backend, Release } from '../../backend/backend';
import { Task } from '../../shared/task.svelte';

/** Between two looks while something runs. */
const EVERY = 500;

/** What is known of the backup, followed while something runs. */
export class BackupView {
  readonly status: Task<BackupStatus>;
  readonly plan: Task<BackupPlan>;
  readonly begin: Task<boolean>;
  private what: 'run' | 'verify' | 'cancel' = 'run';
  private timer: ReturnType<typeof setTimeout> | undefined;
  private shown = true;

  constructor(backend: Backend) {
    this.status = new Task(() => backend.backupStatus());
    this.plan = new Task(() => backend.planBackup());
    this.begin = new Task(async () => {
      if (this.what === 'run') await backend.runBackup();
      else if (this.what === 'verify') await backend.verifyBackup();
      else await backend.cancelBackup();
      return true;
    });
  }

  /** Looks until it is released. */
  follow(): Release {
    void this.look();
    return () => {
      this.shown = false;
      clearTimeout(this.timer);
    };
  }

  private async look() {
    clearTimeout(this.timer);
    const before = this.status.value?.running;
    const status = await this.status.again();
    // What was planned is done, or not any more.
    if (before && status && !status.running) this.plan.value = null;
    // A look that failed says nothing of what runs.
    const running = status ? status.running : before;
    clearTimeout(this.timer);
    if (this.shown && running) this.timer = setTimeout(() => void this.look(), EVERY);
  }

  run = () => this.ask('run');
  verify = () => this.ask('verify');
  cancel = () => this.ask('cancel');

  private async ask(what: 'run' | 'verify' | 'cancel') {
    this.what = what;
    await this.begin.again();
    await this.look();
  }
}
