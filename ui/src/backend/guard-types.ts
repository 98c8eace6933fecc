/** The wire types of the configuration guard; see `types.ts`. */
import type * as wire from './bindings.gen';

export type PartId = wire.PartId;
export type SnapshotPage = wire.SnapshotPage_Serialize;
export type SnapshotEntry = wire.SnapshotEntry_Serialize;
export type DamagedSnapshot = wire.DamagedSnapshot_Serialize;
export type SnapshotView = wire.SnapshotView_Serialize;
export type SnapshotItem = wire.Item_Serialize;
export type SnapshotReason = wire.Reason;
export type SnapshotCheck = wire.SnapshotCheck;
export type ItemVerdict = wire.Verdict;
export type Drift = wire.Drift_Serialize;
export type PartDrift = wire.PartDrift_Serialize;
export type DriftChange = wire.Change_Serialize;
export type DriftDigest = wire.DriftDigest_Serialize;
export type Attribution = wire.Attribution_Serialize;
export type ChangeOrigin = wire.Origin;
export type PartText = wire.PartText_Serialize;
export type TextDiff = wire.TextDiff_Serialize;
export type DiffLine = wire.DiffLine_Serialize;
