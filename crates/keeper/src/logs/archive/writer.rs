//! The thread that writes: small pieces within a second, joined into full blocks, the oldest let
//! go in time.

use std::{
    path::Path,
    sync::{Arc, PoisonError},
    time::{Duration, Instant},
};

use rusqlite::Connection;

use super::{
    ArchiveError, Keeping, Shared,
    block::{Block, FULL_BYTES},
    file::{self, Row},
};
use crate::sys::clock;

/// A line is written so long after it came at the latest.
const SOON: Duration = Duration::from_millis(500);
/// After a failure it is tried again so much later.
const AGAIN: Duration = Duration::from_secs(5);

const NS_PER_DAY: i64 = 86_400 * 1_000_000_000;

/// Lines on their way to the file.
struct Piece {
    first: i64,
    block: Block,
    /// Where the last of them came from.
    container: Option<String>,
}

/// What the thread knows of its file.
struct Writer {
    connection: Connection,
    keeping: Keeping,
    /// Rows in the file, oldest first.
    rows: Vec<Row>,
    bytes: i64,
    /// Lines that are in the file in pieces, waiting for a full block.
    open: Block,
    open_first: i64,
    /// Where the newest line came from.
    container: Option<String>,
}

/// Runs until the archive is closed and all is written.
pub(super) fn run(shared: &Arc<Shared>, path: &Path, keeping: Keeping, mut ready: Option<Ready>) {
    loop {
        match Writer::open(path, keeping) {
            Ok(mut writer) => {
                shared.number_from(writer.next());
                if let Some(ready) = ready.take() {
                    ready(Ok(()));
                }
                shared.set_error(None);
                shared.written(writer.bytes, writer.oldest());
                match writer.serve(shared) {
                    Ok(()) => return,
                    Err(error) => shared.set_error(Some(error.to_string())),
                }
            }
            Err(error) => {
                shared.set_error(Some(error.to_string()));
                if let Some(ready) = ready.take() {
                    ready(Err(error));
                    return;
                }
            }
        }
        if !shared.wait_again(AGAIN) {
            return;
        }
    }
}

/// Told once whether the file could be opened.
pub(super) type Ready = Box<dyn FnOnce(Result<(), ArchiveError>) + Send>;

impl Writer {
    fn open(path: &Path, keeping: Keeping) -> Result<Self, ArchiveError> {
        let connection = file::open(path)?;
        let rows = file::rows(&connection)?;
        let mut writer = Self {
            bytes: rows.iter().map(|row| row.bytes).sum(),
            keeping,
            rows,
            open: Block::default(),
            open_first: 0,
            container: file::container(&connection)?,
            connection,
        };
        writer.open_first = writer.next();
        writer.take_up_pieces()?;
        Ok(writer)
    }

    /// The pieces of the last run are joined with what comes now.
    fn take_up_pieces(&mut self) -> Result<(), ArchiveError> {
        let begin = self.rows.iter().rposition(|row| row.sealed);
        let pieces = self.rows.split_off(begin.map_or(0, |sealed| sealed + 1));
        let mut lines = Vec::new();
        for piece in &pieces {
            let packed = file::content(&self.connection, piece.first)?.unwrap_or_default();
            let first = super::number(piece.first);
            lines.extend(Block::unpack(&packed)?.lines(first)?);
        }
        let Some(first) = pieces.first() else {
            return Ok(());
        };
        self.open_first = first.first;
        for line in &lines {
            self.open.push(line);
        }
        self.bytes -= pieces.iter().map(|piece| piece.bytes).sum::<i64>();
        // In pieces they would be taken up at each start anew.
        self.seal()
    }

    fn next(&self) -> i64 {
        self.rows
            .last()
            .map_or(0, |row| row.first + i64::from(row.lines))
            .max(self.open_first + i64::try_from(self.open.len()).unwrap_or(0))
    }

    fn serve(&mut self, shared: &Arc<Shared>) -> Result<(), ArchiveError> {
        while let Some(piece) = shared.take(SOON) {
            if piece.container.is_some() {
                self.container.clone_from(&piece.container);
            }
            if let Err(error) = self.add(piece.first, &piece.block) {
                shared.give_back(piece);
                return Err(error);
            }
            shared.written(self.bytes, self.oldest());
        }
        if !self.open.is_empty() {
            self.seal()?;
        }
        Ok(())
    }

    fn oldest(&self) -> Option<i64> {
        let rows = self.rows.iter().filter_map(|row| row.span);
        rows.map(|span| span.0)
            .next()
            .or_else(|| self.open.span().map(|span| span.0))
    }

    fn add(&mut self, first: i64, block: &Block) -> Result<(), ArchiveError> {
        let contiguous = first == self.open_first + i64::try_from(self.open.len()).unwrap_or(0);
        if !self.open.is_empty() && !contiguous {
            self.seal()?;
        }
        if self.open.is_empty() {
            self.open_first = first;
        }
        let before = self.open.clone();
        self.open.append(block);
        let written = if self.open.is_full() {
            self.seal()
        } else {
            let piece = file::write(
                &mut self.connection,
                first,
                block,
                self.container.as_deref(),
                false,
            );
            piece.map(|_| ())
        };
        if written.is_err() {
            // It comes again with the next attempt.
            self.open = before;
        }
        written
    }

    /// Writes what is open as one block, then lets go what is too old or too much.
    fn seal(&mut self) -> Result<(), ArchiveError> {
        let bytes = file::write(
            &mut self.connection,
            self.open_first,
            &self.open,
            self.container.as_deref(),
            true,
        )?;
        self.rows.push(Row {
            first: self.open_first,
            lines: u32::try_from(self.open.len()).unwrap_or(u32::MAX),
            span: self.open.span(),
            bytes,
            sealed: true,
        });
        self.bytes += bytes;
        self.open_first += i64::try_from(self.open.len()).unwrap_or(0);
        self.open = Block::default();
        self.forget()
    }

    fn forget(&mut self) -> Result<(), ArchiveError> {
        let now = i64::try_from(clock::now().as_nanosecond()).unwrap_or(i64::MAX);
        let oldest = now.saturating_sub(i64::from(self.keeping.days) * NS_PER_DAY);
        let limit = i64::try_from(self.keeping.bytes).unwrap_or(i64::MAX);
        let mut bytes = self.bytes;
        let gone = self
            .rows
            .iter()
            // The newest stays, however large it is: the next one counts on from it.
            .take(self.rows.len().saturating_sub(1))
            .take_while(|row| {
                // What was written in the future of a wrong clock gives way by size alone.
                let old = row.span.is_some_and(|span| span.1 < oldest);
                let goes = old || bytes > limit;
                bytes -= if goes { row.bytes } else { 0 };
                goes
            })
            .count();
        let firsts: Vec<i64> = self.rows.drain(..gone).map(|row| row.first).collect();
        self.bytes = bytes;
        file::forget(&mut self.connection, &firsts)
    }
}

impl Shared {
    /// The next lines to write, with the number of the first: a full block at once, less after
    /// `soon`. `None` when the archive is closed and nothing is left.
    fn take(&self, soon: Duration) -> Option<Piece> {
        let mut pending = self.pending.lock().unwrap_or_else(PoisonError::into_inner);
        let mut since: Option<Instant> = None;
        loop {
            let full = pending.block.bytes() >= FULL_BYTES;
            let waited = since.map(|since| since.elapsed());
            if !pending.block.is_empty()
                && (full
                    || pending.closed
                    || pending.hurry
                    || waited.is_some_and(|waited| waited >= soon))
            {
                let block = std::mem::take(&mut pending.block);
                let piece = Piece {
                    first: pending.first,
                    container: pending.container.clone(),
                    block,
                };
                pending.first += i64::try_from(piece.block.len()).unwrap_or(0);
                pending.in_hand = Some(piece.first);
                pending.hurry = false;
                drop(pending);
                self.room.notify_waiters();
                return Some(piece);
            }
            if pending.closed {
                return None;
            }
            pending = if pending.block.is_empty() {
                since = None;
                self.wake
                    .wait(pending)
                    .unwrap_or_else(PoisonError::into_inner)
            } else {
                let since = *since.get_or_insert_with(Instant::now);
                let left = soon.saturating_sub(since.elapsed());
                let (pending, _) = self
                    .wake
                    .wait_timeout(pending, left)
                    .unwrap_or_else(PoisonError::into_inner);
                pending
            };
        }
    }

    /// What could not be written waits in front of what came meanwhile.
    fn give_back(&self, piece: Piece) {
        let mut pending = self.pending.lock().unwrap_or_else(PoisonError::into_inner);
        let later = std::mem::replace(&mut pending.block, piece.block);
        pending.block.append(&later);
        pending.first = piece.first;
        pending.in_hand = None;
    }

    /// Waits before the next attempt; `false` when the archive is closed meanwhile.
    fn wait_again(&self, long: Duration) -> bool {
        let begun = Instant::now();
        let mut pending = self.pending.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            let left = long.saturating_sub(begun.elapsed());
            if pending.closed {
                return false;
            }
            if left.is_zero() {
                return true;
            }
            (pending, _) = self
                .wake
                .wait_timeout(pending, left)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }
}
