import { screen, within } from '@testing-library/svelte';
import userEvent from '@testing-library/user-event';
import { expect, test } from 'vitest';

import en from '../../../messages/en.json';
import type { Fault } from '../../backend/fake';
import type { DrillVerdict, RestoreView, WhyLeft } from '../../backend/restore-types';
import type { SnapshotReason } from '../../backend/types';
import { open, settled } from '../../test-kit';
import { deed, leftStatus, outcome } from './restore-say';

const entry = (place: number) => screen.getAllByTestId('snapshot-entry')[place] as HTMLElement;

async function page(place: number, ...faults: Fault[]) {
  const user = userEvent.setup();
  const view = await open('configuration', { faults });
  await user.click(screen.getByTestId('config-service-myia'));
  await settled();
  await settled();
  await user.click(entry(place));
  await settled();
  const planned = async (id: string) => {
    await user.click(screen.getByTestId(id));
    await settled();
    return screen.getByTestId('restore-dialog');
  };
  const run = async (ms = 9_000) => {
    await user.click(screen.getByTestId('restore-yes'));
    await settled();
    await view.pass(ms);
    await settled();
  };
  return { user, planned, run, ...view };
}

test('the plan shows each file value by value, what stays and why, and the button names what it does', async () => {
  const { planned, backend } = await page(4);
  const dialog = await planned('restore-all');
  const config = within(dialog).getByTestId('restore-file-forge_config');
  expect(config).toHaveTextContent(/sd_model_checkpoint.*Now:.*null.*Then:.*realisticVision/);
  expect(within(dialog).getByTestId('restore-left')).toHaveTextContent('config.json moved away');
  expect(within(dialog).getByTestId('restore-stops')).toHaveTextContent(/stopped, started again/);
  expect(screen.getByTestId('restore-yes')).toHaveTextContent('Write 2 files and restart myia');
  expect(backend.calls.filter((call) => call.startsWith('restore {'))).toEqual([]);
});

test('steps are shown as they are reached; the end says what was found of each file', async () => {
  const { user, planned, pass } = await page(4);
  await planned('restore-all');
  await user.click(screen.getByTestId('restore-yes'));
  await settled();
  const step = (id: string) => document.querySelector(`[data-step="${id}"]`);
  await pass(1_000);
  expect(step('before')).toHaveAttribute('data-state', 'reached');
  expect(step('write')).toHaveAttribute('data-state', 'waiting');
  await pass(1_000);
  expect(step('write')).toHaveAttribute('data-state', 'current');
  expect(step('starting')).toHaveAttribute('data-state', 'waiting');
  await pass(1_000);
  expect(step('write')).toHaveAttribute('data-state', 'reached');
  await pass(6_000);
  await settled();
  expect(screen.getByTestId('restore-end')).toHaveTextContent('Put back and proved');
  const proof = screen.getByTestId('restore-proof');
  expect(proof.querySelector('[data-part="forge_config"]')).toHaveTextContent(
    'read back, every byte as it should be, the same after the start',
  );
});

test('what was put back is taken back, with a plan of its own, and both are remembered', async () => {
  const { user, planned, run } = await page(4);
  await planned('restore-all');
  await run();
  await user.click(screen.getByTestId('restore-take-back'));
  await settled();
  const dialog = screen.getByTestId('restore-dialog');
  expect(dialog).toHaveTextContent('Take back the last restore of myia');
  expect(within(dialog).getByTestId('restore-file-forge_config')).toHaveTextContent(
    /Now:.*realisticVision.*Then:.*null/,
  );
  await run();
  expect(screen.getByTestId('restore-end')).toHaveTextContent('every byte is as it was before');
  await user.click(screen.getByTestId('restore-close'));
  await settled();
  expect(screen.getByTestId('restore-last')).toHaveTextContent('Restore taken back');
  expect(screen.getByTestId('restore-last')).toHaveTextContent('config.json, styles.csv');
});

test('one value goes back from the older of two, or from the newer', async () => {
  const { user, backend } = await page(2);
  const row = within(screen.getByTestId('drift-forge_config')).getAllByTestId('drift-change')[1];
  await user.click(within(row as HTMLElement).getByTestId('restore-value'));
  await settled();
  expect(screen.getByTestId('restore-yes')).toHaveTextContent('Write 1 value and restart myia');
  expect(screen.getByTestId('restore-dialog')).toHaveTextContent(/Then:.*realisticVision/);
  await user.click(screen.getByTestId('restore-from-1'));
  await settled();
  // There it was emptied, as it is now.
  expect(screen.queryByTestId('restore-yes')).toBeNull();
  expect(screen.getByTestId('restore-nothing')).toHaveTextContent('already');
  expect(backend.calls.filter((call) => call.startsWith('restorePlan')).at(-1)).toContain(
    'sd_model_checkpoint',
  );
});

test('a part that is no file is not offered, and says why', async () => {
  await page(0);
  const moved = screen.getByTestId('restore-forge_config_moved');
  expect(moved).toBeDisabled();
  expect(moved).toHaveAttribute('title', expect.stringContaining('it is no setting'));
});

test('what was not read, is damaged or was in memory only stays, with its reason', async () => {
  const { planned } = await page(5, 'config-bytes-lost', 'no-keyring');
  const dialog = await planned('restore-all');
  const left = within(dialog).getByTestId('restore-left');
  expect(left.querySelector('[data-part="compose"]')).toHaveTextContent('in memory only');
  expect(left.querySelector('[data-part="forge_styles"]')).toHaveTextContent('never put back');
  const checkouts = left.querySelector('[data-part="forge_extensions"]');
  expect(checkouts).toHaveTextContent('sd-civitai-browser-plus: 02a91b3');
});

test('where all is as it was there is nothing to press', async () => {
  const { planned } = await page(0);
  const dialog = await planned('restore-all');
  expect(dialog).toHaveTextContent('as in this snapshot already');
  expect(screen.queryByTestId('restore-yes')).toBeNull();
});

test('a refusal is told in words, and may be asked about again', async () => {
  const { user, planned, backend } = await page(4, 'restore-refused');
  await planned('restore-all');
  expect(screen.getByTestId('restore-refused')).toHaveTextContent('the engine does not answer');
  expect(screen.getByTestId('restore-yes')).toBeDisabled();
  await user.click(screen.getByTestId('restore-again'));
  await settled();
  expect(backend.calls.filter((call) => call.startsWith('restorePlan'))).toHaveLength(2);
});

test('a generation is lost only by a button that says so', async () => {
  const { planned, run, backend } = await page(4, 'restore-busy');
  await planned('restore-all');
  expect(screen.getByTestId('restore-lost')).toHaveTextContent('42');
  expect(screen.getByTestId('restore-yes')).toHaveTextContent(
    /^Lose the generation: write 2 files/,
  );
  await run();
  expect(backend.calls.some((call) => call.endsWith('force=true'))).toBe(true);
});

test('what changed meanwhile is not written; what fails says what happened and what is left', async () => {
  const meanwhile = await page(4, 'restore-changed');
  await meanwhile.planned('restore-all');
  await meanwhile.user.click(screen.getByTestId('restore-yes'));
  await settled();
  expect(screen.getByRole('alert')).toHaveAttribute('data-code', 'changed_meanwhile');
  expect(screen.getByTestId('restore-yes')).toBeDisabled();
  meanwhile.unmount();

  const { planned, run } = await page(4, 'restore-fails');
  await planned('restore-all');
  await run();
  expect(screen.getByTestId('restore-end')).toHaveAttribute('data-status', 'failing');
  expect(screen.getByRole('alert')).toHaveTextContent('Everything is as it was before.');
  expect(screen.queryByTestId('restore-take-back')).toBeNull();
});

test('a program that changes it again at its start is told, and not called proved', async () => {
  const { planned, run } = await page(4, 'restore-differs');
  await planned('restore-all');
  await run();
  expect(screen.getByTestId('restore-end')).toHaveAttribute('data-status', 'degraded');
});

test('a trial: never is never, unknown is unknown, and one is made and shown', async () => {
  const { user, backend, app } = await page(0);
  expect(screen.getByTestId('drill')).toHaveAttribute('data-status', 'unknown');
  expect(screen.getByTestId('drill')).toHaveTextContent('never made');
  await user.click(screen.getByTestId('drill-try'));
  await settled();
  expect(backend.calls).toContain('drill myia');
  expect(screen.getByTestId('drill')).toHaveAttribute('data-status', 'ok');
  expect(app.announcement).toBe('Restore trial of myia: every byte came back.');
  await user.click(screen.getByTestId('drill-evidence'));
  await settled();
  expect(screen.getByTestId('drill-parts').children.length).toBeGreaterThan(5);
});

test.each<[Fault, string, string]>([
  ['drill-fails', 'failing', '1 part would not come back'],
  ['drill-broken', 'unknown', 'was broken off'],
  ['restore-trace-fails', 'unknown', 'not known'],
])('a trial under %s is %s', async (fault, status, words) => {
  await page(0, fault);
  expect(screen.getByTestId('drill')).toHaveAttribute('data-status', status);
  expect(screen.getByTestId('drill')).toHaveTextContent(words);
});

test('a restore that was broken off is told, and can be taken back', async () => {
  const { user } = await page(0, 'restore-interrupted');
  const last = screen.getByTestId('restore-last');
  expect(last).toHaveTextContent('Restore broken off');
  await user.click(screen.getByTestId('restore-undo'));
  await settled();
  expect(screen.getByTestId('restore-file-forge_styles')).toBeInTheDocument();
});

test('every reason and verdict of the wire has its words', () => {
  const reasons = { daily: 1, before_action: 1, on_demand: 1 } satisfies Record<SnapshotReason, 1>;
  const left = {
    ...{ not_in_snapshot: 1, not_read_then: 1, not_kept: 1, gone: 1, damaged: 1, sealed: 1 },
    ...{ was_broken: 1, was_not_there: 1, not_read_now: 1, place_unknown: 1, of_container: 1 },
    ...{ of_environment: 1, of_checkouts: 1, of_api: 1, moved_away: 1, no_file_now: 1 },
    ...{ broken_now: 1, no_such_key: 1, key_twice: 1, other_shape: 1, no_keys: 1 },
    ...{ same_already: 1, too_long: 1 },
  } satisfies Record<WhyLeft, 1>;
  const drills = {
    ...{ restored: 1, broken: 1, missing: 1, damaged: 1, sealed: 1, not_kept: 1 },
    not_written: 1,
  } satisfies Record<DrillVerdict, 1>;
  const keys = [
    ...Object.keys(reasons).map((one) => `guard.reason.${one}`),
    ...Object.keys(left).map((one) => `guard.left.${one}`),
    ...Object.keys(drills).map((one) => `guard.drill.verdict.${one}`),
  ];
  for (const key of keys) expect(en).toHaveProperty([key]);
});

test('a button counts files that go apart, and stops nobody where none is stopped', () => {
  const file = (way: 'replace' | 'remove') => ({ deed: way }) as RestoreView['files'][number];
  const view = (files: RestoreView['files'], stops: RestoreView['stops']) =>
    ({
      files,
      stops,
      service: 'myia',
      scope: { what: 'all' },
      refusals: [],
    }) as unknown as RestoreView;
  expect(deed(view([file('replace'), file('remove')], null))).toBe('Write 1 file, remove 1 file');
  expect(deed(view([file('remove')], 'container'))).toBe('Remove 1 file and restart myia');
});

test('what is damaged is a failure, what is not known is unknown, and a part that is no file is neither', () => {
  const of = (why: WhyLeft) =>
    leftStatus({ part: 'compose', path: '', why, words: null, to_do: [] });
  expect([of('damaged'), of('sealed'), of('of_api')]).toEqual([
    'failing',
    'unknown',
    'not_configured',
  ]);
  const report = { service: 'myia', undo: false, stopped: 'program' as const, started: true };
  const file = { part: 'compose' as const, path: '', deed: 'replace' as const, verified: true };
  const end = (still: boolean | null) =>
    outcome({ ...report, snapshot: '', before: '', at: '', files: [{ ...file, still }] }).status;
  expect([end(true), end(false), end(null)]).toEqual(['ok', 'degraded', 'unknown']);
});
