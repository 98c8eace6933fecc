//! The backup of the project folder: planned, copied, verified. Everything here waits for disks and runs
//! off the async threads; `keeper/backup.rs` starts it.

use std::{fmt, fs::File, io, path::Path};

use forgekeeper_domain::{
    Timestamp,
    backup::{BackupEnd, BackupPlan, BackupProgress, BackupRecord, BackupSettings, BackupTask},
    error::{ErrorCode, ErrorInfo},
};
use tokio_util::sync::CancellationToken;

mod copy;
mod dated;
mod disk;
pub(crate) mod exclude;
mod layout;
mod manifest;
mod meter;
mod names;
mod place;
mod places;
mod plan;
mod run;
mod settle;
#[cfg(test)]
mod tests;
mod verify;
mod walk;

use manifest::ManifestError;
use meter::Meter;
use places::Places;
use plan::Before;

/// Why a task ended before its end.
#[derive(Debug)]
pub(crate) enum Stop {
    /// Somebody asked for it.
    Cancelled,
    /// The target is full, in the system's words.
    DiskFull(String),
    /// It cannot be done.
    Failed(ErrorInfo),
}

type Open = dyn Fn(&Path) -> io::Result<File> + Send + Sync;

/// How files are opened for reading; a test holds some of them.
pub(crate) struct Doors {
    pub(crate) open: Box<Open>,
}

impl Default for Doors {
    fn default() -> Self {
        Self {
            open: Box::new(|path| File::open(path)),
        }
    }
}

impl fmt::Debug for Doors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Doors")
    }
}

/// What a run would do now. Nothing is written.
pub(crate) fn plan(
    settings: &BackupSettings,
    cancel: &CancellationToken,
) -> Result<BackupPlan, ErrorInfo> {
    let places = Places::look(settings)?;
    let target = places.check_target()?;
    let mut before = Before::read(&places, target)?;
    let meter = Meter::new(BackupTask::Run, Timestamp::UNIX_EPOCH, cancel, &|_| {});
    plan::plan(&places, &mut before, &meter).map_err(|stop| match stop {
        Stop::Failed(error) => error,
        Stop::Cancelled => ErrorInfo::new(ErrorCode::Cancelled, "the look at the source was ended"),
        Stop::DiskFull(detail) => full().detail(detail),
    })
}

/// Does a task to its end, whatever that is; the record says.
pub(crate) fn work(
    settings: &BackupSettings,
    record: &mut BackupRecord,
    doors: &Doors,
    cancel: &CancellationToken,
    tell: &dyn Fn(&BackupProgress),
) {
    let mut meter = Meter::new(record.task, record.started_at, cancel, tell);
    let began = record
        .started_at
        .to_zoned_datetime(jiff::tz::TimeZone::system())
        .datetime();
    let ended = match record.task {
        BackupTask::Run => Places::look(settings)
            .map_err(Stop::Failed)
            .and_then(|places| run::run(&places, began, doors, &mut meter, record)),
        BackupTask::Verify => verify::verify(settings, doors, &mut meter, record),
    };
    match ended {
        Ok(()) => {}
        Err(Stop::Cancelled) => record.end = BackupEnd::Cancelled,
        Err(Stop::DiskFull(detail)) => {
            record.end = BackupEnd::DiskFull;
            record.error = Some(full().detail(detail));
        }
        Err(Stop::Failed(error)) => {
            record.end = match error.code {
                ErrorCode::DiskFull => BackupEnd::DiskFull,
                _ => BackupEnd::Failed,
            };
            record.error = Some(error);
        }
    }
}

fn full() -> ErrorInfo {
    ErrorInfo::new(ErrorCode::DiskFull, "the target of the backup is full")
        .hint("Make room and run it again: it goes on from there, and what is there is whole.")
}

/// A manifest that cannot be read.
fn unreadable(error: &ManifestError) -> ErrorInfo {
    let (code, hint) = match error {
        ManifestError::Io(_) => (ErrorCode::Io, "Check that its drive is there."),
        ManifestError::Damaged { .. } => (
            ErrorCode::Refused,
            "What is ours there is not known any more, so nothing is changed: choose a new target.",
        ),
        ManifestError::TooMany => (
            ErrorCode::Refused,
            "Leave out folders that need no backup: `exclude` in `[backup]`.",
        ),
    };
    ErrorInfo::new(code, "what is in the backup cannot be read")
        .hint(hint)
        .detail(error.to_string())
}
