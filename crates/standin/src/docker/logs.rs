//! `/containers/{id}/logs`: tail, since, until, timestamps, follow, framing.

use std::collections::VecDeque;
use std::sync::Arc;

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use jiff::Timestamp;
use serde::Deserialize;
use tokio::sync::broadcast::error::{RecvError, TryRecvError};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

use super::container::Container;
use super::exec::frame;
use super::{Engine, routes};
use crate::faults::Fault;
use crate::logbook::{Entry, Stream};
use crate::reply;

#[derive(Debug, Default, Deserialize)]
pub(crate) struct LogsQuery {
    #[serde(default)]
    follow: Option<String>,
    #[serde(default)]
    stdout: Option<String>,
    #[serde(default)]
    stderr: Option<String>,
    #[serde(default)]
    since: Option<String>,
    #[serde(default)]
    until: Option<String>,
    #[serde(default)]
    timestamps: Option<String>,
    #[serde(default)]
    tail: Option<String>,
}

/// Docker's booleans: empty, 0, no, false and none are false.
pub(crate) fn truthy(value: Option<&String>) -> bool {
    value.is_some_and(|v| {
        !matches!(
            v.to_ascii_lowercase().as_str(),
            "" | "0" | "no" | "false" | "none"
        )
    })
}

/// Unix seconds with an optional fraction, or RFC 3339.
pub(crate) fn instant(text: Option<&String>) -> Option<Timestamp> {
    let text = text.filter(|t| !t.is_empty() && *t != "0")?;
    if let Ok(at) = text.parse::<Timestamp>() {
        return Some(at);
    }
    let (seconds, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let nanos: i32 = format!("{fraction:0<9}").get(..9)?.parse().ok()?;
    Timestamp::new(seconds.parse().ok()?, nanos).ok()
}

pub(crate) fn stamp(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%S.%9fZ").to_string()
}

struct Shape {
    out: bool,
    err: bool,
    stamps: bool,
    tty: bool,
    since: Option<Timestamp>,
    until: Option<Timestamp>,
}

impl Shape {
    fn takes(&self, entry: &Entry) -> bool {
        let stream = self.tty
            || if entry.stream == Stream::Err {
                self.err
            } else {
                self.out
            };
        entry.shown
            && stream
            && self.since.is_none_or(|since| entry.at >= since)
            && self.until.is_none_or(|until| entry.at <= until)
    }

    fn bytes(&self, entry: &Entry) -> Bytes {
        let mut line = Vec::with_capacity(entry.bytes.len() + 40);
        if self.stamps {
            line.extend_from_slice(stamp(entry.at).as_bytes());
            line.push(b' ');
        }
        line.extend_from_slice(&entry.bytes);
        if self.tty {
            // A terminal turns line feeds into carriage return and line feed.
            line.pop();
            line.extend_from_slice(b"\r\n");
            line.into()
        } else {
            frame(entry.stream, &line)
        }
    }
}

pub(crate) fn answer(
    engine: &Arc<Engine>,
    container: &Arc<Container>,
    query: &LogsQuery,
) -> Response {
    let shape = Shape {
        out: truthy(query.stdout.as_ref()),
        err: truthy(query.stderr.as_ref()),
        stamps: truthy(query.timestamps.as_ref()),
        tty: container.spec.tty,
        since: instant(query.since.as_ref()),
        until: instant(query.until.as_ref()),
    };
    if !shape.out && !shape.err {
        return routes::refuse(400, "Bad parameters: you must choose at least one stream");
    }
    let follow = truthy(query.follow.as_ref()) && container.running();
    let (entries, mut rest) = container.spec.log.open();
    let mut ends = container.ends.subscribe();
    ends.mark_unchanged();
    let mut old: Vec<Entry> = entries.into_iter().filter(|e| shape.takes(e)).collect();
    if let Some(count) = query.tail.as_ref().and_then(|t| t.parse::<usize>().ok()) {
        old.drain(..old.len().saturating_sub(count));
    }
    let kind = if shape.tty {
        "application/vnd.docker.raw-stream"
    } else {
        "application/vnd.docker.multiplexed-stream"
    };
    let (send, pieces) = mpsc::channel::<Result<Bytes, std::io::Error>>(64);
    let faults = engine.faults.clone();
    let log = Arc::clone(&container.spec.log);
    let engine_ = Arc::clone(engine);
    engine.tasks.spawn(async move {
        let _here = follow.then(|| engine_.follower());
        let mut last = None;
        let mut ready = VecDeque::from(old);
        let mut over = !follow;
        loop {
            for entry in ready.drain(..) {
                let late = last.is_none_or(|n| entry.number > n);
                last = Some(entry.number);
                if late {
                    faults.wait_gone(Fault::EngineHung).await;
                    if send.send(Ok(shape.bytes(&entry))).await.is_err() {
                        return;
                    }
                }
            }
            // What was written before the run ended is still delivered.
            let got = if over {
                match rest.try_recv() {
                    Ok(entry) if follow => Ok(entry),
                    Err(TryRecvError::Lagged(n)) if follow => Err(RecvError::Lagged(n)),
                    _ => return,
                }
            } else {
                tokio::select! {
                    biased;
                    got = rest.recv() => got,
                    _ = ends.changed() => { over = true; continue; }
                    () = send.closed() => return,
                }
            };
            match got {
                Ok(entry) if shape.takes(&entry) => ready.push_back(entry),
                Ok(_) => {}
                // A slow reader gets what it missed out of the kept lines.
                Err(RecvError::Lagged(_)) => {
                    let (kept, again) = log.open();
                    rest = again;
                    let missed = |e: &Entry| last.is_none_or(|n| e.number > n) && shape.takes(e);
                    ready.extend(kept.into_iter().filter(missed));
                }
                Err(RecvError::Closed) => return,
            }
        }
    });
    reply::typed(200, kind, Body::from_stream(ReceiverStream::new(pieces)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_in_all_their_forms() {
        let some = |t: &str| instant(Some(&t.to_owned()));
        assert_eq!(some("1700000000").unwrap().as_second(), 1_700_000_000);
        assert_eq!(
            some("1700000000.5").unwrap().as_millisecond(),
            1_700_000_000_500
        );
        assert_eq!(
            some("2023-11-14T22:13:20Z").unwrap().as_second(),
            1_700_000_000
        );
        assert!(some("0").is_none() && some("").is_none() && some("x").is_none());
    }
}
