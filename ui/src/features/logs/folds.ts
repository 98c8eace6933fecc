import { SvelteMap } from 'svelte/reactivity';

import type { LogLine } from '../../backend/types';

/** A traceback: the row that stands for it, above its lines or instead of them. */
export interface TraceFold {
  fold: true;
  head: LogLine;
  /** What the program saw in the end; `null` while it is not told. */
  cause: LogLine | null;
  count: number;
  open: boolean;
}
export type LogRow = LogLine | TraceFold;

export const isFold = (row: LogRow): row is TraceFold => 'fold' in row;
/** Stays the same however far the traceback has come. */
export const rowKey = (row: LogRow): string | number =>
  isFold(row) ? `t${row.head.seq}` : row.seq;

interface Block extends TraceFold {
  /** The sentence that another traceback follows has been. */
  continued: boolean;
}

/** One program on one stream: what it writes is not mixed with what others write. */
const voice = (line: LogLine) => `${line.stream} ${line.program ?? ''}`;

/** Finds the tracebacks among lines; each line of one is mapped to it. */
function blocks(lines: LogLine[]): Map<LogLine, Block> {
  const of = new Map<LogLine, Block>();
  const current = new Map<string, Block>();
  for (const line of lines) {
    if (line.marker) {
      // No program goes on past the end of its container.
      current.clear();
      continue;
    }
    if (line.trace === null) continue;
    const who = voice(line);
    let block = current.get(who);
    if (line.trace === 'head' && !block?.continued) {
      block = { fold: true, head: line, cause: null, count: 0, open: false, continued: false };
      current.set(who, block);
    }
    // Its head is no longer held, or did not match: a line like any other.
    if (!block) continue;
    of.set(line, block);
    block.count += 1;
    if (line.trace === 'cause' || line.trace === 'later_cause') {
      block.cause = line;
      block.continued = false;
    } else if (line.trace === 'body') {
      if (block.cause !== null) block.continued = true;
      if (line.text.trim() === '---') current.delete(who);
    } else block.continued = false;
  }
  return of;
}

/** Which tracebacks are open: what a person chose, and those that still come. */
export class Folds {
  private readonly chosen = new SvelteMap<number, boolean>();
  /** Shown open while they came. */
  private readonly watched = new Set<number>();

  toggle(fold: TraceFold): void {
    this.chosen.set(fold.head.seq, !fold.open);
  }

  /**
   * The rows for lines. A traceback that ends folds, but not under the eyes of somebody who reads
   * further up and would lose their place.
   */
  rows(lines: LogLine[], reading: boolean): LogRow[] {
    const of = blocks(lines);
    if (of.size === 0) return lines;
    const rows: LogRow[] = [];
    for (const line of lines) {
      const block = of.get(line);
      // A head by itself has nothing to fold.
      if (!block || block.count === 1) {
        rows.push(line);
        continue;
      }
      if (line === block.head) {
        block.open = this.isOpen(block, reading);
        rows.push(block);
      }
      // The row above says it already.
      if (block.open && line !== (block.cause ?? block.head)) rows.push(line);
    }
    return rows;
  }

  private isOpen({ head, cause }: Block, reading: boolean): boolean {
    if (cause === null) this.watched.add(head.seq);
    else if (!reading) this.watched.delete(head.seq);
    return this.chosen.get(head.seq) ?? this.watched.has(head.seq);
  }
}
