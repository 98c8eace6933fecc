//! What restores and drills of a service left, for those who look: the last of each, and what was begun
//! and is not at its end.

use forgekeeper_domain::{
    Timestamp,
    config::{Deed, DrillReport, PartId},
    error::ErrorInfo,
    ids::{ServiceId, SnapshotId},
};
use serde::Serialize;

use super::{KeeperHandle, restoring::marker_trouble};

/// A file of a restore.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
pub struct TracedFile {
    /// Its part.
    pub part: PartId,
    /// Where it is.
    pub path: String,
    /// What became of it.
    pub deed: Deed,
}

/// The last restore that changed something; an undo begins with it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
pub struct LastRestore {
    /// From which snapshot.
    pub snapshot: SnapshotId,
    /// The snapshot of what was there before.
    pub before: SnapshotId,
    /// When it began.
    #[cfg_attr(feature = "specta", specta(type = String))]
    pub at: Timestamp,
    /// It took back an earlier restore.
    pub undo: bool,
    /// Its program was ended in the middle: what it left is in the journal.
    pub interrupted: bool,
    /// Its files.
    pub files: Vec<TracedFile>,
}

/// A restore that was begun and is not at its end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
pub struct OpenRestore {
    /// When it began.
    #[cfg_attr(feature = "specta", specta(type = String))]
    pub at: Timestamp,
    /// It takes back an earlier restore.
    pub undo: bool,
    /// Its program is at it; otherwise that has ended, and what it left is being found out.
    pub works: bool,
}

/// What restores and drills of a service left.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
pub struct RestoreTrace {
    /// The last restore; `None` when there was none.
    pub last: Option<LastRestore>,
    /// One that is not at its end.
    pub open: Option<OpenRestore>,
    /// The last drill that came to its end; `None` when there was none.
    pub drill: Option<DrillReport>,
    /// A drill since then whose program ended in the middle: when it began.
    #[cfg_attr(feature = "specta", specta(type = Option<String>))]
    pub drill_broken: Option<Timestamp>,
}

impl KeeperHandle {
    /// What restores and drills of a service left. An error where that cannot be told.
    pub fn restore_trace(&self, service: &ServiceId) -> Result<RestoreTrace, ErrorInfo> {
        self.check_known(service)?;
        let restores = &self.inner.config.restores;
        let trouble = |error: std::io::Error| marker_trouble(&error);
        let last = restores.last(service).map_err(trouble)?;
        let marker = restores.marker(service).map_err(trouble)?;
        let begun = restores.drilling(service).map_err(trouble)?;
        let drill = self.last_drill(service)?;
        // What stands there of a program that runs is being made this very moment.
        let broken = begun.filter(|begun| !self.inner.presence.is_present(&begun.owner));
        // Its end may have been stored, and the mark have stayed.
        let broken = broken.filter(|begun| drill.as_ref().is_none_or(|last| last.at < begun.at));
        Ok(RestoreTrace {
            last: last.map(|last| LastRestore {
                snapshot: last.snapshot,
                before: last.before,
                at: last.at,
                undo: last.undo,
                interrupted: last.interrupted,
                files: last.files.into_iter().map(named).collect(),
            }),
            open: marker.map(|marker| OpenRestore {
                at: marker.at,
                undo: marker.undo,
                works: self.works(&marker),
            }),
            drill,
            drill_broken: broken.map(|begun| begun.at),
        })
    }
}

fn named(file: crate::config::restores::Marked) -> TracedFile {
    TracedFile {
        part: file.part,
        path: file.path,
        deed: file.deed,
    }
}
