//! Saving stored timelines to one file that people and programs read: oldest line first, several
//! services merged by time, whole or not at all.

use std::{
    io::{self, Write},
    ops::RangeInclusive,
    path::{Path, PathBuf},
    thread,
};

use forgekeeper_domain::{
    Timestamp,
    error::{ErrorCode, ErrorInfo},
    ids::ServiceId,
    logs::{
        LineFilter, LogLine,
        saved::{OfService, SaveFormat, SavedLog},
    },
};
use tokio::sync::{oneshot, watch};
use tokio_util::sync::CancellationToken;

use super::{ArchiveError, file, forward::Forward, search::FLUSH};
use crate::{logs::ServiceLog, sys::files::Draft};

/// So many lines are written before somebody is asked whether they are still wanted.
const LOOK_UP: u32 = 500;

/// Why a log could not be saved.
#[derive(Debug, thiserror::Error)]
pub enum SaveError {
    /// What is stored cannot be read.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    /// The file cannot be written.
    #[error("the file cannot be written: {0}")]
    File(#[from] io::Error),
    /// Nobody wants it any more; nothing is left of it.
    #[error("it was cancelled")]
    Cancelled,
}

impl From<SaveError> for ErrorInfo {
    fn from(error: SaveError) -> Self {
        let info = |code| ErrorInfo::new(code, format!("the log was not saved: {error}"));
        match &error {
            SaveError::Archive(_) => info(ErrorCode::Store),
            SaveError::Cancelled => info(ErrorCode::Cancelled),
            SaveError::File(reason) => match reason.kind() {
                io::ErrorKind::StorageFull
                | io::ErrorKind::QuotaExceeded
                | io::ErrorKind::FileTooLarge => {
                    info(ErrorCode::DiskFull).hint("Make room on that disk, or choose another one.")
                }
                io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
                    info(ErrorCode::NotAllowed).hint("Choose a folder that you may write to.")
                }
                _ => info(ErrorCode::Io),
            },
        }
    }
}

/// How far it is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SaveProgress {
    /// Lines looked at, whether they match or not.
    pub looked: u32,
    /// Lines to look at in all.
    pub all: u32,
    /// Lines written.
    pub lines: u32,
}

/// What is saved, and how.
#[derive(Debug, Clone)]
pub struct Saving {
    /// The services, with what is held of each for where nothing is stored.
    pub logs: Vec<(ServiceId, ServiceLog)>,
    /// Which lines.
    pub filter: LineFilter,
    /// Numbers of the first and last line wanted, of each service.
    pub range: Option<RangeInclusive<u32>>,
    /// In which form.
    pub format: SaveFormat,
}

/// What tells how it ended.
pub type Outcome = oneshot::Receiver<Result<SavedLog, SaveError>>;

impl Saving {
    /// Saves what is stored in `folder` on a thread of its own, until all is written or `stop`;
    /// then nothing is left. A file that was there is replaced.
    pub fn start(
        self,
        path: PathBuf,
        folder: &Path,
        stop: CancellationToken,
    ) -> Result<(watch::Receiver<SaveProgress>, Outcome), ArchiveError> {
        let folder = folder.to_owned();
        let (tell, progress) = watch::channel(SaveProgress::default());
        let (ended, outcome) = oneshot::channel();
        thread::Builder::new()
            .name("log file".to_owned())
            .spawn(move || {
                // Nobody listens: nobody wants to know.
                let _ = ended.send(self.run(&path, &folder, &stop, &tell));
            })
            .map_err(|error| ArchiveError::Closed(error.to_string()))?;
        Ok((progress, outcome))
    }

    fn run(
        &self,
        path: &Path,
        folder: &Path,
        stop: &CancellationToken,
        tell: &watch::Sender<SaveProgress>,
    ) -> Result<SavedLog, SaveError> {
        let mut draft = Draft::begin(path)?;
        let (lines, bytes) = self.write(folder, &mut draft, stop, tell)?;
        draft.finish()?;
        Ok(SavedLog {
            path: path.display().to_string(),
            lines,
            bytes,
        })
    }

    /// Writes all lines; tells how many, and how many bytes they take.
    pub(super) fn write(
        &self,
        folder: &Path,
        out: &mut impl Write,
        stop: &CancellationToken,
        tell: &watch::Sender<SaveProgress>,
    ) -> Result<(u32, u64), SaveError> {
        let mut merged = Merged::open(self, folder, stop)?;
        let (mut lines, mut bytes) = (0u32, 0u64);
        while let Some((service, line)) = merged.next()? {
            let line = self.text(service, &line)?;
            out.write_all(line.as_bytes())?;
            lines = lines.saturating_add(1);
            bytes += line.len() as u64;
            if lines.is_multiple_of(LOOK_UP) {
                if stop.is_cancelled() {
                    return Err(SaveError::Cancelled);
                }
                tell.send_replace(merged.progress(lines));
            }
        }
        if stop.is_cancelled() {
            return Err(SaveError::Cancelled);
        }
        tell.send_replace(merged.progress(lines));
        Ok((lines, bytes))
    }

    /// A line as it stands in the file.
    fn text(&self, service: &ServiceId, line: &LogLine) -> io::Result<String> {
        let line = OfService { service, line };
        let mut text = match self.format {
            SaveFormat::Log => line.to_string(),
            SaveFormat::Jsonl => serde_json::to_string(&line)?,
        };
        text.push('\n');
        Ok(text)
    }
}

/// The lines of several services by time; those of one service stay in the order they came in.
struct Merged<'s> {
    heads: Vec<Head<'s>>,
}

/// The next line of one service.
struct Head<'s> {
    service: &'s ServiceId,
    forward: Forward,
    line: Option<LogLine>,
    /// Its time; not before that of the line before it, whatever its clock said.
    at: Option<Timestamp>,
}

impl<'s> Merged<'s> {
    fn open(
        saving: &'s Saving,
        folder: &Path,
        stop: &CancellationToken,
    ) -> Result<Self, ArchiveError> {
        let mut heads = Vec::with_capacity(saving.logs.len());
        for (service, log) in &saving.logs {
            if let Some(archive) = log.archive() {
                // What is not written in time is missing, as in a search.
                archive.flush(FLUSH);
            }
            let path = file::path(folder, service);
            let (filter, range) = (saving.filter.clone(), saving.range.clone());
            let forward = Forward::open(&path, filter, range, stop.clone(), || log.lines())?;
            let mut head = Head {
                service,
                forward,
                line: None,
                at: None,
            };
            head.advance()?;
            heads.push(head);
        }
        Ok(Self { heads })
    }

    fn next(&mut self) -> Result<Option<(&'s ServiceId, LogLine)>, ArchiveError> {
        let heads = self.heads.iter_mut().filter(|head| head.line.is_some());
        let Some(head) = heads.min_by_key(|head| head.at) else {
            return Ok(None);
        };
        let line = head.line.take();
        head.advance()?;
        Ok(line.map(|line| (head.service, line)))
    }

    fn progress(&self, lines: u32) -> SaveProgress {
        let sum = |of: fn(&Forward) -> u32| {
            let heads = self.heads.iter().map(|head| of(&head.forward));
            heads.fold(0, u32::saturating_add)
        };
        SaveProgress {
            looked: sum(|forward| forward.looked),
            all: sum(|forward| forward.all),
            lines,
        }
    }
}

impl Head<'_> {
    fn advance(&mut self) -> Result<(), ArchiveError> {
        self.line = self.forward.next()?;
        let at = self.line.as_ref().and_then(|line| line.at);
        self.at = self.at.max(at);
        Ok(())
    }
}
