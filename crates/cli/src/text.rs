//! Printing: words for people, lines of JSON for programs.

use std::io::Write as _;

use forgekeeper_domain::{error::ErrorInfo, outcome::Status};
use serde::Serialize;

/// Prints one document or one event as a line of JSON. A closed pipe ends quietly.
pub(crate) fn print_json<T: Serialize>(value: &T) {
    match serde_json::to_string(value) {
        Ok(line) => print_line(&line),
        Err(error) => eprintln!("forgekeeperctl: this could not be written as JSON: {error}"),
    }
}

/// Prints a line at once; whoever reads may have gone.
pub(crate) fn print_line(line: &str) {
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{line}").and_then(|()| out.flush());
}

/// Prints bytes as they are; whoever reads may have gone.
pub(crate) fn print_bytes(bytes: &[u8]) {
    let mut out = std::io::stdout().lock();
    let _ = out.write_all(bytes).and_then(|()| out.flush());
}

/// Prints an error: what happened, what to do, and the other side's words.
pub(crate) fn print_error(error: &ErrorInfo, json: bool) {
    if json {
        print_json(&serde_json::json!({ "error": error }));
    }
    eprintln!("forgekeeperctl: {}", printable(&error.message));
    if let Some(hint) = &error.hint {
        eprintln!("  {}", printable(hint));
    }
    if let Some(detail) = &error.detail {
        eprintln!("  detail: {}", printable(detail));
    }
}

/// Text from outside without control characters, so that it cannot steer a terminal.
pub(crate) fn printable(text: &str) -> String {
    text.chars()
        .map(|c| {
            if c.is_control() && c != '\t' && c != '\n' {
                '\u{fffd}'
            } else {
                c
            }
        })
        .collect()
}

/// A word for a status.
pub(crate) fn word(status: Status) -> &'static str {
    match status {
        Status::Ok => "ok",
        Status::Degraded => "degraded",
        Status::Failing => "FAILING",
        Status::Unknown => "unknown",
        Status::Asleep => "asleep",
        Status::NotConfigured => "-",
    }
}

/// Milliseconds as seconds with one digit.
pub(crate) fn seconds(ms: u32) -> String {
    format!("{:.1} s", f64::from(ms) / 1000.0)
}

/// Bytes in binary gigabytes, the way the cards are sold.
pub(crate) fn gibibytes(bytes: u64) -> String {
    format!("{:.1} GB", bytes as f64 / f64::from(1 << 30))
}

/// A value or the honest word for none.
pub(crate) fn or_not_available<T>(value: Option<T>, show: impl Fn(T) -> String) -> String {
    value.map_or_else(|| "not available".to_owned(), show)
}
