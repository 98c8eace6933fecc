import type { GpuCard, GpuView } from '../types';
import type { Fault, FakeService } from './site';
import { iso, outcome } from './site';

/** Two cards whose load follows the work of the services declared on them. */
export function gpus(
  services: FakeService[],
  history: Map<number, (number | null)[]>,
  faults: ReadonlySet<Fault>,
  now: number,
): GpuView {
  if (faults.has('no-gpu') || faults.has('engine-refused')) {
    return {
      source: {
        source: 'none',
        tried: ['NVML: libnvidia-ml.so.1 was not found', 'nvidia-smi: no container has it'],
      },
      cards: [],
      checked_at: iso(now),
      error: null,
    };
  }
  const specs = [
    { index: 0, name: 'NVIDIA GeForce RTX 3080', uuid: 'GPU-19af20d1-77aa', total: 16, watts: 320 },
    { index: 1, name: 'NVIDIA GeForce RTX 3090', uuid: 'GPU-7c1e5b02-41dd', total: 24, watts: 350 },
  ];
  const cards = specs.map(({ index, name, uuid, total, watts }): GpuCard => {
    const load = history.get(index)?.at(-1) ?? null;
    const users = services.filter((s) => s.settings.declared_gpu === index && s.running).length;
    const missing = faults.has('gpu-values-missing') && index === 1;
    return {
      latest: {
        uuid,
        index,
        name,
        at: iso(now),
        load_percent: missing ? null : load,
        memory_used: (1.1 + users * 6.4 + (load ?? 0) * 0.04) * 1024 ** 3,
        memory_total: total * 1024 ** 3,
        temperature_c: missing ? null : 41 + Math.round((load ?? 0) * 0.32),
        slowdown_c: 93,
        power_w: missing ? null : 22 + ((load ?? 0) / 100) * watts * 0.9,
        power_limit_w: watts,
      },
      load_history: history.get(index) ?? [],
      current: true,
      outcome: outcome('ok', null, now - 60_000, now),
    };
  });
  return { source: { source: 'nvml', driver: '576.52' }, cards, checked_at: iso(now), error: null };
}
