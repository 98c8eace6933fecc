//! Where a part is read: a folder of this machine first, else the container through its engine.

use std::time::Duration;

use forgekeeper_domain::{
    Timestamp,
    config::{Unread, Via},
};

use super::local::{LocalFolder, MAX_NAME, MAX_NAMES};
use crate::docker::{DockerError, Engine, archive::Archived, stat::FileStat};

/// How long one file or one list may take.
const ONE: Duration = Duration::from_secs(5);
/// Longest list of names in a folder, bytes.
const MAX_LIST: usize = 256 * 1024;

/// A file that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct File {
    pub(crate) bytes: Vec<u8>,
    pub(crate) mode: Option<u32>,
    pub(crate) modified_at: Option<Timestamp>,
}

/// Why nothing was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Miss {
    /// There is nothing.
    Absent,
    /// It is a folder.
    Folder,
    /// Longer than allowed.
    TooLarge,
    /// Not in this place; another has to be asked.
    Elsewhere,
    /// Not running, so that nothing can be asked inside.
    NotRunning,
    /// It is not what it should be.
    Odd(String),
    /// The system or the engine refused.
    Refused(String),
    /// The engine does not answer.
    Engine(String),
}

impl Miss {
    /// As a snapshot tells it; `None` for what is simply not there.
    pub(crate) fn told(self) -> Option<(Unread, String)> {
        Some(match self {
            Self::Absent => return None,
            Self::Folder => (Unread::Unexpected, "it is a folder".to_owned()),
            Self::TooLarge => (
                Unread::TooLarge,
                "it is longer than what is kept".to_owned(),
            ),
            Self::Elsewhere => (
                Unread::NoPlace,
                "it lies outside of the workspace".to_owned(),
            ),
            Self::NotRunning => (Unread::NotRunning, "the container does not run".to_owned()),
            Self::Odd(words) => (Unread::Unexpected, words),
            Self::Refused(words) => (Unread::Refused, words),
            Self::Engine(words) => (Unread::Engine, words),
        })
    }
}

impl From<DockerError> for Miss {
    fn from(error: DockerError) -> Self {
        if error.is_connection() || error.is_missing() {
            Self::Engine(error.to_string())
        } else {
            Self::Refused(error.to_string())
        }
    }
}

/// A container that can be read, and what of it this machine reaches by itself.
#[derive(Debug, Clone)]
pub(crate) struct Places {
    pub(crate) engine: Engine,
    pub(crate) container: String,
    pub(crate) running: bool,
    pub(crate) local: Option<LocalFolder>,
}

impl Places {
    /// A file by its path inside the container.
    pub(crate) async fn read(&self, path: &str, max: u32) -> Result<(File, Via), Miss> {
        let max = max as usize;
        if let Some(local) = self.local.clone() {
            let inside = path.to_owned();
            match off_thread(move || local.read(&inside, max)).await {
                Err(Miss::Elsewhere) => {}
                found => return found.map(|file| (file, Via::Local)),
            }
        }
        match self
            .engine
            .read_file(&self.container, path, max, ONE)
            .await?
        {
            Archived::File(file) => Ok((
                File {
                    bytes: file.bytes,
                    mode: Some(file.mode),
                    modified_at: file.modified_at,
                },
                Via::Container,
            )),
            Archived::Folder => Err(Miss::Folder),
            Archived::Other(words) => Err(Miss::Odd(words)),
            Archived::TooLarge => Err(Miss::TooLarge),
            Archived::Absent => Err(Miss::Absent),
        }
    }

    /// A file by its size and time, without its bytes; `None` when that is not told, whatever the
    /// reason: who needs to know reads it.
    pub(crate) async fn stat(&self, path: &str) -> Result<Option<FileStat>, Miss> {
        if let Some(local) = self.local.clone() {
            let inside = path.to_owned();
            match off_thread(move || local.stat(&inside)).await {
                Err(Miss::Elsewhere) => {}
                found => return found,
            }
        }
        Ok(self.engine.stat_file(&self.container, path, ONE).await?)
    }

    /// Whether a file is there.
    pub(crate) async fn has(&self, path: &str) -> Result<bool, Miss> {
        match self.read(path, 0).await {
            Ok(_) | Err(Miss::TooLarge) => Ok(true),
            Err(Miss::Absent | Miss::Folder | Miss::Odd(_)) => Ok(false),
            Err(other) => Err(other),
        }
    }

    /// The names of the folders in a folder, sorted.
    pub(crate) async fn folders(&self, path: &str) -> Result<(Vec<String>, Via), Miss> {
        if let Some(local) = self.local.clone() {
            let inside = path.to_owned();
            match off_thread(move || local.folders(&inside)).await {
                Err(Miss::Elsewhere) => {}
                found => return found.map(|names| (names, Via::Local)),
            }
        }
        // The archive of a folder has everything below it, which may be gigabytes; its first entry
        // tells whether it is one.
        match self.read(path, 0).await {
            Err(Miss::Folder) => {}
            Ok(_) | Err(Miss::TooLarge) => return Err(Miss::Odd("it is no folder".to_owned())),
            Err(other) => return Err(other),
        }
        if !self.running {
            return Err(Miss::NotRunning);
        }
        let list = ["ls", "-1ApL", path];
        let told = self
            .engine
            .exec(&self.container, &list, ONE, MAX_LIST)
            .await?;
        if told.truncated {
            return Err(Miss::TooLarge);
        }
        if told.exit_code != Some(0) && told.stdout.is_empty() {
            return Err(Miss::Refused(told.stderr_text().trim().to_owned()));
        }
        Ok((names(&told.stdout_text()), Via::Container))
    }
}

/// Folders of a list in which they end with a slash.
fn names(list: &str) -> Vec<String> {
    let good = |name: &&str| {
        !name.is_empty()
            && name.len() <= MAX_NAME
            && !name.contains('/')
            && !matches!(*name, "." | "..")
            && !name.chars().any(char::is_control)
    };
    let folders = list.lines().filter_map(|line| line.strip_suffix('/'));
    let mut names: Vec<String> = folders.filter(good).map(str::to_owned).collect();
    names.sort_unstable();
    names.truncate(MAX_NAMES);
    names
}

/// A network folder may hang; the caller has its own deadline.
pub(crate) async fn off_thread<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Miss> + Send + 'static,
) -> Result<T, Miss> {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|error| Err(Miss::Odd(error.to_string())))
}
