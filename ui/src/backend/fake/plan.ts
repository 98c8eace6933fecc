import type { Action, ActionPlan, Refusal } from '../types';
import type { Fault, FakeService } from './site';

/** What an action would run, undo and lose, and why it is refused. */
export function plan(service: FakeService, action: Action, faults: ReadonlySet<Fault>): ActionPlan {
  const name = service.settings.container;
  const refusals: Refusal[] = [];
  if (faults.has('engine-refused')) refusals.push('engine_not_answering');
  else if (action.verb === 'start' && service.running) refusals.push('already_running');
  else if (action.verb === 'stop' && !service.running) refusals.push('already_stopped');
  const program = action.verb === 'restart' && action.target === 'program';
  if (program && service.settings.kind === 'comfyui') refusals.push('no_program');
  if (service.acting) refusals.push('already_acting');
  if (service.generating && action.verb !== 'start') refusals.push('generation_running');
  const start = `docker start ${name}`;
  const stop = `docker stop --time 30 ${name}`;
  const restart = program
    ? `docker exec ${name} supervisorctl restart forge`
    : `docker restart --time 30 ${name}`;
  return {
    action,
    runs: [{ start, stop, restart }[action.verb]],
    undo: action.verb === 'start' ? [stop] : action.verb === 'stop' ? [start] : [],
    interrupts: service.generating
      ? { percent: Math.round(service.generating.fraction * 100), loading_model: false, eta_s: 4 }
      : null,
    interrupts_known: action.verb === 'start' || !faults.has('not-measured'),
    refusals,
    forecast: { median_ms: 42_000, spread_ms: 5_000, runs: 6 },
  };
}
