import type { DiffLine, TextDiff } from '../types';

const AROUND = 3;

/** Two texts line by line; short ones, so that the table of all pairs is small. */
export function lineDiff(before: string, after: string): TextDiff {
  const [old, now] = [before.split('\n'), after.split('\n')];
  const table = Array.from({ length: old.length + 1 }, () => Array<number>(now.length + 1).fill(0));
  const at = (i: number, j: number) => table[i]?.[j] ?? 0;
  for (let i = old.length - 1; i >= 0; i--) {
    for (let j = now.length - 1; j >= 0; j--) {
      const row = table[i];
      if (row)
        row[j] = old[i] === now[j] ? at(i + 1, j + 1) + 1 : Math.max(at(i + 1, j), at(i, j + 1));
    }
  }
  const lines: DiffLine[] = [];
  const line = (side: DiffLine['side'], i: number | null, j: number | null): DiffLine => {
    const text = (j === null ? old[i ?? 0] : now[j]) ?? '';
    const number = (place: number | null) => (place === null ? null : place + 1);
    return { side, before: number(i), after: number(j), text, masked: text.includes('***') };
  };
  for (let [i, j] = [0, 0]; i < old.length || j < now.length;) {
    if (i < old.length && j < now.length && old[i] === now[j]) lines.push(line('both', i++, j++));
    else if (i < old.length && (j === now.length || at(i + 1, j) >= at(i, j + 1))) {
      lines.push(line('before', i++, null));
    } else lines.push(line('after', null, j++));
  }
  const near = lines.map((_, place) =>
    lines
      .slice(Math.max(0, place - AROUND), place + AROUND + 1)
      .some(({ side }) => side !== 'both'),
  );
  const groups: DiffLine[][] = [];
  lines.forEach((one, place) => {
    if (!near[place]) return;
    if (place === 0 || !near[place - 1]) groups.push([]);
    groups.at(-1)?.push(one);
  });
  return { groups, cut: false };
}
