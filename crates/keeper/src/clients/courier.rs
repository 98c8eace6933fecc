//! A courier: a small process of this very program that makes one request and leaves its answer in a
//! file. A server that keeps no copy of what it answers answers once; so whoever asked may end
//! meanwhile, and the next one finds the answer.
//!
//! It is told what to carry over its standard input, which nobody else can read, and works in the folder
//! that it is started in. What it needs there bears its name: a lock that it holds while it lives, a
//! mark that it has begun to send, and the answer.

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use forgekeeper_domain::Timestamp;
use serde_json::{Map, Value};
use tokio::{io::AsyncWriteExt as _, process::Child};
use tokio_util::sync::CancellationToken;

use super::http::{Ask, HttpAnswer, HttpError, Target};
use crate::sys::{detached, files, presence::Presence};

mod answer;
mod carry;
mod folder;
mod parcel;

pub use carry::carry_if_asked;

use folder::Folder;
use parcel::{Lent, Parcel};

/// The one argument that makes this program a courier. It is no command for people.
pub const CARRY: &str = "__carry";
/// How long a courier carries at most, when nobody follows what it waits for.
const LONGEST: Duration = Duration::from_hours(12);
/// How long a courier may take to listen.
const LISTENING: Duration = Duration::from_secs(10);
/// How long a courier may take to end once it is called back.
const CALLED_BACK: Duration = Duration::from_secs(2);

/// Where couriers work, and the program that they are.
#[derive(Debug, Clone)]
pub struct Courier {
    folder: Folder,
    program: Option<PathBuf>,
    /// Of the program that sends them.
    sender: Arc<Presence>,
}

/// What became of a request that a courier was given.
#[derive(Debug)]
pub(super) enum Carried {
    /// It was answered, or not, and is known to be so since.
    Told(Result<HttpAnswer, HttpError>, Option<Timestamp>),
    /// Nothing was sent.
    NotBegun,
    /// It may have been sent; there is no answer of it, and will be none.
    Lost,
}

impl Courier {
    /// Couriers that work in a folder. Without a program none is sent; answers are found all the same.
    /// Nothing is written before one is sent.
    pub fn new(folder: &Path, program: Option<&Path>, sender: Arc<Presence>) -> Self {
        // A courier is started in its folder, where other paths would lead elsewhere.
        let absolute = |path: &Path| std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        Self {
            folder: Folder::new(absolute(folder)),
            program: program.map(absolute),
            sender,
        }
    }

    /// The name of a courier to be sent, where one can be.
    pub(super) fn name(&self) -> Option<String> {
        self.program
            .is_some()
            .then(|| uuid::Uuid::new_v4().simple().to_string())
    }

    /// Sends a courier on its way with a request; an error means that nothing was sent. What the server
    /// lends for it, the courier puts back when this program has ended before it.
    pub(super) async fn send(
        &self,
        name: &str,
        target: &Target,
        ask: &Ask<'_>,
        lent: Option<&[Map<String, Value>; 2]>,
    ) -> io::Result<Child> {
        let program = self.program.as_deref().ok_or(io::ErrorKind::NotFound)?;
        let lent = match lent {
            None => None,
            Some(options) => Some(Lent {
                options: options.clone(),
                running: std::path::absolute(self.sender.folder())?,
                sender: self.sender.claim()?.to_owned(),
            }),
        };
        let parcel = Parcel::of(name, target, ask, LONGEST, lent).packed()?;
        files::ensure_private_dir(self.folder.path())?;
        let mut child = detached::start(program, CARRY, self.folder.path())?;
        let mut input = child.stdin.take().ok_or(io::ErrorKind::BrokenPipe)?;
        let told = tokio::time::timeout(LISTENING, input.write_all(&parcel)).await;
        // One that has not read everything sends nothing.
        if let Err(error) = told.unwrap_or(Err(io::ErrorKind::TimedOut.into())) {
            child.kill().await?;
            return Err(error);
        }
        Ok(child)
    }

    /// Waits for the end of a courier of this program, or ends it.
    pub(super) async fn end_of(
        &self,
        name: &str,
        mut child: Child,
        limit: usize,
        call_back: &CancellationToken,
    ) -> Carried {
        tokio::select! {
            biased;
            ended = child.wait() => match ended {
                Ok(status) => tracing::debug!(%status, "a courier ended"),
                Err(error) => tracing::warn!(%error, "a courier is not known to have ended"),
            },
            () = call_back.cancelled() => {
                if let Err(error) = child.kill().await {
                    tracing::warn!(%error, "a courier could not be ended");
                }
                return Carried::Lost;
            }
        }
        match self.read(name, limit).await {
            Some(carried) => carried,
            None if self.folder.has_begun(name) => Carried::Lost,
            None => Carried::NotBegun,
        }
    }

    /// Whether a courier of another program still works, or has left its answer.
    pub(super) fn is_known(&self, name: &str) -> bool {
        self.folder.is_at_work(name) || self.has_answer(name)
    }

    /// Whether a courier has left its answer.
    pub(crate) fn has_answer(&self, name: &str) -> bool {
        self.folder.has_answer(name)
    }

    /// Waits for the end of a courier that another program sent, or calls it back.
    pub(super) async fn found(
        &self,
        name: &str,
        limit: usize,
        poll: Duration,
        call_back: &CancellationToken,
    ) -> Carried {
        loop {
            // In this order: it lets go of its lock after it has left its answer.
            let at_work = self.folder.is_at_work(name);
            if let Some(carried) = self.read(name, limit).await {
                return carried;
            }
            if !at_work {
                return Carried::Lost;
            }
            tokio::select! {
                () = tokio::time::sleep(poll) => {}
                () = call_back.cancelled() => break,
            }
        }
        if let Err(error) = self.folder.call_back(name) {
            tracing::warn!(%error, "a courier could not be called back");
        }
        let gone = async {
            while self.folder.is_at_work(name) {
                tokio::time::sleep(poll).await;
            }
        };
        if tokio::time::timeout(CALLED_BACK, gone).await.is_err() {
            tracing::warn!("a courier does not come back");
        }
        Carried::Lost
    }

    /// Removes what a courier left.
    pub(super) fn forget(&self, name: &str) {
        self.folder.clear(name);
    }

    /// Removes what was left behind long ago and is waited for by nobody.
    pub(crate) fn tidy(&self, awaited: &[String]) {
        self.folder.tidy(awaited);
    }

    /// The answer of a courier, as far as it has left one.
    async fn read(&self, name: &str, limit: usize) -> Option<Carried> {
        if !self.has_answer(name) {
            return None;
        }
        let folder = self.folder.clone();
        let owned = name.to_owned();
        // Tens of megabytes would hold up the other tasks of this thread.
        let read = tokio::task::spawn_blocking(move || {
            let (path, at) = (folder.answer(&owned)?, folder.answered_at(&owned));
            answer::read(&path, limit).map(|told| (told, at))
        });
        Some(match read.await {
            Ok(Ok((told, at))) => Carried::Told(told, at),
            Ok(Err(error)) => {
                tracing::warn!(%error, "the answer that a courier left cannot be read");
                Carried::Lost
            }
            Err(error) => {
                tracing::warn!(%error, "the answer that a courier left was not read");
                Carried::Lost
            }
        })
    }
}
