import type {
  AddedStep,
  MigrationBackend,
  MigrationPlan,
  MigrationStep,
  MigrationView,
  RecordEntry,
  StepLook,
  StepPreview,
} from '../migration';
import type { ErrorInfo } from '../types';
import { FakeDecisions } from './decisions';
import { NO_IIS, PHASES, words } from './migration-plan';
import { background, count, drillPreview, firstSteps } from './migration-states';
import { iso } from './site';

/** Milliseconds of its own clock that a step takes. */
const TAKES = 4_000;

function refuse(message: string, hint: string | null = null): never {
  const error: ErrorInfo = { code: 'refused', message, hint, detail: null };
  throw error;
}

type What = 'run' | 'undo' | 'drill';

/** The migration of a site in the middle of it: one step in each state. */
export class FakeMigration extends FakeDecisions implements MigrationBackend {
  private steps: MigrationStep[];
  private readonly entries: RecordEntry[] = [];
  private readonly running = new Map<string, { what: What; until: number }>();

  constructor(
    private readonly now: () => number,
    private readonly changed: () => void,
    calls: string[],
  ) {
    super(calls, (step) => this.log(step, 'edit', 'done'));
    this.steps = firstSteps(now());
  }

  /** Ends what has taken its time. */
  advance() {
    for (const [id, { what, until }] of this.running) {
      const step = this.find(id);
      if (this.now() < until) {
        const percent = Math.round(100 - ((until - this.now()) / TAKES) * 100);
        if (step.doing)
          step.doing.progress = { doing: words('Writing files', 'Écriture des fichiers'), percent };
        continue;
      }
      this.running.delete(id);
      step.doing = null;
      if (what === 'undo') {
        step.state = { is: 'ready' };
        step.proof = null;
      } else this.prove(step, null);
      this.log(id, what, 'done');
    }
  }

  async view(): Promise<MigrationView> {
    this.advance();
    this.unblock();
    const doable = (step: MigrationStep) => ['ready', 'failed', 'stale'].includes(step.state.is);
    return structuredClone({
      at: iso(this.now()),
      file: { path: '/home/admin/.config/forgekeeper/migration.toml', exists: true, problems: [] },
      title: words('Migration from Forge to ComfyUI', 'Migration de Forge vers ComfyUI'),
      counts: count(this.steps),
      next: this.steps.find(doable)?.id ?? null,
      phases: PHASES.map((phase) => {
        const steps = this.steps.filter((step) => phase.steps.includes(step.id));
        return { id: phase.id, title: phase.title, days: phase.days, counts: count(steps), steps };
      }),
      target: {
        from: 'myia',
        to: 'comfyui',
        image: this.valueOf('target.image'),
        port: 8188,
        gpu: 'GPU-1f2e',
        compose_file: 'compose.comfyui.yaml',
        extra_model_paths: 'extra_model_paths.yaml',
        models: '/srv/forge/models',
        stability_days: null,
        standby_days: null,
        remove_image: null,
      },
      iis: NO_IIS,
    });
  }

  async background(): Promise<MigrationPlan> {
    return background();
  }

  async check(id: string): Promise<StepLook> {
    this.calls.push(`migration check ${id}`);
    const step = this.find(id);
    if (step.check === null) refuse(`\`${id}\` cannot be measured`, 'Attest it instead.');
    const look: StepLook = {
      at: iso(this.now()),
      finding: step.built
        ? { found: 'proved', says: [], evidence: [{ name: 'free_bytes', value: '96636764160' }] }
        : {
            found: 'unknown',
            says: [
              words(
                'Not built: this version of the program cannot measure this step.',
                'Non réalisé\u202f: cette version du programme ne sait pas mesurer cette étape.',
              ),
            ],
            evidence: [],
          },
    };
    step.look = look;
    if (look.finding.found === 'proved') this.prove(step, look);
    this.log(id, 'check', look.finding.found);
    return structuredClone(look);
  }

  async checkAll() {
    const due = this.steps.filter((s) => s.check !== null && s.built && s.state.is !== 'blocked');
    const ids = due.filter((s) => !['running', 'skipped'].includes(s.state.is)).map((s) => s.id);
    for (const id of ids) await this.check(id);
    return ids;
  }

  async preview(id: string, undo: boolean): Promise<StepPreview> {
    this.calls.push(`migration preview ${id} undo=${undo}`);
    const step = this.find(id);
    if (step.check === null) refuse(`\`${id}\` is done by a person`, 'Attest it when it is done.');
    if (!step.can_run) refuse(`\`${id}\` is only measured`, 'Check it instead.');
    const blocked = step.state.is === 'blocked' && !undo;
    return {
      lines: [
        { is: 'looks', words: words('Reads the folders of Forge.', 'Lit les dossiers de Forge.') },
        {
          is: 'writes',
          path: '/srv/comfyui/extra_model_paths.yaml',
          diff: '+forge:\n+  base_path: /srv/forge/models\n+  checkpoints: Stable-diffusion\n',
        },
        { is: 'runs', command: 'docker restart comfyui' },
        { is: 'does', words: words('Waits for its API.', 'Attend son API.') },
      ],
      interrupts: [words('ComfyUI is away for a minute.', 'ComfyUI est indisponible une minute.')],
      undo: step.can_undo
        ? words('The file is put back as it was.', 'Le fichier est remis en l’état.')
        : null,
      refused: blocked ? [words('Other steps come first.', 'D’autres étapes passent avant.')] : [],
      confirm: step.check === 'decommission' && !undo ? 'myia' : null,
    };
  }

  async previewDrill(id: string): Promise<StepPreview> {
    this.calls.push(`migration preview ${id} drill`);
    if (!this.find(id).can_drill) refuse(`\`${id}\` has no drill`);
    return drillPreview();
  }

  run = (id: string, confirm: string | null) => this.begin(id, 'run', confirm);
  undo = (id: string, confirm: string | null) => this.begin(id, 'undo', confirm);
  drill = (id: string) => this.begin(id, 'drill', null);

  private async begin(id: string, what: What, confirm: string | null) {
    const preview =
      what === 'drill' ? await this.previewDrill(id) : await this.preview(id, what === 'undo');
    this.calls.push(`migration ${what} ${id}`);
    const [why] = preview.refused;
    if (why) refuse(why.en);
    if (this.running.size > 0) refuse('one step at a time');
    if (preview.confirm !== null && confirm !== preview.confirm)
      refuse('this has to be confirmed', `Type \`${preview.confirm}\` to confirm it.`);
    const step = this.find(id);
    const since = iso(this.now());
    step.state = { is: 'running', since };
    step.doing = { action: what, since, progress: null, here: true, interrupted: false };
    this.running.set(id, { what, until: this.now() + TAKES });
    this.log(id, what, 'begun');
  }

  async cancel(id: string) {
    if (!this.running.delete(id)) refuse(`nothing is being done to \`${id}\` here`);
    const step = this.find(id);
    step.doing = null;
    step.state = { is: 'failed', at: iso(this.now()) };
    this.log(id, 'run', 'cancelled');
  }

  async attest(id: string, by: string, note: string | null) {
    const step = this.find(id);
    if (step.check !== null) refuse(`\`${id}\` is measured, and nobody's word counts for it`);
    if (step.state.is === 'blocked') refuse('Other steps come first.');
    const at = iso(this.now());
    step.state = { is: 'proved', at, attested: true };
    step.proof = {
      at,
      verdict: 'passed',
      evidence: note === null ? [] : [{ name: 'note', value: note }],
      basis: { attested: { by } },
    };
    this.log(id, 'attest', 'done', by);
  }

  async skip(id: string, reason: string | null) {
    const step = this.find(id);
    step.state = reason === null ? { is: 'ready' } : { is: 'skipped', why: reason };
    this.log(id, reason === null ? 'unskip' : 'skip', 'done');
  }

  async note(id: string, note: string | null) {
    this.find(id).note = note;
    this.log(id, 'edit', 'done');
  }

  async date(id: string, day: string | null) {
    const window = day === null ? null : { earliest: day, latest: day };
    const basis = day === null ? 'unknown' : 'assigned';
    this.find(id).dates = { start: window, end: window, basis };
    this.log(id, 'edit', 'done');
  }

  async move(id: string, before: string | null) {
    const step = this.find(id);
    const others = this.steps.filter((other) => other !== step);
    const at = before === null ? others.length : others.findIndex((other) => other.id === before);
    this.steps = others.toSpliced(at, 0, step);
    this.log(id, 'edit', 'done');
  }

  async add(step: AddedStep) {
    const own = firstSteps(this.now()).find((one) => one.check === null);
    if (!own) return;
    const { id, days } = step;
    const text = { title: words(step.title, step.title), why: words(step.why, step.why) };
    const state = { is: 'ready' } as const;
    this.steps.push({ ...own, ...text, id, days, own: true, state, proof: null, note: null });
    PHASES.find((phase) => phase.id === step.phase)?.steps.push(id);
    this.log(id, 'edit', 'done');
  }

  async remove(id: string) {
    const step = this.find(id);
    if (!step.own) refuse(`\`${id}\` belongs to the plan and cannot be removed`);
    this.steps = this.steps.filter((other) => other !== step);
    this.log(id, 'edit', 'done');
  }

  async record() {
    return structuredClone(this.entries);
  }

  async exportPlan(form: string, language: string) {
    this.calls.push(`migration export ${form} ${language}`);
    return `/home/admin/migration.${form}`;
  }

  async exportRecord(form: string, language: string) {
    this.calls.push(`migration record ${form} ${language}`);
    return `/home/admin/migration-record.${form}`;
  }

  private find(id: string): MigrationStep {
    return this.steps.find((step) => step.id === id) ?? refuse(`the plan has no step \`${id}\``);
  }

  private prove(step: MigrationStep, look: StepLook | null) {
    const at = iso(this.now());
    step.state = { is: 'proved', at, attested: false };
    const evidence = look?.finding.evidence ?? [{ name: 'models', value: '42' }];
    step.proof = { at, verdict: 'passed', evidence, basis: 'measured' };
  }

  /** What waits only for what is met by now can be done. */
  private unblock() {
    const met = (id: string) => {
      const state = this.steps.find((step) => step.id === id)?.state.is;
      return state === 'proved' || state === 'skipped';
    };
    for (const step of this.steps) {
      if (step.state.is !== 'blocked' && step.state.is !== 'ready') continue;
      const missing = step.needs.filter((need) => !met(need));
      step.state = missing.length > 0 ? { is: 'blocked', missing } : { is: 'ready' };
    }
  }

  private log(
    step: string | null,
    action: RecordEntry['action'],
    outcome: RecordEntry['outcome'],
    by: string | null = null,
  ) {
    const rest = { by, says: [], detail: null, before: [], after: [] };
    this.entries.push({ at: iso(this.now()), step, action, outcome, ...rest });
    this.changed();
  }
}
