//! Small files that were read before and have not changed: a thousand checkouts are looked at every day, and
//! hardly one of them is another one.

use std::{
    collections::HashMap,
    fs::Metadata,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
    time::{Duration, SystemTime},
};

use crate::sys::clock;

/// Longest file that is remembered.
const MAX_BYTES: usize = 4 * 1024;
/// Files that are remembered.
const MAX_FILES: usize = 40_000;
/// A file may be written twice in one tick of its file system's clock: one as young as this is not remembered.
const SETTLED: Duration = Duration::from_secs(3);

/// What tells that a file is the one that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Mark {
    size: u64,
    modified: SystemTime,
    /// Number and last change of the entry, where the system has them: a time can be set back.
    entry: (u64, i64, i64),
}

/// Files that were read before.
#[derive(Debug, Default)]
pub(crate) struct Memory {
    files: Mutex<HashMap<PathBuf, (Mark, Vec<u8>)>>,
}

impl Memory {
    /// The bytes of a file that is still the one that was read.
    pub(super) fn get(&self, path: &Path, metadata: &Metadata) -> Option<Vec<u8>> {
        let mark = mark(metadata)?;
        let files = self.files.lock().unwrap_or_else(PoisonError::into_inner);
        let (known, bytes) = files.get(path)?;
        (*known == mark).then(|| bytes.clone())
    }

    /// Remembers bytes; `metadata` is from before they were read.
    pub(super) fn put(&self, path: &Path, metadata: &Metadata, bytes: &[u8]) {
        let Some(mark) = mark(metadata) else { return };
        let now = SystemTime::UNIX_EPOCH
            + Duration::try_from(clock::now().as_duration()).unwrap_or_default();
        let settled = now
            .duration_since(mark.modified)
            .is_ok_and(|age| age > SETTLED);
        if bytes.len() > MAX_BYTES || mark.size != bytes.len() as u64 || !settled {
            return;
        }
        let mut files = self.files.lock().unwrap_or_else(PoisonError::into_inner);
        if files.len() >= MAX_FILES {
            // Those in use come back with the next look.
            files.clear();
        }
        files.insert(path.to_owned(), (mark, bytes.to_vec()));
    }
}

fn mark(metadata: &Metadata) -> Option<Mark> {
    Some(Mark {
        size: metadata.len(),
        modified: metadata.modified().ok()?,
        entry: entry(metadata),
    })
}

#[cfg(unix)]
fn entry(metadata: &Metadata) -> (u64, i64, i64) {
    use std::os::unix::fs::MetadataExt as _;
    (metadata.ino(), metadata.ctime(), metadata.ctime_nsec())
}

#[cfg(not(unix))]
fn entry(_metadata: &Metadata) -> (u64, i64, i64) {
    (0, 0, 0)
}
