//! What can be wrong with the owner's plan.

use serde::{Deserialize, Serialize};

/// The kind of a problem, to decide by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
#[serde(rename_all = "snake_case")]
pub enum PlanFault {
    /// The text is no TOML.
    Syntax,
    /// More text, steps or characters than a plan needs.
    TooLarge,
    /// A field that a plan does not have.
    UnknownField,
    /// A field that has to be there is not.
    Missing,
    /// A value of another type, or a word that is none of those known.
    BadValue,
    /// A name that is no identifier.
    BadId,
    /// A step that the plan does not have.
    UnknownStep,
    /// Two things with one name.
    DoubleId,
    /// Steps that wait for each other.
    Cycle,
    /// A step is skipped and it is not said why.
    ReasonMissing,
    /// No date.
    BadDate,
    /// A character that is no part of a text.
    ControlCharacter,
}

/// What is wrong, where, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
#[error("{}{reason}; {remedy}", line.map(|l| format!("line {l}: ")).unwrap_or_default())]
pub struct PlanProblem {
    /// Line of the text, from 1; `None` where the whole is meant or there is no text.
    pub line: Option<u32>,
    /// What kind.
    pub fault: PlanFault,
    /// What is wrong, in English.
    pub reason: String,
    /// What to do, in English.
    pub remedy: String,
}

impl PlanProblem {
    pub(super) fn new(
        line: Option<u32>,
        fault: PlanFault,
        reason: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        Self {
            line,
            fault,
            reason: reason.into(),
            remedy: remedy.into(),
        }
    }
}

/// A word of the file, short enough for a message and without what could disturb it.
pub(super) fn excerpt(word: &str) -> String {
    const LONGEST: usize = 40;
    let mut short: String = word
        .chars()
        .filter(|c| !crate::markup::is_disturbing(*c))
        .take(LONGEST)
        .collect();
    if word.chars().count() > LONGEST {
        short.push('…');
    }
    short
}
