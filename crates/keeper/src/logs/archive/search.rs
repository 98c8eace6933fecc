//! Searching a whole timeline, newest first: blocks are unpacked and looked through on several
//! threads, their matches handed on in order.

use std::{path::Path, thread, time::Duration};

use forgekeeper_domain::{
    ids::ServiceId,
    logs::{LineFilter, LogLine, LogSearchBatch},
};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::{
    Archive, ArchiveError,
    block::Block,
    file::{self, Row},
    number,
    rounds::{self, ROUND},
};

/// Each round is so many times longer than the one before: who wants a few of the newest lines
/// gets them from the first block.
const GROWTH: usize = 4;
/// Reports that wait for a slow reader.
const QUEUE: usize = 4;
/// How long the newest lines may take to be written before they are looked at.
pub(super) const FLUSH: Duration = Duration::from_millis(500);

/// The matching lines of one block.
type Matches = Result<Vec<LogLine>, ArchiveError>;

/// What is looked for.
#[derive(Debug, Clone)]
pub struct Search {
    /// Which lines.
    pub filter: LineFilter,
    /// Only lines with smaller numbers than this.
    pub before: Option<u32>,
    /// Ends after so many lines.
    pub most: usize,
    /// Who writes the timeline, when it is this process: what came until now is written first.
    pub written_by: Option<Archive>,
}

impl Search {
    /// Searches the stored timeline of a service on threads of its own until all was seen, enough
    /// was found, `stop`, or nobody listens any more.
    pub fn start(
        self,
        folder: &Path,
        service: &ServiceId,
        stop: CancellationToken,
    ) -> Result<mpsc::Receiver<Result<LogSearchBatch, ArchiveError>>, ArchiveError> {
        let path = file::path(folder, service);
        let (found, batches) = mpsc::channel(QUEUE);
        thread::Builder::new()
            .name("log search".to_owned())
            .spawn(move || {
                if let Err(error) = self.run(&path, &stop, &found) {
                    // Nobody listens: nobody wants to know.
                    let _ = found.blocking_send(Err(error));
                }
            })
            .map_err(|error| ArchiveError::Closed(error.to_string()))?;
        Ok(batches)
    }

    fn run(
        &self,
        path: &Path,
        stop: &CancellationToken,
        found: &mpsc::Sender<Result<LogSearchBatch, ArchiveError>>,
    ) -> Result<(), ArchiveError> {
        let mut batch = LogSearchBatch::default();
        if let Some(archive) = &self.written_by {
            // What is not written in time is missing, as it is where another process writes.
            archive.flush(FLUSH);
        }
        let connection = file::open_to_read(path)?;
        let rows = match &connection {
            Some(connection) => {
                // What is sealed meanwhile changes its row.
                file::hold_still(connection)?;
                self.rows(file::rows(connection)?)
            }
            None => Vec::new(),
        };
        batch.all = rounds::lines(&rows);
        let mut missing = self.most;
        if let Some(connection) = &connection {
            let (mut rest, mut size) = (rows.as_slice(), 1);
            while !rest.is_empty() {
                let round;
                (round, rest) = rest.split_at(size.min(rest.len()));
                size = (size * GROWTH).min(ROUND);
                let packed = rounds::packed(connection, round)?;
                let wanted = || !stop.is_cancelled() && !found.is_closed();
                let matches = rounds::look(&packed, |(first, packed)| {
                    self.matches(*first, packed, wanted)
                });
                for (row, lines) in round.iter().zip(matches) {
                    let mut lines = lines?;
                    lines.truncate(missing);
                    missing -= lines.len();
                    let hits = lines.iter().filter(|line| self.filter.is_hit(line));
                    batch.hits.extend(hits.map(|line| line.seq));
                    batch.lines.append(&mut lines);
                    batch.looked = batch.looked.saturating_add(row.lines);
                    batch.back_to = rounds::oldest(row).or(batch.back_to);
                    if missing == 0 {
                        break;
                    }
                }
                if stop.is_cancelled() {
                    return Ok(());
                }
                if missing == 0 {
                    break;
                }
                let report = LogSearchBatch {
                    lines: std::mem::take(&mut batch.lines),
                    hits: std::mem::take(&mut batch.hits),
                    ..batch.clone()
                };
                if found.blocking_send(Ok(report)).is_err() {
                    return Ok(());
                }
            }
        }
        batch.done = true;
        // Nobody listens: nobody wants to know.
        let _ = found.blocking_send(Ok(batch));
        Ok(())
    }

    /// The rows that may hold what is looked for, newest first.
    fn rows(&self, mut rows: Vec<Row>) -> Vec<Row> {
        rounds::within(&self.filter, &mut rows);
        rows.retain(|row| self.before.is_none_or(|before| number(row.first) < before));
        rows.reverse();
        rows
    }

    /// The matching lines of a block, newest first; not all of them once they are not wanted.
    fn matches(&self, first: i64, packed: &[u8], wanted: impl Fn() -> bool) -> Matches {
        // A row that has given way meanwhile.
        if packed.is_empty() {
            return Ok(Vec::new());
        }
        let block = Block::unpack(packed)?;
        if !rounds::may_match(&self.filter, block.texts(), &wanted) {
            return Ok(Vec::new());
        }
        let first = number(first);
        let mut lines = block.lines(first)?;
        lines.retain(|line| {
            self.before.is_none_or(|before| line.seq < before)
                && wanted()
                && self.filter.matches(line)
        });
        lines.reverse();
        Ok(lines)
    }
}
