//! A folder for each run. One that is under way is called `unfinished`, and gets its date when it ends.

use std::{fs, path::Path};

use forgekeeper_domain::{
    backup::{BackupProblem, Obstacle, RunFolder, to_remove},
    error::{ErrorCode, ErrorInfo},
};
use jiff::civil::DateTime;

use super::{
    layout::Layout,
    manifest::{self, Entries, Entry},
    names::Name,
    places::OUR_FOLDER,
    walk::obstacle,
};
use crate::sys::files;

const UNFINISHED: &str = "unfinished";
const RUNS: &str = "runs";
const ENDING: &str = ".jsonl";
/// Manifests that are looked at; retention keeps far fewer.
const MAX_RUNS: usize = 10_000;

/// The run that is under way, or the next one.
pub(crate) fn unfinished(target: &Path) -> Layout {
    let layout = Layout::new(target, target.join(UNFINISHED), "unfinished-manifest.jsonl");
    Layout {
        folder: Some(UNFINISHED.to_owned()),
        ..layout
    }
}

/// A run that has ended.
fn finished(target: &Path, name: &str) -> Layout {
    let manifest = format!("{RUNS}/{name}{ENDING}");
    let layout = Layout::new(target, target.join(name), &manifest);
    Layout {
        folder: Some(name.to_owned()),
        // The journal is that of another run.
        journal: layout.manifest.with_extension("none"),
        ..layout
    }
}

/// Runs that have ended and are there, the newest last.
pub(crate) fn runs(target: &Path) -> Result<Vec<String>, ErrorInfo> {
    let folder = target.join(OUR_FOLDER).join(RUNS);
    let names = files::names(&folder, MAX_RUNS).map_err(|error| {
        ErrorInfo::new(
            ErrorCode::Io,
            format!(
                "what the target says of itself cannot be read: {}",
                folder.display()
            ),
        )
        .detail(error.to_string())
    })?;
    let mut found: Vec<String> = names
        .iter()
        .filter_map(|name| name.to_str()?.strip_suffix(ENDING))
        .filter(|name| is_run(name) && target.join(name).is_dir())
        .map(str::to_owned)
        .collect();
    found.sort();
    Ok(found)
}

/// Whether a name is one that [`name_of`] gives: it comes from a folder that anybody can write to.
fn is_run(name: &str) -> bool {
    let expected = "0000-00-00_000000";
    name.len() >= expected.len()
        && name.bytes().zip(expected.bytes()).all(|(b, e)| match e {
            b'0' => b.is_ascii_digit(),
            _ => b == e,
        })
        && name[expected.len()..]
            .bytes()
            .all(|b| b == b'-' || b.is_ascii_digit())
}

/// The newest run that has ended, or the one that was broken off when there is no other.
pub(crate) fn newest(target: &Path) -> Result<Option<Layout>, ErrorInfo> {
    if let Some(name) = runs(target)?.pop() {
        return Ok(Some(finished(target, &name)));
    }
    let broken_off = unfinished(target);
    Ok(broken_off.journal.exists().then_some(broken_off))
}

/// The run before, with what is in it: unchanged files are linked to it. One whose manifest is damaged
/// links nothing.
pub(crate) fn previous(target: &Path) -> Result<Option<(Layout, Entries)>, ErrorInfo> {
    let Some(name) = runs(target)?.pop() else {
        return Ok(None);
    };
    let layout = finished(target, &name);
    let mut entries = Entries::new();
    match manifest::read(&layout.manifest, &mut entries) {
        Ok(Some(_)) => Ok(Some((layout, entries))),
        Ok(None) => Ok(None),
        Err(error) => {
            tracing::warn!(%error, "nothing is linked to the run before");
            Ok(None)
        }
    }
}

/// The folder of a run that began then; another one when that is taken.
pub(crate) fn name_of(target: &Path, began: DateTime) -> String {
    let plain = began.strftime("%Y-%m-%d_%H%M%S").to_string();
    let mut name = plain.clone();
    let mut number = 2;
    while target.join(&name).exists() {
        name = format!("{plain}-{number}");
        number += 1;
    }
    name
}

/// Where the manifest of a run stands.
pub(crate) fn manifest_of(target: &Path, name: &str) -> Layout {
    finished(target, name)
}

/// Removes the runs that are too many, as far as they are ours; what others put there stays, and is told.
pub(crate) fn retain(target: &Path, keep: u32) -> Result<Vec<BackupProblem>, ErrorInfo> {
    let mut folders = Vec::new();
    for name in runs(target)? {
        // One that cannot be read counts for nothing, and is left alone.
        if let Ok(Some(header)) = manifest::header(&finished(target, &name).manifest) {
            let whole = header.incomplete == 0;
            folders.push(RunFolder { name, whole });
        }
    }
    let mut problems = Vec::new();
    for name in to_remove(&folders, keep) {
        let mut trouble = |why, detail| {
            let path = name.clone();
            problems.push(BackupProblem { path, why, detail });
        };
        let layout = finished(target, &name);
        let mut entries = Entries::new();
        if let Err(error) = manifest::read(&layout.manifest, &mut entries) {
            trouble(Obstacle::Damaged, Some(error.to_string()));
            continue;
        }
        match remove_run(&layout, &entries) {
            Ok(true) => {}
            Ok(false) => trouble(Obstacle::InTheWay, None),
            Err(error) => trouble(obstacle(&error), Some(error.to_string())),
        }
    }
    Ok(problems)
}

/// Whether nothing of the folder is left.
fn remove_run(layout: &Layout, entries: &Entries) -> std::io::Result<bool> {
    let of = |wanted: fn(&Entry) -> bool| {
        let found = entries.iter().rev();
        found.filter_map(move |(name, held)| wanted(&held.entry).then_some(name))
    };
    for name in of(|entry| matches!(entry, Entry::File { .. })) {
        remove_ours(&layout.root, name)?;
    }
    for name in of(|entry| matches!(entry, Entry::Folder)) {
        // What is not empty holds something of others.
        let _ = fs::remove_dir(name.below(&layout.root));
    }
    let empty = fs::remove_dir(&layout.root).is_ok() || !layout.root.exists();
    // Once the files are gone it says nothing true any more.
    files::remove(&layout.manifest)?;
    Ok(empty)
}

/// Removes a file that we have put there, through no link that others have.
pub(crate) fn remove_ours(root: &Path, name: &Name) -> std::io::Result<()> {
    let path = name.below(root);
    match fs::symlink_metadata(&path) {
        Ok(metadata) if metadata.is_file() && parents_are_folders(root, &path) => {
            files::remove(&path)
        }
        _ => Ok(()),
    }
}

/// Whether every folder on the way is one, and no link to elsewhere.
pub(crate) fn parents_are_folders(root: &Path, path: &Path) -> bool {
    let mut folder = path.parent();
    while let Some(here) = folder {
        if here == root {
            return true;
        }
        if !fs::symlink_metadata(here).is_ok_and(|metadata| metadata.is_dir()) {
            return false;
        }
        folder = here.parent();
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_is_known_by_its_date() {
        let folder = tempfile::tempdir().unwrap();
        let began = jiff::civil::date(2025, 10, 11).at(10, 34, 5, 0);
        let name = name_of(folder.path(), began);
        assert_eq!(name, "2025-10-11_103405");
        fs::create_dir(folder.path().join(&name)).unwrap();
        let second = name_of(folder.path(), began);
        assert_eq!(second, "2025-10-11_103405-2");
        assert!(is_run(&name) && is_run(&second) && second > name);
        for odd in [
            "",
            "unfinished",
            "2025-10-11",
            "2025-10-11_103405/..",
            "2025-10-11_1034é5",
        ] {
            assert!(!is_run(odd), "{odd}");
        }
    }
}
