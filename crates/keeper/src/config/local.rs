//! Files of a workspace that this machine reaches. Links are followed as the container would follow
//! them, and only as long as they stay within the workspace: whoever is inside the container can
//! make a link to anything.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use forgekeeper_domain::Timestamp;

use super::{
    memory::Memory,
    place::{File, Miss},
};
use crate::{docker::stat::FileStat, sys::files};

/// Links that are followed from one path.
const MAX_LINKS: usize = 8;
/// Names of a folder that are looked at.
pub(super) const MAX_NAMES: usize = 4_096;
/// Longest name.
pub(super) const MAX_NAME: usize = 255;

/// A folder of this machine that a container has at `target`.
#[derive(Debug, Clone)]
pub(crate) struct LocalFolder {
    /// Path inside the container.
    pub(crate) target: String,
    /// Path here.
    pub(crate) here: PathBuf,
}

impl LocalFolder {
    /// The file at a path of the container. `Miss::Elsewhere` when it is not in this folder.
    pub(super) fn read(&self, path: &str, max: usize) -> Result<File, Miss> {
        let place = self.resolve(path)?;
        let metadata = fs::metadata(&place).map_err(|e| miss(&e))?;
        if metadata.is_dir() {
            return Err(Miss::Folder);
        }
        let bytes = files::read_limited(&place, max as u64).map_err(|e| miss(&e))?;
        Ok(File {
            bytes,
            mode: mode(&metadata),
            modified_at: metadata
                .modified()
                .ok()
                .and_then(|at| Timestamp::try_from(at).ok()),
        })
    }

    /// The file at a path of the container, by its size and time; `None` when there is none.
    pub(super) fn stat(&self, path: &str) -> Result<Option<FileStat>, Miss> {
        let told = self
            .resolve(path)
            .and_then(|place| fs::metadata(place).map_err(|e| miss(&e)));
        let metadata = match told {
            Ok(metadata) => metadata,
            Err(Miss::Absent) => return Ok(None),
            Err(miss) => return Err(miss),
        };
        let modified = metadata.modified().ok();
        let modified_at = modified.and_then(|at| Timestamp::try_from(at).ok());
        let file = modified_at.filter(|_| metadata.is_file());
        Ok(file.map(|modified_at| FileStat {
            bytes: metadata.len(),
            modified_at,
        }))
    }

    /// The same file, from memory where it has not changed since it was read.
    pub(super) fn read_again(
        &self,
        path: &str,
        max: usize,
        memory: &Memory,
    ) -> Result<Vec<u8>, Miss> {
        if let Some(bytes) = self.remembered(path, memory).filter(|b| b.len() <= max) {
            return Ok(bytes);
        }
        let (place, metadata) = if let Some(found) = self.straight(path) {
            found?
        } else {
            let place = self.resolve(path)?;
            let metadata = fs::symlink_metadata(&place).map_err(|e| miss(&e))?;
            (place, metadata)
        };
        if let Some(bytes) = memory.get(&place, &metadata).filter(|b| b.len() <= max) {
            return Ok(bytes);
        }
        if metadata.is_dir() {
            return Err(Miss::Folder);
        }
        let bytes = files::read_limited(&place, max as u64).map_err(|e| miss(&e))?;
        memory.put(&place, &metadata, &bytes);
        Ok(bytes)
    }

    /// The part of this folder that the container has at a path.
    pub(super) fn at(&self, path: &str) -> Result<Self, Miss> {
        Ok(Self {
            here: self.resolve(path)?,
            target: path.trim_end_matches('/').to_owned(),
        })
    }

    /// The folders below a folder, sorted.
    pub(super) fn folders(&self, path: &str) -> Result<Vec<String>, Miss> {
        let place = self.resolve(path)?;
        let mut names = Vec::new();
        for entry in fs::read_dir(&place)
            .map_err(|e| miss(&e))?
            .take(MAX_NAMES * 4)
        {
            let entry = entry.map_err(|e| miss(&e))?;
            let Ok(name) = entry.file_name().into_string() else {
                continue;
            };
            let inside = format!("{}/{name}", path.trim_end_matches('/'));
            // A link to a folder counts, as far as it stays here.
            let folder = entry.file_type().is_ok_and(|kind| {
                if kind.is_symlink() {
                    self.resolve(&inside).is_ok_and(|place| place.is_dir())
                } else {
                    kind.is_dir()
                }
            });
            if folder && name.len() <= MAX_NAME && names.len() < MAX_NAMES {
                names.push(name);
            }
        }
        names.sort_unstable();
        Ok(names)
    }

    /// The bytes of a file that is still the very one that was read. Nothing is read, so it does not matter
    /// what leads to it: it is looked at alone, and not every folder on the way.
    fn remembered(&self, path: &str, memory: &Memory) -> Option<Vec<u8>> {
        let place = self.here.join(self.plain_rest(path)?);
        let metadata = fs::symlink_metadata(&place).ok()?;
        memory.get(&place, &metadata)
    }

    /// What of a path is below this folder, when every piece of it only leads down.
    fn plain_rest<'p>(&self, path: &'p str) -> Option<&'p str> {
        let rest = path.strip_prefix(self.target.as_str())?.strip_prefix('/')?;
        let down = |piece: &str| !piece.is_empty() && piece != "." && stays(piece);
        rest.split('/').all(down).then_some(rest)
    }

    /// The path here and what is there when no link is on the way, which is nearly always so: thousands
    /// are asked for. `None`: it has to be resolved step by step.
    fn straight(&self, path: &str) -> Option<Result<(PathBuf, fs::Metadata), Miss>> {
        let (mut here, mut last) = (self.here.clone(), None);
        for piece in self.plain_rest(path)?.split('/') {
            here.push(piece);
            match fs::symlink_metadata(&here) {
                Ok(metadata) if metadata.file_type().is_symlink() => return None,
                Ok(metadata) => last = Some(metadata),
                Err(error) => return Some(Err(miss(&error))),
            }
        }
        Some(Ok((here, last?)))
    }

    /// The path here, every link on the way followed as inside the container.
    pub(crate) fn resolve(&self, path: &str) -> Result<PathBuf, Miss> {
        if let Some(found) = self.straight(path) {
            return found.map(|(place, _)| place);
        }
        let mut todo: Vec<String> = pieces(path).rev().collect();
        let mut done: Vec<String> = Vec::new();
        let mut links = 0;
        let target: Vec<String> = pieces(&self.target).collect();
        while let Some(piece) = todo.pop() {
            if piece == ".." {
                done.pop();
                continue;
            }
            done.push(piece);
            if done.len() <= target.len() {
                continue;
            }
            let Some(here) = self.below(&done, &target) else {
                return Err(Miss::Elsewhere);
            };
            let metadata = fs::symlink_metadata(&here).map_err(|e| miss(&e))?;
            if metadata.file_type().is_symlink() {
                links += 1;
                if links > MAX_LINKS {
                    return Err(Miss::Odd("its links lead in a circle".to_owned()));
                }
                let link = fs::read_link(&here).map_err(|e| miss(&e))?;
                let Some(link) = link.to_str() else {
                    return Err(Miss::Odd("its link's target is no text".to_owned()));
                };
                done.pop();
                if link.starts_with('/') {
                    done.clear();
                } else if Path::new(link).is_absolute() {
                    return Err(Miss::Elsewhere);
                }
                let more: Vec<String> = pieces(link).collect();
                todo.extend(more.into_iter().rev());
            }
        }
        self.below(&done, &target).ok_or(Miss::Elsewhere)
    }

    /// A path of the container as one of this machine, when it is below the folder.
    fn below(&self, path: &[String], target: &[String]) -> Option<PathBuf> {
        let rest = path.strip_prefix(target)?;
        rest.iter().all(|piece| stays(piece)).then(|| {
            rest.iter()
                .fold(self.here.clone(), |path, piece| path.join(piece))
        })
    }
}

/// Whether a piece of a path names something in its folder. A drive's letter would lead elsewhere.
fn stays(piece: &str) -> bool {
    let drive = cfg!(windows) && piece.contains(':');
    !drive && !piece.contains(['/', '\\', '\0']) && piece != ".."
}

fn pieces(path: &str) -> impl DoubleEndedIterator<Item = String> {
    let pieces = path.split('/').filter(|p| !p.is_empty() && *p != ".");
    pieces.map(str::to_owned)
}

/// A file of this machine that somebody named.
pub(crate) fn read_here(path: &Path, max: usize) -> Result<File, Miss> {
    let metadata = fs::metadata(path).map_err(|e| miss(&e))?;
    if metadata.is_dir() {
        return Err(Miss::Folder);
    }
    let bytes = files::read_limited(path, max as u64).map_err(|e| miss(&e))?;
    Ok(File {
        bytes,
        mode: mode(&metadata),
        modified_at: metadata
            .modified()
            .ok()
            .and_then(|at| Timestamp::try_from(at).ok()),
    })
}

fn miss(error: &io::Error) -> Miss {
    match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => Miss::Absent,
        io::ErrorKind::FileTooLarge => Miss::TooLarge,
        io::ErrorKind::InvalidInput => Miss::Odd(error.to_string()),
        _ => Miss::Refused(error.to_string()),
    }
}

#[cfg(unix)]
#[expect(clippy::unnecessary_wraps, reason = "one signature for all systems")]
fn mode(metadata: &fs::Metadata) -> Option<u32> {
    use std::os::unix::fs::PermissionsExt as _;
    Some(metadata.permissions().mode() & 0o7777)
}

#[cfg(not(unix))]
fn mode(_metadata: &fs::Metadata) -> Option<u32> {
    None
}
