import type { FilePlan, Left, RestoreScope, RestoreView, WhyLeft } from '../restore-types';
import type { PartId } from '../types';
import { keys, LINES, lines } from './differences';
import type { Kept, KeptPart, KeptParts } from './kept';
import type { Fault } from './site';

type Way = Pick<FilePlan, 'effect' | 'writer'>;
/** How parts go back; the others do not. */
const WAYS: Partial<Record<PartId, Way>> = {
  compose: { effect: 'at_recreate', writer: false },
  env_file: { effect: 'at_recreate', writer: false },
  forge_config: { effect: 'at_start', writer: true },
  forge_ui_config: { effect: 'at_start', writer: true },
  forge_styles: { effect: 'at_start', writer: true },
};
const NO_FILE: Partial<Record<PartId, WhyLeft>> = {
  environment: 'of_environment',
  forge_extensions: 'of_checkouts',
  forge_options: 'of_api',
  forge_config_moved: 'moved_away',
};

/** A plan with the texts that it would leave. */
export interface Planned {
  plan: Pick<RestoreView, 'files' | 'left' | 'unchanged'>;
  after: KeptParts;
}

/** What of a snapshot would go back, compared with what is there. */
export function planned(
  from: Kept,
  present: KeptParts,
  scope: RestoreScope,
  undo: boolean,
  faults: ReadonlySet<Fault>,
): Planned {
  const plan: Planned['plan'] = { files: [], left: [], unchanged: 0 };
  const after: KeptParts = {};
  const leave = (part: PartId, path: string, why: WhyLeft, words: string | null = null) =>
    plan.left.push({ part, path, why, words, to_do: [] });
  for (const [name, then] of Object.entries(from.parts)) {
    const part = name as PartId;
    if (!asked(scope, part)) continue;
    const now = present[part] ?? { path: then.path, text: null };
    const way = WAYS[part];
    if (!way) {
      const left = noFile(part, now, then, scope);
      if (left) plan.left.push(left);
      else if (same(now, then)) plan.unchanged += 1;
      continue;
    }
    if ('why' in then) {
      if (then.why !== 'no_place' || scope.what !== 'all')
        leave(part, then.path, 'not_read_then', WORDS[then.why]);
      continue;
    }
    if (faults.has('no-keyring') && part === 'compose') leave(part, then.path, 'not_kept');
    else if (faults.has('config-bytes-lost') && part === 'forge_styles')
      leave(part, then.path, 'damaged');
    else if ('why' in now) leave(part, now.path, 'not_read_now', WORDS[now.why]);
    else if (scope.what === 'key') {
      const text = withKey(part, now.text, then.text, scope.key);
      if (typeof text !== 'string') leave(part, now.path, text.why);
      else {
        after[part] = { path: now.path, text };
        plan.files.push(file(part, way, now.path, now.text, text));
      }
    } else if (now.text === then.text) plan.unchanged += 1;
    else if (then.text === null && !undo) leave(part, now.path, 'was_not_there');
    else {
      after[part] = { path: now.path, text: then.text };
      plan.files.push(file(part, way, now.path, now.text, then.text));
    }
  }
  return { plan, after };
}

const WORDS = {
  not_in_time: 'not read within 4 s',
  api: 'GET /sdapi/v1/options: connection refused (os error 111)',
  no_place: 'no compose file is known',
};

function asked(scope: RestoreScope, part: PartId): boolean {
  if (scope.what === 'all') return true;
  return scope.what === 'key'
    ? scope.file.part === part
    : scope.files.some((file) => file.part === part);
}

const same = (now: KeptPart, then: KeptPart) =>
  'text' in now && 'text' in then && now.text === then.text;

function noFile(part: PartId, now: KeptPart, then: KeptPart, scope: RestoreScope): Left | null {
  if (same(now, then)) return null;
  const known = 'text' in now && 'text' in then;
  if (!known && part === 'forge_options' && scope.what === 'all') return null;
  const to_do =
    part === 'forge_extensions' && known
      ? keys(now.text ?? '{}', then.text ?? '{}')
          .filter(({ key }) => key.at(-1) === 'commit')
          .map(({ key, new: commit }) => `${key[0]}: ${JSON.parse(commit ?? '"-"')}`)
      : [];
  const words = known ? null : 'whether it differs is not known';
  return { part, path: then.path, why: NO_FILE[part] ?? 'of_container', words, to_do };
}

function file(
  part: PartId,
  way: Way,
  path: string,
  now: string | null,
  then: string | null,
): FilePlan {
  const deed = now === null ? 'create' : then === null ? 'remove' : 'replace';
  const head = { part, path, deed, bytes: then?.length ?? 0, ...way, more: 0 } as const;
  if (now === null || then === null)
    return { ...head, finding: now === null ? 'appeared' : 'vanished', values: [] };
  const values = (LINES.includes(part) ? lines(now, then) : keys(now, then)).map((one) => ({
    key: one.key,
    now: one.old,
    then: one.new,
    masked: `${one.old}${one.new}`.includes('***'),
  }));
  return { ...head, finding: 'changed', values };
}

/** A text with one key as it is in another one. */
function withKey(
  part: PartId,
  now: string | null,
  then: string | null,
  key: readonly string[],
): string | { why: WhyLeft } {
  if (LINES.includes(part)) return { why: 'no_keys' };
  if (now === null) return { why: 'no_file_now' };
  const [name = ''] = key;
  const [is, was] = [now, then ?? '{}'].map((text) => JSON.parse(text) as Record<string, unknown>);
  if (!is || !was || !(name in is || name in was)) return { why: 'no_such_key' };
  const rest = Object.entries(is).filter(([one]) => one !== name || name in was);
  const set = Object.fromEntries(rest);
  const text = JSON.stringify(name in was ? { ...set, [name]: was[name] } : set, null, 2);
  return text === now ? { why: 'same_already' } : text;
}
