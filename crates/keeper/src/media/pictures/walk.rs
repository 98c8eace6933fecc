//! What really lies in the folder of pictures.

use std::{
    collections::HashMap,
    fs, io,
    path::{Path, PathBuf},
};

use forgekeeper_domain::Timestamp;
use jiff::SignedDuration;

use super::is_hash;
use crate::sys::files;

/// What is older belongs to nobody who is still at work.
const LEFT_BEHIND_AFTER: SignedDuration = SignedDuration::from_hours(24);
/// How files end that are not whole yet.
const UNFINISHED: &str = "tmp";

/// A picture with its files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundPicture {
    /// Its name.
    pub hash: String,
    /// Picture and thumbnail, bytes.
    pub bytes: u64,
    /// Whether the youngest of its files is older than a day.
    pub is_old: bool,
}

/// Every picture. Files of other names are left alone; what cannot be read is passed over.
pub(super) fn walk(dir: &Path, now: Timestamp) -> io::Result<Vec<FoundPicture>> {
    let mut found: HashMap<String, FoundPicture> = HashMap::new();
    for folder in entries(dir)? {
        // A file among the folders, or a folder that went meanwhile.
        let Ok(files) = entries(&folder) else {
            continue;
        };
        for path in files {
            let Some((bytes, is_old)) = age(&path, now) else {
                continue;
            };
            if path.extension().is_some_and(|ending| ending == UNFINISHED) {
                if is_old && let Err(error) = files::remove(&path) {
                    tracing::warn!(%error, "a leftover among the pictures cannot be removed");
                }
                continue;
            }
            let stem = path.file_stem().and_then(|stem| stem.to_str());
            let Some(hash) = stem.filter(|stem| is_hash(stem)) else {
                continue;
            };
            let picture = found
                .entry(hash.to_owned())
                .or_insert_with(|| FoundPicture {
                    hash: hash.to_owned(),
                    bytes: 0,
                    is_old: true,
                });
            picture.bytes += bytes;
            picture.is_old &= is_old;
        }
    }
    Ok(found.into_values().collect())
}

fn entries(dir: &Path) -> io::Result<impl Iterator<Item = PathBuf>> {
    Ok(fs::read_dir(dir)?.filter_map(|entry| Some(entry.ok()?.path())))
}

/// Size of a file, and whether it was left behind. `None` for what is no file. One without a time is
/// young: nothing is removed on a guess.
fn age(path: &Path, now: Timestamp) -> Option<(u64, bool)> {
    let file = fs::symlink_metadata(path)
        .ok()
        .filter(fs::Metadata::is_file)?;
    let modified = file.modified().ok().map(Timestamp::try_from);
    let is_old = match modified {
        Some(Ok(at)) => now.duration_since(at) > LEFT_BEHIND_AFTER,
        Some(Err(_)) | None => false,
    };
    Some((file.len(), is_old))
}
