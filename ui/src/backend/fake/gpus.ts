import type { GpuCard, GpuProcess, GpuSample, GpuView, Outcome, Throttle } from '../types';
import { sharesOf } from './shares';
import type { Fault, FakeService } from './site';
import { iso, outcome } from './site';

export interface FakeCard {
  index: number;
  name: string;
  uuid: string;
  bus: string;
  /** Memory in GiB. */
  total: number;
  watts: number;
  mhz: number;
  /** GiB that belong to no service. */
  rest: number;
}

export const CARDS: readonly [FakeCard, FakeCard] = [
  {
    index: 0,
    name: 'NVIDIA GeForce RTX 3080',
    uuid: 'GPU-19af20d1-77aa-4c0e-9d53-2b6f81a4c710',
    bus: '00000000:01:00.0',
    total: 16,
    watts: 320,
    mhz: 2100,
    rest: 1.1,
  },
  {
    index: 1,
    name: 'NVIDIA GeForce RTX 3090',
    uuid: 'GPU-7c1e5b02-41dd-4f6b-8e21-90c3d7aa1f52',
    bus: '00000000:02:00.0',
    total: 24,
    watts: 350,
    mhz: 1980,
    rest: 1.9,
  },
];
export const GIB = 1024 ** 3;
/** A lost card was read last so long ago. */
export const LOST_MS = 20 * 60_000;

/** The card a service really computes on. */
export function cardOf(service: FakeService, faults: ReadonlySet<Fault>): FakeCard | null {
  const { declared_gpu: declared, kind } = service.settings;
  if (faults.has('placement-wrong') && kind === 'forge') return CARDS[1];
  return CARDS.find((card) => card.index === declared) ?? null;
}

export const noGpus = (faults: ReadonlySet<Fault>) =>
  faults.has('no-gpu') || faults.has('engine-refused');

/** Two cards whose load follows the work of the services on them. */
export function gpus(
  services: FakeService[],
  history: Map<number, (number | null)[]>,
  faults: ReadonlySet<Fault>,
  now: number,
): GpuView {
  if (noGpus(faults)) {
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
  const cards = CARDS.map((card): GpuCard => {
    const lost = faults.has('gpu-lost') && card.index === 1;
    const load = history.get(card.index)?.at(-1) ?? null;
    const on = services.filter((s) => s.running && cardOf(s, faults) === card);
    const shares = sharesOf(card, on, faults);
    const used = shares.shares.reduce((sum, share) => sum + (share.memory ?? 0), 0);
    const sample = sampleOf(card, load, used, faults, lost ? now - LOST_MS : now);
    const wrong = wrongWith(card, faults, now);
    return {
      latest: sample,
      load_history: lost ? [] : (history.get(card.index) ?? []),
      current: !lost,
      outcome: wrong[0] ?? outcome('ok', null, now - 60_000, now),
      remarks: wrong.slice(1),
      shares: lost ? null : shares,
    };
  });
  return {
    source: faults.has('gpu-smi')
      ? { source: 'nvidia_smi', container: 'myia-turbo-supervisor-1', driver: '576.52' }
      : { source: 'nvml', driver: '576.52', cuda: '12.9' },
    cards,
    checked_at: iso(now),
    error: null,
  };
}

/** Everything wrong with a card, gravest first. */
function wrongWith(card: FakeCard, faults: ReadonlySet<Fault>, now: number): Outcome[] {
  if (card.index !== 1) return [];
  const since = now - 400_000;
  const told = (cause: Outcome['cause'], evidence: Record<string, string>, grave = false) => ({
    ...outcome(grave ? 'failing' : 'degraded', cause, since, now),
    evidence: Object.entries(evidence).map(([name, value]) => ({ name, value })),
  });
  if (faults.has('gpu-lost')) {
    return [told('gpu.lost', { driver_message: 'GPU is lost (fallen off the bus)' }, true)];
  }
  const hot = faults.has('gpu-hot');
  const wrong = [
    hot && told('gpu.hot', { temperature_c: '95', slowdown_c: '93' }),
    (hot || faults.has('gpu-throttled')) &&
      told('gpu.throttled', { throttle_reasons: 'hardware_heat' }),
    faults.has('gpu-pcie') && told('gpu.pcie_degraded', { pcie_width: '1', pcie_max_width: '16' }),
  ].filter((one) => one !== false);
  // That little memory is free is no fault of the card.
  if (!faults.has('gpu-memory-low')) return wrong;
  const well = wrong.length > 0 ? [] : [outcome('ok', null, since, now)];
  return [...well, ...wrong, told('gpu.memory_low', { memory_free: '429916160' })];
}

function reasons(card: FakeCard, load: number, faults: ReadonlySet<Fault>): Throttle[] {
  if (card.index === 1 && faults.has('gpu-hot')) return ['hardware_slowdown', 'hardware_heat'];
  if (card.index === 1 && faults.has('gpu-throttled')) return ['software_heat'];
  if (load > 80) return ['power_limit'];
  return load < 10 ? ['idle'] : [];
}

function sampleOf(
  card: FakeCard,
  load: number | null,
  used: number,
  faults: ReadonlySet<Fault>,
  at: number,
): GpuSample {
  const { index, name, uuid, bus, total, watts, mhz } = card;
  const work = load ?? 0;
  const missing = faults.has('gpu-values-missing') && index === 1;
  const hot = faults.has('gpu-hot') && index === 1;
  const held = hot || (faults.has('gpu-throttled') && index === 1);
  const narrow = faults.has('gpu-pcie') && index === 1;
  /** What many drivers do not tell is left out of one card at once. */
  const maybe = <T>(value: T): T | null => (missing ? null : value);
  return {
    uuid,
    index,
    name,
    bus_id: bus,
    at: iso(at),
    load_percent: maybe(load),
    memory_load_percent: maybe(Math.round(work * 0.62)),
    encoder_percent: maybe(0),
    decoder_percent: maybe(0),
    memory_used: used,
    memory_free: total * GIB - used,
    memory_total: total * GIB,
    temperature_c: maybe(hot ? 95 : 41 + Math.round(work * 0.32)),
    slowdown_c: 93,
    shutdown_c: maybe(98),
    power_w: maybe(22 + (work / 100) * watts * 0.9),
    power_limit_w: watts,
    graphics_mhz: maybe(held ? 1005 : work > 10 ? mhz - 90 : 210),
    graphics_max_mhz: maybe(mhz),
    memory_mhz: maybe(work > 10 ? 9501 : 405),
    fan_percent: maybe(hot ? 100 : Math.round(30 + work * 0.45)),
    performance_state: maybe(work > 10 ? 2 : 8),
    throttle: maybe(reasons(card, work, faults)),
    pcie: {
      generation: maybe(work > 10 ? 4 : 1),
      width: maybe(narrow ? 1 : 16),
      max_generation: maybe(4),
      max_width: maybe(16),
    },
    processes: faults.has('gpu-processes') && !missing ? processesOf(card) : null,
  };
}

function processesOf(card: FakeCard): GpuProcess[] {
  return [
    {
      pid: 1203 + card.index,
      name: 'Xorg',
      container: null,
      memory: 0.35 * GIB,
      load_percent: 1,
    },
  ];
}
