import '@testing-library/jest-dom/vitest';

import { cleanup } from '@testing-library/svelte';
import { afterEach, vi } from 'vitest';

import { language } from './shared/i18n.svelte';

// Both languages are loaded before any test runs: one is then in use as soon as it is chosen.
await language.whole();
await language.use('fr');
await language.use('en');

afterEach(() => cleanup());

// jsdom lays nothing out: the virtual list is told of a viewport, menus of a pointer.
class Observer implements ResizeObserver {
  private readonly tell: ResizeObserverCallback;
  constructor(tell: ResizeObserverCallback) {
    this.tell = tell;
  }
  observe(target: Element) {
    const entry = { target, contentRect: { width: 800, height: 600 } } as ResizeObserverEntry;
    queueMicrotask(() => this.tell([entry], this));
  }
  unobserve() {}
  disconnect() {}
}
vi.stubGlobal('ResizeObserver', Observer);
vi.stubGlobal('matchMedia', (query: string) => ({
  matches: false,
  media: query,
  addEventListener() {},
  removeEventListener() {},
}));
Object.defineProperty(HTMLElement.prototype, 'offsetParent', { get: () => document.body });
Element.prototype.scrollIntoView = () => undefined;
Element.prototype.scrollTo = () => undefined;
Element.prototype.hasPointerCapture = () => false;

// Its files cannot be read at once.
Blob.prototype.arrayBuffer = function () {
  return new Promise((resolve) => {
    const reader = new FileReader();
    reader.onload = () => resolve(reader.result as ArrayBuffer);
    reader.readAsArrayBuffer(this);
  });
};

// Nor does it draw: what a chart draws on answers everything with nothing.
const pen: unknown = new Proxy(
  {},
  {
    get: (_target, name) =>
      name === 'canvas' ? document.createElement('canvas') : () => ({ width: 10 }),
    set: () => true,
  },
);
HTMLCanvasElement.prototype.getContext = (() => pen) as never;
HTMLCanvasElement.prototype.toDataURL = () => 'data:image/png;base64,AAAA';
vi.stubGlobal(
  'Path2D',
  class {
    moveTo() {}
    lineTo() {}
    rect() {}
    arc() {}
    closePath() {}
    addPath() {}
  },
);
