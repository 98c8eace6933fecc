import type * as wire from './bindings.gen';

export type PlanField = wire.PlanField;
export type Setting = wire.Setting_Serialize;
export type PlanSetting = wire.PlanSetting_Serialize;
export type PlanSettings = wire.PlanSettings_Serialize;
export type SettingsDraft = wire.SettingsDraft;
export type FieldSaid = wire.FieldSaid;
export type ImageChoice = wire.ImageChoice_Serialize;
export type ExtensionList = wire.ExtensionList_Serialize;
export type Decided = wire.Decided_Serialize;
export type Decision = wire.Decision_Serialize;

/** What the owner decides of the migration. Every method may reject with an `ErrorInfo`. */
export interface DecisionsBackend {
  /** The values of `[target]` and `[iis]`, with what was found that they could be. */
  settings(): Promise<PlanSettings>;
  /** What writing values would change; writes nothing. */
  planSettings(settings: Setting[]): Promise<SettingsDraft>;
  /** Writes values into the text of this stamp, and into no other. */
  saveSettings(settings: Setting[], stamp: string | null): Promise<FieldSaid[]>;
  images(): Promise<ImageChoice[]>;
  extensions(): Promise<ExtensionList>;
  /** Without a decision the one there was is taken back. */
  decide(extension: string, decision: Decision | null): Promise<void>;
}
