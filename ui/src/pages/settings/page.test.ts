import { fireEvent, screen, within } from '@testing-library/svelte';
import userEvent from '@testing-library/user-event';
import { expect, test } from 'vitest';

import { open, settled } from '../../test-kit';

test('the language changes at once and what was typed stays', async () => {
  const user = userEvent.setup();
  await open('settings');
  await user.click(screen.getByTestId('service-add'));
  await fireEvent.input(screen.getByTestId('service-form-id'), { target: { value: 'typed' } });
  await user.selectOptions(screen.getByTestId('settings-language'), 'fr');
  await settled();
  expect(screen.getByTestId('nav-overview')).toHaveTextContent('Vue d’ensemble');
  expect(document.documentElement.lang).toBe('fr');
  expect(screen.getByTestId('service-form-id')).toHaveValue('typed');
});

test('the theme is applied and kept', async () => {
  const user = userEvent.setup();
  const { backend } = await open('settings');
  await user.selectOptions(screen.getByTestId('settings-theme'), 'light');
  await settled();
  expect(document.documentElement.dataset['theme']).toBe('light');
  expect((await backend.loadPreferences()).theme).toBe('light');
});

test('a service is checked before it is saved', async () => {
  const user = userEvent.setup();
  const { backend } = await open('settings');
  await user.click(screen.getByTestId('service-add'));
  const put = (name: string, value: string) =>
    fireEvent.input(screen.getByTestId(`service-form-${name}`), { target: { value } });
  await put('id', '../x');
  await put('api', 'localhost:1');
  await user.click(screen.getByTestId('service-form-save'));
  expect(screen.getByText(/Letters, digits/)).toBeInTheDocument();
  expect(screen.getByText(/Begins with http/)).toBeInTheDocument();
  expect(backend.calls.filter((c) => c.startsWith('save'))).toEqual([]);
  await put('id', 'comfy');
  await put('container', 'comfyui-1');
  await put('api', 'http://localhost:8188');
  await put('gpu', '1');
  await user.click(screen.getByTestId('service-form-save'));
  await settled();
  expect(backend.calls.at(-1)).toContain('"declared_gpu":1');
  expect(screen.getByTestId('settings-service-comfy')).toBeInTheDocument();
});

test('removing a service asks first and says that its container stays', async () => {
  const user = userEvent.setup();
  const { backend } = await open('settings');
  const row = screen.getByTestId('settings-service-myia');
  await user.click(within(row).getByRole('button', { name: 'Remove myia' }));
  expect(screen.getByTestId('confirm-dialog')).toHaveTextContent('Its container is not touched');
  expect(backend.calls.filter((c) => c.startsWith('remove'))).toEqual([]);
  await user.click(screen.getByTestId('confirm-ok'));
  await settled();
  expect(backend.calls).toContain('remove myia');
  expect(screen.queryByTestId('settings-service-myia')).toBeNull();
});

test('credentials say where they are kept', async () => {
  const user = userEvent.setup();
  const { backend } = await open('settings', { faults: ['no-keyring'] });
  const row = screen.getByTestId('settings-service-myia-turbo');
  await user.click(within(row).getByRole('button', { name: /Credentials/ }));
  expect(screen.getByTestId('credentials-form')).toHaveTextContent('No keyring is available');
  await fireEvent.input(screen.getByTestId('credentials-user'), { target: { value: 'admin' } });
  await fireEvent.input(screen.getByTestId('credentials-password'), {
    target: { value: 's3cret' },
  });
  await user.click(screen.getByTestId('credentials-save'));
  await settled();
  expect(backend.calls).toContain('credentials myia-turbo');
  expect(screen.getByTestId('settings-service-myia-turbo')).toHaveTextContent('in memory only');
  expect(document.body.innerHTML).not.toContain('s3cret');
});

test('what the demo host refuses is not offered, and it is said why', async () => {
  await open('settings', { faults: ['demo'] });
  expect(screen.getByTestId('service-add')).toBeDisabled();
  expect(screen.getByTestId('service-add')).toHaveAccessibleDescription(/cannot be changed/);
  const row = screen.getByTestId('settings-service-myia');
  expect(within(row).getByRole('button', { name: 'Remove myia' })).toBeDisabled();
});

test('an error in the settings file is shown with place, reason and remedy', async () => {
  await open('settings', { faults: ['settings-error'] });
  const note = screen.getByTestId('settings-problem');
  for (const words of ['Line 12', 'unknown kind', 'use `forge` or `comfyui`', 'stay in force']) {
    expect(note).toHaveTextContent(words);
  }
});
