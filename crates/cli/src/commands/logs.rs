//! `logs`: what is held and, with `--follow`, what comes.

use std::time::Duration;

use forgekeeper_domain::{
    Timestamp,
    error::{ErrorCode, ErrorInfo},
    logs::{LogBatch, LogLine, LogQuery},
};

use crate::{
    args::LogsArgs,
    exit,
    session::{FIRST_ROUND, Session},
    text::{print_json, print_line, printable},
};

/// Without `--follow`: so long after the last new line the tail is taken to be whole.
const QUIET: Duration = Duration::from_millis(700);

pub(super) async fn run(session: &Session, args: &LogsArgs, json: bool) -> Result<u8, ErrorInfo> {
    let since = args.since.as_deref().map(parse_since).transpose()?;
    let query = LogQuery {
        filter: args.filter.clone().unwrap_or_default(),
        regex: args.filter.is_some(),
        problems: args.problems,
        program: args.program.clone(),
        since,
        tail: None,
    };
    session.service(&args.service).await?;
    let handle = session.handle();
    // The expression is checked before anything is waited for.
    let mut reader = handle.logs(&args.service, &query)?;
    let mut held: Vec<LogLine> = Vec::new();
    let mut missed = 0_u32;
    let deadline = tokio::time::sleep(FIRST_ROUND);
    tokio::pin!(deadline);
    loop {
        tokio::select! {
            () = &mut deadline => break,
            batch = tokio::time::timeout(QUIET, reader.next()) => match batch {
                Ok(Some(batch)) => {
                    missed += batch.dropped;
                    held.extend(batch.lines);
                }
                Ok(None) => break,
                Err(_) => if connected(session, args) || !held.is_empty() { break },
            }
        }
    }
    let tail = args.tail.map_or(held.len(), |n| n as usize);
    for line in held.iter().skip(held.len().saturating_sub(tail)) {
        print(line, json);
    }
    say_missed(missed);
    if !args.follow {
        return Ok(if connected(session, args) || !held.is_empty() {
            exit::OK
        } else {
            exit::UNKNOWN
        });
    }
    loop {
        tokio::select! {
            batch = reader.next() => match batch {
                Some(LogBatch { lines, dropped, .. }) => {
                    say_missed(dropped);
                    for line in &lines { print(line, json) }
                }
                None => return Ok(exit::OK),
            },
            stop = tokio::signal::ctrl_c() => {
                if let Err(error) = stop {
                    tracing::warn!(%error, "interruption cannot be heard");
                }
                return Ok(exit::OK);
            }
        }
    }
}

fn connected(session: &Session, args: &LogsArgs) -> bool {
    let state = session.handle().state();
    let state = state.borrow();
    state
        .services
        .iter()
        .any(|s| s.id == args.service && s.log.connected)
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
    let now = forgekeeper_keeper::sys::clock::now().as_second();
    Timestamp::from_second(now - back).map_err(|_| wrong())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_and_times() {
        assert!(parse_since("2025-10-11T10:34:00Z").is_ok());
        let hour = parse_since("1h").expect("a span");
        let now = forgekeeper_keeper::sys::clock::now().as_second();
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
