//! Golden prompts: requests with fixed parameters, what a service made of them, and how two such
//! runs compare.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    generation::{GenerationRecord, GenerationRequest, RequestProblem},
    ids::{JobId, ServiceId},
};

mod compare;
mod table;

pub use compare::{ALIKE, AS_FAST, MUCH_SLOWER, compare, reference, to_compare};
pub use table::csv;

/// Most prompts of a set; a run of so many takes hours.
pub const MAX_PROMPTS: usize = 500;
/// Longest name of a set or prompt, in characters.
pub const MAX_NAME_CHARS: usize = 80;

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

/// What is wrong with a set.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum SetProblem {
    /// No name, one too long, or one of control characters.
    #[error("`{0}` is no name: write 1 to {MAX_NAME_CHARS} printable characters")]
    Name(String),
    /// Two prompts have one name.
    #[error("two prompts are called `{0}`")]
    Twice(String),
    /// None, or too many.
    #[error("a set has 1 to {MAX_PROMPTS} prompts, not {0}")]
    Count(usize),
    /// Nothing can be compared when the seed changes.
    #[error("`{0}` has no fixed seed")]
    Seed(String),
    /// Cannot be sent.
    #[error("`{prompt}`: {problem}")]
    Request {
        /// Which prompt.
        prompt: String,
        /// Why.
        problem: RequestProblem,
    },
}

/// Whether a text can name a set or a prompt.
fn is_name(text: &str) -> bool {
    let count = text.chars().count();
    (1..=MAX_NAME_CHARS).contains(&count)
        && text.trim() == text
        && !text.chars().any(char::is_control)
}

impl GoldenSet {
    /// Refuses what could not be run or compared.
    pub fn check(&self) -> Result<(), SetProblem> {
        let names = self.prompts.iter().map(|prompt| &prompt.name);
        if let Some(bad) = names.chain([&self.name]).find(|name| !is_name(name)) {
            return Err(SetProblem::Name(bad.clone()));
        }
        if !(1..=MAX_PROMPTS).contains(&self.prompts.len()) {
            return Err(SetProblem::Count(self.prompts.len()));
        }
        let mut seen = std::collections::HashSet::new();
        for GoldenPrompt { name, request } in &self.prompts {
            if !seen.insert(name) {
                return Err(SetProblem::Twice(name.clone()));
            }
            if request.seed.is_none() {
                return Err(SetProblem::Seed(name.clone()));
            }
            request.check().map_err(|problem| SetProblem::Request {
                prompt: name.clone(),
                problem,
            })?;
        }
        Ok(())
    }
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

/// Every run of a set, and what to begin a comparison with.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
pub struct GoldenRuns {
    /// Newest first.
    pub runs: Vec<GoldenRun>,
    /// The run that others are measured by.
    pub reference: Option<JobId>,
    /// The run that is measured by it.
    pub candidate: Option<JobId>,
    /// The set was run, and stays as it is as long as a run of it is kept.
    pub frozen: bool,
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

/// Which way a time goes, and how far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
#[serde(rename_all = "snake_case")]
pub enum Pace {
    /// No more apart than two runs of the same thing.
    AsFast,
    /// It took less time.
    Faster,
    /// It took more time.
    Slower,
    /// It took so much more time that somebody should look.
    MuchSlower,
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
    /// That in a word.
    pub pace: Option<Pace>,
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
    /// Whether the candidate may take the reference's place as far as a machine can tell. One
    /// service must still make the same pictures; another program must make all of them.
    pub holds: bool,
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

/// What the candidate is against the reference.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
#[serde(rename_all = "snake_case")]
pub enum GoldenFinding {
    /// Nothing of the reference can be compared.
    #[default]
    Nothing,
    /// Every picture is the same to the pixel.
    Same,
    /// No picture differs by more than noise.
    Alike,
    /// Every prompt gave a picture, and some look different: a regression of one service, and to be
    /// expected between two programs, where only eyes can tell.
    Different,
    /// A prompt that gave a picture in the reference gave none.
    Worse,
}

/// What a comparison comes to.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
pub struct GoldenSummary {
    /// In a word.
    pub finding: GoldenFinding,
    /// The reference.
    pub reference: SideSummary,
    /// The candidate.
    pub candidate: SideSummary,
    /// Prompts both of whose pictures are the same to the pixel.
    pub identical: u32,
    /// Median of [`GoldenRow::slower`].
    pub slower: Option<f64>,
    /// That in a word.
    pub pace: Option<Pace>,
    /// Median of [`Likeness::similarity`].
    pub similarity: Option<f64>,
    /// Votes for the reference, the candidate, equal, neither.
    pub votes: [u32; 4],
}
