import type { LogLevel, LogLine } from '../../backend/types';

/** How much of a line is looked at. */
const LOOKED_AT = 400;
/** Most groups; lines of further shapes are counted together. */
const MOST = 1_000;
/** Longest expression made here. */
const LONGEST = 900;
const HOLE = '…';
/** What differs between lines that say the same, the longer forms first. */
const VARYING = new RegExp(
  [
    // Texts in quotes, addresses, paths, long hexadecimal numbers, numbers.
    String.raw`"[^"]{0,200}"`,
    String.raw`'[^']{0,200}'(?!\w)`,
    String.raw`\b\w+://[^\s"'<>),;]+`,
    String.raw`(?:\b[A-Za-z]:\\|(?<![\w.])[~.]{0,2}/)[\w.\-+@%/\\]+`,
    String.raw`\b(?=[a-f]*\d)[0-9a-f]{6,}(?:-[0-9a-f]{4,})*\b`,
    String.raw`\b0x[0-9a-fA-F]+\b`,
    String.raw`\d+(?:[.,:]\d+)*`,
  ].join('|'),
  'g',
);
const WORST: LogLevel[] = ['unknown', 'debug', 'info', 'warning', 'error', 'fatal'];

/** What lines that say the same have in common. */
export const shape = (text: string): string =>
  text.slice(0, LOOKED_AT).trim().replace(VARYING, HOLE);

/** An expression that finds the lines of a group, in the form that the keeper takes. */
export function finder({ shape, sample }: Pick<Group, 'shape' | 'sample'>): string {
  const parts = shape.split(HOLE).map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'));
  const found = `^\\s*${parts.join('.+')}`;
  // Longer filters are refused; the beginning is enough to tell shapes apart.
  if (found.length > LONGEST) return found.slice(0, LONGEST).replace(/\\+$/, '');
  return sample.text.length > LOOKED_AT ? found : `${found}\\s*$`;
}

export interface Group {
  shape: string;
  count: number;
  first: string | null;
  last: string | null;
  lastSeq: number;
  level: LogLevel;
  /** The newest of them. */
  sample: LogLine;
}

/** Groups lines by their shapes; what happened to the container is no line of a program. */
export class Grouping {
  /** Lines rarely change their shape: none of them is looked at twice. */
  private readonly known = new WeakMap<LogLine, string>();

  group(lines: LogLine[]): { groups: Group[]; others: number } {
    const found = new Map<string, Group>();
    let others = 0;
    for (const line of lines) {
      if (line.marker) continue;
      let of = this.known.get(line);
      if (of === undefined) this.known.set(line, (of = shape(line.text)));
      const group = found.get(of);
      if (group) {
        group.count += 1;
        group.first ??= line.at;
        group.last = line.at ?? group.last;
        group.lastSeq = line.seq;
        group.sample = line;
        if (WORST.indexOf(line.level) > WORST.indexOf(group.level)) group.level = line.level;
      } else if (found.size < MOST) {
        found.set(of, {
          shape: of,
          count: 1,
          first: line.at,
          last: line.at,
          lastSeq: line.seq,
          level: line.level,
          sample: line,
        });
      } else others += 1;
    }
    return { groups: [...found.values()], others };
  }
}

export type Order = 'count' | 'last';

/** Equal ones keep the order of the log. */
export const ordered = (groups: Group[], order: Order): Group[] =>
  [...groups].sort((a, b) =>
    order === 'count' ? b.count - a.count || b.lastSeq - a.lastSeq : b.lastSeq - a.lastSeq,
  );
