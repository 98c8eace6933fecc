import type { LogMeter } from '../../backend/types';
import { duration, fullTime } from '../../shared/format';
import { t } from '../../shared/i18n.svelte';

/** Shorter delays are the way of things. */
const WORTH_TELLING_MS = 2_000;

/** How far the stream is behind its program; `null` where that is not worth a word or unknown. */
export function delayWords({ connected, behind_ms, catching_up }: LogMeter): string | null {
  if (!connected || behind_ms === null || behind_ms <= WORTH_TELLING_MS) return null;
  const time = duration(behind_ms);
  return catching_up ? t('logs.catching_up', { time }) : t('logs.behind', { time });
}

/** Where the lines come from while the stream stands still. */
export function sourceWords(meter: LogMeter): string | null {
  if (meter.source.from === 'file') return t('logs.from_file', { path: meter.source.path });
  return meter.silent && meter.file_error !== null
    ? t('logs.file_failed', { reason: meter.file_error })
    : null;
}

/** Whether the log is stored; `bad` where lines are missing that should be. */
export function storageWords({ stored }: LogMeter): { words: string; bad: boolean } | null {
  switch (stored.state) {
    case 'opening':
      return null;
    case 'elsewhere':
      return { words: t('logs.not_stored_elsewhere'), bad: false };
    case 'read_only':
      return { words: t('logs.not_stored_read_only'), bad: false };
    case 'failed':
      return { words: t('logs.not_stored', { reason: stored.reason }), bad: true };
    case 'here':
      if (stored.error !== null) {
        return { words: t('logs.not_stored', { reason: stored.error }), bad: true };
      }
      return stored.oldest === null
        ? null
        : { words: t('logs.stored_since', { at: fullTime(stored.oldest) }), bad: false };
  }
}

/** A log and its service. */
export interface Voiced {
  service: string;
  meter: LogMeter;
}

/** Of several logs the one that has to be told of: one that is not read, a silent one, one that is
 * not stored, else the first. */
export function worst(logs: readonly Voiced[]): Voiced | undefined {
  const rank = ({ meter }: Voiced) =>
    !meter.connected ? 0 : meter.silent ? 1 : storageWords(meter)?.bad ? 2 : 3;
  return [...logs].sort((a, b) => rank(a) - rank(b))[0];
}
