import { describe, expect, it } from 'vitest';

import { FakeBackend } from '../fake';

const NOW = Date.UTC(2026, 10, 20);

async function state(backend: FakeBackend, id: string) {
  const view = await backend.migration.view();
  return view.phases.flatMap((phase) => phase.steps).find((step) => step.id === id)?.state.is;
}

describe('the migration that is played', () => {
  it('has a step in each state, and counts what it shows', async () => {
    const view = await new FakeBackend({ now: NOW }).migration.view();
    const steps = view.phases.flatMap((phase) => phase.steps);
    const states = new Set(steps.map((step) => step.state.is));
    expect([...states].toSorted()).toEqual([
      'blocked',
      'failed',
      'proved',
      'ready',
      'running',
      'skipped',
      'stale',
    ]);
    const { counts } = view;
    expect(counts.attested).toBe(2);
    expect(Object.values(counts).reduce((sum, count) => sum + count, 0)).toBe(steps.length);
  });

  it('does a step, takes it back and does it again', async () => {
    const backend = new FakeBackend({ now: NOW });
    const { migration } = backend;
    // Its proof is out of date, and the step waits for it.
    await migration.check('disk-space');
    for (const round of [1, 2]) {
      await migration.run('compose-beside', null);
      expect(await state(backend, 'compose-beside'), `round ${round}`).toBe('running');
      await expect(migration.run('compose-beside', null)).rejects.toMatchObject({
        code: 'refused',
      });
      backend.now += 5_000;
      expect(await state(backend, 'compose-beside')).toBe('proved');
      await migration.undo('compose-beside', null);
      backend.now += 5_000;
      expect(await state(backend, 'compose-beside')).toBe('ready');
    }
    const record = await migration.record();
    expect(record.map((entry) => `${entry.action} ${entry.outcome}`).slice(1, 5)).toEqual([
      'run begun',
      'run done',
      'undo begun',
      'undo done',
    ]);
  });

  it('tries the way back, and asks for the name of what goes', async () => {
    const backend = new FakeBackend({ now: NOW });
    const { migration } = backend;
    await expect(migration.drill('backup')).rejects.toMatchObject({ code: 'refused' });
    expect((await migration.previewDrill('standby')).lines).toHaveLength(3);
    await migration.drill('standby');
    backend.now += 5_000;
    expect(await state(backend, 'standby')).toBe('proved');
    const record = await migration.record();
    expect(record.map((entry) => entry.action)).toEqual(['drill', 'drill']);
    expect((await migration.preview('decommission', false)).confirm).toBe('myia');
  });

  it('takes no word for what is measured, and refuses what waits', async () => {
    const { migration } = new FakeBackend({ now: NOW });
    await expect(migration.attest('backup', 'jesse', null)).rejects.toMatchObject({
      code: 'refused',
    });
    await migration.view();
    await expect(migration.run('proxy-cutover', null)).rejects.toMatchObject({ code: 'refused' });
  });
});
