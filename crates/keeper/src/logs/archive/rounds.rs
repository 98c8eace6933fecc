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

/// Bytes looked at before somebody is asked whether they are still wanted: an expression may take
/// tens of microseconds for each.
const IN_ONE_GO: usize = 8 * 1024;

/// Whether a line of a block may match. `false` also once nobody wants to know any more.
pub(super) fn may_match(filter: &LineFilter, texts: &str, wanted: impl Fn() -> bool) -> bool {
    let mut rest = texts;
    loop {
        let end = rest.as_bytes().get(IN_ONE_GO..).and_then(|more| {
            let line_end = memchr::memchr(b'\n', more)?;
            Some(IN_ONE_GO + line_end)
        });
        let (part, after) = end.map_or((rest, None), |end| (&rest[..end], Some(&rest[end + 1..])));
        if !wanted() {
            return false;
        }
        if filter.may_match(part) {
            return true;
        }
        match after {
            Some(after) => rest = after,
            None => return false,
        }
    }
}

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

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use forgekeeper_domain::logs::LogQuery;

    use super::*;

    fn filter(text: &str) -> LineFilter {
        LineFilter::compile(&LogQuery {
            filter: text.to_owned(),
            ..LogQuery::default()
        })
        .expect("a filter")
    }

    #[test]
    fn every_part_of_a_block_is_looked_at() {
        let mut lines: Vec<String> = (0..3_000).map(|n| format!("line {n} été")).collect();
        for place in [0, 1, 700, 1_500, 2_999] {
            lines[place] = format!("needle {place}");
            let found = may_match(
                &filter(&format!("needle {place}")),
                &lines.join("\n"),
                || true,
            );
            assert!(found, "{place}");
        }
        assert!(!may_match(&filter("nowhere"), &lines.join("\n"), || true));
        assert!(may_match(&filter(""), "", || true), "an empty line, too");
    }

    #[test]
    fn it_ends_soon_after_nobody_wants_it() {
        let texts = "nothing\n".repeat(100_000);
        let asked = Cell::new(0);
        let wanted = || {
            asked.set(asked.get() + 1);
            asked.get() < 3
        };
        assert!(!may_match(&filter("needle"), &texts, wanted));
        assert_eq!(asked.get(), 3);
    }
}
