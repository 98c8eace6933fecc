import { SvelteMap, SvelteSet } from 'svelte/reactivity';

import { asErrorInfo } from '../../backend/errors';
import type { ErrorInfo, Job } from '../../backend/types';
import type { App } from '../../state/app.svelte';

/** A job that was answered for is announced within this time, or not at all. */
const ANNOUNCED_MS = 2_000;

/** Starts and ends proofs; what was refused stays until it is dismissed or asked again. */
export class Proofs {
  private readonly refused = new SvelteMap<string, ErrorInfo>();
  private readonly starting = new SvelteSet<string>();
  private readonly app: App;

  constructor(app: App) {
    this.app = app;
  }

  /** The newest proof of a service that runs or ended. */
  job(service: string): Job | undefined {
    return this.app.state?.jobs.find(
      (job) => job.service === service && job.kind.what === 'prove_placement',
    );
  }

  running(service: string): Job | undefined {
    const job = this.job(service);
    return job?.phase === 'running' ? job : undefined;
  }

  /** Asked for and not yet seen to run. */
  isStarting(service: string): boolean {
    return this.starting.has(service);
  }

  /** Why the last one could not begin, could not be cancelled, failed, or was not kept. */
  error(service: string): ErrorInfo | null {
    const refused = this.refused.get(service);
    if (refused) return refused;
    const job = this.job(service);
    const ended = job?.phase === 'failed' || job?.phase === 'succeeded';
    return ended && !this.app.dismissed.has(job.id) ? job.error : null;
  }

  dismiss = (service: string): void => {
    this.refused.delete(service);
    const job = this.job(service);
    if (job && job.phase !== 'running') this.app.dismiss(job.id);
  };

  start = async (service: string): Promise<void> => {
    if (this.starting.has(service) || this.running(service)) return;
    this.starting.add(service);
    this.dismiss(service);
    try {
      const job = await this.app.backend.provePlacement(service);
      await this.announced(job);
    } catch (thrown) {
      this.refused.set(service, asErrorInfo(thrown));
    } finally {
      this.starting.delete(service);
    }
  };

  /** Between the answer and the next snapshot the row must not offer to prove once more. */
  private async announced(job: string): Promise<void> {
    const until = Date.now() + ANNOUNCED_MS;
    while (!this.app.state?.jobs.some((one) => one.id === job) && Date.now() < until) {
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  /** A proof waits its turn by itself: all are asked for at once. */
  startAll = async (services: string[]): Promise<void> => {
    await Promise.all(services.map((service) => this.start(service)));
  };

  cancel = async (service: string): Promise<void> => {
    const job = this.running(service);
    if (!job) return;
    try {
      await this.app.backend.cancel(job.id);
    } catch (thrown) {
      this.refused.set(service, asErrorInfo(thrown));
    }
  };
}

const kept = new WeakMap<App, Proofs>();

/** The same ones on every page: a refusal outlives a look at another page. */
export function proofsOf(app: App): Proofs {
  let proofs = kept.get(app);
  if (!proofs) {
    proofs = new Proofs(app);
    kept.set(app, proofs);
  }
  return proofs;
}
