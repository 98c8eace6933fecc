import type {
  Attribution,
  DriftDigest,
  ItemVerdict,
  PartDrift,
  PartId,
  SnapshotEntry,
  SnapshotItem,
  SnapshotReason,
  Status,
} from '../../backend/types';
import { clockTime, stamp } from '../../shared/format';
import { number, t } from '../../shared/i18n.svelte';
import { plain } from '../../shared/plain';

export const partName = (part: PartId): string => t(`guard.part.${part}`);

/** Keys from the outermost inwards; the whole where there are none. */
export const keyText = (key: readonly string[]): string =>
  key.length === 0 ? t('guard.whole_part') : plain(key.join(' › '));

/** Who changed something, and how sure that is. */
export const byWhom = ({ by, certainty }: Attribution): string =>
  certainty === 'likely' ? t('guard.probably', { by: t(`guard.by.${by}`) }) : t(`guard.by.${by}`);

/** When a snapshot was taken: to the second where another one was taken in the same minute. */
export function moment(iso: string, all: readonly SnapshotEntry[] | null, today: number): string {
  const minute = (at: string) => Math.floor(Date.parse(at) / 60_000);
  const twins = all?.filter(({ taken_at }) => minute(taken_at) === minute(iso)).length ?? 0;
  return twins > 1 ? stamp(iso, false, today).replace(/\.\d{3}$/, '') : clockTime(iso, today);
}

/** Why a snapshot was taken. */
export const reason = (of: { reason: SnapshotReason; note: string | null }): string =>
  of.reason === 'before_action' && of.note !== null
    ? t('guard.reason.before', { what: plain(of.note) })
    : t(`guard.reason.${of.reason}`);

/** What a snapshot is worth, as a shape and in words. */
export function worth(of: Pick<SnapshotEntry, 'good' | 'healthy' | 'missed'>): {
  status: Status;
  text: string;
} {
  if (of.good) return { status: 'ok', text: t('guard.worth.good') };
  if (of.missed > 0)
    return { status: 'degraded', text: t('guard.worth.missed', { count: of.missed }) };
  return of.healthy === false
    ? { status: 'degraded', text: t('guard.worth.not_well') }
    : { status: 'unknown', text: t('guard.worth.unknown') };
}

/** The names of what changed, as many as are told. */
export function names({ named, changes }: DriftDigest): string {
  // A line is named by what it begins with.
  const all = named.map(({ key, parts: [part] }) =>
    key.length === 0 && part ? partName(part) : plain(key.at(-1) ?? '').replace(/^- /, ''),
  );
  const told = all.filter((one, place) => all.indexOf(one) === place);
  const more = changes - named.length;
  return more > 0
    ? t('guard.names_more', { names: told.join(', '), count: more })
    : told.join(', ');
}

/** What became of a part when a snapshot was taken. */
export function itemState(item: SnapshotItem): { status: Status; text: string } {
  switch (item.state) {
    case 'kept':
      return {
        status: 'ok',
        text: t(item.key === null ? 'guard.item.kept' : 'guard.item.sealed'),
      };
    case 'in_memory':
      return { status: 'degraded', text: t('guard.item.in_memory') };
    case 'absent':
      return { status: 'not_configured', text: t('guard.item.absent') };
    case 'not_readable':
      return { status: 'unknown', text: t(`guard.unread.${item.why}`) };
  }
}

/** What a verification found, as a shape and in words. */
export function verdict(found: ItemVerdict): { status: Status; text: string } {
  const status: Record<ItemVerdict, Status> = {
    whole: 'ok',
    nothing_kept: 'not_configured',
    missing: 'failing',
    damaged: 'failing',
    sealed: 'unknown',
    not_kept: 'unknown',
  };
  return { status: status[found], text: t(`guard.verdict.${found}`) };
}

/** What a comparison found of a part, where its values do not say it. */
export function finding(part: PartDrift): { status: Status; text: string } | null {
  switch (part.finding) {
    case 'changed':
      return null;
    case 'not_read':
      return {
        status: 'unknown',
        text: t(`guard.finding.not_read.${part.side}`, { why: t(`guard.unread.${part.why}`) }),
      };
    case 'not_comparable':
      return {
        status: 'unknown',
        text: t(`guard.finding.not_comparable.${part.side}`, {
          why: t(`guard.verdict.${part.why}`),
        }),
      };
    default:
      return {
        status: part.finding === 'same_values' ? 'not_configured' : 'degraded',
        text: t(`guard.finding.${part.finding}`),
      };
  }
}

/** The beginning of a long id or digest. */
export const shortId = (id: string): string => plain(id.replace(/^sha256:/, '').slice(0, 12));

/** A length; what is not nothing is never written as 0. */
export function size(bytes: number): string {
  if (bytes < 1024) return t('guard.bytes', { count: bytes });
  const kilobytes = bytes / 1024;
  if (kilobytes < 1000) {
    return t('guard.kilobytes', { size: number(kilobytes, kilobytes < 10 ? 1 : 0) });
  }
  return t('guard.megabytes', { size: number(kilobytes / 1024, 1) });
}
