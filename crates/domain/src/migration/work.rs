//! What is found of a step, what doing it would do, and what doing it did.

use serde::{Deserialize, Serialize};

use super::{Evidence, Words};

/// What a look at a step says. Only `Proved` is green, and only a measurement makes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
#[serde(rename = "StepFound")]
#[serde(rename_all = "snake_case")]
pub enum Found {
    /// It was measured, and it holds.
    Proved,
    /// It was measured, and it does not hold.
    Failed,
    /// It could not be measured: that says nothing, and changes nothing.
    Unknown,
}

/// Evidence of what the plan's file does not say, by which a page knows what to ask for.
const UNSET: &str = "unset";

/// What a look at a step found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
#[serde(rename = "StepFinding")]
pub struct Finding {
    /// The verdict.
    pub found: Found,
    /// Why it is none better, and what to do about it; empty when all is well.
    pub says: Vec<Words>,
    /// What was measured.
    pub evidence: Vec<Evidence>,
}

impl Finding {
    /// Measured, and it holds.
    pub fn proved() -> Self {
        Self::of(Found::Proved)
    }

    /// Measured, and it does not hold, because of this.
    pub fn failed(why: Words) -> Self {
        Self::of(Found::Failed).say(why)
    }

    /// Not measured, because of this.
    pub fn unknown(why: Words) -> Self {
        Self::of(Found::Unknown).say(why)
    }

    /// Not measured, because the plan's file does not say what to look at.
    pub fn unset(section: &str, field: &str) -> Self {
        Self::unknown(unset(section, field)).with(UNSET, format!("{section}.{field}"))
    }

    /// A verdict without words.
    pub fn of(found: Found) -> Self {
        Self {
            found,
            says: Vec::new(),
            evidence: Vec::new(),
        }
    }

    /// Adds a sentence.
    #[must_use]
    pub fn say(mut self, words: Words) -> Self {
        self.says.push(words);
        self
    }

    /// Adds a measured value.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl ToString) -> Self {
        self.evidence.push(Evidence::new(name, value));
        self
    }

    /// Adds a measured value if there is one.
    #[must_use]
    pub fn with_some(self, name: &str, value: Option<impl ToString>) -> Self {
        match value {
            Some(value) => self.with(name, value),
            None => self,
        }
    }

    /// The same, no better than this: it does not hold if another part of it does not.
    #[must_use]
    pub fn and(mut self, other: Self) -> Self {
        self.found = match (self.found, other.found) {
            (Found::Failed, _) | (_, Found::Failed) => Found::Failed,
            (Found::Unknown, _) | (_, Found::Unknown) => Found::Unknown,
            (Found::Proved, Found::Proved) => Found::Proved,
        };
        self.says.extend(other.says);
        self.evidence.extend(other.evidence);
        self
    }
}

/// The sentence for what the plan's file does not say.
pub fn unset(section: &str, field: &str) -> Words {
    Words {
        en: format!("Not set: write `{field}` below `[{section}]` in migration.toml."),
        fr: format!(
            "Non renseigné\u{202f}: écrire `{field}` sous `[{section}]` dans migration.toml."
        ),
    }
}

/// One line of what doing a step would do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
#[serde(rename_all = "snake_case", tag = "is")]
pub enum PreviewLine {
    /// Something that is done, in words.
    Does {
        /// What.
        words: Words,
    },
    /// Something that is found or measured first and changes nothing.
    Looks {
        /// What.
        words: Words,
    },
    /// A command that is run, or a request that is sent.
    Runs {
        /// As it would be typed.
        command: String,
    },
    /// A file that is written.
    Writes {
        /// Where.
        path: String,
        /// What changes in it, as a unified diff; the whole file where there was none.
        diff: String,
    },
}

/// What doing a step, or taking it back, would do. Nothing is changed to find out.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
pub struct StepPreview {
    /// What is done, in order.
    pub lines: Vec<PreviewLine>,
    /// What it interrupts; empty when nobody notices.
    pub interrupts: Vec<Words>,
    /// How it is taken back; `None`: it cannot be.
    pub undo: Option<Words>,
    /// Why it is not done as things are.
    pub refused: Vec<Words>,
    /// The word that has to be typed first, for what cannot be taken back.
    pub confirm: Option<String>,
}

impl StepPreview {
    /// Adds something that is done.
    #[must_use]
    pub fn does(mut self, words: Words) -> Self {
        self.lines.push(PreviewLine::Does { words });
        self
    }

    /// Adds something that is looked at.
    #[must_use]
    pub fn looks(mut self, words: Words) -> Self {
        self.lines.push(PreviewLine::Looks { words });
        self
    }

    /// Adds a command.
    #[must_use]
    pub fn runs(mut self, command: impl Into<String>) -> Self {
        let command = command.into();
        self.lines.push(PreviewLine::Runs { command });
        self
    }

    /// Adds a file.
    #[must_use]
    pub fn writes(mut self, path: impl Into<String>, diff: impl Into<String>) -> Self {
        let (path, diff) = (path.into(), diff.into());
        self.lines.push(PreviewLine::Writes { path, diff });
        self
    }

    /// Adds something that is interrupted.
    #[must_use]
    pub fn interrupts(mut self, words: Words) -> Self {
        self.interrupts.push(words);
        self
    }

    /// Says how it is taken back.
    #[must_use]
    pub fn undone_by(mut self, words: Words) -> Self {
        self.undo = Some(words);
        self
    }

    /// Adds a reason why it is not done.
    #[must_use]
    pub fn refused(mut self, words: Words) -> Self {
        self.refused.push(words);
        self
    }
}

/// What doing a step, or taking it back, did.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
pub struct Deed {
    /// How things were.
    pub before: Vec<Evidence>,
    /// How they are.
    pub after: Vec<Evidence>,
}

impl Deed {
    /// Adds a value of before.
    #[must_use]
    pub fn before(mut self, name: &str, value: impl ToString) -> Self {
        self.before.push(Evidence::new(name, value));
        self
    }

    /// Adds a value of afterwards.
    #[must_use]
    pub fn after(mut self, name: &str, value: impl ToString) -> Self {
        self.after.push(Evidence::new(name, value));
        self
    }
}

/// What becomes of a step that was being done when the program ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
#[serde(rename_all = "snake_case")]
pub enum AfterKill {
    /// Doing it again ends in the same: it is done again.
    Again,
    /// Somebody has to look first: it is told, with what is known.
    Tell,
}
