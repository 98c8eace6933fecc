import { SvelteSet } from 'svelte/reactivity';

import type { Backend } from '../../backend/backend';
import { asErrorInfo } from '../../backend/errors';
import type { ErrorInfo, GenerationRequest, KeeperState } from '../../backend/types';
import type { App } from '../../state/app.svelte';

/** A request that waits in this window until its service is free. */
export interface Waiting {
  id: number;
  service: string;
  request: GenerationRequest;
  /** The workflow of one's own that the request is put into. */
  workflow: string | null;
  /** Those of one turn go one after the other, whichever services they are for. */
  turn: number | null;
  /** Sent even when the memory of the card may not suffice: a person said so. */
  force: boolean;
  /** Why it could not be sent; it waits for a person then. */
  error: ErrorInfo | null;
}

/** So many may wait; more would be a slip of the hand. */
export const MOST_WAITING = 40;
/** A job that was begun and is not announced within this time ended unseen. */
const UNSEEN_MS = 8_000;

/** What was asked of services and waits; it goes on while another page is shown. */
export class Queue {
  waiting = $state.raw<readonly Waiting[]>([]);
  /** Jobs that the last request to one or several services became. */
  round = $state.raw<readonly string[]>([]);
  /** Jobs begun here whose failure was not put away. */
  readonly asked = new SvelteSet<string>();

  private readonly backend: Pick<Backend, 'generate'>;
  private state: KeeperState | null = null;
  private count = 0;
  private turns = 0;
  /** Jobs that were begun and are not announced yet; without an id until the keeper gave one. */
  private begun: readonly { service: string; job: string | null; at: number }[] = [];
  private turnOf: readonly { job: string; turn: number }[] = [];

  constructor(backend: Pick<Backend, 'generate'>) {
    this.backend = backend;
  }

  /** Sends a request to services, or lets it wait for those that are at work. */
  ask(
    services: readonly string[],
    request: GenerationRequest,
    inTurn: boolean,
    workflowOf: (service: string) => string | null = () => null,
  ): Promise<void> {
    const turn = inTurn && services.length > 1 ? ++this.turns : null;
    this.round = [];
    const more = services.slice(0, MOST_WAITING - this.waiting.length).map((service) => {
      const workflow = workflowOf(service);
      return { id: ++this.count, service, request, workflow, turn, force: false, error: null };
    });
    this.waiting = [...this.waiting, ...more];
    return this.pump();
  }

  remove(id: number) {
    this.waiting = this.waiting.filter((one) => one.id !== id);
    void this.pump();
  }

  clear() {
    this.waiting = [];
  }

  again(id: number, force = false) {
    this.change(id, { error: null, force });
    void this.pump();
  }

  follow(state: KeeperState) {
    this.state = state;
    this.begun = this.begun.filter(
      ({ job, at }) =>
        job === null || (state.jobs.every((one) => one.id !== job) && Date.now() - at < UNSEEN_MS),
    );
    void this.pump();
  }

  private change(id: number, change: Partial<Waiting>) {
    this.waiting = this.waiting.map((one) => (one.id === id ? { ...one, ...change } : one));
  }

  private get running() {
    return this.state?.jobs.filter((job) => job.phase === 'running') ?? [];
  }

  private free(one: Waiting): boolean {
    if (one.error !== null) return false;
    if (this.begun.some(({ service }) => service === one.service)) return false;
    if (this.running.some((job) => job.service === one.service)) return false;
    const before = this.waiting.slice(0, this.waiting.indexOf(one));
    if (before.some((other) => other.service === one.service && other.error === null)) return false;
    if (one.turn === null) return true;
    if (before.some((other) => other.turn === one.turn && other.error === null)) return false;
    const same = this.turnOf.filter(({ turn }) => turn === one.turn).map(({ job }) => job);
    const unseen = this.begun.some(({ job }) => job === null || same.includes(job));
    return !unseen && !this.running.some((job) => same.includes(job.id));
  }

  /** Begins whatever may begin now. */
  private async pump(): Promise<void> {
    const next = this.waiting.find((one) => this.free(one));
    if (!next) return;
    const place = this.waiting.indexOf(next);
    this.begun = [...this.begun, { service: next.service, job: null, at: Date.now() }];
    this.waiting = this.waiting.filter((one) => one !== next);
    const begun = this.begin(next, place);
    await Promise.all([begun, this.pump()]);
  }

  private settle(service: string, job: string | null) {
    const rest = this.begun.filter((one) => one.service !== service);
    this.begun = job === null ? rest : [...rest, { service, job, at: Date.now() }];
  }

  private async begin(next: Waiting, place: number) {
    try {
      const { service, request, workflow, force } = next;
      const job = await this.backend.generate(service, request, workflow, force);
      if (next.turn !== null) this.turnOf = [...this.turnOf, { job, turn: next.turn }];
      this.asked.add(job);
      this.round = [...this.round, job];
      const seen = this.state?.jobs.some((one) => one.id === job) ?? false;
      this.settle(next.service, seen ? null : job);
    } catch (thrown) {
      this.settle(next.service, null);
      // Back to where it was, in sight: it is for a person to try again or to give up.
      const failed = { ...next, error: asErrorInfo(thrown) };
      this.waiting = this.waiting.toSpliced(place, 0, failed);
      await this.pump();
    }
  }
}

/** The queue of a window: made when it is first needed, and kept beside the page from then on. */
export function queueOf(app: App): Queue {
  if (app.bench.queue instanceof Queue) return app.bench.queue;
  const made = new Queue(app.backend);
  app.bench.queue = made;
  if (app.state) made.follow(app.state);
  return made;
}
