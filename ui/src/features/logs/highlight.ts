/** Longest text searched for matches to mark; behind it the line is shown unmarked. */
const SEARCHED = 4_000;
/** Most marks in one line. */
const MARKS = 50;

export interface Part {
  text: string;
  hit: boolean;
}

/** The expression that marks matches, or nothing when there is none to mark. */
export function marker(filter: string, regex: boolean): RegExp | null {
  if (filter === '') return null;
  const source = regex
    ? filter.replace(/^\(\?i\)/, '')
    : filter.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
  try {
    return new RegExp(source, 'gi');
  } catch {
    // The keeper's expressions know forms that browsers do not: it filters, nothing is marked.
    return null;
  }
}

/** Cuts a line into matching and other parts; joined they are the line again. */
export function parts(text: string, expression: RegExp | null): Part[] {
  if (!expression) return [{ text, hit: false }];
  const found: Part[] = [];
  let from = 0;
  for (const match of text.slice(0, SEARCHED).matchAll(expression)) {
    if (match[0] === '') continue;
    if (found.length >= MARKS * 2) break;
    if (match.index > from) found.push({ text: text.slice(from, match.index), hit: false });
    found.push({ text: match[0], hit: true });
    from = match.index + match[0].length;
  }
  if (from < text.length) found.push({ text: text.slice(from), hit: false });
  return found;
}
