//! Follows the settings file.

use tokio::{sync::watch, time::sleep};

use super::{SettingsFile, SettingsSnapshot};
use crate::sys::{
    file_watch::{FileWatch, QUIET},
    tasks::Tasks,
};

/// A file cut to be written anew can stay empty for as long as a busy disk makes its writer wait;
/// after so many readings its emptiness is said to be a problem.
const EMPTY_READINGS: u32 = 10;

pub(super) fn start(file: SettingsFile, tasks: &Tasks) -> watch::Receiver<SettingsSnapshot> {
    // Before the first reading, so that no change falls between the two.
    let changes = FileWatch::new(file.path());
    let (publish, snapshots) = watch::channel(file.load());
    let token = tasks.token();
    tasks.spawn("settings watch", async move {
        tokio::select! {
            () = token.cancelled() => {}
            () = follow(file, changes, publish) => {}
        }
    });
    snapshots
}

async fn follow(
    file: SettingsFile,
    mut changes: FileWatch,
    publish: watch::Sender<SettingsSnapshot>,
) {
    loop {
        tokio::select! {
            () = changes.changed() => {}
            () = file.edited() => {}
        }
        let Some(snapshot) = settled(&file).await else {
            return;
        };
        publish.send_if_modified(|current| {
            let changed = *current != snapshot;
            if changed {
                *current = snapshot;
            }
            changed
        });
    }
}

/// Reads off the async threads. A file that was just emptied gets time to be filled again.
/// `None` only when the runtime is shutting down.
async fn settled(file: &SettingsFile) -> Option<SettingsSnapshot> {
    for _ in 0..EMPTY_READINGS {
        let reading = file.clone();
        let snapshot = tokio::task::spawn_blocking(move || reading.load_unless_emptied())
            .await
            .ok()?;
        if snapshot.is_some() {
            return snapshot;
        }
        sleep(QUIET).await;
    }
    let reading = file.clone();
    tokio::task::spawn_blocking(move || reading.load())
        .await
        .ok()
}
