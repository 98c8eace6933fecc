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
} as const;
const MAX_PROMPT = 20_000;
const MAX_SEED = 2n ** 64n - 1n;

export type Field = keyof typeof LIMITS | 'prompt' | 'negative_prompt' | 'seed';
export type Problem = { key: MessageKey; params?: Params };

/** The keeper's own limits, told before anything is sent. */
export function problems(request: GenerationRequest): Partial<Record<Field, Problem>> {
  const found: Partial<Record<Field, Problem>> = {};
  for (const field of ['steps', 'width', 'height', 'cfg_scale'] as const) {
    const [min, max] = LIMITS[field];
    const value = request[field];
    const whole = field === 'cfg_scale' || Number.isInteger(value);
    if (!Number.isFinite(value) || value < min || value > max || !whole) {
      found[field] = { key: 'bench.problem.range', params: { min, max } };
    } else if ((field === 'width' || field === 'height') && value % 8 !== 0) {
      found[field] = { key: 'bench.problem.multiple' };
    }
  }
  if (
    request.seed !== null &&
    !(/^\d{1,20}$/.test(request.seed) && BigInt(request.seed) <= MAX_SEED)
  ) {
    found.seed = { key: 'bench.problem.seed' };
  }
  for (const field of ['prompt', 'negative_prompt'] as const) {
    if ([...request[field]].length > MAX_PROMPT) {
      found[field] = { key: 'bench.problem.length', params: { max: MAX_PROMPT } };
    }
  }
  return found;
}

/** A seed a person can type again. */
export const drawSeed = (): string => {
  const [value = 0] = crypto.getRandomValues(new Uint32Array(1));
  return String(value);
};

/** What a kept form may bring back; anything of the wrong type is left out. */
export function restored(kept: Partial<GenerationRecord['request']>): GenerationRequest {
  const request = { ...FOUNDING };
  for (const field of ['steps', 'width', 'height', 'cfg_scale'] as const) {
    const value = kept[field];
    if (typeof value === 'number' && Number.isFinite(value)) request[field] = value;
  }
  for (const field of ['prompt', 'negative_prompt'] as const) {
    const value = kept[field];
    if (typeof value === 'string') request[field] = value;
  }
  for (const field of ['seed', 'sampler', 'scheduler'] as const) {
    const value = kept[field];
    if (typeof value === 'string') request[field] = value;
  }
  return request;
}
