//! One reader of a log: its filter, its place, and what it missed.

use std::{collections::VecDeque, time::Duration};

use forgekeeper_domain::logs::{LineFilter, LogBatch, LogLine, ring::LineRing};
use tokio::{
    sync::watch,
    time::{Instant, timeout_at},
};

use super::ServiceLog;

/// Lines are gathered for this long before they are handed on.
const GATHER: Duration = Duration::from_millis(250);
/// New numbers without matching lines may wait longer.
const GATHER_NUMBERS: Duration = Duration::from_secs(1);
/// Or until there are so many.
const MAX_BATCH: usize = 500;

/// Reads a log: first what is held, then what comes.
#[derive(Debug)]
pub struct LogReader {
    log: ServiceLog,
    version: watch::Receiver<u64>,
    filter: LineFilter,
    tail: Option<u32>,
    started: bool,
    /// The next line to look at.
    next_seq: u32,
    /// Numbers of the lines held that match, as far as looked at.
    matched: VecDeque<u32>,
    gathered: Vec<LogLine>,
    dropped: u32,
    /// When the first new line since the last batch was seen.
    news_since: Option<Instant>,
}

/// What a look at the log found.
struct Found {
    held: u32,
    closed: bool,
}

impl LogReader {
    pub(super) fn new(log: ServiceLog, filter: LineFilter, tail: Option<u32>) -> Self {
        let version = log.shared.version.subscribe();
        Self {
            log,
            version,
            filter,
            tail,
            started: false,
            next_seq: 0,
            matched: VecDeque::new(),
            gathered: Vec::new(),
            dropped: 0,
            news_since: None,
        }
    }

    /// The next batch: at once what is held, then what came within a quarter of a second. `None`
    /// when the log is closed and all was read. Dropping the future loses nothing.
    pub async fn next(&mut self) -> Option<LogBatch> {
        if !self.started {
            return Some(self.first());
        }
        loop {
            self.version.borrow_and_update();
            let found = self.scan();
            let waited_for = self.news_since.map(|since| {
                let news = !self.gathered.is_empty() || self.dropped > 0;
                since + if news { GATHER } else { GATHER_NUMBERS }
            });
            let due = waited_for.is_some_and(|at| Instant::now() >= at);
            if due || self.gathered.len() >= MAX_BATCH || (found.closed && waited_for.is_some()) {
                return Some(self.batch(found.held));
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

    fn first(&mut self) -> LogBatch {
        self.version.borrow_and_update();
        let log = self.log.clone();
        let held = log.look(|held| {
            self.started = true;
            self.next_seq = held.ring.next_seq();
            let matching = held.ring.iter().filter(|line| self.filter.matches(line));
            let matching: Vec<&LogLine> = matching.collect();
            self.matched = matching.iter().map(|line| line.seq).collect();
            let wanted = self.tail.map_or(usize::MAX, |tail| tail as usize);
            let from = matching.len().saturating_sub(wanted);
            self.gathered = matching[from..]
                .iter()
                .map(|line| (*line).clone())
                .collect();
            count(&held.ring)
        });
        self.batch(held)
    }

    /// Gathers new lines as far as they fit a batch.
    fn scan(&mut self) -> Found {
        let log = self.log.clone();
        log.look(|held| {
            let (missed, lines) = held.ring.since(self.next_seq);
            self.dropped = self.dropped.saturating_add(missed);
            self.next_seq = self.next_seq.wrapping_add(missed);
            let mut news = missed > 0;
            for line in lines {
                if self.gathered.len() >= MAX_BATCH {
                    break;
                }
                news = true;
                self.next_seq = line.seq.wrapping_add(1);
                if self.filter.matches(line) {
                    self.matched.push_back(line.seq);
                    self.gathered.push(line.clone());
                }
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
            }
        })
    }

    fn batch(&mut self, held: u32) -> LogBatch {
        self.news_since = None;
        LogBatch {
            lines: std::mem::take(&mut self.gathered),
            held,
            matched: u32::try_from(self.matched.len()).unwrap_or(u32::MAX),
            dropped: std::mem::take(&mut self.dropped),
        }
    }
}

fn count(ring: &LineRing) -> u32 {
    u32::try_from(ring.len()).unwrap_or(u32::MAX)
}
