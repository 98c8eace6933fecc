//! Where in a target what lies.

use std::{
    fs::{File, OpenOptions, TryLockError},
    io,
    path::{Path, PathBuf},
};

use forgekeeper_domain::error::{ErrorCode, ErrorInfo};

use super::places::OUR_FOLDER;

/// Files of one run, and what is kept beside them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Layout {
    /// Below it the files lie as at the source.
    pub(crate) root: PathBuf,
    /// The run's folder, of a dated backup.
    pub(crate) folder: Option<String>,
    pub(crate) manifest: PathBuf,
    pub(crate) journal: PathBuf,
    /// A file on its way. One name for all: a name of its own beside the file could be too long, and would
    /// have to be looked for after a crash.
    pub(crate) partial: PathBuf,
}

impl Layout {
    /// Of a mirror: the target itself.
    pub(crate) fn mirror(target: &Path) -> Self {
        Self::new(target, target.to_owned(), "manifest.jsonl")
    }

    pub(crate) fn new(target: &Path, root: PathBuf, manifest: &str) -> Self {
        let ours = target.join(OUR_FOLDER);
        Self {
            root,
            folder: None,
            manifest: ours.join(manifest),
            journal: ours.join("unfinished.jsonl"),
            partial: ours.join("next.partial"),
        }
    }
}

/// Keeps others out of a target for as long as it lives: two runs of one backup would undo each other.
pub(crate) fn locked(ours: &Path) -> Result<File, ErrorInfo> {
    let open = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .open(ours.join("lock"));
    let unusable = |error: io::Error| {
        let code = match error.kind() {
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
                ErrorCode::NotAllowed
            }
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => ErrorCode::DiskFull,
            _ => ErrorCode::Io,
        };
        ErrorInfo::new(
            code,
            format!(
                "the target of the backup cannot be written to: {}",
                ours.display()
            ),
        )
        .hint("Check that its drive is there, has room and that this user may write to it.")
        .detail(error.to_string())
    };
    let file = open.map_err(unusable)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        // A file system without locks: whoever starts two programs has two.
        Err(TryLockError::Error(error)) if error.kind() == io::ErrorKind::Unsupported => Ok(file),
        Err(TryLockError::Error(error)) => Err(unusable(error)),
        Err(TryLockError::WouldBlock) => Err(ErrorInfo::new(
            ErrorCode::Refused,
            "another program is at work on this backup",
        )
        .hint("Wait until it has ended.")),
    }
}
