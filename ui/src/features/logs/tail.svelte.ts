import type { Backend, Release } from '../../backend/backend';
import { asErrorInfo } from '../../backend/errors';
import type { ErrorInfo, LogBatch, LogLine, LogQuery } from '../../backend/types';

/** As many lines as the keeper holds for a service. */
const CAPACITY = 10_000;
/** As many more while somebody reads further up: what is read must not move. */
const HELD_BACK = 10_000;

/** Follows one service's log; a reader for a new query replaces the old one once it speaks. */
export class LogTail {
  lines = $state.raw<LogLine[]>([]);
  held = $state(0);
  matched = $state(0);
  dropped = $state(0);
  error = $state.raw<ErrorInfo | null>(null);
  loading = $state(true);
  paused = $state(false);
  /** Whether somebody reads further up: then no line is let go. */
  holding = false;
  /** Lines that came while paused. */
  waiting = $state(0);

  private pending: LogLine[] = [];
  private release: Release | null = null;
  /** The newest reader asked for. */
  private asked = 0;
  /** The reader that is listened to. */
  private live = 0;
  private readonly backend: Backend;

  constructor(backend: Backend) {
    this.backend = backend;
  }

  /** Asks for another query; until it is granted, what is shown goes on. */
  open = async (service: string, query: LogQuery): Promise<void> => {
    const reader = ++this.asked;
    this.loading = true;
    try {
      const release = await this.backend.logs(service, query, (batch) => {
        if (reader < this.live || reader > this.asked) return;
        this.turnTo(reader);
        this.receive(batch);
      });
      if (reader !== this.asked) {
        release();
        return;
      }
      this.turnTo(reader);
      this.release?.();
      this.release = release;
      this.error = null;
      this.loading = false;
    } catch (thrown) {
      if (reader !== this.asked) return;
      // A half-typed expression neither empties nor stops what is shown.
      this.error = asErrorInfo(thrown);
      this.loading = false;
    }
  };

  /** Ends for good. */
  end = (): void => {
    this.asked++;
    this.live = this.asked;
    this.release?.();
    this.release = null;
  };

  resume = (): void => {
    this.paused = false;
    this.lines = [...this.lines, ...this.pending].slice(-CAPACITY);
    this.pending = [];
    this.waiting = 0;
  };

  private turnTo(reader: number): void {
    if (reader <= this.live) return;
    this.live = reader;
    this.lines = [];
    this.pending = [];
    this.waiting = 0;
    this.held = 0;
    this.matched = 0;
    this.dropped = 0;
    this.paused = false;
  }

  private receive(batch: LogBatch): void {
    this.held = batch.held;
    this.matched = batch.matched;
    this.dropped += batch.dropped;
    if (batch.lines.length === 0) return;
    if (this.paused) {
      this.pending = [...this.pending, ...batch.lines].slice(-CAPACITY);
      this.waiting += batch.lines.length;
    } else {
      const most = this.holding ? CAPACITY + HELD_BACK : CAPACITY;
      this.lines = [...this.lines, ...batch.lines].slice(-most);
    }
  }
}
