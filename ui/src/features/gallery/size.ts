import { gigabytes } from '../../shared/format';
import { number, t } from '../../shared/i18n.svelte';

/** A size on the disk; what is not nothing is never written as 0. */
export function size(bytes: number): string {
  if (bytes >= 1024 ** 3) return t('gallery.gigabytes', { size: gigabytes(bytes) });
  const megabytes = bytes / 1024 ** 2;
  const digits = megabytes >= 10 || megabytes === 0 ? 0 : 1;
  const least = megabytes > 0 && megabytes < 0.1;
  return t('gallery.megabytes', { size: least ? `<${number(0.1, 1)}` : number(megabytes, digits) });
}
