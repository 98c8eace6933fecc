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
/// Longest wait while it breaks or cannot be opened.
const LONGEST_WAIT: Duration = Duration::from_secs(10);
/// Longest wait while it ends in order without a new line: the container does not run, and its
/// next start is announced by [`Renewal`].
const LONGEST_QUIET_WAIT: Duration = Duration::from_mins(1);
/// A stream that stays open for this long without a word is connected; that of a stopped
/// container ends before.
const SETTLED: Duration = Duration::from_millis(300);

/// Tells which run of the container a log belongs to, and when that may have changed.
pub trait Renewal: Send {
    /// Identifies the present run; differs from run to run.
    type Run: PartialEq + Send;

    /// The present run.
    fn run(&mut self) -> Self::Run;

    /// Ends when [`Renewal::run`] may say something else; never when it cannot any more.
    fn changed(&mut self) -> impl Future<Output = ()> + Send;
}

/// How a stream ended.
enum End<E> {
    Stopped,
    InOrder { news: bool },
    Broken { error: E, news: bool },
}

/// Feeds the log until `stop`. `open` gets the moment after which everything is needed (`None`:
/// as much as there is; it decides how much); it may send older entries again. Each entry has
/// the engine's timestamp at its head, without which a reopened log is read twice. A new run of
/// the container opens the log at once.
pub async fn follow<F, Fut, S, E, R>(
    log: ServiceLog,
    open: F,
    mut renewal: R,
    stop: CancellationToken,
) where
    F: Fn(Option<Timestamp>) -> Fut,
    Fut: Future<Output = Result<S, E>>,
    S: Stream<Item = Result<(LogStream, Bytes), E>>,
    E: Display,
    R: Renewal,
{
    let mut wait = FIRST_WAIT;
    loop {
        let run = renewal.run();
        let after = log.resume();
        let end = tokio::select! {
            biased;
            () = stop.cancelled() => End::Stopped,
            opened = open(after) => match opened {
                Ok(stream) => drain(&log, stream, &stop).await,
                Err(error) => End::Broken { error, news: false },
            },
        };
        let (news, longest) = match end {
            End::Stopped => {
                log.disconnected("the log is not followed any more");
                return;
            }
            End::InOrder { news } => {
                log.finish();
                log.disconnected("the log has ended");
                (news, LONGEST_QUIET_WAIT)
            }
            End::Broken { error, news } => {
                log.disconnected(error.to_string());
                (news, LONGEST_WAIT)
            }
        };
        if news {
            wait = FIRST_WAIT;
        }
        wait = wait.min(longest);
        tokio::select! {
            () = stop.cancelled() => return,
            () = sleep(wait) => wait = (wait * 2).min(longest),
            () = renewed(&mut renewal, &run) => wait = FIRST_WAIT,
        }
    }
}

/// Ends when the container runs anew; it may have done so while its log was being read.
async fn renewed<R: Renewal>(renewal: &mut R, run: &R::Run) {
    while renewal.run() == *run {
        renewal.changed().await;
    }
}

async fn drain<S, E>(log: &ServiceLog, stream: S, stop: &CancellationToken) -> End<E>
where
    S: Stream<Item = Result<(LogStream, Bytes), E>>,
{
    tokio::pin!(stream);
    let settled = Instant::now() + SETTLED;
    let (mut connected, mut news) = (false, false);
    loop {
        let due = log.due();
        tokio::select! {
            biased;
            () = stop.cancelled() => return End::Stopped,
            piece = stream.next() => match piece {
                None => return End::InOrder { news },
                Some(Err(error)) => return End::Broken { error, news },
                Some(Ok((source, bytes))) => {
                    // A reopened log first repeats what is held; that alone does not prove that
                    // anything lives.
                    if log.push(source, &bytes) {
                        news = true;
                        if !connected {
                            connected = true;
                            log.connected();
                        }
                        // The disk may be slower than the engine: then the engine waits.
                        log.room().await;
                    }
                }
            },
            () = sleep_until(settled), if !connected => {
                connected = true;
                log.connected();
            }
            () = sleep_until(due.settle.unwrap_or(settled)), if due.settle.is_some() => log.settle(),
            () = sleep_until(due.caught_up.unwrap_or(settled)), if due.caught_up.is_some() => {
                log.caught_up();
            }
            () = sleep_until(due.meter.unwrap_or(settled)), if due.meter.is_some() => {
                log.publish_meter();
            }
        }
    }
}
