import type { Component } from 'svelte';

import { language } from '../shared/i18n.svelte';
import type { MessageKey } from '../shared/i18n.svelte';
import type { PageId } from '../state/app.svelte';
import Overview from './overview/Page.svelte';

export interface PageEntry {
  id: PageId;
  title: MessageKey;
  /** Path of a 16×16 outline icon. */
  icon: string;
  /** The page, when it is there from the start. */
  page?: Component;
  load: () => Promise<{ default: Component }>;
}

/** Every page there is, in the order of the navigation. */
export const PAGES: readonly PageEntry[] = [
  {
    id: 'overview',
    title: 'nav.overview',
    icon: 'M2 13V7m4 6V3m4 10V9m4 4V5',
    page: Overview,
    load: () => Promise.resolve({ default: Overview }),
  },
  {
    id: 'gpus',
    title: 'nav.gpus',
    icon: 'M1.5 4.5h13v7h-13zM4 11.5v2m3-2v2m3-2v2M5 8a1.5 1.5 0 103 0 1.5 1.5 0 10-3 0M10.5 7v2',
    load: () => import('./gpus/Page.svelte'),
  },
  {
    id: 'logs',
    title: 'nav.logs',
    icon: 'M2.5 4h11M2.5 8h11M2.5 12h7',
    load: () => import('./logs/Page.svelte'),
  },
  {
    id: 'bench',
    title: 'nav.bench',
    icon: 'M2.5 3h11v10h-11zM2.5 10.5l3-3 3 3 2-2 3 3',
    load: async () => {
      const [page] = await Promise.all([import('./bench/Page.svelte'), language.whole()]);
      return page;
    },
  },
  {
    id: 'migration',
    title: 'nav.migration',
    icon: 'M2 4.5h5.5M2 11.5h5.5M9 8h5m-2-2l2 2-2 2M9 4.5L11 8l-2 3.5',
    load: async () => {
      const [page] = await Promise.all([import('./migration/Page.svelte'), language.whole()]);
      return page;
    },
  },
  {
    id: 'configuration',
    title: 'nav.configuration',
    icon: 'M8 1.5l5.5 2v4c0 3.5-2.3 5.9-5.5 7-3.2-1.1-5.5-3.5-5.5-7v-4zM5.5 8l2 2 3-3.5',
    load: async () => {
      const [page] = await Promise.all([import('./configuration/Page.svelte'), language.whole()]);
      return page;
    },
  },
  {
    id: 'settings',
    title: 'nav.settings',
    icon: 'M2 5h6m4 0h2M10 3v4M2 11h2m4 0h6M6 9v4',
    load: () => import('./settings/Page.svelte'),
  },
];

/** The command palette, loaded when it is first asked for. */
export const loadPalette = () => import('./Palette.svelte');
