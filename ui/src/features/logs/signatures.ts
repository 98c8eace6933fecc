import { SvelteMap } from 'svelte/reactivity';

import type { Backend } from '../../backend/backend';
import type { LogLine, Severity, Signature, Status } from '../../backend/types';
import { language } from '../../shared/i18n.svelte';

/** Known messages by their ids, asked for once; until then lines are shown without them. */
export class Signatures {
  private readonly known = new SvelteMap<string, Signature>();

  constructor(backend: Backend) {
    backend.signatures().then(
      (all) => {
        for (const one of all) this.known.set(one.id, one);
      },
      // Lines without their meaning are still lines; the next visit asks again.
      () => undefined,
    );
  }

  of(line: LogLine): Signature | null {
    return line.signature === null ? null : (this.known.get(line.signature) ?? null);
  }
}

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
