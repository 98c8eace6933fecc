//! One reader of a log: its filter, its place, and what it missed.

use std::{collections::VecDeque, time::Duration};

use forgekeeper_domain::logs::{LineFilter, LogBatch, LogLine, LogMeter, ring::LineRing};
use tokio::{
    sync::watch,
    time::{Instant, timeout_at},
};

use super::{LogPast, ServiceLog};

/// Lines are gathered for this long before they are handed on.
const GATHER: Duration = Duration::from_millis(250);
/// New numbers without matching lines may wait longer.
const GATHER_NUMBERS: Duration = Duration::from_secs(1);
/// Or until there are so many.
const MAX_BATCH: usize = 2_000;
/// For how long lines are looked at in one go: an expression may take milliseconds for each, and
/// neither the follower nor other tasks of this thread may wait for all that is held.
const LOOK_FOR: Duration = Duration::from_millis(4);

/// Reads a log: first what is held, then what comes.
#[derive(Debug)]
pub struct LogReader {
    log: ServiceLog,
    version: watch::Receiver<u64>,
    filter: LineFilter,
    tail: Option<u32>,
    /// Where the past ends that the first batch is made of; `None` before it was begun.
    past_end: Option<u32>,
    started: bool,
    /// The next line to look at.
    next_seq: u32,
    /// Numbers of the lines held that match, as far as looked at.
    matched: VecDeque<u32>,
    gathered: Vec<LogLine>,
    /// Numbers of the lines among them that are marked.
    hits: Vec<u32>,
    dropped: u32,
    /// When the first new line since the last batch was seen.
    news_since: Option<Instant>,
}

/// What a look at the log found.
struct Found {
    held: u32,
    closed: bool,
    /// There is more than could be looked at in one go.
    more: bool,
}

impl LogReader {
    pub(super) fn new(log: ServiceLog, filter: LineFilter, tail: Option<u32>) -> Self {
        let version = log.shared.version.subscribe();
        Self {
            log,
            version,
            filter,
            tail,
            past_end: None,
            started: false,
            next_seq: 0,
            matched: VecDeque::new(),
            gathered: Vec::new(),
            hits: Vec::new(),
            dropped: 0,
            news_since: None,
        }
    }

    /// The next batch: at once what is held, then what came within a quarter of a second. `None`
    /// when the log is closed and all was read. Dropping the future loses nothing.
    pub async fn next(&mut self) -> Option<LogBatch> {
        if !self.started {
            return Some(self.first().await);
        }
        loop {
            self.version.borrow_and_update();
            let found = self.scan();
            let waited_for = self.news_since.map(|since| {
                let news = !self.gathered.is_empty() || self.dropped > 0;
                since + if news { GATHER } else { GATHER_NUMBERS }
            });
            let due = waited_for.is_some_and(|at| Instant::now() >= at);
            let last = found.closed && !found.more && waited_for.is_some();
            if due || self.gathered.len() >= MAX_BATCH || last {
                return Some(self.batch(found.held));
            }
            if found.more {
                tokio::task::yield_now().await;
                continue;
            }
            if found.closed {
                return None;
            }
            match waited_for {
                // Either way the log is looked at again: a line may still be on the edge.
                Some(at) => drop(timeout_at(at, self.version.changed()).await),
                None => self.version.changed().await.ok()?,
            }
        }
    }

    /// How alive the log is at this moment.
    pub fn meter(&self) -> LogMeter {
        self.log.meter()
    }

    /// How much of its past the log holds at this moment.
    pub fn past(&self) -> LogPast {
        self.log.past()
    }

    /// What was held when the reader was first asked, in pieces; goes on where it was dropped.
    async fn first(&mut self) -> LogBatch {
        // What was stored before is read from the disk first.
        while !self.log.look(|held| held.ready || held.closed) {
            if self.version.changed().await.is_err() {
                break;
            }
        }
        self.version.borrow_and_update();
        while self.look_at_past() > 0 {
            tokio::task::yield_now().await;
        }
        self.started = true;
        let held = self.log.look(|held| count(&held.ring));
        self.batch(held)
    }

    /// Looks at the next lines of the past; tells how many are left.
    fn look_at_past(&mut self) -> u32 {
        let log = self.log.clone();
        log.look(|held| {
            self.filter.obey(&held.rules);
            let end = *self.past_end.get_or_insert_with(|| {
                self.next_seq = held.ring.first_seq();
                held.ring.next_seq()
            });
            // Distances, not order: the numbers may wrap.
            let left = end.wrapping_sub(self.next_seq);
            let (missed, lines) = held.ring.since(self.next_seq);
            // What gave way meanwhile was part of the past.
            let missed = missed.min(left);
            self.dropped = self.dropped.saturating_add(missed);
            self.next_seq = self.next_seq.wrapping_add(missed);
            let left = (left - missed) as usize;
            let began = std::time::Instant::now();
            for line in lines.take(left) {
                self.next_seq = line.seq.wrapping_add(1);
                self.look_at(line);
                if began.elapsed() >= LOOK_FOR {
                    break;
                }
            }
            if let Some(tail) = self.tail {
                let superfluous = self.gathered.len().saturating_sub(tail as usize);
                self.gathered.drain(..superfluous);
            }
            end.wrapping_sub(self.next_seq)
        })
    }

    /// Gathers new lines as far as they fit a batch.
    fn scan(&mut self) -> Found {
        let log = self.log.clone();
        log.look(|held| {
            self.filter.obey(&held.rules);
            let (missed, lines) = held.ring.since(self.next_seq);
            self.dropped = self.dropped.saturating_add(missed);
            self.next_seq = self.next_seq.wrapping_add(missed);
            let mut news = missed > 0;
            let mut more = false;
            let began = std::time::Instant::now();
            for line in lines {
                more = began.elapsed() >= LOOK_FOR;
                if more || self.gathered.len() >= MAX_BATCH {
                    break;
                }
                news = true;
                self.next_seq = line.seq.wrapping_add(1);
                self.look_at(line);
            }
            if news && self.news_since.is_none() {
                self.news_since = Some(Instant::now());
            }
            // Distances, not order: the numbers may wrap.
            let (next, len) = (held.ring.next_seq(), held.ring.len());
            while self
                .matched
                .front()
                .is_some_and(|seq| next.wrapping_sub(*seq) as usize > len)
            {
                self.matched.pop_front();
            }
            Found {
                held: count(&held.ring),
                closed: held.closed,
                more,
            }
        })
    }

    fn look_at(&mut self, line: &LogLine) {
        if !self.filter.matches(line) {
            return;
        }
        if !self.filter.marks() {
            self.matched.push_back(line.seq);
        } else if self.filter.is_hit(line) {
            self.matched.push_back(line.seq);
            self.hits.push(line.seq);
        }
        self.gathered.push(line.clone());
    }

    fn batch(&mut self, held: u32) -> LogBatch {
        self.news_since = None;
        LogBatch {
            lines: std::mem::take(&mut self.gathered),
            hits: std::mem::take(&mut self.hits),
            held,
            matched: u32::try_from(self.matched.len()).unwrap_or(u32::MAX),
            dropped: std::mem::take(&mut self.dropped),
        }
    }
}

fn count(ring: &LineRing) -> u32 {
    u32::try_from(ring.len()).unwrap_or(u32::MAX)
}
