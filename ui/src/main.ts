import './app.css';

import { mount } from 'svelte';

import type { Backend } from './backend/backend';
import { tauriBackend } from './backend/tauri';
import Frame from './pages/Frame.svelte';
import { language } from './shared/i18n.svelte';
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

/** A keeper that takes longer is waited for in sight. */
const FIRST_ANSWER_MS = 300;

async function open(backend: Backend, target: HTMLElement) {
  const app = new App(backend);
  // Of the language that the shell told of before the page ran.
  const words = language.ready.catch(() => undefined);
  app.start();
  void app.loadPreferences();
  // WebKit holds a second frame back for half a second while a page loads: the first one should
  // show data already.
  await Promise.race([
    app.answered,
    new Promise((resolve) => setTimeout(resolve, FIRST_ANSWER_MS)),
  ]);
  await words;
  mount(Frame, { target, props: { app } });
}

const target = document.getElementById('app');
if (target) {
  if (__FAKE__) void fakeBackend().then((fake) => open(fake, target));
  else void open(tauriBackend(), target);
}
