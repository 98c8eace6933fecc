//! A log as a file that people and programs read.

use std::{borrow::Cow, fmt};

use jiff::civil::DateTime;
use serde::{Deserialize, Serialize};

use super::{LogLevel, LogLine};
use crate::ids::ServiceId;

/// Most services that a file is named after.
const MOST_NAMED: usize = 3;
/// Longest part of a file's name that names services, in bytes.
const LONGEST_NAMES: usize = 100;

/// How lines are written to a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
#[serde(rename_all = "snake_case")]
pub enum SaveFormat {
    /// Plain text, one line each: `TIME [service] program LEVEL text`.
    Log,
    /// One JSON object on each line: the line's fields and its `service`.
    Jsonl,
}

impl SaveFormat {
    /// Ending of such a file, without its dot.
    pub fn extension(self) -> &'static str {
        match self {
            SaveFormat::Log => "log",
            SaveFormat::Jsonl => "jsonl",
        }
    }
}

/// A name for a file of these services' logs, saved at this time of the day.
pub fn file_name<'s>(
    services: impl IntoIterator<Item = &'s ServiceId>,
    at: DateTime,
    format: SaveFormat,
) -> String {
    let ids: Vec<&str> = services.into_iter().map(ServiceId::as_str).collect();
    let mut names = ids.join("-");
    if ids.len() > MOST_NAMED || names.len() > LONGEST_NAMES {
        "logs".clone_into(&mut names);
    }
    // No colon: Windows takes none.
    let at = at.strftime("%Y-%m-%dT%H%M");
    format!("{names}-{at}.{}", format.extension())
}

/// A log that is being saved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
pub struct SavingLog {
    /// Closing the reader of this number ends it, and leaves no file behind.
    pub id: u32,
    /// Lines looked at, whether they match or not.
    pub looked: u32,
    /// Lines to look at in all.
    pub all: u32,
}

/// A log that was saved.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
pub struct SavedLog {
    /// The file.
    pub path: String,
    /// Lines in it.
    pub lines: u32,
    /// Its length.
    #[cfg_attr(feature = "specta", specta(type = f64))]
    pub bytes: u64,
}

/// A line and whose it is.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct OfService<'l> {
    /// The service.
    pub service: &'l ServiceId,
    /// Its line; its fields stand beside the service.
    #[serde(flatten)]
    pub line: &'l LogLine,
}

impl fmt::Display for OfService<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { service, line } = self;
        match line.at {
            Some(at) => write!(f, "{at:.3} [{service}] ")?,
            None => write!(f, "- [{service}] ")?,
        }
        if let Some(marker) = &line.marker {
            return write!(f, "--- {} ---", in_one(&marker.to_string()));
        }
        let program = in_one(line.program.as_deref().unwrap_or("-"));
        let (level, text) = (level(line.level), in_one(&line.text));
        write!(f, "{program} {level} {text}")?;
        if line.cut_bytes > 0 {
            write!(f, " … {} bytes cut", line.cut_bytes)?;
        }
        Ok(())
    }
}

/// A reader counts on one line each.
fn in_one(text: &str) -> Cow<'_, str> {
    if text.contains(['\n', '\r']) {
        Cow::Owned(text.replace(['\n', '\r'], " "))
    } else {
        Cow::Borrowed(text)
    }
}

fn level(level: LogLevel) -> &'static str {
    match level {
        LogLevel::Unknown => "-",
        LogLevel::Debug => "DEBUG",
        LogLevel::Info => "INFO",
        LogLevel::Warning => "WARNING",
        LogLevel::Error => "ERROR",
        LogLevel::Fatal => "FATAL",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        Timestamp,
        logs::{LogStream, Marker},
    };

    fn line() -> LogLine {
        LogLine {
            seq: 7,
            at: "2026-11-23T10:00:00.25Z".parse().ok(),
            stream: LogStream::Stderr,
            program: Some("forge".to_owned()),
            level: LogLevel::Warning,
            text: "été \"a\"\tb".to_owned(),
            spans: Vec::new(),
            cut_bytes: 0,
            signature: None,
            trace: None,
            marker: None,
        }
    }

    #[test]
    fn a_file_is_named_after_its_services_and_the_time() {
        let at = jiff::civil::date(2026, 11, 27).at(10, 5, 9, 0);
        let long = "x".repeat(60);
        for (services, expected) in [
            (&["myia"][..], "myia-2026-11-27T1005.log"),
            (
                &["myia", "myia-turbo"],
                "myia-myia-turbo-2026-11-27T1005.log",
            ),
            (&["a", "b", "c", "d"], "logs-2026-11-27T1005.log"),
            (&[&long, &long], "logs-2026-11-27T1005.log"),
        ] {
            let services: Vec<ServiceId> = services
                .iter()
                .map(|id| ServiceId::new(*id).unwrap())
                .collect();
            assert_eq!(file_name(&services, at, SaveFormat::Log), expected);
        }
    }

    #[test]
    fn a_line_is_one_line_of_the_file() {
        let service = ServiceId::new("myia").unwrap();
        let stopped = Marker::Stopped { exit_code: Some(1) };
        for (line, expected) in [
            (
                line(),
                "2026-11-23T10:00:00.250Z [myia] forge WARNING été \"a\"\tb",
            ),
            (
                LogLine {
                    at: None,
                    program: None,
                    level: LogLevel::Unknown,
                    text: "a\nb\rc".to_owned(),
                    cut_bytes: 9,
                    ..line()
                },
                "- [myia] - - a b c … 9 bytes cut",
            ),
            (
                stopped.between_lines(Timestamp::UNIX_EPOCH),
                "1970-01-01T00:00:00.000Z [myia] --- container ended, exit code 1 ---",
            ),
        ] {
            let written = OfService {
                service: &service,
                line: &line,
            };
            assert_eq!(written.to_string(), expected);
            let json = serde_json::to_string(&written).unwrap();
            assert!(!json.contains('\n'), "{json}");
            let mut object: serde_json::Value = serde_json::from_str(&json).unwrap();
            assert_eq!(object["service"], "myia");
            object.as_object_mut().unwrap().remove("service");
            assert_eq!(object, serde_json::to_value(&line).unwrap());
        }
    }
}
