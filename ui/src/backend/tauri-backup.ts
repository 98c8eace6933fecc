import { done, given } from './answer';
import type { BackupBackend, BackupPlan, BackupStatus } from './backup';
import { commands } from './bindings.gen';

/** What the backup asks of the shell. */
export const tauriBackup: BackupBackend = {
  planBackup: async () => (await given(commands.backupPlan())) as BackupPlan,
  runBackup: () => done(commands.backupRun()),
  verifyBackup: () => done(commands.backupVerify()),
  cancelBackup: () => done(commands.backupCancel()),
  backupStatus: async () => (await given(commands.backupStatus())) as BackupStatus,
};
