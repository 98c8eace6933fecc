//! The commits of checkouts. Git is never run: its own files tell.

use std::{collections::BTreeMap, sync::Arc, thread};

use forgekeeper_domain::{
    Timestamp,
    config::{Checkout, Head, checked_out_at, head, packed_commit},
};
use futures_util::{FutureExt as _, future::join_all};

use super::{
    local::LocalFolder,
    memory::Memory,
    place::{Miss, Places, off_thread},
};

/// Files that are read at once from one container.
const AT_ONCE: usize = 6;
/// Threads that read a folder of this machine: one over a network answers slowly.
const THREADS: usize = 4;
/// Longest file below `.git` that is read: packed references of a large repository.
const MAX_GIT: u32 = 2 * 1024 * 1024;

/// Where files are read.
trait Source {
    async fn read(&self, path: &str, max: u32) -> Result<Vec<u8>, Miss>;
}

impl Source for Places {
    async fn read(&self, path: &str, max: u32) -> Result<Vec<u8>, Miss> {
        Self::read(self, path, max)
            .await
            .map(|(file, _)| file.bytes)
    }
}

/// A folder of this machine with everything that its files need, so that thousands are read in one go.
#[derive(Debug)]
struct Near {
    whole: LocalFolder,
    /// The folder of the checkouts itself: links up to it are followed once.
    folder: LocalFolder,
    memory: Arc<Memory>,
}

impl Source for Near {
    /// Waits for nothing.
    async fn read(&self, path: &str, max: u32) -> Result<Vec<u8>, Miss> {
        match self.folder.read_again(path, max as usize, &self.memory) {
            // A link that leads out of the checkouts may stay within the workspace.
            Err(Miss::Elsewhere) => self.whole.read_again(path, max as usize, &self.memory),
            found => found,
        }
    }
}

/// The commits of these checkouts, each by itself.
pub(super) async fn checkouts(
    places: &Places,
    folder: &str,
    names: Vec<String>,
    memory: &Arc<Memory>,
) -> BTreeMap<String, Checkout> {
    let (mut found, rest) = match &places.local {
        Some(local) => here(local.clone(), folder, names, Arc::clone(memory)).await,
        None => (BTreeMap::new(), names),
    };
    for some in rest.chunks(AT_ONCE) {
        let commits = some.iter().map(|name| checkout(places, folder, name));
        let commits = join_all(commits).await;
        found.extend(some.iter().cloned().zip(commits));
    }
    found
}

/// Those that this machine reaches by itself, and the names of the others.
async fn here(
    local: LocalFolder,
    folder: &str,
    names: Vec<String>,
    memory: Arc<Memory>,
) -> (BTreeMap<String, Checkout>, Vec<String>) {
    let (folder, all) = (folder.to_owned(), names.clone());
    let done = off_thread(move || {
        let near = Near {
            folder: local.at(&folder)?,
            whole: local,
            memory,
        };
        Ok(read_near(&near, &folder, names))
    });
    done.await.unwrap_or_else(|_| (BTreeMap::new(), all))
}

fn read_near(
    near: &Near,
    folder: &str,
    names: Vec<String>,
) -> (BTreeMap<String, Checkout>, Vec<String>) {
    let read = |names: &[String]| -> Vec<Option<Checkout>> {
        let one = |name: &String| {
            // Where a file lies outside of the workspace, the engine has to be asked for all of it.
            let outside = Outside(near, std::cell::Cell::new(false));
            let checkout = checkout(&outside, folder, name).now_or_never();
            checkout.filter(|_| !outside.1.get())
        };
        names.iter().map(one).collect()
    };
    let each = names.len().div_ceil(THREADS).max(1);
    let commits: Vec<Option<Checkout>> = thread::scope(|scope| {
        let parts = names
            .chunks(each)
            .map(|some| (some.len(), scope.spawn(|| read(some))));
        let parts: Vec<_> = parts.collect();
        let joined = parts.into_iter().flat_map(|(count, part)| {
            // One that ended unexpectedly is asked again in the other way.
            part.join().unwrap_or_else(|_| vec![None; count])
        });
        joined.collect()
    });
    let (mut found, mut rest) = (BTreeMap::new(), Vec::new());
    for (name, commit) in names.into_iter().zip(commits) {
        match commit {
            Some(commit) => drop(found.insert(name, commit)),
            None => rest.push(name),
        }
    }
    (found, rest)
}

/// Notices what lies outside.
struct Outside<'a>(&'a Near, std::cell::Cell<bool>);

impl Source for Outside<'_> {
    async fn read(&self, path: &str, max: u32) -> Result<Vec<u8>, Miss> {
        let found = self.0.read(path, max).await;
        if found == Err(Miss::Elsewhere) {
            self.1.set(true);
        }
        found
    }
}

/// The commit of one checkout, read from its files.
async fn checkout(from: &impl Source, folder: &str, name: &str) -> Checkout {
    let git = format!("{folder}/{name}/.git");
    let unknown = |words: &str| Checkout {
        unknown: Some(words.to_owned()),
        ..Checkout::default()
    };
    let head_file = match from.read(&format!("{git}/HEAD"), 4096).await {
        Ok(bytes) => bytes,
        Err(Miss::Absent | Miss::Folder) => return unknown("it is no checkout"),
        Err(miss) => return unknown(&miss.told().map(|(_, words)| words).unwrap_or_default()),
    };
    let name = match head(&head_file) {
        Some(Head::Commit(commit)) => {
            return Checkout {
                since: since(from, &git, &commit).await,
                commit: Some(commit),
                ..Checkout::default()
            };
        }
        Some(Head::Ref(name)) => name,
        None => return unknown("its HEAD cannot be read"),
    };
    let branch = name.strip_prefix("refs/heads/").map(str::to_owned);
    let loose = from.read(&format!("{git}/{name}"), 4096).await;
    let commit = match loose {
        Ok(bytes) => match head(&bytes) {
            Some(Head::Commit(commit)) => Some(commit),
            _ => None,
        },
        Err(_) => match from.read(&format!("{git}/packed-refs"), MAX_GIT).await {
            Ok(bytes) => packed_commit(&bytes, &name),
            Err(_) => None,
        },
    };
    let told = commit.is_some();
    Checkout {
        since: match &commit {
            Some(commit) => since(from, &git, commit).await,
            None => None,
        },
        commit,
        branch,
        unknown: (!told).then(|| "its branch points to no commit that can be read".to_owned()),
    }
}

/// Since when the commit is in use; not known where Git keeps no log, or another one.
async fn since(from: &impl Source, git: &str, commit: &str) -> Option<Timestamp> {
    let log = from.read(&format!("{git}/logs/HEAD"), MAX_GIT).await.ok()?;
    checked_out_at(&log, commit)
}
