import { done, given } from './answer';
import type { BackupBackend } from './backup';
import { commands } from './bindings.gen';

/** What the backup asks of the shell. */
export const tauriBackup: BackupBackend = {
  planBackup: () => given(commands.backupPlan()),
  runBackup: () => done(commands.backupRun()),
  verifyBackup: () => done(commands.backupVerify()),
  cancelBackup: () => done(commands.backupCancel()),
  backupStatus: () => given(commands.backupStatus()),
};
