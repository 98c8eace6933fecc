//! Source and target: whether they can be used at all.

use std::{
    ffi::OsString,
    fs, io,
    path::{Path, PathBuf},
};

use forgekeeper_domain::{
    backup::{BackupMode, BackupSettings},
    error::{ErrorCode, ErrorInfo},
};
use serde::{Deserialize, Serialize};

use super::exclude::Excludes;
use crate::sys::files;

/// Our own folder in a target. One of this name in a source is not copied.
pub(crate) const OUR_FOLDER: &str = ".forgekeeper-backup";
const MARKER: &str = "backup.json";
/// A marker has a few lines.
const MAX_MARKER: u64 = 64 * 1024;
const FORMAT: u32 = 1;

/// Source and target, looked at.
#[derive(Debug)]
pub(crate) struct Places {
    /// Canonical: on Windows with the prefix under which paths may be long.
    pub(crate) source: PathBuf,
    /// The same as far as it exists.
    pub(crate) target: PathBuf,
    pub(crate) settings: BackupSettings,
    pub(crate) excludes: Excludes,
}

/// What stands in a target of ours.
#[derive(Debug, Serialize, Deserialize)]
struct Marker {
    format: u32,
    source: String,
    mode: BackupMode,
}

/// What a target is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Target {
    /// Not there, or empty.
    New,
    /// The backup of this source in this mode.
    Ours,
}

impl Places {
    /// Looks at both; nothing is made.
    pub(crate) fn look(settings: &BackupSettings) -> Result<Self, ErrorInfo> {
        let excludes = Excludes::new(&settings.exclude)
            .map_err(|error| wrong(format!("a pattern of what is left out is none: {error}")))?;
        let source = Self::source(&settings.source)?;
        let target = Self::target(&settings.target)?;
        let nested = if target == source {
            Some("are the same folder")
        } else if target.starts_with(&source) {
            Some(
                "lie in one another: the target is inside the source, and would be copied into itself",
            )
        } else if source.starts_with(&target) {
            Some("lie in one another: the source is inside the target")
        } else {
            None
        };
        if let Some(how) = nested {
            return Err(wrong(format!("source and target of the backup {how}"))
                .hint("Choose a target elsewhere, best on another disk."));
        }
        Ok(Self {
            source,
            target,
            settings: settings.clone(),
            excludes,
        })
    }

    /// As [`Places::look`] for reading a backup: its source may be gone, that is what it is for.
    pub(crate) fn look_at_target(settings: &BackupSettings) -> Result<PathBuf, ErrorInfo> {
        Self::target(&settings.target)
    }

    fn source(text: &str) -> Result<PathBuf, ErrorInfo> {
        let path = whole(text, "source")?;
        let broken = |error: &io::Error| {
            ErrorInfo::new(
                ErrorCode::Io,
                format!("the source of the backup cannot be read: {text}"),
            )
            .hint("Check the path, and that its drive or its share is there.")
            .detail(error.to_string())
        };
        let metadata = fs::metadata(&path).map_err(|error| broken(&error))?;
        if !metadata.is_dir() {
            return Err(
                wrong(format!("the source of the backup is no folder: {text}"))
                    .hint("Name a folder."),
            );
        }
        canonical(&path).map_err(|error| broken(&error))
    }

    fn target(text: &str) -> Result<PathBuf, ErrorInfo> {
        let path = whole(text, "target")?;
        let mut missing: Vec<OsString> = Vec::new();
        let mut there = path.as_path();
        loop {
            match fs::metadata(there) {
                Ok(metadata) if metadata.is_dir() => break,
                Ok(_) => {
                    return Err(wrong(format!(
                        "the target of the backup is no folder: {}",
                        there.display()
                    ))
                    .hint("Name a folder."));
                }
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    match (there.parent(), there.file_name()) {
                        (Some(parent), Some(name)) => {
                            missing.push(name.to_owned());
                            there = parent;
                        }
                        _ => return Err(unusable(text, &error)),
                    }
                }
                Err(error) => return Err(unusable(text, &error)),
            }
        }
        let mut canonical = canonical(there).map_err(|error| unusable(text, &error))?;
        canonical.extend(missing.iter().rev());
        Ok(canonical)
    }

    /// What the target is; one that holds anything else is refused.
    pub(crate) fn check_target(&self) -> Result<Target, ErrorInfo> {
        let Some(marker) = read_marker(&self.target)? else {
            // Our folder alone is what a run leaves that was ended in its first moment.
            let names =
                files::names(&self.target, 2).map_err(|e| unusable(&self.settings.target, &e))?;
            let foreign = names.iter().find(|name| *name != OUR_FOLDER);
            return match foreign {
                None => Ok(Target::New),
                Some(name) => Err(ErrorInfo::new(
                    ErrorCode::Refused,
                    format!(
                        "the target is not empty and no backup of ours: {} has `{}`",
                        self.settings.target,
                        name.to_string_lossy()
                    ),
                )
                .hint(
                    "Choose an empty folder or one that does not exist yet: what others put there is \
                     never touched.",
                )),
            };
        };
        let source = shown(&self.source);
        if marker.source != source {
            return Err(refused(format!(
                "the target holds the backup of another folder: {}",
                marker.source
            )));
        }
        if marker.mode != self.settings.mode {
            return Err(refused(format!(
                "the target holds a backup of mode `{}`, not `{}`",
                marker.mode.name(),
                self.settings.mode.name()
            )));
        }
        Ok(Target::Ours)
    }

    /// Makes the target ours.
    pub(crate) fn claim(&self) -> Result<(), ErrorInfo> {
        let ours = self.ours();
        let made = files::ensure_dir(&ours).and_then(|()| {
            let marker = Marker {
                format: FORMAT,
                source: shown(&self.source),
                mode: self.settings.mode,
            };
            let text = serde_json::to_vec_pretty(&marker)?;
            files::write_atomic(&ours.join(MARKER), &text)
        });
        made.map_err(|error| unusable(&self.settings.target, &error))
    }

    /// Our folder in the target.
    pub(crate) fn ours(&self) -> PathBuf {
        self.target.join(OUR_FOLDER)
    }
}

/// The mode of the backup that a target holds; `None` when it holds none.
pub(crate) fn mode_of(target: &Path) -> Result<Option<BackupMode>, ErrorInfo> {
    Ok(read_marker(target)?.map(|marker| marker.mode))
}

fn read_marker(target: &Path) -> Result<Option<Marker>, ErrorInfo> {
    let path = target.join(OUR_FOLDER).join(MARKER);
    let bytes = match files::read_limited(&path, MAX_MARKER) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(unusable(&shown(target), &error)),
    };
    match serde_json::from_slice::<Marker>(&bytes) {
        Ok(marker) if marker.format == FORMAT => Ok(Some(marker)),
        Ok(marker) => Err(refused(format!(
            "the target holds a backup of another version of Forgekeeper (format {})",
            marker.format
        ))),
        Err(error) => Err(refused(format!(
            "what the target says of itself cannot be read: {}",
            path.display()
        ))
        .detail(error.to_string())),
    }
}

/// A path without the prefix that Windows' long ones have, for people and for comparing.
pub(crate) fn shown(path: &Path) -> String {
    let text = path.display().to_string();
    if let Some(rest) = text.strip_prefix(r"\\?\UNC\") {
        return format!(r"\\{rest}");
    }
    match text.strip_prefix(r"\\?\") {
        Some(rest) => rest.to_owned(),
        None => text,
    }
}

fn whole(text: &str, what: &str) -> Result<PathBuf, ErrorInfo> {
    let path = PathBuf::from(text);
    if path.is_absolute() {
        return Ok(path);
    }
    Err(wrong(format!(
        "the {what} of the backup is no whole path on this machine: {text}"
    ))
    .hint("Write it from the drive or the root on."))
}

/// The real path, under which Windows takes long ones. Some drives there know no real paths.
fn canonical(path: &Path) -> io::Result<PathBuf> {
    match fs::canonicalize(path) {
        Err(error) if cfg!(windows) => {
            let whole = std::path::absolute(path).map_err(|_| error)?;
            let text = whole.display().to_string();
            Ok(match text.strip_prefix(r"\\") {
                Some(_) if text.starts_with(r"\\?\") => whole,
                Some(share) => PathBuf::from(format!(r"\\?\UNC\{share}")),
                None => PathBuf::from(format!(r"\\?\{text}")),
            })
        }
        found => found,
    }
}

fn wrong(text: String) -> ErrorInfo {
    ErrorInfo::new(ErrorCode::BadRequest, text)
}

fn refused(text: String) -> ErrorInfo {
    ErrorInfo::new(ErrorCode::Refused, text)
        .hint("Choose another target, or empty this one by hand if you no longer want it.")
}

fn unusable(target: &str, error: &io::Error) -> ErrorInfo {
    let code = match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => ErrorCode::DiskFull,
        io::ErrorKind::PermissionDenied => ErrorCode::NotAllowed,
        _ => ErrorCode::Io,
    };
    ErrorInfo::new(
        code,
        format!("the target of the backup cannot be used: {target}"),
    )
    .hint("Check the path, that its drive is there, has room and that this user may write to it.")
    .detail(error.to_string())
}
