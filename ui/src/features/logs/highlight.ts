import type { LogLine } from '../../backend/types';
import type { Finder } from './finder';

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

/** Cuts a line where a match or a colour begins or ends; joined the parts are the line again. */
export function parts(text: string, mark: Finder | null, spans: Span[] = []): Part[] {
  if (!mark && spans.length === 0) return [{ text, hit: false, tint: null, bold: false }];
  const hits = mark?.find(text) ?? [];
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
