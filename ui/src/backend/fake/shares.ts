import type { Holder, Share, Shares, ShareSource } from '../types';
import type { FakeCard } from './gpus';
import { GIB } from './gpus';
import type { Fault, FakeService } from './site';

const HELD: Record<string, number> = { 'myia-turbo': 10.6, myia: 6.2 };

const share = (
  holder: Holder,
  source: ShareSource,
  gib: number | null,
  load: number | null = null,
): Share => ({
  holder,
  source,
  memory: gib === null ? null : Math.round(gib * GIB),
  claimed: null,
  at_least: false,
  load_percent: load,
});

/** Who holds a card's memory: services by their own report, or by the driver's list. */
export function sharesOf(
  card: FakeCard,
  services: FakeService[],
  faults: ReadonlySet<Fault>,
): Shares {
  const driver = faults.has('gpu-processes');
  // Windows names no processes; Linux does.
  const remainder = driver ? 'unknown' : 'windows_and_unknown';
  const low = faults.has('gpu-memory-low') && card.index === 1;
  const named = services.map((service) => {
    const { id, kind } = service.settings;
    const held = kind === 'comfyui' ? null : (HELD[id] ?? 4.1) * (low ? 2 : 1);
    const load = driver ? (service.generating ? 88 : 0) : null;
    return share({ who: 'service', id }, driver ? 'driver' : 'reported', held, load);
  });
  const others = driver
    ? [
        share({ who: 'container', id: '9b1f0a77c2d4e6f8' }, 'driver', 0.8, 0),
        share({ who: 'process', pid: 1203 + card.index, name: 'Xorg' }, 'driver', 0.35, 1),
        share({ who: 'process', pid: 4711 + card.index, name: null }, 'driver', null),
      ]
    : [];
  const shares = [...named, ...others].sort((a, b) => (b.memory ?? 0) - (a.memory ?? 0));
  if (faults.has('gpu-contradiction') && card.index === 1) {
    const first = shares[0];
    if (first?.memory) first.claimed = first.memory + 1.4 * GIB;
    return { shares, remainder, excess: 1.4 * GIB, contradicted: ['myia-turbo'] };
  }
  shares.push(share({ who: 'unknown' }, 'remainder', card.rest));
  return { shares, remainder, excess: null, contradicted: [] };
}
