import { describe, expect, test } from 'vitest';

import type { LogLine, TracePart } from '../../backend/types';
import type { Arrived } from './arrived';
import { linesOf, RowSelection, textOf } from './selection.svelte';
import { Timeline } from './timeline.svelte';

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
const lines = (kinds: string): Arrived[] =>
  [...kinds].map((kind) => ({
    line: line(kind, {
      trace: PARTS[kind.toLowerCase()] ?? null,
      program: kind === kind.toLowerCase() ? 'forge' : 'comfy',
    }),
    source: 0,
    hit: false,
  }));
/** As it is shown: a closed traceback as `[cause count]`, an open one with `(`. */
const shown = (timeline: Timeline) =>
  timeline.rows
    .map((row) => {
      const trace = timeline.trace(row);
      const of = timeline.line(row);
      if (!trace) return of?.marker ? '=' : (of?.text ?? '…');
      const text = `${of?.text ?? '…'}${trace.count}`;
      return trace.open ? `(${text})` : `[${text}]`;
    })
    .join(' ');
const after = (kinds: string, folded = true) => {
  const timeline = new Timeline(folded);
  timeline.append(lines(kinds), false);
  return timeline;
};

describe('tracebacks', () => {
  const CASES: [name: string, kinds: string, expected: string][] = [
    ['no traceback', '---', '- - -'],
    ['one that ended is one row', '-hbbc-', '- [c4] -'],
    ['one that still comes is open', '-hbb', '- (h3)'],
    ['a chain is one, named by what was seen in the end', 'hbcbhbl-', '[l7] -'],
    ['two in a row are two', 'hbchbc', '[c3] [c3]'],
    ['a chain that goes on stays closed', 'hbcb', '[c4]'],
    ['lines of others stand where they came', 'h-bHBc-C', '[c3] - [C3] -'],
    ['without its head it is not hidden', 'bbc-', 'b b c -'],
    ['a head by itself is a line', 'h-', 'h -'],
  ];
  test.each(CASES)('%s', (_, kinds, expected) => {
    expect(shown(after(kinds))).toBe(expected);
  });

  test('it does not matter how the lines were cut into batches', () => {
    const timeline = new Timeline(true);
    for (const one of lines('-hb-bc-hbc')) timeline.append([one], false);
    expect(shown(timeline)).toBe('- [c4] - - [c3]');
  });

  test('where only some lines match, nothing hides', () => {
    expect(shown(after('hbc', false))).toBe('h b c');
  });

  test('a marker ends what never got its cause', () => {
    const timeline = after('hb');
    const started = line('', { marker: { started: { container: 'a' } } });
    timeline.append([{ line: started, source: 0, hit: false }], false);
    timeline.append(lines('bc'), false);
    expect(shown(timeline)).toBe('(h2) = b c');
  });

  test('one that ends folds, but not under the eyes of somebody who reads', () => {
    const timeline = after('hbb');
    timeline.append(lines('c-'), true);
    expect(shown(timeline)).toBe('(c4) -');
  });

  test('what a person opened or closed stays so', () => {
    const timeline = after('hb');
    timeline.trace(timeline.rows[0] ?? 0)?.toggle();
    timeline.append(lines('b'), false);
    expect(shown(timeline)).toBe('[h3]');
    timeline.trace(timeline.rows[0] ?? 0)?.toggle();
    timeline.append(lines('c'), false);
    expect(shown(timeline)).toBe('(c4)');
  });

  test('one that was cut by the end of what is held is whole again with older lines', () => {
    const timeline = after('bc-hb');
    expect(shown(timeline)).toBe('b c - (h2)');
    timeline.prepend(lines('-hb'));
    expect(shown(timeline)).toBe('- [c4] - (h2)');
    timeline.append(lines('c'), false);
    expect(shown(timeline), 'the youngest goes on where it was').toBe('- [c4] - [c3]');
    expect(timeline.first).toBe(0);
  });
});

describe('rows', () => {
  const at = (second: number, text: string, source = 0, hit = false): Arrived => ({
    line: line(text, { at: new Date(second * 1_000).toISOString() }),
    source,
    hit,
  });

  test('several services stand in the order of time, each in its own order', () => {
    const timeline = new Timeline(true);
    timeline.append([at(1, 'a1'), at(5, 'a5'), at(4, 'a4'), at(9, 'a9')], false);
    timeline.append([at(2, 'b2', 1), at(6, 'b6', 1), at(10, 'b10', 1)], false);
    expect(shown(timeline)).toBe('a1 b2 a5 a4 b6 a9 b10');
    timeline.append([at(10.5, 'a10')], false);
    timeline.append([at(10.2, 'b11', 1)], false);
    expect(shown(timeline)).toBe('a1 b2 a5 a4 b6 a9 b10 b11 a10');
  });

  test('the oldest go, and rows keep their numbers', () => {
    const timeline = new Timeline(true);
    timeline.append([at(1, 'a'), at(2, 'b', 0, true), at(3, 'c', 0, true)], false);
    expect([timeline.held, timeline.hits]).toEqual([3, 2]);
    expect(timeline.trim(1)).toBe(2);
    expect([shown(timeline), timeline.first, timeline.held, timeline.hits]).toEqual(['c', 2, 1, 1]);
    timeline.prepend([at(2, 'b')]);
    expect([shown(timeline), timeline.first]).toEqual(['b c', 1]);
  });

  test('one jumps from match to match, and learns which of how many it is', () => {
    const timeline = new Timeline(false);
    timeline.append(
      [1, 2, 3, 4, 5].map((second) => at(second, `${second}`, 0, second % 2 === 0)),
      false,
    );
    expect(timeline.nextHit(-1, 1)).toBe(1);
    expect(timeline.nextHit(1, 1)).toBe(3);
    expect(timeline.nextHit(3, 1)).toBeNull();
    expect(timeline.nextHit(3, -1)).toBe(1);
    expect(timeline.hitsUpTo(3)).toBe(2);
  });

  test('a moment is found by its time, and among its second by its text', () => {
    const timeline = new Timeline(false);
    timeline.append([at(1, 'a'), at(2, 'x one'), at(2.5, 'y two'), at(60, 'z')], false);
    expect(timeline.placeAt(2_000, 'y t')).toBe(2);
    expect(timeline.placeAt(30_000, null)).toBe(2);
    expect(timeline.placeAt(500, null)).toBeNull();
  });

  test('what is chosen is copied as text, a closed traceback with all of its lines', async () => {
    const timeline = after('-hbc-');
    const selection = new RowSelection();
    selection.choose(timeline.rows[2] ?? 0, false);
    selection.choose(timeline.rows[1] ?? 0, true);
    const range = selection.range(timeline) ?? expect.fail('nothing chosen');
    expect(range).toEqual([1, 2]);
    const ids = linesOf(timeline, range);
    expect(await textOf(timeline, ids, ['myia'])).toBe(
      '— forge unknown h\n— forge unknown b\n— forge unknown c\n— forge unknown -',
    );
    expect(await textOf(timeline, ids.slice(0, 1), ['myia', 'turbo'])).toBe(
      '— myia forge unknown h',
    );
    selection.clear();
    expect(selection.range(timeline)).toBeNull();
  });
});

describe('lines', () => {
  const settled = () => new Promise((resolve) => setTimeout(resolve, 20));

  test('what nobody looks at is packed, and comes back as it was', async () => {
    const timeline = new Timeline(false);
    const many = 40_000;
    timeline.append(
      Array.from({ length: many }, (_, index) => ({
        line: line(`été ${index} 🔥`),
        source: 0,
        hit: false,
      })),
      false,
    );
    for (let turn = 0; turn < 60; turn++) {
      await settled();
      // The newest are looked at, as in a list that follows.
      timeline.store.at(many - 1);
    }
    const first = timeline.rows[0] ?? 0;
    expect(timeline.store.at(many - 1)?.text).toBe(`été ${many - 1} 🔥`);
    expect(timeline.store.at(first), 'packed').toBeNull();
    expect((await timeline.store.read(first))?.text).toBe('été 0 🔥');
    expect(timeline.store.thawed).toBe(1);
    expect(timeline.store.at(first)?.text).toBe('été 0 🔥');
  });

  test('lines that go while they are packed leave the count of what is at hand right', async () => {
    const timeline = new Timeline(false);
    const many = () =>
      timeline.append(
        Array.from({ length: 40_000 }, () => ({ line: line('x'), source: 0, hit: false })),
        false,
      );
    many();
    timeline.trim(500);
    await settled();
    many();
    const first = timeline.store.count - 40_000;
    for (let turn = 0; turn < 60; turn++) {
      await settled();
      timeline.store.at(timeline.store.count - 1);
    }
    expect(timeline.store.at(first), 'packed').toBeNull();
    expect((await timeline.store.read(first))?.text).toBe('x');
  });

  test('lines that were let go are gone', async () => {
    const timeline = new Timeline(false);
    timeline.append(
      Array.from({ length: 3_000 }, () => ({ line: line('x'), source: 0, hit: false })),
      false,
    );
    timeline.trim(500);
    expect(timeline.store.at(0)).toBeNull();
    expect(await timeline.store.read(0)).toBeNull();
    expect(timeline.line(timeline.rows[0] ?? 0)?.text).toBe('x');
  });
});
