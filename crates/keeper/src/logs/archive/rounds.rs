//! Looking through a timeline round by round: blocks are read one after the other, and looked at
//! on several threads.

use std::{
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use forgekeeper_domain::{Timestamp, logs::LineFilter};
use rusqlite::Connection;

use super::{
    ArchiveError,
    file::{self, Row},
};

/// Blocks looked at in one round; about four million characters.
pub(super) const ROUND: usize = 16;
/// Threads at most: a search must not take the machine away from what it looks after.
const THREADS: usize = 4;

/// A block as kept, with the number of its first line.
pub(super) type Packed = (i64, Vec<u8>);

/// The rows that may hold lines of the time asked for.
pub(super) fn within(filter: &LineFilter, rows: &mut Vec<Row>) {
    let (since, until) = filter.span();
    let ns = |at: Timestamp| i64::try_from(at.as_nanosecond()).ok();
    let (since, until) = (since.and_then(ns), until.and_then(ns));
    rows.retain(|row| {
        row.span.is_none_or(|(first, last)| {
            since.is_none_or(|since| last >= since) && until.is_none_or(|until| first <= until)
        })
    });
}

/// Lines in all of these rows.
pub(super) fn lines(rows: &[Row]) -> u32 {
    rows.iter()
        .fold(0, |all, row| all.saturating_add(row.lines))
}

/// Time of the oldest line in a row.
pub(super) fn oldest(row: &Row) -> Option<Timestamp> {
    let (oldest, _) = row.span?;
    Timestamp::from_nanosecond(oldest.into()).ok()
}

/// What rows hold; empty for one that has given way meanwhile.
pub(super) fn packed(connection: &Connection, rows: &[Row]) -> Result<Vec<Packed>, ArchiveError> {
    rows.iter()
        .map(|row| {
            let packed = file::content(connection, row.first)?.unwrap_or_default();
            Ok((row.first, packed))
        })
        .collect()
}

/// Looks at blocks at once; the results are in their order.
pub(super) fn look<R: Send>(packed: &[Packed], at: impl Fn(&Packed) -> R + Sync) -> Vec<R> {
    let results: Vec<Mutex<Option<R>>> = packed.iter().map(|_| Mutex::new(None)).collect();
    let next = AtomicUsize::new(0);
    let work = || {
        while let Some((place, packed)) = {
            let place = next.fetch_add(1, Ordering::Relaxed);
            packed.get(place).map(|packed| (place, packed))
        } {
            let found = at(packed);
            *results[place]
                .lock()
                .unwrap_or_else(PoisonError::into_inner) = Some(found);
        }
    };
    let threads = thread::available_parallelism()
        .map_or(1, usize::from)
        .min(THREADS);
    thread::scope(|scope| {
        for _ in 1..threads {
            scope.spawn(work);
        }
        work();
    });
    // Each has its result: a thread that panicked has ended the scope.
    results
        .into_iter()
        .filter_map(|result| result.into_inner().unwrap_or_else(PoisonError::into_inner))
        .collect()
}
