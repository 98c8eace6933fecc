//! `logs`: what is held and, with `--follow`, what comes.

use std::time::Duration;

use forgekeeper_domain::{
    Timestamp,
    cause::Cause,
    error::{ErrorCode, ErrorInfo},
    ids::ServiceId,
    ladder::Rung,
    logs::{LineFilter, LogBatch, LogLine, LogMeter, LogQuery, Marker},
    outcome::Status,
};
use forgekeeper_keeper::{
    keeper::KeeperHandle,
    logs::{HELD_LINES, LogPast, LogReader},
    state::ServiceState,
    sys::clock,
};
use tokio::time::Instant;

use crate::{
    args::LogsArgs,
    exit,
    interrupt::Interrupt,
    session::{FIRST_ROUND, Session},
    text::{print_json, print_line, printable},
};

/// Looks at the log while its past comes in.
const LOOK: Duration = Duration::from_millis(50);
/// So long after the last new line the past is taken to be whole.
const QUIET: Duration = Duration::from_millis(700);
/// The times of the past run much faster than the clock; over so long a stretch it shows.
const STRETCH: Duration = Duration::from_secs(1);
/// Older lines printed at most; they are held until the oldest is found.
const MOST_STORED: u32 = 200_000;
/// An error that stands for so long was not a moment's: the first attempts have failed.
const PATIENCE: Duration = Duration::from_millis(1500);

pub(super) async fn run(
    session: &Session,
    args: &LogsArgs,
    json: bool,
    mut interrupt: Interrupt,
) -> Result<u8, ErrorInfo> {
    let query = LogQuery {
        filter: args.filter.clone().unwrap_or_default(),
        regex: args.filter.is_some(),
        problems: args.problems,
        program: args.program.clone(),
        since: args.since.as_deref().map(parse_since).transpose()?,
        until: args.until.as_deref().map(parse_since).transpose()?,
        tail: args.tail,
    };
    session.known(&args.service)?;
    // The expression is checked before anything is waited for.
    LineFilter::compile(&query)?;
    let service = interrupt.unless(session.service(&args.service)).await?;
    let handle = session.handle();
    let probe = handle.logs(&args.service, &query)?;
    let backlog = interrupt
        .unless(async { Ok(past_comes_in(&probe).await) })
        .await?;
    let mut reader = handle.logs(&args.service, &query)?;
    if let Some(batch) = reader.next().await {
        let past = reader.past();
        let older = interrupt
            .unless(stored(&handle, &args.service, &query, &past, &batch))
            .await?;
        for line in older.iter().rev().chain(&batch.lines) {
            print(line, json);
        }
        say_not_held(&query, &past, older.len() + batch.lines.len());
    }
    let mut told = None;
    if let Backlog::Failed(reason) = backlog {
        let failure = why(&service, &reason);
        if !args.follow {
            return Err(failure);
        }
        eprintln!("forgekeeperctl: {}", printable(&failure.message));
        told = Some(reason);
    } else if !args.follow {
        return Ok(exit::OK);
    }
    loop {
        tokio::select! {
            () = interrupt.asked() => return Ok(exit::OK),
            batch = tokio::time::timeout(PATIENCE, reader.next()) => match batch {
                Ok(Some(batch)) => {
                    say_missed(batch.dropped);
                    for line in &batch.lines { print(line, json) }
                }
                Ok(None) => {
                    eprintln!("forgekeeperctl: `{}` was taken out of the settings", args.service);
                    return Ok(exit::OK);
                }
                Err(_) => {}
            },
        }
        // It goes on by itself when it can; meanwhile silence would look like peace.
        let (meter, past) = (reader.meter(), reader.past());
        match failing(&meter, &past) {
            None => told = None,
            Some(reason) => {
                if told.as_deref() != Some(reason) {
                    told = Some(reason.to_owned());
                    eprintln!("forgekeeperctl: waiting for the log: {}", printable(reason));
                }
            }
        }
    }
}

/// Lines from before those that are held, newest first, when they are asked for: all since a time,
/// or more than are held.
async fn stored(
    handle: &KeeperHandle,
    service: &ServiceId,
    query: &LogQuery,
    past: &LogPast,
    held: &LogBatch,
) -> Result<Vec<LogLine>, ErrorInfo> {
    let reaches_back = query
        .since
        .is_some_and(|since| past.oldest.is_none_or(|oldest| since < oldest));
    let missing = match query.tail {
        Some(tail) => tail.saturating_sub(u32::try_from(held.lines.len()).unwrap_or(u32::MAX)),
        None if reaches_back => MOST_STORED,
        None => 0,
    };
    let mut older = Vec::new();
    if missing == 0 {
        return Ok(older);
    }
    let mut search = handle.search_logs(
        service,
        &LogQuery {
            tail: None,
            ..query.clone()
        },
        Some(past.first),
        missing.min(MOST_STORED),
    )?;
    while let Some(batch) = search.next().await {
        older.extend(batch.lines);
        if let Some(error) = batch.error {
            eprintln!("forgekeeperctl: {}", printable(&error));
        }
    }
    if older.len() == MOST_STORED as usize {
        eprintln!("forgekeeperctl: only the newest {MOST_STORED} of the older lines are shown");
    }
    Ok(older)
}

/// How the past of the log came in.
#[derive(Debug, PartialEq, Eq)]
enum Backlog {
    /// All that the engine has, or as much as is held.
    Whole,
    /// Not, or not all of it; in the words of whoever failed.
    Failed(String),
}

/// Waits until the past of a log is held. Lines that are written meanwhile do not prolong it: their
/// times are of now, or run no faster than the clock (the engine's may be wrong).
async fn past_comes_in(reader: &LogReader) -> Backlog {
    let begun = clock::now();
    let deadline = Instant::now() + FIRST_ROUND;
    let (mut seen, mut quiet_since) = (0, Instant::now());
    let mut failing_since = None;
    let mut pace = Pace::default();
    loop {
        let (meter, past, now) = (reader.meter(), reader.past(), Instant::now());
        if past.at_end {
            return Backlog::Whole;
        }
        let lines = meter.held.wrapping_add(meter.rotated);
        if lines != seen {
            (seen, quiet_since) = (lines, now);
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
                if now - since >= PATIENCE {
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
fn failing<'a>(meter: &'a LogMeter, past: &LogPast) -> Option<&'a str> {
    (!meter.connected && !past.at_end)
        .then_some(meter.error.as_deref())
        .flatten()
}

/// A log that could not be read, with the broken rung below it as the reason.
fn why(service: &ServiceState, reason: &str) -> ErrorInfo {
    let broken = service
        .ladder
        .rungs
        .iter()
        .find(|r| r.rung <= Rung::Container && r.outcome.status != Status::Ok);
    let cause = broken.and_then(|r| r.outcome.cause);
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

/// Says what was asked for and is not among the lines printed.
fn say_not_held(query: &LogQuery, past: &LogPast, printed: usize) {
    let Some(oldest) = past.oldest.filter(|_| !past.whole) else {
        return;
    };
    let reaches_back = query.since.is_some_and(|since| since >= oldest);
    let enough = query.tail.is_some_and(|tail| printed >= tail as usize);
    if !reaches_back && !enough {
        eprintln!(
            "forgekeeperctl: only the newest {HELD_LINES} lines are held; there may be more \
             from before {oldest}"
        );
    }
}

fn say_missed(lines: u32) {
    if lines > 0 {
        eprintln!("forgekeeperctl: {lines} lines came faster than they could be read");
    }
}

fn print(line: &LogLine, json: bool) {
    if json {
        print_json(line);
        return;
    }
    let at = line.at.map_or_else(|| "-".to_owned(), |at| at.to_string());
    if let Some(marker) = &line.marker {
        print_line(&format!("{at} --- {} ---", in_words(marker)));
        return;
    }
    let program = line
        .program
        .as_deref()
        .map(|p| format!("[{p}] "))
        .unwrap_or_default();
    let cut = if line.cut_bytes > 0 {
        format!(" … {} bytes cut", line.cut_bytes)
    } else {
        String::new()
    };
    print_line(&format!(
        "{at} {}{}{cut}",
        printable(&program),
        printable(&line.text)
    ));
}

fn in_words(marker: &Marker) -> String {
    match marker {
        Marker::Started { container } => format!("container {} started", printable(container)),
        Marker::Stopped {
            exit_code: Some(code),
        } => format!("container ended, exit code {code}"),
        Marker::Stopped { exit_code: None } => "container ended".to_owned(),
        Marker::Recreated {
            container,
            other_image,
        } => {
            let image = match other_image {
                Some(true) => ", from another image",
                Some(false) => ", from the same image",
                None => "",
            };
            format!("another container: {}{image}", printable(container))
        }
        Marker::Replayed { lines } => format!("{lines} old lines were sent again"),
        Marker::Lost { lines } => format!("{lines} lines could not be stored"),
    }
}

/// A time, or a span back from now.
fn parse_since(text: &str) -> Result<Timestamp, ErrorInfo> {
    if let Ok(at) = text.parse::<Timestamp>() {
        return Ok(at);
    }
    let wrong = || {
        ErrorInfo::new(
            ErrorCode::BadRequest,
            format!("`{text}` is neither a time nor a span"),
        )
        .hint("Write a time such as 2025-10-11T10:34:00Z, or a span such as 90s, 15m, 2h, 1d.")
    };
    let unit = text.chars().last().ok_or_else(wrong)?;
    let seconds = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3600,
        'd' => 86_400,
        _ => return Err(wrong()),
    };
    let count: i64 = text[..text.len() - 1].parse().map_err(|_| wrong())?;
    let back = count
        .checked_mul(seconds)
        .filter(|s| *s >= 0)
        .ok_or_else(wrong)?;
    let now = clock::now().as_second();
    Timestamp::from_second(now - back).map_err(|_| wrong())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_and_times() {
        assert!(parse_since("2025-10-11T10:34:00Z").is_ok());
        let hour = parse_since("1h").expect("a span");
        let now = clock::now().as_second();
        assert!((now - hour.as_second() - 3600).abs() <= 1);
        for wrong in [
            "",
            "yesterday",
            "-5m",
            "5x",
            "h",
            "99999999999999999999d",
            "é",
        ] {
            let error = parse_since(wrong).expect_err(wrong);
            assert_eq!(error.code, ErrorCode::BadRequest);
        }
    }

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
