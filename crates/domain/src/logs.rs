//! Log lines: preparing raw bytes, guessing levels, filtering.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

pub mod events;
pub mod filter;
pub mod findings;
pub mod level;
mod prefilter;
pub mod prepare;
pub mod ring;
pub mod rules;
pub mod shape;
pub mod signature;
pub mod traceback;

pub use filter::{FilterError, LineFilter};

/// Which stream a line came from; no measure of its severity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
#[serde(rename_all = "snake_case")]
pub enum LogStream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
    /// A TTY: both in one.
    Console,
}

/// Severity as far as the words tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
#[serde(rename_all = "snake_case")]
pub enum LogLevel {
    /// The words do not tell.
    Unknown,
    /// Debugging.
    Debug,
    /// Normal life.
    Info,
    /// Worth a look.
    Warning,
    /// Something failed.
    Error,
    /// The program cannot go on.
    Fatal,
}

/// One prepared line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
pub struct LogLine {
    /// Counts up per service for as long as the application runs.
    pub seq: u32,
    /// The engine's timestamp.
    #[cfg_attr(feature = "specta", specta(type = Option<String>))]
    pub at: Option<Timestamp>,
    /// Which stream.
    pub stream: LogStream,
    /// Program of the image's log multiplexer, such as `forge`.
    pub program: Option<String>,
    /// Guessed severity.
    pub level: LogLevel,
    /// Text without control sequences, at most 64 KiB.
    pub text: String,
    /// Bytes that did not fit.
    pub cut_bytes: u32,
}

/// What of a log is asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
pub struct LogQuery {
    /// Text or regular expression; empty matches all.
    #[serde(default)]
    pub filter: String,
    /// Whether `filter` is a regular expression.
    #[serde(default)]
    pub regex: bool,
    /// Warnings and worse only.
    #[serde(default)]
    pub problems: bool,
    /// One program of the multiplexer only.
    #[serde(default)]
    pub program: Option<String>,
    /// Nothing older.
    #[serde(default)]
    #[cfg_attr(feature = "specta", specta(type = Option<String>))]
    pub since: Option<Timestamp>,
    /// The newest so many matching lines of what is held; `None` is all.
    #[serde(default)]
    pub tail: Option<u32>,
}

/// Lines for a reader, with the truth about what is not among them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
pub struct LogBatch {
    /// Matching lines, oldest first.
    pub lines: Vec<LogLine>,
    /// Lines held for this service at this moment.
    pub held: u32,
    /// Of these, how many match.
    pub matched: u32,
    /// Lines this reader was too slow for since the last batch.
    pub dropped: u32,
}

/// How alive a service's log is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
pub struct LogMeter {
    /// Whether the stream is connected.
    pub connected: bool,
    /// Lines held.
    pub held: u32,
    /// Lines dropped from the ring since the start, oldest first.
    pub rotated: u32,
    /// Time of the newest line.
    #[cfg_attr(feature = "specta", specta(type = Option<String>))]
    pub last_line_at: Option<Timestamp>,
    /// Programs seen in the multiplexer.
    pub programs: Vec<String>,
    /// Why it is not connected.
    pub error: Option<String>,
}
