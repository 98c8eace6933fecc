//! A file put back where it was read: in a folder of this machine whole or not at all, else through the
//! engine. What was written is read back.

use std::{
    fs, io,
    io::Write as _,
    path::{Path, PathBuf},
    time::Duration,
};

use forgekeeper_domain::{
    config::Via,
    error::{ErrorCode, ErrorInfo},
};

use super::{
    local::{LocalFolder, read_here},
    place::{Miss, Places},
};
use crate::{
    docker::{
        DockerError,
        archive::{Archived, NewFile},
    },
    sys::files::{self, Draft},
};

/// How long the engine may take for one file of a few megabytes.
const ONE: Duration = Duration::from_secs(30);
/// A new file that nothing is known of.
const MODE: u32 = 0o644;
/// A program's file whose owner is asked for.
const MAX_PROGRAM: usize = 4 * 1024 * 1024;

/// Why a file was not written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotWritten {
    /// Not a file of this folder, or not with its owner.
    #[error("it cannot be written from here")]
    Elsewhere,
    /// The system refused.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The engine refused, or did not answer.
    #[error(transparent)]
    Engine(#[from] DockerError),
    /// It is not what it should be.
    #[error("{0}")]
    Odd(String),
}

impl NotWritten {
    /// As it leaves the keeper.
    pub(crate) fn to_info(&self, path: &str) -> ErrorInfo {
        let words = format!("`{path}` could not be written");
        match self {
            Self::Engine(error) => {
                let info = error.to_info();
                ErrorInfo {
                    message: format!("{words}: {}", info.message),
                    ..info
                }
            }
            Self::Io(error) => super::of_io(error, words),
            Self::Elsewhere | Self::Odd(_) => {
                ErrorInfo::new(ErrorCode::Io, words).detail(self.to_string())
            }
        }
    }

    fn of_miss(miss: Miss) -> Self {
        match miss {
            Miss::Elsewhere => Self::Elsewhere,
            Miss::Absent => Self::Odd("its folder is not there".to_owned()),
            other => Self::Odd(other.told().map(|(_, words)| words).unwrap_or_default()),
        }
    }
}

impl Places {
    /// Writes a file by its path inside the container. A new one gets `mode`, and the owner of the
    /// program's own file `like`.
    pub(crate) async fn write(
        &self,
        path: &str,
        bytes: &[u8],
        mode: Option<u32>,
        like: Option<&str>,
    ) -> Result<Via, NotWritten> {
        if let Some(local) = self.local.clone() {
            let (inside, bytes) = (path.to_owned(), bytes.to_vec());
            match blocking(move || local.write(&inside, &bytes, mode)).await {
                Err(NotWritten::Elsewhere) => {}
                done => return done.map(|()| Via::Local),
            }
        }
        let old = self.archived(path).await?;
        let (path, mode, owner) = if let Some(old) = old {
            old
        } else {
            let like = match like {
                Some(like) => self.archived(like).await?,
                None => None,
            };
            let owner = like.map_or((0, 0), |(_, _, owner)| owner);
            (path.to_owned(), mode.unwrap_or(MODE), owner)
        };
        let file = NewFile { bytes, mode, owner };
        self.engine
            .write_file(&self.container, &path, file, ONE)
            .await?;
        Ok(Via::Container)
    }

    /// Where a file really is, its mode and its owner.
    async fn archived(&self, path: &str) -> Result<Option<(String, u32, (u64, u64))>, NotWritten> {
        let odd = |words: &str| Err(NotWritten::Odd(words.to_owned()));
        let found = self
            .engine
            .read_file(&self.container, path, MAX_PROGRAM, ONE)
            .await?;
        match found {
            Archived::File(file) => Ok(Some((file.path, file.mode, file.owner))),
            Archived::Absent => Ok(None),
            Archived::Folder => odd("it is a folder"),
            Archived::TooLarge => odd("it is too long"),
            Archived::Other(words) => odd(&words),
        }
    }

    /// Takes a file away.
    pub(crate) async fn remove(&self, path: &str) -> Result<(), NotWritten> {
        if let Some(local) = self.local.clone() {
            let inside = path.to_owned();
            match blocking(move || local.remove(&inside)).await {
                Err(NotWritten::Elsewhere) => {}
                done => return done,
            }
        }
        // The archive takes nothing away; a command inside does, while the container runs.
        let command = ["rm", "-f", "--", path];
        let told = self
            .engine
            .exec(&self.container, &command, ONE, 4096)
            .await?;
        match told.exit_code {
            Some(0) => Ok(()),
            _ => Err(NotWritten::Odd(told.stderr_text().trim().to_owned())),
        }
    }
}

impl LocalFolder {
    pub(super) fn write(
        &self,
        path: &str,
        bytes: &[u8],
        mode: Option<u32>,
    ) -> Result<(), NotWritten> {
        let place = self.writable(path)?;
        let mut draft = Draft::begin_at(place)?;
        draft.set_mode(mode.unwrap_or(MODE))?;
        match draft.keep_owner() {
            // Only its owner or root may give a file away: the engine can.
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                return Err(NotWritten::Elsewhere);
            }
            done => done?,
        }
        draft.write_all(bytes)?;
        Ok(draft.finish()?)
    }

    pub(super) fn remove(&self, path: &str) -> Result<(), NotWritten> {
        match self.resolve(path) {
            Err(Miss::Absent) => Ok(()),
            Err(miss) => Err(NotWritten::of_miss(miss)),
            Ok(_) => Ok(files::remove(&self.writable(path)?)?),
        }
    }

    /// The path here at which a file is replaced. Its folder must really lie within this one: whoever
    /// is inside the container may have changed a link since.
    fn writable(&self, path: &str) -> Result<PathBuf, NotWritten> {
        let place = match self.resolve(path) {
            Err(Miss::Absent) => {
                let (folder, name) = path
                    .rsplit_once('/')
                    .ok_or_else(|| NotWritten::Odd("it has no folder".to_owned()))?;
                self.resolve(folder)
                    .map_err(NotWritten::of_miss)?
                    .join(name)
            }
            found => found.map_err(NotWritten::of_miss)?,
        };
        let folder = fs::canonicalize(place.parent().unwrap_or(&self.here))?;
        if folder.starts_with(fs::canonicalize(&self.here)?) {
            Ok(place)
        } else {
            Err(NotWritten::Elsewhere)
        }
    }
}

/// Writes a file of this machine that somebody named; a link there is followed, as its owner meant it.
pub(crate) async fn write_here(
    path: &str,
    bytes: &[u8],
    mode: Option<u32>,
) -> Result<(), NotWritten> {
    let (path, bytes) = (PathBuf::from(path), bytes.to_vec());
    blocking(move || {
        let mut draft = Draft::begin(&path)?;
        draft.set_mode(mode.unwrap_or(MODE))?;
        // Where that is not allowed it belongs to who restores it, as what an editor saves does.
        let _ = draft.keep_owner();
        draft.write_all(&bytes)?;
        Ok(draft.finish()?)
    })
    .await
}

/// Takes a file of this machine away.
pub(crate) async fn remove_here(path: &str) -> Result<(), NotWritten> {
    let path = PathBuf::from(path);
    blocking(move || Ok(files::remove(&path)?)).await
}

/// What lies at a path of this machine; `None` when nothing does.
pub(crate) async fn now_here(path: &str, max: u32) -> Result<Option<Vec<u8>>, Miss> {
    let path = PathBuf::from(path);
    let read = super::place::off_thread(move || read_here(Path::new(&path), max as usize));
    match read.await {
        Ok(file) => Ok(Some(file.bytes)),
        Err(Miss::Absent) => Ok(None),
        Err(other) => Err(other),
    }
}

/// A network folder may hang: the reactor never waits for a file.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, NotWritten> + Send + 'static,
) -> Result<T, NotWritten> {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|error| Err(NotWritten::Odd(error.to_string())))
}
