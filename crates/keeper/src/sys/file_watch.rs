//! Tells when a file may have changed: by the system's notices, and by a slow look for where there
//! are none.

use std::{
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use notify::{RecommendedWatcher, RecursiveMode, Watcher};
use tokio::{
    sync::mpsc,
    time::{Interval, MissedTickBehavior, interval, sleep},
};

use super::files;

/// Editors write in several steps; a file has changed when they have been quiet for this long.
pub(crate) const QUIET: Duration = Duration::from_millis(200);
/// Network folders and links to elsewhere send no notices: look by ourselves.
const LOOK: Duration = Duration::from_secs(5);

/// What changes when a file does, as far as its metadata tells; `None` while there is no file.
type Look = Option<(Option<SystemTime>, u64)>;

/// A file that is watched. Dropping it ends that.
#[derive(Debug)]
pub(crate) struct FileWatch {
    path: PathBuf,
    notices: mpsc::Receiver<()>,
    /// Whether notices may still come.
    watching: bool,
    /// A notice came, and the editor has not been quiet since.
    noticed: bool,
    look: Option<Interval>,
    seen: Option<Look>,
    _watcher: Option<RecommendedWatcher>,
}

impl FileWatch {
    /// Begins to watch. What is read after this misses no change.
    pub(crate) fn new(path: &Path) -> Self {
        let (notice, notices) = mpsc::channel(1);
        let watcher = match watch_folder(path, notice) {
            Ok(watcher) => Some(watcher),
            Err(error) => {
                let path = path.display();
                tracing::warn!(%path, %error, "this file is looked at every few seconds only");
                None
            }
        };
        Self {
            path: path.to_owned(),
            notices,
            watching: true,
            noticed: false,
            look: None,
            seen: None,
            _watcher: watcher,
        }
    }

    /// Waits until the file may have changed; the first time not at all. Dropping the future
    /// forgets no change.
    pub(crate) async fn changed(&mut self) {
        let look = self.look.get_or_insert_with(|| {
            let mut look = interval(LOOK);
            look.set_missed_tick_behavior(MissedTickBehavior::Delay);
            look
        });
        loop {
            if self.noticed {
                tokio::select! {
                    () = sleep(QUIET) => break,
                    more = self.notices.recv(), if self.watching => self.watching = more.is_some(),
                }
                continue;
            }
            tokio::select! {
                notice = self.notices.recv(), if self.watching => {
                    self.watching = notice.is_some();
                    self.noticed = true;
                }
                _ = look.tick() => {
                    if self.seen != Some(look_at(&self.path)) {
                        break;
                    }
                }
            }
        }
        self.noticed = false;
        self.seen = Some(look_at(&self.path));
    }
}

fn look_at(path: &Path) -> Look {
    std::fs::metadata(path)
        .ok()
        .map(|m| (m.modified().ok(), m.len()))
}

fn watch_folder(path: &Path, notice: mpsc::Sender<()>) -> Result<RecommendedWatcher, String> {
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
            let _ = notice.try_send(());
        }
    })
    .map_err(|error| error.to_string())?;
    watcher
        .watch(folder, RecursiveMode::NonRecursive)
        .map_err(|error| error.to_string())?;
    Ok(watcher)
}
