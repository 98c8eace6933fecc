//! Counting a whole timeline by the shapes of its lines, newest first: each block is counted for
//! itself, on several threads, and added to the whole.

use std::{
    path::Path,
    thread,
    time::{Duration, Instant},
};

use forgekeeper_domain::{
    ids::ServiceId,
    logs::{LineFilter, LogGroupBatch, LogLine, groups::Grouping},
};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::{
    Archive, ArchiveError,
    block::Block,
    file, number,
    rounds::{self, Packed, ROUND},
    search::FLUSH,
};

/// All groups are told again at most this often.
const TELL_EVERY: Duration = Duration::from_millis(300);
/// Reports that wait for a slow reader.
const QUEUE: usize = 2;

/// What is counted.
#[derive(Debug, Clone)]
pub struct Counting {
    /// Which lines.
    pub filter: LineFilter,
    /// Who writes the timeline, when it is this process: what came until now is written first.
    pub written_by: Option<Archive>,
}

/// One count under way.
struct Count {
    filter: LineFilter,
    grouping: Grouping,
    /// How far it is.
    batch: LogGroupBatch,
    found: mpsc::Sender<LogGroupBatch>,
    stop: CancellationToken,
    told: Instant,
}

impl Counting {
    /// Counts the stored timeline of a service on threads of its own until all was seen, `stop`,
    /// or nobody listens any more. Where nothing is stored, what is `held` is counted.
    pub fn start(
        self,
        folder: &Path,
        service: &ServiceId,
        held: impl FnOnce() -> Vec<LogLine> + Send + 'static,
        stop: CancellationToken,
    ) -> Result<mpsc::Receiver<LogGroupBatch>, ArchiveError> {
        let path = file::path(folder, service);
        let (found, batches) = mpsc::channel(QUEUE);
        let mut count = Count {
            filter: self.filter,
            grouping: Grouping::default(),
            batch: LogGroupBatch::default(),
            found,
            stop,
            told: Instant::now(),
        };
        thread::Builder::new()
            .name("log groups".to_owned())
            .spawn(move || {
                if let Some(archive) = &self.written_by {
                    // What is not written in time is missing, as in a search.
                    archive.flush(FLUSH);
                }
                let counted = count.stored(&path).map(|ended| match ended {
                    Ended::NothingStored => count.held(&held()),
                    ended => ended,
                });
                match counted {
                    Ok(Ended::Unwanted) => return,
                    Ok(_) => {}
                    Err(error) => count.batch.error = Some(error.to_string()),
                }
                count.batch.done = true;
                count.tell();
            })
            .map_err(|error| ArchiveError::Closed(error.to_string()))?;
        Ok(batches)
    }
}

/// Why nothing more is counted.
enum Ended {
    All,
    NothingStored,
    Unwanted,
}

impl Count {
    fn stored(&mut self, path: &Path) -> Result<Ended, ArchiveError> {
        let Some(connection) = file::open_to_read(path)? else {
            return Ok(Ended::NothingStored);
        };
        file::hold_still(&connection)?;
        let mut rows = file::rows(&connection)?;
        if rows.is_empty() {
            return Ok(Ended::NothingStored);
        }
        rounds::within(&self.filter, &mut rows);
        rows.reverse();
        self.batch.all = rounds::lines(&rows);
        for round in rows.chunks(ROUND) {
            if self.is_unwanted() {
                return Ok(Ended::Unwanted);
            }
            let packed = rounds::packed(&connection, round)?;
            let counted = rounds::look(&packed, |packed| self.count(packed));
            for (row, part) in round.iter().zip(counted) {
                self.grouping.merge(part?);
                self.batch.looked = self.batch.looked.saturating_add(row.lines);
                self.batch.back_to = rounds::oldest(row).or(self.batch.back_to);
            }
            if self.told.elapsed() >= TELL_EVERY {
                self.tell();
            }
        }
        Ok(Ended::All)
    }

    fn held(&mut self, lines: &[LogLine]) -> Ended {
        self.batch.all = u32::try_from(lines.len()).unwrap_or(u32::MAX);
        for line in lines.iter().rev() {
            if self.is_unwanted() {
                return Ended::Unwanted;
            }
            if self.filter.matches(line) {
                self.grouping.take(line);
            }
        }
        self.batch.looked = self.batch.all;
        self.batch.back_to = lines.iter().find_map(|line| line.at);
        Ended::All
    }

    /// Counts the matching lines of one block.
    fn count(&self, (first, packed): &Packed) -> Result<Grouping, ArchiveError> {
        let mut grouping = Grouping::of_part();
        if packed.is_empty() {
            return Ok(grouping);
        }
        let block = Block::unpack(packed)?;
        let wanted = || !self.is_unwanted();
        if rounds::may_match(&self.filter, block.texts(), wanted) {
            let lines = block.lines(number(*first))?;
            let lines = lines.iter().rev().take_while(|_| wanted());
            for line in lines.filter(|line| self.filter.matches(line)) {
                grouping.take(line);
            }
        }
        Ok(grouping)
    }

    fn is_unwanted(&self) -> bool {
        self.stop.is_cancelled() || self.found.is_closed()
    }

    fn tell(&mut self) {
        let found = self.grouping.groups();
        let report = LogGroupBatch {
            groups: found.groups,
            others: found.others,
            ..self.batch.clone()
        };
        // Nobody listens: the next look finds it out.
        let _ = self.found.blocking_send(report);
        self.told = Instant::now();
    }
}
