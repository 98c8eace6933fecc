import type { Backend, Release } from '../../backend/backend';
import { asErrorInfo, unreadable } from '../../backend/errors';
import type { ErrorInfo, LogGroup, LogQuery } from '../../backend/types';

/** One count of all that is stored of a service's log, by the shapes of its lines. */
export class LogGroups {
  phase = $state<'counting' | 'done' | 'cancelled' | 'failed'>('counting');
  groups = $state.raw<LogGroup[]>([]);
  /** Lines of further shapes. */
  others = $state(0);
  looked = $state(0);
  /** Lines there are; `null` until the first report. */
  all = $state<number | null>(null);
  backTo = $state<string | null>(null);
  error = $state.raw<ErrorInfo | null>(null);
  /** When it began: what came later is not in it. */
  readonly at: number;

  private release: Release | null = null;

  constructor(backend: Backend, service: string, query: LogQuery, now = Date.now()) {
    this.at = now;
    void this.count(backend, service, query);
  }

  /** Ends it; what was counted stays. */
  cancel = (): void => {
    if (this.phase !== 'counting') return;
    this.phase = 'cancelled';
    this.release?.();
  };

  private async count(backend: Backend, service: string, query: LogQuery): Promise<void> {
    try {
      const release = await backend.groupLogs(service, query, (batch) => {
        if (this.phase !== 'counting') return;
        this.groups = batch.groups;
        this.others = batch.others;
        this.all = batch.all;
        this.looked = batch.looked;
        this.backTo = batch.back_to;
        if (!batch.done) return;
        this.phase = batch.error === null ? 'done' : 'failed';
        if (batch.error !== null) this.error = unreadable(batch.error);
      });
      if (this.phase === 'cancelled') release();
      else this.release = release;
    } catch (thrown) {
      if (this.phase !== 'counting') return;
      this.error = asErrorInfo(thrown);
      this.phase = 'failed';
    }
  }
}

export type Order = 'count' | 'last';

/** The keeper tells the most frequent first. */
export const ordered = (groups: LogGroup[], order: Order): LogGroup[] =>
  order === 'count' ? groups : [...groups].sort((a, b) => b.last_seq - a.last_seq);
