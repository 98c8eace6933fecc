import type { Severity, Signature, Status } from '../../backend/types';
import { language } from '../../shared/i18n.svelte';

/** What people read of a signature; a rule of one's own may know one language only. */
export function wording(signature: Signature) {
  const { en, fr } = signature;
  return (language.locale === 'fr' ? (fr ?? en) : (en ?? fr)) ?? null;
}

/** The shape that stands for a severity: normal life is no proof that all is well. */
export const SHAPE: Record<Severity, Status> = {
  info: 'not_configured',
  warning: 'degraded',
  degraded: 'degraded',
  error: 'failing',
  fatal: 'failing',
};
