import { language } from '../../shared/i18n.svelte';

/** Several names in one sentence: `a, b and c`. */
export const listed = (names: string[]): string =>
  new Intl.ListFormat(language.locale === 'fr' ? 'fr-FR' : 'en-GB', { type: 'conjunction' }).format(
    names,
  );
