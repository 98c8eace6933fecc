//! What a snapshot says: which parts were found, and where their bytes are kept.

use serde::{Deserialize, Serialize};

use super::{PartId, Recipe};
use crate::{Timestamp, ids::ServiceId, service::KindId};

/// The form of a manifest; one of another number is not read.
pub const FORMAT: u32 = 1;

/// Why a snapshot was taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// A day had passed.
    Daily,
    /// Something was about to be changed.
    BeforeAction,
    /// Somebody asked for it.
    OnDemand,
}

/// How the bytes came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
#[serde(rename_all = "snake_case")]
pub enum Via {
    /// A file of this machine.
    Local,
    /// Through the engine, out of the container.
    Container,
    /// The engine's inspect.
    Inspect,
    /// The service's API.
    Api,
}

/// The exact bytes of a part, by their address.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
pub struct Content {
    /// `sha256:…`, or `sealed:…` for what only the keyring's key opens.
    pub address: String,
    /// Length in bytes.
    pub bytes: u32,
    /// The file's mode, where it is one and has one.
    pub mode: Option<u32>,
    /// When the file was last written, where it is one.
    #[cfg_attr(feature = "specta", specta(type = Option<String>))]
    pub modified_at: Option<Timestamp>,
    /// How it was read.
    pub via: Via,
    /// Which key sealed it.
    pub key: Option<String>,
}

/// Why a part could not be read. Not the same as that there is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
#[serde(rename_all = "snake_case")]
pub enum Unread {
    /// The engine does not answer, or does not know the container.
    Engine,
    /// The container does not run, and the part can only be asked of a running one.
    NotRunning,
    /// Not within the time allowed.
    NotInTime,
    /// Longer than what is kept.
    TooLarge,
    /// The system or the engine refused.
    Refused,
    /// What came has not the form that it should have.
    Unexpected,
    /// Nothing tells where it is.
    NoPlace,
    /// The service's API did not answer as it should.
    Api,
}

/// What became of a part.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum ItemState {
    /// Kept on disk.
    Kept(Content),
    /// It may hold secrets and there is no keyring to seal them: not kept beyond this run.
    InMemory(Content),
    /// Looked for and not there.
    Absent,
    /// It may be there and could not be read.
    NotReadable {
        /// Why.
        why: Unread,
        /// In words.
        words: String,
    },
}

impl ItemState {
    /// The bytes, when there are any.
    pub fn content(&self) -> Option<&Content> {
        match self {
            Self::Kept(content) | Self::InMemory(content) => Some(content),
            Self::Absent | Self::NotReadable { .. } => None,
        }
    }
}

/// One file or answer of a snapshot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
pub struct Item {
    /// The part it belongs to.
    pub part: PartId,
    /// Where it was found or looked for; empty when there is no such place.
    pub path: String,
    /// What became of it.
    #[serde(flatten)]
    pub state: ItemState,
}

/// The container at that moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
pub struct ContainerRef {
    /// Full id; a recreated container has another.
    pub id: String,
    /// When it was made.
    #[cfg_attr(feature = "specta", specta(type = Option<String>))]
    pub created_at: Option<Timestamp>,
    /// When it was last started.
    #[cfg_attr(feature = "specta", specta(type = Option<String>))]
    pub started_at: Option<Timestamp>,
    /// Digest of its image.
    pub image_id: String,
    /// Where its workspace is mounted from; `None` when it is not mounted.
    pub workspace: Option<String>,
    /// Other services whose workspace is the same folder.
    pub shared_with: Vec<String>,
}

impl ContainerRef {
    /// Of what inspect says.
    pub fn of(recipe: &Recipe) -> Self {
        Self {
            id: recipe.id.clone(),
            created_at: recipe.created_at,
            started_at: recipe.started_at,
            image_id: recipe.image_id.clone(),
            workspace: super::workspace_of(recipe).map(|mount| mount.source.clone()),
            shared_with: Vec::new(),
        }
    }
}

/// The configuration of a service at one moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
pub struct Snapshot {
    /// [`FORMAT`].
    pub format: u32,
    /// Whose.
    pub service: ServiceId,
    /// What it is.
    pub kind: KindId,
    /// When.
    #[cfg_attr(feature = "specta", specta(type = String))]
    pub taken_at: Timestamp,
    /// Why.
    pub reason: Reason,
    /// The action that it was taken before.
    pub note: Option<String>,
    /// Whether the service was known to be well; `None` when that was not known.
    pub healthy: Option<bool>,
    /// The container; `None` when the engine did not tell.
    pub container: Option<ContainerRef>,
    /// Its parts.
    pub items: Vec<Item>,
}

impl Snapshot {
    /// The items whose bytes are kept on disk.
    pub fn kept(&self) -> impl Iterator<Item = (&Item, &Content)> {
        self.items.iter().filter_map(|item| match &item.state {
            ItemState::Kept(content) => Some((item, content)),
            _ => None,
        })
    }

    /// The items that such a service has and that could not be read. What nothing names, as the
    /// compose file of a container that was made by hand, is not missed.
    pub fn missed(&self) -> impl Iterator<Item = &Item> {
        self.items.iter().filter(|item| {
            matches!(&item.state, ItemState::NotReadable { why, .. }
                if *why != Unread::NoPlace || item.part.part().in_workspace())
        })
    }

    /// Taken while the service was well, with everything read.
    pub fn is_good(&self) -> bool {
        self.healthy == Some(true) && self.missed().next().is_none()
    }
}
