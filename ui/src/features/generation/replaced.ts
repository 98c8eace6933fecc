import type { Replaced, Substitution } from '../../backend/types';
import type { MessageKey } from '../../shared/i18n.svelte';
import { t } from '../../shared/i18n.svelte';

/** What the keeper can say was replaced, in words; one that is missing here does not compile. */
export const REPLACED: Record<Replaced, MessageKey> = {
  prompt: 'generation.replaced.prompt',
  model: 'generation.replaced.model',
  sampler: 'generation.replaced.sampler',
  scheduler: 'generation.replaced.scheduler',
  steps: 'generation.replaced.steps',
  seed: 'generation.replaced.seed',
  width: 'generation.replaced.width',
  height: 'generation.replaced.height',
  clip_skip: 'generation.replaced.clip_skip',
  distilled_cfg: 'generation.replaced.distilled_cfg',
  hires_scale: 'generation.replaced.hires_scale',
  hires_denoise: 'generation.replaced.hires_denoise',
  hires_steps: 'generation.replaced.hires_steps',
  hires_upscaler: 'generation.replaced.hires_upscaler',
  variation: 'generation.replaced.variation',
  variation_seed: 'generation.replaced.variation_seed',
  modules: 'generation.replaced.modules',
  options_afterwards: 'generation.replaced.options_afterwards',
};

/** One replacement in a sentence. */
export const told = ({ field, asked, used }: Substitution): string =>
  field === 'options_afterwards'
    ? // Not of this picture, but of every one after it.
      t('generation.options_left', { asked, used })
    : t('generation.substituted', { field: t(REPLACED[field]), asked, used });
