//! One file: copied under another name, read back, and only then in its place.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read as _, Write as _},
    path::Path,
    time::{Duration, SystemTime},
};

use forgekeeper_domain::backup::Obstacle;
use sha2::{Digest as _, Sha256};

use super::{
    Doors, Stop,
    manifest::{Stamp, stamp},
    meter::Meter,
    walk::obstacle,
};
use crate::sys::files;

/// Bytes that are read at once.
pub(crate) const CHUNK: usize = 1024 * 1024;
/// File systems that keep times in steps of two seconds are still in use.
const COARSE: i64 = 2;

/// What was copied.
#[derive(Debug)]
pub(crate) struct Copied {
    pub(crate) size: u64,
    pub(crate) modified: Stamp,
    pub(crate) hash: [u8; 32],
}

/// Why a file was not copied.
#[derive(Debug)]
pub(crate) enum CopyError {
    /// This one was not; others may be.
    File(Obstacle, Option<String>),
    /// Nothing more can be.
    Stop(Stop),
}

impl From<Stop> for CopyError {
    fn from(stop: Stop) -> Self {
        Self::Stop(stop)
    }
}

fn because(error: &io::Error) -> CopyError {
    CopyError::File(obstacle(error), Some(error.to_string()))
}

/// What a refusal to write means: a full disk ends everything.
pub(crate) fn not_written(error: &io::Error) -> CopyError {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            CopyError::Stop(Stop::DiskFull(error.to_string()))
        }
        _ => because(error),
    }
}

/// Copies into a file that is not in its place yet. An error leaves none behind.
pub(crate) fn copy(
    from: &Path,
    partial: &Path,
    doors: &Doors,
    meter: &mut Meter<'_>,
) -> Result<Copied, CopyError> {
    let mut moved = 0;
    let copied = copy_whole(from, partial, doors, meter, &mut moved);
    if copied.is_err() {
        meter.take_back(moved);
        // The first error is the one worth telling; the next run removes it, too.
        let _ = files::remove(partial);
    }
    copied
}

fn copy_whole(
    from: &Path,
    partial: &Path,
    doors: &Doors,
    meter: &mut Meter<'_>,
    moved: &mut u64,
) -> Result<Copied, CopyError> {
    let mut source = (doors.open)(from).map_err(|error| because(&error))?;
    let before = source.metadata().map_err(|error| because(&error))?;
    if !before.is_file() {
        return Err(CopyError::File(Obstacle::Changed, None));
    }
    files::remove(partial).map_err(|error| not_written(&error))?;
    let mut target = new_file(partial).map_err(|error| not_written(&error))?;
    let (mut hash, mut chunk) = (Sha256::new(), vec![0; CHUNK]);
    // One that grows without end is read up to where it ended.
    while *moved <= before.len() {
        let length = source.read(&mut chunk).map_err(|error| because(&error))?;
        if length == 0 {
            break;
        }
        hash.update(&chunk[..length]);
        target
            .write_all(&chunk[..length])
            .map_err(|error| not_written(&error))?;
        *moved += length as u64;
        meter.bytes(length as u64)?;
    }
    let modified = before.modified().unwrap_or(SystemTime::UNIX_EPOCH);
    if changed(from, &source, &before, *moved) {
        return Err(CopyError::File(Obstacle::Changed, None));
    }
    // Times that a file system does not take are no reason to have no copy; the next run sees to it.
    let _ = target.set_modified(modified);
    keep_mode(&before, &target);
    if cfg!(windows) || before.len() > CHUNK as u64 {
        // A full disk may show only here.
        target.sync_data().map_err(|error| not_written(&error))?;
    }
    drop(target);
    let hash: [u8; 32] = hash.finalize().into();
    let read_back = hash_of(partial, doors, &mut |_| meter.go_on())?;
    if read_back != (hash, *moved) {
        return Err(CopyError::File(Obstacle::NotVerified, None));
    }
    Ok(Copied {
        size: *moved,
        modified: stamp(modified),
        hash,
    })
}

/// Whether a file is not what it was when it was opened, in itself or under its name.
fn changed(path: &Path, file: &File, before: &fs::Metadata, length: u64) -> bool {
    let same = |after: io::Result<fs::Metadata>| {
        after.is_ok_and(|after| {
            after.is_file()
                && after.len() == length
                && after.modified().ok() == before.modified().ok()
        })
    };
    before.len() != length || !same(file.metadata()) || !same(fs::symlink_metadata(path))
}

/// Reads a file through: its hash and its length.
pub(crate) fn hash_of(
    path: &Path,
    doors: &Doors,
    each: &mut dyn FnMut(u64) -> Result<(), Stop>,
) -> Result<([u8; 32], u64), CopyError> {
    let mut file = (doors.open)(path).map_err(|error| because(&error))?;
    let (mut hash, mut chunk, mut length) = (Sha256::new(), vec![0; CHUNK], 0_u64);
    loop {
        let read = file.read(&mut chunk).map_err(|error| because(&error))?;
        if read == 0 {
            return Ok((hash.finalize().into(), length));
        }
        hash.update(&chunk[..read]);
        length += read as u64;
        each(read as u64)?;
    }
}

/// Whether what is at a place looks like what was put there.
pub(crate) fn is_in_place(path: &Path, size: u64, modified: Stamp) -> bool {
    let Ok(metadata) = fs::symlink_metadata(path) else {
        return false;
    };
    let near = |(seconds, _): Stamp| (seconds - modified.0).abs() <= COARSE;
    metadata.is_file()
        && metadata.len() == size
        && metadata.modified().is_ok_and(|time| near(stamp(time)))
}

fn new_file(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        // Nobody else reads it before it has its source's rights.
        options.mode(0o600);
    }
    options.open(path)
}

/// Who may read it, as at the source. Not every file system can; the copy is worth more.
fn keep_mode(of: &fs::Metadata, file: &File) {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        // Its owner goes on reading it here: it is read back, verified and linked.
        let mode = (of.permissions().mode() & 0o777) | 0o600;
        let _ = file.set_permissions(fs::Permissions::from_mode(mode));
    }
    #[cfg(not(unix))]
    let _ = (of, file);
}

/// Waits between two rounds of trying again.
pub(crate) const ROUNDS: [Duration; 2] = [Duration::from_millis(500), Duration::from_secs(2)];
