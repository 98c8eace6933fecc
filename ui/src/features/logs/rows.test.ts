import { describe, expect, test } from 'vitest';

import type { LogLine } from '../../backend/types';
import { language } from '../../shared/i18n.svelte';
import { parts } from './highlight';
import { finder } from './finder';
import { markerSentence } from './markers';

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
    const found = parts(text, filter ? finder(filter, false) : null, spans);
    expect(found.map((p) => p.text).join('')).toBe(text);
    expect(
      found.map((p) => `${p.tint ? `${p.tint}:` : ''}${p.hit ? '*' : ''}${p.text}`).join('|'),
    ).toBe(expected);
  });

  const marked = (text: string, filter: string, regex: boolean) =>
    finder(filter, regex)
      ?.find(text)
      .map(([from, to]) => text.slice(from, to));

  test('an expression marks what the keeper finds: case counts unless it says otherwise', () => {
    expect(marked('an error', 'Error', false)).toEqual(['error']);
    expect(marked('an error', 'Error', true)).toEqual([]);
    expect(marked('an error', '(?i)Error', true)).toEqual(['error']);
    expect(marked('🔥 été 12 MB, 3 MB', '(?P<size>\\d+) MB|été', true)).toEqual([
      'été',
      '12 MB',
      '3 MB',
    ]);
    expect(marked('an empty match is none', 'x*', true)).toEqual([]);
  });

  // The browser's own engine would not come back from these: there are 2^60 ways to try.
  test.each(['(a+)+$', '(a|a)*b', '(a*)*c'])(
    'no expression makes the window stand still: %s',
    (one) => expect(marked(`${'a'.repeat(60)}!`, one, true)).toEqual([]),
  );

  test('an expression that no engine of the page knows marks nothing', () => {
    expect(finder('(unclosed', true)).toBeNull();
    expect(finder('([ -~]{0,99}){1,90}', true)).toBeNull();
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
