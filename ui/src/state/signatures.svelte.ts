import type { Backend } from '../backend/backend';
import type { LogLine, Signature } from '../backend/types';
import { Task } from '../shared/task.svelte';

/** What the ids of messages mean: asked once, and once more for an id that nobody knows. */
export class Signatures {
  private readonly task: Task<Signature[]>;
  private missed: string[] = [];
  private version: number | null = null;

  constructor(backend: Backend) {
    this.task = new Task(() => backend.signatures());
  }

  get error() {
    return this.task.error;
  }

  /** Whether what is not known now may be known soon. */
  get waiting() {
    return this.task.busy && this.task.value === null;
  }

  find = (id: string): Signature | undefined => this.task.value?.find((one) => one.id === id);

  of = (line: LogLine): Signature | null =>
    line.signature === null ? null : (this.find(line.signature) ?? null);

  /** Asks when nothing was asked yet. */
  load(): void {
    if (this.task.value === null && !this.task.busy) this.again();
  }

  again = (): void => void this.task.again();

  /** Other rules are in force: what was asked is asked again. */
  follow(version: number): void {
    const old = this.version !== null && this.version !== version;
    this.version = version;
    if (!old) return;
    this.missed = [];
    if (this.task.value !== null || this.task.busy) this.again();
  }

  /** Asks for what is not known yet; rules may be added while the window is open. */
  want(ids: readonly string[]): void {
    const fresh = ids.filter((id) => !this.find(id) && !this.missed.includes(id));
    if (fresh.length === 0) return;
    this.missed = [...this.missed, ...fresh];
    this.again();
  }
}

const kept = new WeakMap<Backend, { demo: boolean; signatures: Signatures }>();

/** One for every page; the demo host has a keeper of its own. */
export function signaturesOf(backend: Backend, demo: boolean): Signatures {
  const known = kept.get(backend);
  if (known?.demo === demo) return known.signatures;
  const signatures = new Signatures(backend);
  kept.set(backend, { demo, signatures });
  return signatures;
}
