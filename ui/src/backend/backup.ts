import type * as wire from './bindings.gen';

/** The wire types of the backup; see `types.ts`. */
export type BackupMode = wire.BackupMode;
export type BackupSettings = wire.BackupSettings;
export type BackupPlan = wire.BackupPlan_Serialize;
export type BackupProgress = wire.BackupProgress_Serialize;
export type BackupRecord = wire.BackupRecord_Serialize;
export type BackupProblem = wire.BackupProblem_Serialize;
export type BackupStatus = wire.BackupStatus_Serialize;
export type BackupEnd = wire.BackupEnd;
export type BackupAmount = wire.Amount_Serialize;
export type SharedDisk = wire.SharedDisk;

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
