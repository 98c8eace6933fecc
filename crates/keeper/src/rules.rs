//! The user's own rules for logs: a file beside the settings, re-read when it changes, edited with
//! its comments kept. While it is broken, the last good rules stay in force.

use std::sync::Arc;

use forgekeeper_domain::{
    Timestamp,
    logs::{
        LogLine,
        rules::{DraftFault, RuleProblem, RulesInForce},
        signature::Signature,
    },
};
use serde::Serialize;

pub use crate::state::RulesStatus;

mod file;
mod follow;
#[cfg(test)]
mod tests;

pub use file::OwnRules;

/// The rules in force, and how their file is.
#[derive(Debug, Clone)]
pub struct RulesSnapshot {
    /// What lines are named by, and what is silenced.
    pub in_force: Arc<RulesInForce>,
    /// The file.
    pub status: RulesStatus,
}

/// A rule of the user's own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
pub struct OwnRule {
    /// The rule.
    pub signature: Signature,
    /// A line that it matches; may be empty.
    pub sample: String,
}

/// A silence, and whether it lasts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
pub struct SilenceView {
    /// The silenced signature.
    pub id: String,
    /// Until when.
    #[cfg_attr(feature = "specta", specta(type = String))]
    pub until: Timestamp,
    /// Whether that is still to come.
    pub lasts: bool,
}

/// The file as the rules page shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
pub struct RulesView {
    /// Where it is.
    pub path: String,
    /// Whether it exists; without it there are no own rules.
    pub exists: bool,
    /// The rules in force, in the order of the file.
    pub rules: Vec<OwnRule>,
    /// Silences, those that have ended among them.
    pub silences: Vec<SilenceView>,
    /// What is wrong with the file: then the rules above are those it had before.
    pub problems: Vec<RuleProblem>,
    /// What deserves a look but does no harm.
    pub notes: Vec<RuleProblem>,
}

/// What a draft would name among the lines that are held.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
pub struct RuleTest {
    /// Lines looked at.
    pub looked: u32,
    /// How many of them it would name.
    pub count: u32,
    /// The newest of these, oldest first.
    pub samples: Vec<LogLine>,
    /// What keeps it from being a rule.
    pub faults: Vec<DraftFault>,
}
