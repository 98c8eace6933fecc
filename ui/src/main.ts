import './app.css';

import { mount } from 'svelte';

import type { Backend } from './backend/backend';
import Frame from './pages/Frame.svelte';
import { App } from './state/app.svelte';

async function chooseBackend(): Promise<Backend> {
  if (__FAKE__) {
    const { FakeBackend, FAULTS } = await import('./backend/fake');
    const asked = new URLSearchParams(location.search);
    const names = (asked.get('fault') ?? '').split(',');
    const fake = new FakeBackend({
      faults: FAULTS.filter((fault) => names.includes(fault)),
      lines: Number(asked.get('lines') ?? 400),
      storage: localStorage,
    });
    fake.run();
    return fake;
  }
  const { tauriBackend } = await import('./backend/tauri');
  return tauriBackend();
}

async function start(target: HTMLElement) {
  const app = new App(await chooseBackend());
  // Applied first, so that nothing is painted in the wrong theme or language.
  app.applyPreferences();
  await app.loadPreferences();
  matchMedia('(prefers-color-scheme: light)').addEventListener('change', () =>
    app.applyPreferences(),
  );
  mount(Frame, { target, props: { app } });
}

const target = document.getElementById('app');
if (target) void start(target);
