//! The user's own rules: signatures in the form of the built-in ones, and what is silenced.
//!
//! ```toml
//! [[signature]]
//! id = "own.tunnel-lost"
//! pattern = 'tunnel connection lost'
//! severity = "warning"
//!
//! [[silence]]
//! id = "torch.load-futurewarning"
//! until = 2026-12-01
//! ```

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::signature::Signature;
use crate::Timestamp;

mod draft;
mod edit;
mod from_line;
mod in_force;
mod moment;
mod read;

pub use draft::{DraftFault, Language, RuleDraft, matching};
pub use edit::{EditError, RulesEdit, edit};
pub use from_line::draft_from_line;
pub use in_force::RulesInForce;
pub use read::parse;

/// What is wrong in a rules file, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
#[error("{}{reason}; {remedy}", line.map(|l| format!("line {l}: ")).unwrap_or_default())]
pub struct RuleProblem {
    /// Line of the file, from 1; `None` where the whole file is meant.
    pub line: Option<u32>,
    /// What is wrong, in English.
    pub reason: String,
    /// What to do, in English.
    pub remedy: String,
}

/// A signature that is no finding until some time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
pub struct Silence {
    /// The signature.
    pub id: String,
    /// Until when. A date is its first moment in UTC.
    #[cfg_attr(feature = "specta", specta(type = String))]
    pub until: Timestamp,
}

/// A rules file that is in order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RulesFile {
    /// The rules in the order of the file.
    pub rules: Vec<Signature>,
    /// The sample line of each rule that has one, by the rule's id.
    pub samples: BTreeMap<String, String>,
    /// What is silenced.
    pub silences: Vec<Silence>,
    /// What deserves a look but does no harm: silences of signatures that do not exist, perhaps
    /// since an update.
    pub notes: Vec<RuleProblem>,
}

impl RulesFile {
    /// Whether a signature is silenced at this moment. It still names its lines.
    pub fn is_silenced(&self, id: &str, now: Timestamp) -> bool {
        self.silences
            .iter()
            .any(|silence| silence.id == id && now < silence.until)
    }

    /// Every signature that is silenced at this moment.
    pub fn silenced_at(&self, now: Timestamp) -> BTreeSet<String> {
        let lasting = self.silences.iter().filter(|silence| now < silence.until);
        lasting.map(|silence| silence.id.clone()).collect()
    }

    /// When the next silence ends.
    pub fn next_end(&self, now: Timestamp) -> Option<Timestamp> {
        let ends = self.silences.iter().map(|silence| silence.until);
        ends.filter(|until| now < *until).min()
    }
}

#[cfg(test)]
mod tests;
