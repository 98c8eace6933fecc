//! What changed between two snapshots, part by part and key by key.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{
    Attribution, Content, Format, Item, ItemState, OriginFacts, PartId, Reading, Snapshot, Source,
    Unread,
    look::masked_lines,
    origin::{self, Case, Scene},
    values::{Values, read, same, shown},
};
use crate::{
    Timestamp,
    ids::{ServiceId, SnapshotId},
};

/// Changes of one part that are listed; what is beyond is counted.
pub const MAX_CHANGES: usize = 1000;
/// Characters of a value that are shown.
pub const MAX_VALUE_CHARS: usize = 500;

/// Why bytes of a snapshot cannot be had for a comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
#[serde(rename_all = "snake_case")]
pub enum Uncomparable {
    /// They are gone.
    Missing,
    /// They are not what was kept.
    Damaged,
    /// They are sealed, and the key is not there.
    Sealed,
    /// They were kept in the memory of a program that has ended.
    NotKept,
}

/// Bytes of a snapshot, or why there are none.
pub type Bytes = Result<Vec<u8>, Uncomparable>;

/// Which of the two.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
#[serde(rename_all = "snake_case")]
pub enum Side {
    /// The older.
    Before,
    /// The younger.
    After,
}

/// What a comparison of one part found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
#[serde(tag = "finding", rename_all = "snake_case")]
pub enum PartFinding {
    /// Values differ.
    Changed,
    /// The bytes differ, the values do not: line ends, a byte order mark, the order of keys.
    SameValues,
    /// The same lines stand in another order.
    Moved,
    /// One of them is not what it should be, so that only the bytes were compared. They differ.
    Bytes {
        /// What is wrong with the older, if anything.
        before: Option<String>,
        /// What is wrong with the younger, if anything.
        after: Option<String>,
    },
    /// It was not there before.
    Appeared,
    /// It is not there any more.
    Vanished,
    /// It could not be read when one of the snapshots was taken: nothing is known of a change.
    NotRead {
        /// When which was taken.
        side: Side,
        /// Why.
        why: Unread,
        /// In words.
        words: String,
    },
    /// Its bytes cannot be had any more: nothing is known of what changed.
    NotComparable {
        /// Of which snapshot.
        side: Side,
        /// Why.
        why: Uncomparable,
    },
}

/// One value that changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
pub struct Change {
    /// Keys from the outermost inwards; of a line what it begins with.
    pub key: Vec<String>,
    /// The value before as JSON (a line as it stands); `None` when there was none.
    pub old: Option<String>,
    /// The value after.
    pub new: Option<String>,
    /// Secrets in it are masked; they may differ where both look the same.
    pub masked: bool,
    /// By whom, as far as that can be told.
    pub origin: Attribution,
}

/// One part that is not the same, or of which that is not known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
pub struct PartDrift {
    /// Which.
    pub part: PartId,
    /// Where it is, or was.
    pub path: String,
    /// What was found.
    #[serde(flatten)]
    pub finding: PartFinding,
    /// Values that changed.
    pub changes: Vec<Change>,
    /// So many more.
    pub more: u32,
    /// When the file was last written, as its time says.
    #[cfg_attr(feature = "specta", specta(type = Option<String>))]
    pub written_at: Option<Timestamp>,
    /// By whom, where the part is the change; `None` where the values say it, or nothing changed.
    pub origin: Option<Attribution>,
}

impl PartDrift {
    /// Whether something is known to have changed.
    pub fn changed(&self) -> bool {
        !matches!(
            self.finding,
            PartFinding::NotRead { .. }
                | PartFinding::NotComparable { .. }
                | PartFinding::SameValues
        )
    }

    /// Whether it is not known what changed.
    pub fn unknown(&self) -> bool {
        matches!(
            self.finding,
            PartFinding::NotRead { .. } | PartFinding::NotComparable { .. }
        )
    }
}

/// What changed between two snapshots of one service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
pub struct Drift {
    /// Whose.
    pub service: ServiceId,
    /// The older snapshot.
    pub before: SnapshotId,
    /// The younger.
    pub after: SnapshotId,
    /// When the older was taken.
    #[cfg_attr(feature = "specta", specta(type = String))]
    pub before_at: Timestamp,
    /// When the younger was taken.
    #[cfg_attr(feature = "specta", specta(type = String))]
    pub after_at: Timestamp,
    /// What is not the same, or not known.
    pub parts: Vec<PartDrift>,
    /// Parts that are the same to the byte, or absent from both.
    pub unchanged: u32,
}

impl Drift {
    /// Whether something is known to have changed.
    pub fn changed(&self) -> bool {
        self.parts.iter().any(PartDrift::changed)
    }

    /// Whether it is not known of something that such a service has.
    pub fn unknown(&self) -> bool {
        self.parts
            .iter()
            .any(|part| part.unknown() && part.expected())
    }
}

/// Compares two snapshots. `bytes` hands out what an address holds.
pub fn drift(
    [before_id, after_id]: [&SnapshotId; 2],
    [before, after]: [&Snapshot; 2],
    facts: &OriginFacts,
    bytes: &BTreeMap<String, Bytes>,
) -> Drift {
    let scene = Scene::new(before, after, facts);
    let mut parts = Vec::new();
    let mut unchanged = 0;
    for pair in pairs(before, after) {
        match compare(&pair, &scene, bytes) {
            Some(found) => parts.push(found),
            None => unchanged += 1,
        }
    }
    origin::together(&mut parts);
    Drift {
        service: after.service.clone(),
        before: before_id.clone(),
        after: after_id.clone(),
        before_at: before.taken_at,
        after_at: after.taken_at,
        parts,
        unchanged,
    }
}

/// The same part in both; a part that one of them has not looked for is `None` there.
struct Pair<'a> {
    part: PartId,
    before: Option<&'a Item>,
    after: Option<&'a Item>,
}

/// Parts of many files are found again by their path, the others by what they are.
fn pairs<'a>(before: &'a Snapshot, after: &'a Snapshot) -> Vec<Pair<'a>> {
    let name = |item: &Item| match item.part.part().source {
        Source::EnvFiles => (item.part, item.path.clone()),
        _ => (item.part, String::new()),
    };
    let mut all: BTreeMap<(PartId, String), Pair<'a>> = BTreeMap::new();
    for (snapshot, side) in [(before, Side::Before), (after, Side::After)] {
        for item in &snapshot.items {
            let pair = all.entry(name(item)).or_insert(Pair {
                part: item.part,
                before: None,
                after: None,
            });
            match side {
                Side::Before => pair.before = Some(item),
                Side::After => pair.after = Some(item),
            }
        }
    }
    all.into_values().collect()
}

fn compare(
    pair: &Pair<'_>,
    scene: &Scene<'_>,
    bytes: &BTreeMap<String, Bytes>,
) -> Option<PartDrift> {
    let path = pair.after.or(pair.before).map(|item| item.path.clone());
    let mut found = PartDrift {
        part: pair.part,
        path: path.unwrap_or_default(),
        finding: PartFinding::Changed,
        changes: Vec::new(),
        more: 0,
        written_at: None,
        origin: None,
    };
    let absent = ItemState::Absent;
    let many = matches!(pair.part.part().source, Source::EnvFiles);
    let not_looked = ItemState::NotReadable {
        why: Unread::NoPlace,
        words: "it was not looked for".to_owned(),
    };
    // A file of variables that nobody names is not there for compose.
    let none = if many { &absent } else { &not_looked };
    let state = |item: Option<&'_ Item>| item.map_or(none.clone(), |item| item.state.clone());
    let (before, after) = (state(pair.before), state(pair.after));
    for (side, state) in [(Side::Before, &before), (Side::After, &after)] {
        if let ItemState::NotReadable { why, words } = state {
            let (why, words) = (*why, words.clone());
            found.finding = PartFinding::NotRead { side, why, words };
            return Some(found);
        }
    }
    found.written_at = after.content().and_then(|content| content.modified_at);
    match (before.content(), after.content()) {
        (None, None) => return None,
        (Some(a), Some(b)) if a.address == b.address => return None,
        (None, Some(_)) => found.finding = PartFinding::Appeared,
        (Some(_), None) => found.finding = PartFinding::Vanished,
        (Some(a), Some(b)) => {
            if !between(&mut found, [a, b], scene, bytes) {
                return None;
            }
        }
    }
    if found.changes.is_empty() && found.changed() {
        found.origin = Some(origin::of(scene, &Case::of_part(pair.part)));
    }
    Some(found)
}

/// Compares what two addresses hold; false when it is the same to the byte after all, as of bytes
/// sealed with two keys.
fn between(
    found: &mut PartDrift,
    contents: [&Content; 2],
    scene: &Scene<'_>,
    bytes: &BTreeMap<String, Bytes>,
) -> bool {
    let mut both = Vec::new();
    for (side, content) in [Side::Before, Side::After].into_iter().zip(contents) {
        match bytes.get(&content.address) {
            Some(Ok(bytes)) => both.push(bytes),
            other => {
                let why = match other {
                    Some(Err(why)) => *why,
                    _ => Uncomparable::Missing,
                };
                found.finding = PartFinding::NotComparable { side, why };
                return true;
            }
        }
    }
    let (old, new) = (both[0], both[1]);
    if old == new {
        return false;
    }
    let format = found.part.part().format;
    match (read(format, old), read(format, new)) {
        (Reading::Keys(old), Reading::Keys(new)) => by_keys(found, &old, &new, scene),
        (Reading::Lines(old), Reading::Lines(new)) => by_lines(found, &old, &new, scene),
        (before, after) => {
            let problem = |reading: Reading| match reading {
                Reading::Unreadable(words) => Some(words),
                Reading::Keys(_) | Reading::Lines(_) => None,
            };
            found.finding = PartFinding::Bytes {
                before: problem(before),
                after: problem(after),
            };
        }
    }
    true
}

fn by_keys(found: &mut PartDrift, old: &Values, new: &Values, scene: &Scene<'_>) {
    let keys: BTreeSet<&Vec<String>> = old.keys().chain(new.keys()).collect();
    let format = found.part.part().format;
    for key in keys {
        let (a, b) = (old.get(key), new.get(key));
        if matches!((a, b), (Some(a), Some(b)) if same(a, b)) {
            continue;
        }
        let show = |value: &Value| {
            let (text, masked) = shown(key, value);
            // Variables are texts without exception; their quotes would be noise.
            let plain = (format == Format::Env && !masked)
                .then(|| value.as_str().map(str::to_owned))
                .flatten();
            (cut(&plain.unwrap_or(text)), masked)
        };
        let (a_shown, b_shown) = (a.map(show), b.map(show));
        let masked = [&a_shown, &b_shown].into_iter().flatten().any(|(_, m)| *m);
        let case = Case {
            part: found.part,
            key,
            old: a,
            new: b,
        };
        add(
            found,
            Change {
                key: key.clone(),
                old: a_shown.map(|(text, _)| text),
                new: b_shown.map(|(text, _)| text),
                masked,
                origin: origin::of(scene, &case),
            },
        );
    }
    if found.changes.is_empty() {
        found.finding = PartFinding::SameValues;
    }
}

/// What a line begins with names it: `base_path: /a` becomes `base_path: /b`.
fn beginning(line: &str) -> String {
    let end = line.find([':', '=', ',']).unwrap_or(line.len());
    cut(line[..end].trim())
}

fn by_lines(found: &mut PartDrift, old: &[String], new: &[String], scene: &Scene<'_>) {
    let mut counts: BTreeMap<&str, i64> = BTreeMap::new();
    for line in old {
        *counts.entry(line).or_default() -= 1;
    }
    for line in new {
        *counts.entry(line).or_default() += 1;
    }
    // Paired by what they begin with, shown without their secrets: one may stand on the line below
    // the key that names it, and be all that its line begins with.
    let [old_shown, new_shown] =
        [old, new].map(|lines| masked_lines(lines.iter().map(String::as_str)));
    let mut gone: BTreeMap<String, VecDeque<usize>> = BTreeMap::new();
    let mut order = Vec::new();
    let mut left = counts.clone();
    for (place, line) in old.iter().enumerate() {
        if let Some(count) = left.get_mut(line.as_str()).filter(|count| **count < 0) {
            *count += 1;
            let name = beginning(line);
            order.push(name.clone());
            gone.entry(name).or_default().push_back(place);
        }
    }
    let mut pairs: Vec<[Option<&(String, bool)>; 2]> = Vec::new();
    for (line, shown) in new.iter().zip(&new_shown) {
        if let Some(count) = left.get_mut(line.as_str()).filter(|count| **count > 0) {
            *count -= 1;
            let former = gone.get_mut(&beginning(line)).and_then(VecDeque::pop_front);
            pairs.push([former.map(|place| &old_shown[place]), Some(shown)]);
        }
    }
    for name in order {
        if let Some(place) = gone.get_mut(&name).and_then(VecDeque::pop_front) {
            pairs.push([Some(&old_shown[place]), None]);
        }
    }
    for [a, b] in pairs {
        let either = b.or(a).map_or("", |(text, _)| text.as_str());
        add(
            found,
            Change {
                key: vec![beginning(either)],
                old: a.map(|(text, _)| cut(text)),
                new: b.map(|(text, _)| cut(text)),
                masked: [a, b].into_iter().flatten().any(|(_, masked)| *masked),
                origin: origin::of(scene, &Case::of_part(found.part)),
            },
        );
    }
    if found.changes.is_empty() {
        found.finding = if old == new {
            PartFinding::SameValues
        } else {
            PartFinding::Moved
        };
    }
}

fn add(found: &mut PartDrift, change: Change) {
    if found.changes.len() < MAX_CHANGES {
        found.changes.push(change);
    } else {
        found.more = found.more.saturating_add(1);
    }
}

fn cut(text: &str) -> String {
    let mut chars = text.chars();
    let mut short: String = chars.by_ref().take(MAX_VALUE_CHARS).collect();
    if chars.next().is_some() {
        short.push('…');
    }
    short
}
