import type { Backend, Release } from '../../backend/backend';
import { asErrorInfo, unreadable } from '../../backend/errors';
import type { ErrorInfo, LogLine, LogQuery } from '../../backend/types';
import { LinesAround } from './around.svelte';

/** Results asked for at a time. */
const PAGE = 200;

/** One search through all that is stored of a service's log, newest first. */
export class LogSearch {
  phase = $state<'searching' | 'done' | 'cancelled' | 'failed'>('searching');
  lines = $state.raw<LogLine[]>([]);
  looked = $state(0);
  /** Lines there are; `null` until the first report. */
  all = $state<number | null>(null);
  backTo = $state<string | null>(null);
  error = $state.raw<ErrorInfo | null>(null);
  /** Whether it ended because enough was found. */
  more = $state(false);
  /** What was opened around results. */
  readonly around: LinesAround;

  readonly service: string;
  readonly query: LogQuery;
  private readonly backend: Backend;
  private release: Release | null = null;
  /** The round that is listened to. */
  private round = 0;

  constructor(backend: Backend, service: string, query: LogQuery) {
    this.backend = backend;
    this.service = service;
    this.query = query;
    this.around = new LinesAround(backend);
    void this.look(null);
  }

  /** Goes on where it ended: with older lines. */
  further = (): void => {
    if (this.phase !== 'searching') void this.look(this.lines.at(-1)?.seq ?? null);
  };

  /** Ends the round; what was found stays. */
  cancel = (): void => {
    if (this.phase !== 'searching') return;
    this.round += 1;
    this.phase = 'cancelled';
    this.release?.();
  };

  /** Ends for good. */
  end = (): void => {
    this.round += 1;
    this.release?.();
    this.around.end();
  };

  private async look(before: number | null): Promise<void> {
    const round = ++this.round;
    this.release?.();
    this.release = null;
    this.phase = 'searching';
    this.error = null;
    this.more = false;
    // What a later round has to look at is a part of what the first one had.
    const whole = before === null ? null : this.all;
    let found = 0;
    try {
      const release = await this.backend.searchLogs(
        this.service,
        this.query,
        before,
        PAGE,
        (batch) => {
          if (round !== this.round) return;
          found += batch.lines.length;
          if (batch.lines.length > 0) this.lines = [...this.lines, ...batch.lines];
          this.all = whole ?? batch.all;
          this.looked = Math.min(this.all, Math.max(0, this.all - batch.all) + batch.looked);
          this.backTo = batch.back_to ?? this.backTo;
          if (!batch.done) return;
          this.more = found >= PAGE;
          this.phase = batch.error === null ? 'done' : 'failed';
          if (batch.error !== null) this.error = unreadable(batch.error);
        },
      );
      if (round !== this.round) release();
      else this.release = release;
    } catch (thrown) {
      if (round !== this.round) return;
      this.error = asErrorInfo(thrown);
      this.phase = 'failed';
    }
  }
}
