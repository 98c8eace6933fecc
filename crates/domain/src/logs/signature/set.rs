//! All signatures in the order of their precedence, fast to ask.

use std::{
    collections::HashMap,
    sync::{Arc, LazyLock, OnceLock},
};

use regex::{Captures, Regex};
use serde::{Deserialize, Serialize};

use super::{Signature, records};
use crate::logs::{
    filter,
    level::behind_level,
    prefilter::{MAX_PATTERNS, Prefilter},
};

/// How much of a line is looked at, in bytes. An API error holds its whole traceback.
const LOOKED_AT: usize = 8 * 1024;
/// Longest kept text of a named group, in bytes.
const MAX_NAME_BYTES: usize = 256;
/// The groups that mean something (`log-catalogue.md` §2).
const GROUPS: &[&str] = &["path", "n", "sec", "size", "name", "code", "url"];

/// A place in a [`SignatureSet`]. It means nothing in another set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
#[serde(transparent)]
pub struct SignatureIndex(u16);

impl SignatureIndex {
    /// The place as a number.
    pub fn get(self) -> usize {
        usize::from(self.0)
    }
}

/// What a named group of a signature found in a line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
pub struct Name {
    /// `path`, `n`, `sec`, `size`, `name`, `code` or `url`.
    pub group: String,
    /// The text found, shortened; hostile until escaped.
    pub value: String,
}

/// A signature with its expression, which is compiled when a line needs it for the first time.
#[derive(Debug)]
struct Entry {
    signature: Signature,
    regex: OnceLock<Option<Regex>>,
}

impl Entry {
    fn new(signature: Signature) -> Arc<Self> {
        Arc::new(Self {
            signature,
            regex: OnceLock::new(),
        })
    }

    fn regex(&self) -> Option<&Regex> {
        self.regex
            .get_or_init(|| filter::expression(&self.signature.pattern).ok())
            .as_ref()
    }
}

/// Signatures in the order of their precedence.
#[derive(Debug)]
pub struct SignatureSet {
    entries: Vec<Arc<Entry>>,
    by_id: HashMap<String, SignatureIndex>,
    prefilter: Prefilter,
}

static BUILT_IN: LazyLock<SignatureSet> = LazyLock::new(|| {
    SignatureSet::of(
        records()
            .map(|(area, record)| Entry::new(Signature::built_in(area, record)))
            .collect(),
    )
});

impl SignatureSet {
    /// The records of the catalogue.
    pub fn built_in() -> &'static Self {
        &BUILT_IN
    }

    /// The user's own rules, then the records of the catalogue. A set has room for 512; what does
    /// not fit is left out of the own rules, and an expression that does not compile never
    /// matches: [`rules::parse`](crate::logs::rules::parse) says both beforehand.
    pub fn with_rules(own: Vec<Signature>) -> Self {
        let built_in = &Self::built_in().entries;
        let room = MAX_PATTERNS.saturating_sub(built_in.len());
        let own = own.into_iter().take(room).map(Entry::new);
        Self::of(own.chain(built_in.iter().map(Arc::clone)).collect())
    }

    fn of(entries: Vec<Arc<Entry>>) -> Self {
        let prefilter = Prefilter::new(entries.iter().map(|e| e.signature.pattern.as_str()));
        let mut by_id = HashMap::new();
        for (entry, place) in entries.iter().zip(0..) {
            // The first of two with one name is the one that matches first.
            by_id
                .entry(entry.signature.id.clone())
                .or_insert(SignatureIndex(place));
        }
        Self {
            entries,
            by_id,
            prefilter,
        }
    }

    /// The first signature that matches a prepared line.
    pub fn find(&self, text: &str) -> Option<&Signature> {
        self.get(self.find_index(text)?)
    }

    /// The place of the first signature that matches a prepared line, or what it says behind its
    /// level: expressions bound to the start of a line know nothing of that.
    pub fn find_index(&self, text: &str) -> Option<SignatureIndex> {
        let text = looked_at(text);
        let found = self.first_of(text);
        let Some(bare) = behind_level(text) else {
            return found;
        };
        let behind = self.first_of(bare);
        match (found, behind) {
            (Some(found), Some(behind)) => Some(found.min(behind)),
            (found, behind) => found.or(behind),
        }
    }

    fn first_of(&self, text: &str) -> Option<SignatureIndex> {
        self.prefilter
            .candidates(text)
            .iter()
            .find(|place| {
                self.entries
                    .get(*place)
                    .and_then(|entry| entry.regex())
                    .is_some_and(|regex| regex.is_match(text))
            })
            .and_then(|place| u16::try_from(place).ok())
            .map(SignatureIndex)
    }

    /// The signature at a place.
    pub fn get(&self, index: SignatureIndex) -> Option<&Signature> {
        self.entries.get(index.get()).map(|entry| &entry.signature)
    }

    /// The place of the signature of that name.
    pub fn index_of(&self, id: &str) -> Option<SignatureIndex> {
        self.by_id.get(id).copied()
    }

    /// What the named groups of a signature find in a line.
    pub fn names(&self, index: SignatureIndex, text: &str) -> Vec<Name> {
        let text = looked_at(text);
        let Some(captures) = self
            .entries
            .get(index.get())
            .and_then(|entry| entry.regex())
            .filter(|regex| regex.captures_len() > 1)
            .and_then(|regex| captures(regex, text))
            .map(|(captures, _)| captures)
        else {
            return Vec::new();
        };
        GROUPS
            .iter()
            .filter_map(|group| {
                let value = captures.name(group)?.as_str();
                Some(Name {
                    group: (*group).to_owned(),
                    value: value[..value.floor_char_boundary(MAX_NAME_BYTES)].to_owned(),
                })
            })
            .collect()
    }

    /// What follows a signature's fixed words in a line: the text of its group `name` where that
    /// ends the line, else what is behind its match.
    pub(crate) fn rest_after<'t>(&self, index: SignatureIndex, text: &'t str) -> Option<&'t str> {
        let text = looked_at(text);
        let (captures, text) = captures(self.entries.get(index.get())?.regex()?, text)?;
        let end = captures.get(0)?.end();
        let name = captures
            .name("name")
            .filter(|name| name.end() == text.len());
        Some(name.map_or(&text[end..], |name| name.as_str()))
    }

    /// All signatures in the order of their precedence.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &Signature> {
        self.entries.iter().map(|entry| &entry.signature)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Names of the signatures that each line is tried against, having no literal to look for.
    #[cfg(test)]
    pub(super) fn without_literal(&self) -> Vec<&str> {
        self.prefilter
            .without_literal()
            .into_iter()
            .map(|place| self.entries[place].signature.id.as_str())
            .collect()
    }
}

/// What an expression finds in a line, or behind its level, and where it looked.
fn captures<'t>(regex: &Regex, text: &'t str) -> Option<(Captures<'t>, &'t str)> {
    let of = |text| regex.captures(text).map(|captures| (captures, text));
    of(text).or_else(|| of(behind_level(text)?))
}

fn looked_at(text: &str) -> &str {
    &text[..text.floor_char_boundary(LOOKED_AT)]
}
