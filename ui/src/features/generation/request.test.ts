import { expect, test } from 'vitest';

import { FOUNDING, problems, restored, same } from './request';

test('the limits of the keeper are told field by field', () => {
  expect(problems(FOUNDING)).toEqual({});
  const hires = { scale: 2, steps: null, denoise: 0.5, upscaler: null };
  const wrong: [Partial<typeof FOUNDING>, string][] = [
    [{ batch: 0 }, 'batch'],
    [{ batch: 1.5 }, 'batch'],
    [{ distilled_cfg: 31 }, 'distilled_cfg'],
    [{ clip_skip: 0 }, 'clip_skip'],
    [{ clip_skip: NaN }, 'clip_skip'],
    [{ variation: { seed: null, strength: 1.1 } }, 'variation_strength'],
    [{ variation: { seed: 'x', strength: 0.5 } }, 'variation_seed'],
    [{ hires: { ...hires, scale: 0.5 } }, 'hires_scale'],
    [{ hires: { ...hires, scale: null } }, 'hires_scale'],
    [{ hires: { ...hires, denoise: NaN } }, 'hires_denoise'],
    [{ hires: { ...hires, steps: 151 } }, 'hires_steps'],
    [{ hires: { ...hires, upscaler: 'x'.repeat(513) } }, 'hires_upscaler'],
    [{ modules: Array.from({ length: 9 }, () => 'vae') }, 'modules'],
    [{ modules: ['x'.repeat(513)] }, 'modules'],
    [{ model: 'x'.repeat(513) }, 'model'],
    [{ seed: '18446744073709551616' }, 'seed'],
  ];
  for (const [change, field] of wrong) {
    expect(Object.keys(problems({ ...FOUNDING, ...change })), JSON.stringify(change)).toEqual([
      field,
    ]);
  }
});

test('every field comes back, and nothing of the wrong type', () => {
  const full = {
    ...FOUNDING,
    model: 'sdxl',
    batch: 4,
    distilled_cfg: 3.5,
    clip_skip: 2,
    variation: { seed: '1', strength: 0.3 },
    hires: { scale: 1.5, steps: 9, denoise: 0.4, upscaler: 'Latent' },
    modules: ['ae.safetensors'],
  };
  expect(restored(structuredClone(full))).toEqual(full);
  const odd = { batch: '4', hires: 'yes', variation: [], modules: ['a', 1], model: {}, seed: 3 };
  expect(restored(odd)).toEqual({ ...FOUNDING, modules: ['a'] });
  expect(restored({ hires: { scale: 'x' } }).hires).toEqual({
    scale: 2,
    steps: null,
    denoise: 0.5,
    upscaler: null,
  });
});

test('two requests are the same whatever the order of their fields', () => {
  const turned = Object.fromEntries(Object.entries(FOUNDING).toReversed()) as typeof FOUNDING;
  expect(same(FOUNDING, turned)).toBe(true);
  expect(same(FOUNDING, { ...FOUNDING, batch: 2 })).toBe(false);
});
