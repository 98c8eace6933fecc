//! The log of one service: a bounded memory that is fed by one follower and read by many.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use forgekeeper_domain::{
    Timestamp,
    error::ErrorInfo,
    logs::{
        LineFilter, LogLine, LogMeter, LogQuery, LogStream, Marker, Storage,
        delay::Delay,
        prepare::LinePreparer,
        replay::ReplayFold,
        ring::LineRing,
        rules::{DraftFault, RulesInForce, matching},
    },
};
use memchr::memchr_iter;
use tokio::{sync::watch, time::Instant};

pub mod archive;
mod beside;
mod follow;
mod held;
mod reader;
pub(crate) mod runtime;
#[cfg(test)]
mod tests;

pub use beside::{BesideEnd, FileDoor, read_beside};
pub use follow::{Renewal, follow};
pub use reader::LogReader;

use crate::sys::clock;
use archive::{Archive, Newest};
use held::{Held, Repetition, key};

/// Lines held for a service, and lines of its past that are asked of the engine.
pub const HELD_LINES: u32 = 10_000;
/// Bytes held for a service.
const MAX_BYTES: usize = 32 << 20;
/// A burst of lines is over when nothing has come for so long.
const SETTLE_AFTER: Duration = Duration::from_millis(300);
/// The meter is published at most this often.
const METER_EVERY: Duration = Duration::from_millis(500);

/// The log of one service. Clones are the same log.
#[derive(Debug, Clone)]
pub struct ServiceLog {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    held: Mutex<Held>,
    /// Changes with every change of `held`; wakes the readers.
    version: watch::Sender<u64>,
    meter: watch::Sender<LogMeter>,
}

/// How much of its past a log holds, and whether more of it is still coming.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogPast {
    /// Time of the oldest line held.
    pub oldest: Option<Timestamp>,
    /// Its number; with nothing held, that of the next line.
    pub first: u32,
    /// What is held begins where the engine's log begins; otherwise older lines may exist.
    pub whole: bool,
    /// The engine has sent the last line there is: the container does not run.
    pub at_end: bool,
}

/// What a pattern would name.
#[derive(Debug, Clone, Default)]
pub struct Tried {
    /// Lines looked at.
    pub looked: usize,
    /// How many of them it would name.
    pub count: usize,
    /// The newest of these, oldest first.
    pub newest: Vec<LogLine>,
}

impl Default for ServiceLog {
    fn default() -> Self {
        Self::new()
    }
}

impl ServiceLog {
    /// An empty log, not connected.
    pub fn new() -> Self {
        Self::with_limits(HELD_LINES as usize, MAX_BYTES)
    }

    fn with_limits(lines: usize, bytes: usize) -> Self {
        let held = Held::new(LineRing::new(lines, bytes));
        let meter = watch::Sender::new(held.meter());
        Self {
            shared: Arc::new(Shared {
                held: Mutex::new(held),
                version: watch::Sender::new(0),
                meter,
            }),
        }
    }

    /// An empty log, not connected, whose readers wait for [`ServiceLog::adopt`].
    pub fn expecting_the_past() -> Self {
        let log = Self::new();
        log.lock().ready = false;
        log
    }

    /// A multiplexer may call the service's own program by one of these names.
    pub fn own_is_called(&self, names: Vec<String>) {
        self.lock().own = names;
    }

    /// What was stored before is held again; from now on every line is stored in `archive`, or is
    /// not, for the reason given.
    pub fn adopt(&self, archive: Result<Archive, Storage>, newest: Newest) {
        self.change(true, |held| {
            held.adopt(archive, newest);
            true
        });
    }

    /// From now on lines are named by these rules, and what they silence is not told.
    pub fn obey(&self, rules: &Arc<RulesInForce>) {
        self.change(true, |held| {
            held.obey(Arc::clone(rules));
            true
        });
    }

    /// What a pattern would name of the lines that are held: how many were looked at, how many it
    /// would name, and the newest `most` of these, oldest first.
    pub fn try_pattern(&self, pattern: &str, most: usize) -> Result<Tried, DraftFault> {
        // Not under the lock: an expression over all that is held takes a while, in which the
        // follower must not wait.
        let held = self.lines();
        let (mut count, mut newest) = (0, Vec::new());
        for line in matching(pattern, held.iter().rev())? {
            count += 1;
            if newest.len() < most {
                newest.push(line.clone());
            }
        }
        newest.reverse();
        Ok(Tried {
            looked: held.len(),
            count,
            newest,
        })
    }

    /// The archive is not written any more; who closes it gets it.
    pub fn give_up_archive(&self) -> Option<Archive> {
        let mut held = self.lock();
        held.unstored = Storage::Opening;
        held.archive.take()
    }

    /// Where every line is stored, when it is.
    pub fn archive(&self) -> Option<Archive> {
        self.look(|held| held.archive.clone())
    }

    /// Waits while more lines wait to be stored than is good.
    pub async fn room(&self) {
        if let Some(archive) = self.archive() {
            archive.room().await;
        }
    }

    /// The container that the newest line came from, by its full id; the stored log remembers it.
    pub fn container(&self) -> Option<String> {
        self.look(|held| held.container.clone())
    }

    /// From now on the lines come from this container.
    pub fn comes_from(&self, container: &str) {
        let mut held = self.lock();
        held.container = Some(container.to_owned());
        if let Some(archive) = &held.archive {
            archive.comes_from(container);
        }
    }

    /// Something happened to the container: told before the first line that came after it, or by
    /// [`ServiceLog::tell_marks`].
    pub fn mark(&self, at: Timestamp, marker: Marker) {
        self.lock().mark(at, marker);
    }

    /// Tells what happened to the container although no line came after it.
    pub fn tell_marks(&self) {
        self.change(true, |held| held.mark_before(None));
    }

    /// Takes bytes as they came, cut anywhere; whether a line among them was not held before.
    pub fn push(&self, stream: LogStream, bytes: &[u8]) -> bool {
        self.change(false, |held| {
            let ends = memchr_iter(b'\n', bytes).count();
            held.entries = held.entries.saturating_add(ends as u64);
            let lines = held.preparer.push(stream, bytes);
            held.keep(lines)
        })
    }

    /// The stream ended in order: what has no line end yet is a line.
    pub fn finish(&self) {
        self.change(false, |held| {
            held.at_end = true;
            let lines = held.preparer.finish();
            // Both, in this order.
            held.keep(lines) | held.settle()
        });
    }

    /// The stream is connected.
    pub fn connected(&self) {
        self.change(true, |held| {
            let news = !held.connected || held.error.is_some();
            held.connected = true;
            held.at_end = false;
            held.error = None;
            news
        });
    }

    /// The stream is not connected, and why.
    pub fn disconnected(&self, reason: impl Into<String>) {
        let reason = reason.into();
        self.change(true, |held| {
            let news = held.connected || held.error.as_deref() != Some(reason.as_str());
            held.connected = false;
            held.delay.closed();
            held.catching_up_since = None;
            held.error = Some(reason);
            news
        });
    }

    /// The log becomes that of another container: nothing held belongs to it. Its readers go on.
    pub fn start_anew(&self) {
        self.change(true, |held| {
            held.preparer = LinePreparer::new();
            held.replay = ReplayFold::default();
            held.delay = Delay::default();
            held.forget_speech();
            held.ring.clear();
            held.programs.clear();
            held.last_line_at = None;
            held.connected = false;
            held.error = None;
            held.entries = 0;
            held.at_end = false;
            held.repetition = None;
            true
        });
    }

    /// The log will never say anything again; its readers end after what is held.
    pub fn close(&self) {
        self.change(true, |held| {
            held.connected = false;
            !std::mem::replace(&mut held.closed, true)
        });
    }

    /// How alive the log is at this moment.
    pub fn meter(&self) -> LogMeter {
        self.look(Held::meter)
    }

    /// How much of its past is held at this moment.
    pub fn past(&self) -> LogPast {
        self.look(|held| LogPast {
            oldest: held.ring.iter().find_map(|line| line.at),
            first: held.ring.first_seq(),
            whole: held.entries < u64::from(HELD_LINES) && held.ring.rotated() == 0,
            at_end: held.at_end,
        })
    }

    /// The lines held at this moment, oldest first.
    pub fn lines(&self) -> Vec<LogLine> {
        self.look(|held| held.ring.iter().cloned().collect())
    }

    /// The meter as it changes, at most twice a second while lines come; [`follow`] sees to it
    /// that the last change arrives too.
    pub fn meter_changes(&self) -> watch::Receiver<LogMeter> {
        self.shared.meter.subscribe()
    }

    /// Reads what is held and what comes.
    pub fn read(&self, query: &LogQuery) -> Result<LogReader, ErrorInfo> {
        let filter = LineFilter::compile(query)?;
        Ok(LogReader::new(self.clone(), filter, query.tail))
    }

    /// The log is about to be opened again: from which moment on it has to be read (all after it
    /// is needed), `None` for all. What is held already will not be held twice; an unfinished line
    /// is forgotten, because it comes again.
    fn resume(&self) -> Option<Timestamp> {
        let mut held = self.lock();
        let pending = held.preparer.pending_since();
        held.preparer.interrupt();
        held.replay.interrupt();
        held.waiting_since = None;
        held.repetition = None;
        held.at_end = false;
        let now = clock::now();
        held.delay.opened(now);
        held.catching_up_since = None;
        // A line of a clock that was ahead: what comes after it may be older, once that is set right.
        let times = || held.ring.iter().rev().filter_map(engines_time);
        let last = times().find(|at| *at <= now).or_else(|| times().next())?;
        let from = pending.map_or(last, |pending| pending.min(last));
        let mut repetition = Repetition {
            from,
            newest: last,
            lines: HashMap::new(),
        };
        for line in held.ring.iter() {
            if let Some(at) = engines_time(line).filter(|at| *at >= from) {
                if at <= now {
                    repetition.newest = repetition.newest.max(at);
                }
                *repetition
                    .lines
                    .entry(key(at, line.stream, &line.text))
                    .or_default() += 1;
            }
        }
        held.repetition = Some(repetition);
        // Openers ask for what is younger; the line at this very moment may have younger sisters.
        from.checked_sub(jiff::SignedDuration::from_nanos(1)).ok()
    }

    /// When something has to be done although nothing happens.
    fn due(&self) -> Due {
        self.look(|held| Due {
            meter: held
                .meter_published
                .filter(|_| held.meter_stale)
                .map(|last| last + METER_EVERY),
            settle: held.waiting_since.map(|since| since + SETTLE_AFTER),
            caught_up: held.catching_up_since.map(|since| since + SETTLE_AFTER),
        })
    }

    fn settle(&self) {
        self.change(false, Held::settle);
    }

    fn caught_up(&self) {
        self.change(true, Held::caught_up);
    }

    fn publish_meter(&self) {
        self.change(true, |held| held.meter_stale);
    }

    fn look<T>(&self, f: impl FnOnce(&Held) -> T) -> T {
        f(&self.lock())
    }

    /// Changes what is held; `f` tells whether something is new. `at_once`: no waiting with the
    /// meter. Returns what `f` told.
    fn change(&self, at_once: bool, f: impl FnOnce(&mut Held) -> bool) -> bool {
        let mut held = self.lock();
        if !f(&mut held) {
            return false;
        }
        let now = Instant::now();
        let due = at_once
            || held
                .meter_published
                .is_none_or(|last| now >= last + METER_EVERY);
        held.meter_stale = !due;
        if due {
            held.meter_published = Some(now);
            // Sent under the lock, so that an older meter never overtakes a newer one.
            let meter = held.meter();
            self.shared.meter.send_if_modified(|old| {
                let news = *old != meter;
                *old = meter;
                news
            });
        }
        drop(held);
        self.shared
            .version
            .send_modify(|version| *version = version.wrapping_add(1));
        true
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Held> {
        self.shared
            .held
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// Moments of a quiet log.
struct Due {
    /// The meter is published.
    meter: Option<Instant>,
    /// Lines that wait for the end of a burst have waited long enough.
    settle: Option<Instant>,
    /// Nothing will have come for long enough to say that all of the past is here.
    caught_up: Option<Instant>,
}

/// The time that the engine gave a line. What is read beside its stream has another clock's.
fn engines_time(line: &LogLine) -> Option<Timestamp> {
    let beside =
        line.stream == LogStream::File || matches!(line.marker, Some(Marker::Source { .. }));
    line.at.filter(|_| !beside)
}
