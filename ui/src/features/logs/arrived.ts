import type { LogLine } from '../../backend/types';

/** A line on its way into the list. */
export interface Arrived {
  line: LogLine;
  /** Number of its service. */
  source: number;
  /** Whether it is one to jump to. */
  hit: boolean;
}

/** Lines of one service; `hits` are the numbers of those to jump to. */
export function arrived(
  { lines, hits }: { lines: readonly LogLine[]; hits: readonly number[] },
  source: number,
): Arrived[] {
  const marked = hits.length > 0 ? new Set(hits) : null;
  return lines.map((line) => ({ line, source, hit: marked?.has(line.seq) ?? false }));
}
