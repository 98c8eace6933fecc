//! A rule made of one line: its words stay, what varies in it becomes a wildcard.

use super::{
    Language, RuleDraft,
    draft::{self, MAX_ID_CHARS},
};
use crate::logs::{
    LogLevel, level,
    shape::{BAR, HEX, NUMBER, PATH, Piece, SIZE, TEXT, TIME, URL, pieces, shortened},
    signature::{Blocking, Severity},
};

/// Longest pattern in characters; of a longer line the beginning is enough.
const MAX_PATTERN_CHARS: usize = 600;
/// Longest sample in bytes.
const MAX_SAMPLE_BYTES: usize = 2_000;
/// Longest title in bytes.
const MAX_TITLE_BYTES: usize = 100;
/// So many words of a line make an id.
const ID_WORDS: usize = 4;
/// Words that are found in every line, and so name none.
const SHORT_WORD: usize = 3;

/// A draft of a rule that names this line and those of its kind; `None` for a line without text.
/// Its id is one that is not `taken`.
pub fn draft_from_line(
    text: &str,
    language: Language,
    taken: impl Fn(&str) -> bool,
) -> Option<RuleDraft> {
    let sample = shortened(text, MAX_SAMPLE_BYTES);
    let line = sample.trim();
    if line.is_empty() {
        return None;
    }
    let severity = match level::guess(line) {
        LogLevel::Fatal => Severity::Fatal,
        LogLevel::Error => Severity::Error,
        LogLevel::Warning => Severity::Warning,
        _ => Severity::Info,
    };
    Some(RuleDraft {
        id: free_id(line, taken),
        pattern: pattern(line),
        severity,
        blocking: Blocking::No,
        sample: line.to_owned(),
        language,
        title: shortened(line, MAX_TITLE_BYTES).trim_end().to_owned(),
        remedy: String::new(),
    })
}

/// An expression that matches a line without blanks around it, and its like.
fn pattern(line: &str) -> String {
    let mut out = String::from(r"^\s*");
    let mut length = out.len();
    let mut read = 0;
    let (mut path, mut url) = (false, false);
    for piece in pieces(line) {
        let (taken, part) = match piece {
            Piece::Blank(blank) => {
                read += blank.len();
                if !out.ends_with(r"\s+") {
                    out.push_str(r"\s+");
                    length += 3;
                }
                continue;
            }
            Piece::Words(words) => (words, regex::escape(words)),
            // The first of each is shown beside the message, under its name.
            Piece::Varying(PATH, text) if !std::mem::replace(&mut path, true) => {
                (text, r"(?P<path>\S+)".to_owned())
            }
            Piece::Varying(URL, text) if !std::mem::replace(&mut url, true) => {
                (text, r"(?P<url>\S+)".to_owned())
            }
            Piece::Varying(placeholder, text) => (text, wildcard(placeholder, text)),
        };
        let chars = part.chars().count();
        if length + chars > MAX_PATTERN_CHARS {
            break;
        }
        out.push_str(&part);
        length += chars;
        read += taken.len();
    }
    if read == line.len() {
        out.push_str(r"\s*$");
    }
    out
}

/// What matches a piece and others of its kind.
fn wildcard(placeholder: &str, text: &str) -> String {
    match placeholder {
        NUMBER => r"\d(?:[\d.,:x]|e[+-])*",
        TIME => r"\d(?:[\d.,:x/TZ+-]|e[+-])*(?: ?(?:\d[\d:.,+Z]*|[a-zµ]+))?",
        SIZE => r"\d(?:[\d.,:x]|e[+-])* ?[A-Za-z]+",
        HEX => r"(?:0x)?[0-9A-Fa-f-]+",
        BAR => r"\|[^|]*\|",
        TEXT if text.starts_with('\'') => "'.*?'",
        TEXT => "\".*?\"",
        _ => r"\S+",
    }
    .to_owned()
}

/// An id of the line's first telling words, with a number where it is taken.
fn free_id(line: &str, taken: impl Fn(&str) -> bool) -> String {
    let words = words(line);
    let mut stem = String::from("own");
    for (place, word) in words.iter().enumerate() {
        let joint = if place == 0 { '.' } else { '-' };
        if stem.len() + 1 + word.len() > MAX_ID_CHARS - 8 {
            break;
        }
        stem.push(joint);
        stem.push_str(word);
    }
    if stem == "own" {
        stem.push_str(".line");
    }
    let used = |id: &str| taken(id) || draft::is_built_in(id);
    if !used(&stem) {
        return stem;
    }
    (2..=u32::MAX)
        .map(|number| format!("{stem}-{number}"))
        .find(|id| !used(id))
        .unwrap_or(stem)
}

/// The first words of a line that are no numbers, paths or the like, in small ASCII letters.
fn words(line: &str) -> Vec<String> {
    let mut plain = String::new();
    for piece in pieces(line) {
        plain.push_str(match piece {
            Piece::Words(words) => words,
            Piece::Blank(_) | Piece::Varying(..) => " ",
        });
    }
    let words: Vec<String> = plain
        .split(|c: char| !c.is_alphanumeric())
        .filter(|word| word.is_ascii() && word.starts_with(|c: char| c.is_ascii_alphabetic()))
        .map(str::to_ascii_lowercase)
        .collect();
    let long = words.iter().filter(|word| word.len() > SHORT_WORD);
    let telling: Vec<String> = long.take(ID_WORDS).cloned().collect();
    if telling.is_empty() {
        words.into_iter().take(ID_WORDS).collect()
    } else {
        telling
    }
}
