import { asErrorInfo } from '../../backend/errors';
import type { Action, ActionPlan, ErrorInfo, Refusal } from '../../backend/types';
import type { App } from '../../state/app.svelte';

export const ACTIONS = {
  container: { verb: 'restart', target: 'container' },
  program: { verb: 'restart', target: 'program' },
  stop: { verb: 'stop' },
  start: { verb: 'start' },
} as const satisfies Record<string, Action>;
export type ActionId = keyof typeof ACTIONS;

/** Only the loss of running work may be accepted; every other refusal stands. */
const FORCEABLE: readonly Refusal[] = ['generation_running'];
export const refusedForGood = (plan: ActionPlan): Refusal | undefined =>
  plan.refusals.find((refusal) => !FORCEABLE.includes(refusal));

/** Plans and runs the actions of one service; asks first where something would be lost. */
export class ServiceActions {
  plans = $state.raw<Partial<Record<ActionId, ActionPlan>>>({});
  error = $state.raw<ErrorInfo | null>(null);
  /** Why nothing was done, when that is the error. */
  refusal = $state.raw<Refusal | null>(null);
  /** A plan that waits for a yes. */
  asking = $state.raw<{ id: ActionId; plan: ActionPlan } | null>(null);
  /** Whom it acts on; it never changes: a yes that was asked for one must not hit another. */
  readonly service: string;
  busy = $state(false);
  private readonly app: App;

  constructor(app: App, service: string) {
    this.app = app;
    this.service = service;
  }

  /** Asks what an action would run, for tooltips; showing it changes nothing. */
  preview = async (ids: ActionId[]): Promise<void> => {
    try {
      const plans = await Promise.all(
        ids.map(
          async (id) => [id, await this.app.backend.plan(this.service, ACTIONS[id])] as const,
        ),
      );
      this.plans = { ...this.plans, ...Object.fromEntries(plans) };
    } catch {
      // A tooltip that cannot be filled is no failure of anything: the action says what is wrong.
    }
  };

  /** Runs an action, or asks first when it stops the service, loses work or may lose some. */
  request = async (id: ActionId): Promise<void> => {
    if (this.busy) return;
    this.busy = true;
    this.error = null;
    this.refusal = null;
    try {
      const plan = await this.app.backend.plan(this.service, ACTIONS[id]);
      this.plans = { ...this.plans, [id]: plan };
      const asks =
        id === 'stop' || !plan.interrupts_known || plan.refusals.includes('generation_running');
      if (asks && refusedForGood(plan) === undefined) this.asking = { id, plan };
      else await this.run(id, plan, false);
    } catch (thrown) {
      this.error = asErrorInfo(thrown);
    } finally {
      this.busy = false;
    }
  };

  confirm = async (): Promise<void> => {
    const asked = this.asking;
    if (!asked) return;
    this.asking = null;
    await this.run(asked.id, asked.plan, asked.plan.refusals.length > 0);
  };

  private async run(id: ActionId, plan: ActionPlan, force: boolean): Promise<void> {
    try {
      await this.app.backend.act(this.service, ACTIONS[id], force);
    } catch (thrown) {
      this.error = asErrorInfo(thrown);
      if (this.error.code === 'refused') this.refusal = refusedForGood(plan) ?? null;
    }
  }
}
