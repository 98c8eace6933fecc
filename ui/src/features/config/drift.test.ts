import { beforeAll, expect, test } from 'vitest';

import type {
  Attribution,
  Drift,
  DriftChange,
  PartDrift,
  SnapshotEntry,
} from '../../backend/types';
import { language } from '../../shared/i18n.svelte';
import { plain } from '../../shared/plain';
import { asText, causesOf, commonOrigin, shownParts, tally } from './drift';
import { keyText, moment, names, size, worth } from './say';

beforeAll(async () => {
  await language.use('en');
  await language.whole();
});

const by = (who: Attribution['by']): Attribution => ({
  by: who,
  certainty: 'likely',
  evidence: null,
});
const change = (key: string, origin: Attribution, now: string | null = '2'): DriftChange => ({
  key: ['outer', key],
  old: '1',
  new: now,
  masked: false,
  origin,
});
const part = (of: Partial<PartDrift> & Pick<PartDrift, 'part'>): PartDrift =>
  ({
    path: '/srv/file',
    finding: 'changed',
    changes: [],
    more: 0,
    written_at: null,
    origin: null,
    ...of,
  }) as PartDrift;
const drift = (...parts: PartDrift[]): Drift => ({
  service: 'myia',
  before: 'a',
  after: 'b',
  before_at: '2026-01-01T00:00:00Z',
  after_at: '2026-01-02T00:00:00Z',
  parts,
  unchanged: 5,
});
const unread = (id: PartDrift['part'], why: 'no_place' | 'api') =>
  part({ part: id, finding: 'not_read', side: 'after', why, words: 'x' } as never);

test('what changed comes first, then what is not known, then what only looks different', () => {
  const found = drift(
    unread('compose', 'no_place'),
    part({ part: 'forge_styles', finding: 'same_values' }),
    unread('forge_options', 'api'),
    part({ part: 'forge_config', changes: [change('a', by('ui'))] }),
  );
  const shown = shownParts(found, { text: '', cause: 'all' });
  expect(shown.map((one) => one.part.part)).toEqual([
    'forge_config',
    'forge_options',
    'forge_styles',
    'compose',
  ]);
  // Nothing names a compose file of a container made by hand: that it is not there is no doubt.
  expect(tally(found)).toEqual({ values: 1, parts: 1, unknown: 1, same: 5 });
});

test('a filter narrows keys, values, paths and causes down and says what it left out', () => {
  const changes = [change('model', by('api_call'), 'null'), change('steps', by('ui'), '"Forty"')];
  const found = drift(
    part({ part: 'forge_config', changes }),
    part({ part: 'forge_styles', finding: 'vanished', origin: by('ui') }),
    unread('forge_options', 'api'),
  );
  const shown = (text: string, cause: 'all' | 'ui' | 'api_call' = 'all') =>
    shownParts(found, { text, cause }).map(
      (one) => `${one.part.part} ${one.changes.length} ${one.left}`,
    );
  expect(shown('MODEL')).toEqual(['forge_config 1 1']);
  expect(shown('forty')).toEqual(['forge_config 1 1']);
  expect(shown('outer › steps')).toEqual(['forge_config 1 1']);
  expect(shown('styles.csv')).toEqual(['forge_styles 0 0']);
  expect(shown('', 'ui')).toEqual(['forge_config 1 1', 'forge_styles 0 0']);
  expect(shown('nothing like it')).toEqual([]);
  expect(causesOf(found)).toEqual(['ui', 'api_call']);
});

test('a cause that all of a part share is said once', () => {
  const same = part({
    part: 'forge_config',
    changes: [change('a', by('ui')), change('b', by('ui'))],
  });
  expect(commonOrigin(same)?.by).toBe('ui');
  const other = part({
    part: 'forge_config',
    changes: [change('a', by('ui')), change('b', by('us'))],
  });
  expect(commonOrigin(other)).toBeNull();
  expect(
    commonOrigin(part({ part: 'forge_styles', finding: 'appeared', origin: by('us') }))?.by,
  ).toBe('us');
});

test('texts are compared as texts, and what is broken by its bytes', () => {
  expect(asText(part({ part: 'compose' }))).toBe(true);
  expect(asText(part({ part: 'forge_config' }))).toBe(false);
  expect(asText(part({ part: 'compose', finding: 'appeared' }))).toBe(false);
  expect(
    asText(part({ part: 'forge_config', finding: 'bytes', before: null, after: 'x' } as never)),
  ).toBe(true);
});

test('what a snapshot is worth is green only when everything is known and well', () => {
  const of = (good: boolean, healthy: boolean | null, missed: number) =>
    worth({ good, healthy, missed }).status;
  expect(of(true, true, 0)).toBe('ok');
  expect(of(false, false, 0)).toBe('degraded');
  expect(of(false, true, 2)).toBe('degraded');
  expect(of(false, null, 0)).toBe('unknown');
});

test('names and sizes say that there is more, and never 0 for something', () => {
  const named = [
    { key: ['a', 'model'], parts: ['forge_config' as const] },
    { key: [], parts: ['forge_styles' as const] },
  ];
  const digest = { before: 'a', after: 'b', changes: 5, named, origins: [], unknown: [] };
  expect(names(digest)).toBe('model, styles.csv and 3 more');
  expect(names({ ...digest, changes: 2 })).toBe('model, styles.csv');
  expect(keyText([])).toBe('(the whole)');
  expect(size(1)).toBe('1 byte');
  expect(size(1500)).toBe('1.5\u00a0kB');
  expect(size(3 * 1024 * 1024)).toBe('3.0\u00a0MB');
});

test('two of the same minute are told apart', () => {
  const all = ['2026-01-05T10:00:07Z', '2026-01-05T10:00:41Z', '2026-01-05T10:05:00Z'];
  const entries = all.map((taken_at) => ({ taken_at }) as SnapshotEntry);
  const shown = all.map((at) => moment(at, entries, 0));
  expect(shown[0]).toMatch(/:00:07$/);
  expect(shown[1]).toMatch(/:00:41$/);
  expect(shown[2]).toMatch(/^5 Jan.\d\d:05$/);
});

test('what cannot be seen is made visible', () => {
  expect(plain('a\u202eb\u0000\u001b[31m\tc\nd')).toBe('a\\u{202e}b\\u{0}\\u{1b}[31m\tc\nd');
});
