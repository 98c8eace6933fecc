//! A container's log as the engine sends it: raw pieces with the engine's timestamps.

use bollard::{container::LogOutput, query_parameters::LogsOptions};
use bytes::Bytes;
use forgekeeper_domain::{Timestamp, logs::LogStream};
use futures_util::{
    StreamExt as _,
    future::ready,
    stream::{BoxStream, once},
};

use super::{
    engine::{Engine, connection_given_up, container_name},
    error::DockerError,
};

/// What of a log is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogOptions {
    /// Stay and wait for more.
    pub follow: bool,
    /// The newest so many lines; `None` is all.
    pub tail: Option<u32>,
    /// Only lines younger than this, to the nanosecond: where the last stream ended.
    pub after: Option<Timestamp>,
}

/// One entry of the log: the engine's timestamp, a blank, the text, usually a line end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RawLog {
    /// Which stream; `Console` for a TTY.
    pub stream: LogStream,
    /// The bytes.
    pub bytes: Bytes,
}

impl Engine {
    /// The log. Ends after the last line, or, with `follow`, when the container ends; ends with an
    /// error when the connection breaks or is given up.
    pub fn logs(
        &self,
        container: &str,
        options: LogOptions,
    ) -> BoxStream<'static, Result<RawLog, DockerError>> {
        let container = match container_name(container) {
            Ok(name) => name,
            Err(error) => return once(ready(Err(error))).boxed(),
        };
        let query = LogsOptions {
            follow: options.follow,
            stdout: true,
            stderr: true,
            // Whole seconds are all that bollard passes on; the rest is cut off below.
            since: options
                .after
                .map_or(0, |at| i32::try_from(at.as_second()).unwrap_or(0)),
            until: 0,
            timestamps: true,
            tail: options
                .tail
                .map_or_else(|| "all".to_owned(), |lines| lines.to_string()),
        };
        let given_up = self.given_up().clone();
        let at_end = given_up.clone();
        let mut seen = options.after;
        self.docker()
            .logs(container, Some(query))
            .filter_map(|piece| ready(read(piece).transpose()))
            .filter(move |piece| ready(is_new(&mut seen, piece.as_ref().ok())))
            .take_until(given_up.cancelled_owned())
            .chain(
                once(async move { at_end.is_cancelled() })
                    .filter_map(|lost| ready(lost.then(|| Err(connection_given_up())))),
            )
            .boxed()
    }
}

fn read(piece: Result<LogOutput, bollard::errors::Error>) -> Result<Option<RawLog>, DockerError> {
    let raw = |stream, bytes| Ok(Some(RawLog { stream, bytes }));
    match piece.map_err(|error| DockerError::from_bollard("logs", &error))? {
        LogOutput::StdOut { message } => raw(LogStream::Stdout, message),
        LogOutput::StdErr { message } => raw(LogStream::Stderr, message),
        LogOutput::Console { message } => raw(LogStream::Console, message),
        LogOutput::StdIn { .. } => Ok(None),
    }
}

/// Entries up to the moment asked for are repetitions; from the first younger one on all are new.
fn is_new(after: &mut Option<Timestamp>, piece: Option<&RawLog>) -> bool {
    let (Some(limit), Some(piece)) = (*after, piece) else {
        return true;
    };
    if timestamp(&piece.bytes).is_some_and(|at| at <= limit) {
        return false;
    }
    *after = None;
    true
}

/// The engine's timestamp at the head of an entry.
fn timestamp(bytes: &[u8]) -> Option<Timestamp> {
    let head = bytes.get(..bytes.len().min(40))?;
    let end = head
        .iter()
        .position(|byte| *byte == b' ')
        .unwrap_or(head.len());
    std::str::from_utf8(&head[..end])
        .ok()?
        .trim_end()
        .parse()
        .ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(text: &str) -> RawLog {
        RawLog {
            stream: LogStream::Stdout,
            bytes: Bytes::copy_from_slice(text.as_bytes()),
        }
    }

    #[test]
    fn a_resumed_log_neither_repeats_nor_loses_a_line() {
        let mut after = Some("2026-01-01T00:00:05.5Z".parse().expect("a time"));
        let kept: Vec<bool> = [
            "2026-01-01T00:00:05.100000000Z one\n",
            "2026-01-01T00:00:05.500000000Z two\n",
            "2026-01-01T00:00:05.500000001Z three\n",
            "2026-01-01T00:00:05.400000000Z clock went back\n",
        ]
        .iter()
        .map(|text| is_new(&mut after, Some(&entry(text))))
        .collect();
        assert_eq!(kept, [false, false, true, true]);
    }

    #[test]
    fn entries_without_a_timestamp_are_kept() {
        let mut after = Some(Timestamp::UNIX_EPOCH);
        assert!(is_new(&mut after, Some(&entry("no time here"))));
        assert_eq!(timestamp(b""), None);
        assert!(timestamp(b"2026-01-01T00:00:05.1Z").is_some());
    }
}
