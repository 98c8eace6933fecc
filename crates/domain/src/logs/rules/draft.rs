//! A rule as it is being written, and what is wrong with it so far.

use regex::Regex;
use serde::{Deserialize, Serialize};

use super::RulesFile;
use crate::logs::{
    LogLine, TracePart, filter,
    prefilter::MAX_PATTERNS,
    signature::{Blocking, Severity, Signature, SignatureSet},
};

/// Longest id in characters.
pub(super) const MAX_ID_CHARS: usize = 64;
/// Longest title in characters; it stands in one row.
const MAX_TITLE_CHARS: usize = 120;
/// Longest advice and sample in characters.
const MAX_TEXT_CHARS: usize = 4_000;

/// The language that a rule's words are written in.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
#[serde(rename_all = "snake_case")]
pub enum Language {
    /// English.
    #[default]
    En,
    /// French.
    Fr,
}

impl Language {
    /// Its key in the file.
    pub fn key(self) -> &'static str {
        match self {
            Self::En => "en",
            Self::Fr => "fr",
        }
    }
}

/// What a form holds of a rule. What the form does not show stays in the file as it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
pub struct RuleDraft {
    /// Stable name, such as `own.tunnel-lost`.
    pub id: String,
    /// Regular expression, sought anywhere in one line.
    pub pattern: String,
    /// How grave.
    pub severity: Severity,
    /// What it stops.
    pub blocking: Blocking,
    /// A line that it must match; may be empty.
    pub sample: String,
    /// The language of the words below.
    pub language: Language,
    /// What happened; may be empty.
    pub title: String,
    /// What to do; may be empty.
    pub remedy: String,
}

/// What keeps a draft from becoming a rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum DraftFault {
    /// The id is none.
    BadId,
    /// Another own rule has this id.
    IdTaken,
    /// A built-in signature has this id.
    IdBuiltIn,
    /// The pattern is no regular expression, or too large a one.
    BadPattern {
        /// Why, in English.
        message: String,
        /// Where in it, in characters from 0, when the place is known.
        at: Option<u32>,
    },
    /// The pattern matches an empty line, and so every line.
    MatchesEverything,
    /// The pattern does not match the sample.
    SampleNotMatched,
    /// The title is too long.
    LongTitle,
    /// Advice or sample are too long.
    LongText,
    /// There is no room for another rule.
    TooMany,
}

impl RuleDraft {
    /// Everything that is wrong with it beside the rules there are. `replaces` names the rule that
    /// it takes the place of.
    pub fn faults(&self, file: &RulesFile, replaces: Option<&str>) -> Vec<DraftFault> {
        let mut faults = Vec::new();
        let others = || {
            file.rules
                .iter()
                .filter(|rule| Some(rule.id.as_str()) != replaces)
        };
        if is_bad_id(&self.id) {
            faults.push(DraftFault::BadId);
        } else if is_built_in(&self.id) {
            faults.push(DraftFault::IdBuiltIn);
        } else if others().any(|rule| rule.id == self.id) {
            faults.push(DraftFault::IdTaken);
        }
        match compiled(&self.pattern) {
            Err(fault) => faults.push(fault),
            Ok(regex) => {
                if !self.sample.is_empty() && !regex.is_match(&self.sample) {
                    faults.push(DraftFault::SampleNotMatched);
                }
            }
        }
        if self.title.chars().count() > MAX_TITLE_CHARS {
            faults.push(DraftFault::LongTitle);
        }
        let long = |text: &str| text.chars().count() > MAX_TEXT_CHARS;
        if long(&self.remedy) || long(&self.sample) {
            faults.push(DraftFault::LongText);
        }
        if others().count() >= MAX_PATTERNS - SignatureSet::built_in().len() {
            faults.push(DraftFault::TooMany);
        }
        faults
    }

    /// The rule as a form shows it in a language.
    pub fn of(rule: &Signature, sample: Option<&str>, language: Language) -> Self {
        let words = match language {
            Language::En => &rule.en,
            Language::Fr => &rule.fr,
        };
        let words = words.clone().unwrap_or_default();
        Self {
            id: rule.id.clone(),
            pattern: rule.pattern.clone(),
            severity: rule.severity,
            blocking: rule.blocking,
            sample: sample.unwrap_or_default().to_owned(),
            language,
            title: words.title,
            remedy: words.remedy,
        }
    }
}

/// Of all these lines, those that a pattern would name. What a frame of a traceback quotes is
/// never named, and neither is a marker.
pub fn matching<'l>(
    pattern: &str,
    lines: impl Iterator<Item = &'l LogLine>,
) -> Result<impl Iterator<Item = &'l LogLine>, DraftFault> {
    let regex = compiled(pattern)?;
    Ok(lines.filter(move |line| {
        line.marker.is_none()
            && !matches!(line.trace, Some(TracePart::Head | TracePart::Body))
            && regex.is_match(&line.text)
    }))
}

pub(super) fn is_bad_id(id: &str) -> bool {
    !id.starts_with(|c: char| c.is_ascii_lowercase())
        || id.len() > MAX_ID_CHARS
        || !id
            .chars()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || ".-_".contains(c))
}

pub(super) fn is_built_in(id: &str) -> bool {
    SignatureSet::built_in().index_of(id).is_some()
}

/// The expression of a pattern that can be used.
pub(super) fn compiled(pattern: &str) -> Result<Regex, DraftFault> {
    let regex = filter::expression(pattern).map_err(|error| DraftFault::BadPattern {
        message: error.message,
        at: error.at,
    })?;
    if regex.is_match("") {
        return Err(DraftFault::MatchesEverything);
    }
    Ok(regex)
}
