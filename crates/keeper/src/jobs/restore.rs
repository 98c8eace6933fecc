//! The steps of a restore: stop who writes, look once more, write, read back, start again. They run in a
//! task of their own: whoever waits for them may leave, they do not stop in the middle.

use std::time::Duration;

use forgekeeper_domain::{
    action::RestartTarget,
    config::{Deed, RestoredFile, Source, Write},
    error::{ErrorCode, ErrorInfo},
};
use tokio_util::sync::CancellationToken;

use super::act::STOP_TIMEOUT_S;
use crate::{
    config::{
        place::{Miss, Places},
        restores::hash,
        write::{NotWritten, now_here, remove_here, write_here},
    },
    docker::Engine,
    program,
};

/// A start that was asked for goes on in the engine when this program ends; it is not waited for longer.
const PARTING: Duration = Duration::from_secs(2);

/// Who writes the files, and how it is stopped.
#[derive(Debug, Clone)]
pub(crate) struct Writer {
    pub(crate) engine: Engine,
    pub(crate) container: String,
    /// What supervisor calls it; needed for [`RestartTarget::Program`].
    pub(crate) program: Option<&'static str>,
    pub(crate) target: RestartTarget,
}

impl Writer {
    fn named(&self) -> Result<&'static str, ErrorInfo> {
        self.program.ok_or_else(|| {
            ErrorInfo::new(
                ErrorCode::Refused,
                "this kind of service has no program of its own to stop",
            )
        })
    }

    async fn stop(&self) -> Result<(), ErrorInfo> {
        let (engine, container) = (&self.engine, &self.container);
        match self.target {
            RestartTarget::Program => program::program_stop(engine, container, self.named()?).await,
            RestartTarget::Container => engine
                .stop(container, STOP_TIMEOUT_S)
                .await
                .map_err(|error| error.to_info()),
        }
    }

    /// Starts it again.
    pub(crate) async fn start(&self) -> Result<(), ErrorInfo> {
        let (engine, container) = (&self.engine, &self.container);
        match self.target {
            RestartTarget::Program => {
                program::program_start(engine, container, self.named()?).await
            }
            RestartTarget::Container => engine
                .start(container)
                .await
                .map_err(|error| error.to_info()),
        }
    }
}

/// Where the files of a restore are.
#[derive(Debug, Clone)]
pub(crate) struct Where {
    /// The container's files; `None` where that is not known, and none of them is written then.
    pub(crate) places: Option<Places>,
    /// The program's own file, whose owner a new file gets.
    pub(crate) program: Option<String>,
}

impl Where {
    fn here(write: &Write) -> bool {
        matches!(
            write.part.part().source,
            Source::ComposeFile | Source::EnvFiles
        )
    }

    fn places(&self) -> Result<&Places, NotWritten> {
        let none = || NotWritten::Odd("nothing tells where it belongs".to_owned());
        self.places.as_ref().ok_or_else(none)
    }

    /// What is there.
    pub(crate) async fn now(&self, write: &Write) -> Result<Option<Vec<u8>>, ErrorInfo> {
        let max = write.part.part().max_bytes;
        let found = match &self.places {
            _ if Self::here(write) => now_here(&write.path, max).await,
            None => Err(Miss::Elsewhere),
            Some(places) => match places.read(&write.path, max).await {
                Ok((file, _)) => Ok(Some(file.bytes)),
                Err(Miss::Absent) => Ok(None),
                Err(other) => Err(other),
            },
        };
        found.map_err(|miss| {
            let words = miss.told().map(|(_, words)| words).unwrap_or_default();
            ErrorInfo::new(ErrorCode::Io, format!("`{}` cannot be read", write.path)).detail(words)
        })
    }

    async fn put(&self, write: &Write, bytes: Option<&[u8]>) -> Result<(), ErrorInfo> {
        let path = &write.path;
        let done = async {
            match bytes {
                Some(bytes) if Self::here(write) => write_here(path, bytes, write.mode).await,
                None if Self::here(write) => remove_here(path).await,
                Some(bytes) => {
                    let like = self.program.as_deref();
                    let written = self.places()?.write(path, bytes, write.mode, like);
                    written.await.map(drop)
                }
                None => self.places()?.remove(path).await,
            }
        };
        done.await.map_err(|error| error.to_info(path))
    }

    /// Writes, and believes only what it reads back.
    async fn put_surely(&self, write: &Write, bytes: Option<&[u8]>) -> Result<(), ErrorInfo> {
        self.put(write, bytes).await?;
        if self.now(write).await?.as_deref() == bytes {
            return Ok(());
        }
        let words = format!("`{}` does not read back as it was written", write.path);
        Err(ErrorInfo::new(ErrorCode::Io, words).hint("Check the disk, and who else writes it."))
    }
}

/// What became of the steps.
#[derive(Debug)]
pub(crate) struct Stepped {
    pub(crate) files: Vec<RestoredFile>,
    /// Why the files are not as they should be.
    pub(crate) written: Result<(), ErrorInfo>,
    /// Of what was stopped.
    pub(crate) started: Option<Result<(), ErrorInfo>>,
    /// Every file is as it was before.
    pub(crate) untouched: bool,
    /// The end of this program came first: whether what was stopped runs again is not known.
    pub(crate) cut: bool,
}

/// Everything that the steps need.
#[derive(Debug)]
pub(crate) struct Steps {
    pub(crate) writes: Vec<Write>,
    pub(crate) place: Where,
    pub(crate) writer: Option<Writer>,
    /// This program ends.
    pub(crate) stop: CancellationToken,
}

/// The deed of a write.
pub(crate) fn deed(write: &Write) -> Deed {
    match (&write.before, &write.after) {
        (_, None) => Deed::Remove,
        (None, Some(_)) => Deed::Create,
        (Some(_), Some(_)) => Deed::Replace,
    }
}

/// Takes the steps.
pub(crate) async fn steps(steps: Steps) -> Stepped {
    let mut files: Vec<RestoredFile> = steps
        .writes
        .iter()
        .map(|write| RestoredFile {
            part: write.part,
            path: write.path.clone(),
            deed: deed(write),
            verified: false,
            still: None,
        })
        .collect();
    let cancelled = || {
        let words = "cancelled before anything was written";
        Err(ErrorInfo::new(ErrorCode::Cancelled, words))
    };
    if steps.stop.is_cancelled() {
        return Stepped {
            files,
            written: cancelled(),
            untouched: true,
            cut: false,
            started: None,
        };
    }
    let stopped = match &steps.writer {
        Some(writer) => writer.stop().await,
        None => Ok(()),
    };
    let mut untouched = true;
    let written = match stopped {
        // It may be half stopped: it is started below.
        Err(error) => Err(error),
        Ok(()) if steps.stop.is_cancelled() => cancelled(),
        Ok(()) => match write_all(&steps, &mut files).await {
            Ok(()) => {
                untouched = false;
                Ok(())
            }
            Err((error, back)) => {
                untouched = back;
                Err(error)
            }
        },
    };
    let started = match &steps.writer {
        None => None,
        Some(writer) => Some(start(writer, &steps.stop).await),
    };
    let cut = |started: &Result<(), ErrorInfo>| {
        let error = started.as_ref().err();
        error.is_some_and(|error| error.code == ErrorCode::Cancelled)
    };
    Stepped {
        files,
        written,
        untouched,
        cut: started.as_ref().is_some_and(cut),
        started,
    }
}

async fn start(writer: &Writer, stop: &CancellationToken) -> Result<(), ErrorInfo> {
    let parting = async {
        stop.cancelled().await;
        tokio::time::sleep(PARTING).await;
    };
    tokio::select! {
        started = writer.start() => started,
        () = parting => Err(ErrorInfo::new(
            ErrorCode::Cancelled,
            "it was told to start; whether it did is looked at when Forgekeeper runs again",
        )),
    }
}

/// Writes every file or none: where one fails, those before it are put back. The error comes with
/// whether that succeeded.
async fn write_all(steps: &Steps, files: &mut [RestoredFile]) -> Result<(), (ErrorInfo, bool)> {
    // All of them first: nothing is written when one is another by now.
    for write in &steps.writes {
        let now = steps.place.now(write).await.map_err(|e| (e, true))?;
        if hash(now.as_deref()) != hash(write.before.as_deref()) {
            return Err((changed(&write.path), true));
        }
    }
    for (place, write) in steps.writes.iter().enumerate() {
        match steps.place.put_surely(write, write.after.as_deref()).await {
            Ok(()) => files[place].verified = true,
            Err(error) => {
                let back = put_back(steps, &steps.writes[..=place]).await;
                for file in &mut files[..=place] {
                    file.verified = false;
                }
                return Err(match back {
                    Ok(()) => (error.hint("Everything is as it was before."), true),
                    Err(again) => {
                        let words =
                            format!("{}; putting it back failed, too: {again}", error.message);
                        let info = ErrorInfo::new(error.code, words);
                        (info.hint("`snapshot undo` tries once more."), false)
                    }
                });
            }
        }
    }
    Ok(())
}

async fn put_back(steps: &Steps, writes: &[Write]) -> Result<(), ErrorInfo> {
    let mut first = Ok(());
    for write in writes {
        let now = steps.place.now(write).await;
        if now.is_ok_and(|now| now == write.before) {
            continue;
        }
        let done = steps.place.put_surely(write, write.before.as_deref()).await;
        first = first.and(done);
    }
    first
}

/// What was shown is not there any more.
pub(crate) fn changed(path: &str) -> ErrorInfo {
    ErrorInfo::new(
        ErrorCode::ChangedMeanwhile,
        format!("`{path}` was changed meanwhile; nothing was written"),
    )
    .hint("Look again at what would be put back.")
}
