//! Bytes as keys and values.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{Format, look::masked_lines};
use crate::logs::prepare;

/// Deepest nesting that is taken apart; what lies deeper is one value.
pub(super) const MAX_DEPTH: usize = 32;
/// What stands in place of a secret.
pub(super) const MASK: &str = "***";
/// Words in the name of a key whose text is a secret.
const SECRET_WORDS: &[&str] = &[
    "password",
    "passwd",
    "secret",
    "token",
    "api_key",
    "apikey",
    "api-key",
    "credential",
    "private_key",
    "access_key",
];

/// Keys from the outermost inwards, and their values.
pub type Values = BTreeMap<Vec<String>, Value>;

/// What bytes say.
#[derive(Debug, Clone, PartialEq)]
pub enum Reading {
    /// Keys and values.
    Keys(Values),
    /// Lines without their ends.
    Lines(Vec<String>),
    /// Not what they should be; only the bytes can be compared.
    Unreadable(String),
}

/// Reads bytes in their format. A byte order mark and the kind of line ends are no values.
pub fn read(format: Format, bytes: &[u8]) -> Reading {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => return Reading::Unreadable(format!("not readable as text: {error}")),
    };
    match format {
        Format::Json => match serde_json::from_str::<Value>(text) {
            Ok(value) => {
                let mut values = Values::new();
                flatten(&mut Vec::new(), value, &mut values);
                Reading::Keys(values)
            }
            Err(error) => Reading::Unreadable(format!("not readable as JSON: {error}")),
        },
        Format::Env => Reading::Keys(variables(text)),
        Format::Lines => Reading::Lines(text.lines().map(str::to_owned).collect()),
    }
}

/// Lists of plain values are one value; lists of objects are taken apart by place.
fn flatten(path: &mut Vec<String>, value: Value, into: &mut Values) {
    let nested = |value: &Value| value.is_object() || value.is_array();
    match value {
        Value::Object(map) if !map.is_empty() && path.len() < MAX_DEPTH => {
            for (key, inner) in map {
                path.push(key);
                flatten(path, inner, into);
                path.pop();
            }
        }
        Value::Array(items) if items.iter().any(nested) && path.len() < MAX_DEPTH => {
            for (place, inner) in items.into_iter().enumerate() {
                path.push(place.to_string());
                flatten(path, inner, into);
                path.pop();
            }
        }
        value => {
            into.insert(path.clone(), value);
        }
    }
}

/// `NAME=value` lines; the last of a name counts, as for compose.
fn variables(text: &str) -> Values {
    let mut values = Values::new();
    for line in text.lines().map(str::trim) {
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let line = line.strip_prefix("export ").unwrap_or(line);
        let (name, value) = line.split_once('=').unwrap_or((line, ""));
        values.insert(vec![name.trim().to_owned()], Value::from(value.trim()));
    }
    values
}

/// Whether two values are the same. Servers write a number now with and now without its point.
pub(super) fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) if a != b => {
            let whole = |n: &serde_json::Number| n.is_i64() || n.is_u64();
            // Two whole numbers that differ do not become equal by rounding.
            !(whole(a) && whole(b)) && a.as_f64() == b.as_f64()
        }
        (Value::Array(a), Value::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b))
        }
        (a, b) => a == b,
    }
}

/// Whether the text under this key is a secret by the key's name.
pub(super) fn secret_name(key: &[String]) -> bool {
    key.last().is_some_and(|name| {
        let name = name.to_ascii_lowercase();
        SECRET_WORDS.iter().any(|word| name.contains(word))
    })
}

/// A value as it may be shown, and whether something was masked.
pub(super) fn shown(key: &[String], value: &Value) -> (String, bool) {
    match value {
        Value::String(text) if secret_name(key) && !text.is_empty() => (MASK.to_owned(), true),
        // What came out of a list of objects may be named by the key above.
        Value::Array(items) if secret_name(key) && !items.is_empty() => (MASK.to_owned(), true),
        value => {
            let plain = value.to_string();
            // With its name before it: `--api-auth user:password` and `WEB_USER=…` alike.
            let name = key.last().map_or("", String::as_str);
            let line = format!("{name}={plain}");
            let masked = prepare::masked(&line);
            if masked == line {
                (plain, false)
            } else {
                let rest = masked.strip_prefix(&format!("{name}="));
                (rest.unwrap_or(MASK).to_owned(), true)
            }
        }
    }
}

/// A line as it may be shown, and whether something was masked.
pub(super) fn shown_line(line: &str) -> (String, bool) {
    let (name, value) = line.split_once([':', '=']).unwrap_or(("", ""));
    let key = [name.trim().trim_start_matches("- ").to_owned()];
    if secret_name(&key) && !value.trim().is_empty() {
        return (format!("{name}: {MASK}"), true);
    }
    let masked = prepare::masked(line);
    let changed = masked != line;
    (masked, changed)
}

/// Whether bytes hold what has to be sealed.
pub fn holds_secret(format: Format, bytes: &[u8]) -> bool {
    match read(format, bytes) {
        Reading::Keys(values) => values.iter().any(|(key, value)| shown(key, value).1),
        Reading::Lines(lines) => any_masked(lines.iter().map(String::as_str)),
        // Half a file may hold half a secret: by its lines.
        Reading::Unreadable(_) => any_masked(String::from_utf8_lossy(bytes).lines()),
    }
}

fn any_masked<'a>(lines: impl Iterator<Item = &'a str>) -> bool {
    masked_lines(lines).iter().any(|(_, masked)| *masked)
}

/// Whether `NAME=value` holds what has to be sealed, by its name or by its value.
pub fn line_holds_secret(line: &str) -> bool {
    shown_line(line).1
}
