//! An answer as a file: one line of JSON that says what it is, then the body as it came.

use std::{
    io::{self, Write as _},
    path::Path,
    time::Duration,
};

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::super::http::{Cut, HttpAnswer, HttpError};
use crate::sys::files::{self, Draft};

/// Of which form the file is.
const FORM: u32 = 1;
/// Longest first line: two header values and a reason.
const MOST_HEAD_BYTES: usize = 32 * 1024;

/// The first line.
#[derive(Debug, Serialize, Deserialize)]
struct Head {
    form: u32,
    told: Told,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Told {
    /// The rest of the file is its body.
    Answer {
        status: u16,
        content_type: Option<String>,
        location: Option<String>,
        cut: Option<Cut>,
        took_ms: u64,
        ready_ms: u64,
        bytes: usize,
    },
    /// There was none.
    Failed(HttpError),
}

/// Writes an answer whole or not at all.
pub(super) fn write(path: &Path, told: &Result<HttpAnswer, HttpError>) -> io::Result<()> {
    let milliseconds = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    let (told, body) = match told {
        Ok(answer) => {
            let head = Told::Answer {
                status: answer.status,
                content_type: answer.content_type.clone(),
                location: answer.location.clone(),
                cut: answer.cut.clone(),
                took_ms: milliseconds(answer.took),
                ready_ms: milliseconds(answer.ready),
                bytes: answer.body.len(),
            };
            (head, answer.body.clone())
        }
        Err(error) => (Told::Failed(error.clone()), Bytes::new()),
    };
    let mut draft = Draft::begin(path)?;
    serde_json::to_writer(&mut draft, &Head { form: FORM, told })?;
    draft.write_all(b"\n")?;
    draft.write_all(&body)?;
    draft.finish()
}

/// Reads an answer with a body of at most `limit` bytes. Anybody may have changed the file.
pub(super) fn read(path: &Path, limit: usize) -> io::Result<Result<HttpAnswer, HttpError>> {
    let most = limit.saturating_add(MOST_HEAD_BYTES);
    let whole = files::read_limited(path, u64::try_from(most).unwrap_or(u64::MAX))?;
    parse(Bytes::from(whole), limit)
}

fn parse(whole: Bytes, limit: usize) -> io::Result<Result<HttpAnswer, HttpError>> {
    let odd = |what: &str| io::Error::new(io::ErrorKind::InvalidData, what.to_owned());
    let end = whole
        .iter()
        .take(MOST_HEAD_BYTES)
        .position(|byte| *byte == b'\n')
        .ok_or_else(|| odd("it has no first line"))?;
    let head: Head = serde_json::from_slice(&whole[..end])?;
    if head.form != FORM {
        return Err(odd("it is of another form"));
    }
    let body = whole.slice(end + 1..);
    match head.told {
        Told::Failed(error) => Ok(Err(error)),
        Told::Answer { bytes, .. } if bytes != body.len() => Err(odd("it is not whole")),
        Told::Answer { .. } if body.len() > limit => Err(odd("it is too large")),
        Told::Answer {
            status,
            content_type,
            location,
            cut,
            took_ms,
            ready_ms,
            ..
        } => Ok(Ok(HttpAnswer {
            status,
            content_type,
            location,
            challenge: None,
            body,
            cut,
            took: Duration::from_millis(took_ms),
            ready: Duration::from_millis(ready_ms),
        })),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(body: &'static [u8]) -> HttpAnswer {
        HttpAnswer {
            status: 200,
            content_type: Some("application/json".to_owned()),
            location: None,
            challenge: None,
            body: Bytes::from_static(body),
            cut: None,
            took: Duration::from_millis(1500),
            ready: Duration::from_millis(1200),
        }
    }

    #[test]
    fn what_was_written_is_read() {
        let dir = tempfile::tempdir().unwrap();
        let cut = HttpAnswer {
            cut: Some(Cut::TooLarge { limit: 4 }),
            ..answer(b"\n\n\x00\xff")
        };
        let broken = HttpAnswer {
            cut: Some(Cut::Broken {
                reason: "eof".to_owned(),
            }),
            ..answer(b"")
        };
        for (number, told) in [
            Ok(answer(b"{}")),
            Ok(cut),
            Ok(broken),
            Err(HttpError::Reset("eof".to_owned())),
            Err(HttpError::Refused("no".to_owned())),
            Err(HttpError::TimedOut { deadline_ms: 7 }),
            Err(HttpError::Dns {
                host: "h".to_owned(),
            }),
            Err(HttpError::Tls("t\n\"".to_owned())),
            Err(HttpError::Address("a".to_owned())),
        ]
        .into_iter()
        .enumerate()
        {
            let path = dir.path().join(number.to_string());
            write(&path, &told).unwrap();
            assert_eq!(read(&path, 4).unwrap(), told);
        }
        let long = dir.path().join("long");
        write(&long, &Ok(answer(b"12345"))).unwrap();
        assert!(read(&long, 4).is_err(), "larger than may be");
        let large = HttpAnswer {
            body: Bytes::from(vec![b'x'; 2 * MOST_HEAD_BYTES]),
            ..answer(b"")
        };
        write(&long, &Ok(large)).unwrap();
        let refused = read(&long, 4).unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::FileTooLarge);
    }

    #[test]
    fn what_is_half_or_hostile_is_no_answer() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a");
        write(&path, &Ok(answer(b"a picture"))).unwrap();
        let whole = std::fs::read(&path).unwrap();
        for length in 0..whole.len() {
            let half = Bytes::copy_from_slice(&whole[..length]);
            assert!(parse(half, 100).is_err(), "{length}");
        }
        let text = String::from_utf8(whole).unwrap();
        let long = format!("{}{text}", " ".repeat(MOST_HEAD_BYTES));
        for hostile in [
            "\n",
            "{}\n",
            "[]\nx",
            "{\"form\":1,\"told\":{\"answer\":{}}}\n",
            "{\"form\":1,\"told\":\"answer\"}\n",
            &text.replace("\"form\":1", "\"form\":2"),
            &text.replace("200", "99999999"),
            &text.replace("\"bytes\":9", "\"bytes\":-1"),
            &text.replace("\"bytes\":9", "\"bytes\":18446744073709551615"),
            &text.replace("\"took_ms\":1500", "\"took_ms\":1e99"),
            &format!("{text}and more"),
            &long,
        ] {
            let parsed = parse(Bytes::from(hostile.to_owned()), 100);
            assert!(parsed.is_err(), "{hostile:.80}");
        }
    }
}
