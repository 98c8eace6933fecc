import type { Guard } from '../guard';
import type {
  DrillReport,
  LastRestore,
  RestoreReport,
  RestoreScope,
  RestoreView,
} from '../restore-types';
import type { PartId, Stage } from '../types';
import { FakeGuard } from './guard';
import type { FakeJob } from './jobs';
import { fail, newJob } from './jobs';
import type { Kept, KeptParts } from './kept';
import { planned } from './restore-plan';
import { iso } from './site';
import { thrown } from './workflows';

/** When the fake's restores reach what. */
const STAGES: readonly (readonly [Stage, number])[] = [
  ['asked', 600],
  ['stopping', 660],
  ['stopped', 1_800],
  ['starting', 2_400],
  ['program_up', 3_600],
  ['api_answers', 7_000],
];
/** A restore that stops nobody. */
const QUIET_MS = 1_500;
const DAY = 86_400_000;

interface Order {
  from: Kept;
  scope: RestoreScope;
  undo: boolean;
}
type Last = LastRestore & { service: string };

/** Snapshots of which the fake's configuration is put back for real. */
export class FakeRestores extends FakeGuard implements Guard {
  private readonly there = new Map<string, KeptParts>();
  private readonly lasts = new Map<string, Last>();
  private readonly drills = new Map<string, DrillReport>();
  private count = 0;

  protected override present(service: string): KeptParts {
    return { ...super.present(service), ...this.there.get(service) };
  }

  private view({ from, scope, undo }: Order): RestoreView {
    const { faults } = this.site;
    const service = this.site.find(from.service);
    const { plan } = planned(from, this.present(from.service), scope, undo, faults);
    const writer = plan.files.some((file) => file.writer) && !faults.has('restore-stopped');
    const running = service.running && writer;
    const name = service.settings.container;
    const busy = faults.has('restore-busy') && running;
    const files = plan.files.map(({ deed, path }) =>
      deed === 'remove' ? `remove ${path}` : `write ${path}`,
    );
    const cautions: RestoreView['cautions'] = [];
    if (plan.files.length > 0 && from.healthy !== true && !undo)
      cautions.push({ caution: 'not_good' });
    return {
      service: from.service,
      snapshot: from.id,
      taken_at: iso(from.at),
      scope,
      ...plan,
      cautions,
      undo,
      stops: running ? 'program' : null,
      interrupts: busy ? { percent: 42, loading_model: false, eta_s: 11 } : null,
      interrupts_known: true,
      runs: running
        ? [
            `docker exec ${name} supervisorctl stop forge`,
            ...files,
            `docker exec ${name} supervisorctl start forge`,
          ]
        : files,
      refusals: faults.has('restore-refused')
        ? ['engine_not_answering']
        : busy
          ? ['generation_running']
          : service.acting
            ? ['already_acting']
            : [],
      token: JSON.stringify([from.id, scope, undo, files]),
    } as RestoreView;
  }

  private async looked() {
    await this.answers();
    if (this.site.faults.has('restore-slow')) await new Promise((done) => setTimeout(done, 4_000));
  }

  private undoOrder(service: string): Order {
    const last = this.lasts.get(service);
    if (!last) {
      throw thrown(
        'bad_request',
        `nothing was restored on \`${service}\` that could be taken back`,
      );
    }
    const files = last.files.map(({ part, path }) => ({ part, path }));
    return { from: this.keptAs(last.before), scope: { what: 'files', files }, undo: true };
  }

  async restorePlan(...[snapshot, scope]: Parameters<Guard['restorePlan']>) {
    this.site.calls.push(`restorePlan ${JSON.stringify(scope)}`);
    await this.looked();
    return this.view({ from: this.keptAs(snapshot), scope, undo: false });
  }

  async restore(...[snapshot, scope, token, force]: Parameters<Guard['restore']>) {
    this.site.calls.push(`restore ${JSON.stringify(scope)} force=${force}`);
    return this.carryOut({ from: this.keptAs(snapshot), scope, undo: false }, token, force);
  }

  async undoPlan(service: string) {
    this.site.calls.push(`undoPlan ${service}`);
    await this.looked();
    return this.view(this.undoOrder(service));
  }

  async undo(...[service, token, force]: Parameters<Guard['undo']>) {
    this.site.calls.push(`undo ${service} force=${force}`);
    return this.carryOut(this.undoOrder(service), token, force);
  }

  private carryOut(order: Order, token: string, force: boolean): string {
    const { faults } = this.site;
    const view = this.view(order);
    const [first] = view.files;
    if (token !== view.token || faults.has('restore-changed')) {
      const words = `\`${first?.path}\` was changed meanwhile; nothing was written`;
      throw thrown('changed_meanwhile', words, 'Look again at what would be put back.');
    }
    if (!first) throw thrown('refused', 'nothing of what was asked for can be put back');
    const refused = view.refusals.find((one) => !(force && one === 'generation_running'));
    if (refused) throw thrown('refused', refused);
    const service = this.site.find(view.service);
    const id = `restore-${++this.count}`;
    const begun = this.site.now();
    const fails = faults.has('restore-fails');
    let before: Kept | null = null;
    const report = (verified: boolean): RestoreReport => ({
      service: view.service,
      snapshot: view.snapshot,
      before: before?.id ?? '',
      undo: order.undo,
      at: iso(begun),
      files: view.files.map(({ part, path, deed }) => ({
        part,
        path,
        deed,
        verified,
        still: verified && view.stops !== null ? !faults.has('restore-differs') : null,
      })),
      stopped: view.stops,
      started: view.stops === null ? null : true,
    });
    service.acting = id;
    const job: FakeJob = {
      job: newJob(id, { what: 'restore' }, service, begun),
      service,
      begun,
      move: (elapsed, now) => {
        before ??= this.keep(view.service, {
          reason: 'before_action',
          note: `${order.undo ? 'undo of a restore' : 'restore'} from ${view.snapshot}`,
          pinned: false,
        });
        const stages = view.stops === null ? [] : STAGES;
        job.job.stages = stages
          .filter(([, at]) => at <= elapsed)
          .map(([stage, at]) => ({ stage, at: iso(begun + at), after_ms: at }));
        service.programUp = !(elapsed >= 1_800 && elapsed < 3_600 && stages.length > 0);
        service.apiUp = !(elapsed >= 660 && elapsed < 7_000 && stages.length > 0);
        if (elapsed < (stages.at(-1)?.[1] ?? QUIET_MS)) return;
        service.acting = null;
        job.job.restored = report(!fails);
        if (fails) {
          const words = `no space left on device while \`${first.path}\` was written`;
          return fail(job.job, now, thrown('disk_full', words, 'Everything is as it was before.'));
        }
        Object.assign(job.job, { phase: 'succeeded', finished_at: iso(now) });
        const scoped = planned(
          order.from,
          this.present(view.service),
          order.scope,
          order.undo,
          faults,
        );
        this.there.set(view.service, { ...this.there.get(view.service), ...scoped.after });
        const files = view.files.map(({ part, path, deed }) => ({ part, path, deed }));
        before.pinned = true;
        const { id: kept } = before;
        const head = { service: view.service, snapshot: view.snapshot, before: kept };
        this.lasts.set(view.service, {
          ...head,
          at: iso(begun),
          undo: order.undo,
          interrupted: false,
          files,
        });
        this.site.changed(view.service);
      },
    };
    this.site.begin(job);
    return id;
  }

  private drilled(service: string, at: number, bad: boolean): DrillReport | null {
    const [newest] = this.of(service);
    if (!newest) return null;
    const held = Object.entries(newest.parts).filter(([, of]) => 'text' in of && of.text !== null);
    const items = held.map(([part, { path }]): DrillReport['items'][number] => ({
      part: part as PartId,
      path,
      verdict: bad && part === 'forge_styles' ? 'damaged' : 'restored',
    }));
    const bytes = held.reduce(
      (sum, [, of]) => sum + ('text' in of ? (of.text?.length ?? 0) : 0),
      0,
    );
    const proved = items.every(({ verdict }) => verdict === 'restored');
    const head = { service, snapshot: newest.id, taken_at: iso(newest.at), at: iso(at) };
    return { ...head, proved, bytes, items };
  }

  async drill(service: string): Promise<DrillReport> {
    this.site.calls.push(`drill ${service}`);
    await this.looked();
    const report = this.drilled(service, this.site.now(), this.site.faults.has('drill-fails'));
    if (!report) throw thrown('bad_request', `\`${service}\` has no snapshot yet to restore`);
    this.drills.set(service, report);
    return report;
  }

  async trace(service: string) {
    const { faults } = this.site;
    if (faults.has('restore-trace-fails')) {
      throw thrown('io', 'what restores leave beside the snapshots could not be read or written');
    }
    const now = this.site.now();
    const [newest, second] = this.of(service);
    const left = faults.has('restore-left') || faults.has('restore-interrupted');
    if (left && !this.lasts.has(service) && newest && second) {
      const { path } = second.parts.forge_styles ?? { path: '' };
      this.lasts.set(service, {
        service,
        snapshot: second.id,
        before: second.id,
        at: iso(now - 2 * 3_600_000),
        undo: false,
        interrupted: faults.has('restore-interrupted'),
        files: [{ part: 'forge_styles', path, deed: 'replace' }],
      });
    }
    const past = faults.has('drill-proved') || faults.has('drill-fails');
    const before = past ? this.drilled(service, now - 9 * DAY, faults.has('drill-fails')) : null;
    const drill = this.drills.get(service) ?? before;
    return {
      last: this.lasts.get(service) ?? null,
      open: null,
      drill,
      drill_broken:
        faults.has('drill-broken') && !this.drills.has(service) ? iso(now - 1_800_000) : null,
    };
  }
}
