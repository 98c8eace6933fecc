import type {
  Confidence,
  Declaration,
  Doubt,
  Found,
  GpuCard,
  PlacementProgress,
  Proved,
  ServiceState,
  Status,
} from '../../backend/types';
import { t } from '../../shared/i18n.svelte';
import { cardName } from './names';

/** Whether a proof, while it is believed, shows what nobody declared. */
export const isWrong = (proved: Proved): boolean =>
  proved.verdict === 'differs' || proved.verdict === 'shared_card' || proved.verdict === 'cpu';

/** Green only for a proof that is believed and agrees; nothing else proves anything good. */
export function proofStatus(proved: Proved | null): Status {
  if (proved === null || proved.faded !== null) return 'unknown';
  switch (proved.verdict) {
    case 'agrees':
      return 'ok';
    case 'differs':
    case 'shared_card':
      return 'degraded';
    case 'cpu':
      return 'failing';
    case 'undeclared':
      return 'not_configured';
    case 'conflicting':
    case 'could_not_tell':
      return 'unknown';
  }
}

/** What a proof found, against what is declared now, in a few words. */
export function verdictWords(service: ServiceState, cards: GpuCard[]): string {
  const { proved, declared } = service.placement;
  if (!proved) return t('placement.verdict.none');
  const card = proved.card === null ? '?' : cardName(cards, proved.card);
  if (proved.faded !== null && proved.verdict !== 'could_not_tell') {
    return proved.card === null
      ? t('placement.verdict.faded_cpu')
      : t('placement.verdict.faded', { card });
  }
  const meant = declared.card === null ? '?' : cardName(cards, declared.card);
  return t(`placement.verdict.${proved.verdict}`, { card, declared: meant });
}

/** What else a proof says of other services. */
export function neighbours(proved: Proved): string[] {
  if (proved.faded !== null) return [];
  const lines: string[] = [];
  if (proved.shared_with.length > 0) {
    lines.push(t('placement.shared_with', { services: proved.shared_with.join(', ') }));
  }
  if (proved.swapped_with !== null) {
    lines.push(t('placement.swapped_with', { service: proved.swapped_with }));
  }
  return lines;
}

/** What a newer proof that could not tell takes away from it: nothing, and it is said. */
export const unclearWords = (reason: Doubt): string =>
  t('placement.tried_again', { why: t(`placement.doubt.${reason}`) });

/** How sure a finding is, and on how many rounds it stands. */
export const weightWords = (confidence: Confidence, rounds: number): string =>
  [
    confidence === 'none' ? null : t(`placement.confidence.${confidence}`),
    t('placement.rounds', { count: rounds }),
  ]
    .filter((part) => part !== null)
    .join('\u00a0· ');

/** Where a declaration stands; a reservation may come from compose or from `docker run`. */
export function sourceWords(declaration: Declaration, service: ServiceState): string {
  if (declaration.source === 'reservation' && service.container?.compose_service === null) {
    return t('placement.source.gpus_option');
  }
  return t(`placement.source.${declaration.source}`);
}

/** What one round says alone. */
export function foundWords(found: Found, cards: GpuCard[]): string {
  switch (found.found) {
    case 'card':
      return t('placement.found.card', { card: cardName(cards, found.uuid) });
    case 'cpu':
      return t('placement.found.cpu');
    case 'unclear':
      return t('placement.found.unclear', { why: t(`placement.doubt.${found.reason}`) });
  }
}

/** How far a proof is, in words. */
export function progressWords(progress: PlacementProgress | null): string {
  if (progress === null) return t('placement.starting');
  const stage = t(`placement.stage.${progress.stage}`);
  if (progress.stage === 'waiting') return stage;
  return t('placement.progress', { stage, round: progress.round, rounds: progress.rounds });
}

const PARTS = { resting: 0, working: 1, settling: 2 } as const;

/** The same from 0 to 1; `null` while it waits. */
export function progressPart(progress: PlacementProgress | null): number | null {
  if (progress === null || progress.stage === 'waiting') return null;
  const done = (progress.round - 1) * 3 + PARTS[progress.stage];
  return done / (Math.max(progress.rounds, progress.round) * 3);
}
