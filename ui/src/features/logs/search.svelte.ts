import { SvelteMap } from 'svelte/reactivity';

import type { Backend, Release } from '../../backend/backend';
import { asErrorInfo } from '../../backend/errors';
import type { ErrorInfo, LogLine, LogQuery } from '../../backend/types';

/** Results asked for at a time. */
const PAGE = 200;
/** Lines shown before and after a result. */
export const AROUND = 20;

const EVERYTHING: LogQuery = {
  filter: '',
  regex: false,
  problems: false,
  program: null,
  since: null,
  until: null,
  tail: null,
};

export const sameQuery = (a: LogQuery, b: LogQuery) =>
  (Object.keys(EVERYTHING) as (keyof LogQuery)[]).every((key) => a[key] === b[key]);

/** The lines around a result, oldest first. */
export interface Around {
  lines: LogLine[];
  loading: boolean;
  error: ErrorInfo | null;
}

/** A search that began and could not go on: what is stored could not be read. */
export const unreadable = (message: string): ErrorInfo => ({
  code: 'store',
  message,
  hint: null,
  detail: null,
});

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
  /** Opened results by their numbers. */
  readonly around = new SvelteMap<number, Around>();

  readonly service: string;
  readonly query: LogQuery;
  private readonly backend: Backend;
  private release: Release | null = null;
  /** Of the lines around results. */
  private readonly releases: Release[] = [];
  /** The round that is listened to. */
  private round = 0;
  private over = false;

  constructor(backend: Backend, service: string, query: LogQuery) {
    this.backend = backend;
    this.service = service;
    this.query = query;
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
    this.over = true;
    this.round += 1;
    this.release?.();
    for (const release of this.releases) release();
    this.releases.length = 0;
  };

  /** Opens or closes the lines around a result. */
  toggle = (line: LogLine): void => {
    if (this.around.delete(line.seq)) return;
    this.around.set(line.seq, { lines: [], loading: true, error: null });
    void this.open(line.seq);
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

  private async open(seq: number): Promise<void> {
    const most = 2 * AROUND + 1;
    const tell = (change: Partial<Around>) => {
      const held = this.around.get(seq);
      // Closed meanwhile.
      if (held) this.around.set(seq, { ...held, ...change });
    };
    let lines: LogLine[] = [];
    try {
      const release = await this.backend.searchLogs(
        this.service,
        EVERYTHING,
        seq + AROUND + 1,
        most,
        (batch) => {
          lines = [...lines, ...batch.lines];
          if (!batch.done) return;
          const error = batch.error === null ? null : unreadable(batch.error);
          tell({ lines: [...lines].reverse(), loading: false, error });
        },
      );
      if (this.over) release();
      else this.releases.push(release);
    } catch (thrown) {
      tell({ loading: false, error: asErrorInfo(thrown) });
    }
  }
}
