//! Every task is tracked and named, so that the shutdown can wait for all and name the slow ones.

use std::{
    collections::BTreeMap,
    future::Future,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::task::JoinHandle;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// How long tasks that ignored the token get to fall after they were aborted.
const ABORT_GRACE: Duration = Duration::from_millis(250);

/// A family of tasks with one token. Clones are the same family; [`Tasks::child`] has its own
/// token below this one, its tasks are waited for all the same.
#[derive(Debug, Clone)]
pub struct Tasks {
    tracker: TaskTracker,
    token: CancellationToken,
    running: Arc<Running>,
}

#[derive(Debug, Default)]
struct Running {
    next: AtomicU64,
    tasks: Mutex<BTreeMap<u64, Entry>>,
}

#[derive(Debug)]
struct Entry {
    name: &'static str,
    abort: Option<tokio::task::AbortHandle>,
}

impl Running {
    fn with<T>(&self, f: impl FnOnce(&mut BTreeMap<u64, Entry>) -> T) -> T {
        f(&mut self.tasks.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Takes the name off the list however the task ends, by panic too.
struct Listed {
    id: u64,
    running: Arc<Running>,
}

impl Drop for Listed {
    fn drop(&mut self) {
        self.running.with(|tasks| tasks.remove(&self.id));
    }
}

impl Default for Tasks {
    fn default() -> Self {
        Self::new()
    }
}

impl Tasks {
    /// An empty family.
    pub fn new() -> Self {
        Self {
            tracker: TaskTracker::new(),
            token: CancellationToken::new(),
            running: Arc::new(Running::default()),
        }
    }

    /// Starts a task. It is asked to end through [`Tasks::token`] and aborted when it does not.
    pub fn spawn<F>(&self, name: &'static str, future: F) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        let listed = self.list(name);
        let id = listed.id;
        let handle = self.tracker.spawn(async move {
            let _listed = listed;
            future.await
        });
        self.running.with(|tasks| {
            if let Some(entry) = tasks.get_mut(&id) {
                entry.abort = Some(handle.abort_handle());
            }
        });
        handle
    }

    /// As [`Tasks::spawn`], on another runtime.
    pub fn spawn_on<F>(
        &self,
        runtime: &tokio::runtime::Handle,
        name: &'static str,
        future: F,
    ) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        let _inside = runtime.enter();
        self.spawn(name, future)
    }

    /// Ends when the shutdown has begun and no task runs any more.
    pub async fn ended(&self) {
        self.tracker.wait().await;
    }

    /// Runs blocking work on the pool for it; it cannot be aborted, only waited for.
    pub fn spawn_blocking<F, T>(&self, name: &'static str, work: F) -> JoinHandle<T>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        let listed = self.list(name);
        self.tracker.spawn_blocking(move || {
            let _listed = listed;
            work()
        })
    }

    fn list(&self, name: &'static str) -> Listed {
        let id = self.running.next.fetch_add(1, Ordering::Relaxed);
        self.running
            .with(|tasks| tasks.insert(id, Entry { name, abort: None }));
        Listed {
            id,
            running: Arc::clone(&self.running),
        }
    }

    /// Cancelled when the family is to end.
    pub fn token(&self) -> CancellationToken {
        self.token.clone()
    }

    /// The same tracking with a token of its own: cancelling it leaves the parent running.
    #[must_use]
    pub fn child(&self) -> Self {
        Self {
            tracker: self.tracker.clone(),
            token: self.token.child_token(),
            running: Arc::clone(&self.running),
        }
    }

    /// Asks the tasks of this token (and of its children) to end, without waiting.
    pub fn cancel(&self) {
        self.token.cancel();
    }

    /// Names of the tasks that run now.
    pub fn running(&self) -> Vec<&'static str> {
        self.running
            .with(|tasks| tasks.values().map(|entry| entry.name).collect())
    }

    /// Asks all to end and waits. What still runs after `deadline` is named, and aborted.
    pub async fn shutdown(&self, deadline: Duration) -> Vec<&'static str> {
        self.token.cancel();
        self.tracker.close();
        if tokio::time::timeout(deadline, self.tracker.wait())
            .await
            .is_ok()
        {
            return Vec::new();
        }
        let slow = self.running.with(|tasks| {
            for abort in tasks.values().filter_map(|entry| entry.abort.as_ref()) {
                abort.abort();
            }
            tasks.values().map(|entry| entry.name).collect()
        });
        // Aborted tasks drop their resources at the next poll; blocking ones are left behind.
        let _ = tokio::time::timeout(ABORT_GRACE, self.tracker.wait()).await;
        slow
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn shutdown_waits_for_the_willing_and_names_the_others() {
        let tasks = Tasks::new();
        let token = tasks.child().token();
        tasks.spawn("willing", async move { token.cancelled().await });
        tasks.spawn("stubborn", std::future::pending::<()>());
        assert_eq!(tasks.running(), ["willing", "stubborn"]);
        let slow = tasks.shutdown(Duration::from_millis(100)).await;
        assert_eq!(slow, ["stubborn"]);
        assert!(tasks.running().is_empty(), "aborted tasks leave the list");
    }

    #[tokio::test]
    async fn a_cancelled_child_leaves_its_parent_alone_and_is_waited_for() {
        let tasks = Tasks::new();
        let child = tasks.child();
        let token = child.token();
        child.spawn("below", async move { token.cancelled().await });
        child.cancel();
        assert!(!tasks.token().is_cancelled());
        assert!(tasks.shutdown(Duration::from_secs(5)).await.is_empty());
    }

    #[tokio::test]
    async fn a_panic_leaves_the_list_too() {
        let tasks = Tasks::new();
        let handle = tasks.spawn("panics", async { panic!("on purpose") });
        assert!(handle.await.is_err());
        assert!(tasks.running().is_empty());
    }
}
