import type * as wire from './bindings.gen';

/** Files and what they take. */
export interface BackupAmount {
  files: number;
  bytes: number;
}

/** The keeper sends no bytes that are no number; the generated types do not know that. */
type Whole<T> = T extends wire.Amount
  ? BackupAmount
  : T extends (infer Each)[]
    ? Whole<Each>[]
    : T extends object
      ? { [Key in keyof T]: Whole<T[Key]> }
      : T;

/** The wire types of the backup; see `types.ts`. */
export type BackupSettings = wire.BackupSettings;
export type BackupPlan = Whole<wire.BackupPlan_Serialize> & { needed_bytes: number };
export type BackupProgress = Whole<wire.BackupProgress_Serialize>;
export type BackupRecord = Whole<wire.BackupRecord_Serialize>;
export type BackupProblem = wire.BackupProblem_Serialize;
export type BackupStatus = Whole<wire.BackupStatus_Serialize>;
export type BackupEnd = wire.BackupEnd;

/** What the window asks of the backup; where from and where to stands in the settings. */
export interface BackupBackend {
  /** What a run would do; nothing is written. */
  planBackup(): Promise<BackupPlan>;
  /** Begins to copy; the status says how far it is. */
  runBackup(): Promise<void>;
  /** Begins to read again what was copied. */
  verifyBackup(): Promise<void>;
  /** Ends what runs; the next run goes on from there. */
  cancelBackup(): Promise<void>;
  backupStatus(): Promise<BackupStatus>;
}
