//! The backup over real folders.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    time::Duration,
};

use forgekeeper_domain::backup::{BackupMode, BackupProblem, BackupStage, Obstacle, SharedDisk};

use super::*;
use crate::sys::files;

mod dated;
mod mirror;
#[cfg(target_os = "linux")]
mod system;

/// As any other program writes: in place.
#[expect(
    clippy::disallowed_methods,
    reason = "the same file stays, with its links"
)]
fn write(path: impl AsRef<Path>, bytes: impl AsRef<[u8]>) -> io::Result<()> {
    fs::write(path, bytes)
}

/// A source and a target, gone with the test.
struct Scene {
    folder: tempfile::TempDir,
    settings: BackupSettings,
}

impl Scene {
    fn new(mode: BackupMode) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let source = folder.path().join("source");
        fs::create_dir(&source).unwrap();
        let settings = BackupSettings {
            source: source.display().to_string(),
            target: folder.path().join("target").display().to_string(),
            mode,
            exclude: Vec::new(),
            keep: 7,
        };
        Self { folder, settings }
    }

    fn source(&self, name: &str) -> PathBuf {
        Path::new(&self.settings.source).join(name)
    }

    fn target(&self, name: &str) -> PathBuf {
        Path::new(&self.settings.target).join(name)
    }

    /// Writes at the source, with a time of its own: as long as before it would be as young as before.
    fn put(&self, name: &str, bytes: impl AsRef<[u8]>) {
        static SECOND: AtomicU32 = AtomicU32::new(0);
        let path = self.source(name);
        files::ensure_dir(path.parent().unwrap()).unwrap();
        write(&path, bytes).unwrap();
        let second = SECOND.fetch_add(10, Ordering::Relaxed);
        let time = std::time::UNIX_EPOCH + Duration::from_secs(1_700_000_000 + u64::from(second));
        let file = fs::OpenOptions::new().append(true).open(&path).unwrap();
        file.set_modified(time).unwrap();
    }

    fn work(&self, task: BackupTask, doors: &Doors) -> BackupRecord {
        self.until(task, doors, &|_, _| {})
    }

    /// With a look at the progress, and a way to end it.
    fn until(
        &self,
        task: BackupTask,
        doors: &Doors,
        look: &dyn Fn(&BackupProgress, &CancellationToken),
    ) -> BackupRecord {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let at = Timestamp::from_second(1_800_000_000 + i64::from(number)).unwrap();
        let mut record = BackupRecord::begun(number.to_string(), task, &self.settings, at);
        let cancel = CancellationToken::new();
        work(&self.settings, &mut record, doors, &cancel, &|progress| {
            look(progress, &cancel);
        });
        record
    }

    fn run(&self) -> BackupRecord {
        self.work(BackupTask::Run, &Doors::default())
    }

    fn verify(&self) -> BackupRecord {
        self.work(BackupTask::Verify, &Doors::default())
    }

    fn plan(&self) -> Result<BackupPlan, ErrorInfo> {
        plan(&self.settings, &CancellationToken::new())
    }
}

/// Everything below a folder but ours, with what is in it.
fn tree(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut all = Vec::new();
    for entry in walkdir::WalkDir::new(folder).sort_by_file_name() {
        let entry = entry.unwrap();
        let name = entry.path().strip_prefix(folder).unwrap();
        let name = name.display().to_string();
        if name.is_empty() || name.starts_with(places::OUR_FOLDER) {
            continue;
        }
        if entry.file_type().is_file() {
            all.push((name, fs::read(entry.path()).unwrap()));
        } else if entry.file_type().is_dir() {
            all.push((format!("{name}/"), Vec::new()));
        }
    }
    all
}

fn why(record: &BackupRecord) -> Vec<(&str, Obstacle)> {
    let of = |problem: &'_ BackupProblem| problem.why;
    record
        .problems
        .iter()
        .map(|problem| (problem.path.as_str(), of(problem)))
        .collect()
}

/// Doors of which some are closed for so many times.
fn held(name: &'static str, times: u32, kind: io::ErrorKind) -> Doors {
    let left = Arc::new(AtomicU32::new(times));
    Doors {
        open: Box::new(move |path| {
            let is_it = path.ends_with(name) && !path.to_string_lossy().contains("target");
            let take = |n: u32| n.checked_sub(1);
            if is_it
                && left
                    .fetch_update(Ordering::Relaxed, Ordering::Relaxed, take)
                    .is_ok()
            {
                return Err(kind.into());
            }
            File::open(path)
        }),
    }
}
