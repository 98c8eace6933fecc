import type { CardUse, GenerationRecord, GenerationRequest, GenerationTiming } from '../types';
import type { FakeCard } from './gpus';
import { GIB } from './gpus';
import type { FakeJob } from './jobs';
import { fail, newJob } from './jobs';
import { drawPicture, fakeHash } from './pictures';
import type { Fault, FakeService } from './site';

/** Draws pictures when they are first looked at: there may be hundreds. */
export class FakePictures {
  private readonly drawn = new Map<string, string>();
  private readonly recipes = new Map<string, (small: boolean) => string>();

  put(path: string, url: string) {
    this.drawn.set(path, url);
  }

  /** A picture's hash; what it is drawn from is kept. */
  add(words: string, seed: string, width: number, height: number): string {
    const hash = fakeHash(`${words}${seed}${width}`);
    this.recipes.set(hash, (small) => {
      const scale = small ? Math.min(1, 256 / Math.max(width, height)) : 1;
      return drawPicture(words, seed, width, height, 0, scale);
    });
    return hash;
  }

  url(path: string, small = false): string {
    const key = small ? `thumb/${path}` : path;
    const url = this.drawn.get(key) ?? this.recipes.get(path)?.(small) ?? '';
    if (url) this.drawn.set(key, url);
    return url;
  }
}

/** Where the time went; one service tells less of it than the other. */
export function timingOf(service: string, took: number, steps: number): GenerationTiming {
  const told = service !== 'myia';
  const sampling = Math.max(60, took - 420);
  return {
    queue_ms: told ? 20 : null,
    load_ms: told ? 280 : null,
    sampling_ms: sampling,
    decode_ms: told ? 90 : null,
    transfer_ms: 30,
    steps_per_second: steps / (sampling / 1000),
  };
}

export function cardUse(card: FakeCard | null, width: number): CardUse | null {
  if (!card) return null;
  const before = (card.rest + 4.2) * GIB;
  return {
    host: 'local',
    uuid: card.uuid,
    name: card.name,
    memory_before_bytes: before,
    held_before_bytes: 4.2 * GIB,
    memory_peak_bytes: before + (1.1 + width / 800) * GIB,
    load_percent: 91,
    proved: card.index === 1,
  };
}

/** A record as the keeper would keep it, of a picture that came out well. */
export function recordOf(
  id: string,
  service: FakeService,
  request: GenerationRequest,
  started: string,
  took: number,
  made: { pictures: FakePictures; card: FakeCard | null; seed: string; variant?: string },
): GenerationRecord {
  const { width, height } = request.hires
    ? {
        width: Math.round((request.width * (request.hires.scale ?? 1)) / 8) * 8,
        height: Math.round((request.height * (request.hires.scale ?? 1)) / 8) * 8,
      }
    : request;
  const sampler = request.sampler ?? 'Euler';
  // Noise of another program: another picture of the same seed.
  const kind = service.settings.kind === 'forge' ? '' : service.settings.kind;
  const words = `${request.prompt}${made.variant ?? kind}`;
  return {
    id,
    service: service.settings.id,
    request,
    started_at: started,
    took_ms: Math.round(took),
    verdict: 'proved',
    pictures: Array.from({ length: request.batch }, (_, place) => {
      const seed = String(BigInt(made.seed) + BigInt(place));
      const hash = made.pictures.add(words, seed, width, height);
      return { hash, width, height, bytes: 412_300, seed, blank: false };
    }),
    substitutions:
      request.sampler === 'Euler a' ? [{ field: 'sampler', asked: 'Euler a', used: 'Euler' }] : [],
    parameters: `${request.prompt}\nNegative prompt: ${request.negative_prompt}\nSteps: ${request.steps}, Sampler: ${sampler}, CFG scale: ${request.cfg_scale}, Seed: ${made.seed}, Size: ${request.width}x${request.height}`,
    model: request.model ?? 'juggernautXL_v9.safetensors [c9e3e68f89]',
    error: null,
    timing: timingOf(service.settings.id, took, request.steps),
    card: cardUse(made.card, width),
    on_cpu: made.card === null,
    workflow: null,
  };
}

/** Turns a record into one of a request that the card's memory was too small for. */
export function outOfMemory(record: GenerationRecord): GenerationRecord {
  return {
    ...record,
    verdict: 'out_of_memory',
    pictures: [],
    parameters: null,
    timing: null,
    error: {
      code: 'out_of_memory',
      message: 'CUDA out of memory. Tried to allocate 2.00 GiB.',
      hint: 'use a smaller size, or restart the program to free memory',
      detail: 'torch.OutOfMemoryError',
    },
  };
}

export interface Studio {
  faults: ReadonlySet<Fault>;
  pictures: FakePictures;
  card: FakeCard | null;
}

/** How long a request takes in the fake. */
export const lengthOf = (request: GenerationRequest) =>
  Math.max(900, 350 + request.steps * 260 * Math.sqrt(request.batch));

export function generationJob(
  id: string,
  service: FakeService,
  request: GenerationRequest,
  now: number,
  { faults, pictures, card }: Studio,
  workflow: string | null = null,
): FakeJob {
  const job = newJob(id, { what: 'generate' }, service, now);
  const seed = request.seed ?? String((Math.abs(now) * 48271) % 4_294_967_295);
  const waits = faults.has('generation-queued') ? 3_000 : 300;
  const total = lengthOf(request) + waits - 300;
  let previews = 0;
  let skippedAt: number | null = null;
  service.generating = { job: id, fraction: 0 };
  return {
    job,
    service,
    begun: now,
    skipped: () => (skippedAt ??= job.generation?.step ?? null),
    move(elapsed, at) {
      const fraction = Math.min(1, Math.max(0, (elapsed - waits) / (total - waits)));
      service.generating = { job: id, fraction };
      const step = Math.min(request.steps, Math.floor(fraction * request.steps));
      if (elapsed > waits && step > previews) {
        previews = step;
        const blur = (1 - fraction) * 0.09 * request.width;
        pictures.put(
          `preview/${id}/${previews}`,
          drawPicture(request.prompt, seed, request.width, request.height, blur),
        );
      }
      const waiting = elapsed < waits;
      job.generation = {
        stage: waiting ? 'waiting' : fraction < 1 ? 'sampling' : 'finishing',
        fraction: waiting ? null : fraction,
        step: waiting ? null : step,
        steps: workflow === null ? request.steps : null,
        eta_s: fraction > 0.1 ? (total - elapsed) / 1000 : null,
        preview: previews > 0 ? `preview/${id}/${previews}` : null,
        queue_ahead: waiting && faults.has('generation-queued') ? 2 : null,
      };
      job.skippable =
        job.generation.stage === 'sampling' &&
        service.settings.kind === 'forge' &&
        skippedAt === null;
      if (elapsed < total && skippedAt === null) return;
      service.generating = null;
      let record = recordOf(id, service, request, job.started_at, elapsed, {
        pictures,
        card: faults.has('image-cpu') ? null : card,
        seed,
      });
      record.workflow = workflow;
      if (skippedAt !== null) {
        const [asked, used] = [String(request.steps), String(skippedAt)];
        record.substitutions.push({ field: 'steps', asked, used });
      }
      if (faults.has('generation-fails')) record = outOfMemory(record);
      else if (faults.has('blank-picture')) {
        record.verdict = 'blank';
        record.pictures = record.pictures.map((one) => {
          const hash = fakeHash(`blank${seed}`);
          pictures.put(hash, drawPicture('', '', 0, 0));
          return { ...one, hash, blank: true };
        });
      }
      job.record = record;
      service.image = record;
      job.finished_at = new Date(at).toISOString();
      if (record.error) fail(job, at, record.error);
      else job.phase = 'succeeded';
      job.cancellable = false;
      job.skippable = false;
    },
  };
}

export function cancelGeneration(running: FakeJob, now: number) {
  running.service.generating = null;
  running.job.phase = 'cancelled';
  running.job.finished_at = new Date(now).toISOString();
  running.job.cancellable = false;
}
