//! Mounts whose source lies on a real disk: what is inside is what lies there.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use jiff::Timestamp;

use super::container::Container;
use crate::lock::lock;

/// Path inside, and whether it may only be read: `/models:ro`.
pub(super) fn target(bind: &str) -> (&str, bool) {
    bind.strip_suffix(":ro")
        .map_or((bind, false), |target| (target, true))
}

/// The mounts with a source that is really there.
pub(crate) fn mounts(container: &Container) -> Vec<(PathBuf, String)> {
    let binds = lock(&container.binds);
    let real = binds
        .iter()
        .map(|(source, bind)| (PathBuf::from(source), target(bind).0.to_owned()));
    real.filter(|(source, _)| source.is_absolute() && source.exists())
        .collect()
}

/// Where a path inside is on the real disk, through the nearest mount; also when nothing is there.
pub(crate) fn place(mounts: &[(PathBuf, String)], inside: &str) -> Option<PathBuf> {
    let found = mounts.iter().filter_map(|(source, target)| {
        let rest = inside.strip_prefix(target.trim_end_matches('/'))?;
        let good =
            (rest.is_empty() || rest.starts_with('/')) && !rest.split('/').any(|p| p == "..");
        good.then(|| (target.len(), source.join(rest.trim_start_matches('/'))))
    });
    found
        .max_by_key(|(length, _)| *length)
        .map(|(_, path)| path)
}

/// When it was last written.
pub(super) fn changed(path: &Path) -> Timestamp {
    let at = fs::metadata(path).and_then(|metadata| metadata.modified());
    let since = at.ok().and_then(|at| at.duration_since(UNIX_EPOCH).ok());
    since
        .and_then(|since| i64::try_from(since.as_secs()).ok())
        .and_then(|at| Timestamp::from_second(at).ok())
        .unwrap_or(Timestamp::UNIX_EPOCH)
}

/// Names in a folder, folders with a slash.
pub(super) fn names(path: &Path) -> BTreeSet<String> {
    let entries = fs::read_dir(path).into_iter().flatten().flatten();
    entries
        .map(|entry| {
            let name = entry.file_name().to_string_lossy().into_owned();
            let folder = entry.path().is_dir();
            if folder { format!("{name}/") } else { name }
        })
        .collect()
}

/// Files below a folder, by their path below it, sorted.
pub(crate) fn files(path: &Path) -> Vec<(String, PathBuf)> {
    let mut found = Vec::new();
    let mut todo = vec![(path.to_owned(), String::new(), 0)];
    while let Some((folder, name, depth)) = todo.pop() {
        for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
            let own = entry.file_name().to_string_lossy().into_owned();
            let name = if name.is_empty() {
                own
            } else {
                format!("{name}/{own}")
            };
            let path = entry.path();
            if path.is_dir() && depth < 8 {
                todo.push((path, name, depth + 1));
            } else if path.is_file() {
                found.push((name, path));
            }
        }
    }
    found.sort();
    found
}

/// What `find -L FOLDER … -exec stat -L -c '%s %Y %n' {} +` prints; `None` where there is no folder.
pub(super) fn listed(container: &Container, inside: &str) -> Option<String> {
    let folder = place(&mounts(container), inside).filter(|path| path.is_dir())?;
    let inside = inside.trim_end_matches('/');
    Some(
        files(&folder)
            .into_iter()
            .fold(String::new(), |mut text, (name, path)| {
                let size = fs::metadata(&path).map_or(0, |metadata| metadata.len());
                text.push_str(&format!(
                    "{size} {} {inside}/{name}\n",
                    changed(&path).as_second()
                ));
                text
            }),
    )
}
