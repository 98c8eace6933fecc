import { SvelteMap } from 'svelte/reactivity';

import type { Backend, Release } from '../../backend/backend';
import { asErrorInfo, unreadable } from '../../backend/errors';
import type { ErrorInfo, LogLine } from '../../backend/types';
import { EVERYTHING } from './query';

/** Lines shown before and after a line. */
export const AROUND = 20;

/** The lines around a line, oldest first. */
export interface Around {
  lines: LogLine[];
  loading: boolean;
  error: ErrorInfo | null;
}

const key = (service: string, seq: number) => `${seq} ${service}`;

/** Lines that were opened to those around them, whatever the filter keeps away. */
export class LinesAround {
  private readonly opened = new SvelteMap<string, Around>();
  private readonly releases: Release[] = [];
  private over = false;
  private readonly backend: Backend;

  constructor(backend: Backend) {
    this.backend = backend;
  }

  of = (service: string, line: LogLine): Around | undefined =>
    this.opened.get(key(service, line.seq));

  /** Opens or closes the lines around a line; tells whether they are open now. */
  toggle = (service: string, line: LogLine): boolean => {
    const at = key(service, line.seq);
    if (this.opened.delete(at)) return false;
    this.opened.set(at, { lines: [], loading: true, error: null });
    void this.open(service, line.seq, at);
    return true;
  };

  /** Closes all. */
  clear = (): void => this.opened.clear();

  /** Ends for good. */
  end(): void {
    this.over = true;
    for (const release of this.releases) release();
    this.releases.length = 0;
  }

  private async open(service: string, seq: number, at: string): Promise<void> {
    const most = 2 * AROUND + 1;
    const tell = (change: Partial<Around>) => {
      const held = this.opened.get(at);
      // Closed meanwhile.
      if (held) this.opened.set(at, { ...held, ...change });
    };
    let lines: LogLine[] = [];
    try {
      const release = await this.backend.searchLogs(
        service,
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
