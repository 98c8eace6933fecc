import type { Arrived } from './arrived';

/** One service on its way back into the past. */
export interface Way {
  readonly service: string;
  readonly source: number;
  /** Lines that were got and not yet given, newest first. */
  lines: Arrived[];
  /** Number of the oldest line got; `null` before the first. */
  before: number | null;
  /** Whether there is nothing older. */
  exhausted: boolean;
}

const timeOf = (line: Arrived | undefined) =>
  line?.line.at ? Date.parse(line.line.at) : Number.POSITIVE_INFINITY;

/**
 * Takes the lines that can be shown without a hole, oldest first: where a way has nothing at hand
 * and is not at its end, anything older may be younger than its next line.
 */
export function takeYoungest(ways: readonly Way[]): Arrived[] {
  const open = ways.filter((way) => way.lines.length > 0 || !way.exhausted);
  const places = new Map(open.map((way) => [way, 0]));
  const taken: Arrived[] = [];
  for (;;) {
    let youngest: Way | null = null;
    let best = -Infinity;
    let waits = false;
    for (const [way, place] of places) {
      if (place < way.lines.length) {
        const time = timeOf(way.lines[place]);
        if (youngest !== null && time <= best) continue;
        youngest = way;
        best = time;
      } else if (!way.exhausted) waits = true;
    }
    if (waits || youngest === null) break;
    const place = places.get(youngest) ?? 0;
    const next = youngest.lines[place];
    if (next) taken.push(next);
    places.set(youngest, place + 1);
  }
  for (const [way, place] of places) way.lines.splice(0, place);
  return taken.reverse();
}
