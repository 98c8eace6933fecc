import type { MigrationPlan, MigrationStep, StepPreview } from '../migration';
import { PHASES, STEPS, words } from './migration-plan';
import { iso } from './site';

/** What this fake can do besides looking. */
const RUNS: MigrationStep['check'][] = [
  'compose_beside',
  'share_models',
  'proxy_rehearsal',
  'proxy_cutover',
  'standby',
  'decommission',
];
const DAY = 86_400_000;

/** The steps in the middle of a migration: one in each state. */
export function firstSteps(now: number): MigrationStep[] {
  const at = (days: number) => iso(now - days * DAY);
  const proved = (days: number, attested = false) => ({
    state: { is: 'proved' as const, at: at(days), attested },
    proof: {
      at: at(days),
      verdict: 'passed' as const,
      evidence: [
        { name: attested ? 'note' : 'service', value: attested ? 'all of it' : 'comfyui' },
      ],
      basis: attested ? { attested: { by: 'jesse' } } : ('measured' as const),
    },
  });
  const states: Record<string, Partial<MigrationStep>> = {
    'target-image': proved(3),
    'gpu-plan': {
      ...proved(2),
      look: {
        at: at(2),
        finding: {
          found: 'unknown',
          says: [
            words(
              'Not set: write `gpu` below `[target]` in migration.toml.',
              'Non renseigné\u202f: écrire `gpu` sous `[target]` dans migration.toml.',
            ),
          ],
          evidence: [{ name: 'unset', value: 'target.gpu' }],
        },
      },
    },
    'disk-space': { ...proved(9), state: { is: 'stale', since: at(2) } },
    'read-docs': proved(5, true),
    backup: {
      state: { is: 'failed', at: at(1) },
      proof: {
        at: at(1),
        verdict: 'failed',
        evidence: [{ name: 'files_damaged', value: '2' }],
        basis: 'measured',
      },
      look: {
        at: at(1),
        finding: {
          found: 'failed',
          says: [
            words('Two files of the copy are damaged.', 'Deux fichiers de la copie sont abîmés.'),
          ],
          evidence: [{ name: 'files_damaged', value: '2' }],
        },
      },
    },
    'compose-beside': proved(2),
    'document-models': proved(1, true),
    training: { state: { is: 'skipped', why: 'nobody else uses it' } },
    'maintenance-window': { note: 'A Friday evening.' },
    'share-models': {
      state: { is: 'running', since: iso(now - 20_000) },
      doing: {
        action: 'run',
        since: iso(now - 20_000),
        progress: { doing: words('Reading headers', 'Lecture des en-têtes'), percent: 40 },
        here: false,
        interrupted: false,
      },
    },
  };
  return STEPS.map(([id, title, days, check, needs, expires]) => ({
    id,
    title,
    why: words('What is true once it is proved.', 'Ce qui est vrai une fois prouvé.'),
    days,
    check,
    needs,
    expires_after: expires,
    risky: ['proxy_cutover', 'decommission'].includes(check ?? ''),
    own: false,
    note: null,
    state: { is: 'ready' as const },
    dates: null,
    proof: null,
    holds_until: null,
    look: null,
    built: check !== null && check !== 'stability',
    can_run: RUNS.includes(check),
    can_undo: RUNS.includes(check),
    can_drill: check === 'standby',
    doing: null,
    ...states[id],
  }));
}

/** What trying the way back would do. */
export function drillPreview(): StepPreview {
  return {
    lines: [
      { is: 'does', words: words('Starts the old service.', 'Démarre l’ancien service.') },
      { is: 'does', words: words('Makes one picture with it.', 'Génère une image avec lui.') },
      { is: 'does', words: words('Stops it again.', 'L’arrête de nouveau.') },
    ],
    interrupts: [],
    undo: words('It leaves everything as it was.', 'Tout est laissé comme avant.'),
    refused: [],
    confirm: null,
  };
}

/** What was weighed, in short. */
export function background(): MigrationPlan {
  const title = words('Migration from Forge to ComfyUI', 'Migration de Forge vers ComfyUI');
  return {
    title,
    decision: words('Move within six months.', 'Migrer sous six mois.'),
    phase: PHASES.map(({ id, title: name, days }) => ({ id, title: name, days })),
    step: [],
    resource: [words('Time: four to seven weeks', 'Temps\u202f: quatre à sept semaines')],
    risk: [
      {
        risk: words('Forge stops working', 'Forge cesse de fonctionner'),
        likelihood: 'low',
        impact: 'high',
        mitigation: words('ComfyUI is prepared', 'ComfyUI est prêt'),
      },
    ],
    alternative: [
      {
        name: words('Migrate to ComfyUI', 'Migrer vers ComfyUI'),
        verdict: 'recommended',
        pros: [words('Maintained', 'Maintenu')],
        cons: [words('Takes time', 'Prend du temps')],
      },
    ],
    timeline: [
      { when: words('The first day', 'Le premier jour'), what: words('Approval', 'Validation') },
    ],
    meanwhile: [words('Every week: the logs', 'Chaque semaine\u202f: les journaux')],
    afterwards: [words('Train new users', 'Former les nouveaux utilisateurs')],
  };
}

/** How many steps are in which state. */
export function count(steps: readonly MigrationStep[]) {
  const of = (is: string) => steps.filter((step) => step.state.is === is).length;
  const attested = steps.filter((step) => step.state.is === 'proved' && step.state.attested);
  return {
    blocked: of('blocked'),
    ready: of('ready'),
    running: of('running'),
    measured: of('proved') - attested.length,
    attested: attested.length,
    failed: of('failed'),
    stale: of('stale'),
    skipped: of('skipped'),
  };
}
