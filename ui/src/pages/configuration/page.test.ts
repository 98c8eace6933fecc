import { fireEvent, screen, within } from '@testing-library/svelte';
import userEvent from '@testing-library/user-event';
import { expect, test, vi } from 'vitest';

import type { Fault } from '../../backend/fake';
import { open, settled } from '../../test-kit';

async function page(...faults: Fault[]) {
  const user = userEvent.setup();
  const view = await open('configuration', { faults });
  await user.click(screen.getByTestId('config-service-myia'));
  await settled();
  await settled();
  return { user, ...view };
}
const entries = () => screen.getAllByTestId('snapshot-entry');
const entry = (place: number) => entries()[place] as HTMLElement;

test('each snapshot says when and why, what it is worth, what changed and by whom', async () => {
  await page();
  expect(entries()).toHaveLength(7);
  expect(entry(0)).toHaveAttribute('aria-selected', 'true');
  expect(entry(0)).toHaveTextContent('on demand');
  expect(entry(0)).toHaveTextContent('reset after unreadable settings');
  expect(entry(1)).toHaveTextContent('2 parts could not be read');
  expect(entry(1)).toHaveTextContent('not known: config.json, API options');
  expect(entry(2)).toHaveTextContent('before docker restart myia-supervisor-1');
  expect(entry(2)).toHaveTextContent('2 changes');
  expect(entry(2)).toHaveTextContent('sd_model_checkpoint');
  expect(entry(2)).toHaveTextContent('probably by a request to the API');
  expect(entry(3)).toHaveTextContent('nothing changed');
  expect(entry(6)).toHaveTextContent('the first one');
  expect(entry(6)).toHaveTextContent('kept for good');
});

test('a drift shows old and new by part, with its cause and what tells it', async () => {
  const { user } = await page();
  await user.click(entry(2));
  await settled();
  const options = screen.getByTestId('drift-forge_config');
  const rows = within(options).getAllByTestId('drift-change');
  expect(rows).toHaveLength(2);
  expect(options).toHaveTextContent('POST /sdapi/v1/options');
  expect(within(options).getByTestId('drift-origin')).toHaveAttribute('data-by', 'api_call');
  const model = rows.find((row) => row.textContent.includes('sd_model_checkpoint'));
  expect(model).toHaveTextContent(/Before:.*realisticVision.*After:.*null/);
  expect(screen.getByTestId('drift-summary')).toHaveTextContent('2 changes in 2 parts');
});

test('what was not read is unknown, and never looks unchanged', async () => {
  const { user } = await page();
  await user.click(entry(1));
  await settled();
  const config = screen.getByTestId('drift-forge_config');
  expect(config).toHaveAttribute('data-finding', 'not_read');
  expect(config).toHaveTextContent('not known: not in the newer snapshot (not read in time)');
  expect(screen.getByTestId('drift-summary')).toHaveTextContent('2 parts not known');
  expect(screen.getByTestId('drift-summary')).not.toHaveTextContent('Nothing changed');
});

test('it is compared with the last good one, or with any other', async () => {
  const { user } = await page();
  const base = screen.getByTestId('drift-base');
  await user.selectOptions(base, 'good');
  await settled();
  expect(screen.getByTestId('drift-forge_config')).toHaveTextContent('sd_model_checkpoint');
  await user.selectOptions(base, entry(6).dataset['id'] ?? '');
  await settled();
  const compose = screen.getByTestId('drift-compose');
  const lines = within(compose).getAllByTestId('diff-line');
  expect(lines.map((line) => line.textContent).join('\n')).toMatch(
    /After:.*CUDA_VISIBLE_DEVICES=1/,
  );
  expect(screen.queryByTestId('drift-forge_styles')).toBeNull();
});

test('causes and words narrow a drift down', async () => {
  const { user } = await page();
  await user.click(entry(4));
  await settled();
  expect(screen.getByTestId('drift-compose')).toBeInTheDocument();
  await user.selectOptions(screen.getByTestId('drift-cause'), 'updated');
  await settled();
  expect(screen.queryByTestId('drift-compose')).toBeNull();
  expect(screen.getByTestId('drift-forge_extensions')).toBeInTheDocument();
  await fireEvent.input(screen.getByTestId('drift-find'), { target: { value: 'no such key' } });
  expect(screen.getByTestId('drift-no-match')).toBeInTheDocument();
});

test('a long value is cut and shown in full when asked for', async () => {
  const { user } = await page();
  await user.click(entry(4));
  await settled();
  const values = screen.getByTestId('drift-forge_ui_config');
  expect(values.textContent.length).toBeLessThan(600);
  await user.click(within(values).getByRole('button', { name: 'Show all' }));
  expect(values).toHaveTextContent('a '.repeat(240).trim());
});

test('a snapshot is taken, said aloud, chosen, and shows that nothing changed', async () => {
  const { user, app, backend } = await page();
  await user.click(entry(3));
  await user.click(screen.getByTestId('snapshot-take'));
  await settled();
  expect(backend.calls).toContain('snapshot myia');
  expect(entries()).toHaveLength(8);
  expect(entry(0)).toHaveAttribute('aria-selected', 'true');
  expect(app.announcement).toBe('Snapshot of myia taken.');
  expect(screen.getByTestId('drift-summary')).toHaveTextContent('Nothing changed');
});

test('while one is taken the button waits, and a failure can be tried again', async () => {
  const { user, backend } = await page();
  const guard = await backend.guard();
  let reject: (why: unknown) => void = () => undefined;
  const waiting = new Promise<never>((_resolve, refuse) => (reject = refuse));
  vi.spyOn(guard, 'take').mockReturnValueOnce(waiting);
  await user.click(screen.getByTestId('snapshot-take'));
  expect(screen.getByTestId('snapshot-take')).toBeDisabled();
  expect(screen.getByTestId('snapshot-taking')).toHaveTextContent('Taking a snapshot');
  reject({ code: 'disk_full', message: 'no room' });
  await settled();
  expect(screen.getByRole('alert')).toHaveAttribute('data-code', 'disk_full');
  await user.click(screen.getByRole('button', { name: 'Try again' }));
  await settled();
  expect(screen.queryByRole('alert')).toBeNull();
  expect(entries()).toHaveLength(8);
});

test('one that somebody else takes appears by itself, and an older choice stays', async () => {
  const { user, backend } = await page();
  await user.click(entry(3));
  const chosen = entry(3).dataset['id'];
  await (await backend.guard()).take('myia');
  await settled();
  expect(entries()).toHaveLength(8);
  expect(entry(4).dataset['id']).toBe(chosen);
  expect(entry(4)).toHaveAttribute('aria-selected', 'true');
});

test('without any snapshot the first one is offered', async () => {
  const { user } = await page('config-none');
  expect(screen.getByTestId('config-empty')).toHaveTextContent('no snapshot of myia yet');
  await user.click(screen.getByRole('button', { name: 'Take the first snapshot' }));
  await settled();
  expect(entries()).toHaveLength(1);
  expect(screen.getByTestId('drift-none')).toHaveTextContent('oldest snapshot');
});

test('without a service the page leads to the settings', async () => {
  const { app } = await open('configuration', { faults: ['first-start'] });
  const card = screen.getByTestId('config-no-service');
  await userEvent.click(within(card).getByRole('button'));
  expect(app.page).toBe('settings');
});

test('what it holds is listed with its state, and shown without secrets', async () => {
  const { user } = await page('no-keyring');
  await user.click(entry(1));
  await user.click(screen.getByTestId('tab-parts'));
  await settled();
  const parts = screen.getByTestId('snapshot-parts');
  const of = (part: string) => parts.querySelector(`[data-part="${part}"]`) as HTMLElement;
  expect(of('compose')).toHaveTextContent('held in memory until Forgekeeper ends');
  expect(of('forge_config')).toHaveTextContent('not read in time');
  expect(of('forge_config')).toHaveTextContent('not read within 4 s');
  expect(of('forge_config_moved')).toHaveTextContent('not there');
  expect(of('env_file')).toHaveTextContent('nothing names such a file');
  await user.click(within(of('compose')).getByRole('button', { name: 'Look at Compose file' }));
  await settled();
  const dialog = screen.getByTestId('part-dialog');
  expect(dialog).toHaveTextContent('Secrets are masked.');
  expect(within(dialog).getByTestId('part-text')).toHaveTextContent('WEB_PASSWORD=***');
});

test('a verification names the part that is not as it was kept', async () => {
  const { user } = await page('config-bytes-lost');
  await user.click(screen.getByTestId('snapshot-verify'));
  await settled();
  expect(screen.getByTestId('snapshot-checked')).toHaveTextContent('1 part is not as it was kept');
  const parts = screen.getByTestId('snapshot-parts');
  expect(parts.querySelector('[data-part="forge_styles"]')).toHaveTextContent('damaged');
  await user.click(entry(3));
  expect(screen.queryByTestId('snapshot-checked')).toBeNull();
});

test('it is kept for good, and removed only after a second thought', async () => {
  const { user, backend } = await page();
  await user.click(screen.getByTestId('snapshot-menu'));
  await settled();
  await user.click(screen.getByTestId('snapshot-menu-pin'));
  await settled();
  expect(entry(0)).toHaveTextContent('kept for good');
  await user.click(screen.getByTestId('snapshot-menu'));
  await settled();
  await user.click(screen.getByTestId('snapshot-menu-remove'));
  await settled();
  const dialog = screen.getByTestId('snapshot-remove');
  expect(dialog).toHaveTextContent('It is a good one');
  await user.click(screen.getByTestId('snapshot-remove-yes'));
  await settled();
  expect(backend.calls).toEqual(expect.arrayContaining(['pin true', 'snapshot removed']));
  expect(entries()).toHaveLength(6);
});

test('damaged ones are said to be nobody’s, and go one by one', async () => {
  const { user } = await page('config-damaged');
  const damaged = screen.getByTestId('snapshot-damaged');
  expect(damaged).toHaveTextContent('1 damaged snapshot');
  await user.click(within(damaged).getByRole('button'));
  await settled();
  await user.click(screen.getByTestId('snapshot-remove-yes'));
  await settled();
  expect(screen.queryByTestId('snapshot-damaged')).toBeNull();
});

test('the list goes on page by page, and leaves out what did not change', async () => {
  const { user } = await page('config-many');
  expect(screen.getByTestId('snapshot-count')).toHaveTextContent('67 snapshots');
  expect(entries()).toHaveLength(25);
  await user.click(screen.getByTestId('snapshot-older'));
  await settled();
  expect(entries()).toHaveLength(50);
  await settled();
  await settled();
  await user.click(screen.getByTestId('snapshot-changed-only'));
  await settled();
  expect(entries().length).toBeLessThan(12);
});

test('arrows, Home and End go through the list', async () => {
  const { user } = await page();
  Element.prototype.scrollIntoView = vi.fn();
  screen.getByTestId('snapshot-list').focus();
  await user.keyboard('{ArrowDown}{ArrowDown}');
  expect(entry(2)).toHaveAttribute('aria-selected', 'true');
  await user.keyboard('{End}');
  expect(entry(6)).toHaveAttribute('aria-selected', 'true');
  await user.keyboard('{ArrowUp}{Home}');
  expect(entry(0)).toHaveAttribute('aria-selected', 'true');
  const list = screen.getByTestId('snapshot-list');
  expect(list).toHaveAttribute('aria-activedescendant', entry(0).id);
});

test('snapshots that cannot be listed say why', async () => {
  await page('config-fails');
  expect(screen.getByRole('alert')).toHaveAttribute('data-code', 'io');
  expect(screen.queryByTestId('snapshot-list')).toBeNull();
});

test('what comes from outside stays text', async () => {
  const { user, container } = await page('config-hostile');
  await user.click(entry(4));
  await settled();
  const values = screen.getByTestId('drift-forge_ui_config');
  expect(values).toHaveTextContent('<img src=x onerror=alert(1)>');
  expect(values).toHaveTextContent('\\u{202e}');
  expect(values.textContent).not.toMatch(/[\p{Cc}\p{Cf}]/u);
  expect(container.querySelector('article img, article script, article b')).toBeNull();
});
