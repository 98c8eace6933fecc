//! What the owner's plan says of the two services and of the public address: the parts of
//! `migration.toml` that steps work with.

use serde::{Deserialize, Serialize};

use crate::ids::{GpuUuid, ServiceId};

/// The section `[target]`: which service takes over from which, and what is made for it. What is not
/// written is not known, and steps that need it say so.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
pub struct Target {
    /// The Forge service that is replaced.
    pub from: Option<ServiceId>,
    /// The ComfyUI service that takes over.
    pub to: Option<ServiceId>,
    /// The image that the target runs.
    pub image: Option<String>,
    /// The port of the host under which the target answers.
    pub port: Option<u16>,
    /// The card that the target computes on.
    pub gpu: Option<GpuUuid>,
    /// The compose file that is made.
    pub compose_file: Option<String>,
    /// The `extra_model_paths.yaml` that is made.
    pub extra_model_paths: Option<String>,
    /// Forge's folder of models.
    pub models: Option<String>,
    /// For how many days the target carries the work before that is believed; without it
    /// [`STABILITY_DAYS`].
    pub stability_days: Option<u16>,
    /// For how many days the old service stands by; without it [`STANDBY_DAYS`].
    pub standby_days: Option<u16>,
    /// Whether the old service's image goes with it. Without it: where it can be pulled again.
    pub remove_image: Option<bool>,
}

/// Days without an incident that the report asks for.
pub const STABILITY_DAYS: u16 = 5;
/// Days of standby that the report asks for.
pub const STANDBY_DAYS: u16 = 14;
/// More days than this are a mistake.
pub(super) const MAX_DAYS: u16 = 365;

/// The section `[iis]`: the site's rules and the address that is rehearsed first.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
pub struct Iis {
    /// The site's `web.config`.
    pub web_config: Option<String>,
    /// The address that people use; without it that of the service that is replaced.
    pub public_url: Option<String>,
    /// The name of the rule whose address changes.
    pub rule: Option<String>,
    /// The name of the rule of the rehearsal.
    pub rehearsal_rule: Option<String>,
    /// The address of the rehearsal.
    pub rehearsal_url: Option<String>,
}

/// The fields of `[target]`.
pub(super) const TARGET_FIELDS: &[&str] = &[
    "from",
    "to",
    "image",
    "port",
    "gpu",
    "compose_file",
    "extra_model_paths",
    "models",
    "stability_days",
    "standby_days",
    "remove_image",
];
/// The fields of `[iis]`.
pub(super) const IIS_FIELDS: &[&str] = &[
    "web_config",
    "public_url",
    "rule",
    "rehearsal_rule",
    "rehearsal_url",
];
/// Longest text of these sections in characters: paths may be long.
pub(super) const MAX_VALUE_CHARS: usize = 2_000;

impl Target {
    /// Days of stability that are asked for.
    pub fn stability_days(&self) -> u16 {
        self.stability_days.unwrap_or(STABILITY_DAYS)
    }

    /// Days of standby that are asked for.
    pub fn standby_days(&self) -> u16 {
        self.standby_days.unwrap_or(STANDBY_DAYS)
    }

    /// The numbers with their fields, in the order they are written in.
    pub(super) fn numbers(&self) -> [(&'static str, Option<u16>); 3] {
        [
            ("port", self.port),
            ("stability_days", self.stability_days),
            ("standby_days", self.standby_days),
        ]
    }

    /// Whether nothing is said.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// The texts with their fields, in the order they are written in.
    pub(super) fn texts(&self) -> [(&'static str, Option<&str>); 7] {
        [
            ("from", self.from.as_ref().map(ServiceId::as_str)),
            ("to", self.to.as_ref().map(ServiceId::as_str)),
            ("image", self.image.as_deref()),
            ("gpu", self.gpu.as_ref().map(GpuUuid::as_str)),
            ("compose_file", self.compose_file.as_deref()),
            ("extra_model_paths", self.extra_model_paths.as_deref()),
            ("models", self.models.as_deref()),
        ]
    }
}

impl Iis {
    /// Whether nothing is said.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// The texts with their fields, in the order they are written in.
    pub(super) fn texts(&self) -> [(&'static str, Option<&str>); 5] {
        [
            ("web_config", self.web_config.as_deref()),
            ("public_url", self.public_url.as_deref()),
            ("rule", self.rule.as_deref()),
            ("rehearsal_rule", self.rehearsal_rule.as_deref()),
            ("rehearsal_url", self.rehearsal_url.as_deref()),
        ]
    }
}
