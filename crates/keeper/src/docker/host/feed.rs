//! The engine's announcements, opened again when the engine refuses them.

use std::time::Duration;

use futures_util::{StreamExt as _, stream::BoxStream};
use tokio::time::Instant;

use crate::docker::{engine::Engine, error::DockerError, events::EngineEvent};

/// What comes from the feed.
pub(super) enum Fed {
    /// Something happened to a container.
    Event(EngineEvent),
    /// The engine answers, and refuses to announce anything: asked again after a while.
    Refused(DockerError),
    /// The stream broke; the connection may be gone.
    Broken(DockerError),
}

/// The announcements of one connection.
pub(super) struct Feed {
    engine: Engine,
    stream: Option<BoxStream<'static, Result<EngineEvent, DockerError>>>,
    /// When it was opened last.
    opened: Instant,
    /// When it is opened next, while it is not.
    next: Instant,
    pause: Duration,
    longest: Duration,
}

impl Feed {
    /// A feed that is opened when it is first waited for; `first` and `longest` are the pauses
    /// after a refusal.
    pub(super) fn new(engine: Engine, first: Duration, longest: Duration) -> Self {
        let now = Instant::now();
        Self {
            engine,
            stream: None,
            opened: now,
            next: now,
            pause: first,
            longest,
        }
    }

    /// The next news. May be dropped and called again at any time.
    pub(super) async fn next(&mut self) -> Fed {
        loop {
            if let Some(stream) = &mut self.stream {
                let error = match stream.next().await {
                    Some(Ok(event)) => return Fed::Event(event),
                    Some(Err(error)) => error,
                    None => DockerError::Connection("the event stream ended".to_owned()),
                };
                self.stream = None;
                self.next = Instant::now() + self.pause;
                self.pause = (self.pause * 2).min(self.longest);
                return match error {
                    DockerError::Refused { .. } => Fed::Refused(error),
                    error => Fed::Broken(error),
                };
            }
            tokio::time::sleep_until(self.next).await;
            self.opened = Instant::now();
            self.stream = Some(self.engine.events());
        }
    }

    /// For how long it has been open without a word of trouble; `None` while it is not open.
    pub(super) fn open_for(&self) -> Option<Duration> {
        self.stream.as_ref().map(|_| self.opened.elapsed())
    }

    /// From its last opening to now.
    pub(super) fn lived(&self) -> Duration {
        self.opened.elapsed()
    }
}
