//! Searching the stored log of a service.

use forgekeeper_domain::{
    error::{ErrorCode, ErrorInfo},
    ids::ServiceId,
    logs::{LogQuery, LogSearchBatch},
};
use tokio::sync::mpsc;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::KeeperHandle;
use crate::logs::archive::{ArchiveError, Search};

/// A search under way; dropping it ends it.
#[derive(Debug)]
pub struct LogSearch {
    batches: mpsc::Receiver<Result<LogSearchBatch, ArchiveError>>,
    /// What was found so far, for the report of an error.
    last: LogSearchBatch,
    _stop: DropGuard,
}

impl LogSearch {
    /// The next report, newest lines first; `None` after the last one.
    pub async fn next(&mut self) -> Option<LogSearchBatch> {
        match self.batches.recv().await? {
            Ok(batch) => {
                self.last = LogSearchBatch {
                    lines: Vec::new(),
                    ..batch.clone()
                };
                Some(batch)
            }
            Err(error) => Some(LogSearchBatch {
                error: Some(error.to_string()),
                done: true,
                ..std::mem::take(&mut self.last)
            }),
        }
    }
}

impl KeeperHandle {
    /// Searches everything that is stored of a service's log, newest first: lines with smaller
    /// numbers than `before`, at most `most` of them (also `query.tail`).
    pub fn search_logs(
        &self,
        id: &ServiceId,
        query: &LogQuery,
        before: Option<u32>,
        most: u32,
    ) -> Result<LogSearch, ErrorInfo> {
        self.check_known(id)?;
        let filter = self.filter(query)?;
        let most = query.tail.map_or(most, |tail| tail.min(most)) as usize;
        let stop = CancellationToken::new();
        let search = Search {
            filter,
            before,
            most,
            written_by: self.log_archive(id),
        };
        let batches = search
            .start(self.stored_logs(), id, stop.clone())
            .map_err(|error| {
                ErrorInfo::new(ErrorCode::Internal, "the search cannot be started")
                    .detail(error.to_string())
            })?;
        Ok(LogSearch {
            batches,
            last: LogSearchBatch::default(),
            _stop: stop.drop_guard(),
        })
    }
}
