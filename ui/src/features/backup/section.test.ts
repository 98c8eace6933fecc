import { render, screen } from '@testing-library/svelte';
import userEvent from '@testing-library/user-event';
import { expect, test } from 'vitest';

import { FakeBackend, type FakeOptions } from '../../backend/fake';
import { language } from '../../shared/i18n.svelte';
import { settled } from '../../test-kit';
import { App } from '../../state/app.svelte';
import Harness from './Harness.test.svelte';

const click = (id: string) => userEvent.click(screen.getByTestId(id));

async function opened(faults: NonNullable<FakeOptions['faults']> = []) {
  await language.use('en');
  const backend = new FakeBackend({ faults, now: Date.parse('2025-10-11T10:34:00Z') });
  render(Harness, { props: { app: new App(backend) } });
  await settled();
  return {
    /** Lets time pass, and the section look once more. */
    async pass(ms: number) {
      backend.advance(ms);
      await new Promise((resolve) => setTimeout(resolve, 550));
      await settled();
    },
  };
}

test('without settings it says what to write, and offers nothing', async () => {
  await opened();
  expect(screen.getByTestId('backup-empty')).toHaveTextContent("source = 'D:\\Production");
  expect(screen.queryByTestId('backup-run')).not.toBeInTheDocument();
});

test('never run is unknown, and there is nothing to verify', async () => {
  await opened(['backup-configured']);
  expect(screen.getByTestId('backup-settings')).toHaveTextContent('E:\\Backups\\forge');
  expect(screen.getByTestId('backup-last')).toHaveTextContent('Never backed up.');
  expect(screen.getByTestId('backup-last').querySelector('.shape')).toHaveClass('unknown');
  expect(screen.getByTestId('backup-verify')).toBeDisabled();
});

test('the plan tells what would be done, what shares a disk, and that there is no room', async () => {
  await opened(['backup-configured', 'backup-same-disk', 'backup-full']);
  await click('backup-plan');
  await settled();
  const preview = screen.getByTestId('backup-preview');
  expect(preview).toHaveTextContent(/To copy\s*1,240 files/);
  expect(preview).toHaveTextContent('Largest: models');
  expect(screen.getByTestId('backup-disks')).toHaveTextContent('one disk');
  expect(screen.getByTestId('backup-no-room')).toBeInTheDocument();
});

test('a run is followed to its end; what is left is not foretold before it is known', async () => {
  const { pass } = await opened(['backup-configured']);
  await click('backup-run');
  await settled();
  const progress = screen.getByTestId('backup-progress');
  expect(progress).toHaveAttribute('data-stage', 'looking');
  expect(progress).toHaveTextContent('time left unknown');
  expect(screen.getByRole('progressbar')).not.toHaveAttribute('aria-valuenow');
  await pass(4_000);
  expect(screen.getByTestId('backup-progress')).toHaveTextContent(/per second, about 4\ss left/);
  await pass(5_000);
  expect(screen.queryByTestId('backup-progress')).not.toBeInTheDocument();
  const last = screen.getByTestId('backup-last');
  expect(last).toHaveTextContent('Whole,');
  expect(last).toHaveTextContent('It was never read again.');
  expect(last.querySelector('.shape')).toHaveClass('ok');
  await click('backup-verify');
  await pass(9_000);
  expect(screen.getByTestId('backup-last')).toHaveTextContent('as it was copied');
});

test('it is cancelled at any moment, and says that the next one goes on', async () => {
  const { pass } = await opened(['backup-configured']);
  await click('backup-run');
  await pass(2_000);
  await click('backup-cancel');
  await settled();
  expect(screen.getByTestId('backup-last')).toHaveTextContent('The next run goes on from there.');
  await click('backup-plan');
  await settled();
  expect(screen.getByTestId('backup-preview')).toHaveTextContent('broken off is continued');
});

test('a file in use makes it incomplete, never green, and is named with its reason', async () => {
  const { pass } = await opened(['backup-configured', 'backup-held']);
  await click('backup-run');
  await pass(9_000);
  const last = screen.getByTestId('backup-last');
  expect(last.querySelector('[data-end]')).toHaveAttribute('data-end', 'incomplete');
  expect(last.querySelector('.shape')).toHaveClass('degraded');
  expect(screen.getByTestId('backup-problems')).toHaveTextContent(
    /myia-turbo\.env\s*another program holds it/,
  );
});

test('a full target is told with what to do', async () => {
  const { pass } = await opened(['backup-configured', 'backup-full']);
  await click('backup-run');
  await pass(9_000);
  expect(screen.getByTestId('backup-last')).toHaveTextContent('the target is full');
  expect(screen.getByRole('alert')).toHaveTextContent('Make room');
});
