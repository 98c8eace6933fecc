//! What each line of a log is: a known message, a part of a traceback, or neither.
//!
//! A traceback (`log-catalogue.md` §1) is named by its cause line. Its frames quote source text,
//! whose words mean nothing, so that nothing in them is looked for.

use std::sync::LazyLock;

use regex::Regex;
use serde::{Deserialize, Serialize};

use super::{
    LogStream, level,
    prepare::PreparedLine,
    signature::{SignatureIndex, SignatureSet},
};

/// Programs whose place in a traceback is remembered; the one longest unheard gives way.
const MAX_PROGRAMS: usize = 64;
/// A longer block is no traceback.
const MAX_BLOCK_LINES: u32 = 2_000;
/// Lines from elsewhere that a block survives.
const MAX_STRAY_LINES: u32 = 1;
/// Signatures that only introduce another message, which is to be preferred (§14).
const PREFIXES: &[&str] = &["comfy.exception", "api.error"];

/// Which part of a traceback a line is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
#[serde(rename_all = "snake_case")]
pub enum TracePart {
    /// `Traceback (most recent call last):`.
    Head,
    /// A frame, source text, a sentence between two tracebacks, the rule below.
    Body,
    /// The exception and its message.
    Cause,
    /// The same of a traceback that goes on from another: what the program saw in the end. It
    /// takes the place of the cause before.
    LaterCause,
}

impl TracePart {
    /// Whether it is the line of an exception.
    pub fn is_cause(self) -> bool {
        matches!(self, Self::Cause | Self::LaterCause)
    }
}

/// What a line is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Mark {
    /// The known message; never one inside of a frame.
    pub signature: Option<SignatureIndex>,
    /// Its part in a traceback.
    pub trace: Option<TracePart>,
}

/// Follows one log.
#[derive(Debug, Default)]
pub struct Classifier {
    /// The one heard last is last.
    voices: Vec<Voice>,
}

/// One program on one stream: what it writes is not mixed with what others write.
#[derive(Debug)]
struct Voice {
    program: Option<String>,
    stream: LogStream,
    block: Block,
}

/// Where in a traceback a program is.
#[derive(Debug, Clone, Copy, Default)]
enum Block {
    #[default]
    None,
    /// Between the head and the cause.
    Open {
        /// Blanks before the head.
        indent: usize,
        lines: u32,
        stray: u32,
        /// Whether an earlier traceback led to this one.
        later: bool,
    },
    /// The cause has been; another traceback may go on from it.
    Caused { lines: u32 },
    /// The sentence that another one follows has been.
    Continued { lines: u32 },
}

impl Classifier {
    /// At the start of a log.
    pub fn new() -> Self {
        Self::default()
    }

    /// What the next line is.
    pub fn mark(&mut self, signatures: &SignatureSet, line: &PreparedLine) -> Mark {
        let block = self.block(line.program.as_deref(), line.stream);
        // A logger may put its level before the head of a traceback.
        let told = level::behind_level(&line.text).unwrap_or(&line.text);
        let (next, trace) = step(*block, told);
        *block = next;
        let signature = match trace {
            Some(TracePart::Head | TracePart::Body) => None,
            Some(TracePart::Cause | TracePart::LaterCause) => {
                let bare = line.text.trim_start();
                named(signatures, &line.text).or_else(|| named(signatures, bare))
            }
            None => named(signatures, &line.text),
        };
        Mark { signature, trace }
    }

    fn block(&mut self, program: Option<&str>, stream: LogStream) -> &mut Block {
        let known = self
            .voices
            .iter()
            .rposition(|voice| voice.stream == stream && voice.program.as_deref() == program);
        if let Some(at) = known {
            // Most lines come from the program heard last.
            if at + 1 < self.voices.len() {
                self.voices[at..].rotate_left(1);
            }
        } else {
            if self.voices.len() == MAX_PROGRAMS {
                self.voices.remove(0);
            }
            self.voices.push(Voice {
                program: program.map(ToOwned::to_owned),
                stream,
                block: Block::None,
            });
        }
        let last = self.voices.len() - 1;
        &mut self.voices[last].block
    }
}

/// The known message of a line. Where it only introduces another known one, that one.
fn named(signatures: &SignatureSet, text: &str) -> Option<SignatureIndex> {
    let found = signatures.find_index(text)?;
    let introduces = signatures
        .get(found)
        .is_some_and(|signature| PREFIXES.contains(&signature.id.as_str()));
    if !introduces {
        return Some(found);
    }
    signatures
        .rest_after(found, text)
        .and_then(|rest| signatures.find_index(rest))
        .or(Some(found))
}

fn step(block: Block, text: &str) -> (Block, Option<TracePart>) {
    let bare = text.trim_start();
    let indent = text.len() - bare.len();
    if is_head(bare) {
        let (later, lines) = match block {
            Block::Continued { lines } => (true, lines + 1),
            _ => (false, 1),
        };
        let open = Block::Open {
            indent,
            lines,
            stray: 0,
            later,
        };
        return (open, Some(TracePart::Head));
    }
    match block {
        Block::None => (Block::None, None),
        Block::Open { lines, .. } | Block::Caused { lines } | Block::Continued { lines }
            if lines >= MAX_BLOCK_LINES =>
        {
            (Block::None, None)
        }
        Block::Open {
            indent: head,
            lines,
            stray,
            later,
        } => {
            let open = |stray| Block::Open {
                indent: head,
                lines: lines + 1,
                stray,
                later,
            };
            let boxed = bare.starts_with(['│', '╰', '╭']);
            if bare.is_empty() || indent > head || boxed {
                (open(stray), Some(TracePart::Body))
            } else if is_cause(bare) {
                let part = if later {
                    TracePart::LaterCause
                } else {
                    TracePart::Cause
                };
                (Block::Caused { lines: lines + 1 }, Some(part))
            } else if stray < MAX_STRAY_LINES {
                (open(stray + 1), None)
            } else {
                (Block::None, None)
            }
        }
        Block::Caused { lines } => {
            let lines = lines + 1;
            if is_continuation(bare) {
                (Block::Continued { lines }, Some(TracePart::Body))
            } else if bare == "---" {
                (Block::None, Some(TracePart::Body))
            } else {
                // A message may have further lines, and a sentence that goes on comes after them.
                (Block::Caused { lines }, None)
            }
        }
        Block::Continued { lines } => {
            if bare.is_empty() {
                let lines = lines + 1;
                (Block::Continued { lines }, Some(TracePart::Body))
            } else {
                (Block::None, None)
            }
        }
    }
}

/// The head, plain or as the `rich` library draws it.
fn is_head(bare: &str) -> bool {
    const HEAD: &str = "Traceback (most recent call last)";
    bare.starts_with(HEAD)
        || (bare.starts_with('╭') && bare.trim_start_matches(['╭', '─', ' ']).starts_with(HEAD))
}

fn is_continuation(bare: &str) -> bool {
    bare.starts_with("During handling of the above exception")
        || bare.starts_with("The above exception was the direct cause")
}

/// `Name: text` or a bare dotted name, in a place where an exception is awaited.
static CAUSE: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r"^(?:[A-Za-z_][0-9A-Za-z_]*\.)*[A-Z][0-9A-Za-z_]*(?::\s|:?\s*$)").ok()
});

fn is_cause(bare: &str) -> bool {
    CAUSE.as_ref().is_some_and(|cause| cause.is_match(bare))
}

#[cfg(test)]
mod tests;
