import type { Backend } from '../../backend/backend';
import { asErrorInfo } from '../../backend/errors';
import type { ErrorInfo, GpuHistory } from '../../backend/types';
import type { ExtraId, RangeId, Span } from './ranges';
import { queryOf, spanOf, zoomWithin } from './ranges';

/** An answer with the span it was asked for. */
export interface Shown {
  history: GpuHistory;
  span: Span;
}

/** The past of a host's cards as somebody looks at it; only the newest answer counts. */
export class GpuPast {
  shown = $state.raw<Shown | null>(null);
  error = $state.raw<ErrorInfo | null>(null);
  busy = $state(false);
  /** A part that is looked at more closely; it does not move on. */
  zoom = $state.raw<Span | null>(null);
  range = $state<RangeId>('1h');
  extra = $state<ExtraId>('none');

  private turn = 0;
  private readonly backend: Backend;
  private readonly host: string;
  private readonly now: () => number;

  constructor(backend: Backend, host: string, now: () => number) {
    this.backend = backend;
    this.host = host;
    this.now = now;
  }

  /** What is asked for now. */
  get query() {
    const span = this.zoom ?? spanOf(this.range, this.now());
    return queryOf(this.host, this.range, this.extra, span, this.zoom !== null);
  }

  again = async (): Promise<void> => {
    const turn = ++this.turn;
    const query = this.query;
    const span = { from: Date.parse(query.from) / 1000, to: Date.parse(query.to) / 1000 };
    this.busy = true;
    try {
      const history = await this.backend.gpuHistory(query);
      if (turn !== this.turn) return;
      this.shown = { history, span };
      this.error = null;
    } catch (thrown) {
      if (turn === this.turn) this.error = asErrorInfo(thrown);
    } finally {
      if (turn === this.turn) this.busy = false;
    }
  };

  /** Looks closer at a span, or at the whole again. */
  zoomTo = (span: Span | null): void => {
    const next = span && zoomWithin(span, spanOf(this.range, this.now()));
    if (next === null && this.zoom === null) return;
    this.zoom = next;
    void this.again();
  };

  /** Moves on, unless an answer is on its way or a part is looked at closely. */
  tick = (): void => {
    if (!this.busy && this.zoom === null) void this.again();
  };

  /** Answers that are still on their way are not wanted any more. */
  end(): void {
    this.turn++;
  }
}
