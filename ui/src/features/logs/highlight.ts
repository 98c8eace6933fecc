import type { LogLine } from '../../backend/types';

/** Longest text searched for matches to mark; behind it the line is shown unmarked. */
const SEARCHED = 4_000;
/** Most marks in one line. */
const MARKS = 50;
/** Most coloured parts of one line; what follows them is shown in the ordinary colour. */
const COLOURED = 400;

type Span = LogLine['spans'][number];
export type Tint = 'faint' | 'red' | 'green' | 'yellow' | 'blue' | 'magenta' | 'cyan';

export interface Part {
  text: string;
  hit: boolean;
  /** The program's own colour, one that can be read in either theme; `null` is the ordinary one. */
  tint: Tint | null;
  bold: boolean;
}

/** The expression that marks matches, or nothing when there is none to mark. */
export function marker(filter: string, regex: boolean): RegExp | null {
  if (filter === '') return null;
  const source = regex
    ? filter.replace(/^\(\?i\)/, '')
    : filter.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
  // Plain text ignores case; an expression only when it says so, like the keeper's filter.
  const flags = regex && source === filter ? 'g' : 'gi';
  try {
    return new RegExp(source, flags);
  } catch {
    // The keeper's expressions know forms that browsers do not: it filters, nothing is marked.
    return null;
  }
}

/** Cuts a line where a match or a colour begins or ends; joined the parts are the line again. */
export function parts(text: string, expression: RegExp | null, spans: Span[] = []): Part[] {
  if (!expression && spans.length === 0) return [{ text, hit: false, tint: null, bold: false }];
  const hits = expression ? matches(text, expression) : [];
  const colours = spans.length > 0 ? placed(text, spans.slice(0, COLOURED)) : [];
  const edges = new Set([0, text.length]);
  for (const [from, to] of hits) edges.add(from).add(to);
  for (const { from, to } of colours) edges.add(from).add(to);
  const cuts = [...edges].sort((a, b) => a - b);
  const found: Part[] = [];
  let hit = 0;
  let colour = 0;
  for (const [index, from] of cuts.entries()) {
    const to = cuts[index + 1];
    if (to === undefined) break;
    while ((hits[hit]?.[1] ?? Infinity) <= from) hit += 1;
    while ((colours[colour]?.to ?? Infinity) <= from) colour += 1;
    const over = colours[colour];
    const tinted = over !== undefined && over.from <= from;
    found.push({
      text: text.slice(from, to),
      hit: (hits[hit]?.[0] ?? Infinity) <= from,
      tint: tinted ? over.tint : null,
      bold: tinted && over.bold,
    });
  }
  return found;
}

function matches(text: string, expression: RegExp): [number, number][] {
  const found: [number, number][] = [];
  for (const match of text.slice(0, SEARCHED).matchAll(expression)) {
    if (match[0] === '') continue;
    if (found.length >= MARKS) break;
    found.push([match.index, match.index + match[0].length]);
  }
  return found;
}

const TINTS: Record<NonNullable<Span['colour']>, Tint | null> = {
  // Black on dark and white on light would not be seen.
  black: 'faint',
  red: 'red',
  green: 'green',
  yellow: 'yellow',
  blue: 'blue',
  magenta: 'magenta',
  cyan: 'cyan',
  white: null,
  bright_black: 'faint',
  bright_red: 'red',
  bright_green: 'green',
  bright_yellow: 'yellow',
  bright_blue: 'blue',
  bright_magenta: 'magenta',
  bright_cyan: 'cyan',
  bright_white: null,
};

/** Spans at their places in the text: the keeper counts bytes of UTF-8, a page UTF-16 units. */
function placed(text: string, spans: Span[]) {
  const found: { from: number; to: number; tint: Tint | null; bold: boolean }[] = [];
  let byte = 0;
  let unit = 0;
  const unitOf = (wanted: number) => {
    while (byte < wanted && unit < text.length) {
      const code = text.codePointAt(unit) ?? 0;
      byte += code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
      unit += code < 0x10000 ? 1 : 2;
    }
    return unit;
  };
  for (const { start, end, colour, bold } of spans) {
    // They come in order and never overlap; one that does not is left out.
    if (start < byte || end <= start) continue;
    const from = unitOf(start);
    const to = unitOf(end);
    if (to > from) found.push({ from, to, tint: colour ? TINTS[colour] : null, bold });
  }
  return found;
}
