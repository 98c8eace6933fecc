//! Whether a program that left something behind still runs: each holds a lock on a file of its own,
//! which the system lets go however the program ends.

use std::{
    fs::{self, File, TryLockError},
    io,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use super::files;

/// The presence of this program in a folder of such files.
#[derive(Debug)]
pub struct Presence {
    folder: PathBuf,
    name: String,
    /// `None` before the first claim, and after the end.
    held: Mutex<Option<File>>,
}

impl Presence {
    /// Nothing is written before [`Presence::claim`].
    pub fn new(folder: PathBuf) -> Self {
        Self::named(folder, uuid::Uuid::new_v4().simple().to_string())
    }

    /// The same under a name that others know already; it must be letters and digits.
    pub(crate) fn named(folder: PathBuf, name: String) -> Self {
        Self {
            folder,
            name,
            held: Mutex::new(None),
        }
    }

    /// The name under which this program is present from now on.
    pub fn claim(&self) -> io::Result<&str> {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        if held.is_none() {
            files::ensure_dir(&self.folder)?;
            let mut options = fs::OpenOptions::new();
            options.create(true).truncate(false).write(true);
            #[cfg(unix)]
            {
                use std::os::unix::fs::OpenOptionsExt as _;
                options.mode(0o600);
            }
            let file = options.open(self.path(&self.name))?;
            match file.try_lock() {
                Ok(()) => {}
                // A file system without locks: two programs may follow one generation there.
                Err(TryLockError::Error(error)) if error.kind() == io::ErrorKind::Unsupported => {}
                Err(TryLockError::Error(error)) => return Err(error),
                Err(TryLockError::WouldBlock) => return Err(io::ErrorKind::WouldBlock.into()),
            }
            *held = Some(file);
        }
        Ok(&self.name)
    }

    /// Where programs are present.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Whether the program of a name still runs. What one that ended left behind is removed.
    pub fn is_present(&self, name: &str) -> bool {
        if name == self.name {
            return true;
        }
        // A name comes from a file: it must not lead anywhere else.
        if !name.bytes().all(|b| b.is_ascii_alphanumeric()) {
            return false;
        }
        let path = self.path(name);
        let Ok(file) = fs::OpenOptions::new().write(true).open(&path) else {
            return false;
        };
        match file.try_lock() {
            Err(TryLockError::WouldBlock) => true,
            Ok(()) | Err(TryLockError::Error(_)) => {
                drop(file);
                clear(&path);
                false
            }
        }
    }

    /// Ends it: what this program left behind is anybody's.
    pub fn end(&self) {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        if held.take().is_some() {
            clear(&self.path(&self.name));
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.join(format!("{name}.lock"))
    }
}

fn clear(path: &Path) {
    if let Err(error) = files::remove(path) {
        tracing::debug!(%error, "a lock file stays behind");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_is_present_until_its_end() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("running");
        let (one, other) = (Presence::new(folder.clone()), Presence::new(folder.clone()));
        assert!(!folder.exists(), "who asks for nothing writes nothing");
        let name = one.claim().unwrap().to_owned();
        assert_eq!(one.claim().unwrap(), name, "once only");
        assert!(other.is_present(&name) && one.is_present(&name));
        one.end();
        assert!(!other.is_present(&name));
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 0);
        // One that was killed leaves its file.
        File::create(folder.join("dead.lock")).unwrap();
        assert!(!other.is_present("dead"));
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 0);
        for odd in ["", "never", "../history", "a/b"] {
            assert!(!other.is_present(odd), "{odd}");
        }
    }
}
