//! The models that lie on a disk: found, known by their headers, compared with each other. A file of
//! gigabytes is never read whole unless somebody asks for its hash.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use forgekeeper_domain::{
    Timestamp,
    models::{
        Body, DuplicateGroup, Family, FileForm, FolderId, HeaderFault, ModelKind, Role, duplicates,
        reclaimable,
    },
};
use serde::Serialize;

pub(crate) mod cache;
pub(crate) mod hash;
pub(crate) mod listing;
mod look;
pub(crate) mod places;
#[cfg(test)]
mod tests;
mod walk;

use cache::Cache;
pub use hash::Hashing;
use walk::Found;

use crate::config::local::LocalFolder;

/// A folder to look through.
#[derive(Debug, Clone)]
pub struct Root {
    /// What its files are for; `None` to go by the names of the folders.
    pub id: Option<FolderId>,
    /// Its path on this machine.
    pub here: PathBuf,
    /// Its path inside the container, where it is a container's.
    pub inside: Option<String>,
    /// How links are followed that mean something inside that container alone.
    pub(crate) local: Option<LocalFolder>,
}

impl Root {
    /// A folder that somebody named.
    pub fn named(here: PathBuf) -> Self {
        Self {
            id: None,
            here,
            inside: None,
            local: None,
        }
    }
}

/// Why a file's header is not known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
#[serde(tag = "why", rename_all = "snake_case")]
pub enum NotLooked {
    /// Reading it could run what its author wrote.
    Pickle,
    /// A form that is not read.
    Form,
    /// Only the engine reaches it, and gives files whole or not at all.
    OnlyThroughEngine,
    /// The system refused.
    Refused {
        /// Its words.
        words: String,
    },
}

/// A model file.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
pub struct ModelFile {
    /// Where it is: on this machine, or inside the container where only that is known.
    pub path: String,
    /// Below the folder that was looked through.
    pub name: String,
    /// What its folder is for.
    pub folder: Option<FolderId>,
    /// Length in bytes.
    #[cfg_attr(feature = "specta", specta(type = f64))]
    pub size: u64,
    /// When it was last written.
    #[cfg_attr(feature = "specta", specta(type = Option<String>))]
    pub modified_at: Option<Timestamp>,
    /// By its extension.
    pub form: FileForm,
    /// By its header; unknown where that was not read or says nothing.
    pub kind: ModelKind,
    /// What is wrong with it.
    pub fault: Option<HeaderFault>,
    /// Why its header is not known.
    pub not_looked: Option<NotLooked>,
    /// It is a link.
    pub link: bool,
    /// SHA-256 of all of it, where somebody has computed that.
    pub sha256: Option<String>,
    /// Of some pieces of it.
    #[serde(skip)]
    pub(crate) sample: Option<String>,
    /// The file behind links and other names of it.
    #[serde(skip)]
    pub(crate) identity: String,
}

/// Something that was not looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
pub struct Passed {
    /// Where.
    pub path: String,
    /// Why.
    pub why: PassedWhy,
    /// The system's words, where it has any.
    pub words: String,
}

/// Why something was not looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
#[serde(rename_all = "snake_case")]
pub enum PassedWhy {
    /// A link that leads in a circle, or to a folder that was looked through already.
    Circle,
    /// A link that leads nowhere.
    Dangling,
    /// A link that leads out of what the container shares with this machine.
    Outside,
    /// The system refused.
    Refused,
    /// Deeper, or more, than is looked at.
    TooMuch,
    /// The folder is not there.
    Absent,
    /// Neither this machine nor the engine reaches it.
    Unreachable,
}

/// Files of one kind together.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
pub struct Space {
    /// What they do; `None`: not known.
    pub role: Option<Role>,
    /// For which models; `None`: not known, or for all.
    pub family: Option<Family>,
    /// How many there really are: links and other names of a file are not counted again.
    pub files: u32,
    /// Their length together.
    #[cfg_attr(feature = "specta", specta(type = f64))]
    pub bytes: u64,
}

/// Everything that was found.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
pub struct Inventory {
    /// The folders that were looked through.
    pub folders: Vec<LookedAt>,
    /// The models in them.
    pub files: Vec<ModelFile>,
    /// Space by kind, the largest first.
    pub space: Vec<Space>,
    /// Groups of files with one content; members are numbers of `files`.
    pub duplicates: Vec<DuplicateGroup>,
    /// Bytes that single copies would free.
    #[cfg_attr(feature = "specta", specta(type = f64))]
    pub reclaimable: u64,
    /// All models together, each counted once.
    #[cfg_attr(feature = "specta", specta(type = f64))]
    pub bytes: u64,
    /// Other files beside them.
    pub others: u32,
    /// What was not looked at.
    pub passed: Vec<Passed>,
}

/// A folder that was looked through.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
pub struct LookedAt {
    /// What it is for.
    pub folder: Option<FolderId>,
    /// Its path.
    pub path: String,
    /// Only the engine reaches it: names and lengths are known, nothing else.
    pub through_engine: bool,
}

/// Looks through one folder, remembering in another what it read. Blocks.
pub fn look_through(folder: &Path, memory: &Path) -> Inventory {
    let mut cache = Cache::load(memory);
    let inventory = scan(&[Root::named(folder.to_owned())], &mut cache, &|| false);
    if let Err(error) = cache.save(memory) {
        tracing::warn!(%error, "what was read of models could not be remembered");
    }
    inventory
}

/// Looks through folders. Blocks; headers that were read before and have not changed are not read again.
pub(crate) fn scan(
    roots: &[Root],
    cache: &mut Cache,
    stop: &(dyn Fn() -> bool + Sync),
) -> Inventory {
    let mut passed = Vec::new();
    let mut walked = Vec::new();
    let mut others = 0;
    let mut seen = walk::Seen::default();
    for root in roots {
        others += walk::walk(root, &mut seen, &mut walked, &mut passed, stop);
    }
    let files = look::look(walked, cache, stop);
    let mut inventory = Inventory {
        folders: roots.iter().map(looked_at).collect(),
        files,
        others,
        passed,
        ..Inventory::default()
    };
    inventory.sum_up();
    inventory
}

fn looked_at(root: &Root) -> LookedAt {
    LookedAt {
        folder: root.id,
        path: root.here.display().to_string(),
        through_engine: false,
    }
}

impl Inventory {
    /// Works out space and duplicates anew.
    pub(crate) fn sum_up(&mut self) {
        self.files
            .sort_by(|a, b| (a.folder, &a.path).cmp(&(b.folder, &b.path)));
        let bodies: Vec<Body> = self
            .files
            .iter()
            .map(|file| Body {
                size: file.size,
                sha256: file.sha256.clone(),
                sample: file.sample.clone(),
                file: file.identity.clone(),
            })
            .collect();
        self.duplicates = duplicates(&bodies);
        self.reclaimable = reclaimable(&self.duplicates);
        let mut counted = std::collections::BTreeSet::new();
        let mut space: BTreeMap<(Option<Role>, Option<Family>), (u32, u64)> = BTreeMap::new();
        self.bytes = 0;
        for file in &self.files {
            if !counted.insert(file.identity.as_str()) {
                continue;
            }
            let sum = space.entry((file.kind.role, file.kind.family)).or_default();
            sum.0 += 1;
            sum.1 = sum.1.saturating_add(file.size);
            self.bytes = self.bytes.saturating_add(file.size);
        }
        self.space = space
            .into_iter()
            .map(|((role, family), (files, bytes))| Space {
                role,
                family,
                files,
                bytes,
            })
            .collect();
        self.space
            .sort_by_key(|space| std::cmp::Reverse(space.bytes));
    }
}
