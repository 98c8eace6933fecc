import { t } from '../../shared/i18n.svelte';
import type { Offered } from './choices.svelte';

export interface Option {
  value: string;
  label: string;
}

/** Entries of a list to choose from; what is chosen stays, and is marked where nobody offers it. */
export function options(offered: Offered[] | null, chosen: string | null): Option[] {
  const listed = (offered ?? []).map(({ name, only }) => ({
    value: name,
    label: only.length === 0 ? name : t('bench.only_on', { name, services: only.join(', ') }),
  }));
  const missing = chosen !== null && !listed.some((one) => one.value === chosen);
  const own = missing
    ? [{ value: chosen, label: offered ? t('bench.not_offered', { name: chosen }) : chosen }]
    : [];
  return [{ value: '', label: t('bench.server_default') }, ...own, ...listed];
}
