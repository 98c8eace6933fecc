import { SvelteMap } from 'svelte/reactivity';

import { asErrorInfo } from '../../backend/errors';
import type { Guard } from '../../backend/guard';
import type {
  DrillReport,
  RestoreScope,
  RestoreTrace,
  RestoreView,
} from '../../backend/restore-types';
import type { ErrorInfo, Job } from '../../backend/types';
import { Task } from '../../shared/task.svelte';

/** A snapshot that something may be put back from. */
export interface Source {
  id: string;
  at: string;
}

/** What is asked for. */
export type Order =
  | { what: 'restore'; service: string; scope: RestoreScope; sources: readonly Source[] }
  | { what: 'undo'; service: string };

/** One restore: shown first, then done, and followed to its end. */
export class Restoring {
  /** The snapshot it is taken from; an undo knows its own. */
  from = $state.raw<string | null>(null);
  /** The job that does it, once it was begun. */
  job = $state.raw<string | null>(null);
  /** When its plan was asked for. */
  asked = $state(0);
  readonly plan: Task<RestoreView>;
  readonly begin: Task<string>;
  readonly order: Order;
  /** The job as it was last seen: what has ended is let go some time later. */
  private seen: Job | null = null;

  constructor(guard: () => Promise<Guard>, order: Order) {
    this.order = order;
    if (order.what === 'restore') this.from = order.sources[0]?.id ?? null;
    this.plan = new Task(async () => {
      const of = await guard();
      return order.what === 'undo'
        ? of.undoPlan(order.service)
        : of.restorePlan(this.from ?? '', order.scope);
    });
    this.begin = new Task(async () => {
      const view = this.plan.value;
      if (!view) throw new Error('nothing was shown yet');
      const force = view.refusals.includes('generation_running');
      const of = await guard();
      return order.what === 'undo'
        ? of.undo(order.service, view.token, force)
        : of.restore(view.snapshot, order.scope, view.token, force);
    });
  }

  /** Asks what it would do, whatever was shown before. */
  look = async (): Promise<void> => {
    this.job = null;
    this.seen = null;
    this.begin.dismiss();
    this.plan.value = null;
    this.plan.error = null;
    this.asked = Date.now();
    await this.plan.again();
  };

  choose = (from: string): void => {
    if (from === this.from) return;
    this.from = from;
    void this.look();
  };

  /** Does what is shown. */
  run = async (): Promise<void> => {
    if (this.begin.busy || this.job !== null) return;
    this.begin.dismiss();
    this.job = await this.begin.again();
  };

  /** Its job among those that are known; as it was last seen where it is let go. */
  follow(jobs: readonly Job[]): Job | null {
    const found = jobs.find(({ id }) => id === this.job);
    if (found) this.seen = found;
    return found ?? this.seen;
  }
}

/** Restores and drills of the services, as the page sees them. */
export class RestoreDesk {
  /** What the dialog is open for. */
  open = $state.raw<Restoring | null>(null);
  /** Services of which a drill is being made, and since when. */
  readonly drilling = new SvelteMap<string, number>();
  readonly failed = new SvelteMap<string, ErrorInfo>();
  private readonly traces: Record<string, Task<RestoreTrace>> = {};
  private readonly guard: () => Promise<Guard>;

  constructor(guard: () => Promise<Guard>) {
    this.guard = guard;
  }

  /** Opens the dialog, which first asks for a plan. */
  ask = (order: Order): void => {
    this.open = new Restoring(this.guard, order);
    void this.open.look();
  };

  close = (): void => {
    this.open = null;
  };

  /** What restores and drills of a service left. */
  traceOf(service: string): Task<RestoreTrace> {
    return (this.traces[service] ??= new Task(async () => (await this.guard()).trace(service)));
  }

  /** Makes a drill; `null` when it could not be made. */
  async drill(service: string): Promise<DrillReport | null> {
    if (this.drilling.has(service)) return null;
    this.drilling.set(service, Date.now());
    this.failed.delete(service);
    try {
      return await (await this.guard()).drill(service);
    } catch (thrown) {
      this.failed.set(service, asErrorInfo(thrown));
      return null;
    } finally {
      this.drilling.delete(service);
      void this.traceOf(service).again();
    }
  }
}
