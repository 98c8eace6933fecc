import { beforeEach, expect, test } from 'vitest';
import type { LogMeter } from '../../backend/types';
import { language } from '../../shared/i18n.svelte';
import { markerSentence } from './markers';
import { delayWords, sourceWords, storageWords, worst } from './meter';

const meter = (rest: Partial<LogMeter> = {}) =>
  ({
    connected: true,
    silent: false,
    source: { from: 'stream' },
    file_error: null,
    behind_ms: null,
    catching_up: false,
    stored: { state: 'opening' },
    ...rest,
  }) as LogMeter;

const here = { state: 'here', bytes: 1, oldest: null, error: null, lost: 0 } as const;

beforeEach(() => language.use('en'));

test('a delay is told from two seconds on, and never where it is unknown', () => {
  expect(delayWords(meter())).toBeNull();
  expect(delayWords(meter({ behind_ms: 2_000 }))).toBeNull();
  expect(delayWords(meter({ behind_ms: 12_000 }))).toBe('12\u00a0s behind');
  expect(delayWords(meter({ behind_ms: 12_000, connected: false }))).toBeNull();
  expect(delayWords(meter({ behind_ms: 7_500_000, catching_up: true }))).toMatch(
    /^catching up, 2.h.05 behind$/u,
  );
});

test('where the lines come from is told when it is not the stream', () => {
  expect(sourceWords(meter())).toBeNull();
  const source = { from: 'file', path: '/var/log/x.log' } as const;
  expect(sourceWords(meter({ source, silent: true }))).toBe(
    'reading /var/log/x.log in the container',
  );
  const file_error = 'none can be read';
  expect(sourceWords(meter({ file_error, silent: true }))).toBe(
    'its file cannot be read: none can be read',
  );
  // The stream speaks again: of the past.
  expect(sourceWords(meter({ file_error }))).toBeNull();
});

test('why nothing is stored is told, and whether that is bad', () => {
  expect(storageWords(meter())).toBeNull();
  expect(storageWords(meter({ stored: here }))).toBeNull();
  expect(storageWords(meter({ stored: { state: 'elsewhere' } }))).toEqual({
    words: 'not stored here: another Forgekeeper stores it',
    bad: false,
  });
  expect(storageWords(meter({ stored: { state: 'read_only' } }))?.bad).toBe(false);
  for (const stored of [
    { state: 'failed', reason: 'disk full' } as const,
    { ...here, error: 'disk full' },
  ]) {
    expect(storageWords(meter({ stored }))).toEqual({ words: 'not stored: disk full', bad: true });
  }
  const since = storageWords(meter({ stored: { ...here, oldest: '2025-10-11T10:12:00Z' } }));
  expect(since?.words).toMatch(/^stored since .*2025/u);
});

test('the change of the source is told between the lines', () => {
  expect(markerSentence({ source: { file: '/var/log/x.log' } })).toContain('/var/log/x.log');
  expect(markerSentence({ source: { file: null } })).toContain('again');
});

test('of several logs the worst is told of', () => {
  const of = (...meters: LogMeter[]) =>
    worst(meters.map((meter, number) => ({ service: `s${number}`, meter })))?.service;
  const unstored = meter({ stored: { state: 'failed', reason: 'no room' } });
  expect(of(meter(), meter())).toBe('s0');
  expect(of(meter(), unstored)).toBe('s1');
  expect(of(unstored, meter({ silent: true }))).toBe('s1');
  expect(of(meter({ silent: true }), meter({ connected: false }))).toBe('s1');
  expect(of()).toBeUndefined();
});
