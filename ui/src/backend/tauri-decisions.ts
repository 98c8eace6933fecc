import { done, given } from './answer';
import { commands } from './bindings.gen';
import type { DecisionsBackend } from './decisions';

/** What the migration page asks of the shell about decisions. */
export const tauriDecisions: DecisionsBackend = {
  settings: () => given(commands.migrationSettings()),
  planSettings: (settings) => given(commands.migrationSettingsPlan(settings)),
  saveSettings: (settings, stamp) => given(commands.migrationSettingsSave(settings, stamp)),
  images: () => given(commands.migrationImages()),
  extensions: () => given(commands.migrationExtensions()),
  decide: (extension, decision) => done(commands.migrationDecide(extension, decision)),
};
