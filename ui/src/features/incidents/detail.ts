import type { GpuCard, Incident, Proved, ServiceState } from '../../backend/types';
import { gigabytes } from '../../shared/format';
import { t, tMaybe } from '../../shared/i18n.svelte';
import { cardName } from '../placement/names';
import { isWrong, neighbours, sourceWords } from '../placement/say';
import { configurationDetail } from './configuration';
import { numberOf, valueOf } from './evidence';

/** The proof that an incident rests on, while it is believed. */
export function proofBehind(incident: Incident, service: ServiceState | undefined): Proved | null {
  const proved = service?.placement.proved ?? null;
  if (proved === null || proved.faded !== null || !isWrong(proved)) return null;
  const cpu = proved.verdict === 'cpu';
  return incident.cause === (cpu ? 'image.cpu_fallback' : 'placement.mismatch') ? proved : null;
}

/** What was declared and what was measured, as far as a proof tells it. */
function proofDetail(service: ServiceState, proved: Proved, cards: GpuCard[]): string {
  const { declared } = service.placement;
  const parts: string[] = [];
  const source = declared.all.find(
    (one) => one.cards.length === 1 && one.cards[0] === declared.card,
  );
  if (declared.card !== null && source) {
    parts.push(
      t('incident.basis.declared', {
        subject: service.id,
        card: cardName(cards, declared.card),
        source: sourceWords(source, service),
      }),
    );
  }
  const count = proved.rounds;
  parts.push(
    proved.card === null
      ? t('incident.basis.cpu', { count })
      : t('incident.basis.measured', { count, card: cardName(cards, proved.card) }),
  );
  if (proved.swapped_with !== null) {
    parts.push(...neighbours({ ...proved, shared_with: [] }).map((line) => `${line}.`));
  }
  return parts.join(' ');
}

/** What was read of a card, where its evidence has the numbers. */
function cardDetail(incident: Incident): string | null {
  const read = (name: string) => numberOf(incident, name);
  switch (incident.cause) {
    case 'gpu.hot': {
      const [degrees, limit] = [read('temperature_c'), read('slowdown_c')];
      return degrees === null || limit === null
        ? null
        : t('incident.basis.gpu.hot', { degrees, limit });
    }
    case 'gpu.lost': {
      const words = valueOf(incident, 'driver_message');
      return words === undefined ? null : t('incident.basis.gpu.lost', { words });
    }
    case 'gpu.throttled': {
      const told = valueOf(incident, 'throttle_reasons');
      if (told === undefined) return null;
      const words = told.split(', ').map((one) => tMaybe(`incident.throttle.${one}`) ?? one);
      const reasons = words.join(', ');
      const [now, most] = [read('graphics_mhz'), read('graphics_max_mhz')];
      return now === null || most === null
        ? t('incident.basis.gpu.throttled_why', { reasons })
        : t('incident.basis.gpu.throttled', { reasons, now, most });
    }
    case 'gpu.pcie_degraded': {
      const [now, most] = [read('pcie_width'), read('pcie_max_width')];
      return now === null || most === null
        ? null
        : t('incident.basis.gpu.pcie_degraded', { now, most });
    }
    case 'gpu.memory_low': {
      const [free, total] = [read('memory_free'), read('memory_total')];
      return free === null || total === null
        ? null
        : t('incident.basis.gpu.memory_low', { free: gigabytes(free), total: gigabytes(total) });
    }
    default:
      return null;
  }
}

/** What an incident rests on, in one or two sentences; `null` where its evidence is all there is. */
export function incidentDetail(
  incident: Incident,
  service: ServiceState | undefined,
  cards: GpuCard[],
): string | null {
  const proved = proofBehind(incident, service);
  if (service && proved) return proofDetail(service, proved, cards);
  return cardDetail(incident) ?? configurationDetail(incident);
}
