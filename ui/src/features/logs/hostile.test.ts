import { render, screen } from '@testing-library/svelte';
import { expect, test } from 'vitest';

import type { LogLine } from '../../backend/types';
import { finder, type Finder } from './finder';
import LogLineRow from './LogLineRow.svelte';

const line = (text: string, spans: LogLine['spans'] = []): LogLine => ({
  seq: 1,
  at: '2026-01-01T00:00:00Z',
  stream: 'stdout',
  program: 'forge',
  level: 'info',
  text,
  spans,
  cut_bytes: 0,
  signature: null,
  trace: null,
  marker: null,
});

function row(one: LogLine, mark: Finder | null = null) {
  const props = {
    line: one,
    signature: null,
    look: { mark, wrap: false, times: 'off' as const, now: 0, today: 0 },
    place: { voice: null, selected: false, hit: false },
    explained: false,
    onexplain: () => undefined,
  };
  const { unmount } = render(LogLineRow, { props });
  return { shown: screen.getByTestId('log-row'), unmount };
}

const MARKUP = [
  '<script>document.title = "gone"</script>',
  '<img src=x onerror="document.title = 1">',
  '<svg onload=alert(1)><a href="javascript:alert(1)">x</a></svg>',
  '<iframe srcdoc="<script>1</script>"></iframe><style>*{display:none}</style>',
  '</span></div></body><plaintext>',
  '{@html "<b>x</b>"} ${1} {{7*7}}',
  '&lt;b&gt; &#x3c;b&#x3e; \\u003cb\\u003e',
];
test.each(MARKUP)('%s is text, plain, marked and coloured', (text) => {
  const title = document.title;
  const coloured = line(text, [{ start: 2, end: 9, colour: 'red', bold: true }]);
  for (const [one, mark] of [
    [line(text), null],
    [line(text), finder('[<>a-z]+', true)],
    [coloured, finder('s', false)],
  ] as const) {
    const { shown, unmount } = row(one, mark);
    expect(shown.querySelector('.text')?.textContent).toBe(text);
    const made = [...shown.querySelectorAll('.text *')].map((made) => made.localName);
    expect(made.filter((name) => !['bdi', 'mark', 'span'].includes(name))).toEqual([]);
    unmount();
  }
  expect(document.title).toBe(title);
});

test('what turns letters around turns only those of its line', () => {
  for (const text of [
    'a\u202eexe.gpj',
    '\u2067x',
    'שלום 1 2',
    '\u200fx',
    'e' + '\u0301'.repeat(500),
  ]) {
    const { shown, unmount } = row(line(text), finder('e', false));
    const alone = shown.querySelector('.text bdi') ?? expect.fail('it is not set apart');
    expect(alone).toHaveAttribute('dir', 'ltr');
    expect(alone.textContent).toBe(text);
    // Nothing of the line stands outside of it.
    expect(shown.querySelector('.text')?.textContent).toBe(text);
    unmount();
  }
});
