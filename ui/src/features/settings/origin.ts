import { t } from '../../shared/i18n.svelte';

/** Where an engine's address was found, in words. */
export function originWords(origin: string): string {
  if (origin === 'default') return t('engine.origin_default');
  const context = /^context (.+)$/.exec(origin)?.[1];
  return context ? t('engine.origin_context', { name: context }) : origin;
}
