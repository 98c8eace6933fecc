//! Golden prompts: requests with fixed parameters, what a service made of them, and how two such
//! runs compare.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    generation::{GenerationRecord, GenerationRequest},
    ids::{JobId, ServiceId},
};

/// One request of a set.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
pub struct GoldenPrompt {
    /// Its name within the set.
    pub name: String,
    /// Always the same; its seed is fixed.
    pub request: GenerationRequest,
}

/// A named set of golden prompts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
pub struct GoldenSet {
    /// Its name.
    pub name: String,
    /// In order.
    pub prompts: Vec<GoldenPrompt>,
}

/// What one service made of one prompt.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
pub struct GoldenEntry {
    /// The prompt's name.
    pub prompt: String,
    /// The generation, whatever became of it.
    pub record: GenerationRecord,
}

/// A set run on a service, from its first prompt to its last.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
pub struct GoldenRun {
    /// The job that made it.
    pub id: JobId,
    /// Name of the set.
    pub set: String,
    /// On which service.
    pub service: ServiceId,
    /// When it began.
    #[cfg_attr(feature = "specta", specta(type = String))]
    pub started_at: Timestamp,
    /// Whether every prompt was tried; not, when it was cancelled or the program ended.
    pub complete: bool,
    /// In the order of the set.
    pub entries: Vec<GoldenEntry>,
}

/// How far a golden set is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
pub struct GoldenProgress {
    /// Name of the set.
    pub set: String,
    /// The prompt it works on.
    pub prompt: String,
    /// Prompts behind it.
    pub done: u32,
    /// All prompts.
    pub of: u32,
}

/// How alike two pictures are.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
pub struct Likeness {
    /// Every pixel is the same.
    pub identical: bool,
    /// Structural similarity (SSIM) of the brightness, -1 to 1; `None` where the sizes differ. A hint:
    /// two programs make different noise of one seed.
    pub similarity: Option<f64>,
}

/// What was preferred without knowing which is which.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
#[serde(rename_all = "snake_case")]
pub enum Vote {
    /// The reference's picture.
    Reference,
    /// The candidate's picture.
    Candidate,
    /// As good as each other.
    Equal,
    /// Neither is usable.
    Neither,
}

/// A prompt in two runs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
pub struct GoldenRow {
    /// The prompt's name.
    pub prompt: String,
    /// In the reference.
    pub reference: Option<GenerationRecord>,
    /// In the candidate.
    pub candidate: Option<GenerationRecord>,
    /// How alike their first pictures are; `None` where one is missing.
    pub likeness: Option<Likeness>,
    /// Time of the candidate by that of the reference; `None` where one is missing.
    pub slower: Option<f64>,
    /// The vote, where one was given.
    pub vote: Option<Vote>,
}

/// Two runs of one set, side by side.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
pub struct GoldenComparison {
    /// Name of the set.
    pub set: String,
    /// Job of the reference.
    pub reference: JobId,
    /// Job of the candidate.
    pub candidate: JobId,
    /// On which service each ran.
    pub services: [ServiceId; 2],
    /// In the order of the reference.
    pub rows: Vec<GoldenRow>,
    /// What it comes to.
    pub summary: GoldenSummary,
}

/// What one side of a comparison took.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
pub struct SideSummary {
    /// Prompts that gave usable pictures.
    pub proved: u32,
    /// Prompts that did not.
    pub failed: u32,
    /// Median time of those that did, milliseconds.
    pub median_ms: Option<f64>,
    /// Most memory a card had in use meanwhile, bytes.
    pub memory_peak_bytes: Option<f64>,
}

/// What a comparison comes to.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
pub struct GoldenSummary {
    /// The reference.
    pub reference: SideSummary,
    /// The candidate.
    pub candidate: SideSummary,
    /// Prompts both of whose pictures are the same to the pixel.
    pub identical: u32,
    /// Median of [`GoldenRow::slower`].
    pub slower: Option<f64>,
    /// Median of [`Likeness::similarity`].
    pub similarity: Option<f64>,
    /// Votes for the reference, the candidate, equal, neither.
    pub votes: [u32; 4],
}
