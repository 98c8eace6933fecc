import type {
  GenerationRecord,
  GoldenComparison,
  GoldenRow,
  Pace,
  Status,
  Vote,
} from '../../backend/types';
import { gigabytes, seconds } from '../../shared/format';
import { number, t } from '../../shared/i18n.svelte';

export const VOTES: readonly Vote[] = ['reference', 'candidate', 'equal', 'neither'];

/** A time by another one, in words: which way it goes is never left to a number alone. */
export function ratio({ pace, slower }: { pace: Pace | null; slower: number | null }): string {
  if (pace === null || slower === null) return t('golden.unknown');
  if (pace === 'as_fast') return t('golden.as_fast');
  return pace === 'faster'
    ? t('golden.faster', { by: number(1 / slower, 2) })
    : t('golden.slower', { by: number(slower, 2) });
}

/** What a comparison comes to, in a sentence. */
export const finding = ({ holds, summary }: GoldenComparison): { status: Status; text: string } =>
  summary.finding === 'different'
    ? {
        status: holds ? 'ok' : 'degraded',
        text: t(holds ? 'golden.finding.other_program' : 'golden.finding.changed'),
      }
    : {
        status: summary.finding === 'nothing' ? 'unknown' : holds ? 'ok' : 'failing',
        text: t(`golden.finding.${summary.finding}`),
      };

export const time = (ms: number | null): string =>
  ms === null ? t('golden.unknown') : seconds(ms);
export const memory = (bytes: number | null): string =>
  bytes === null ? t('golden.unknown') : t('gallery.gigabytes', { size: gigabytes(bytes) });

/** Whether a generation gave something to look at. */
export const pictured = (record: GenerationRecord | null): record is GenerationRecord =>
  (record?.pictures.length ?? 0) > 0;
export const comparable = (row: GoldenRow) => pictured(row.reference) && pictured(row.candidate);

/** How alike the pictures of a prompt are. */
export function likeness({ likeness: found }: GoldenRow): string {
  if (!found) return t('golden.unknown');
  if (found.identical) return t('golden.identical');
  return found.similarity === null ? t('golden.other_size') : number(found.similarity, 2);
}

/** How a run is called where two of them stand side by side. */
export const sideName = (comparison: GoldenComparison, side: 0 | 1): string =>
  `${side === 0 ? 'A' : 'B'} · ${comparison.services[side]}`;
