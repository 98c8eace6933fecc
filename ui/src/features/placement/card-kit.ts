import { render } from '@testing-library/svelte';
import type { Component } from 'svelte';

import type { Backend } from '../../backend/backend';
import type { HostState, KeeperState, ServiceState } from '../../backend/types';
import { language } from '../../shared/i18n.svelte';
import { App, provideApp } from '../../state/app.svelte';
import { settled } from '../../test-kit';
import { evidenceDialog, remedyDialog } from './dialogs';
import PlacementCard from './PlacementCard.svelte';

// For tests. Loaded before any runs, so that a dialog appears within a few turns of the event loop.
await Promise.all([evidenceDialog(), remedyDialog()]);

/** The card alone, over a keeper; what that says may be changed before it is shown. */
export async function show<Fake extends Backend & { advance(ms: number): void }>(
  backend: Fake,
  change: (state: KeeperState) => void = () => {},
) {
  language.use('en');
  const app = new App(backend);
  const seen = async () => {
    const state = structuredClone(await backend.state());
    change(state);
    app.state = state;
    await settled();
  };
  await seen();
  const Host = ((anchor: Comment, props: { host: HostState; services: ServiceState[] }) => {
    provideApp(app);
    return PlacementCard(anchor as never, props);
  }) as unknown as Component<{ host: HostState; services: ServiceState[] }>;
  const props = {
    get host() {
      const host = app.state?.hosts[0];
      if (!host) throw new Error('no host');
      return host;
    },
    get services() {
      return app.state?.services ?? [];
    },
  };
  render(Host, { props, context: new Map() });
  await settled();
  return {
    app,
    backend,
    /** Lets the fake's time pass and the card follow. */
    async pass(ms: number) {
      for (let gone = 0; gone < ms; gone += 250) backend.advance(250);
      await seen();
    },
    seen,
  };
}

export const serviceOf = (state: KeeperState, id: string): ServiceState => {
  const service = state.services.find((one) => one.id === id);
  if (!service) throw new Error(`no ${id}`);
  return service;
};
