import { expect, test } from 'vitest';

import type { Finding, LogMeter, LogRun, ServiceState, UnknownError } from '../../backend/types';
import {
  byNovelty,
  effectOf,
  namesOf,
  ordered,
  parts,
  silenceOf,
  silences,
  sinceKey,
  sought,
  wordsOf,
} from './findings';

const finding = (id: string, rest: Partial<Finding> = {}): Finding => ({
  id,
  severity: 'degraded',
  blocking: 'no',
  count: 1,
  first: '2025-10-11T10:12:00Z',
  last: '2025-10-11T10:12:00Z',
  level: 'error',
  text: id,
  program: 'forge',
  names: [],
  open: true,
  ...rest,
});
const error = (shape: string, rest: Partial<UnknownError> = {}): UnknownError => ({
  shape,
  count: 1,
  first: '2025-10-11T10:12:00Z',
  last: null,
  sample: shape,
  level: 'error',
  before: false,
  ...rest,
});
const run = (rest: Partial<LogRun> = {}): LogRun => ({
  opening: 'told',
  at: '2025-10-11T10:12:00Z',
  ready: true,
  ready_at: null,
  findings: [],
  unknown: [],
  others: 0,
  silenced: 0,
  ...rest,
});
const meter = (rest: Partial<LogMeter> = {}): LogMeter => ({
  connected: true,
  silent: false,
  source: { from: 'stream' },
  file_error: null,
  behind_ms: null,
  catching_up: false,
  held: 10,
  rotated: 0,
  replayed: 0,
  last_line_at: null,
  spoke_at: null,
  device: null,
  programs: [],
  error: null,
  stored: { state: 'opening' },
  said: run(),
  ...rest,
});

test('the gravest stands first, what is over below what is not, what is harmless last', () => {
  const later = '2025-10-11T11:00:00Z';
  const mixed = [
    finding('harmless', { severity: 'info' }),
    finding('over', { severity: 'fatal', blocking: 'service', open: false }),
    finding('warning', { severity: 'warning' }),
    finding('interrupted', { severity: 'info', blocking: 'job' }),
    finding('component', { severity: 'error' }),
    finding('context', { severity: 'error', blocking: 'service' }),
    finding('later', { first: later }),
    finding('earlier', { first: '2025-10-11T10:00:00Z' }),
    finding('memory', { severity: 'error', blocking: 'job' }),
    finding('fatal', { severity: 'fatal', blocking: 'service' }),
  ];
  const expected =
    'fatal context memory component earlier later warning interrupted over harmless'.split(' ');
  expect(ordered(mixed).map(({ id }) => id)).toEqual(expected);
  expect(ordered([...mixed].reverse()).map(({ id }) => id)).toEqual(expected);
});

test('a message that comes again does not change its place', () => {
  const [a, b] = [finding('a'), finding('b')];
  const again = { ...b, count: 99, last: '2025-10-11T23:00:00Z' };
  expect(ordered([again, a]).map(({ id }) => id)).toEqual(['a', 'b']);
});

test.each([
  [{ blocking: 'no' }, 'no'],
  [{ blocking: 'job' }, 'job'],
  [{ blocking: 'service' }, 'service'],
  [{ blocking: 'service', open: false }, 'over'],
  [{ severity: 'info', blocking: 'no' }, 'harmless'],
  [{ severity: 'info', blocking: 'no', open: false }, 'harmless'],
  // An interrupted picture is normal life, and yet there is no picture.
  [{ severity: 'info', blocking: 'job' }, 'job'],
] as const)('%o means %s', (rest, effect) => {
  expect(effectOf(finding('x', rest))).toBe(effect);
});

test.each([
  ['told', '2025-10-11T10:12:00Z', 'messages.since.container_at'],
  ['told', null, 'messages.since.container'],
  ['spawned', '2025-10-11T10:12:00Z', 'messages.since.program_at'],
  ['launched', null, 'messages.since.program'],
  ['unseen', null, 'messages.since.unseen'],
  ['unseen', '2025-10-11T10:12:00Z', 'messages.since.unseen'],
] as const)('counted from %s at %s: %s', (opening, at, key) => {
  expect(sinceKey(run({ opening, at }))).toBe(key);
});

test.each([
  [{}, 'none'],
  [{ said: run({ opening: 'unseen', at: null }) }, 'none_unseen'],
  [{ held: 0 }, 'nothing_read'],
  [{ held: 0, rotated: 3 }, 'none'],
  [{ connected: false }, 'not_connected'],
  [{ connected: false, held: 0 }, 'not_connected'],
] as const)('a log without messages, %o: %s', (rest, say) => {
  expect(silenceOf(meter(rest))).toBe(say);
});

test('services without a message are told together, those with one are not', () => {
  const service = (id: string, log: LogMeter) => ({ id, log }) as ServiceState;
  const services = [
    service('a', meter()),
    service('b', meter({ connected: false })),
    service('c', meter()),
    service('known', meter({ said: run({ findings: [finding('x')] }) })),
    service('unknown', meter({ said: run({ unknown: [error('x')] }) })),
    service('others', meter({ said: run({ others: 1 }) })),
    service('silenced', meter({ said: run({ silenced: 1 }) })),
  ];
  expect(silences(services)).toEqual([
    ['none', ['a', 'c']],
    ['not_connected', ['b']],
  ]);
});

test('an error is called new only where the beginning of the run was seen', () => {
  const unknown = [
    error('old', { before: true }),
    error('b', { first: '2025-10-11T10:30:00Z' }),
    error('a'),
    error('fatal', { level: 'fatal', first: '2025-10-11T10:45:00Z' }),
  ];
  const shapes = (opening: LogRun['opening']) =>
    byNovelty(run({ opening, unknown })).map(([novelty, errors]) => [
      novelty,
      ...errors.map(({ shape }) => shape),
    ]);
  expect(shapes('told')).toEqual([
    ['new', 'fatal', 'a', 'b'],
    ['before', 'old'],
  ]);
  expect(shapes('unseen')).toEqual([
    ['unsure', 'fatal', 'a', 'b'],
    ['before', 'old'],
  ]);
});

test('what is sought are words that stand in the log', () => {
  const names = [{ group: 'name', value: 'attention.py' }];
  const put = "attention.py: ModuleNotFoundError: No module named 'ldm'";
  expect(sought({ text: put, names })).toBe("ModuleNotFoundError: No module named 'ldm'");
  expect(sought({ text: put, names: [] })).toBe(put);
  expect(sought({ text: '*** Error loading script: attention.py', names })).toBe(
    '*** Error loading script: attention.py',
  );
});

test('names of things are shown, quantities are not', () => {
  const names = [
    { group: 'n', value: '3' },
    { group: 'name', value: 'a.py' },
    { group: 'path', value: '/opt/x' },
    { group: 'name', value: 'b.py' },
  ];
  expect(namesOf(finding('x', { names }))).toEqual([
    { group: 'path', values: ['/opt/x'] },
    { group: 'name', values: ['a.py', 'b.py'] },
  ]);
});

test('words come in the language of the reader, or else in the one there is', () => {
  const en = { title: 'Full', cause: 'c', remedy: 'r' };
  const fr = { title: 'Plein', cause: 'c', remedy: 'r' };
  const signature = (one: Partial<Record<'en' | 'fr', typeof en>>) =>
    ({ id: 'x', en: null, fr: null, ...one }) as Parameters<typeof wordsOf>[0];
  expect(wordsOf(signature({ en, fr }), 'fr')).toMatchObject({ title: 'Plein', language: 'fr' });
  expect(wordsOf(signature({ en }), 'fr')).toMatchObject({ title: 'Full', language: 'en' });
  expect(wordsOf(signature({ fr }), 'en')).toMatchObject({ title: 'Plein', language: 'fr' });
  expect(wordsOf(signature({}), 'en')).toBeNull();
  expect(wordsOf(undefined, 'en')).toBeNull();
});

test('backticks are told apart and never lose text', () => {
  expect(parts('use `--lowvram` now')).toEqual([
    { text: 'use ', code: false },
    { text: '--lowvram', code: true },
    { text: ' now', code: false },
  ]);
  expect(parts('<b>plain</b>')).toEqual([{ text: '<b>plain</b>', code: false }]);
});
