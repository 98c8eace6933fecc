import type {
  DrillVerdict,
  FilePlan,
  Left,
  RestoreReport,
  RestoreView,
  WhyLeft,
} from '../../backend/restore-types';
import type { Job, PartId, ServiceState, Stage, Status } from '../../backend/types';
import { t } from '../../shared/i18n.svelte';
import { plain } from '../../shared/plain';
import { stageRows, type StageRow } from '../services/stages';
import type { Order } from './restore.svelte';
import { keyText, partName } from './say';

/** Why a part never goes back as a file; those without a row do. */
const NO_FILE: Partial<Record<PartId, WhyLeft>> = {
  container: 'of_container',
  environment: 'of_environment',
  forge_options: 'of_api',
  forge_config_moved: 'moved_away',
  forge_extensions: 'of_checkouts',
  comfy_nodes: 'of_checkouts',
};
/** Parts of which one value goes back by itself. */
const KEYED: readonly PartId[] = ['forge_config', 'forge_ui_config', 'comfy_settings', 'env_file'];

/** Why a part cannot go back as a file, or `null` where it can. */
export const noFile = (part: PartId): string | null => {
  const why = NO_FILE[part];
  return why ? t(`guard.left.${why}`) : null;
};

export const hasValues = (part: PartId): boolean => KEYED.includes(part);

export function title(order: Order): string {
  const { service } = order;
  if (order.what === 'undo') return t('guard.restore.title_undo', { service });
  const { scope } = order;
  if (scope.what === 'all') return t('guard.restore.title_all', { service });
  if (scope.what === 'key')
    return t('guard.restore.title_key', { service, key: keyText(scope.key) });
  const parts = scope.files.map(({ part }) => partName(part));
  return t('guard.restore.title_file', { service, part: parts.join(', ') });
}

/** What the button does, in its own words. */
export function deed(view: RestoreView): string {
  const gone = view.files.filter((file) => file.deed === 'remove').length;
  const written = view.files.length - gone;
  const words =
    written === 0
      ? t('guard.restore.do_remove_only', { count: gone })
      : [
          view.scope.what === 'key'
            ? t('guard.restore.do_value')
            : t('guard.restore.do_write', { count: written }),
          ...(gone > 0 ? [t('guard.restore.do_remove', { count: gone })] : []),
        ].join(', ');
  const what =
    view.stops === null
      ? words
      : t('guard.restore.do_restart', { what: words, service: view.service });
  return view.refusals.includes('generation_running')
    ? t('guard.restore.do_forced', { what: what.charAt(0).toLowerCase() + what.slice(1) })
    : what;
}

/** Why nothing can be done of it, or `null`. */
export function refusal(view: RestoreView): string | null {
  const first = view.refusals.find((one) => one !== 'generation_running');
  return first ? t('guard.restore.refused', { why: t(`refusal.${first}`) }) : null;
}

/** How a thing that stays looks: lost, not known, or simply no file. */
export const leftStatus = ({ why }: Left): Status => {
  if (why === 'same_already') return 'ok';
  if (why === 'damaged' || why === 'gone') return 'failing';
  const unknown: readonly WhyLeft[] = ['not_read_then', 'not_read_now', 'sealed', 'not_kept'];
  return unknown.includes(why) || why === 'place_unknown' ? 'unknown' : 'not_configured';
};

/** When a file counts, where that is not said by what is stopped for it. */
export const effect = (file: FilePlan, view: RestoreView): string | null =>
  file.effect === 'at_start' && view.stops !== null && file.writer
    ? null
    : t(`guard.restore.effect.${file.effect}`);

export interface Step {
  id: string;
  text: string;
  after: number | null;
  state: StageRow['state'];
}

/** What is done, in order; what nobody saw yet is not said to be done. */
export function steps(job: Job, stops: RestoreView['stops'], service: ServiceState): Step[] {
  const over = job.phase === 'succeeded';
  const running = job.phase === 'running';
  if (stops === null) {
    const state = over ? 'reached' : running ? 'current' : 'missed';
    return [{ id: 'quiet', text: t('guard.restore.step.quiet'), after: null, state }];
  }
  const begun = job.stages.length > 0;
  const seen = (stage: Stage) => over || job.stages.some((one) => one.stage === stage);
  const first: Step = {
    id: 'before',
    text: t('guard.restore.step.before'),
    after: null,
    state: begun || over ? 'reached' : running ? 'current' : 'missed',
  };
  const written =
    seen('starting') && (over || running || job.restored?.files.every((f) => f.verified));
  const write: Step = {
    id: 'write',
    text: t('guard.restore.step.write'),
    after: null,
    state: written ? 'reached' : !running ? 'missed' : seen('stopped') ? 'current' : 'waiting',
  };
  const stages = stageRows(job, service, stops)
    .filter(({ stage }) => stage !== 'asked')
    .map(({ stage, after, state }): Step => {
      // One thing at a time: before a start there is the writing.
      const waits = state === 'current' && (!begun || (stage === 'starting' && !written));
      return { id: stage, text: t(`stage.${stage}`), after, state: waits ? 'waiting' : state };
    });
  const place = stages.findIndex(({ id }) => id === 'starting');
  const at = place < 0 ? stages.length : place;
  return [first, ...stages.slice(0, at), write, ...stages.slice(at)];
}

/** What came of a restore that ended well, as a shape and in words. */
export function outcome(report: RestoreReport): { status: Status; text: string } {
  const { service, undo, stopped, files } = report;
  if (files.some((file) => !file.verified))
    return { status: 'failing', text: t('guard.restore.failed') };
  if (files.some((file) => file.still === false))
    return { status: 'degraded', text: t('guard.restore.differs', { service }) };
  if (stopped !== null && files.some((file) => file.still === null))
    return { status: 'unknown', text: t('guard.restore.not_looked') };
  const done = undo ? 'undone' : 'done';
  return {
    status: 'ok',
    text:
      stopped === null
        ? t(`guard.restore.${done}`)
        : t(`guard.restore.${done}_started`, { service }),
  };
}

export const drillStatus = (found: DrillVerdict): Status => {
  if (found === 'restored') return 'ok';
  return found === 'sealed' || found === 'not_kept' ? 'unknown' : 'failing';
};

/** The names of a restore's files, few of them. */
export function fileNames(files: readonly { part: PartId }[]): string {
  const names = [...new Set(files.map(({ part }) => partName(part)))];
  const told = names.slice(0, 2).join(', ');
  return names.length > 2
    ? t('guard.restore.names_more', { names: told, count: names.length - 2 })
    : plain(told);
}
