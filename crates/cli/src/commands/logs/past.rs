//! The past of a log: when it has come in, and what of it is only stored.

use std::time::Duration;

use forgekeeper_domain::{
    Timestamp,
    cause::Cause,
    error::{ErrorCode, ErrorInfo},
    ids::ServiceId,
    ladder::Rung,
    logs::{LogLine, LogMeter, LogQuery},
    outcome::{Outcome, Status},
};
use forgekeeper_keeper::{
    keeper::KeeperHandle,
    logs::{HELD_LINES, LogPast, LogReader},
    state::ServiceState,
    sys::clock,
};
use tokio::time::Instant;

use crate::{session::FIRST_ROUND, text::printable};

/// Looks at the log while its past comes in.
const LOOK: Duration = Duration::from_millis(50);
/// So long after the last new line the past is taken to be whole.
const QUIET: Duration = Duration::from_millis(700);
/// The times of the past run much faster than the clock; over so long a stretch it shows.
const STRETCH: Duration = Duration::from_secs(1);
/// Older lines printed at most; they are held until the oldest is found.
pub(super) const MOST_STORED: u32 = 200_000;
/// The same where nothing is known to be broken: what is said may be older than the engine's
/// answer, and a busy machine takes its time to open a log.
const MORE_PATIENCE: Duration = Duration::from_secs(5);
/// An error that stands for so long was not a moment's: the first attempts have failed.
pub(super) const PATIENCE: Duration = Duration::from_millis(1500);

/// Where lines from before those that are held come from.
pub(super) struct Stored<'s> {
    pub(super) handle: &'s KeeperHandle,
    pub(super) service: &'s ServiceId,
    pub(super) query: &'s LogQuery,
    pub(super) past: &'s LogPast,
}

impl Stored<'_> {
    /// Whether all since a time is asked for, and that is before the oldest line held.
    pub(super) fn is_reached(&self) -> bool {
        self.query
            .since
            .is_some_and(|since| self.past.oldest.is_none_or(|oldest| since < oldest))
    }

    /// Lines that match, newest first, when they are asked for: all since a time, or more than
    /// are held.
    pub(super) async fn asked_for(&self, held: usize) -> Result<Vec<LogLine>, ErrorInfo> {
        let missing = match self.query.tail {
            Some(tail) => tail.saturating_sub(u32::try_from(held).unwrap_or(u32::MAX)),
            None if self.is_reached() => MOST_STORED,
            None => 0,
        };
        let mut older = Vec::new();
        if missing > 0 {
            let most = missing.min(MOST_STORED);
            self.search(most, |line| {
                older.push(line);
                true
            })
            .await?;
        }
        say_cut(older.len());
        Ok(older)
    }

    /// Hands on lines that match, newest first, for as long as more are wanted.
    pub(super) async fn search(
        &self,
        most: u32,
        mut take: impl FnMut(LogLine) -> bool,
    ) -> Result<(), ErrorInfo> {
        let query = LogQuery {
            tail: None,
            ..self.query.clone()
        };
        let before = Some(self.past.first);
        let mut search = self
            .handle
            .search_logs(self.service, &query, before, most)?;
        while let Some(batch) = search.next().await {
            for line in batch.lines {
                if !take(line) {
                    return Ok(());
                }
            }
            if let Some(error) = batch.error {
                eprintln!("forgekeeperctl: {}", printable(&error));
            }
        }
        Ok(())
    }
}

/// How the past of the log came in.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::commands) enum Backlog {
    /// All that the engine has, or as much as is held.
    Whole,
    /// Not, or not all of it; in the words of whoever failed.
    Failed(String),
}

/// Waits until the past of a log is held. Lines that are written meanwhile do not prolong it: their
/// times are of now, or run no faster than the clock (the engine's may be wrong).
pub(in crate::commands) async fn comes_in(reader: &LogReader, service: &ServiceState) -> Backlog {
    let patience = match broken(service) {
        Some(_) => PATIENCE,
        None => MORE_PATIENCE,
    };
    held(reader, patience).await
}

async fn held(reader: &LogReader, patience: Duration) -> Backlog {
    let begun = clock::now();
    let deadline = Instant::now() + FIRST_ROUND;
    let (mut seen, mut quiet_since) = (0, Instant::now());
    let (mut failing_since, mut connected) = (None, false);
    let mut pace = Pace::default();
    loop {
        let (meter, past, now) = (reader.meter(), reader.past(), Instant::now());
        if past.at_end {
            return Backlog::Whole;
        }
        let lines = meter.held.wrapping_add(meter.rotated);
        // A connection that took long has had no time to say anything yet.
        if lines != seen || meter.connected != connected {
            (seen, connected, quiet_since) = (lines, meter.connected, now);
        }
        if meter.connected {
            let live = meter
                .last_line_at
                .is_some_and(|at| at >= begun || pace.is_the_clocks(at, now));
            if live || now - quiet_since >= QUIET {
                return Backlog::Whole;
            }
        }
        match (&meter.error, meter.connected) {
            (Some(reason), false) => {
                let since = *failing_since.get_or_insert(now);
                if now - since >= patience {
                    return Backlog::Failed(reason.clone());
                }
            }
            _ => failing_since = None,
        }
        if now >= deadline {
            return Backlog::Failed("it did not come in time".to_owned());
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// How fast the times of the lines run.
#[derive(Debug, Default)]
struct Pace {
    from: Option<(Instant, Timestamp)>,
}

impl Pace {
    /// Whether the newest lines were written as they came, and not long before.
    fn is_the_clocks(&mut self, newest: Timestamp, now: Instant) -> bool {
        let (began, at) = *self.from.get_or_insert((now, newest));
        let waited = now - began;
        if waited < STRETCH {
            return false;
        }
        self.from = Some((now, newest));
        let ran = newest.duration_since(at);
        ran.as_secs_f64() <= waited.as_secs_f64() * 1.5
    }
}

/// Why nothing comes; a log that ended in order has been read.
pub(super) fn failing<'a>(meter: &'a LogMeter, past: &LogPast) -> Option<&'a str> {
    (!meter.connected && !past.at_end)
        .then_some(meter.error.as_deref())
        .flatten()
}

/// What keeps the log from being read, as far as the ladder tells.
fn broken(service: &ServiceState) -> Option<&Outcome> {
    let rungs = service.ladder.rungs.iter();
    rungs
        .filter(|r| r.rung <= Rung::Container)
        .map(|r| &r.outcome)
        .find(|outcome| outcome.status != Status::Ok)
}

/// A log that could not be read, with the broken rung below it as the reason.
pub(in crate::commands) fn why(service: &ServiceState, reason: &str) -> ErrorInfo {
    let cause = broken(service).and_then(|outcome| outcome.cause);
    let code = match cause {
        Some(Cause::ContainerMissing) => ErrorCode::ContainerMissing,
        // What was not read is not known, whatever kept it.
        _ => ErrorCode::Engine,
    };
    let cause = cause.map(|cause| format!(" ({cause})")).unwrap_or_default();
    ErrorInfo::new(
        code,
        format!(
            "the log of `{}` cannot be read: {reason}{cause}",
            service.id
        ),
    )
    .hint(format!(
        "`forgekeeperctl status {}` shows which rung is broken.",
        service.id
    ))
}

/// Says that more was found than is shown.
pub(super) fn say_cut(older: usize) {
    if older >= MOST_STORED as usize {
        eprintln!("forgekeeperctl: only the newest {MOST_STORED} of the older lines are shown");
    }
}

/// Says what was asked for and is not among the lines printed.
pub(super) fn say_not_held(query: &LogQuery, past: &LogPast, matched: usize) {
    let Some(oldest) = past.oldest.filter(|_| !past.whole) else {
        return;
    };
    let reaches_back = query.since.is_some_and(|since| since >= oldest);
    let enough = query.tail.is_some_and(|tail| matched >= tail as usize);
    if !reaches_back && !enough {
        eprintln!(
            "forgekeeperctl: only the newest {HELD_LINES} lines are held; there may be more \
             from before {oldest}"
        );
    }
}

#[cfg(test)]
mod tests {
    use forgekeeper_domain::logs::LogStream;
    use forgekeeper_keeper::logs::ServiceLog;

    use super::*;

    #[test]
    fn live_lines_are_told_from_the_past_by_their_pace() {
        let start = Instant::now();
        let at = |second: i64| Timestamp::from_second(second).expect("a time");
        let after = |millis: u64| start + Duration::from_millis(millis);
        // An hour of the past in two seconds, then a line every half second.
        let mut pace = Pace::default();
        assert!(!pace.is_the_clocks(at(0), after(0)));
        assert!(!pace.is_the_clocks(at(1800), after(1000)));
        assert!(!pace.is_the_clocks(at(3600), after(2000)));
        assert!(!pace.is_the_clocks(at(3600), after(2500)));
        assert!(pace.is_the_clocks(at(3601), after(3000)));
    }

    #[tokio::test]
    async fn what_comes_soon_after_a_slow_connection_is_waited_for() {
        let log = ServiceLog::new();
        let reader = log.read(&LogQuery::default()).expect("a reader");
        let speaks = async {
            tokio::time::sleep(QUIET + LOOK).await;
            log.connected();
            tokio::time::sleep(QUIET / 2).await;
            log.push(LogStream::Stdout, b"2025-10-11T10:34:00Z one\n");
        };
        let seen = async { (held(&reader, PATIENCE).await, reader.meter().held) };
        let (seen, ()) = tokio::join!(seen, speaks);
        assert_eq!(seen, (Backlog::Whole, 1));
    }

    #[tokio::test]
    async fn an_error_is_a_failure_when_it_stands() {
        let log = ServiceLog::new();
        log.disconnected("waiting");
        let reader = log.read(&LogQuery::default()).expect("a reader");
        let failed = held(&reader, LOOK).await;
        assert_eq!(failed, Backlog::Failed("waiting".to_owned()));
        let connects = async {
            tokio::time::sleep(4 * LOOK).await;
            log.connected();
        };
        let (seen, ()) = tokio::join!(held(&reader, PATIENCE), connects);
        assert_eq!(seen, Backlog::Whole);
    }

    #[test]
    fn a_log_at_its_end_is_no_failure() {
        let meter = |connected, error: Option<&str>| LogMeter {
            connected,
            error: error.map(str::to_owned),
            ..LogMeter::unopened()
        };
        let past = |at_end| LogPast {
            oldest: None,
            first: 0,
            whole: true,
            at_end,
        };
        assert_eq!(
            failing(&meter(false, Some("the log has ended")), &past(true)),
            None
        );
        assert_eq!(failing(&meter(true, None), &past(false)), None);
        let broken = meter(false, Some("no route"));
        assert_eq!(failing(&broken, &past(false)), Some("no route"));
    }
}
