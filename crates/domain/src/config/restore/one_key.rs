//! One key of a file set back, with every other byte of the file left as it is.
//!
//! Forge writes `config.json` as a whole with four blanks of indentation, so a value of the snapshot
//! has the same form at the same depth now, and is put in as it stands. Nothing is written anew: how a
//! number or a text was written stays.

use std::{borrow::Cow, fmt, ops::Range};

use serde::{
    Deserialize,
    de::{Deserializer, MapAccess, Visitor},
};
use serde_json::value::RawValue;

use crate::config::{Format, Reading, read};

const MARK: &[u8] = b"\xef\xbb\xbf";
/// What one level of a file is set in by.
const STEP: &str = "    ";

/// Why one key cannot be set back by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NoKey {
    /// The snapshot's file cannot be read.
    ThenUnreadable,
    /// The present file cannot be read.
    NowUnreadable,
    /// Neither has it.
    Nowhere,
    /// The file names it twice: which one counts is for the program to say.
    Twice,
    /// What is around it has another shape now.
    OtherShape,
    /// The part is not made of keys.
    NoKeys,
}

/// The present bytes with one key as it was then.
pub(super) fn set_back(
    format: Format,
    now: &[u8],
    then: &[u8],
    key: &[String],
) -> Result<Vec<u8>, NoKey> {
    let (mark, now) = match now.strip_prefix(MARK) {
        Some(rest) => (MARK, rest),
        None => (&b""[..], now),
    };
    let then = then.strip_prefix(MARK).unwrap_or(then);
    let now = readable(format, now).ok_or(NoKey::NowUnreadable)?;
    let then = readable(format, then).ok_or(NoKey::ThenUnreadable)?;
    let text = match format {
        Format::Json => json(now, then, key)?,
        Format::Env => variable(now, then, key)?,
        Format::Lines => return Err(NoKey::NoKeys),
    };
    // Never a file that could not be read again.
    readable(format, text.as_bytes()).ok_or(NoKey::OtherShape)?;
    Ok([mark, text.as_bytes()].concat())
}

/// A text as any comparison reads it: with an end to how deep it may be.
fn readable(format: Format, bytes: &[u8]) -> Option<&str> {
    match read(format, bytes) {
        Reading::Unreadable(_) => None,
        Reading::Keys(_) | Reading::Lines(_) => std::str::from_utf8(bytes).ok(),
    }
}

/// The members of an object, in their order and with all that are doubled.
struct Members<'a>(Vec<(String, &'a RawValue)>);

impl<'de: 'a, 'a> Deserialize<'de> for Members<'a> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Each;
        impl<'de> Visitor<'de> for Each {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members<'de>, A::Error> {
                let mut all = Vec::new();
                while let Some(member) = map.next_entry()? {
                    all.push(member);
                }
                Ok(Members(all))
            }
        }
        from.deserialize_map(Each)
    }
}

/// A value as it stands in its text.
#[derive(Clone, Copy)]
struct Spot<'a> {
    raw: &'a str,
}

enum Inside<'a> {
    Object(Vec<(String, Spot<'a>)>),
    List(Vec<Spot<'a>>),
    Plain,
}

impl<'a> Spot<'a> {
    /// Where it stands in the text that it was read from.
    fn within(self, text: &str) -> Range<usize> {
        let start = self.raw.as_ptr().addr() - text.as_ptr().addr();
        start..start + self.raw.len()
    }

    fn inside(self) -> Result<Inside<'a>, serde_json::Error> {
        let spot = |raw: &'a RawValue| Spot { raw: raw.get() };
        Ok(match self.raw.as_bytes().first() {
            Some(b'{') => {
                let Members(all) = serde_json::from_str(self.raw)?;
                let all = all.into_iter().map(|(key, raw)| (key, spot(raw)));
                Inside::Object(all.collect())
            }
            Some(b'[') => {
                let all: Vec<&RawValue> = serde_json::from_str(self.raw)?;
                Inside::List(all.into_iter().map(spot).collect())
            }
            _ => Inside::Plain,
        })
    }
}

/// Where a key leads.
enum Way<'a> {
    /// To a value; its object or list is the second.
    There(Spot<'a>, Spot<'a>),
    /// No further than to this value, which has not the piece of this place.
    Ends(Spot<'a>, usize),
}

fn way<'a>(text: &'a str, key: &[String], broken: NoKey) -> Result<Way<'a>, NoKey> {
    let root: &RawValue = serde_json::from_str(text).map_err(|_| broken)?;
    let mut at = Spot { raw: root.get() };
    let mut above = at;
    for (place, piece) in key.iter().enumerate() {
        let next = match at.inside().map_err(|_| broken)? {
            Inside::Object(all) => {
                let mut found = all.iter().filter(|(name, _)| name == piece);
                let first = found.next().map(|(_, spot)| *spot);
                if found.next().is_some() {
                    return Err(NoKey::Twice);
                }
                first
            }
            Inside::List(all) => piece.parse().ok().and_then(|n: usize| all.get(n).copied()),
            Inside::Plain => None,
        };
        match next {
            Some(next) => (above, at) = (at, next),
            None => return Ok(Way::Ends(at, place)),
        }
    }
    Ok(Way::There(at, above))
}

fn json(now: &str, then: &str, key: &[String]) -> Result<String, NoKey> {
    // The whole is a file, and files are put back as they are.
    let Some(last) = key.last() else {
        return Err(NoKey::OtherShape);
    };
    let was = way(then, key, NoKey::ThenUnreadable)?;
    let is = way(now, key, NoKey::NowUnreadable)?;
    match (was, is) {
        (Way::There(value, _), Way::There(old, _)) => Ok(replaced(now, old.within(now), value.raw)),
        (Way::There(value, _), Way::Ends(object, depth)) => {
            // What lies between is made of objects in the snapshot, too, or it is not the same thing.
            for place in depth..key.len() {
                match way(then, &key[..place], NoKey::ThenUnreadable)? {
                    Way::There(spot, _) if spot.raw.starts_with('{') => {}
                    _ => return Err(NoKey::OtherShape),
                }
            }
            let mut text = value.raw.to_owned();
            for (place, name) in key.iter().enumerate().skip(depth + 1).rev() {
                let (inner, outer) = (STEP.repeat(place + 1), STEP.repeat(place));
                text = format!("{{\n{inner}{}: {text}\n{outer}}}", quoted(name));
            }
            added(now, object, &key[depth], &text, depth)
        }
        (Way::Ends(..), Way::There(_, object)) => removed(now, object, last),
        (Way::Ends(..), Way::Ends(..)) => Err(NoKey::Nowhere),
    }
}

fn replaced(text: &str, place: Range<usize>, by: &str) -> String {
    [&text[..place.start], by, &text[place.end..]].concat()
}

fn quoted(name: &str) -> String {
    serde_json::Value::from(name).to_string()
}

/// Adds a member behind the last, set in as the first is.
fn added(
    text: &str,
    object: Spot<'_>,
    name: &str,
    value: &str,
    depth: usize,
) -> Result<String, NoKey> {
    let Ok(Inside::Object(members)) = object.inside() else {
        return Err(NoKey::OtherShape);
    };
    let whole = object.within(text);
    let member = format!("{}: {value}", quoted(name));
    let Some((_, last)) = members.last() else {
        let (inner, outer) = (STEP.repeat(depth + 1), STEP.repeat(depth));
        return Ok(replaced(
            text,
            whole,
            &format!("{{\n{inner}{member}\n{outer}}}"),
        ));
    };
    let inside = &object.raw[1..];
    let between = &inside[..inside.len() - inside.trim_start().len()];
    let between = if between.is_empty() { " " } else { between };
    let end = last.within(text).end;
    Ok(replaced(text, end..end, &format!(",{between}{member}")))
}

/// Takes a member out, with the comma before it, or behind it when it is the first.
fn removed(text: &str, object: Spot<'_>, name: &str) -> Result<String, NoKey> {
    let Ok(Inside::Object(members)) = object.inside() else {
        return Err(NoKey::OtherShape);
    };
    let place = members.iter().position(|(found, _)| found == name);
    let place = place.ok_or(NoKey::OtherShape)?;
    let end = members[place].1.within(text).end;
    let whole = object.within(text);
    if place > 0 {
        let before = members[place - 1].1.within(text).end;
        return Ok(replaced(text, before..end, ""));
    }
    if members.len() == 1 {
        return Ok(replaced(text, whole, "{}"));
    }
    // From where the first stands to where the second does.
    let blank = |rest: &str| rest.len() - rest.trim_start().len();
    let first = whole.start + 1 + blank(&text[whole.start + 1..]);
    let comma = end + blank(&text[end..]);
    let second = comma + 1 + blank(&text[comma + 1..]);
    Ok(replaced(text, first..second, ""))
}

/// The name that a line gives a value to.
fn named(line: &str) -> Option<&str> {
    let line = line.trim();
    if line.is_empty() || line.starts_with('#') {
        return None;
    }
    let line = line.strip_prefix("export ").unwrap_or(line);
    Some(line.split_once('=').map_or(line, |(name, _)| name).trim())
}

/// `NAME=value` lines; of a name that stands twice the last counts, as for compose.
fn variable(now: &str, then: &str, key: &[String]) -> Result<String, NoKey> {
    let [name] = key else {
        return Err(NoKey::Nowhere);
    };
    let is = |line: &&str| named(line) == Some(name);
    let was = then.lines().rfind(is);
    let last = now.lines().filter(is).count();
    let Some(was) = was else {
        if last == 0 {
            return Err(NoKey::Nowhere);
        }
        let kept = now.split_inclusive('\n').filter(|line| !is(line));
        return Ok(kept.collect());
    };
    if last == 0 {
        let end = if now.contains("\r\n") { "\r\n" } else { "\n" };
        let open = !now.is_empty() && !now.ends_with('\n');
        let before = if open { end } else { "" };
        return Ok(format!("{now}{before}{was}{end}"));
    }
    let mut seen = 0;
    let lines = now.split_inclusive('\n').map(|line| {
        if !is(&line) {
            return Cow::Borrowed(line);
        }
        seen += 1;
        if seen < last {
            return Cow::Borrowed(line);
        }
        let bare = line.trim_end_matches(['\n', '\r']);
        Cow::Owned(format!("{was}{}", &line[bare.len()..]))
    });
    Ok(lines.collect())
}
