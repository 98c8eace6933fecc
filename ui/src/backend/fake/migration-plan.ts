import type { MigrationPlan, MigrationStep, MigrationView, Words } from '../migration';

export const words = (en: string, fr: string): Words => ({ en, fr });

interface FakePhase {
  id: MigrationPlan['phase'][number]['id'];
  title: Words;
  days: [number, number];
  steps: string[];
}

/** A plan that says nothing of the public address. */
export const NO_IIS: MigrationView['iis'] = {
  web_config: null,
  public_url: null,
  rule: null,
  rehearsal_rule: null,
  rehearsal_url: null,
};

/** The phases with their steps. */
export const PHASES: FakePhase[] = [
  {
    id: 'groundwork',
    title: words('Groundwork', 'Préalables'),
    days: [3, 3],
    steps: ['target-image', 'gpu-plan', 'disk-space'],
  },
  {
    id: 'preparation',
    title: words('Preparation', 'Préparation'),
    days: [7, 14],
    steps: [
      'read-docs',
      'backup',
      'compose-beside',
      'workflows',
      'document-models',
      'training',
      'maintenance-window',
    ],
  },
  {
    id: 'migration',
    title: words('Gradual migration', 'Migration progressive'),
    days: [14, 28],
    steps: ['share-models', 'custom-nodes', 'batch-equivalence', 'proxy-rehearsal', 'quality'],
  },
  {
    id: 'cutover',
    title: words('Cutover to production', 'Bascule en production'),
    days: [7, 7],
    steps: ['proxy-cutover', 'stability', 'standby', 'decommission'],
  },
];

type Row = [
  id: string,
  title: Words,
  days: [number, number],
  check: MigrationStep['check'],
  needs: string[],
  expires: number | null,
];

/** Every step of the built-in plan. */
export const STEPS: Row[] = [
  [
    'target-image',
    words('The target image exists and is maintained', 'L’image cible existe et est maintenue'),
    [1, 1],
    'target_image',
    [],
    30,
  ],
  ['gpu-plan', words('GPU plan', 'Répartition des GPU'), [1, 1], 'gpu_plan', [], 30],
  ['disk-space', words('Disk space', 'Espace disque'), [1, 1], 'disk_space', [], 7],
  [
    'read-docs',
    words('Read the documentation of ComfyUI', 'Lire la documentation de ComfyUI'),
    [1, 2],
    null,
    [],
    null,
  ],
  [
    'backup',
    words('Back up the configuration of Forge', 'Sauvegarder la configuration de Forge'),
    [1, 1],
    'backup',
    [],
    30,
  ],
  [
    'compose-beside',
    words('Set up ComfyUI beside Forge', 'Installer ComfyUI en parallèle de Forge'),
    [1, 3],
    'compose_beside',
    ['target-image', 'gpu-plan', 'disk-space'],
    30,
  ],
  [
    'workflows',
    words(
      'Try workflows equivalent to those of Forge',
      'Tester les workflows équivalents à ceux de Forge',
    ),
    [1, 3],
    'workflows_accepted',
    ['compose-beside'],
    60,
  ],
  [
    'document-models',
    words('Document how models are migrated', 'Documenter la migration des modèles'),
    [1, 2],
    null,
    ['compose-beside'],
    null,
  ],
  [
    'training',
    words(
      'Train the users on ComfyUI and its workflows',
      'Former les utilisateurs à ComfyUI et à ses workflows',
    ),
    [1, 2],
    null,
    ['compose-beside'],
    null,
  ],
  [
    'maintenance-window',
    words('Plan the maintenance window', 'Planifier la fenêtre de maintenance'),
    [1, 1],
    null,
    [],
    null,
  ],
  [
    'share-models',
    words('Bring the SDXL models to ComfyUI', 'Migrer les modèles SDXL vers ComfyUI'),
    [2, 4],
    'share_models',
    ['compose-beside', 'disk-space', 'document-models'],
    30,
  ],
  [
    'custom-nodes',
    words(
      'Set up custom nodes equivalent to the extensions of Forge',
      'Configurer les nœuds personnalisés équivalents aux extensions de Forge',
    ),
    [5, 10],
    'custom_nodes',
    ['compose-beside', 'workflows'],
    30,
  ],
  [
    'batch-equivalence',
    words('Try an equivalent batch', 'Tester une génération par lots équivalente'),
    [4, 8],
    'batch_equivalence',
    ['share-models', 'custom-nodes', 'workflows'],
    30,
  ],
  [
    'proxy-rehearsal',
    words(
      'Rehearse the cutover of IIS on a second host name',
      'Répéter la bascule d’IIS sur un second nom d’hôte',
    ),
    [1, 1],
    'proxy_rehearsal',
    ['batch-equivalence'],
    30,
  ],
  [
    'quality',
    words('Approve the quality of the pictures', 'Valider la qualité des images'),
    [2, 5],
    'quality',
    ['batch-equivalence', 'proxy-rehearsal'],
    60,
  ],
  [
    'proxy-cutover',
    words('Point IIS ARR to ComfyUI', 'Rediriger IIS ARR vers ComfyUI'),
    [1, 1],
    'proxy_cutover',
    ['backup', 'maintenance-window', 'training', 'batch-equivalence', 'proxy-rehearsal', 'quality'],
    null,
  ],
  [
    'stability',
    words('Watch performance and stability', 'Surveiller les performances et la stabilité'),
    [5, 5],
    'stability',
    ['proxy-cutover'],
    null,
  ],
  [
    'standby',
    words('Keep Forge on standby for two weeks', 'Garder Forge en secours deux semaines'),
    [14, 14],
    'standby',
    ['proxy-cutover'],
    null,
  ],
  [
    'decommission',
    words('Decommission Forge', 'Décommissionner Forge'),
    [1, 1],
    'decommission',
    ['backup', 'stability', 'standby'],
    null,
  ],
];
