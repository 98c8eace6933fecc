//! `forgekeeper.toml`: read with the place, reason and remedy of every error, edited with its
//! comments kept, re-read when it changes.

use std::sync::Arc;

use forgekeeper_domain::{
    backup::BackupSettings,
    error::{ErrorCode, ErrorInfo},
    ids::{HostId, ServiceId},
    service::KindId,
};
use serde::{Deserialize, Serialize};

pub use crate::state::SettingsProblem;

mod check;
mod edit;
mod file;
mod parse;
#[cfg(test)]
mod tests;
mod text;
mod watch;

pub use edit::SettingsEdit;
pub use file::SettingsFile;
pub use parse::{parse, parse_bytes};
pub(crate) use text::text_of;

/// Longest settings file that is read, bytes.
pub const MAX_BYTES: u64 = 1024 * 1024;
/// The machine of this process; implied where nothing else is said.
pub const LOCAL_HOST: &str = "local";
/// Engine of a host that names none.
pub const AUTO_ENGINE: &str = "auto";

/// What the file says, checked.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
pub struct Settings {
    /// The services are a demo host's.
    #[serde(default)]
    pub demo: bool,
    /// Machines, in file order; `local` is added when it is used but not written.
    #[serde(default)]
    pub hosts: Vec<HostSettings>,
    /// Services, in file order.
    #[serde(default)]
    pub services: Vec<ServiceSettings>,
    /// What is kept of everything that was tested. Not on the wire: what is kept says it there.
    #[serde(skip)]
    pub gallery: GallerySettings,
    /// The backup of the project folder. Not on the wire: its state says it there.
    #[serde(skip)]
    pub backup: Option<BackupSettings>,
    /// Where the sources of images are asked about. Not on the wire: nothing there is decided by it.
    #[serde(skip)]
    pub sources: SourcesSettings,
}

/// Where the sources of images are asked about.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SourcesSettings {
    /// Address of the interface; `None`: that of the page that is known.
    pub api: Option<String>,
}

/// What is kept of everything that was tested.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GallerySettings {
    /// Most that pictures and thumbnails take on disk, MiB.
    pub budget_mib: u32,
}

impl Default for GallerySettings {
    fn default() -> Self {
        Self {
            budget_mib: 5 * 1024,
        }
    }
}

/// A machine with an engine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
pub struct HostSettings {
    /// Its id.
    pub id: HostId,
    /// `auto`, an address or `context:NAME`.
    pub engine: String,
}

/// A service to keep.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
pub struct ServiceSettings {
    /// Its id.
    pub id: ServiceId,
    /// What it is.
    pub kind: KindId,
    /// Where it runs.
    pub host: HostId,
    /// Container name.
    pub container: String,
    /// Address of its API; without it the API rung is not measured.
    pub api: Option<String>,
    /// Address under which its users reach it.
    pub public_url: Option<String>,
    /// Index of the card it is meant to use.
    pub declared_gpu: Option<u32>,
    /// Its compose file, on this machine.
    pub compose_file: Option<String>,
    /// Its folder of models and outputs, on this machine.
    pub workspace: Option<String>,
}

/// The settings in force and what is wrong with the file, if anything.
#[derive(Debug, Clone, PartialEq)]
pub struct SettingsSnapshot {
    /// In force: those of the file, or the last good ones while the file is broken.
    pub settings: Arc<Settings>,
    /// What is wrong with the file as it is now.
    pub problem: Option<SettingsProblem>,
    /// Whether the file exists.
    pub exists: bool,
}

/// The file as the settings page shows it.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
pub struct SettingsView {
    /// Where it is.
    pub path: String,
    /// Its text; empty when it does not exist, or cannot be read (then `problem` says why).
    pub text: String,
    /// In force.
    pub settings: Settings,
    /// What is wrong with the text.
    pub problem: Option<SettingsProblem>,
}

impl From<SettingsProblem> for ErrorInfo {
    fn from(problem: SettingsProblem) -> Self {
        let hint = problem.remedy.clone();
        ErrorInfo::new(ErrorCode::Settings, problem.to_string()).hint(hint)
    }
}
