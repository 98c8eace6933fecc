import { done, given } from './answer';
import { commands } from './bindings.gen';
import type { Guard } from './guard';

/** Snapshots, as the shell hands them out. */
export const tauriGuard: Guard = {
  list: (service, before, most) => given(commands.snapshotList(service, before, most)),
  digest: (before, after) => given(commands.snapshotDigest(before, after)),
  drift: (before, after) => given(commands.snapshotDrift(before, after)),
  show: (id) => given(commands.snapshotShow(id)),
  text: (id, part, path) => given(commands.snapshotText(id, part, path)),
  textDiff: (before, after, part, path) =>
    given(commands.snapshotTextDiff(before, after, part, path)),
  verify: (id) => given(commands.snapshotVerify(id)),
  take: (service) => given(commands.snapshotTake(service)),
  pin: (id, stays) => done(commands.snapshotPin(id, stays)),
  remove: (id) => done(commands.snapshotRemove(id)),
  restorePlan: (snapshot, scope) => given(commands.snapshotRestorePlan(snapshot, scope)),
  restore: (snapshot, scope, token, force) =>
    given(commands.snapshotRestore(snapshot, scope, token, force)),
  undoPlan: (service) => given(commands.snapshotRestoreUndoPlan(service)),
  undo: (service, token, force) => given(commands.snapshotRestoreUndo(service, token, force)),
  drill: (service) => given(commands.snapshotDrill(service)),
  trace: (service) => given(commands.snapshotRestoreTrace(service)),
};
