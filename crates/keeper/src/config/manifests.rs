//! Snapshots as files, each with its own hash: the history database may be lost or damaged without
//! them, and one that is damaged is known for it.

use std::{fs, io, path::PathBuf};

use forgekeeper_domain::{
    Timestamp,
    config::{FORMAT, Snapshot},
    ids::SnapshotId,
};
use serde::Serialize;
use sha2::{Digest as _, Sha256};

use crate::sys::files;

/// Longest manifest.
const MAX_BYTES: u64 = 1024 * 1024;
/// Manifests that are looked at.
const MAX_FILES: usize = 20_000;
const MANIFEST: &str = "snapshot";
const PIN: &str = "pin";
/// Digits of the hash in an id.
const ID_DIGITS: usize = 12;

/// Why there is no snapshot.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ManifestError {
    #[error("there is no such snapshot")]
    Missing,
    #[error("it is damaged: {0}")]
    Damaged(String),
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// A snapshot as found in the folder.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
pub struct Listed {
    /// Its id.
    pub id: SnapshotId,
    /// What it holds.
    #[serde(flatten)]
    pub stored: Stored,
}

/// What a manifest is.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
#[serde(tag = "manifest", rename_all = "snake_case")]
pub enum Stored {
    /// As it was written.
    Whole {
        /// What it says.
        snapshot: Box<Snapshot>,
        /// Somebody wants it to stay.
        pinned: bool,
    },
    /// Not as it was written; never used.
    Damaged {
        /// What is wrong.
        problem: String,
    },
}

/// The folder of manifests.
#[derive(Debug, Clone)]
pub(crate) struct Manifests {
    folder: PathBuf,
}

impl Manifests {
    pub(super) fn new(folder: PathBuf) -> Self {
        Self { folder }
    }

    fn path(&self, id: &SnapshotId, ending: &str) -> PathBuf {
        self.folder.join(format!("{id}.{ending}"))
    }

    /// Writes a snapshot; its id is the moment and the beginning of its hash.
    pub(super) fn put(&self, snapshot: &Snapshot) -> io::Result<SnapshotId> {
        let text = serde_json::to_string(snapshot)?;
        let hash = hex::encode(Sha256::digest(text.as_bytes()));
        let at = snapshot.taken_at.strftime("%Y%m%dT%H%M%S");
        let milliseconds = snapshot.taken_at.as_millisecond().rem_euclid(1000);
        let id = format!("{at}{milliseconds:03}Z-{}", &hash[..ID_DIGITS]);
        let id = SnapshotId::new(id).map_err(io::Error::other)?;
        let path = self.path(&id, MANIFEST);
        files::write_atomic(&path, format!("{hash}\n{text}\n").as_bytes())?;
        match self.get(&id) {
            Ok(_) => Ok(id),
            Err(ManifestError::Io(error)) => Err(error),
            Err(error) => Err(io::Error::other(error)),
        }
    }

    /// Reads a snapshot, if it is what was written.
    pub(super) fn get(&self, id: &SnapshotId) -> Result<Snapshot, ManifestError> {
        let bytes = match files::read_limited(&self.path(id, MANIFEST), MAX_BYTES) {
            Ok(bytes) => bytes,
            Err(error) => {
                return Err(match error.kind() {
                    io::ErrorKind::NotFound => ManifestError::Missing,
                    io::ErrorKind::FileTooLarge => ManifestError::Damaged(error.to_string()),
                    _ => ManifestError::Io(error),
                });
            }
        };
        let damaged = |words: &str| ManifestError::Damaged(words.to_owned());
        let text = std::str::from_utf8(&bytes).map_err(|_| damaged("it is no text"))?;
        let (hash, text) = text
            .split_once('\n')
            .ok_or_else(|| damaged("it is cut off"))?;
        let text = text
            .strip_suffix('\n')
            .ok_or_else(|| damaged("it is cut off"))?;
        if hex::encode(Sha256::digest(text.as_bytes())) != hash {
            return Err(damaged("its hash is another"));
        }
        if !id.as_str().ends_with(&format!("-{}", &hash[..ID_DIGITS])) {
            return Err(damaged("it stands under the name of another"));
        }
        let snapshot: Snapshot =
            serde_json::from_str(text).map_err(|error| damaged(&error.to_string()))?;
        if snapshot.format == FORMAT {
            Ok(snapshot)
        } else {
            Err(damaged("its form is that of another version"))
        }
    }

    /// All of them, newest first.
    pub(super) fn list(&self) -> io::Result<Vec<Listed>> {
        let mut ids = Vec::new();
        let found = match fs::read_dir(&self.folder) {
            Ok(found) => found,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        for entry in found {
            let name = entry?.file_name();
            let Some(id) = name.to_str().and_then(|n| n.strip_suffix(".snapshot")) else {
                continue;
            };
            ids.extend(SnapshotId::new(id).ok());
        }
        // Ids begin with their time.
        ids.sort_unstable_by(|a, b| b.cmp(a));
        ids.truncate(MAX_FILES);
        let mut all = Vec::with_capacity(ids.len());
        for id in ids {
            let stored = match self.get(&id) {
                Ok(snapshot) => Stored::Whole {
                    snapshot: Box::new(snapshot),
                    pinned: self.path(&id, PIN).exists(),
                },
                // Removed at this very moment.
                Err(ManifestError::Missing) => continue,
                Err(error) => Stored::Damaged {
                    problem: error.to_string(),
                },
            };
            all.push(Listed { id, stored });
        }
        Ok(all)
    }

    /// Removes one; false when there was none.
    pub(super) fn remove(&self, id: &SnapshotId) -> io::Result<bool> {
        let path = self.path(id, MANIFEST);
        let there = path.exists();
        files::remove(&path)?;
        files::remove(&self.path(id, PIN))?;
        Ok(there)
    }

    /// Wants one to stay, or no longer.
    pub(crate) fn pin(&self, id: &SnapshotId, stays: bool) -> io::Result<()> {
        let path = self.path(id, PIN);
        if stays {
            files::write_atomic(&path, b"")
        } else {
            files::remove(&path)
        }
    }
}

/// When a snapshot was taken, as its id says; for one whose content is damaged.
pub(crate) fn time_of(id: &SnapshotId) -> Option<Timestamp> {
    let text = id.as_str();
    let piece = |from: usize, to: usize| text.get(from..to);
    let (year, month, day) = (piece(0, 4)?, piece(4, 6)?, piece(6, 8)?);
    let (hour, minute, second) = (piece(9, 11)?, piece(11, 13)?, piece(13, 15)?);
    let at = format!("{year}-{month}-{day}T{hour}:{minute}:{second}Z");
    at.parse().ok()
}
