import { gigabytes } from '../../shared/format';
import { number, t } from '../../shared/i18n.svelte';

/** A size on the disk; what is not nothing is never written as 0. */
export function size(bytes: number): string {
  if (bytes >= 1024 ** 3) return t('backup.gigabytes', { size: gigabytes(bytes) });
  if (bytes >= 1024 ** 2) return t('backup.megabytes', { size: number(bytes / 1024 ** 2, 1) });
  if (bytes === 0) return t('backup.kilobytes', { size: 0 });
  return t('backup.kilobytes', { size: Math.ceil(bytes / 1024) });
}

/** Files and what they take. */
export const amount = ({ files, bytes }: { files: number; bytes: number }): string =>
  t('backup.amount', { count: files, size: size(bytes) });
