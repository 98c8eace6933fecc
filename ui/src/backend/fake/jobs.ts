import type { Action, ErrorInfo, Job, JobKind, Stage } from '../types';
import type { Fault, FakeService } from './site';
import { iso } from './site';

/** Something that goes on in the fake for a while. */
export interface FakeJob {
  job: Job;
  service: FakeService;
  begun: number;
  /** Moves the job to a moment; sets `phase` when it ends. */
  move(elapsed: number, now: number): void;
  /** What is to be done when it was cancelled. */
  cancelled?(): void;
  /** What is to be done when its picture is wanted as it is. */
  skipped?(): void;
}

const SCRIPTS: Record<'start' | 'stop' | 'container' | 'program', [Stage, number][]> = {
  container: [
    ['asked', 0],
    ['stopping', 60],
    ['stopped', 2_400],
    ['starting', 2_500],
    ['container_up', 3_200],
    ['program_up', 6_000],
    ['api_answers', 12_100],
  ],
  program: [
    ['asked', 0],
    ['stopping', 90],
    ['stopped', 1_300],
    ['starting', 1_350],
    ['program_up', 2_600],
    ['api_answers', 9_000],
  ],
  start: [
    ['asked', 0],
    ['starting', 80],
    ['container_up', 900],
    ['program_up', 3_000],
    ['api_answers', 8_500],
  ],
  stop: [
    ['asked', 0],
    ['stopping', 70],
    ['stopped', 2_300],
  ],
};

const kindOf = (action: Action): JobKind =>
  action.verb === 'restart' ? { what: 'restart', target: action.target } : { what: action.verb };

export function newJob(id: string, kind: JobKind, service: FakeService, now: number): Job {
  return {
    id,
    kind,
    service: service.settings.id,
    phase: 'running',
    started_at: iso(now),
    finished_at: null,
    stages: [],
    forecast: null,
    generation: null,
    record: null,
    golden: null,
    placement: null,
    proved: null,
    restored: null,
    error: null,
    skippable: false,
    cancellable: ['generate', 'golden', 'prove_placement'].includes(kind.what),
  };
}

export function actionJob(
  id: string,
  service: FakeService,
  action: Action,
  now: number,
  faults: ReadonlySet<Fault>,
): FakeJob {
  const script = SCRIPTS[action.verb === 'restart' ? action.target : action.verb];
  const last = script.at(-1)?.[1] ?? 0;
  const job = newJob(id, kindOf(action), service, now);
  job.forecast = { median_ms: last + 300, spread_ms: 900, runs: 6 };
  const effects: Partial<Record<Stage, (now: number) => void>> = {
    stopping: () => (service.apiUp = false),
    stopped: () => {
      service.programUp = false;
      service.apiUp = false;
      if (job.kind.what !== 'restart' || job.kind.target === 'container') service.running = false;
      service.image = null;
    },
    container_up: (at) => {
      service.running = true;
      service.startedAt = at;
    },
    program_up: () => (service.programUp = true),
    api_answers: () => (service.apiUp = true),
  };
  service.acting = id;
  return {
    job,
    service,
    begun: now,
    move(elapsed, at) {
      for (const [stage, after] of script.slice(job.stages.length)) {
        if (elapsed < after) return;
        if (stage === 'starting' && faults.has('act-fails')) {
          fail(job, at, {
            code: 'port_in_use',
            message: 'the container could not be started: port 17861 is taken',
            hint: 'find out what listens there: `docker ps --filter publish=17861`',
            detail: 'driver failed programming external connectivity on endpoint',
          });
          service.acting = null;
          return;
        }
        job.stages.push({
          stage,
          at: iso(job.stages.length === 0 ? this.begun : at),
          after_ms: after,
        });
        effects[stage]?.(at);
      }
      job.phase = 'succeeded';
      job.finished_at = iso(at);
      if (job.kind.what === 'restart') service.restarts += 1;
      service.acting = null;
    },
  };
}

export function fail(job: Job, at: number, error: ErrorInfo) {
  job.phase = 'failed';
  job.finished_at = iso(at);
  job.error = error;
}
