//! Reading a timeline from its oldest line on, one block in memory at a time.

use std::{ops::RangeInclusive, path::Path, vec};

use forgekeeper_domain::logs::{LineFilter, LogLine};
use rusqlite::Connection;
use tokio_util::sync::CancellationToken;

use super::{
    ArchiveError,
    block::Block,
    file::{self, Row},
    number, rounds,
};

/// The lines of a timeline that are asked for, oldest first.
pub(super) struct Forward {
    filter: LineFilter,
    /// Numbers of the first and last line wanted.
    range: Option<RangeInclusive<u32>>,
    /// Nothing more is read then.
    stop: CancellationToken,
    /// `None` where nothing is stored.
    connection: Option<Connection>,
    rows: vec::IntoIter<Row>,
    lines: vec::IntoIter<LogLine>,
    /// Lines to look at in all.
    pub(super) all: u32,
    /// Lines looked at so far, by blocks.
    pub(super) looked: u32,
}

impl Forward {
    /// Of what is stored at this moment; where nothing is, of what is `held`.
    pub(super) fn open(
        path: &Path,
        filter: LineFilter,
        range: Option<RangeInclusive<u32>>,
        stop: CancellationToken,
        held: impl FnOnce() -> Vec<LogLine>,
    ) -> Result<Self, ArchiveError> {
        let mut forward = Self {
            filter,
            range,
            stop,
            connection: None,
            rows: Vec::new().into_iter(),
            lines: Vec::new().into_iter(),
            all: 0,
            looked: 0,
        };
        if let Some(connection) = file::open_to_read(path)? {
            file::hold_still(&connection)?;
            let mut rows = file::rows(&connection)?;
            if !rows.is_empty() {
                rounds::within(&forward.filter, &mut rows);
                rows.retain(|row| forward.reaches(row));
                forward.all = rounds::lines(&rows);
                forward.rows = rows.into_iter();
                forward.connection = Some(connection);
                return Ok(forward);
            }
        }
        let lines = held();
        forward.all = u32::try_from(lines.len()).unwrap_or(u32::MAX);
        forward.looked = forward.all;
        forward.lines = forward.wanted(lines);
        Ok(forward)
    }

    /// The next line; none after `stop`.
    pub(super) fn next(&mut self) -> Result<Option<LogLine>, ArchiveError> {
        loop {
            if let Some(line) = self.lines.next() {
                return Ok(Some(line));
            }
            if self.stop.is_cancelled() {
                return Ok(None);
            }
            let (Some(connection), Some(row)) = (&self.connection, self.rows.next()) else {
                return Ok(None);
            };
            self.looked = self.looked.saturating_add(row.lines);
            // The file holds still: a row that it named is there.
            let Some(packed) = file::content(connection, row.first)? else {
                continue;
            };
            let block = Block::unpack(&packed)?;
            let wanted = || !self.stop.is_cancelled();
            if rounds::may_match(&self.filter, block.texts(), wanted) {
                self.lines = self.wanted(block.lines(number(row.first))?);
            }
        }
    }

    /// Whether a row may hold lines of the range.
    fn reaches(&self, row: &Row) -> bool {
        let last = row.first + i64::from(row.lines) - 1;
        let (first, last) = (number(row.first), number(last));
        self.range.as_ref().is_none_or(|range| {
            // A row over which the numbers wrap may hold any.
            last < first || (first <= *range.end() && last >= *range.start())
        })
    }

    fn wanted(&self, mut lines: Vec<LogLine>) -> vec::IntoIter<LogLine> {
        lines.retain(|line| {
            let in_range = |range: &RangeInclusive<u32>| range.contains(&line.seq);
            self.range.as_ref().is_none_or(in_range)
                && !self.stop.is_cancelled()
                && self.filter.matches(line)
        });
        lines.into_iter()
    }
}
