//! Known messages: what a line is called, how grave it is, and what to do (`log-catalogue.md`).
//!
//! The records are data in `signatures/*.toml`. Their order, area by area, is their precedence:
//! the first that matches names the line.

use serde::{Deserialize, Serialize};

mod set;

pub use set::{Name, SignatureIndex, SignatureSet};

/// The areas in the order of the catalogue's sections, each with its file.
const AREAS: &[(&str, &str)] = &[
    ("extensions", include_str!("signatures/extensions.toml")),
    ("startup", include_str!("signatures/startup.toml")),
    ("models", include_str!("signatures/models.toml")),
    ("jobs", include_str!("signatures/jobs.toml")),
    ("gpu-memory", include_str!("signatures/gpu-memory.toml")),
    ("cuda", include_str!("signatures/cuda.toml")),
    ("docker", include_str!("signatures/docker.toml")),
    ("image", include_str!("signatures/image.toml")),
    ("network", include_str!("signatures/network.toml")),
    (
        "comfyui-nodes",
        include_str!("signatures/comfyui-nodes.toml"),
    ),
];

/// Whose message it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// Stable Diffusion WebUI Forge.
    Forge,
    /// AUTOMATIC1111's web UI, and what Forge has from it.
    A1111,
    /// ComfyUI.
    Comfyui,
    /// Python and its libraries.
    Python,
    /// PyTorch.
    Torch,
    /// An extension or custom node.
    Ext,
    /// The image and its supervisor.
    Container,
    /// Docker and the container toolkit.
    Docker,
    /// The NVIDIA driver.
    Driver,
    /// Windows Subsystem for Linux.
    Wsl,
    /// A rule of the user.
    Own,
}

/// How grave it is (`log-catalogue.md` §2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Normal life.
    Info,
    /// Works as before; worth a look.
    Warning,
    /// Works, but a part is missing or slower.
    Degraded,
    /// One job or one component failed, the service goes on.
    Error,
    /// The service cannot start or has ended.
    Fatal,
}

impl Severity {
    /// Its word in a file of rules.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Degraded => "degraded",
            Self::Error => "error",
            Self::Fatal => "fatal",
        }
    }
}

/// What it stops (`log-catalogue.md` §2).
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
#[serde(rename_all = "snake_case")]
pub enum Blocking {
    /// No job fails because of it.
    #[default]
    No,
    /// The present job fails; the next may work.
    Job,
    /// No job can run until someone acts.
    Service,
}

impl Blocking {
    /// Its word in a file of rules.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::No => "no",
            Self::Job => "job",
            Self::Service => "service",
        }
    }
}

/// The safe next step that the application itself offers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
#[serde(rename_all = "kebab-case")]
pub enum Remedy {
    /// Restart the program inside its container.
    RestartProgram,
    /// Restart the container.
    RestartContainer,
    /// Disable the extension.
    DisableExtension,
    /// Open the settings.
    OpenSettings,
    /// Free disk space.
    FreeSpace,
}

/// What people read, in one language.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
#[serde(default)]
pub struct Wording {
    /// What happened, at most 60 characters.
    pub title: String,
    /// Why, and what it means for pictures and jobs.
    pub cause: String,
    /// Advice.
    pub remedy: String,
}

/// One known message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
pub struct Signature {
    /// Stable name, such as `oom.torch`.
    pub id: String,
    /// Name of its area: that of its file, or `own`.
    pub area: String,
    /// Whose message.
    pub scope: Scope,
    /// Regular expression, sought anywhere in one prepared line.
    pub pattern: String,
    /// How grave.
    pub severity: Severity,
    /// What it stops.
    pub blocking: Blocking,
    /// The step the application can offer.
    pub action: Option<Remedy>,
    /// Where the wording was read; empty for the user's own rules.
    pub source: String,
    /// English.
    pub en: Option<Wording>,
    /// French.
    pub fr: Option<Wording>,
}

impl Signature {
    /// The wording in a language (`en`, `fr`), else in the other one.
    pub fn wording(&self, language: &str) -> Option<&Wording> {
        let (wanted, other) = if language.starts_with("fr") {
            (&self.fr, &self.en)
        } else {
            (&self.en, &self.fr)
        };
        wanted.as_ref().or(other.as_ref())
    }
}

/// A built-in record as it is written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Record {
    id: String,
    scope: Scope,
    pattern: String,
    severity: Severity,
    blocking: Blocking,
    action: Option<Remedy>,
    source: String,
    #[cfg_attr(not(test), expect(dead_code, reason = "the tests match it"))]
    sample: String,
    #[cfg_attr(not(test), expect(dead_code, reason = "the tests do not match them"))]
    near_miss: Vec<String>,
    en: Wording,
    fr: Wording,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    signature: Vec<Record>,
}

/// All records in the order of their precedence. A file that cannot be read is left out, which a
/// test rules out.
fn records() -> impl Iterator<Item = (&'static str, Record)> {
    AREAS
        .iter()
        .filter_map(|(area, text)| Some((*area, toml::from_str::<File>(text).ok()?)))
        .flat_map(|(area, file)| file.signature.into_iter().map(move |record| (area, record)))
}

impl Signature {
    fn built_in(area: &str, record: Record) -> Self {
        Self {
            id: record.id,
            area: area.to_owned(),
            scope: record.scope,
            pattern: record.pattern,
            severity: record.severity,
            blocking: record.blocking,
            action: record.action,
            source: record.source,
            en: Some(record.en),
            fr: Some(record.fr),
        }
    }
}

/// Every sample and near miss of the built-in records.
#[cfg(test)]
pub(super) fn samples() -> Vec<String> {
    records()
        .flat_map(|(_, record)| record.near_miss.into_iter().chain([record.sample]))
        .collect()
}

#[cfg(test)]
mod tests;
