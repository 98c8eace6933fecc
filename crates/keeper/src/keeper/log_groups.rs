//! Counting the log of a service by the shapes of its lines.

use forgekeeper_domain::{
    error::{ErrorCode, ErrorInfo},
    ids::ServiceId,
    logs::{LogGroupBatch, LogQuery},
};
use tokio::sync::mpsc;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::KeeperHandle;
use crate::logs::archive::Counting;

/// A count under way; dropping it ends it.
#[derive(Debug)]
pub struct LogGroups {
    batches: mpsc::Receiver<LogGroupBatch>,
    _stop: DropGuard,
}

impl LogGroups {
    /// The groups so far; `None` after those of all lines.
    pub async fn next(&mut self) -> Option<LogGroupBatch> {
        self.batches.recv().await
    }
}

impl KeeperHandle {
    /// Groups all lines that match and are stored of a service's log by their shapes, newest
    /// first; where nothing is stored, those that are held. `query.tail` does not narrow it.
    pub fn group_logs(&self, id: &ServiceId, query: &LogQuery) -> Result<LogGroups, ErrorInfo> {
        let log = self.log_of(id)?;
        let filter = self.filter(query)?;
        let stop = CancellationToken::new();
        let counting = Counting {
            filter,
            written_by: log.archive(),
        };
        let batches = counting
            .start(self.stored_logs(), id, move || log.lines(), stop.clone())
            .map_err(|error| {
                ErrorInfo::new(ErrorCode::Internal, "the lines cannot be counted")
                    .detail(error.to_string())
            })?;
        Ok(LogGroups {
            batches,
            _stop: stop.drop_guard(),
        })
    }
}
