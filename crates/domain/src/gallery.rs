//! Everything ever tested: what is looked for, and what is kept.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    generation::{GenerationRecord, GenerationVerdict},
    ids::{JobId, ServiceId},
};

/// What is looked for; a field left out allows everything.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
#[serde(default)]
pub struct GalleryQuery {
    /// Words that all stand in the prompts or the parameter text, in any case.
    pub text: String,
    /// Made by this service.
    pub service: Option<ServiceId>,
    /// Made with a model whose name holds this, in any case.
    pub model: String,
    /// With this outcome.
    pub verdict: Option<GenerationVerdict>,
    /// Begun at or after.
    #[cfg_attr(feature = "specta", specta(type = Option<String>))]
    pub since: Option<Timestamp>,
    /// Begun before.
    #[cfg_attr(feature = "specta", specta(type = Option<String>))]
    pub until: Option<Timestamp>,
    /// Older than this generation: where the last page ended.
    pub after: Option<JobId>,
    /// Most of them; the keeper has a limit of its own.
    pub limit: u32,
}

/// What was found, newest first.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
pub struct GalleryPage {
    /// This page.
    pub records: Vec<GenerationRecord>,
    /// Of all pages.
    pub total: u32,
    /// Whether older ones were found besides.
    pub more: bool,
}

/// What the kept pictures take.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
pub struct GalleryUse {
    /// Generations.
    pub generations: u32,
    /// Pictures.
    pub pictures: u32,
    /// On disk, thumbnails among them.
    pub bytes: f64,
    /// Most that is kept; the oldest pictures go first, those of golden prompts never.
    pub budget_bytes: f64,
    /// What golden prompts hold of it.
    pub golden_bytes: f64,
}
