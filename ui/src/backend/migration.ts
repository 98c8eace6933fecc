import type * as wire from './bindings.gen';
import type { DecisionsBackend } from './decisions';

/** A text in both languages. */
export type Words = wire.Words;
export type MigrationView = wire.MigrationView_Serialize;
export type MigrationPhase = wire.PhaseView_Serialize;
export type MigrationStep = wire.StepView_Serialize;
export type MigrationPlan = wire.Plan_Serialize;
export type StepState = wire.StepState;
export type StepLook = wire.StepLook;
export type StepDoing = wire.Doing_Serialize;
export type StepPreview = wire.StepPreview_Serialize;
export type PreviewLine = wire.PreviewLine;
export type RecordEntry = wire.RecordEntry_Serialize;
export type AddedStep = wire.AddedStep_Deserialize;

/** The migration as this window sees it. Every method may reject with an `ErrorInfo`. */
export interface MigrationBackend extends DecisionsBackend {
  view(): Promise<MigrationView>;
  /** What was weighed for the plan; it never changes. */
  background(): Promise<MigrationPlan>;
  /** Measures a step; changes nothing. */
  check(step: string): Promise<StepLook>;
  /** Measures what can be done now or was measured before; which steps that were. */
  checkAll(): Promise<string[]>;
  preview(step: string, undo: boolean): Promise<StepPreview>;
  /** Begins; the view tells how far it is. `confirm` is the word that the preview asks for. */
  run(step: string, confirm: string | null): Promise<void>;
  undo(step: string, confirm: string | null): Promise<void>;
  /** What trying the way back would do. */
  previewDrill(step: string): Promise<StepPreview>;
  drill(step: string): Promise<void>;
  cancel(step: string): Promise<void>;
  attest(step: string, by: string, note: string | null): Promise<void>;
  /** Without a reason the step is taken in again. */
  skip(step: string, reason: string | null): Promise<void>;
  note(step: string, note: string | null): Promise<void>;
  /** `2026-12-01`, or none. */
  date(step: string, day: string | null): Promise<void>;
  /** Before another step of its phase, or last. */
  move(step: string, before: string | null): Promise<void>;
  add(step: AddedStep): Promise<void>;
  remove(step: string): Promise<void>;
  /** The flight recorder, oldest first. */
  record(): Promise<RecordEntry[]>;
  /** Saves the plan to a file: the path, or `null` when that was cancelled. */
  exportPlan(form: 'md' | 'html', language: 'en' | 'fr'): Promise<string | null>;
  exportRecord(form: 'md' | 'html' | 'jsonl', language: 'en' | 'fr'): Promise<string | null>;
}
