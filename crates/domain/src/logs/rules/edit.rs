//! Changes of a rules file's text, which leave everything else in it as it is.

use toml_edit::{Datetime, Value};

use super::{RuleDraft, Silence};
use crate::{
    document::{Document, Field, NotToml},
    logs::signature::Blocking,
};

/// The name of the list of rules.
const RULES: &str = "signature";
/// The name of the list of silences.
const SILENCES: &str = "silence";

/// What a rules file begins with when it is first written.
const TEMPLATE: &str = include_str!("template.toml");

/// One change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RulesEdit {
    /// Adds a rule, or changes the one that it takes the place of.
    Save {
        /// The rule.
        draft: Box<RuleDraft>,
        /// Id of the rule whose place it takes.
        replaces: Option<String>,
    },
    /// Takes a rule out, with its silence.
    Remove(String),
    /// Silences a signature, or changes until when.
    Silence(Silence),
    /// Ends a silence.
    Unsilence(String),
}

/// Why a change was not made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EditError {
    /// The text is not TOML.
    #[error("the rules file cannot be edited: {0}")]
    NotToml(#[from] NotToml),
    /// There is no such rule.
    #[error("the rules file has no rule `{0}`")]
    NoRule(String),
    /// It is not silenced.
    #[error("the rules file does not silence `{0}`")]
    NoSilence(String),
    /// The end of a silence cannot be written.
    #[error("`{0}` is no time that a rules file can hold")]
    BadTime(String),
}

/// The text after a change; `None` is a file that does not exist yet. Whether the result is in
/// order is for [`parse`](super::parse) to say.
pub fn edit(text: Option<&str>, change: &RulesEdit) -> Result<String, EditError> {
    let text = text.filter(|text| !text.trim().is_empty());
    let mut document = Document::read(text.unwrap_or(TEMPLATE))?;
    match change {
        RulesEdit::Save { draft, replaces } => save(&mut document, draft, replaces.as_deref())?,
        RulesEdit::Remove(id) => {
            if !document.remove(RULES, id) {
                return Err(EditError::NoRule(id.clone()));
            }
            while document.remove(SILENCES, id) {}
        }
        RulesEdit::Silence(Silence { id, until }) => {
            let whole = jiff::Timestamp::from_second(until.as_second());
            let whole = whole.map_err(|_| EditError::BadTime(until.to_string()))?;
            let time: Datetime = whole
                .to_string()
                .parse()
                .map_err(|_| EditError::BadTime(until.to_string()))?;
            while document.count(SILENCES, id) > 1 {
                document.remove(SILENCES, id);
            }
            let fields = [
                Field::new("id", Some(id.as_str().into())),
                Field::new("until", Some(Value::from(time))),
            ];
            document.upsert(SILENCES, id, &fields);
        }
        RulesEdit::Unsilence(id) => {
            if !document.remove(SILENCES, id) {
                return Err(EditError::NoSilence(id.clone()));
            }
            while document.remove(SILENCES, id) {}
        }
    }
    Ok(document.into_text())
}

fn save(
    document: &mut Document,
    draft: &RuleDraft,
    replaces: Option<&str>,
) -> Result<(), EditError> {
    if let Some(old) = replaces {
        if document.count(RULES, old) == 0 {
            return Err(EditError::NoRule(old.to_owned()));
        }
        if old != draft.id {
            while document.count(SILENCES, old) > 1 {
                document.remove(SILENCES, old);
            }
            if document.count(SILENCES, old) == 1 {
                let id = [Field::new("id", Some(draft.id.as_str().into()))];
                document.upsert(SILENCES, old, &id);
            }
        }
    }
    let text = |text: &str| (!text.trim().is_empty()).then(|| Value::from(text));
    let (severity, blocking) = (draft.severity.as_str(), draft.blocking.as_str());
    let fields = [
        Field::new("id", Some(draft.id.as_str().into())),
        // Blanks at its ends are a part of it.
        Field::new("pattern", Some(draft.pattern.as_str().into())),
        Field::new("severity", Some(severity.into())),
        Field::new("blocking", Some(blocking.into())).implied_if(draft.blocking == Blocking::No),
        Field::new("sample", text(&draft.sample)),
    ];
    // A new rule is added: two of one id are for the reader to refuse.
    let place = replaces.unwrap_or_default();
    document.upsert(RULES, place, &fields);
    let words = [
        Field::new("title", text(&draft.title)),
        Field::new("remedy", text(&draft.remedy)),
    ];
    document.set_inside(RULES, &draft.id, draft.language.key(), &words);
    Ok(())
}
