import { PRESETS as keeperPresets } from '../../backend/constants';
import type { GenerationRecord, GenerationRequest } from '../../backend/types';
import type { MessageKey, Params } from '../../shared/i18n.svelte';

/** What is asked when nothing was asked before: the founding document's test. */
export const FOUNDING: GenerationRequest = {
  prompt: 'test image',
  negative_prompt: '',
  steps: 20,
  width: 512,
  height: 512,
  cfg_scale: 7,
  seed: null,
  sampler: null,
  scheduler: null,
  model: null,
  batch: 1,
  distilled_cfg: null,
  clip_skip: null,
  variation: null,
  hires: null,
  modules: [],
};
/** How a second pass and a second noise begin when they are switched on. */
export const FIRST_HIRES = { scale: 2, steps: null, denoise: 0.5, upscaler: null };
export const FIRST_VARIATION = { seed: null, strength: 0.1 };

/** The keeper's presets, each with the fields that it sets. */
export const PRESETS = keeperPresets.map(({ name, steps, side, cfg_scale }) => ({
  name,
  sets: {
    steps,
    ...(side === null ? {} : { width: side, height: side }),
    ...(cfg_scale === null ? {} : { cfg_scale }),
  } satisfies Partial<GenerationRequest>,
}));

export const LIMITS = {
  steps: [1, 150],
  width: [64, 2048],
  height: [64, 2048],
  cfg_scale: [0, 30],
  batch: [1, 8],
  distilled_cfg: [0, 30],
  clip_skip: [1, 12],
  variation_strength: [0, 1],
  hires_scale: [1, 4],
  hires_denoise: [0, 1],
  hires_steps: [1, 150],
} as const;
const WHOLE: readonly string[] = ['steps', 'width', 'height', 'batch', 'clip_skip', 'hires_steps'];
const MAX_PROMPT = 20_000;
const MAX_NAME = 512;
export const MAX_MODULES = 8;
const MAX_SEED = 2n ** 64n - 1n;

type Text = 'prompt' | 'negative_prompt' | 'sampler' | 'scheduler' | 'model' | 'hires_upscaler';
export type Field = keyof typeof LIMITS | Text | 'seed' | 'variation_seed' | 'modules';
export type Problem = { key: MessageKey; params?: Params };
export type Problems = Partial<Record<Field, Problem>>;

/** The fields that stand in the advanced part of the form. */
export const ADVANCED: readonly Field[] = [
  'model',
  'batch',
  'clip_skip',
  'distilled_cfg',
  'hires_scale',
  'hires_steps',
  'hires_denoise',
  'hires_upscaler',
  'variation_strength',
  'variation_seed',
  'modules',
];

export const goodSeed = (seed: string) => /^\d{1,20}$/.test(seed) && BigInt(seed) <= MAX_SEED;

/** The keeper's own limits, told before anything is sent. */
export function problems(request: GenerationRequest): Problems {
  const found: Problems = {};
  const { hires, variation } = request;
  // A number that is missing from the wire is one that nobody could have meant.
  const numbers: Record<keyof typeof LIMITS, number | null> = {
    steps: request.steps,
    width: request.width,
    height: request.height,
    cfg_scale: request.cfg_scale,
    batch: request.batch,
    distilled_cfg: request.distilled_cfg,
    clip_skip: request.clip_skip,
    variation_strength: variation ? (variation.strength ?? NaN) : null,
    hires_scale: hires ? (hires.scale ?? NaN) : null,
    hires_denoise: hires ? (hires.denoise ?? NaN) : null,
    hires_steps: hires?.steps ?? null,
  };
  for (const field of Object.keys(LIMITS) as (keyof typeof LIMITS)[]) {
    const value = numbers[field];
    if (value === null) continue;
    const [min, max] = LIMITS[field];
    const whole = !WHOLE.includes(field) || Number.isInteger(value);
    if (!Number.isFinite(value) || value < min || value > max || !whole) {
      found[field] = { key: 'bench.problem.range', params: { min, max } };
    } else if ((field === 'width' || field === 'height') && value % 8 !== 0) {
      found[field] = { key: 'bench.problem.multiple' };
    }
  }
  const seeds = { seed: request.seed, variation_seed: variation?.seed ?? null };
  for (const field of ['seed', 'variation_seed'] as const) {
    const seed = seeds[field];
    if (seed !== null && !goodSeed(seed)) found[field] = { key: 'bench.problem.seed' };
  }
  const texts: Record<Text, [string, number]> = {
    prompt: [request.prompt, MAX_PROMPT],
    negative_prompt: [request.negative_prompt, MAX_PROMPT],
    sampler: [request.sampler ?? '', MAX_NAME],
    scheduler: [request.scheduler ?? '', MAX_NAME],
    model: [request.model ?? '', MAX_NAME],
    hires_upscaler: [hires?.upscaler ?? '', MAX_NAME],
  };
  const long = (text: string, max: number) => [...text].length > max;
  for (const field of Object.keys(texts) as Text[]) {
    const [text, max] = texts[field];
    if (long(text, max)) found[field] = { key: 'bench.problem.length', params: { max } };
  }
  if (request.modules.length > MAX_MODULES) {
    found.modules = { key: 'bench.problem.many', params: { max: MAX_MODULES } };
  } else if (request.modules.some((name) => long(name, MAX_NAME))) {
    found.modules = { key: 'bench.problem.length', params: { max: MAX_NAME } };
  }
  return found;
}

/** A seed a person can type again. */
export const drawSeed = (): string => {
  const [value = 0] = crypto.getRandomValues(new Uint32Array(1));
  return String(value);
};

/** Whether two requests ask for the same, to the last field. */
export const same = (a: GenerationRequest, b: GenerationRequest): boolean =>
  JSON.stringify(restored(a)) === JSON.stringify(restored(b));

type Loose = Record<string, unknown>;
const loose = (value: unknown): Loose | null =>
  typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Loose) : null;
const text = (value: unknown): string | null => (typeof value === 'string' ? value : null);
const finite = (value: unknown): number | null =>
  typeof value === 'number' && Number.isFinite(value) ? value : null;

/** What a kept form may bring back; anything of the wrong type is left out. */
export function restored(kept: object): GenerationRequest {
  const from = kept as Loose;
  const request: GenerationRequest = { ...FOUNDING, modules: [] };
  for (const field of ['steps', 'width', 'height', 'cfg_scale', 'batch'] as const) {
    request[field] = finite(from[field]) ?? request[field];
  }
  for (const field of ['prompt', 'negative_prompt'] as const) {
    request[field] = text(from[field]) ?? request[field];
  }
  for (const field of ['distilled_cfg', 'clip_skip'] as const) request[field] = finite(from[field]);
  for (const field of ['seed', 'sampler', 'scheduler', 'model'] as const) {
    request[field] = text(from[field]);
  }
  const hires = loose(from['hires']);
  if (hires) {
    request.hires = {
      scale: finite(hires['scale']) ?? FIRST_HIRES.scale,
      steps: finite(hires['steps']),
      denoise: finite(hires['denoise']) ?? FIRST_HIRES.denoise,
      upscaler: text(hires['upscaler']),
    };
  }
  const variation = loose(from['variation']);
  if (variation) {
    const strength = finite(variation['strength']) ?? FIRST_VARIATION.strength;
    request.variation = { seed: text(variation['seed']), strength };
  }
  if (Array.isArray(from['modules'])) {
    request.modules = from['modules'].filter((name): name is string => typeof name === 'string');
  }
  return request;
}

/** What has to be asked to make the same picture again: the seed that was drawn for it as well. */
export const requestOf = ({ request, pictures }: GenerationRecord): GenerationRequest =>
  restored({ ...request, seed: pictures[0]?.seed ?? request.seed });
