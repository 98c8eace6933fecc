//! The rules as they are in force at one moment.

use std::{collections::BTreeSet, sync::Arc};

use super::RulesFile;
use crate::{Timestamp, logs::signature::SignatureSet};

/// All signatures, and those of them that are silenced now. Without rules of one's own: the
/// built-in ones.
#[derive(Debug, Clone, Default)]
pub struct RulesInForce {
    /// `None` are the built-in ones alone.
    signatures: Option<Arc<SignatureSet>>,
    silenced: BTreeSet<String>,
}

impl RulesInForce {
    /// The rules of a file at a moment.
    pub fn of(file: &RulesFile, now: Timestamp) -> Self {
        let own = !file.rules.is_empty();
        Self {
            signatures: own.then(|| Arc::new(SignatureSet::with_rules(file.rules.clone()))),
            silenced: file.silenced_at(now),
        }
    }

    /// The same signatures at another moment.
    #[must_use]
    pub fn at(&self, file: &RulesFile, now: Timestamp) -> Self {
        Self {
            signatures: self.signatures.clone(),
            silenced: file.silenced_at(now),
        }
    }

    /// All signatures.
    pub fn signatures(&self) -> &SignatureSet {
        match &self.signatures {
            Some(own) => own,
            None => SignatureSet::built_in(),
        }
    }

    /// Whether the signatures are those of other rules, so that only the silences may differ.
    pub fn names_like(&self, other: &Self) -> bool {
        match (&self.signatures, &other.signatures) {
            (None, None) => true,
            (Some(one), Some(other)) => Arc::ptr_eq(one, other),
            _ => false,
        }
    }

    /// What is silenced now.
    pub fn silenced(&self) -> &BTreeSet<String> {
        &self.silenced
    }

    /// Whether a signature is silenced now.
    pub fn is_silenced(&self, id: &str) -> bool {
        self.silenced.contains(id)
    }
}
