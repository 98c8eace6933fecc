//! What restores leave beside the snapshots: a marker while one is under way, what the last one did,
//! and what the last drill found. Small files of their own, so that a lost history loses none of it.

use std::{io, path::PathBuf};

use forgekeeper_domain::{
    Timestamp,
    action::RestartTarget,
    config::{Deed, DrillReport, PartId},
    ids::{ServiceId, SnapshotId},
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use sha2::{Digest as _, Sha256};

use crate::sys::files;

/// Longest file of them.
const MAX_BYTES: u64 = 1024 * 1024;
const MARK: &str = "under-way";
const DRILLING: &str = "drilling";
/// Files of a folder that are looked at.
const MAX_FILES: usize = 10_000;

/// The hash of what is at a place, or that nothing is.
pub(crate) fn hash(bytes: Option<&[u8]>) -> Option<String> {
    bytes.map(|bytes| hex::encode(Sha256::digest(bytes)))
}

/// A file of a restore, by its bytes before and after.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Marked {
    pub(crate) part: PartId,
    pub(crate) path: String,
    pub(crate) deed: Deed,
    pub(crate) before: Option<String>,
    pub(crate) after: Option<String>,
}

/// A restore under way. It is written before anything is stopped, and goes when everything is done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Marker {
    /// The program that does it, as [`crate::sys::presence::Presence`] knows it.
    pub(crate) owner: String,
    pub(crate) service: ServiceId,
    pub(crate) snapshot: SnapshotId,
    /// The snapshot before; `None` while it is being taken, and nothing was touched by then.
    pub(crate) before: Option<SnapshotId>,
    pub(crate) at: Timestamp,
    pub(crate) undo: bool,
    pub(crate) files: Vec<Marked>,
    /// What ran, is stopped meanwhile, and has to run again.
    pub(crate) stops: Option<RestartTarget>,
}

/// What the last restore of a service did; an undo begins with it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Last {
    pub(crate) snapshot: SnapshotId,
    pub(crate) before: SnapshotId,
    pub(crate) at: Timestamp,
    pub(crate) undo: bool,
    /// Its program was ended in the middle.
    #[serde(default)]
    pub(crate) interrupted: bool,
    pub(crate) files: Vec<Marked>,
}

/// A drill under way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Drilling {
    pub(crate) owner: String,
    pub(crate) at: Timestamp,
}

/// The folder of these files.
#[derive(Debug, Clone)]
pub(crate) struct Restores {
    folder: PathBuf,
}

impl Restores {
    pub(super) fn new(folder: PathBuf) -> Self {
        Self { folder }
    }

    fn path(&self, below: &str, service: &str) -> PathBuf {
        self.folder.join(below).join(format!("{service}.json"))
    }

    fn put<T: Serialize>(&self, below: &str, service: &ServiceId, value: &T) -> io::Result<()> {
        files::write_atomic(
            &self.path(below, service.as_str()),
            &serde_json::to_vec(value)?,
        )
    }

    /// `Ok(None)` when there is none; an error of kind `InvalidData` when it cannot be understood.
    fn get<T: DeserializeOwned>(&self, below: &str, service: &str) -> io::Result<Option<T>> {
        match files::read_limited(&self.path(below, service), MAX_BYTES) {
            Ok(bytes) => Ok(Some(serde_json::from_slice(&bytes)?)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Marks a restore as begun; `AlreadyExists` while another one is marked.
    pub(crate) fn begin(&self, marker: &Marker) -> io::Result<()> {
        let path = self.path(MARK, marker.service.as_str());
        files::ensure_dir(&self.folder.join(MARK))?;
        files::write_new(&path, &serde_json::to_vec(marker)?)
    }

    /// Writes the marker anew.
    pub(crate) fn go_on(&self, marker: &Marker) -> io::Result<()> {
        self.put(MARK, &marker.service, marker)
    }

    /// The marker of a service.
    pub(crate) fn marker(&self, service: &ServiceId) -> io::Result<Option<Marker>> {
        self.get(MARK, service.as_str())
    }

    /// Services with a marker.
    pub(crate) fn marked(&self) -> io::Result<Vec<ServiceId>> {
        let names = files::names(&self.folder.join(MARK), MAX_FILES)?;
        let ids = names.iter().filter_map(|name| {
            let id = name.to_str()?.strip_suffix(".json")?;
            ServiceId::new(id).ok()
        });
        Ok(ids.collect())
    }

    /// Takes the marker away.
    pub(crate) fn end(&self, service: &ServiceId) -> io::Result<()> {
        files::remove(&self.path(MARK, service.as_str()))
    }

    /// What the last restore of a service did.
    pub(crate) fn last(&self, service: &ServiceId) -> io::Result<Option<Last>> {
        self.get("restored", service.as_str())
    }

    pub(crate) fn put_last(&self, service: &ServiceId, last: &Last) -> io::Result<()> {
        self.put("restored", service, last)
    }

    /// What the last drill of a service found.
    pub(crate) fn drill(&self, service: &ServiceId) -> io::Result<Option<DrillReport>> {
        self.get("drills", service.as_str())
    }

    pub(crate) fn put_drill(&self, report: &DrillReport) -> io::Result<()> {
        self.put("drills", &report.service, report)
    }

    /// The drill of a service that is under way, or was when its program ended.
    pub(crate) fn drilling(&self, service: &ServiceId) -> io::Result<Option<Drilling>> {
        self.get(DRILLING, service.as_str())
    }

    pub(crate) fn begin_drill(&self, service: &ServiceId, begun: &Drilling) -> io::Result<()> {
        self.put(DRILLING, service, begun)
    }

    pub(crate) fn end_drill(&self, service: &ServiceId) -> io::Result<()> {
        files::remove(&self.path(DRILLING, service.as_str()))
    }

    /// Where a drill writes.
    pub(crate) fn scratch(&self) -> PathBuf {
        self.folder.join("drill")
    }
}
