//! Which extensions there are, what is decided of each, and whether what was adopted is loaded.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::{
    Decision, DecisionKind, Decisions,
    known::{KnownExtension, NodePack, fate_of, known_extensions},
};
use crate::Timestamp;

/// Longest list that is read.
const MAX_EXTENSIONS: usize = 500;

/// An extension as it was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
pub struct Seen {
    /// The name of its folder.
    pub name: String,
    /// Its commit; `None`: not told.
    pub commit: Option<String>,
    /// Since when that commit is in use; `None`: not told.
    #[cfg_attr(feature = "specta", specta(type = Option<String>))]
    pub since: Option<Timestamp>,
    /// Why the commit is not told.
    pub unknown: Option<String>,
}

/// An extension with what takes its place and what is decided.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
pub struct Decided {
    /// As it was found.
    #[serde(flatten)]
    pub seen: Seen,
    /// What the table says; `None`: it does not know the extension.
    pub known: Option<KnownExtension>,
    /// What is decided; `None`: nothing.
    pub decision: Option<Decision>,
}

/// All of them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
pub struct Inventory {
    /// The extensions that there are, by name.
    pub extensions: Vec<Decided>,
    /// Decisions about extensions that there are not (any more).
    pub stray: Vec<String>,
}

/// How many are decided how.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
pub struct Counted {
    /// Custom nodes are adopted for them.
    pub adopted: u32,
    /// Nothing is needed.
    pub not_needed: u32,
    /// Nothing is decided.
    pub open: u32,
}

impl Inventory {
    /// How many are decided how.
    pub fn counted(&self) -> Counted {
        let mut counted = Counted::default();
        for extension in &self.extensions {
            *match extension.decision.as_ref().map(|decision| decision.kind) {
                Some(DecisionKind::Adopt) => &mut counted.adopted,
                Some(DecisionKind::NotNeeded) => &mut counted.not_needed,
                Some(DecisionKind::Open) | None => &mut counted.open,
            } += 1;
        }
        counted
    }

    /// The folders of custom nodes that are adopted, each once.
    pub fn adopted(&self) -> BTreeSet<&str> {
        self.extensions
            .iter()
            .filter_map(|extension| extension.decision.as_ref())
            .filter(|decision| decision.kind == DecisionKind::Adopt)
            .filter_map(|decision| decision.node.as_deref())
            .collect()
    }
}

/// Reads the part of a snapshot that lists checkouts; `None` where it has not the form of one.
pub fn seen_in(part: &[u8]) -> Option<Vec<Seen>> {
    /// As `config::checkouts_json` writes it.
    #[derive(Deserialize)]
    struct Checkout {
        commit: Option<String>,
        #[serde(default)]
        since: Option<Timestamp>,
        unknown: Option<String>,
    }
    let found: BTreeMap<String, Checkout> = serde_json::from_slice(part).ok()?;
    let seen = found.into_iter().take(MAX_EXTENSIONS);
    Some(
        seen.map(|(name, checkout)| Seen {
            name,
            commit: checkout.commit,
            since: checkout.since,
            unknown: checkout.unknown,
        })
        .collect(),
    )
}

/// Puts the extensions together with the table and the decisions.
pub fn inventory(seen: Vec<Seen>, decisions: &Decisions) -> Inventory {
    let there: BTreeSet<&str> = seen.iter().map(|seen| seen.name.as_str()).collect();
    let stray = decisions
        .keys()
        .filter(|name| !there.contains(name.as_str()))
        .cloned()
        .collect();
    let extensions = seen
        .into_iter()
        .map(|seen| Decided {
            known: fate_of(&seen.name).cloned(),
            decision: decisions.get(&seen.name).cloned(),
            seen,
        })
        .collect();
    Inventory { extensions, stray }
}

/// What the server tells of its custom nodes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NodesAnswer {
    /// The folders below `custom_nodes`; `None`: not known.
    pub folders: Option<BTreeSet<String>>,
    /// The classes of nodes with the module they come from; `None`: not known.
    pub classes: Option<BTreeMap<String, String>>,
    /// The folders that bring scripts of the page; `None`: not known.
    pub scripts: Option<BTreeSet<String>>,
}

/// Whether custom nodes that were adopted are there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
#[serde(rename_all = "snake_case")]
pub enum Adoption {
    /// The server offers nodes of it: it is installed and was imported.
    Loaded,
    /// Its folder is there, and the server offers nothing of it: it was not imported, or not yet.
    NotLoaded,
    /// It is not there.
    Missing,
    /// The server could not be asked.
    Unknown,
}

/// Looks for custom nodes by the module that classes come from, by known classes, and by the folder.
pub fn adoption(node: &str, answer: &NodesAnswer) -> Adoption {
    let Some(classes) = &answer.classes else {
        return Adoption::Unknown;
    };
    let same = |folder: &str| folder.eq_ignore_ascii_case(node);
    let module = |module: &str| {
        let folder = module.strip_prefix("custom_nodes.");
        folder.is_some_and(same)
    };
    let known = pack_of(node).map_or(&[][..], |pack| &pack.classes);
    let named = |folders: &Option<BTreeSet<String>>| {
        let mut folders = folders.iter().flatten();
        folders.any(|folder| same(folder))
    };
    if classes.values().any(|m| module(m))
        || known.iter().any(|class| classes.contains_key(class))
        || named(&answer.scripts)
    {
        Adoption::Loaded
    } else if named(&answer.folders) {
        Adoption::NotLoaded
    } else {
        Adoption::Missing
    }
}

/// `owner/name` of the repository of custom nodes; `None`: the table does not know them.
pub fn repository_of(node: &str) -> Option<&'static str> {
    pack_of(node).map(|pack| pack.repository.as_str())
}

fn pack_of(node: &str) -> Option<&'static NodePack> {
    let mut packs = known_extensions().iter().flat_map(|known| &known.nodes);
    packs.find(|pack| pack.name.eq_ignore_ascii_case(node))
}
