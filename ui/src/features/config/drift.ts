import type { Attribution, ChangeOrigin, Drift, DriftChange, PartDrift } from '../../backend/types';
import { partName } from './say';

/** What of a drift is shown. */
export interface Filter {
  /** Found in key, value, path or name of a part, whatever its case. */
  text: string;
  cause: ChangeOrigin | 'all';
}

/** A part with those of its changes that are asked for. */
export interface ShownPart {
  part: PartDrift;
  changes: readonly DriftChange[];
  /** Changes that the filter leaves out. */
  left: number;
  /** By whom all of it, where that is one and the same. */
  common: Attribution | null;
}

/** Parts that are texts rather than keys and values. */
export const TEXTS: readonly string[] = ['compose', 'forge_styles', 'comfy_paths'];

/** Whether a part is best seen as a text with lines that came and went. */
export const asText = ({ part, finding }: PartDrift): boolean =>
  finding === 'bytes' || (TEXTS.includes(part) && (finding === 'changed' || finding === 'moved'));

export const isUnknown = ({ finding }: PartDrift): boolean =>
  finding === 'not_read' || finding === 'not_comparable';

/** Nothing names such a part, and a service can do without it. */
export const isUnnamed = (part: PartDrift): boolean =>
  part.finding === 'not_read' && part.why === 'no_place' && !IN_WORKSPACE.test(part.part);
const IN_WORKSPACE = /^(forge|comfy)_(?!options)/;

const alike = (a: Attribution, b: Attribution): boolean =>
  a.by === b.by && a.certainty === b.certainty && a.evidence === b.evidence;

/** By whom all of a part's changes are, where that is the same for all. */
export function commonOrigin({ changes, origin }: PartDrift): Attribution | null {
  const [first] = changes;
  if (!first) return origin;
  return changes.every((change) => alike(change.origin, first.origin)) ? first.origin : null;
}

/** What changed comes first, then what is not known, then what only looks different. */
function rank(part: PartDrift): number {
  if (isUnnamed(part)) return 3;
  if (isUnknown(part)) return 1;
  return part.finding === 'same_values' ? 2 : 0;
}

export function shownParts(drift: Drift, { text, cause }: Filter): ShownPart[] {
  const wanted = text.trim().toLowerCase();
  const has = (...texts: (string | null)[]) =>
    texts.some((one) => one?.toLowerCase().includes(wanted) ?? false);
  const shown = drift.parts.flatMap((part): ShownPart[] => {
    const named = wanted === '' || has(partName(part.part), part.path);
    const changes = part.changes.filter(
      ({ key, old, new: now, origin }) =>
        (cause === 'all' || origin.by === cause) && (named || has(key.join(' › '), old, now)),
    );
    const whole =
      named &&
      part.changes.length === 0 &&
      (cause === 'all' || (part.origin !== null && part.origin.by === cause));
    if (changes.length === 0 && !whole) return [];
    const left = part.changes.length - changes.length;
    return [{ part, changes, left, common: commonOrigin(part) }];
  });
  return shown.toSorted((a, b) => rank(a.part) - rank(b.part));
}

/** Who changed something, the most first. */
export function causesOf(drift: Drift): ChangeOrigin[] {
  const counts = new Map<ChangeOrigin, number>();
  for (const { changes, origin } of drift.parts) {
    const all =
      changes.length > 0 ? changes.map((change) => change.origin) : origin ? [origin] : [];
    for (const { by } of all) counts.set(by, (counts.get(by) ?? 0) + 1);
  }
  return [...counts].sort((a, b) => b[1] - a[1]).map(([by]) => by);
}

/** Values of the API's options that the file says, too: each is one change. */
function repeated(drift: Drift, part: string, changes: readonly DriftChange[]): number {
  if (part !== 'forge_options') return 0;
  const file = drift.parts.find((one) => one.part === 'forge_config' && rank(one) === 0);
  const said = new Set(file?.changes.map(({ key }) => key.join('\0')));
  return changes.filter(({ key }) => said.has(key.join('\0'))).length;
}

/** How much changed, of how many parts nothing is known, and how many are the same. */
export function tally(drift: Drift) {
  const unknown = drift.parts.filter((part) => isUnknown(part) && !isUnnamed(part)).length;
  const changed = drift.parts.filter((part) => rank(part) === 0);
  const values = changed.reduce(
    (sum, { part, changes, more }) =>
      sum + Math.max(1, changes.length + more) - repeated(drift, part, changes),
    0,
  );
  return { values, parts: changed.length, unknown, same: drift.unchanged };
}
