//! The values of `[target]` and `[iis]` one by one: what each is, and whether a value can be one.

use serde::{Deserialize, Serialize};

use super::{Iis, OwnPlan, Target, Words};
use crate::ids::{GpuUuid, ServiceId};

mod judge;
mod path;

pub(super) use judge::port;
pub use judge::{FieldSaid, KnownService, Surroundings, judge_settings};

/// A value of `[target]` or `[iis]`, by its section and key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
pub enum PlanField {
    /// The Forge service that is replaced.
    #[serde(rename = "target.from")]
    From,
    /// The ComfyUI service that takes over.
    #[serde(rename = "target.to")]
    To,
    /// The image that the target runs.
    #[serde(rename = "target.image")]
    Image,
    /// The port of the host.
    #[serde(rename = "target.port")]
    Port,
    /// The card, or `none`.
    #[serde(rename = "target.gpu")]
    Gpu,
    /// The compose file that is made.
    #[serde(rename = "target.compose_file")]
    ComposeFile,
    /// The `extra_model_paths.yaml` that is made.
    #[serde(rename = "target.extra_model_paths")]
    ExtraModelPaths,
    /// Forge's folder of models.
    #[serde(rename = "target.models")]
    Models,
    /// The site's `web.config`.
    #[serde(rename = "iis.web_config")]
    WebConfig,
    /// The address that people use.
    #[serde(rename = "iis.public_url")]
    PublicUrl,
    /// The rule whose address changes.
    #[serde(rename = "iis.rule")]
    Rule,
    /// The rule of the rehearsal.
    #[serde(rename = "iis.rehearsal_rule")]
    RehearsalRule,
    /// The address of the rehearsal.
    #[serde(rename = "iis.rehearsal_url")]
    RehearsalUrl,
}

/// Every value with its section and key, in the order they are written in.
const FIELDS: &[(PlanField, &str, &str)] = &[
    (PlanField::From, TARGET, "from"),
    (PlanField::To, TARGET, "to"),
    (PlanField::Image, TARGET, "image"),
    (PlanField::Port, TARGET, "port"),
    (PlanField::Gpu, TARGET, "gpu"),
    (PlanField::ComposeFile, TARGET, "compose_file"),
    (PlanField::ExtraModelPaths, TARGET, "extra_model_paths"),
    (PlanField::Models, TARGET, "models"),
    (PlanField::WebConfig, IIS, "web_config"),
    (PlanField::PublicUrl, IIS, "public_url"),
    (PlanField::Rule, IIS, "rule"),
    (PlanField::RehearsalRule, IIS, "rehearsal_rule"),
    (PlanField::RehearsalUrl, IIS, "rehearsal_url"),
];
const TARGET: &str = "target";
const IIS: &str = "iis";

/// What one value is to be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
pub struct Setting {
    /// Which.
    pub field: PlanField,
    /// As it is typed; `None`: nothing is said.
    pub value: Option<String>,
}

impl PlanField {
    /// All of them, in the order they are written in.
    pub fn all() -> impl Iterator<Item = Self> {
        FIELDS.iter().map(|(field, ..)| *field)
    }

    /// The section of the file.
    pub fn section(self) -> &'static str {
        self.row().1
    }

    /// The key below it.
    pub fn key(self) -> &'static str {
        self.row().2
    }

    /// The value of this key in this section.
    pub fn named(section: &str, key: &str) -> Option<Self> {
        let mut rows = FIELDS.iter();
        let row = rows.find(|(_, of, name)| *of == section && *name == key)?;
        Some(row.0)
    }

    fn row(self) -> &'static (PlanField, &'static str, &'static str) {
        // A test finds every value in the table.
        FIELDS
            .iter()
            .find(|(field, ..)| *field == self)
            .unwrap_or(&FIELDS[0])
    }

    /// What a plan says of it.
    pub fn of(self, plan: &OwnPlan) -> Option<String> {
        let OwnPlan {
            target:
                Target {
                    from,
                    to,
                    image,
                    port,
                    gpu,
                    compose_file,
                    extra_model_paths,
                    models,
                    ..
                },
            iis:
                Iis {
                    web_config,
                    public_url,
                    rule,
                    rehearsal_rule,
                    rehearsal_url,
                },
            ..
        } = plan;
        let id = |id: &Option<ServiceId>| id.as_ref().map(ToString::to_string);
        match self {
            Self::From => id(from),
            Self::To => id(to),
            Self::Image => image.clone(),
            Self::Port => port.map(|port| port.to_string()),
            Self::Gpu => gpu.as_ref().map(GpuUuid::to_string),
            Self::ComposeFile => compose_file.clone(),
            Self::ExtraModelPaths => extra_model_paths.clone(),
            Self::Models => models.clone(),
            Self::WebConfig => web_config.clone(),
            Self::PublicUrl => public_url.clone(),
            Self::Rule => rule.clone(),
            Self::RehearsalRule => rehearsal_rule.clone(),
            Self::RehearsalUrl => rehearsal_url.clone(),
        }
    }
}

impl std::fmt::Display for PlanField {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}", self.section(), self.key())
    }
}

impl Setting {
    /// The value without blanks around it; a blank one is none.
    #[must_use]
    pub fn trimmed(mut self) -> Self {
        self.value = self
            .value
            .map(|value| value.trim().to_owned())
            .filter(|value| !value.is_empty());
        self
    }
}

/// A sentence in both languages.
fn words(en: impl Into<String>, fr: impl Into<String>) -> Words {
    Words::both(en, fr)
}

#[cfg(test)]
mod tests;
