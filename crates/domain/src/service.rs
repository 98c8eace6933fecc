//! Kinds of services: how to recognise one, where its API is, when it is ready.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{container::ContainerSnapshot, discovery::Clue, facts::Busy};

mod comfyui;
mod forge;
mod words;

/// The kinds there are; a new one makes the compiler ask for every answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
#[serde(rename_all = "snake_case")]
pub enum KindId {
    /// Stable Diffusion WebUI Forge, A1111 and their forks.
    Forge,
    /// ComfyUI.
    Comfyui,
}

impl KindId {
    /// As written in `forgekeeper.toml`.
    pub fn as_str(self) -> &'static str {
        match self {
            KindId::Forge => "forge",
            KindId::Comfyui => "comfyui",
        }
    }
}

impl fmt::Display for KindId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Why a container was recognised.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recognition {
    /// Higher wins when two kinds claim a container.
    pub score: u32,
    /// By what.
    pub why: Vec<Clue>,
}

/// What Forgekeeper knows of a kind.
pub trait ServiceKind: fmt::Debug + Sync {
    /// Which kind this is.
    fn id(&self) -> KindId;
    /// Name to show; a proper noun in every language.
    fn label(&self) -> &'static str;
    /// Whether a container is of this kind, and by what.
    fn recognise(&self, container: &ContainerSnapshot) -> Option<Recognition>;
    /// Ports inside the container on which the API may listen, best first.
    fn api_ports(&self) -> &'static [u16];
    /// Path of the request that proves the API.
    fn api_probe_path(&self) -> &'static str;
    /// Supervisor's name of the program in images that have a supervisor.
    fn program(&self) -> Option<&'static str>;
    /// Files inside the container into which known images write what the program says, best first;
    /// the multiplexer of such an image calls the program as the file is called.
    fn log_files(&self) -> &'static [&'static str];
    /// Whether what is seen running leaves lines in the program's log, at its end at the latest.
    fn leaves_lines(&self, busy: &Busy) -> bool;
    /// Words of the log line after which the API answers.
    fn ready_log_line(&self) -> &'static str;
    /// Seconds a start takes on the slowest usual machine, before any history exists.
    fn usual_start_s(&self) -> u32;
}

/// Every kind, in display order.
pub const KINDS: &[&dyn ServiceKind] = &[&forge::Forge, &comfyui::Comfyui];

/// The row of a kind.
pub fn kind(id: KindId) -> &'static dyn ServiceKind {
    match id {
        KindId::Forge => &forge::Forge,
        KindId::Comfyui => &comfyui::Comfyui,
    }
}

/// The best match among all kinds; between equals the first in display order.
pub fn recognise(container: &ContainerSnapshot) -> Option<(KindId, Recognition)> {
    KINDS
        .iter()
        .rev()
        .filter_map(|kind| kind.recognise(container).map(|found| (kind.id(), found)))
        .max_by_key(|(_, found)| found.score)
}

#[cfg(test)]
mod tests;
