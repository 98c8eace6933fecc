/** The wire types of restores and drills; see `types.ts`. */
import type * as wire from './bindings.gen';

export type PartId = wire.PartId;
export type RestoreScope = wire.RestoreScope_Serialize;
export type RestoreView = wire.RestoreView_Serialize;
export type FilePlan = wire.FilePlan_Serialize;
export type RestoredValue = wire.RestoredValue_Serialize;
export type Left = wire.Left_Serialize;
export type WhyLeft = wire.WhyLeft;
export type Caution = wire.Caution_Serialize;
export type RestoreReport = wire.RestoreReport_Serialize;
export type RestoredFile = wire.RestoredFile;
export type DrillReport = wire.DrillReport;
export type DrillItem = wire.DrillItem;
export type DrillVerdict = wire.DrillVerdict;
export type RestoreTrace = wire.RestoreTrace_Serialize;
export type LastRestore = wire.LastRestore;
