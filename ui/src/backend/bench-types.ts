/** The wire types of the test bench; see `types.ts`. */
import type * as wire from './bindings.gen';

export type GenerationStage = wire.GenerationStage;
export type GenerationVerdict = wire.GenerationVerdict;
export type GenerationProgress = wire.GenerationProgress_Serialize;
export type Picture = wire.Picture_Serialize;
export type Substitution = wire.Substitution;
export type Replaced = wire.Replaced;
/** As the window asks: guidance is always a number here. */
export type GenerationRequest = wire.GenerationRequest_Serialize & { cfg_scale: number };
export type Placeholder = wire.Placeholder;
export type OwnWorkflow = wire.OwnWorkflow_Serialize;
export type GenerationRecord = wire.GenerationRecord_Serialize;
export type GenerationChoices = wire.GenerationChoices;
export type GenerationTiming = wire.GenerationTiming_Serialize;
export type CardUse = wire.CardUse_Serialize;
/** What is needed is always a number. */
export type Room = wire.Room_Serialize & { needed_bytes: number };
export type GalleryQuery = wire.GalleryQuery_Serialize;
export type GalleryPage = wire.GalleryPage_Serialize;
export type GalleryUse = wire.GalleryUse;
export type GoldenSet = wire.GoldenSet_Serialize;
export type GoldenPrompt = wire.GoldenPrompt_Serialize;
export type GoldenEntry = wire.GoldenEntry_Serialize;
export type GoldenRow = wire.GoldenRow_Serialize;
export type GoldenRun = wire.GoldenRun_Serialize;
export type GoldenRuns = wire.GoldenRuns_Serialize;
export type Pace = wire.Pace;
export type GoldenFinding = wire.GoldenFinding;
export type GoldenComparison = wire.GoldenComparison_Serialize;
export type Vote = wire.Vote;
