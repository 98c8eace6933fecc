//! What is wrong with a program's settings, from what is read of them now and how they were when
//! they were last well. Ordinary changes are no trouble: whoever makes them wants them.

use serde_json::Value;

use super::{
    LogMark, LogMarkKind, Values, key_text,
    values::{same, shown},
};
use crate::{
    Timestamp,
    facts::{ConfigTrouble, SharedFile},
    ids::SnapshotId,
};

/// The option without which no picture is made with a model that somebody chose.
pub const CHECKPOINT: &str = "sd_model_checkpoint";
/// Changed keys that are named; what is beyond is counted.
pub const MAX_LOST: usize = 12;
/// Characters of a value that are named.
const MAX_CHARS: usize = 80;
/// A request is written to the log so close to the file that it wrote, seconds.
const SAME_MOMENT_S: i64 = 3;

/// A key whose value was lost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LostKey {
    /// The key, from the outermost inwards.
    pub key: String,
    /// Its value before, secrets masked.
    pub old: String,
    /// Its value now; `None` when it is not written any more.
    pub new: Option<String>,
}

/// The keys that have not the value any more that they had.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Lost {
    /// The first of them.
    pub keys: Vec<LostKey>,
    /// How many more there are.
    pub more: u32,
}

/// Everything that the judgement rests on.
#[derive(Debug, Clone, Copy, Default)]
pub struct SettingsScene<'a> {
    /// The settings when they were last well; `None` when nobody knows.
    pub before: Option<&'a Values>,
    /// The settings file; `None` when there is none.
    pub file: Option<&'a Values>,
    /// What the program says of its settings, asked where there is no file; `None` when it does not
    /// say.
    pub options: Option<&'a Values>,
    /// The line of the log that says that they were set aside, since they were last well.
    pub line: Option<&'a str>,
    /// Where a file lies that was set aside since they were last well.
    pub moved_to: Option<&'a str>,
    /// Other services that write the same file.
    pub shared: Option<&'a SharedFile>,
    /// The newest snapshot in which they were well.
    pub snapshot: Option<&'a SnapshotId>,
    /// The request that is known to have emptied the checkpoint.
    pub request: Option<&'a str>,
}

/// What is wrong; empty when nothing is.
pub fn troubles(scene: &SettingsScene<'_>) -> Vec<ConfigTrouble> {
    let mut found = Vec::new();
    found.extend(scene.shared.cloned().map(ConfigTrouble::SecondWriter));
    found.extend(reset(scene));
    found.extend(model_unset(scene));
    found
}

fn reset(scene: &SettingsScene<'_>) -> Option<ConfigTrouble> {
    if scene.line.is_none() && scene.moved_to.is_none() {
        return None;
    }
    let lost = scene.before.and_then(|before| match scene.file {
        Some(file) => Some(lost(before, file, true)),
        // What the program does not tell of is not known to be lost.
        None => scene.options.map(|options| lost(before, options, false)),
    });
    // Everything is as it was, whatever happened to the file.
    if lost.as_ref().is_some_and(|lost| lost.keys.is_empty()) {
        return None;
    }
    Some(ConfigTrouble::Reset {
        lost,
        line: scene.line.map(str::to_owned),
        moved_to: scene.moved_to.map(str::to_owned),
        snapshot: scene.snapshot.cloned(),
    })
}

fn model_unset(scene: &SettingsScene<'_>) -> Option<ConfigTrouble> {
    let was = checkpoint(scene.before?)?;
    // A fresh program has none either: only one that was there can have been emptied.
    checkpoint(scene.file?).is_none().then(|| {
        let request = scene.request.map(str::to_owned);
        ConfigTrouble::ModelUnset {
            was: was.to_owned(),
            request,
            snapshot: scene.snapshot.cloned(),
        }
    })
}

/// The checkpoint that is chosen.
pub fn checkpoint(values: &Values) -> Option<&str> {
    let value = values.get(&vec![CHECKPOINT.to_owned()]);
    value
        .and_then(Value::as_str)
        .filter(|name| !name.is_empty())
}

/// Keys that have another value than before; with `whole`, those that are gone, too.
fn lost(before: &Values, now: &Values, whole: bool) -> Lost {
    let mut all = Lost::default();
    for (key, old) in before {
        let new = now.get(key);
        let is_lost = match new {
            Some(new) => !same(old, new),
            None => whole && !is_nothing(old),
        };
        if !is_lost {
            continue;
        }
        if all.keys.len() == MAX_LOST {
            all.more = all.more.saturating_add(1);
            continue;
        }
        let show = |value: &Value| short(&shown(key, value).0);
        all.keys.push(LostKey {
            key: short(&key_text(key)),
            old: show(old),
            new: new.map(show),
        });
    }
    all
}

/// A value that says as much as its absence.
fn is_nothing(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(map) => map.is_empty(),
        Value::Bool(_) | Value::Number(_) => false,
    }
}

fn short(text: &str) -> String {
    let mut chars = text.chars();
    let mut cut: String = chars.by_ref().take(MAX_CHARS).collect();
    if chars.next().is_some() {
        cut.push('…');
    }
    cut
}

/// The request that wrote the settings: the only one since they were last well, or the one at the
/// moment of the file. Of several that fit none is named.
pub fn request_of(
    marks: &[LogMark],
    since: Option<Timestamp>,
    written_at: Option<Timestamp>,
) -> Option<&LogMark> {
    let posted: Vec<&LogMark> = marks
        .iter()
        .filter(|mark| mark.kind == LogMarkKind::OptionsPosted)
        .filter(|mark| since.is_none_or(|since| mark.at >= since))
        .collect();
    if let [one] = posted.as_slice() {
        return Some(one);
    }
    let written_at = written_at?;
    let mut near = posted.into_iter().filter(|mark| {
        let apart = mark.at.as_second() - written_at.as_second();
        apart.abs() <= SAME_MOMENT_S
    });
    match (near.next(), near.next()) {
        (Some(one), None) => Some(one),
        _ => None,
    }
}
