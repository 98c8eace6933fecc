import type { Cause } from '../../backend/types';
import type { ActionId } from '../services/actions.svelte';

/** The one safe next step of an incident. */
export type Step = { act: ActionId } | { open: 'logs' | 'bench' | 'settings' } | null;

const act = (id: ActionId): Step => ({ act: id });
const open = (page: 'logs' | 'bench' | 'settings'): Step => ({ open: page });

/** Its words are the keys `next.<cause>`. */
export const NEXT_STEP: Record<Cause, Step> = {
  'rung.below': null,
  'rung.not_measured_yet': null,
  'rung.not_configured': open('settings'),
  'rung.stale': null,
  'rung.not_measurable': null,
  'host.asleep': null,
  'host.unreachable': open('settings'),
  'engine.refused': null,
  'engine.timeout': null,
  'engine.not_docker': open('settings'),
  'engine.denied': null,
  'engine.not_found': open('settings'),
  'engine.version': null,
  'container.exited': act('start'),
  'container.missing': open('settings'),
  'container.oom_killed': act('start'),
  'container.killed': act('start'),
  'container.crash_loop': open('logs'),
  'container.port_in_use': act('start'),
  'container.gpu_runtime': act('start'),
  'container.paused': act('container'),
  'container.created': act('start'),
  'container.starting': open('logs'),
  'container.unhealthy': open('logs'),
  'container.dead': open('logs'),
  'program.fatal': act('program'),
  'program.crash_loop': open('logs'),
  'program.stopped': act('program'),
  'program.starting': open('logs'),
  'program.missing': open('logs'),
  'api.refused': open('logs'),
  'api.timeout': open('logs'),
  'api.unauthorized': open('settings'),
  'api.login_page': open('settings'),
  'api.server_error': open('logs'),
  'api.bad_answer': open('settings'),
  'api.no_models': open('logs'),
  'api.starting': open('logs'),
  'api.disabled': open('logs'),
  'api.dns': open('settings'),
  'image.not_since_restart': open('bench'),
  'image.blank': open('bench'),
  'image.undecodable': open('logs'),
  'image.out_of_memory': act('program'),
  'image.cuda_context_lost': act('program'),
  'image.cpu_fallback': open('logs'),
  'image.failed': open('logs'),
  'image.interrupted': open('bench'),
  'gpu.lost': null,
  'gpu.hot': null,
};
