//! Every task of a stand-in is spawned here, so that ending the site ends all of them.

use std::future::Future;

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Spawns tasks that end when the site does.
#[derive(Debug, Clone)]
pub struct Tasks {
    tracker: TaskTracker,
    stop: CancellationToken,
}

impl Default for Tasks {
    fn default() -> Self {
        Self::new()
    }
}

impl Tasks {
    /// A fresh, running group.
    pub fn new() -> Self {
        Self {
            tracker: TaskTracker::new(),
            stop: CancellationToken::new(),
        }
    }

    /// Runs `work` until it ends or the group is stopped.
    pub fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) {
        let stop = self.stop.clone();
        self.tracker.spawn(async move {
            tokio::select! {
                () = stop.cancelled() => {}
                () = work => {}
            }
        });
    }

    /// The token that ends the group; children of it end earlier if need be.
    pub fn token(&self) -> &CancellationToken {
        &self.stop
    }

    /// Asks all tasks to end, without waiting.
    pub fn cancel(&self) {
        self.stop.cancel();
        self.tracker.close();
    }

    /// Asks all tasks to end and waits until they have.
    pub async fn shutdown(&self) {
        self.cancel();
        self.tracker.wait().await;
    }
}
