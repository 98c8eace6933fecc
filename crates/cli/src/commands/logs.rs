//! `logs`: what is held and, with `--follow`, what comes.

use std::sync::Arc;

use forgekeeper_domain::{
    Timestamp,
    error::{ErrorCode, ErrorInfo},
    ids::ServiceId,
    logs::{LineFilter, LogBatch, LogLevel, LogLine, LogQuery, rules::RulesInForce},
};
use forgekeeper_keeper::{keeper::KeeperHandle, logs::LogReader, sys::clock};

use self::{
    context::{Backwards, Neighbours},
    past::{Backlog, MOST_STORED, PATIENCE, Stored},
    print::Printer,
};
use crate::{args::LogsArgs, exit, interrupt::Interrupt, session::Session, text::printable};

mod context;
mod groups;
mod known;
pub(super) mod past;
pub(super) mod print;

pub(super) async fn run(
    session: &Session,
    args: &LogsArgs,
    json: bool,
    mut interrupt: Interrupt,
) -> Result<u8, ErrorInfo> {
    let query = query(args)?;
    session.known(&args.service)?;
    // The expression is checked before anything is waited for.
    let handle = session.handle();
    let rules = handle.rules_in_force();
    let matching = LineFilter::compile(&what_matches(&query))?.knowing(&rules);
    super::rules::warn_of_problems(&handle.rules());
    let service = interrupt.unless(session.service(&args.service)).await?;
    let probe = handle.logs(&args.service, &query)?;
    let backlog = interrupt
        .unless(async { Ok(past::comes_in(&probe, &service).await) })
        .await?;
    if args.known {
        return match backlog {
            Backlog::Whole => Ok(known::print(&rules, &probe.meter().said, json)),
            Backlog::Failed(reason) => Err(past::why(&service, &reason)),
        };
    }
    let asked = match args.context {
        Some(_) => where_it_is(&query),
        None => query.clone(),
    };
    let mut reader = handle.logs(&args.service, &asked)?;
    let mut view = View::new(args, Printer::new(json, args.explain, rules), matching);
    if let Some(batch) = reader.next().await {
        let past = reader.past();
        let stored = Stored {
            handle: &handle,
            service: &args.service,
            query: &asked,
            past: &past,
        };
        let shown = view.past(&stored, batch, query.tail);
        let matches = interrupt.unless(shown).await?;
        past::say_not_held(&query, &past, matches);
    }
    let mut told = None;
    if let Backlog::Failed(reason) = backlog {
        let failure = past::why(&service, &reason);
        if !args.follow {
            return Err(failure);
        }
        eprintln!("forgekeeperctl: {}", printable(&failure.message));
        told = Some(reason);
    } else if !args.follow {
        return Ok(exit::OK);
    }
    let of = (&handle, &args.service);
    follow(of, reader, view, told, interrupt).await
}

/// Shows what comes until interrupted; `told` is what was said last about why nothing does.
async fn follow(
    (handle, service): (&KeeperHandle, &ServiceId),
    mut reader: LogReader,
    mut view: View,
    mut told: Option<String>,
    mut interrupt: Interrupt,
) -> Result<u8, ErrorInfo> {
    loop {
        tokio::select! {
            () = interrupt.asked() => return Ok(exit::OK),
            batch = tokio::time::timeout(PATIENCE, reader.next()) => match batch {
                Ok(Some(batch)) => {
                    view.obey(&handle.rules_in_force());
                    view.coming(batch);
                }
                Ok(None) => {
                    eprintln!("forgekeeperctl: `{service}` was taken out of the settings");
                    return Ok(exit::OK);
                }
                Err(_) => {}
            },
        }
        // It goes on by itself when it can; meanwhile silence would look like peace.
        let (meter, past) = (reader.meter(), reader.past());
        match past::failing(&meter, &past) {
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

/// How lines are shown.
enum View {
    /// Each as it is.
    Lines(Printer),
    /// Those that match, with those around them.
    Context {
        around: u8,
        matching: Box<LineFilter>,
        neighbours: Neighbours,
        printer: Printer,
    },
    /// How often each shape came.
    Groups { json: bool },
}

impl View {
    fn new(args: &LogsArgs, printer: Printer, matching: LineFilter) -> Self {
        match args.context {
            _ if args.group => Self::Groups {
                json: printer.is_json(),
            },
            None => Self::Lines(printer),
            Some(around) => Self::Context {
                around,
                matching: Box::new(matching),
                neighbours: Neighbours::new(around),
                printer,
            },
        }
    }

    /// Rules may change while a log is followed.
    fn obey(&mut self, rules: &Arc<RulesInForce>) {
        match self {
            Self::Lines(printer) => printer.obey(Arc::clone(rules)),
            Self::Context {
                matching, printer, ..
            } => {
                matching.obey(rules);
                printer.obey(Arc::clone(rules));
            }
            Self::Groups { .. } => {}
        }
    }

    /// Shows what is held and, where it is asked for, stored; tells how many lines matched.
    async fn past(
        &mut self,
        stored: &Stored<'_>,
        held: LogBatch,
        tail: Option<u32>,
    ) -> Result<usize, ErrorInfo> {
        let held = held.lines;
        match self {
            Self::Lines(printer) => {
                let older = stored.asked_for(held.len()).await?;
                for line in older.iter().rev().chain(&held) {
                    printer.line(line);
                }
                Ok(older.len() + held.len())
            }
            Self::Groups { json } => {
                let older = stored.asked_for(held.len()).await?;
                groups::print(held.iter().rev().chain(&older), *json);
                Ok(older.len() + held.len())
            }
            Self::Context {
                around,
                matching,
                neighbours,
                printer,
            } => {
                let back = backwards(stored, &held, matching, *around, tail).await?;
                let matches = back.matches();
                let (shown, onwards) = back.turn(held);
                *neighbours = onwards;
                for shown in &shown {
                    printer.shown(shown);
                }
                Ok(matches)
            }
        }
    }

    /// Shows what came.
    fn coming(&mut self, batch: LogBatch) {
        let missed = batch.dropped;
        if missed > 0 {
            eprintln!("forgekeeperctl: {missed} lines came faster than they could be read");
        }
        match self {
            Self::Lines(printer) => batch.lines.iter().for_each(|line| printer.line(line)),
            Self::Context {
                matching,
                neighbours,
                printer,
                ..
            } => {
                if missed > 0 {
                    neighbours.leave_out();
                }
                for line in batch.lines {
                    let matched = matching.matches(&line);
                    for shown in neighbours.take(line, matched) {
                        printer.shown(&shown);
                    }
                }
            }
            // They are not followed.
            Self::Groups { .. } => {}
        }
    }
}

/// The matches of the past with what is around them, read from its newest line on for as long as
/// anything is wanted.
async fn backwards(
    stored: &Stored<'_>,
    held: &[LogLine],
    matching: &LineFilter,
    around: u8,
    tail: Option<u32>,
) -> Result<Backwards, ErrorInfo> {
    let mut back = Backwards::new(around, tail);
    for line in held.iter().rev() {
        back.take(line.clone(), matching.matches(line));
    }
    if tail.is_none() && !stored.is_reached() {
        back.no_more_matches();
    }
    if back.is_done() {
        return Ok(back);
    }
    let before = back.kept();
    let most = MOST_STORED as usize;
    let take = |line: LogLine| {
        let matched = matching.matches(&line);
        back.take(line, matched);
        !back.is_done() && back.kept() - before < most
    };
    stored.search(u32::MAX, take).await?;
    past::say_cut(back.kept() - before);
    Ok(back)
}

/// What is asked for.
fn query(args: &LogsArgs) -> Result<LogQuery, ErrorInfo> {
    Ok(LogQuery {
        filter: args.filter.clone().unwrap_or_default(),
        regex: args.filter.is_some(),
        level: args.problems.then_some(LogLevel::Warning),
        program: args.program.clone(),
        since: args.since.as_deref().map(parse_since).transpose()?,
        until: args.until.as_deref().map(parse_since).transpose()?,
        tail: args.tail,
        mark: false,
    })
}

/// The part of a query that says which lines match.
fn what_matches(query: &LogQuery) -> LogQuery {
    LogQuery {
        filter: query.filter.clone(),
        regex: query.regex,
        level: query.level,
        ..LogQuery::default()
    }
}

/// The part of a query that says among which lines: those around a match are of the same program
/// and time.
fn where_it_is(query: &LogQuery) -> LogQuery {
    LogQuery {
        program: query.program.clone(),
        since: query.since,
        until: query.until,
        ..LogQuery::default()
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
}
