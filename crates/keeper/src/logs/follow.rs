//! Following a log through breaks of its connection, without loss and without repetition.

use std::{fmt::Display, future::Future, time::Duration};

use bytes::Bytes;
use forgekeeper_domain::{Timestamp, logs::LogStream};
use futures_util::{Stream, StreamExt as _};
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;

use super::ServiceLog;

/// First wait before a log is opened again.
const FIRST_WAIT: Duration = Duration::from_millis(500);
/// Longest wait.
const LONGEST_WAIT: Duration = Duration::from_secs(10);
/// A stream that stays open for this long without a word is connected; that of a stopped
/// container ends before.
const SETTLED: Duration = Duration::from_millis(300);

/// How a stream ended.
enum End<E> {
    Stopped,
    InOrder { said_something: bool },
    Broken { error: E, said_something: bool },
}

/// Feeds the log until `stop`. `open` gets the moment after which everything is needed (`None`:
/// as much as there is; it decides how much); it may send older entries again. Each entry has
/// the engine's timestamp at its head, without which a reopened log is read twice.
pub async fn follow<F, Fut, S, E>(log: ServiceLog, open: F, stop: CancellationToken)
where
    F: Fn(Option<Timestamp>) -> Fut,
    Fut: Future<Output = Result<S, E>>,
    S: Stream<Item = Result<(LogStream, Bytes), E>>,
    E: Display,
{
    let mut wait = FIRST_WAIT;
    loop {
        let after = log.resume();
        let end = tokio::select! {
            biased;
            () = stop.cancelled() => End::Stopped,
            opened = open(after) => match opened {
                Ok(stream) => drain(&log, stream, &stop).await,
                Err(error) => End::Broken { error, said_something: false },
            },
        };
        let said_something = match end {
            End::Stopped => {
                log.disconnected("the log is not followed any more");
                return;
            }
            End::InOrder { said_something } => {
                log.finish();
                log.disconnected("the log has ended");
                said_something
            }
            End::Broken {
                error,
                said_something,
            } => {
                log.disconnected(error.to_string());
                said_something
            }
        };
        if said_something {
            wait = FIRST_WAIT;
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = sleep(wait) => {}
        }
        wait = (wait * 2).min(LONGEST_WAIT);
    }
}

async fn drain<S, E>(log: &ServiceLog, stream: S, stop: &CancellationToken) -> End<E>
where
    S: Stream<Item = Result<(LogStream, Bytes), E>>,
{
    tokio::pin!(stream);
    let settled = Instant::now() + SETTLED;
    let (mut connected, mut said_something) = (false, false);
    loop {
        let meter_due = log.meter_due();
        tokio::select! {
            biased;
            () = stop.cancelled() => return End::Stopped,
            piece = stream.next() => match piece {
                None => return End::InOrder { said_something },
                Some(Err(error)) => return End::Broken { error, said_something },
                Some(Ok((source, bytes))) => {
                    if !connected {
                        connected = true;
                        log.connected();
                    }
                    said_something = true;
                    log.push(source, &bytes);
                }
            },
            () = sleep_until(settled), if !connected => {
                connected = true;
                log.connected();
            }
            () = sleep_until(meter_due.unwrap_or(settled)), if meter_due.is_some() => {
                log.publish_meter();
            }
        }
    }
}
