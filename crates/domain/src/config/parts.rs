//! The parts of a snapshot, as a table.

use serde::{Deserialize, Serialize};

use crate::service::KindId;

/// Which part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
#[serde(rename_all = "snake_case")]
pub enum PartId {
    /// The compose file.
    Compose,
    /// The files of variables that compose reads.
    EnvFile,
    /// What the container was made from, without what may be secret.
    Container,
    /// Its environment and command, where passwords and tokens stand.
    Environment,
    /// Forge's `config.json`.
    ForgeConfig,
    /// The settings that Forge moved away because it could not read them.
    ForgeConfigMoved,
    /// The default values of Forge's page.
    ForgeUiConfig,
    /// Forge's styles.
    ForgeStyles,
    /// Forge's extensions with their commits.
    ForgeExtensions,
    /// What Forge's API says of its options.
    ForgeOptions,
    /// Where ComfyUI finds models beside its own folder.
    ComfyPaths,
    /// The settings of ComfyUI's page.
    ComfySettings,
    /// ComfyUI's custom nodes with their commits.
    ComfyNodes,
}

impl PartId {
    /// As in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Compose => "compose",
            Self::EnvFile => "env_file",
            Self::Container => "container",
            Self::Environment => "environment",
            Self::ForgeConfig => "forge_config",
            Self::ForgeConfigMoved => "forge_config_moved",
            Self::ForgeUiConfig => "forge_ui_config",
            Self::ForgeStyles => "forge_styles",
            Self::ForgeExtensions => "forge_extensions",
            Self::ForgeOptions => "forge_options",
            Self::ComfyPaths => "comfy_paths",
            Self::ComfySettings => "comfy_settings",
            Self::ComfyNodes => "comfy_nodes",
        }
    }

    /// Its row.
    pub fn part(self) -> &'static Part {
        // A test finds a row for each.
        PARTS
            .iter()
            .find(|part| part.id == self)
            .unwrap_or(&PARTS[0])
    }
}

/// Where a part is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// The file that the settings or compose's labels name, on this machine.
    ComposeFile,
    /// The files that it reads variables from.
    EnvFiles,
    /// The engine's inspect.
    Inspect,
    /// What inspect says of environment and command.
    InspectSecret,
    /// A file below the program's folder.
    File(&'static str),
    /// Checkouts in a folder below the program's.
    Checkouts(&'static str),
    /// An answer of the service's API.
    Api(&'static str),
}

/// How its bytes are read for a comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// JSON, key by key.
    Json,
    /// `NAME=value` lines.
    Env,
    /// Line by line, as YAML and CSV are.
    Lines,
}

/// One row of [`PARTS`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Part {
    /// Which.
    pub id: PartId,
    /// The kinds that have it; empty for all.
    pub kinds: &'static [KindId],
    /// Where it is found.
    pub source: Source,
    /// How it is read.
    pub format: Format,
    /// It may hold secrets: kept sealed, shown masked.
    pub secret: bool,
    /// Longest that is kept, in bytes.
    pub max_bytes: u32,
}

impl Part {
    /// Whether services of this kind have it.
    pub fn belongs_to(&self, kind: KindId) -> bool {
        self.kinds.is_empty() || self.kinds.contains(&kind)
    }

    /// Whether it lies below the folder that only a mounted workspace keeps.
    pub fn in_workspace(&self) -> bool {
        matches!(self.source, Source::File(_) | Source::Checkouts(_))
    }
}

const KIB: u32 = 1024;
const MIB: u32 = 1024 * 1024;
const FORGE: &[KindId] = &[KindId::Forge];
const COMFY: &[KindId] = &[KindId::Comfyui];

const fn part(
    id: PartId,
    kinds: &'static [KindId],
    source: Source,
    format: Format,
    secret: bool,
    max_bytes: u32,
) -> Part {
    Part {
        id,
        kinds,
        source,
        format,
        secret,
        max_bytes,
    }
}

/// Every part, in the order in which it is shown.
#[rustfmt::skip]
pub const PARTS: &[Part] = &[
    part(PartId::Compose, &[], Source::ComposeFile, Format::Lines, true, MIB),
    part(PartId::EnvFile, &[], Source::EnvFiles, Format::Env, true, 256 * KIB),
    part(PartId::Container, &[], Source::Inspect, Format::Json, false, MIB),
    part(PartId::Environment, &[], Source::InspectSecret, Format::Json, true, MIB),
    part(PartId::ForgeConfig, FORGE, Source::File("config.json"), Format::Json, false, 4 * MIB),
    part(PartId::ForgeConfigMoved, FORGE, Source::File("tmp/config.json"), Format::Json, false, 4 * MIB),
    part(PartId::ForgeUiConfig, FORGE, Source::File("ui-config.json"), Format::Json, false, 8 * MIB),
    part(PartId::ForgeStyles, FORGE, Source::File("styles.csv"), Format::Lines, false, 8 * MIB),
    part(PartId::ForgeExtensions, FORGE, Source::Checkouts("extensions"), Format::Json, false, MIB),
    part(PartId::ForgeOptions, FORGE, Source::Api("/sdapi/v1/options"), Format::Json, false, 4 * MIB),
    part(PartId::ComfyPaths, COMFY, Source::File("extra_model_paths.yaml"), Format::Lines, false, MIB),
    part(PartId::ComfySettings, COMFY, Source::File("user/default/comfy.settings.json"), Format::Json, false, 4 * MIB),
    part(PartId::ComfyNodes, COMFY, Source::Checkouts("custom_nodes"), Format::Json, false, MIB),
];

/// The parts of a kind.
pub fn parts_of(kind: KindId) -> impl Iterator<Item = &'static Part> {
    PARTS.iter().filter(move |part| part.belongs_to(kind))
}
