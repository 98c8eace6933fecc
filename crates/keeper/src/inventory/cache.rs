//! What was read of files before. A file with another length or time is another file.

use std::{collections::HashMap, io, path::Path};

use forgekeeper_domain::models::{HeaderFault, ModelKind};
use serde::{Deserialize, Serialize};

use crate::sys::files;

/// Files that are remembered.
const MAX_FILES: usize = 50_000;
/// Longest file of the cache.
const MAX_BYTES: u64 = 64 * 1024 * 1024;
/// Of the file's form, and of the rules by which headers are read: another one is not believed.
const VERSION: u32 = 1;
const NAME: &str = "models.cache";

/// Which file.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) struct Key {
    pub(crate) path: String,
    pub(crate) size: u64,
    /// Nanoseconds since 1970.
    pub(crate) modified: Option<i128>,
}

/// What was read of it.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Looked {
    pub(crate) kind: ModelKind,
    pub(crate) fault: Option<HeaderFault>,
    /// Why nothing was read; never remembered.
    pub(crate) refused: Option<String>,
    pub(crate) sample: Option<String>,
    pub(crate) sha256: Option<String>,
}

/// What is remembered.
#[derive(Debug, Default)]
pub(crate) struct Cache {
    files: HashMap<Key, Looked>,
    changed: bool,
}

/// As it is written.
#[derive(Serialize, Deserialize)]
struct Written {
    version: u32,
    files: Vec<(Key, Plain)>,
}

/// [`Looked`] in a form that needs no names.
#[derive(Serialize, Deserialize)]
struct Plain {
    kind: ModelKind,
    /// JSON: its form has names.
    fault: Option<String>,
    sample: Option<String>,
    sha256: Option<String>,
}

impl Cache {
    /// What the folder remembers; nothing where it is damaged or of another version.
    pub(crate) fn load(folder: &Path) -> Self {
        let read = files::read_limited(&folder.join(NAME), MAX_BYTES).ok();
        let written = read.and_then(|bytes| postcard::from_bytes::<Written>(&bytes).ok());
        let written = written.filter(|written| written.version == VERSION);
        let files = written.into_iter().flat_map(|written| written.files);
        let files = files.map(|(key, plain)| {
            let looked = Looked {
                kind: plain.kind,
                fault: plain
                    .fault
                    .and_then(|text| serde_json::from_str(&text).ok()),
                refused: None,
                sample: plain.sample,
                sha256: plain.sha256,
            };
            (key, looked)
        });
        Self {
            files: files.collect(),
            changed: false,
        }
    }

    /// Writes it, where something is new.
    pub(crate) fn save(&mut self, folder: &Path) -> io::Result<()> {
        if !self.changed {
            return Ok(());
        }
        let files = self.files.iter().take(MAX_FILES).map(|(key, looked)| {
            let plain = Plain {
                kind: looked.kind,
                fault: looked
                    .fault
                    .as_ref()
                    .and_then(|f| serde_json::to_string(f).ok()),
                sample: looked.sample.clone(),
                sha256: looked.sha256.clone(),
            };
            (key.clone(), plain)
        });
        let written = Written {
            version: VERSION,
            files: files.collect(),
        };
        let bytes = postcard::to_stdvec(&written).map_err(io::Error::other)?;
        files::write_atomic(&folder.join(NAME), &bytes)?;
        self.changed = false;
        Ok(())
    }

    /// A file without a time may have changed unseen.
    pub(super) fn get(&self, key: &Key) -> Option<Looked> {
        key.modified?;
        self.files.get(key).cloned()
    }

    pub(super) fn put(&mut self, key: Key, looked: &Looked) {
        if looked.refused.is_some() || key.modified.is_none() {
            return;
        }
        if self.files.get(&key) != Some(looked) {
            self.files.insert(key, looked.clone());
            self.changed = true;
        }
    }

    pub(super) fn set_sample(&mut self, key: &Key, sample: &str) {
        if key.modified.is_some() {
            let looked = self.files.entry(key.clone());
            // One whose header is not read is remembered for its sample alone.
            looked.or_default().sample = Some(sample.to_owned());
            self.changed = true;
        }
    }

    pub(super) fn set_hash(&mut self, key: &Key, sha256: &str) {
        if key.modified.is_some() {
            self.files.entry(key.clone()).or_default().sha256 = Some(sha256.to_owned());
            self.changed = true;
        }
    }
}
