//! Log lines: preparing raw bytes, guessing levels, filtering.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

pub mod delay;
pub mod events;
pub mod filter;
pub mod findings;
pub mod groups;
pub mod level;
mod meter;
pub mod overlap;
mod prefilter;
pub mod prepare;
pub mod replay;
pub mod ring;
pub mod rules;
pub mod saved;
pub mod shape;
pub mod signature;
pub mod traceback;

pub use events::TracePart;
pub use filter::{FilterError, LineFilter};
pub use meter::{DeviceLine, LogMeter, LogSource, Storage, StoredLog};

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
    /// None: read from the program's log file inside the container, because the stream stood still.
    /// Its time is that of the reading.
    File,
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
    /// Its number in the timeline of its service.
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
    /// Colours that the program gave to parts of the text.
    pub spans: Vec<prepare::Span>,
    /// Bytes that did not fit.
    pub cut_bytes: u32,
    /// Id of the signature that names it.
    pub signature: Option<String>,
    /// Its part in a Python traceback.
    pub trace: Option<TracePart>,
    /// Something that happened to the log or its container, told between the lines; the text is
    /// empty then.
    pub marker: Option<Marker>,
}

/// What happened between two lines of a service's timeline.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
#[serde(rename_all = "snake_case")]
pub enum Marker {
    /// The container was started.
    Started {
        /// Its id, shortened.
        container: String,
    },
    /// The container ended.
    Stopped {
        /// Exit code, when the engine told one.
        exit_code: Option<i32>,
    },
    /// Another container took its place.
    Recreated {
        /// Id of the new one, shortened.
        container: String,
        /// Whether it was made from another image, when that is known.
        other_image: Option<bool>,
    },
    /// Old lines were sent again by the image's log multiplexer, and folded.
    Replayed {
        /// How many.
        lines: u32,
    },
    /// Lines that could not be stored.
    Lost {
        /// How many.
        lines: u32,
    },
    /// From here on the lines come from elsewhere.
    Source {
        /// The file inside the container that is read while the stream stands still; `None` when
        /// the stream speaks again.
        file: Option<String>,
    },
}

impl fmt::Display for Marker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Marker::Started { container } => write!(f, "container {container} started"),
            Marker::Stopped {
                exit_code: Some(code),
            } => write!(f, "container ended, exit code {code}"),
            Marker::Stopped { exit_code: None } => write!(f, "container ended"),
            Marker::Recreated {
                container,
                other_image,
            } => {
                let image = match other_image {
                    Some(true) => ", from another image",
                    Some(false) => ", from the same image",
                    None => "",
                };
                write!(f, "another container: {container}{image}")
            }
            Marker::Replayed { lines } => write!(f, "{lines} old lines were sent again"),
            Marker::Lost { lines } => write!(f, "{lines} lines could not be stored"),
            Marker::Source { file: Some(path) } => write!(
                f,
                "the log stands still; from here on read from {path} in the container"
            ),
            Marker::Source { file: None } => {
                f.write_str("from here on from the container's log again")
            }
        }
    }
}

impl Marker {
    /// The line that tells it.
    pub fn between_lines(self, at: Timestamp) -> LogLine {
        let level = match &self {
            Marker::Stopped {
                exit_code: Some(code),
            } if *code != 0 => LogLevel::Warning,
            Marker::Lost { .. } | Marker::Source { file: Some(_) } => LogLevel::Warning,
            _ => LogLevel::Info,
        };
        LogLine {
            seq: 0,
            at: Some(at),
            stream: LogStream::Console,
            program: None,
            level,
            text: String::new(),
            spans: Vec::new(),
            cut_bytes: 0,
            signature: None,
            trace: None,
            marker: Some(self),
        }
    }
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
    /// Only lines whose words, or whose known message, are at least so grave.
    #[serde(default)]
    pub level: Option<LogLevel>,
    /// One program of the multiplexer only.
    #[serde(default)]
    pub program: Option<String>,
    /// Nothing older.
    #[serde(default)]
    #[cfg_attr(feature = "specta", specta(type = Option<String>))]
    pub since: Option<Timestamp>,
    /// Nothing younger.
    #[serde(default)]
    #[cfg_attr(feature = "specta", specta(type = Option<String>))]
    pub until: Option<Timestamp>,
    /// The newest so many matching lines of what is held; `None` is all.
    #[serde(default)]
    pub tail: Option<u32>,
    /// Lines that do not match `filter` are handed on too; those that do are named apart.
    #[serde(default)]
    pub mark: bool,
}

/// Lines for a reader, with the truth about what is not among them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
pub struct LogBatch {
    /// Matching lines, oldest first.
    pub lines: Vec<LogLine>,
    /// Where the query only marks: the numbers of those lines that match the filter.
    pub hits: Vec<u32>,
    /// Lines held for this service at this moment.
    pub held: u32,
    /// Of these, how many match.
    pub matched: u32,
    /// Lines this reader was too slow for since the last batch.
    pub dropped: u32,
}

/// What one round of a search through a stored log found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
pub struct LogSearchBatch {
    /// Matching lines, newest first.
    pub lines: Vec<LogLine>,
    /// Where the query only marks: the numbers of those lines that match the filter.
    pub hits: Vec<u32>,
    /// Lines looked at so far.
    pub looked: u32,
    /// Lines to look at in all.
    pub all: u32,
    /// How far back it has come.
    #[cfg_attr(feature = "specta", specta(type = Option<String>))]
    pub back_to: Option<Timestamp>,
    /// Nothing more comes; with fewer looked at than there are, enough was found.
    pub done: bool,
    /// Why it ended early.
    pub error: Option<String>,
}

/// What counting a log by the shapes of its lines has found so far.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
pub struct LogGroupBatch {
    /// The most frequent shapes so far, at most 1 000.
    pub groups: Vec<groups::Group>,
    /// Lines of further shapes.
    pub others: u32,
    /// Lines looked at so far, whether they match or not.
    pub looked: u32,
    /// Lines to look at in all.
    pub all: u32,
    /// How far back it has come.
    #[cfg_attr(feature = "specta", specta(type = Option<String>))]
    pub back_to: Option<Timestamp>,
    /// Nothing more comes.
    pub done: bool,
    /// Why it ended early.
    pub error: Option<String>,
}
