import { done, given } from './answer';
import { commands } from './bindings.gen';
import type { MigrationBackend } from './migration';
import { tauriDecisions } from './tauri-decisions';

/** What the migration page asks of the shell. */
export const tauriMigration: MigrationBackend = {
  ...tauriDecisions,
  view: () => given(commands.migrationView()),
  background: () => given(commands.migrationBackground()),
  check: (step) => given(commands.migrationCheck(step)),
  checkAll: () => given(commands.migrationCheckAll()),
  preview: (step, undo) => given(commands.migrationPreview(step, undo)),
  run: (step, confirm) => done(commands.migrationRun(step, confirm)),
  undo: (step, confirm) => done(commands.migrationUndo(step, confirm)),
  previewDrill: (step) => given(commands.migrationPreviewDrill(step)),
  drill: (step) => done(commands.migrationDrill(step)),
  cancel: (step) => done(commands.migrationCancel(step)),
  attest: (step, by, note) => done(commands.migrationAttest(step, by, note)),
  skip: (step, reason) => done(commands.migrationSkip(step, reason)),
  note: (step, note) => done(commands.migrationNote(step, note)),
  date: (step, day) => done(commands.migrationDate(step, day)),
  move: (step, before) => done(commands.migrationMove(step, before)),
  add: (step) => done(commands.migrationAdd(step)),
  remove: (step) => done(commands.migrationRemove(step)),
  record: () => given(commands.migrationRecord()),
  exportPlan: (form, language) => given(commands.migrationExport(form, language)),
  exportRecord: (form, language) => given(commands.migrationRecordExport(form, language)),
};
