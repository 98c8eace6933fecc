import type { LogLine } from '../../backend/types';
import { Trace } from './trace.svelte';

/** One program on one stream of one service: what it writes is not mixed with what others write. */
const voice = (line: LogLine, source: number) => `${source} ${line.stream} ${line.program ?? ''}`;

/** Finds the tracebacks among lines as they come. */
export class Traces {
  private readonly all = new Map<number, Trace>();
  private next = -1;
  /** The one that each program is in. */
  private current = new Map<string, Trace>();

  get = (row: number): Trace | undefined => this.all.get(row);

  drop(row: number): void {
    this.all.delete(row);
  }

  /**
   * Takes a line; tells the row that it begins, or `null` when it belongs to one that is there. A
   * traceback that ends folds, but not under the eyes of somebody who reads further up and would
   * lose their place.
   */
  take(line: LogLine, id: number, source: number, reading: boolean): number | null {
    if (line.marker) {
      // No program goes on past the end of its container.
      for (const who of this.current.keys())
        if (who.startsWith(`${source} `)) this.current.delete(who);
      return id;
    }
    if (line.trace === null) return id;
    const who = voice(line, source);
    if (line.trace === 'head' && !this.current.get(who)?.continued) {
      const trace = new Trace(line);
      trace.open = true;
      this.add(trace, line, id, who);
      this.current.set(who, trace);
      this.all.set(this.next, trace);
      return this.next--;
    }
    return this.absorb(line, id, source, reading) ? null : id;
  }

  /** Takes a line that belongs to a traceback, if its head is known. */
  absorb(line: LogLine, id: number, source: number, reading = false): boolean {
    const who = voice(line, source);
    const trace = this.current.get(who);
    if (!trace) return false;
    this.add(trace, line, id, who);
    if (trace.cause !== null && !trace.chosen && !reading) trace.open = false;
    return true;
  }

  /** Where the youngest lines stand, while older ones are taken. */
  younger(): Map<string, Trace> {
    const { current } = this;
    this.current = new Map();
    return current;
  }

  /** Goes on with the youngest lines. */
  goOn(current: Map<string, Trace>): void {
    this.current = current;
  }

  private add(trace: Trace, line: LogLine, id: number, who: string): void {
    trace.ids.push(id);
    trace.count += 1;
    if (line.trace === 'cause' || line.trace === 'later_cause') {
      trace.cause = line;
      trace.continued = false;
    } else if (line.trace === 'body') {
      if (trace.cause !== null) trace.continued = true;
      if (line.text.trim() === '---') this.current.delete(who);
    } else trace.continued = false;
  }
}
