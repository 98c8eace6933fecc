//! Finding the files below a folder. Links are followed, in no circle and to no folder twice.

use std::{
    collections::BTreeSet,
    fs, io,
    path::{Path, PathBuf},
};

use forgekeeper_domain::models::{FileForm, FolderId, folder_of_path};

use super::{Passed, PassedWhy, Root};
use crate::config::{local::LocalFolder, place::Miss};

/// How deep folders may lie in one another.
const MAX_DEPTH: usize = 16;
/// Entries that are looked at.
const MAX_ENTRIES: usize = 200_000;
/// Things passed over that are told.
const MAX_PASSED: usize = 1_000;

/// Folders that were looked through, whatever they are called.
#[derive(Debug, Default)]
pub(super) struct Seen {
    folders: BTreeSet<String>,
    entries: usize,
}

/// A model file that was found.
#[derive(Debug, Clone)]
pub(super) struct Found {
    /// Where it is read.
    pub(super) path: PathBuf,
    /// Where it was found.
    pub(super) shown: PathBuf,
    pub(super) name: String,
    pub(super) folder: Option<FolderId>,
    pub(super) form: FileForm,
    pub(super) link: bool,
    pub(super) metadata: fs::Metadata,
    pub(super) identity: String,
}

struct Walk<'a> {
    root: &'a Root,
    seen: &'a mut Seen,
    found: &'a mut Vec<Found>,
    passed: &'a mut Vec<Passed>,
    others: u32,
}

/// Gathers the models below a folder; the number is that of the other files.
pub(super) fn walk(
    root: &Root,
    seen: &mut Seen,
    found: &mut Vec<Found>,
    passed: &mut Vec<Passed>,
    stop: &(dyn Fn() -> bool + Sync),
) -> u32 {
    let mut walk = Walk {
        root,
        seen,
        found,
        passed,
        others: 0,
    };
    let mut todo = vec![(root.here.clone(), String::new(), 0)];
    match fs::metadata(&root.here) {
        Ok(metadata) if metadata.is_dir() => {
            // The same folder under another name is another place all the same for its first look only.
            if !walk.seen.folders.insert(identity(&root.here, &metadata)) {
                return 0;
            }
        }
        Ok(_) => walk.pass(&root.here, PassedWhy::Absent, "it is no folder"),
        Err(error) => walk.pass_error(&root.here, &error, PassedWhy::Absent),
    }
    while let Some((folder, name, depth)) = todo.pop() {
        if stop() {
            break;
        }
        let entries = match fs::read_dir(&folder) {
            Ok(entries) => entries,
            // Said above.
            Err(_) if depth == 0 && !folder.is_dir() => break,
            Err(error) => {
                walk.pass_error(&folder, &error, PassedWhy::Dangling);
                continue;
            }
        };
        for entry in entries {
            walk.seen.entries += 1;
            if walk.seen.entries > MAX_ENTRIES {
                walk.pass(&folder, PassedWhy::TooMuch, "more files than are looked at");
                return walk.others;
            }
            match entry {
                Ok(entry) => walk.entry(&entry, &name, depth, &mut todo),
                Err(error) => walk.pass_error(&folder, &error, PassedWhy::Refused),
            }
        }
    }
    walk.others
}

impl Walk<'_> {
    fn pass(&mut self, path: &Path, why: PassedWhy, words: impl Into<String>) {
        if self.passed.len() < MAX_PASSED {
            self.passed.push(Passed {
                path: path.display().to_string(),
                why,
                words: words.into(),
            });
        }
    }

    fn pass_error(&mut self, path: &Path, error: &io::Error, absent: PassedWhy) {
        let why = match error.kind() {
            io::ErrorKind::NotFound => absent,
            _ if in_a_circle(error) => PassedWhy::Circle,
            _ => PassedWhy::Refused,
        };
        self.pass(path, why, error.to_string());
    }

    fn entry(
        &mut self,
        entry: &fs::DirEntry,
        above: &str,
        depth: usize,
        todo: &mut Vec<(PathBuf, String, usize)>,
    ) {
        let shown = entry.path();
        let own = entry.file_name().to_string_lossy().into_owned();
        let name = if above.is_empty() {
            own.clone()
        } else {
            format!("{above}/{own}")
        };
        let link = entry.file_type().is_ok_and(|kind| kind.is_symlink());
        let path = if link {
            match self.target(&shown, &name) {
                Ok(path) => path,
                Err((why, words)) => return self.pass(&shown, why, words),
            }
        } else {
            shown.clone()
        };
        let metadata = match fs::metadata(&path) {
            Ok(metadata) => metadata,
            Err(error) => return self.pass_error(&shown, &error, PassedWhy::Dangling),
        };
        let identity = identity(&path, &metadata);
        if metadata.is_dir() {
            if depth + 1 >= MAX_DEPTH {
                return self.pass(&shown, PassedWhy::TooMuch, "deeper than is looked at");
            }
            if own.starts_with('.') {
                // Git's folders, caches of downloads and the like.
                return;
            }
            if !self.seen.folders.insert(identity) {
                return self.pass(&shown, PassedWhy::Circle, "it was looked through already");
            }
            return todo.push((path, name, depth + 1));
        }
        let form = FileForm::of_name(&own);
        if !metadata.is_file() || !form.is_model() {
            self.others += 1;
            return;
        }
        self.found.push(Found {
            folder: self.root.id.or_else(|| self.folder(&name)),
            path,
            shown,
            name,
            form,
            link,
            metadata,
            identity,
        });
    }

    /// By the folders below the root, else by the root's own name.
    fn folder(&self, name: &str) -> Option<FolderId> {
        let below = name.rsplit_once('/').map_or("", |(folders, _)| folders);
        folder_of_path(below).or_else(|| {
            let own = self.root.here.file_name()?;
            folder_of_path(&own.to_string_lossy())
        })
    }

    /// Where a link leads: as the container would follow it, where the folder is a container's.
    fn target(&self, shown: &Path, name: &str) -> Result<PathBuf, (PassedWhy, String)> {
        let (Some(local), Some(inside)) = (&self.root.local, &self.root.inside) else {
            return fs::canonicalize(shown).map_err(|error| {
                let why = match error.kind() {
                    io::ErrorKind::NotFound => PassedWhy::Dangling,
                    _ if in_a_circle(&error) => PassedWhy::Circle,
                    _ => PassedWhy::Refused,
                };
                (why, error.to_string())
            });
        };
        follow(local, &format!("{}/{name}", inside.trim_end_matches('/')))
    }
}

/// `ELOOP`, which has no name of its own yet.
fn in_a_circle(error: &io::Error) -> bool {
    let number = if cfg!(target_os = "linux") { 40 } else { 62 };
    cfg!(unix) && error.raw_os_error() == Some(number)
}

fn follow(local: &LocalFolder, inside: &str) -> Result<PathBuf, (PassedWhy, String)> {
    local.resolve(inside).map_err(|miss| match miss {
        Miss::Elsewhere => (
            PassedWhy::Outside,
            "its link leads out of what is shared with this machine".to_owned(),
        ),
        Miss::Absent => (PassedWhy::Dangling, String::new()),
        Miss::Odd(words) => (PassedWhy::Circle, words),
        other => {
            let words = other.told().map(|(_, words)| words).unwrap_or_default();
            (PassedWhy::Refused, words)
        }
    })
}

/// What tells a file from another one whatever its names are.
#[cfg(unix)]
fn identity(_path: &Path, metadata: &fs::Metadata) -> String {
    use std::os::unix::fs::MetadataExt as _;
    format!("{}:{}", metadata.dev(), metadata.ino())
}

#[cfg(not(unix))]
fn identity(path: &Path, _metadata: &fs::Metadata) -> String {
    let whole = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    whole.to_string_lossy().to_lowercase()
}
