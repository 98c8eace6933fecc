//! What became of a restore, and of a drill.

use serde::{Deserialize, Serialize};

use super::Deed;
use crate::{
    Timestamp,
    action::RestartTarget,
    config::PartId,
    ids::{ServiceId, SnapshotId},
};

/// What became of one file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
pub struct RestoredFile {
    /// Its part.
    pub part: PartId,
    /// Where it is.
    pub path: String,
    /// What was to become of it.
    pub deed: Deed,
    /// Read back, and every byte is as it should be.
    pub verified: bool,
    /// The same once more when the program was up again; `None` when that was not looked at.
    pub still: Option<bool>,
}

/// What a restore did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
pub struct RestoreReport {
    /// On which service.
    pub service: ServiceId,
    /// From which snapshot.
    pub snapshot: SnapshotId,
    /// The snapshot of what was there before; an undo takes it from there.
    pub before: SnapshotId,
    /// It took back an earlier restore.
    pub undo: bool,
    /// When it began.
    #[cfg_attr(feature = "specta", specta(type = String))]
    pub at: Timestamp,
    /// File by file.
    pub files: Vec<RestoredFile>,
    /// What was stopped meanwhile.
    pub stopped: Option<RestartTarget>,
    /// Whether what was stopped was started again; `None` when nothing was.
    pub started: Option<bool>,
}

impl RestoreReport {
    /// Whether every file is as it should be.
    pub fn verified(&self) -> bool {
        self.files.iter().all(|file| file.verified)
    }
}

/// What a drill found of one item.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
#[serde(rename_all = "snake_case")]
pub enum DrillVerdict {
    /// It lay in the scratch folder as it was kept, to the byte.
    Restored,
    /// Its program could not read it: it was half a file when the snapshot was taken.
    Broken,
    /// Its bytes are gone.
    Missing,
    /// Its bytes are not those that were kept.
    Damaged,
    /// Its bytes are sealed, and the key is not there.
    Sealed,
    /// It was held in memory only.
    NotKept,
    /// It could not be written, or came back otherwise.
    NotWritten,
}

impl DrillVerdict {
    /// Whether a restore would fail on it.
    pub fn is_bad(self) -> bool {
        !matches!(self, Self::Restored)
    }
}

/// One item of a drill.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
pub struct DrillItem {
    /// Its part.
    pub part: PartId,
    /// Where it was found.
    pub path: String,
    /// What was found.
    pub verdict: DrillVerdict,
}

/// A restore of the newest snapshot into a scratch folder, which is gone again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
pub struct DrillReport {
    /// Of which service.
    pub service: ServiceId,
    /// Which snapshot.
    pub snapshot: SnapshotId,
    /// When that was taken.
    #[cfg_attr(feature = "specta", specta(type = String))]
    pub taken_at: Timestamp,
    /// When the drill was.
    #[cfg_attr(feature = "specta", specta(type = String))]
    pub at: Timestamp,
    /// Everything that the snapshot holds could be restored.
    pub proved: bool,
    /// Bytes that were written and read back.
    #[cfg_attr(feature = "specta", specta(type = f64))]
    pub bytes: u64,
    /// Item by item; what was not there then is not among them.
    pub items: Vec<DrillItem>,
}
