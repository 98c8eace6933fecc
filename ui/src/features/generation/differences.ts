import type { GenerationRecord } from '../../backend/types';
import { seconds } from '../../shared/format';
import { number, t } from '../../shared/i18n.svelte';

export interface Row {
  key: string;
  name: string;
  left: string | null;
  right: string | null;
  differs: boolean;
}

const some = (value: number | null, digits = 0) => (value === null ? null : number(value, digits));

/** What one generation was asked and came to, by name; `null` is left to the server or unknown. */
function told(record: GenerationRecord): [string, string, string | null][] {
  const { request: r } = record;
  const { hires, variation } = r;
  const second = hires && [
    `×${number(hires.scale ?? NaN, 2)}`,
    `${t('bench.hires_denoise')} ${number(hires.denoise ?? NaN, 2)}`,
    ...(hires.steps === null ? [] : [t('bench.steps_of', { count: hires.steps })]),
    ...(hires.upscaler === null ? [] : [hires.upscaler]),
  ];
  const noise = variation && [
    number(variation.strength ?? NaN, 2),
    ...(variation.seed === null ? [] : [t('generation.seed', { seed: variation.seed })]),
  ];
  return [
    ['service', t('bench.service'), record.service],
    ['prompt', t('bench.prompt'), r.prompt || null],
    ['negative', t('bench.negative'), r.negative_prompt || null],
    ['model', t('bench.model'), record.model ?? r.model],
    ['seed', t('bench.seed'), record.pictures[0]?.seed ?? r.seed],
    ['steps', t('bench.steps'), number(r.steps)],
    ['cfg', t('bench.cfg'), some(r.cfg_scale, 1)],
    ['distilled', t('bench.distilled_cfg'), some(r.distilled_cfg, 1)],
    ['size', t('generation.size'), `${r.width} × ${r.height}`],
    ['sampler', t('bench.sampler'), r.sampler],
    ['scheduler', t('bench.scheduler'), r.scheduler],
    ['clip', t('bench.clip_skip'), some(r.clip_skip)],
    ['batch', t('bench.batch'), number(r.batch)],
    ['hires', t('bench.hires'), second ? second.join(' · ') : null],
    ['variation', t('bench.variation'), noise ? noise.join(' · ') : null],
    ['modules', t('bench.modules'), r.modules.join(', ') || null],
    ['took', t('generation.took'), seconds(record.took_ms)],
    ['verdict', t('generation.outcome'), t(`verdict.short.${record.verdict}`)],
  ];
}

/** Two generations line by line; what neither was asked is left out. */
export function differences(left: GenerationRecord, right: GenerationRecord): Row[] {
  const other = told(right);
  return told(left).flatMap(([key, name, value], place) => {
    const against = other[place]?.[2] ?? null;
    if (value === null && against === null) return [];
    return [{ key, name, left: value, right: against, differs: value !== against }];
  });
}
