import { expect, test } from 'vitest';
import type { Cause, Incident } from '../../backend/types';
import { configurationDetail } from './configuration';

const told = (cause: Cause, evidence: [string, string][]): Incident => ({
  id: 'a',
  subject: { of: 'service', id: 'myia-turbo' },
  rung: 'program',
  status: 'degraded',
  cause,
  evidence: evidence.map(([name, value]) => ({ name, value })),
  opened_at: '2026-01-01T00:00:00Z',
  last_seen_at: '2026-01-01T00:00:00Z',
  count: 1,
  flapping: false,
  hides: [],
});

test('what was lost is named, counted, and said to be unknown while it is', () => {
  const keys: [string, string][] = ['a', 'b', 'c', 'd', 'e'].map((k) => ['key', `${k}: 1 → 2`]);
  expect(configurationDetail(told('config.reset', [...keys, ['more_keys', '7']]))).toBe(
    '12 settings have not their values any more: a, b, c, d, ….',
  );
  expect(configurationDetail(told('config.reset', keys.slice(0, 1)))).toBe(
    '1 setting has not its value any more: a.',
  );
  expect(configurationDetail(told('config.reset', []))).toBe('What was lost is not known yet.');
});

test('both writers, the file, the model and the request are named', () => {
  const shared: [string, string][] = [
    ['shared_with', 'myia'],
    ['file', '/srv/config.json'],
  ];
  expect(configurationDetail(told('config.second_writer', shared))).toBe(
    'myia-turbo and myia write one file, each the whole of it: /srv/config.json',
  );
  const model: [string, string] = ['model_before', 'a.safetensors'];
  expect(configurationDetail(told('config.model_unset', [model]))).toBe('It was a.safetensors.');
  const request: [string, string] = ['request', 'POST /sdapi/v1/options'];
  expect(configurationDetail(told('config.model_unset', [model, request]))).toContain(request[1]);
  expect(configurationDetail(told('config.workspace_unmounted', [['mount', '/workspace']]))).toBe(
    'Nothing is mounted on /workspace.',
  );
});
