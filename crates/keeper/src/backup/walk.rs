//! What is at the source: in order, within limits, links noted and never followed.

use std::{fs, io, path::Path, time::SystemTime};

use forgekeeper_domain::{
    backup::{BackupProblem, Obstacle},
    error::{ErrorCode, ErrorInfo},
};
use walkdir::{DirEntry, WalkDir};

use super::{
    Stop,
    exclude::Excludes,
    manifest::{MAX_ENTRIES, Stamp, stamp},
    names::Name,
    places::OUR_FOLDER,
};

/// Folders in folders: more is a mistake, or was made to be one.
const MAX_DEPTH: usize = 256;
/// Longest text of a link that is noted, bytes.
const MAX_LINK: usize = 4 * 1024;

/// One thing at the source.
#[derive(Debug)]
pub(crate) enum Found {
    /// A file.
    File {
        name: Name,
        size: u64,
        modified: Stamp,
    },
    /// A folder; what is in it follows.
    Folder(Name),
    /// A symbolic link, or what Windows has in its place.
    Link { name: Name, to: String },
    /// A socket, a pipe, a device.
    Special(Name),
    /// Left out by a pattern, with everything below it.
    Excluded(Name),
    /// It cannot be looked at, nor anything below it.
    Blocked {
        /// `None` for what has no name here.
        name: Option<Name>,
        problem: BackupProblem,
    },
}

/// Tells everything at the source. An error of the source itself ends it; any other is told and passed.
pub(crate) fn walk(
    source: &Path,
    excludes: &Excludes,
    each: &mut dyn FnMut(Found) -> Result<(), Stop>,
) -> Result<(), Stop> {
    let mut entries = WalkDir::new(source)
        .follow_links(false)
        .sort_by_file_name()
        .into_iter();
    let mut count = 0;
    while let Some(entry) = entries.next() {
        let entry = match entry {
            Ok(entry) => entry,
            Err(error) => {
                let path = error.path().unwrap_or(source).to_owned();
                let relative = path.strip_prefix(source).unwrap_or(&path);
                if relative.as_os_str().is_empty() {
                    return Err(lost(source, &error.to_string()));
                }
                let why = error.io_error().map_or(Obstacle::Io, obstacle);
                each(blocked(relative, why, Some(error.to_string())))?;
                continue;
            }
        };
        if entry.depth() == 0 {
            continue;
        }
        count += 1;
        if count > MAX_ENTRIES {
            return Err(Stop::Failed(
                ErrorInfo::new(
                    ErrorCode::Refused,
                    format!("there are more than {MAX_ENTRIES} files and folders at the source"),
                )
                .hint("Leave out folders that need no backup: `exclude` in `[backup]`."),
            ));
        }
        let (found, enter) = look(&entry, source, excludes);
        if !enter && entry.file_type().is_dir() {
            entries.skip_current_dir();
        }
        each(found)?;
    }
    Ok(())
}

/// What an entry is, and whether to look into it.
fn look(entry: &DirEntry, source: &Path, excludes: &Excludes) -> (Found, bool) {
    let path = entry.path();
    let relative = path.strip_prefix(source).unwrap_or(path);
    let Some(name) = Name::of(relative) else {
        return (blocked(relative, Obstacle::NameRefused, None), false);
    };
    let ours = entry.depth() == 1 && entry.file_name() == OUR_FOLDER;
    if ours || excludes.leave_out(&name) {
        return (Found::Excluded(name), false);
    }
    let kind = entry.file_type();
    if kind.is_symlink() {
        let to = match fs::read_link(path) {
            Ok(to) => to.to_string_lossy().into_owned(),
            // Some of Windows' lead nowhere that has a name.
            Err(_) => String::new(),
        };
        let to = to.chars().take(MAX_LINK / 4).collect();
        return (Found::Link { name, to }, false);
    }
    if kind.is_dir() {
        if entry.depth() >= MAX_DEPTH {
            return (blocked(relative, Obstacle::TooDeep, None), false);
        }
        return (Found::Folder(name), true);
    }
    if !kind.is_file() {
        return (Found::Special(name), false);
    }
    match entry.metadata() {
        Ok(metadata) => {
            let modified = stamp(metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH));
            let size = metadata.len();
            let found = Found::File {
                name,
                size,
                modified,
            };
            (found, false)
        }
        Err(error) => {
            let why = error.io_error().map_or(Obstacle::Io, obstacle);
            (blocked(relative, why, Some(error.to_string())), false)
        }
    }
}

fn blocked(relative: &Path, why: Obstacle, detail: Option<String>) -> Found {
    let path = relative.to_string_lossy().replace('\\', "/");
    Found::Blocked {
        name: Name::of(relative),
        problem: BackupProblem { path, why, detail },
    }
}

fn lost(source: &Path, detail: &str) -> Stop {
    Stop::Failed(
        ErrorInfo::new(
            ErrorCode::Io,
            format!(
                "the source of the backup cannot be read: {}",
                source.display()
            ),
        )
        .hint("Check that its drive or its share is there.")
        .detail(detail),
    )
}

/// What the system's refusal means.
pub(crate) fn obstacle(error: &io::Error) -> Obstacle {
    // ERROR_SHARING_VIOLATION, ERROR_LOCK_VIOLATION, ERROR_INVALID_NAME, ERROR_FILENAME_EXCED_RANGE.
    if cfg!(windows) {
        match error.raw_os_error() {
            Some(32 | 33) => return Obstacle::InUse,
            Some(123 | 206) => return Obstacle::NameRefused,
            _ => {}
        }
    }
    match error.kind() {
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => Obstacle::NotAllowed,
        io::ErrorKind::NotFound => Obstacle::Gone,
        io::ErrorKind::InvalidFilename | io::ErrorKind::InvalidInput => Obstacle::NameRefused,
        io::ErrorKind::FileTooLarge => Obstacle::TooLarge,
        io::ErrorKind::ResourceBusy
        | io::ErrorKind::ExecutableFileBusy
        | io::ErrorKind::WouldBlock => Obstacle::InUse,
        _ => Obstacle::Io,
    }
}
