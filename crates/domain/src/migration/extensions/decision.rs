//! The owner's decisions, as `[[extension]]` of `migration.toml` keeps them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use toml_edit::Value;

use crate::document::Field;

/// What is decided of one extension.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
#[serde(rename_all = "snake_case")]
pub enum DecisionKind {
    /// Custom nodes take its place.
    Adopt,
    /// Nothing has to.
    NotNeeded,
    /// Not decided yet.
    Open,
}

impl DecisionKind {
    /// All of them, in the order in which they are offered.
    pub const ALL: &[Self] = &[Self::Adopt, Self::NotNeeded, Self::Open];

    /// Its word in the file.
    pub fn word(self) -> &'static str {
        match self {
            Self::Adopt => "adopt",
            Self::NotNeeded => "not_needed",
            Self::Open => "open",
        }
    }
}

/// A decision.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
pub struct Decision {
    /// What.
    pub kind: DecisionKind,
    /// The folder of the custom nodes that are adopted.
    pub node: Option<String>,
    /// Why, in the owner's words.
    pub note: Option<String>,
}

/// All of them, by the name of the extension's folder.
pub type Decisions = BTreeMap<String, Decision>;

/// The decision as the fields of its section; what is blank is not said.
pub(in crate::migration) fn fields(extension: &str, decision: &Decision) -> [Field; 4] {
    let own = |value: &Option<String>| {
        let value = value.as_deref().map(str::trim).filter(|v| !v.is_empty());
        value.map(Value::from)
    };
    [
        Field::new("id", Some(extension.into())),
        Field::new("decision", Some(decision.kind.word().into())),
        Field::new("node", own(&decision.node)),
        Field::new("note", own(&decision.note)),
    ]
}
