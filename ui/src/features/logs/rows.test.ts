import { describe, expect, test } from 'vitest';

import type { LogLine, TracePart } from '../../backend/types';
import { language } from '../../shared/i18n.svelte';
import { Folds, isFold, type LogRow } from './folds';
import { marker, parts } from './highlight';
import { markerSentence } from './markers';

let seq = 0;
const line = (text: string, change: Partial<LogLine> = {}): LogLine => ({
  seq: ++seq,
  at: null,
  stream: 'stderr',
  program: 'forge',
  level: 'unknown',
  text,
  spans: [],
  cut_bytes: 0,
  signature: null,
  trace: null,
  marker: null,
  ...change,
});
/** `h` head, `b` body, `c` cause, `l` later cause, `-` any other; capitals are of another program. */
const PARTS: Record<string, TracePart | null> = {
  h: 'head',
  b: 'body',
  c: 'cause',
  l: 'later_cause',
  '-': null,
};
const lines = (kinds: string) =>
  [...kinds].map((kind) =>
    line(kind, {
      trace: PARTS[kind.toLowerCase()] ?? null,
      program: kind === kind.toLowerCase() ? 'forge' : 'comfy',
    }),
  );
/** As it is shown: a closed traceback as `[cause count]`, an open one with `(`. */
const shown = (rows: LogRow[]) =>
  rows
    .map((row) => {
      if (!isFold(row)) return row.marker ? '=' : row.text;
      const text = `${(row.cause ?? row.head).text}${row.count}`;
      return row.open ? `(${text})` : `[${text}]`;
    })
    .join(' ');

describe('tracebacks', () => {
  const CASES: [name: string, kinds: string, expected: string][] = [
    ['no traceback', '---', '- - -'],
    ['one that ended is one row', '-hbbc-', '- [c4] -'],
    ['one that still comes is open', '-hbb', '- (h3) b b'],
    ['a chain is one, named by what was seen in the end', 'hbcbhbl-', '[l7] -'],
    ['two in a row are two', 'hbchbc', '[c3] [c3]'],
    ['a chain that goes on stays closed', 'hbcb', '[c4]'],
    ['lines of others stand where they came', 'h-bHBc-C', '[c3] - [C3] -'],
    ['without its head it is not hidden', 'bbc-', 'b b c -'],
    ['a head by itself is a line', 'h-', 'h -'],
  ];
  test.each(CASES)('%s', (_, kinds, expected) => {
    expect(shown(new Folds().rows(lines(kinds), false))).toBe(expected);
  });

  test('a marker ends what never got its cause', () => {
    const all = [...lines('hb'), line('', { marker: { started: { container: 'a' } } })];
    expect(shown(new Folds().rows([...all, ...lines('bc')], false))).toBe('(h2) b = b c');
  });

  test('one that ends folds, but not under the eyes of somebody who reads', () => {
    const all = lines('hbbc-');
    const folds = new Folds();
    expect(shown(folds.rows(all.slice(0, 3), true))).toBe('(h3) b b');
    expect(shown(folds.rows(all, true))).toBe('(c4) h b b -');
    expect(shown(folds.rows(all, false))).toBe('[c4] -');
    expect(shown(folds.rows(all, true)), 'it does not open again').toBe('[c4] -');
  });

  test('what a person opened or closed stays so', () => {
    const all = lines('hbbc');
    const folds = new Folds();
    const toggle = (rows: LogRow[]) => folds.toggle(rows.find(isFold) ?? expect.fail('no fold'));
    toggle(folds.rows(all.slice(0, 2), false));
    expect(shown(folds.rows(all.slice(0, 3), false))).toBe('[h3]');
    toggle(folds.rows(all, false));
    expect(shown(folds.rows(all, false))).toBe('(c4) h b b');
  });
});

describe('colours', () => {
  const span = (
    start: number,
    end: number,
    colour: LogLine['spans'][number]['colour'] = 'red',
  ) => ({
    start,
    end,
    colour,
    bold: false,
  });
  const CASES: [string, string, LogLine['spans'], string | null, string][] = [
    ['none', 'plain', [], null, 'plain'],
    ['plain letters', 'an error here', [span(3, 8)], null, 'an |red:error| here'],
    ['two bytes each', 'été ok', [span(6, 8, 'green')], null, 'été |green:ok'],
    ['four bytes, two units', '🔥 hot', [span(0, 4), span(5, 8)], null, 'red:🔥| |red:hot'],
    ['three bytes', '█ 9', [span(4, 5, 'bright_blue')], null, '█ |blue:9'],
    ['to the end and past it', 'abc', [span(1, 99)], null, 'a|red:bc'],
    ['out of order', 'abc', [span(2, 3), span(0, 1)], null, 'ab|red:c'],
    ['white is the ordinary colour', 'abc', [span(0, 1, 'white')], null, 'a|bc'],
    ['a match over a colour', 'an error', [span(3, 8)], 'n e', 'a|*n |red:*e|red:rror'],
    ['a match beside one', 'été ok', [span(6, 8)], 'été', '*été| |red:ok'],
  ];
  test.each(CASES)('%s', (_, text, spans, filter, expected) => {
    const found = parts(text, filter ? marker(filter, false) : null, spans);
    expect(found.map((p) => p.text).join('')).toBe(text);
    expect(
      found.map((p) => `${p.tint ? `${p.tint}:` : ''}${p.hit ? '*' : ''}${p.text}`).join('|'),
    ).toBe(expected);
  });

  test('an expression marks what the keeper finds: case counts unless it says otherwise', () => {
    expect(marker('Error', false)?.test('error')).toBe(true);
    expect(marker('Error', true)?.test('error')).toBe(false);
    expect(marker('(?i)Error', true)?.test('error')).toBe(true);
  });
});

test('what happened to the container is told in words', () => {
  language.use('en');
  const told = [
    markerSentence({ started: { container: 'a' } }),
    markerSentence({ stopped: { exit_code: 137 } }),
    markerSentence({ stopped: { exit_code: 0 } }),
    markerSentence({ stopped: { exit_code: null } }),
    markerSentence({ recreated: { container: 'a', other_image: true } }),
    markerSentence({ recreated: { container: 'a', other_image: false } }),
    markerSentence({ recreated: { container: 'a', other_image: null } }),
    markerSentence({ replayed: { lines: 1_512 } }),
    markerSentence({ lost: { lines: 1 } }),
  ];
  expect(told).toEqual([
    'container started',
    'container ended, exit code 137',
    'container ended, exit code 0',
    'container ended, exit code unknown',
    'another container, from another image',
    'another container, from the same image',
    'another container; whether from the same image is unknown',
    '1,512 old lines were sent again, folded',
    '1 line could not be stored',
  ]);
});
