import type { Action, ErrorInfo, GenerationRequest, Job, JobKind, Stage } from '../types';
import { drawPicture, fakeHash } from './pictures';
import type { Fault, FakeService } from './site';
import { iso } from './site';

/** Something that goes on in the fake for a while. */
export interface FakeJob {
  job: Job;
  service: FakeService;
  begun: number;
  /** Moves the job to a moment; sets `phase` when it ends. */
  move(elapsed: number, now: number): void;
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
    error: null,
    cancellable: kind.what === 'generate' || kind.what === 'prove_placement',
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

function fail(job: Job, at: number, error: ErrorInfo) {
  job.phase = 'failed';
  job.finished_at = iso(at);
  job.error = error;
}

export function generationJob(
  id: string,
  service: FakeService,
  request: GenerationRequest,
  now: number,
  faults: ReadonlySet<Fault>,
  pictures: Map<string, string>,
): FakeJob {
  const job = newJob(id, { what: 'generate' }, service, now);
  const seed = request.seed ?? String((Math.abs(now) * 48271) % 4_294_967_295);
  const total = Math.max(900, 350 + request.steps * 260);
  let previews = 0;
  service.generating = { job: id, fraction: 0 };
  return {
    job,
    service,
    begun: now,
    move(elapsed, at) {
      const fraction = Math.min(1, Math.max(0, (elapsed - 300) / (total - 300)));
      service.generating = { job: id, fraction };
      const step = Math.min(request.steps, Math.floor(fraction * request.steps));
      if (elapsed > 300 && step > previews) {
        previews = step;
        const blur = (1 - fraction) * 0.09 * request.width;
        pictures.set(
          `preview/${id}/${previews}`,
          drawPicture(request.prompt, seed, request.width, request.height, blur),
        );
      }
      job.generation = {
        stage: elapsed < 300 ? 'waiting' : fraction < 1 ? 'sampling' : 'finishing',
        fraction: elapsed < 300 ? null : fraction,
        step: elapsed < 300 ? null : step,
        steps: request.steps,
        eta_s: fraction > 0.1 ? (total - elapsed) / 1000 : null,
        preview: previews > 0 ? `preview/${id}/${previews}` : null,
        queue_ahead: elapsed < 300 ? 0 : null,
      };
      if (elapsed < total) return;
      service.generating = null;
      const failed = faults.has('generation-fails');
      const blank = faults.has('blank-picture');
      const hash = fakeHash(`${request.prompt}${seed}${request.width}${blank}`);
      pictures.set(
        hash,
        blank
          ? drawPicture('', '', 0, 0)
          : drawPicture(request.prompt, seed, request.width, request.height),
      );
      const sampler = request.sampler ?? 'Euler';
      const wrong = request.sampler === 'Euler a';
      job.record = {
        id,
        service: service.settings.id,
        request,
        started_at: job.started_at,
        took_ms: Math.round(elapsed),
        verdict: failed ? 'out_of_memory' : blank ? 'blank' : 'proved',
        pictures: failed
          ? []
          : [{ hash, width: request.width, height: request.height, bytes: 412_300, seed, blank }],
        substitutions: wrong ? [{ field: 'sampler', asked: 'Euler a', used: 'Euler' }] : [],
        parameters: failed
          ? null
          : `${request.prompt}\nNegative prompt: ${request.negative_prompt}\nSteps: ${request.steps}, Sampler: ${sampler}, CFG scale: ${request.cfg_scale}, Seed: ${seed}, Size: ${request.width}x${request.height}`,
        model: 'juggernautXL_v9.safetensors [c9e3e68f89]',
        error: failed
          ? {
              code: 'out_of_memory',
              message: 'CUDA out of memory. Tried to allocate 2.00 GiB.',
              hint: 'use a smaller size, or restart the program to free memory',
              detail: 'torch.OutOfMemoryError',
            }
          : null,
        timing: {
          queue_ms: 20,
          load_ms: 280,
          sampling_ms: Math.round(elapsed) - 420,
          decode_ms: 90,
          transfer_ms: 30,
          steps_per_second: request.steps / ((elapsed - 420) / 1000),
        },
        card: null,
        on_cpu: false,
      };
      service.image = job.record;
      job.finished_at = iso(at);
      if (job.record.error) fail(job, at, job.record.error);
      else job.phase = 'succeeded';
      job.cancellable = false;
    },
  };
}

export function cancelGeneration(running: FakeJob, now: number) {
  running.service.generating = null;
  running.job.phase = 'cancelled';
  running.job.finished_at = iso(now);
  running.job.cancellable = false;
}
