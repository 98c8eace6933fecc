import { describe, expect, test } from 'vitest';

import type { PlanField, PlanSettings } from '../../backend/decisions';
import { SETTINGS } from '../../backend/fake/decisions-data';
import { FakeMigration } from '../../backend/fake/migration';
import { firstSteps } from '../../backend/fake/migration-states';
import { changesOf, keyOf, sectionOf, unsetOf } from './decisions';

const shown: PlanSettings = { stamp: '0', path: 'migration.toml', settings: SETTINGS };
const typed = (...pairs: [PlanField, string][]) => new Map(pairs);

describe('what writing a section changes', () => {
  test('is what was found and what was typed, and nothing of the other section', () => {
    const changes = changesOf(shown, 'target', typed(['iis.rule', 'to Forge']));
    expect(changes.map(({ field }) => field)).toEqual([
      'target.to',
      'target.port',
      'target.compose_file',
      'target.models',
    ]);
    expect(changes.find(({ field }) => field === 'target.port')?.value).toBe('8188');
  });

  test('an emptied field takes its value out, or leaves it unsaid', () => {
    const emptied = typed(['target.image', ' '], ['target.to', ''], ['target.port', '']);
    const changes = changesOf(shown, 'target', emptied);
    expect(changes.find(({ field }) => field === 'target.image')?.value).toBeNull();
    expect(changes.some(({ field }) => field === 'target.to')).toBe(false);
  });

  test('the same as the file says is no change', () => {
    const same = typed(['iis.web_config', 'D:\\sites\\genai\\web.config'], ['iis.public_url', '']);
    expect(changesOf(shown, 'iis', same)).toEqual([]);
  });
});

test('a step says which value it misses', () => {
  const steps = firstSteps(0);
  const missing = steps.flatMap((step) => unsetOf(step) ?? []);
  expect(missing).toEqual(['target.gpu']);
  expect(sectionOf('iis.rule')).toBe('iis');
  expect(keyOf('target.compose_file')).toBe('compose_file');
});

test('a text that was changed meanwhile is not written into', async () => {
  const calls: string[] = [];
  const fake = new FakeMigration(
    () => 0,
    () => undefined,
    calls,
  );
  const { stamp } = await fake.settings();
  fake.writtenByHand();
  const port = [{ field: 'target.port' as const, value: '8189' }];
  await expect(fake.saveSettings(port, stamp)).rejects.toMatchObject({ code: 'refused' });
  expect(calls).toEqual([]);
});
