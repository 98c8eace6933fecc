//! Follows the settings file: the system's notices, a slow look for where there are none.

use std::{path::Path, time::Duration};

use notify::{RecommendedWatcher, RecursiveMode, Watcher};
use tokio::{
    sync::{mpsc, watch},
    time::{MissedTickBehavior, interval, sleep},
};

use super::{SettingsFile, SettingsSnapshot};
use crate::sys::{files, tasks::Tasks};

/// Editors write in several steps; the file is read when they have been quiet for this long.
const QUIET: Duration = Duration::from_millis(200);
/// A file cut to be written anew can stay empty for as long as a busy disk makes its writer wait;
/// after so many readings its emptiness is said to be a problem.
const EMPTY_READINGS: u32 = 10;
/// Network folders and links to elsewhere send no notices: look by ourselves.
const LOOK: Duration = Duration::from_secs(5);

pub(super) fn start(file: SettingsFile, tasks: &Tasks) -> watch::Receiver<SettingsSnapshot> {
    let (noticed, notices) = mpsc::channel(1);
    // Before the first reading, so that no change falls between the two.
    let watcher = match watch_folder(file.path(), noticed) {
        Ok(watcher) => Some(watcher),
        Err(error) => {
            tracing::warn!(%error, "the settings file is looked at every few seconds only");
            None
        }
    };
    let (publish, snapshots) = watch::channel(file.load());
    let token = tasks.token();
    tasks.spawn("settings watch", async move {
        tokio::select! {
            () = token.cancelled() => {}
            () = follow(file, notices, publish) => {}
        }
        drop(watcher);
    });
    snapshots
}

fn watch_folder(path: &Path, noticed: mpsc::Sender<()>) -> Result<RecommendedWatcher, String> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    files::ensure_dir(folder).map_err(|error| error.to_string())?;
    let name = path.file_name().map(ToOwned::to_owned);
    let mut watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
        let ours = match &event {
            // Reading the file ourselves must not make us read it again.
            Ok(event) if event.kind.is_access() => false,
            Ok(event) => {
                event.paths.is_empty()
                    || event.paths.iter().any(|p| p.file_name() == name.as_deref())
            }
            Err(_) => true,
        };
        if ours {
            // Full means that a notice waits already.
            let _ = noticed.try_send(());
        }
    })
    .map_err(|error| error.to_string())?;
    watcher
        .watch(folder, RecursiveMode::NonRecursive)
        .map_err(|error| error.to_string())?;
    Ok(watcher)
}

/// What changes when the file does, as far as its metadata tells.
fn signature(path: &Path) -> Option<(Option<std::time::SystemTime>, u64)> {
    std::fs::metadata(path)
        .ok()
        .map(|m| (m.modified().ok(), m.len()))
}

async fn follow(
    file: SettingsFile,
    mut notices: mpsc::Receiver<()>,
    publish: watch::Sender<SettingsSnapshot>,
) {
    let mut look = interval(LOOK);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut seen = None;
    let mut watching = true;
    loop {
        tokio::select! {
            notice = notices.recv(), if watching => {
                watching = notice.is_some();
                loop {
                    tokio::select! {
                        () = sleep(QUIET) => break,
                        more = notices.recv(), if watching => watching = more.is_some(),
                    }
                }
            }
            () = file.edited() => {}
            _ = look.tick() => {
                let now = signature(file.path());
                if seen == Some(now) {
                    continue;
                }
            }
        }
        seen = Some(signature(file.path()));
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
