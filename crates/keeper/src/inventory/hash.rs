//! Hashes of whole files: computed when somebody asks, and taken over from Forge's own cache.

use std::{
    collections::BTreeMap,
    fs::File,
    io::{self, Read as _},
    path::Path,
};

use forgekeeper_domain::Timestamp;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::{
    Inventory,
    cache::{Cache, Key},
};
use crate::sys::files;

/// Bytes that are read at once.
const AT_ONCE: usize = 1024 * 1024;
/// Longest cache of Forge's that is read.
const MAX_CACHE: u64 = 64 * 1024 * 1024;
/// Entries of it.
const MAX_HASHES: usize = 50_000;

/// How far hashing is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Hashing {
    /// Bytes that are read.
    pub done: u64,
    /// Bytes there are.
    pub of: u64,
}

/// The hash of a whole file; `None` when it was stopped.
pub(crate) fn whole(
    path: &Path,
    tell: &mut dyn FnMut(u64),
    stop: &dyn Fn() -> bool,
) -> io::Result<Option<String>> {
    let mut file = File::open(path)?;
    let mut hash = Sha256::new();
    let mut buffer = vec![0; AT_ONCE];
    loop {
        if stop() {
            return Ok(None);
        }
        let read = file.read(&mut buffer)?;
        if read == 0 {
            return Ok(Some(hex::encode(hash.finalize())));
        }
        hash.update(&buffer[..read]);
        tell(read as u64);
    }
}

/// Hashes every member of a group of likely duplicates, so that the groups are proved or fall apart.
/// False when it was stopped before its end.
pub(crate) fn prove(
    inventory: &mut Inventory,
    cache: &mut Cache,
    tell: &mut dyn FnMut(Hashing),
    stop: &dyn Fn() -> bool,
) -> bool {
    let members = inventory.duplicates.iter().flat_map(|group| &group.members);
    let mut wanted: Vec<usize> = members
        .filter_map(|number| usize::try_from(*number).ok())
        .filter(|number| inventory.files[*number].sha256.is_none())
        .collect();
    wanted.sort_unstable();
    wanted.dedup();
    let mut hashing = Hashing {
        done: 0,
        of: wanted
            .iter()
            .map(|number| inventory.files[*number].size)
            .sum(),
    };
    let mut known: BTreeMap<String, String> = BTreeMap::new();
    let mut ended = true;
    for number in wanted {
        let file = &mut inventory.files[number];
        if let Some(hash) = known.get(&file.identity) {
            file.sha256 = Some(hash.clone());
            hashing.done += file.size;
            tell(hashing);
            continue;
        }
        let mut count = |bytes| {
            hashing.done += bytes;
            tell(hashing);
        };
        match whole(Path::new(&file.path), &mut count, stop) {
            Ok(Some(hash)) => {
                let key = Key {
                    path: file.path.clone(),
                    size: file.size,
                    modified: file.modified_at.map(Timestamp::as_nanosecond),
                };
                cache.set_hash(&key, &hash);
                known.insert(file.identity.clone(), hash.clone());
                file.sha256 = Some(hash);
            }
            Ok(None) => {
                ended = false;
                break;
            }
            Err(error) => {
                let path = &file.path;
                tracing::warn!(%error, path, "a model could not be hashed");
            }
        }
    }
    inventory.sum_up();
    ended
}

/// Hashes that Forge has computed: its `cache.json`, by the sort and name of the file, with the time that
/// the file had then. Newer versions keep them in a database, which is not read.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct ForgeHashes {
    by_name: BTreeMap<String, (f64, String)>,
}

impl ForgeHashes {
    /// From the file in Forge's folder; nothing where there is none.
    pub(crate) fn read(path: &Path) -> Self {
        let bytes = files::read_limited(path, MAX_CACHE).unwrap_or_default();
        Self::parse(&bytes)
    }

    pub(crate) fn parse(bytes: &[u8]) -> Self {
        let all: Value = serde_json::from_slice(bytes).unwrap_or_default();
        let hashes = all.get("hashes").and_then(Value::as_object);
        let entries = hashes.into_iter().flatten().take(MAX_HASHES);
        let good = entries.filter_map(|(name, entry)| {
            let hash = entry.get("sha256")?.as_str()?.to_ascii_lowercase();
            let base = name.rsplit('/').next().unwrap_or(name);
            is_file_hash(&hash, base).then_some(())?;
            Some((name.clone(), (entry.get("mtime")?.as_f64()?, hash)))
        });
        Self {
            by_name: good.collect(),
        }
    }

    /// The hash of a file of this sort, if the file is as old as the hash says.
    pub(crate) fn of(&self, sort: &str, name: &str, modified: Option<Timestamp>) -> Option<&str> {
        let (at, hash) = self.by_name.get(&format!("{sort}/{name}"))?;
        let now = modified?.as_nanosecond() as f64 / 1e9;
        ((now - at).abs() < 1.0).then_some(hash.as_str())
    }
}

/// Whether this can be the hash of a file: one version of Forge hashes the name's text instead.
pub(crate) fn is_file_hash(hash: &str, name: &str) -> bool {
    let good = hash.len() == 64 && hash.bytes().all(|b| b.is_ascii_hexdigit());
    let stem = name.rsplit_once('.').map_or(name, |(stem, _)| stem);
    let of_text =
        |text: &str| hex::encode(Sha256::digest(text.as_bytes())).eq_ignore_ascii_case(hash);
    good && !of_text(name) && !of_text(stem)
}

/// What that version of Forge makes of a name.
#[cfg(test)]
pub(super) fn whole_of_text(text: &str) -> String {
    hex::encode(Sha256::digest(text.as_bytes()))
}
