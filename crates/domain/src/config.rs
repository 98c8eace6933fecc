//! The configuration of a service: what belongs to a snapshot, what changed between two, by whom,
//! and which snapshots are kept.

mod digest;
mod drift;
mod git;
mod look;
mod origin;
mod parts;
mod places;
mod recipe;
mod restore;
mod retention;
mod snapshot;
#[cfg(test)]
mod tests;
mod text_diff;
mod trouble;
mod values;
mod words;

pub use digest::{DriftDigest, MAX_NAMED, NamedChange, OriginCount, UnknownPart};
pub use drift::{
    Bytes, Change, Drift, MAX_CHANGES, MAX_VALUE_CHARS, PartDrift, PartFinding, Side, Uncomparable,
    drift,
};
pub use git::{Checkout, Head, checked_out_at, checkouts_json, head, packed_commit};
pub use look::{MAX_CHARS, MAX_LINE_CHARS, MAX_LINES, PartText, look};
pub use origin::{Attribution, Certainty, LogMark, LogMarkKind, Origin, OriginFacts, ROWS};
pub use parts::{Format, PARTS, Part, PartId, Source, parts_of};
pub use places::{
    Mount, env_files, program_folders, program_marker, same_folder, through_mounts, workspace_fact,
    workspace_of,
};
pub use recipe::{Recipe, RecipePort};
pub use restore::{
    Caution, Deed, DrillItem, DrillReport, DrillVerdict, Effect, FileName, FilePlan, Left,
    Prepared, Present, PresentState, RestoreFacts, RestorePlan, RestoreReport, RestoreScope,
    RestoredFile, RestoredValue, WhyLeft, Write, describe_restore, prepare, settings_part,
};
pub use retention::{Keep, Kept, RETENTION, Retention, to_remove};
pub use snapshot::{ContainerRef, Content, FORMAT, Item, ItemState, Reason, Snapshot, Unread, Via};
pub use text_diff::{DiffLine, LineSide, MAX_COMPARED, TextDiff, text_diff};
pub use trouble::{
    CHECKPOINT, Lost, LostKey, MAX_LOST, SettingsScene, checkpoint, request_of, troubles,
};
pub use values::{Reading, Values, holds_secret, line_holds_secret, read};
pub use words::{describe, key_text};
