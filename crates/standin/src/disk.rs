//! The files of a program's folder: what a container's archive hands out and takes in.

use std::collections::BTreeMap;
use std::sync::Mutex;

use jiff::{SignedDuration, Timestamp};

use crate::lock::lock;

/// A file as it lies there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DiskFile {
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// Its mode.
    pub mode: u32,
    /// When it was last written.
    pub modified: Timestamp,
}

/// A folder with everything below it, by path without a slash in front. Two containers that mount
/// one workspace share one.
#[derive(Debug, Default)]
pub struct Disk {
    files: Mutex<BTreeMap<String, DiskFile>>,
}

impl Disk {
    /// A folder with these files, all of them a month old.
    pub fn with(files: &[(&str, &str)]) -> Self {
        let disk = Self::default();
        let old = Timestamp::now() - SignedDuration::from_hours(24 * 30);
        for (path, text) in files {
            disk.put_at(path, text.as_bytes().to_vec(), 0o644, old);
        }
        disk
    }

    /// Writes a file now.
    pub fn put(&self, path: &str, bytes: impl Into<Vec<u8>>) {
        self.put_at(path, bytes.into(), 0o644, Timestamp::now());
    }

    /// Writes a file with its mode and time.
    pub fn put_at(&self, path: &str, bytes: Vec<u8>, mode: u32, modified: Timestamp) {
        let file = DiskFile {
            bytes,
            mode,
            modified,
        };
        lock(&self.files).insert(path.to_owned(), file);
    }

    /// A file.
    pub fn get(&self, path: &str) -> Option<DiskFile> {
        lock(&self.files).get(path).cloned()
    }

    /// Removes a file.
    pub fn remove(&self, path: &str) -> Option<DiskFile> {
        lock(&self.files).remove(path)
    }

    /// Everything, by path.
    pub fn all(&self) -> BTreeMap<String, DiskFile> {
        lock(&self.files).clone()
    }
}
