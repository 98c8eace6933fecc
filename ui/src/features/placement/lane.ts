import type { GpuCard, Job, ServiceState } from '../../backend/types';
import { t } from '../../shared/i18n.svelte';
import { cardName } from './names';
import { isWrong } from './say';

/** Where a service computes, on one line: what is known, and apart from it what is wrong. */
export interface LaneWords {
  words: string;
  /** Said after it, in the tone of a warning or of a failure. */
  wrong: string | null;
  tone: 'measured' | 'degraded' | 'failing' | 'unproved';
}

/** Whether a proof of the service is under way. */
export const isMeasuring = (jobs: Job[], service: string): boolean =>
  jobs.some(
    (job) =>
      job.service === service && job.kind.what === 'prove_placement' && job.phase === 'running',
  );

export function laneWords(service: ServiceState, cards: GpuCard[], measuring: boolean): LaneWords {
  const { declared, proved } = service.placement;
  const meant = declared.card === null ? null : cardName(cards, declared.card);
  const said =
    meant === null
      ? t(declared.all.length > 0 ? 'placement.lane.no_single' : 'placement.lane.undeclared')
      : t('placement.lane.declared', { card: meant });
  if (measuring) {
    return { words: `${said}, ${t('placement.lane.measuring')}`, wrong: null, tone: 'unproved' };
  }
  const counts = proved !== null && proved.faded === null;
  if (counts && proved.card !== null && !isWrong(proved)) {
    const card = cardName(cards, proved.card);
    return { words: t('placement.lane.measured', { card }), wrong: null, tone: 'measured' };
  }
  if (counts && proved.card !== null) {
    const wrong = t(
      proved.verdict === 'shared_card' ? 'placement.lane.wrong_shared' : 'placement.lane.wrong',
      { card: cardName(cards, proved.card) },
    );
    return { words: said, wrong, tone: 'degraded' };
  }
  if (counts && proved.verdict === 'cpu') {
    return { words: '', wrong: t('placement.lane.cpu'), tone: 'failing' };
  }
  const nothing = meant === null && declared.all.length === 0;
  return {
    words: nothing ? t('placement.lane.unknown') : `${said}, ${t('placement.lane.unproved')}`,
    wrong: null,
    tone: 'unproved',
  };
}
