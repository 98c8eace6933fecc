import { RE2JS } from 're2js';

/** Longest text searched for matches to mark; behind it the line is shown unmarked. */
const SEARCHED = 4_000;
/** Most marks in one line. */
const MOST = 50;
/** An expression that takes longer within a second marks nothing any more: the page has to move. */
const BUDGET_MS = 80;

/** Where a match begins and where it ends, in UTF-16 units. */
type Match = [from: number, to: number];

/** Finds in a line what was filtered by, for it to be marked. */
export interface Finder {
  find(text: string): Match[];
}

/** What finds the matches of a filter, or nothing when there is none to find. */
export function finder(filter: string, regex: boolean): Finder | null {
  if (filter === '') return null;
  return regex ? ofExpression(filter) : ofWords(filter);
}

/** Plain text ignores case, like the keeper's filter. */
function ofWords(words: string): Finder {
  const expression = new RegExp(words.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'), 'gi');
  return {
    find: (text) => {
      const found: Match[] = [];
      for (const match of text.slice(0, SEARCHED).matchAll(expression)) {
        if (found.length === MOST) break;
        found.push([match.index, match.index + match[0].length]);
      }
      return found;
    },
  };
}

/**
 * An expression takes time in proportion to the text, as the keeper's do: the browser's own engine
 * tries for ever on some, and the window would stand still.
 */
function ofExpression(source: string): Finder | null {
  const expression = compiled(source);
  if (!expression) return null;
  let second = 0;
  let spent = 0;
  return {
    find: (text) => {
      if (spent > BUDGET_MS) return [];
      const began = performance.now();
      if (began - second > 1_000) [second, spent] = [began, 0];
      const found: Match[] = [];
      const matcher = expression.matcher(text.slice(0, SEARCHED));
      while (found.length < MOST && matcher.find())
        if (matcher.end() > matcher.start()) found.push([matcher.start(), matcher.end()]);
      spent += performance.now() - began;
      return found;
    },
  };
}

function compiled(source: string): RE2JS | null {
  try {
    return RE2JS.compile(source);
  } catch {
    // The keeper's expressions know forms that this engine does not: it filters, nothing is marked.
    return null;
  }
}
