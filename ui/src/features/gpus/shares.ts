import type { GpuCard, Holder, Share } from '../../backend/types';
import { t } from '../../shared/i18n.svelte';
import { gb } from './words';

/** A part of a bar. */
export interface Part {
  key: string;
  name: string;
  /** As in a legend. */
  text: string;
  /** Bytes. */
  memory: number;
  tone: string;
}

/** Named holders keep apart from each other; what is not known is grey. */
const TONES = ['var(--ember)', 'var(--sleep)', 'var(--cyan)', 'var(--magenta)'];
const UNKNOWN_TONE = 'var(--unk)';

export function holderName(holder: Holder, card: GpuCard): string {
  switch (holder.who) {
    case 'service':
      return holder.id;
    case 'container':
      return t('gpu.holder.container', { id: holder.id.slice(0, 12) });
    case 'process': {
      const pid = String(holder.pid);
      return holder.name === null
        ? t('gpu.holder.process_unnamed', { pid })
        : t('gpu.holder.process', { name: holder.name, pid });
    }
    case 'unknown':
      return t(
        card.shares?.remainder === 'windows_and_unknown'
          ? 'gpu.holder.windows'
          : 'gpu.holder.unknown',
      );
  }
}

export const holderKey = (holder: Holder): string =>
  holder.who === 'process'
    ? `process ${holder.pid}`
    : holder.who === 'unknown'
      ? 'unknown'
      : `${holder.who} ${holder.id}`;

const counted = (share: Share): share is Share & { memory: number } =>
  share.memory !== null && share.memory > 0;

/**
 * The parts of a card's used memory, largest first: at most `most` holders by name, the others
 * together, and at last what nobody claims.
 */
export function parts(card: GpuCard, most = Infinity, marked = false): Part[] {
  const shares = (card.shares?.shares ?? []).filter(counted);
  const named = shares.filter(({ holder }) => holder.who !== 'unknown');
  const nobody = shares.filter(({ holder }) => holder.who === 'unknown');
  const part = (share: Share & { memory: number }, tone: string): Part => {
    const name = holderName(share.holder, card);
    const reported = marked && share.source === 'reported';
    const text = t(reported ? 'gpu.share_reported' : 'gpu.share', {
      holder: name,
      memory: gb(share.memory),
    });
    return { key: holderKey(share.holder), name, text, memory: share.memory, tone };
  };
  const shown = named
    .slice(0, most)
    .map((share, index) => part(share, TONES[index % TONES.length] ?? UNKNOWN_TONE));
  const rest = named.slice(most).reduce((sum, share) => sum + share.memory, 0);
  if (rest > 0) {
    const name = t('gpu.holder.others');
    const text = t('gpu.share', { holder: name, memory: gb(rest) });
    shown.push({ key: 'others', name, text, memory: rest, tone: 'var(--edge)' });
  }
  return [...shown, ...nobody.map((share) => part(share, UNKNOWN_TONE))];
}

/** A part for the bar alone where only the sum is known. */
export function usedPart(card: GpuCard): Part[] {
  const memory = card.latest.memory_used;
  if (memory === null) return [];
  const name = t('gpu.memory');
  return [{ key: 'used', name, text: name, memory, tone: UNKNOWN_TONE }];
}
