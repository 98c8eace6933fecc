import type { Signature } from '../types';

const signature = (
  id: string,
  severity: Signature['severity'],
  en: [title: string, cause: string, remedy: string],
  fr: [title: string, cause: string, remedy: string],
): Signature => ({
  id,
  area: 'extensions',
  scope: 'ext',
  pattern: '',
  severity,
  blocking: 'no',
  action: null,
  source: '',
  en: { title: en[0], cause: en[1], remedy: en[2] },
  fr: { title: fr[0], cause: fr[1], remedy: fr[2] },
});

/** The three messages of the founding document, in words that only stand for the real ones. */
export const SIGNATURES: Signature[] = [
  signature(
    'ext.ldm-missing-cause',
    'degraded',
    ['An extension needs the missing `ldm` package', 'Its script is skipped.', 'Disable it.'],
    ['Une extension demande le paquet `ldm`', 'Son script est ignoré.', 'La désactiver.'],
  ),
  signature(
    'ext.script-load',
    'degraded',
    ['A script of an extension did not load', 'The rest works.', 'Update the extension.'],
    ['Un script d’extension n’a pas été chargé', 'Le reste marche.', 'Mettre à jour l’extension.'],
  ),
  signature(
    'torch.load-futurewarning',
    'info',
    ['PyTorch announces a new default', 'No effect on pictures.', 'Nothing to do.'],
    ['PyTorch annonce un nouveau défaut', 'Aucun effet sur les images.', 'Rien à faire.'],
  ),
];
