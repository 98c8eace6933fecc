//! Candidates found on the engines, proposed to the admin.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{
    cause::Cause,
    ids::{HostId, ServiceId},
    service::KindId,
};

/// One engine endpoint that was tried.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
pub struct EngineAttempt {
    /// `unix:///var/run/docker.sock`, `npipe:////./pipe/docker_engine`, `tcp://…`.
    pub endpoint: String,
    /// Where it was found: `forgekeeper.toml`, `DOCKER_HOST`, `context NAME`, `default`.
    pub origin: String,
    /// Engine version when it answered.
    pub version: Option<String>,
    /// Why it did not.
    pub cause: Option<Cause>,
    /// The system's words.
    pub detail: Option<String>,
}

/// What a container was recognised by; the window says it in the admin's language.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
#[serde(tag = "by", rename_all = "snake_case")]
pub enum Clue {
    /// A word within its image reference.
    Image {
        /// The reference.
        image: String,
        /// The word.
        word: String,
    },
    /// A word within its command.
    Command {
        /// The word.
        word: String,
    },
    /// An environment variable.
    Environment {
        /// Its name.
        name: String,
    },
    /// A word within a label of its image.
    Label {
        /// Name of the label.
        name: String,
        /// The word.
        word: String,
    },
    /// A word within the name of its compose service.
    Compose {
        /// The word.
        word: String,
    },
    /// A published port, beside stronger clues.
    Port {
        /// Inside the container.
        port: u16,
    },
    /// A published port and nothing else: many other programs use the same one.
    PortAlone {
        /// Inside the container.
        port: u16,
    },
}

impl Clue {
    /// Whether this clue alone is too weak to propose a container without a warning.
    pub fn is_weak(&self) -> bool {
        matches!(self, Clue::PortAlone { .. })
    }
}

impl fmt::Display for Clue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Clue::Image { image, word } => write!(f, "image `{image}` contains `{word}`"),
            Clue::Command { word } => write!(f, "command contains `{word}`"),
            Clue::Environment { name } => write!(f, "environment has `{name}`"),
            Clue::Label { name, word } => write!(f, "label `{name}` contains `{word}`"),
            Clue::Compose { word } => write!(f, "compose service is called `{word}`"),
            Clue::Port { port } => write!(f, "publishes port {port}"),
            Clue::PortAlone { port } => {
                write!(f, "only publishes port {port}, a weak clue")
            }
        }
    }
}

/// A container that looks like an image-generation service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
pub struct Candidate {
    /// Proposed service id.
    pub id: ServiceId,
    /// Recognised kind.
    pub kind: KindId,
    /// Host it was found on.
    pub host: HostId,
    /// Endpoint of its engine.
    pub endpoint: String,
    /// Container name.
    pub container: String,
    /// Image reference.
    pub image: String,
    /// Proposed API address, when a port is published.
    pub api: Option<String>,
    /// GPU ids declared for it.
    pub gpu_device_ids: Vec<String>,
    /// Compose file label.
    pub compose_file: Option<String>,
    /// Whether it runs.
    pub running: bool,
    /// What it was recognised by.
    pub why: Vec<Clue>,
    /// The service that already administers it.
    pub known_as: Option<ServiceId>,
}

/// What a discovery found and tried.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
pub struct DiscoveryReport {
    /// Every endpoint tried.
    pub engines: Vec<EngineAttempt>,
    /// Every candidate found.
    pub candidates: Vec<Candidate>,
}
