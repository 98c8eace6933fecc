import type { LogLine } from '../../backend/types';
import type { Arrived } from './arrived';
import { LineStore } from './lines.svelte';
import type { Trace } from './trace.svelte';
import { Traces } from './traces';

/** A row of the list: the number of a line or, below zero, of a traceback. */
export type RowId = number;

/**
 * The rows of a log in their order, and what is behind them. They are changed in place, because a
 * million of them cannot be copied with every batch; `version` tells that they were.
 */
export class Timeline {
  version = $state(0);
  readonly store = new LineStore();
  readonly rows: RowId[] = [];
  /** Number of the first row, counted from the row that was first in the beginning. */
  first = 0;
  /** Lines to jump to. */
  hits = 0;
  /** Lines held. */
  held = 0;

  private readonly traces: Traces | null;

  /** `folded`: a traceback is one row; where only some of its lines match, nothing may hide. */
  constructor(folded: boolean) {
    this.traces = folded ? new Traces() : null;
  }

  /** The traceback of a row, if it is one of more than one line. */
  trace(row: RowId): Trace | null {
    const trace = row < 0 ? this.traces?.get(row) : undefined;
    return trace && trace.count > 1 ? trace : null;
  }

  /** The line that a row shows; `null` while it is being unpacked. */
  line(row: RowId): LogLine | null {
    const trace = row < 0 ? this.traces?.get(row) : undefined;
    if (trace) return trace.cause ?? trace.head;
    return this.store.at(row);
  }

  /** The number of the line that a row begins with. */
  idOf = (row: RowId): number => (row < 0 ? (this.traces?.get(row)?.ids[0] ?? 0) : row);

  isHit = (row: RowId): boolean => this.store.isHit(this.idOf(row));
  sourceOf = (row: RowId): number => this.store.sourceOf(this.idOf(row));
  timeOf = (row: RowId): number => this.store.timeOf(this.idOf(row));

  /** Every line of a row. */
  idsOf = (row: RowId): readonly number[] => (row < 0 ? (this.traces?.get(row)?.ids ?? []) : [row]);

  /**
   * Adds younger lines of one service, in the order in which they came; of several only to an
   * empty list. `reading`: what is open stays open.
   */
  append(arrived: Arrived[], reading: boolean): void {
    const fresh = this.take(arrived, reading);
    const several = fresh.some(
      (row) => this.sourceOf(row) !== this.sourceOf(this.rows.at(-1) ?? row),
    );
    if (several) this.merge(fresh);
    else for (const row of fresh) this.rows.push(row);
    this.version += 1;
  }

  /** Adds older lines above, oldest first; they are all older than what is there. */
  prepend(arrived: Arrived[]): void {
    if (arrived.length === 0) return;
    const younger = this.traces?.younger();
    const fresh = this.take(arrived, false);
    // The rest of a traceback that the last page began with belongs to its head.
    let rest = 0;
    while (this.traces && rest < this.rows.length) {
      const row = this.rows[rest] ?? 0;
      const line = row < 0 ? null : this.store.at(row);
      if (!line || line.trace === null || line.trace === 'head') break;
      if (!this.traces.absorb(line, row, this.store.sourceOf(row))) break;
      rest += 1;
    }
    if (younger) this.traces?.goOn(younger);
    this.rows.splice(0, rest, ...fresh);
    this.first -= fresh.length - rest;
    this.version += 1;
  }

  /** Lets the oldest rows go; tells how many. */
  trim(most: number): number {
    let rows = 0;
    while (this.held > most && rows < this.rows.length) {
      const row = this.rows[rows] ?? 0;
      const ids = this.idsOf(row);
      this.held -= ids.length;
      for (const id of ids) if (this.store.isHit(id)) this.hits -= 1;
      this.store.drop(ids);
      if (row < 0) this.traces?.drop(row);
      rows += 1;
    }
    if (rows > 0) {
      this.rows.splice(0, rows);
      this.first += rows;
      this.version += 1;
    }
    return rows;
  }

  /** The next row to jump to from a place, downwards or upwards; `null` when there is none. */
  nextHit(from: number, step: 1 | -1): number | null {
    for (let at = from + step; at >= 0 && at < this.rows.length; at += step)
      if (this.isHit(this.rows[at] ?? 0)) return at;
    return null;
  }

  /** How many rows to jump to there are up to a place. */
  hitsUpTo(place: number): number {
    let found = 0;
    for (let at = 0; at <= place && at < this.rows.length; at++)
      if (this.isHit(this.rows[at] ?? 0)) found += 1;
    return found;
  }

  /** The last place not younger than a moment; among the lines of its second one that begins so. */
  placeAt(at: number, text: string | null): number | null {
    let found: number | null = null;
    for (const [place, row] of this.rows.entries()) {
      const time = this.timeOf(row);
      if (time > at + 1_000) break;
      if (text !== null && Math.abs(time - at) <= 1_000) {
        const lines = this.idsOf(row).map((id) => this.store.at(id)?.text ?? '');
        if (lines.some((line) => line.startsWith(text))) return place;
      }
      if (time <= at) found = place;
    }
    return found;
  }

  private take(arrived: Arrived[], reading: boolean): RowId[] {
    const fresh: RowId[] = [];
    for (const { line, source, hit } of arrived) {
      const id = this.store.add(line, source, hit);
      this.held += 1;
      if (hit) this.hits += 1;
      const row = this.traces ? this.traces.take(line, id, source, reading) : id;
      if (row !== null) fresh.push(row);
    }
    return fresh;
  }

  /** Sorts new rows of one service in by time among those of others; it keeps its own order. */
  private merge(fresh: RowId[]): void {
    const head = fresh[0];
    if (head === undefined) return;
    const source = this.sourceOf(head);
    let from = this.rows.length;
    while (from > 0) {
      const row = this.rows[from - 1] ?? 0;
      if (this.sourceOf(row) === source || this.timeOf(row) <= this.timeOf(head)) break;
      from -= 1;
    }
    const tail = this.rows.splice(from);
    let next = 0;
    for (const row of fresh) {
      while (next < tail.length && this.timeOf(tail[next] ?? 0) <= this.timeOf(row))
        this.rows.push(tail[next++] ?? 0);
      this.rows.push(row);
    }
    while (next < tail.length) this.rows.push(tail[next++] ?? 0);
  }
}
