import './app.css';

import { mount } from 'svelte';

import type { Backend } from './backend/backend';
import { tauriBackend } from './backend/tauri';
import Frame from './pages/Frame.svelte';
import { App } from './state/app.svelte';

async function fakeBackend(): Promise<Backend> {
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

function open(backend: Backend, target: HTMLElement) {
  // Asked before anything is drawn: the answers come while the page is built.
  const app = new App(backend);
  app.start();
  void app.loadPreferences();
  mount(Frame, { target, props: { app } });
}

const target = document.getElementById('app');
if (target) {
  if (__FAKE__) void fakeBackend().then((fake) => open(fake, target));
  else open(tauriBackend(), target);
}
