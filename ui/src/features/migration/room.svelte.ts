import { SvelteMap, SvelteSet } from 'svelte/reactivity';

import type { PlanField } from '../../backend/decisions';
import { asErrorInfo } from '../../backend/errors';
import type {
  MigrationBackend,
  MigrationPlan,
  MigrationStep,
  MigrationView,
  RecordEntry,
} from '../../backend/migration';
import type { ErrorInfo } from '../../backend/types';
import { Task } from '../../shared/task.svelte';
import type { App } from '../../state/app.svelte';

export type Part = 'steps' | 'background' | 'record';

/** How often a work that moves is asked for: not every percent is told by itself. */
export const MOVING_MS = 2_000;

/** What the Migration page holds, also while another page is shown. */
export class MigrationRoom {
  readonly view: Task<MigrationView>;
  readonly background: Task<MigrationPlan>;
  readonly record: Task<RecordEntry[]>;
  /** Steps that are being measured because somebody asked. */
  readonly looking = new SvelteSet<string>();
  /** What went wrong with a step, where it was asked for. */
  readonly failed = new SvelteMap<string, ErrorInfo>();
  readonly opened = new SvelteSet<string>();
  /** What was typed into values of the plan's file and is not written yet. */
  readonly typed = new SvelteMap<PlanField, string>();
  /** The values are shown: which is asked for, and by which step. */
  asked = $state.raw<{ field: PlanField | null; step: string | null } | null>(null);
  /** Everything is being measured. */
  sweeping = $state(false);
  error = $state.raw<ErrorInfo | null>(null);
  part = $state<Part>('steps');
  /** Chosen phase; where nobody chose, that of the next step. */
  private chosen = $state<string | null>(null);
  readonly backend: MigrationBackend;

  constructor(backend: MigrationBackend) {
    this.backend = backend;
    this.view = new Task(() => backend.view());
    this.background = new Task(() => backend.background());
    this.record = new Task(() => backend.record());
  }

  /** Something of it is other now. */
  changed = (): void => {
    void this.view.again();
    if (this.part === 'record') void this.record.again();
  };

  get phase() {
    const phases = this.view.value?.phases ?? [];
    const wanted = phases.find(({ id }) => id === this.chosen);
    const next = this.view.value?.next ?? null;
    return (
      wanted ?? phases.find(({ steps }) => steps.some(({ id }) => id === next)) ?? phases[0] ?? null
    );
  }

  choose(phase: string): void {
    this.chosen = phase;
  }

  stepOf(id: string): MigrationStep | null {
    for (const { steps } of this.view.value?.phases ?? []) {
      const found = steps.find((step) => step.id === id);
      if (found) return found;
    }
    return null;
  }

  /** Something is on its way. */
  get moving(): boolean {
    const phases = this.view.value?.phases ?? [];
    return phases.some(({ steps }) => steps.some(({ doing }) => doing !== null));
  }

  /** Measures a step; what goes wrong is said at the step. */
  async look(step: string): Promise<void> {
    if (this.looking.has(step)) return;
    this.looking.add(step);
    await this.at(step, () => this.backend.check(step));
    this.looking.delete(step);
  }

  async lookAtAll(): Promise<void> {
    if (this.sweeping) return;
    this.sweeping = true;
    this.error = null;
    try {
      await this.backend.checkAll();
    } catch (thrown) {
      this.error = asErrorInfo(thrown);
    }
    await this.view.again();
    this.sweeping = false;
  }

  /** Does something to a step and looks at the plan again; what goes wrong is said at the step. */
  async at(step: string, act: () => Promise<unknown>): Promise<boolean> {
    this.failed.delete(step);
    let done = true;
    try {
      await act();
    } catch (thrown) {
      this.failed.set(step, asErrorInfo(thrown));
      done = false;
    }
    await this.view.again();
    return done;
  }
}

const rooms = new WeakMap<App, { demo: boolean; room: MigrationRoom }>();

/** The room of this window; another keeper, the demo host's, has another. */
export function migrationRoom(app: App): MigrationRoom {
  const demo = app.state?.demo ?? false;
  const known = rooms.get(app);
  if (known?.demo === demo) return known.room;
  const room = new MigrationRoom(app.backend.migration);
  rooms.set(app, { demo, room });
  app.onmigration = room.changed;
  return room;
}
