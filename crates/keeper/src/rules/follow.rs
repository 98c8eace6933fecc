//! Follows the rules file, and the clock for as long as something is silenced.

use std::time::Duration;

use forgekeeper_domain::Timestamp;
use tokio::{sync::watch, time::sleep};

use super::{OwnRules, RulesSnapshot};
use crate::sys::{
    file_watch::{FileWatch, QUIET},
    tasks::Tasks,
};

/// A file cut to be written anew may stay empty for so many readings; then it is meant.
const EMPTY_READINGS: u32 = 10;
/// A wait does not count the time that a machine slept, and clocks are set: the clock is looked at
/// so often while a silence lasts.
const LOOK_AT_CLOCK: Duration = Duration::from_secs(30);

pub(super) fn start(
    rules: OwnRules,
    tasks: &Tasks,
    clock: impl Fn() -> Timestamp + Send + 'static,
) -> watch::Receiver<RulesSnapshot> {
    // Before the first reading, so that no change falls between the two.
    let changes = FileWatch::new(rules.path());
    rules.load(clock());
    let (publish, snapshots) = watch::channel(rules.snapshot(clock()));
    let token = tasks.token();
    tasks.spawn("rules watch", async move {
        tokio::select! {
            () = token.cancelled() => {}
            () = follow(rules, changes, clock, publish) => {}
        }
    });
    snapshots
}

async fn follow(
    rules: OwnRules,
    mut changes: FileWatch,
    clock: impl Fn() -> Timestamp,
    publish: watch::Sender<RulesSnapshot>,
) {
    loop {
        let now = clock();
        let snapshot = rules.snapshot(now);
        publish.send_if_modified(|current| {
            let silenced = current.in_force.silenced() != snapshot.in_force.silenced();
            let changed = silenced || current.status != snapshot.status;
            if changed {
                *current = snapshot;
            }
            changed
        });
        let end = rules.next_end(now);
        let left = end.and_then(|end| Duration::try_from(end.duration_since(now)).ok());
        tokio::select! {
            () = changes.changed() => {
                if !reload(&rules, clock()).await {
                    return;
                }
            }
            () = rules.edited() => {}
            () = sleep(left.unwrap_or_default().min(LOOK_AT_CLOCK)), if end.is_some() => {}
        }
    }
}

/// Reads off the async threads. A file that was just emptied gets time to be filled again.
/// `false` only when the runtime is shutting down.
async fn reload(rules: &OwnRules, now: Timestamp) -> bool {
    for _ in 0..EMPTY_READINGS {
        let reading = rules.clone();
        match tokio::task::spawn_blocking(move || reading.is_emptied()).await {
            Ok(true) => sleep(QUIET).await,
            Ok(false) => break,
            Err(_) => return false,
        }
    }
    let reading = rules.clone();
    tokio::task::spawn_blocking(move || reading.load(now))
        .await
        .is_ok()
}
