import type { LogLine } from '../../backend/types';
import { logTime } from '../../shared/format';
import type { RowId, Timeline } from './timeline.svelte';

/** Most lines that are copied at once; more are for a file. */
export const MOST_COPIED = 50_000;

/** A line as text, for the clipboard. */
export const asText = (line: LogLine, service: string | null): string =>
  [line.at ? logTime(line.at) : '—', service, line.program, line.level, line.text]
    .filter((part) => part !== null && part !== '')
    .join(' ');

/** The rows that a person chose: from one to another, in either direction. */
export class RowSelection {
  private anchor = $state<RowId | null>(null);
  private focus = $state<RowId | null>(null);

  readonly some = $derived(this.focus !== null);

  choose(row: RowId, extend: boolean): void {
    this.focus = row;
    if (!extend || this.anchor === null) this.anchor = row;
  }

  clear = (): void => {
    this.anchor = null;
    this.focus = null;
  };

  all(timeline: Timeline, shown: number): void {
    this.anchor = timeline.rows[0] ?? null;
    this.focus = timeline.rows[shown - 1] ?? null;
  }

  /** Place of the row that moves; `null` when there is none any more. */
  place(timeline: Timeline): number | null {
    if (this.focus === null) return null;
    const place = timeline.rows.lastIndexOf(this.focus);
    return place < 0 ? null : place;
  }

  /** First and last place; `null` when nothing is chosen. */
  range(timeline: Timeline): [number, number] | null {
    const focus = this.place(timeline);
    if (focus === null || this.anchor === null) return null;
    // One that was let go was the oldest.
    const anchor = Math.max(0, timeline.rows.lastIndexOf(this.anchor));
    return anchor < focus ? [anchor, focus] : [focus, anchor];
  }
}

/** The numbers of the lines of rows, as they are shown: a closed traceback with all of its lines. */
export function linesOf(timeline: Timeline, [from, to]: [number, number]): number[] {
  const ids: number[] = [];
  for (let place = from; place <= to; place++) {
    for (const id of timeline.idsOf(timeline.rows[place] ?? 0)) ids.push(id);
    if (ids.length > MOST_COPIED) break;
  }
  return ids;
}

/** Lines as text; `services` names them where several are shown. */
export async function textOf(
  timeline: Timeline,
  ids: readonly number[],
  services: readonly string[],
): Promise<string> {
  const texts: string[] = [];
  for (const id of ids) {
    const line = await timeline.store.read(id);
    const service = services.length > 1 ? (services[timeline.store.sourceOf(id)] ?? null) : null;
    if (line && !line.marker) texts.push(asText(line, service));
  }
  return texts.join('\n');
}
