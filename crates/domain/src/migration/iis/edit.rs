//! New bytes in which the address of one rule is another, and nothing else.

use std::ops::Range;

use super::{
    Address, Refusal, Source, WebConfig, Why,
    address::{self, Place},
    refusal::line_of,
};

/// A change that was made in memory and read back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edit {
    /// The new file.
    pub bytes: Vec<u8>,
    /// The bytes of the old file that are replaced.
    pub replaced: Range<usize>,
    /// The bytes that stand there instead.
    pub replacement: Vec<u8>,
    /// The address that the rule had.
    pub from: Address,
    /// The address that it has.
    pub to: Address,
    /// The line of the change.
    pub line: u32,
    /// This line before, without its end.
    pub line_before: String,
    /// This line after.
    pub line_after: String,
    /// The change as a unified diff.
    pub diff: String,
}

/// Makes the rule of this name lead to another address. A prefix of the old address stays unless the new one
/// says what it is.
pub fn point(bytes: &[u8], rule: &str, to: &Address) -> Result<Edit, Refusal> {
    let source = Source::read(bytes)?;
    let config = WebConfig::read(&source)?;
    let text = source.text.as_str();
    let (value, place) = place(&config, text, rule)?;
    let (was, end) = match &to.prefix {
        Some(_) => (place.address.clone(), place.prefix.end),
        None => (
            Address {
                prefix: None,
                ..place.address.clone()
            },
            place.origin.end,
        ),
    };
    let at = value.start + place.origin.start..value.start + end;
    let new = to.to_string();
    let line = line_of(text, at.start);
    if was.to_string() == new {
        return Err(Refusal {
            line: Some(line),
            ..Refusal::of(Why::Nothing).what(new)
        });
    }
    let replaced = source.byte_at(at.start)..source.byte_at(at.end);
    let replacement = source.spell(&new);
    let mut changed = Vec::with_capacity(bytes.len() + replacement.len());
    changed.extend_from_slice(&bytes[..replaced.start]);
    changed.extend_from_slice(&replacement);
    changed.extend_from_slice(&bytes[replaced.end..]);
    let changed_text = [&text[..at.start], &new, &text[at.end..]].concat();
    let edit = Edit {
        replaced,
        replacement,
        from: place.address,
        to: to.clone(),
        line,
        line_before: line_at(text, at.start),
        line_after: line_at(&changed_text, at.start),
        diff: diff(text, &changed_text, at.start, line),
        bytes: changed,
    };
    verify(&edit, &config, rule, &changed_text)?;
    Ok(edit)
}

/// The address that a rule leads to.
pub(super) fn address_of(config: &WebConfig, text: &str, rule: &str) -> Result<Address, Refusal> {
    place(config, text, rule).map(|(_, place)| place.address)
}

fn place(config: &WebConfig, text: &str, name: &str) -> Result<(Range<usize>, Place), Refusal> {
    let rule = config.rule(name)?;
    let refusal = |why: Why, what: &str| Refusal {
        line: Some(rule.action.as_ref().map_or(rule.line, |action| action.line)),
        ..Refusal::of(why).what(what)
    };
    let (Some(action), Some(value)) = (&rule.action, &rule.url_at) else {
        return Err(refusal(Why::NoAction, name));
    };
    if !matches!(action.kind.as_str(), "Rewrite" | "Redirect") {
        return Err(refusal(Why::NoAction, name));
    }
    let raw = text.get(value.clone()).unwrap_or_default();
    // Quotes on both sides prove that this is where the value stands.
    let around = (
        text[..value.start].chars().next_back(),
        text[value.end..].chars().next(),
    );
    if !matches!(around, (Some('"'), Some('"')) | (Some('\''), Some('\''))) {
        return Err(refusal(Why::NotVerified, name));
    }
    let place = address::find(raw);
    let place = place.map_err(|why| refusal(why, action.url.as_deref().unwrap_or_default()))?;
    Ok((value.clone(), place))
}

/// Reads the new bytes as IIS will, and expects what was there, but for the one address.
fn verify(edit: &Edit, old: &WebConfig, rule: &str, text: &str) -> Result<(), Refusal> {
    let wrong = || Refusal::of(Why::NotVerified).what(rule);
    let source = Source::read(&edit.bytes)?;
    let mut new = WebConfig::read(&source)?;
    let address = address_of(&new, &source.text, rule)?;
    let wanted_prefix = match &edit.to.prefix {
        Some(prefix) => Some(prefix.clone()).filter(|p| !p.is_empty()),
        None => edit.from.prefix.clone(),
    };
    if source.text != text || address.origin != edit.to.origin || address.prefix != wanted_prefix {
        return Err(wrong());
    }
    let mut old = old.clone();
    for config in [&mut old, &mut new] {
        for rule_of in &mut config.rules {
            if let Some(action) = rule_of.action.as_mut().filter(|_| rule_of.name == rule) {
                action.url = None;
            }
            rule_of.url_at = None;
        }
    }
    if old == new { Ok(()) } else { Err(wrong()) }
}

/// Lines shown around a change.
const CONTEXT: usize = 3;
/// Most characters of a line that are shown before and after a change: some files are one line.
const SHOWN: usize = 200;

/// The line of a place, without its end; of a very long one what stands around the place.
fn line_at(text: &str, at: usize) -> String {
    let start = text[..at].rfind('\n').map_or(0, |end| end + 1);
    let line = text[start..].split('\n').next().unwrap_or_default();
    shown(line, at - start)
}

fn shown(line: &str, at: usize) -> String {
    let line = line.trim_end_matches('\r');
    let (before, after) = line.split_at_checked(at).unwrap_or((line, ""));
    let hidden = before.chars().count().saturating_sub(SHOWN);
    let mut told: String = before.chars().skip(hidden).collect();
    if hidden > 0 {
        told.insert(0, '…');
    }
    told.extend(after.chars().take(SHOWN));
    if after.chars().count() > SHOWN {
        told.push('…');
    }
    told
}

fn diff(old: &str, new: &str, at: usize, line: u32) -> String {
    let changed = line as usize - 1;
    let first = changed.saturating_sub(CONTEXT);
    let around: Vec<&str> = old
        .lines()
        .skip(first)
        .take(changed - first + 1 + CONTEXT)
        .collect();
    let count = around.len();
    let mut told = format!("@@ -{0},{count} +{0},{count} @@\n", first + 1);
    for (index, text) in around.into_iter().enumerate() {
        if first + index == changed {
            told += &format!("-{}\n+{}\n", line_at(old, at), line_at(new, at));
        } else {
            told += &format!(" {}\n", shown(text, 0));
        }
    }
    told
}
