import type { DrillReport, RestoreReport, RestoreScope, RestoreView } from '../restore-types';
import { FakeGolden } from './golden';
import type { FakeJob } from './jobs';
import { newJob } from './jobs';
import { iso } from './site';
import { thrown } from './workflows';

const CONFIG = '/workspace/stable-diffusion-webui-forge/config.json';
const HOUR = 3_600_000;
/** When the fake's restores reach what. */
const STAGES = [
  ['asked', 0],
  ['stopping', 60],
  ['stopped', 1_200],
  ['starting', 1_400],
  ['program_up', 3_000],
  ['api_answers', 7_000],
] as const;

/** Restores of one key that was emptied, and drills that succeed. */
export class FakeRestore extends FakeGolden {
  private restores = 0;
  private readonly back = new Map<string, boolean>();
  private readonly drills = new Map<string, DrillReport>();

  private view(service: string, undo: boolean, scope: RestoreScope): RestoreView {
    const there = this.back.get(service) === true;
    const values = { then: '"sd_xl_base_1.0.safetensors"', now: 'null' };
    const [now, then] = undo ? [values.then, values.now] : [values.now, values.then];
    const nothing = undo ? !there : there;
    return {
      service,
      snapshot: `fake-${service}`,
      taken_at: iso(this.now - 20 * HOUR),
      scope,
      files: nothing
        ? []
        : [
            {
              part: 'forge_config',
              path: CONFIG,
              deed: 'replace',
              finding: 'changed',
              values: [{ key: ['sd_model_checkpoint'], now, then, masked: false }],
              more: 0,
              bytes: 2_048,
              effect: 'at_start',
              writer: true,
            },
          ],
      left:
        scope.what === 'all' && !undo
          ? [{ part: 'container', path: '', why: 'of_container', words: null, to_do: [] }]
          : [],
      unchanged: nothing ? 5 : 4,
      cautions: [],
      undo,
      stops: nothing ? null : 'program',
      interrupts: null,
      interrupts_known: true,
      runs: [
        'docker exec fake supervisorctl stop forge',
        `write ${CONFIG}`,
        'docker exec fake supervisorctl start forge',
      ],
      refusals: [],
      token: `${service}-${undo}-${there}`,
    };
  }

  async restorePlan(snapshot: string, scope: RestoreScope) {
    this.calls.push(`restorePlan ${snapshot}`);
    return this.view(this.serviceOf(snapshot), false, scope);
  }

  async restoreUndoPlan(service: string) {
    this.calls.push(`restoreUndoPlan ${service}`);
    if (!this.back.has(service)) throw thrown('bad_request', 'nothing was restored');
    return this.view(service, true, { what: 'files', files: [] });
  }

  async restore(snapshot: string, scope: RestoreScope, token: string, force: boolean) {
    this.calls.push(`restore ${snapshot} ${force}`);
    return this.carryOut(this.view(this.serviceOf(snapshot), false, scope), token);
  }

  async restoreUndo(service: string, token: string, force: boolean) {
    this.calls.push(`restoreUndo ${service} ${force}`);
    return this.carryOut(this.view(service, true, { what: 'files', files: [] }), token);
  }

  async drill(service: string): Promise<DrillReport> {
    this.calls.push(`drill ${service}`);
    const report: DrillReport = {
      service,
      snapshot: `fake-${service}`,
      taken_at: iso(this.now - 20 * HOUR),
      at: iso(this.now),
      proved: true,
      bytes: 2_048,
      items: [{ part: 'forge_config', path: CONFIG, verdict: 'restored' }],
    };
    this.drills.set(service, report);
    return report;
  }

  async lastDrill(service: string): Promise<DrillReport | null> {
    return this.drills.get(service) ?? null;
  }

  /** The fake's snapshots carry their service in their name. */
  private serviceOf(snapshot: string): string {
    const named = this.services.find((s) => snapshot.endsWith(s.settings.id));
    return (named ?? this.services[0])?.settings.id ?? 'myia';
  }

  private carryOut(view: RestoreView, token: string): string {
    if (token !== view.token) throw thrown('changed_meanwhile', 'it was changed meanwhile');
    if (view.files.length === 0) throw thrown('refused', 'nothing to put back');
    const service = this.find(view.service);
    const id = `restore-${++this.restores}`;
    const begun = this.now;
    const report: RestoreReport = {
      service: view.service,
      snapshot: view.snapshot,
      before: `before-${id}`,
      undo: view.undo,
      at: iso(begun),
      files: [{ part: 'forge_config', path: CONFIG, deed: 'replace', verified: true, still: true }],
      stopped: 'program',
      started: true,
    };
    const job: FakeJob = {
      job: newJob(id, { what: 'restore' }, service, begun),
      service,
      begun,
      move: (elapsed, now) => {
        job.job.stages = STAGES.filter(([, at]) => at <= elapsed).map(([stage, at]) => ({
          stage,
          at: iso(begun + at),
          after_ms: at,
        }));
        if (elapsed < 7_000) return;
        Object.assign(job.job, { phase: 'succeeded', finished_at: iso(now), restored: report });
        this.back.set(view.service, !view.undo);
      },
    };
    this.jobs.unshift(job);
    return id;
  }
}
