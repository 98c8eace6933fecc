//! A part as it may be looked at: within limits, its secrets masked.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{
    Format,
    values::{MASK, MAX_DEPTH, secret_name, shown, shown_line},
};

/// Lines that are shown.
pub const MAX_LINES: usize = 5_000;
/// Characters of a line that are shown.
pub const MAX_LINE_CHARS: usize = 2_000;
/// Characters that are shown in all.
pub const MAX_CHARS: usize = 512 * 1024;

/// A text to look at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
pub struct PartText {
    /// Line by line.
    pub text: String,
    /// Something in it is masked.
    pub masked: bool,
    /// It is longer than what is shown.
    pub cut: bool,
    /// Why it is not shown as keys and values, where it should be: the bytes are not what they
    /// should be.
    pub problem: Option<String>,
}

/// The bytes of a part as text without its secrets. Values are written one a line.
pub fn look(format: Format, bytes: &[u8]) -> PartText {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let mut problem = None;
    let lines = match (format, std::str::from_utf8(bytes)) {
        (Format::Json, Ok(text)) => match serde_json::from_str::<Value>(text) {
            Ok(value) => {
                let mut lines = Vec::new();
                pretty(&mut Vec::new(), &value, &mut lines, "");
                lines
            }
            Err(error) => {
                problem = Some(format!("not readable as JSON: {error}"));
                masked_lines(text.lines())
            }
        },
        (_, Ok(text)) => masked_lines(text.lines()),
        (_, Err(error)) => {
            problem = Some(format!("not readable as text: {error}"));
            masked_lines(String::from_utf8_lossy(bytes).lines())
        }
    };
    let mut shown = PartText {
        text: String::new(),
        masked: lines.iter().any(|(_, masked)| *masked),
        cut: lines.len() > MAX_LINES,
        problem,
    };
    let mut left = MAX_CHARS;
    for (line, _) in lines.iter().take(MAX_LINES) {
        let (line, cut) = short(line, MAX_LINE_CHARS.min(left));
        shown.cut |= cut;
        left = left.saturating_sub(line.chars().count() + 1);
        shown.text.push_str(&line);
        shown.text.push('\n');
        if left == 0 {
            shown.cut = true;
            break;
        }
    }
    shown
}

/// The beginning of a line, and whether that is not all.
pub(super) fn short(line: &str, most: usize) -> (String, bool) {
    match line.char_indices().nth(most) {
        Some((end, _)) => (format!("{}…", &line[..end]), true),
        None => (line.to_owned(), false),
    }
}

/// Takes values apart as a comparison does, so that what it masks is masked here.
fn pretty(path: &mut Vec<String>, value: &Value, into: &mut Vec<(String, bool)>, head: &str) {
    let margin = "  ".repeat(path.len());
    let nested = |value: &Value| value.is_object() || value.is_array();
    let deeper: Vec<(String, String, &Value)> = match value {
        Value::Object(map) if !map.is_empty() && path.len() < MAX_DEPTH => map
            .iter()
            .map(|(key, inner)| {
                let head = format!("{}: ", Value::from(key.as_str()));
                (key.clone(), head, inner)
            })
            .collect(),
        Value::Array(items) if items.iter().any(nested) && path.len() < MAX_DEPTH => items
            .iter()
            .enumerate()
            .map(|(place, inner)| (place.to_string(), String::new(), inner))
            .collect(),
        plain => {
            let (text, masked) = shown(path, plain);
            into.push((format!("{margin}{head}{text}"), masked));
            return;
        }
    };
    let (open, close) = if value.is_object() {
        ("{", "}")
    } else {
        ("[", "]")
    };
    into.push((format!("{margin}{head}{open}"), false));
    for (key, head, inner) in deeper {
        path.push(key);
        pretty(path, inner, into, &head);
        path.pop();
    }
    into.push((format!("{margin}{close}"), false));
}

/// What the lines after one hide.
enum Hidden {
    /// Those that are indented more than this: the text of a key whose name says that it is a secret.
    Deeper(usize),
    /// The next one: the value of an option.
    Next,
    /// Those up to the end of a key.
    ToEnd,
}

/// Lines without their secrets, and which of them were touched. Unlike one line alone, their order
/// tells of values that stand below their names.
pub(super) fn masked_lines<'a>(lines: impl Iterator<Item = &'a str>) -> Vec<(String, bool)> {
    let mut hidden = None;
    lines
        .map(|line| {
            let indent = line.len() - line.trim_start().len();
            let bare = line.trim();
            let hide = match hidden {
                None => false,
                Some(Hidden::Deeper(margin)) if bare.is_empty() || indent > margin => true,
                Some(Hidden::ToEnd) => {
                    if bare.contains("-----END") {
                        hidden = None;
                    }
                    true
                }
                Some(Hidden::Next) => {
                    hidden = None;
                    true
                }
                Some(Hidden::Deeper(_)) => {
                    hidden = None;
                    false
                }
            };
            if hide {
                return if bare.is_empty() {
                    (String::new(), false)
                } else {
                    (format!("{}{MASK}", &line[..indent]), true)
                };
            }
            hidden = hides(bare, indent);
            shown_line(line)
        })
        .collect()
}

/// What a line says of those below it.
fn hides(bare: &str, indent: usize) -> Option<Hidden> {
    if bare.contains("-----BEGIN") && bare.contains("PRIVATE KEY") && !bare.contains("-----END") {
        return Some(Hidden::ToEnd);
    }
    let item = bare.strip_prefix("- ").unwrap_or(bare);
    let word = item.trim_matches([' ', ',', '"', '\'']);
    if let Some(option) = word.strip_prefix("--") {
        let alone = !option.contains([' ', '=']);
        let name = [option.replace('-', "_")];
        let auth = option == "auth" || option.ends_with("-auth");
        return (alone && (auth || secret_name(&name))).then_some(Hidden::Next);
    }
    let (name, value) = item.split_once(':')?;
    let name = [name.trim_matches([' ', '"', '\'']).to_owned()];
    let value = value.trim();
    // Compose's own section of that name holds names and paths.
    if name[0] == "secrets" {
        return None;
    }
    let below = value.is_empty() || value.starts_with(['|', '>', '&', '!', '#']);
    (below && secret_name(&name)).then_some(Hidden::Deeper(indent))
}
