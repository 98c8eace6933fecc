//! The files of couriers: whose they are, and how long they stay.

use std::{
    fs, io,
    path::{Path, PathBuf},
    time::Duration,
};

use forgekeeper_domain::Timestamp;

use crate::sys::{clock, files, presence::Presence};

/// How long what nobody waits for stays.
const KEPT: Duration = Duration::from_hours(7 * 24);
/// Longest name of a courier.
const NAME_BYTES: usize = 64;
/// Most files that are looked at when it is tidied.
const MOST_FILES: usize = 10_000;

const BEGUN: &str = "begun";
const ANSWER: &str = "answer";
const CALL_BACK: &str = "back";
const LOCK: &str = "lock";

/// The folder that couriers work in.
#[derive(Debug, Clone)]
pub(super) struct Folder(PathBuf);

impl Folder {
    pub(super) fn new(path: PathBuf) -> Self {
        Self(path)
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }

    /// A file of a courier. A name may come from a file: it must not lead anywhere else.
    fn file(&self, name: &str, ending: &str) -> io::Result<PathBuf> {
        if !is_name(name) {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                "this is no name of a courier",
            ));
        }
        Ok(self.0.join(format!("{name}.{ending}")))
    }

    fn has(&self, name: &str, ending: &str) -> bool {
        self.file(name, ending).is_ok_and(|path| path.exists())
    }

    /// Where a courier leaves its answer.
    pub(super) fn answer(&self, name: &str) -> io::Result<PathBuf> {
        self.file(name, ANSWER)
    }

    pub(super) fn has_answer(&self, name: &str) -> bool {
        self.has(name, ANSWER)
    }

    /// When a courier left its answer.
    pub(super) fn answered_at(&self, name: &str) -> Option<Timestamp> {
        let modified = fs::metadata(self.answer(name).ok()?).ok()?.modified();
        Timestamp::try_from(modified.ok()?).ok()
    }

    /// The lock that a courier holds while it lives.
    pub(super) fn lock(&self, name: &str) -> io::Result<Presence> {
        self.file(name, LOCK)?;
        Ok(Presence::named(self.0.clone(), name.to_owned()))
    }

    /// Whether a courier lives.
    pub(super) fn is_at_work(&self, name: &str) -> bool {
        is_name(name) && Presence::new(self.0.clone()).is_present(name)
    }

    /// Notes that a courier is about to send; `AlreadyExists` for one that did so before.
    pub(super) fn begin(&self, name: &str) -> io::Result<()> {
        files::write_new(&self.file(name, BEGUN)?, b"")
    }

    pub(super) fn has_begun(&self, name: &str) -> bool {
        self.has(name, BEGUN)
    }

    /// Asks a courier to end.
    pub(super) fn call_back(&self, name: &str) -> io::Result<()> {
        match files::write_new(&self.file(name, CALL_BACK)?, b"") {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
            _ => Ok(()),
        }
    }

    pub(super) fn is_called_back(&self, name: &str) -> bool {
        self.has(name, CALL_BACK)
    }

    /// Removes the files of a courier.
    pub(super) fn clear(&self, name: &str) {
        for ending in [ANSWER, BEGUN, CALL_BACK, LOCK] {
            if let Ok(path) = self.file(name, ending) {
                remove(&path);
            }
        }
    }

    /// Removes files that nobody waits for and that are old; also what a write left half done.
    pub(super) fn tidy(&self, awaited: &[String]) {
        // Without a folder there is nothing to tidy.
        let Ok(entries) = fs::read_dir(&self.0) else {
            return;
        };
        let now = clock::now();
        for entry in entries.take(MOST_FILES).flatten() {
            let file = entry.file_name();
            let Some(name) = file.to_str().and_then(owner) else {
                continue;
            };
            let modified = entry.metadata().ok().and_then(|data| data.modified().ok());
            let Some(modified) = modified.and_then(|at| Timestamp::try_from(at).ok()) else {
                continue;
            };
            let age = Duration::try_from(now.duration_since(modified)).unwrap_or_default();
            if age > KEPT && !awaited.iter().any(|kept| kept == name) && !self.is_at_work(name) {
                remove(&entry.path());
            }
        }
    }
}

/// Whether a courier can bear this name.
pub(super) fn is_name(name: &str) -> bool {
    (1..=NAME_BYTES).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_alphanumeric())
}

/// The courier whose file it is: `NAME.answer`, and `.NAME.answer.….tmp` while it is written.
fn owner(file: &str) -> Option<&str> {
    let name = file.strip_prefix('.').unwrap_or(file).split('.').next()?;
    is_name(name).then_some(name)
}

fn remove(path: &Path) {
    if let Err(error) = files::remove(path) {
        tracing::debug!(%error, "a courier's file stays behind");
    }
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use super::*;

    #[test]
    fn names_lead_nowhere_else() {
        let dir = tempfile::tempdir().unwrap();
        let folder = Folder::new(dir.path().join("courier"));
        fs::create_dir(folder.path()).unwrap();
        files::write_new(&dir.path().join("x.answer"), b"").unwrap();
        for odd in ["", "../x", "a/b", "..", "a.b", "a\\b", &"a".repeat(65)] {
            assert!(folder.answer(odd).is_err(), "{odd}");
            assert!(!folder.has_answer(odd) && !folder.is_at_work(odd), "{odd}");
            assert!(folder.begin(odd).is_err() && folder.call_back(odd).is_err());
            assert!(folder.lock(odd).is_err(), "{odd}");
            folder.clear(odd);
        }
        assert!(dir.path().join("x.answer").exists());
    }

    #[test]
    fn only_what_is_old_and_awaited_by_nobody_goes() {
        let dir = tempfile::tempdir().unwrap();
        let folder = Folder::new(dir.path().join("courier"));
        folder.tidy(&[]);
        assert!(!folder.path().exists());
        fs::create_dir(folder.path()).unwrap();
        let old = [
            "gone.answer",
            "gone.begun",
            ".gone.answer.1.tmp",
            "kept.answer",
            "works.begun",
            "not ours",
        ];
        for name in old {
            let path = folder.path().join(name);
            files::write_new(&path, b"x").unwrap();
            let file = fs::OpenOptions::new().append(true).open(&path).unwrap();
            file.set_modified(UNIX_EPOCH).unwrap();
        }
        files::write_new(&folder.path().join("new.answer"), b"x").unwrap();
        let works = folder.lock("works").unwrap();
        works.claim().unwrap();
        folder.tidy(&["kept".to_owned()]);
        let mut left: Vec<String> = fs::read_dir(folder.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        left.sort();
        assert_eq!(
            left,
            [
                "kept.answer",
                "new.answer",
                "not ours",
                "works.begun",
                "works.lock"
            ]
        );
    }

    #[test]
    fn a_courier_begins_once_and_leaves_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let folder = Folder::new(dir.path().to_owned());
        folder.begin("a").unwrap();
        assert!(folder.begin("a").is_err() && folder.has_begun("a"));
        folder.call_back("a").unwrap();
        folder.call_back("a").unwrap();
        assert!(folder.is_called_back("a") && !folder.is_called_back("b"));
        folder.clear("a");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    }
}
