import type { DrillReport, RestoreScope, RestoreTrace, RestoreView } from './restore-types';
import type {
  Drift,
  DriftDigest,
  PartId,
  PartText,
  SnapshotCheck,
  SnapshotPage,
  SnapshotView,
  TextDiff,
} from './types';

/** The configuration guard: what the Configuration page asks for. Every method may reject. */
export interface Guard extends Snapshots, Restores {}

/** Configuration put back, and what proves that it could be. */
export interface Restores {
  /** What a restore would write, interrupt and leave; nothing is done. */
  restorePlan(snapshot: string, scope: RestoreScope): Promise<RestoreView>;
  /** Does what was shown under this token; the job's id. */
  restore(snapshot: string, scope: RestoreScope, token: string, force: boolean): Promise<string>;
  /** What taking the last restore of a service back would do. */
  undoPlan(service: string): Promise<RestoreView>;
  undo(service: string, token: string, force: boolean): Promise<string>;
  /** Restores the newest snapshot into a scratch folder and compares every byte. */
  drill(service: string): Promise<DrillReport>;
  /** What restores and drills left: the last of each, and what is not at its end. */
  trace(service: string): Promise<RestoreTrace>;
}

/** Snapshots, compared and looked at. */
export interface Snapshots {
  /** Snapshots of a service older than one of them, or the newest; `most` of them. */
  list(service: string, before: string | null, most: number): Promise<SnapshotPage>;
  /** What changed between two snapshots, in few words. */
  digest(before: string, after: string): Promise<DriftDigest>;
  /** The same key by key. */
  drift(before: string, after: string): Promise<Drift>;
  show(id: string): Promise<SnapshotView>;
  /** A part as text, within limits and without its secrets. */
  text(id: string, part: PartId, path: string): Promise<PartText>;
  /** A part of two snapshots, line by line. */
  textDiff(before: string, after: string, part: PartId, path: string): Promise<TextDiff>;
  /** Reads everything that a snapshot keeps, and says what is not as it was. */
  verify(id: string): Promise<SnapshotCheck>;
  take(service: string): Promise<SnapshotView>;
  pin(id: string, stays: boolean): Promise<void>;
  remove(id: string): Promise<void>;
}
