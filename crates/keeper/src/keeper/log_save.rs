//! Saving the logs of services to a file.

use std::{ops::RangeInclusive, path::PathBuf};

use forgekeeper_domain::{
    error::{ErrorCode, ErrorInfo},
    ids::ServiceId,
    logs::{
        LogQuery,
        saved::{self, SaveFormat, SavedLog},
    },
};
use tokio::sync::watch;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::KeeperHandle;
use crate::{
    logs::archive::{Outcome, SaveProgress, Saving},
    sys::clock,
};

/// A file that is being written; dropping it ends that, and leaves no file behind.
#[derive(Debug)]
pub struct LogSave {
    progress: watch::Receiver<SaveProgress>,
    outcome: Outcome,
    _stop: DropGuard,
}

impl LogSave {
    /// How far it is, as it changes.
    pub fn progress(&self) -> watch::Receiver<SaveProgress> {
        self.progress.clone()
    }

    /// Waits until the file is whole and at its place.
    pub async fn done(self) -> Result<SavedLog, ErrorInfo> {
        match self.outcome.await {
            Ok(outcome) => Ok(outcome?),
            Err(_) => Err(ErrorInfo::new(
                ErrorCode::Internal,
                "the log was not saved: its thread has ended",
            )),
        }
    }
}

/// A log that is to be saved, where it shall stand not being known yet.
#[derive(Debug)]
pub struct LogToSave {
    saving: Saving,
    folder: PathBuf,
}

impl LogToSave {
    /// A name for the file: the services, and the time on this machine.
    pub fn name(&self) -> String {
        let services = self.saving.logs.iter().map(|(id, _)| id);
        saved::file_name(services, clock::local(), self.saving.format)
    }

    /// Writes the file; what was there is replaced.
    pub fn write_to(self, path: PathBuf) -> Result<LogSave, ErrorInfo> {
        let stop = CancellationToken::new();
        let (progress, outcome) = self
            .saving
            .start(path, &self.folder, stop.clone())
            .map_err(|error| {
                ErrorInfo::new(ErrorCode::Internal, "the log cannot be saved")
                    .detail(error.to_string())
            })?;
        Ok(LogSave {
            progress,
            outcome,
            _stop: stop.drop_guard(),
        })
    }
}

impl KeeperHandle {
    /// Prepares to save what is stored of services' logs and matches, oldest first and by time; of
    /// `range` alone when that is given. Where nothing is stored of a service, its lines held are
    /// saved. `query.tail` does not narrow it.
    pub fn save_log(
        &self,
        services: &[ServiceId],
        query: &LogQuery,
        range: Option<RangeInclusive<u32>>,
        format: SaveFormat,
    ) -> Result<LogToSave, ErrorInfo> {
        if services.is_empty() {
            let nothing = "no service is named whose log is to be saved";
            return Err(ErrorInfo::new(ErrorCode::BadRequest, nothing));
        }
        let logs = services
            .iter()
            .map(|id| Ok((id.clone(), self.log_of(id)?)))
            .collect::<Result<_, ErrorInfo>>()?;
        let saving = Saving {
            logs,
            filter: self.filter(query)?,
            range,
            format,
        };
        Ok(LogToSave {
            saving,
            folder: self.stored_logs().to_owned(),
        })
    }
}
