import type { Signature } from '../types';

const signature = (
  id: string,
  severity: Signature['severity'],
  en: [title: string, cause: string, remedy: string],
  fr: [title: string, cause: string, remedy: string],
  blocking: Signature['blocking'] = 'no',
): Signature => ({
  id,
  area: 'extensions',
  scope: 'ext',
  pattern: '',
  severity,
  blocking,
  action: null,
  source: '',
  en: { title: en[0], cause: en[1], remedy: en[2] },
  fr: { title: fr[0], cause: fr[1], remedy: fr[2] },
});

/** The three messages of the founding document and others, in words that stand for the real ones. */
export const SIGNATURES: Signature[] = [
  signature(
    'ext.ldm-missing-cause',
    'degraded',
    [
      'An extension needs a package that Forge does not contain',
      'An extension written for A1111 imports the `ldm` package, which Forge does not contain. Only the script of that extension is skipped; no job fails because of it.',
      'Disable or remove the extension, usually regional-prompter, negpip or an old animatediff; Forge Couple replaces the first. Do not install `ldm`. The `*** Error loading script` line before it names the file.',
    ],
    [
      'Une extension demande un paquet que Forge ne contient pas',
      'Une extension écrite pour A1111 importe le paquet `ldm`, que Forge ne contient pas. Seul le script de cette extension est ignoré ; aucun travail n’échoue pour cette raison.',
      'Désactiver ou retirer l’extension, le plus souvent regional-prompter, negpip ou un ancien animatediff ; Forge Couple remplace la première. Ne pas installer `ldm`. La ligne `*** Error loading script` qui précède donne le nom du fichier.',
    ],
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
  signature(
    'cuda.illegal',
    'error',
    [
      'The CUDA context is broken',
      'The GPU reported an invalid memory access. The CUDA context is broken: every later job of this process fails.',
      'Restart the service. If it happens again, look at overclocking, the driver, `--cuda-malloc` or a single extension.',
    ],
    [
      'Le contexte CUDA est cassé',
      'Le GPU a signalé un accès mémoire invalide. Le contexte CUDA est cassé : toutes les tâches suivantes de ce processus échouent.',
      'Redémarrer le service. Si cela se reproduit, examiner l’overclocking, le pilote, `--cuda-malloc` ou une extension en particulier.',
    ],
    'service',
  ),
  signature(
    'oom.torch',
    'error',
    ['The GPU ran out of memory', 'The picture did not fit.', 'Make smaller pictures.'],
    ['Le GPU a manqué de mémoire', 'L’image ne tenait pas.', 'Faire des images plus petites.'],
    'job',
  ),
  signature(
    'port.taken',
    'fatal',
    ['The port is in use', 'Another program listens there.', 'Stop the other program.'],
    ['Le port est déjà pris', 'Un autre programme y écoute.', 'Arrêter l’autre programme.'],
    'service',
  ),
];
