//! A file out of a container, through the engine's archive. What comes is a tar made by whoever is
//! inside: it is read in memory within limits and never unpacked.

use std::{io::Read as _, path::Path, time::Duration};

use bollard::query_parameters::DownloadFromContainerOptionsBuilder;
use forgekeeper_domain::Timestamp;
use futures_util::StreamExt as _;
use tar::{Archive, EntryType};

use super::{
    engine::{Engine, connection_given_up, container_name},
    error::DockerError,
};

mod put;

pub use put::NewFile;

/// What a tar with one file has beside its bytes: headers, long names, padding, the end.
const FRAME: usize = 64 * 1024;
/// Longest path inside a container that is asked for, in bytes.
const MAX_PATH: usize = 4096;
/// Links that are followed from one path.
const MAX_LINKS: usize = 8;

/// A file as it was in a container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ArchivedFile {
    /// Where it is, links followed.
    pub path: String,
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// Its mode.
    pub mode: u32,
    /// When it was last written.
    pub modified_at: Option<Timestamp>,
    /// User and group that it belongs to.
    pub owner: (u64, u64),
}

/// What a path in a container is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Archived {
    /// A file.
    File(ArchivedFile),
    /// A folder.
    Folder,
    /// Something else, or links in a circle.
    Other(String),
    /// Longer than asked for.
    TooLarge,
    /// There is nothing.
    Absent,
}

/// What the first entry of a tar is.
enum First {
    File {
        bytes: Vec<u8>,
        mode: u32,
        at: i64,
        owner: (u64, u64),
    },
    Link(String),
    Folder,
    Other(String),
    TooLarge,
}

impl Engine {
    /// Reads one file of a container, running or not, of at most `max` bytes.
    pub async fn read_file(
        &self,
        container: &str,
        path: &str,
        max: usize,
        deadline: Duration,
    ) -> Result<Archived, DockerError> {
        let container = container_name(container)?;
        let reading = async {
            let mut path = path.to_owned();
            for _ in 0..=MAX_LINKS {
                if path.len() > MAX_PATH || !path.starts_with('/') || path.contains('\0') {
                    return Ok(Archived::Other("its path cannot be asked for".to_owned()));
                }
                let Some((tar, whole)) = self.first_bytes(container, &path, max).await? else {
                    return Ok(Archived::Absent);
                };
                path = match first(&tar, whole, &path, max) {
                    First::File {
                        bytes,
                        mode,
                        at,
                        owner,
                    } => {
                        return Ok(Archived::File(ArchivedFile {
                            path,
                            bytes,
                            mode,
                            modified_at: Timestamp::from_second(at).ok(),
                            owner,
                        }));
                    }
                    First::Folder => return Ok(Archived::Folder),
                    First::Other(words) => return Ok(Archived::Other(words)),
                    First::TooLarge => return Ok(Archived::TooLarge),
                    First::Link(target) => linked(&path, &target),
                };
            }
            Ok(Archived::Other("its links lead in a circle".to_owned()))
        };
        tokio::select! {
            done = tokio::time::timeout(deadline, reading) => {
                done.unwrap_or(Err(DockerError::Timeout { what: "archive", deadline }))
            }
            () = self.given_up().cancelled() => Err(connection_given_up()),
        }
    }

    /// The beginning of a path's archive, and whether that is all of it; `None` when there is no
    /// such path.
    async fn first_bytes(
        &self,
        container: &str,
        path: &str,
        max: usize,
    ) -> Result<Option<(Vec<u8>, bool)>, DockerError> {
        let options = DownloadFromContainerOptionsBuilder::default()
            .path(path)
            .build();
        let limit = max.saturating_add(FRAME);
        let mut stream = std::pin::pin!(
            self.docker()
                .download_from_container(container, Some(options))
        );
        let mut bytes = Vec::new();
        while let Some(piece) = stream.next().await {
            let piece = match piece {
                Ok(piece) => piece,
                Err(error) => {
                    let error = DockerError::from_bollard("archive", &error);
                    return if error.is_no_file() {
                        Ok(None)
                    } else {
                        Err(error)
                    };
                }
            };
            let room = limit.saturating_sub(bytes.len());
            bytes.extend_from_slice(&piece[..piece.len().min(room)]);
            if piece.len() > room {
                return Ok(Some((bytes, false)));
            }
            // Of a folder nothing but its first entry is wanted.
            if bytes.len() >= 512 && bytes[156] == b'5' {
                return Ok(Some((bytes, false)));
            }
        }
        Ok(Some((bytes, true)))
    }
}

/// The first entry of a tar, which must be what was asked for.
fn first(tar: &[u8], whole: bool, path: &str, max: usize) -> First {
    let odd = |words: &str| First::Other(words.to_owned());
    let mut archive = Archive::new(tar);
    let Ok(mut entries) = archive.entries() else {
        return odd("the archive cannot be read");
    };
    let mut entry = match entries.next() {
        Some(Ok(entry)) => entry,
        Some(Err(_)) if !whole => return First::TooLarge,
        Some(Err(error)) => return First::Other(format!("the archive cannot be read: {error}")),
        None => return odd("the archive is empty"),
    };
    let header = entry.header();
    let (kind, mode, at) = (
        header.entry_type(),
        header.mode().unwrap_or_default() & 0o7777,
        header.mtime().unwrap_or_default(),
    );
    let owner = (
        header.uid().unwrap_or_default(),
        header.gid().unwrap_or_default(),
    );
    let wanted = Path::new(path).file_name();
    let named = entry.path().ok().map(|p| p.file_name() == wanted);
    if kind == EntryType::Directory {
        return First::Folder;
    }
    if named != Some(true) {
        return odd("the archive holds something else than what was asked for");
    }
    match kind {
        EntryType::Symlink => match entry.link_name_bytes() {
            Some(target) => match String::from_utf8(target.into_owned()) {
                Ok(target) => First::Link(target),
                Err(_) => odd("its link's target is no text"),
            },
            None => odd("its link leads nowhere"),
        },
        EntryType::Regular | EntryType::Continuous | EntryType::GNUSparse => {
            if entry.size() > max as u64 {
                return First::TooLarge;
            }
            let size = entry.size();
            let mut bytes = Vec::new();
            // What the header says is not believed.
            let read = entry.by_ref().take(max as u64 + 1).read_to_end(&mut bytes);
            if bytes.len() > max {
                return First::TooLarge;
            }
            if read.is_err() || bytes.len() as u64 != size {
                return odd("the archive ends before the file does");
            }
            let at = i64::try_from(at).unwrap_or_default();
            First::File {
                bytes,
                mode,
                at,
                owner,
            }
        }
        _ => odd("it is neither a file nor a folder"),
    }
}

/// Where a link leads, without asking anybody.
fn linked(path: &str, target: &str) -> String {
    let mut pieces: Vec<&str> = if target.starts_with('/') {
        Vec::new()
    } else {
        let mut above: Vec<&str> = path.split('/').filter(|p| !p.is_empty()).collect();
        above.pop();
        above
    };
    for piece in target.split('/') {
        match piece {
            "" | "." => {}
            ".." => drop(pieces.pop()),
            name => pieces.push(name),
        }
    }
    format!("/{}", pieces.join("/"))
}

#[cfg(test)]
mod tests;
