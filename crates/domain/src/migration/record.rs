//! The flight recorder: everything done during the migration, in order, with before and after.

use serde::{Deserialize, Serialize};

use super::{Evidence, Found, StepId, Words};
use crate::Timestamp;

/// What was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
#[serde(rename_all = "snake_case")]
pub enum RecordAction {
    /// It was measured.
    Check,
    /// It was asked what doing it would do.
    Preview,
    /// It was done.
    Run,
    /// It was taken back.
    Undo,
    /// Its way back was tried, and everything put as it was.
    Drill,
    /// It was left out.
    Skip,
    /// It was taken in again.
    Unskip,
    /// A person said that it holds.
    Attest,
    /// The plan was changed.
    Edit,
}

/// What came of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
#[serde(rename_all = "snake_case")]
pub enum RecordOutcome {
    /// It has begun; its end is an entry of its own.
    Begun,
    /// It was done.
    Done,
    /// Measured: it holds.
    Proved,
    /// It failed, or does not hold.
    Failed,
    /// It could not be measured.
    Unknown,
    /// It was not begun.
    Refused,
    /// Somebody ended it.
    Cancelled,
    /// The program ended in the middle of it.
    Interrupted,
    /// It was taken up again after the program had ended.
    Resumed,
}

impl From<Found> for RecordOutcome {
    fn from(found: Found) -> Self {
        match found {
            Found::Proved => Self::Proved,
            Found::Failed => Self::Failed,
            Found::Unknown => Self::Unknown,
        }
    }
}

/// One entry. Entries are only ever added.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
pub struct RecordEntry {
    /// When.
    #[cfg_attr(feature = "specta", specta(type = String))]
    pub at: Timestamp,
    /// Of which step; `None` where the plan is meant.
    pub step: Option<StepId>,
    /// What.
    pub action: RecordAction,
    /// What came of it.
    pub outcome: RecordOutcome,
    /// Who, where a person said so.
    pub by: Option<String>,
    /// What there is to say, in the program's words.
    pub says: Vec<Words>,
    /// What there is to say, in somebody else's.
    pub detail: Option<String>,
    /// How things were.
    pub before: Vec<Evidence>,
    /// How they were afterwards.
    pub after: Vec<Evidence>,
}

/// Most values of one side.
const MAX_VALUES: usize = 200;
/// Longest value in characters.
const MAX_CHARS: usize = 8_000;

impl RecordEntry {
    /// An entry with nothing said yet.
    pub fn new(
        at: Timestamp,
        step: Option<StepId>,
        action: RecordAction,
        outcome: RecordOutcome,
    ) -> Self {
        Self {
            at,
            step,
            action,
            outcome,
            by: None,
            says: Vec::new(),
            detail: None,
            before: Vec::new(),
            after: Vec::new(),
        }
    }

    /// The same, no larger than an entry may be; what was cut says so.
    #[must_use]
    pub fn bounded(mut self) -> Self {
        for side in [&mut self.before, &mut self.after] {
            let more = side.len().saturating_sub(MAX_VALUES);
            side.truncate(MAX_VALUES);
            for piece in side.iter_mut() {
                shorten(&mut piece.value);
            }
            if more > 0 {
                side.push(Evidence::new("left_out", more));
            }
        }
        self.detail.iter_mut().for_each(shorten);
        self.says.truncate(MAX_VALUES);
        self
    }
}

fn shorten(text: &mut String) {
    if let Some((end, _)) = text.char_indices().nth(MAX_CHARS) {
        text.truncate(end);
        text.push('…');
    }
}
