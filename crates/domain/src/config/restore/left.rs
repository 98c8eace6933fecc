//! What does not go back, why, and what to do instead.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{one_key::NoKey, why};
use crate::config::{Bytes, Item, ItemState, PartId, Reading, Values, read};

/// Checkouts that are named as a thing to do.
const MAX_TO_DO: usize = 200;
/// Longest name of one.
const MAX_NAME_CHARS: usize = 300;

/// Why something does not go back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
#[serde(rename_all = "snake_case")]
pub enum WhyLeft {
    /// The snapshot knows no such part, or no such file of it.
    NotInSnapshot,
    /// It could not be read when the snapshot was taken.
    NotReadThen,
    /// It was held in the memory of a program, and never kept.
    NotKept,
    /// Its bytes are gone.
    Gone,
    /// Its bytes are not those that were kept.
    Damaged,
    /// Its bytes are sealed, and the key is not there.
    Sealed,
    /// It was half a file then, which its program could not read.
    WasBroken,
    /// It was not there then; what is there stays.
    WasNotThere,
    /// What is there now cannot be read.
    NotReadNow,
    /// Nothing tells where it belongs by now.
    PlaceUnknown,
    /// The engine makes the container from compose; a container cannot be changed.
    OfContainer,
    /// Environment and command come from compose and its files of variables.
    OfEnvironment,
    /// Checkouts are downloaded by their program.
    OfCheckouts,
    /// The API says what the program read from its file.
    OfApi,
    /// What the program moved away is no setting of it.
    MovedAway,
    /// There is no file whose key could be set.
    NoFileNow,
    /// The present file cannot be read, so that one key cannot be set in it.
    BrokenNow,
    /// Neither of the two has this key.
    NoSuchKey,
    /// The file names the key twice.
    KeyTwice,
    /// What is around the key has another shape now.
    OtherShape,
    /// It is not made of keys.
    NoKeys,
    /// It is the same already.
    SameAlready,
    /// It would be longer than such a file may be.
    TooLong,
}

impl WhyLeft {
    /// Whether nothing at all is wrong with it.
    pub fn is_fine(self) -> bool {
        matches!(self, Self::SameAlready)
    }
}

/// Something that stays as it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
pub struct Left {
    /// The part.
    pub part: PartId,
    /// Where it is.
    pub path: String,
    /// Why.
    pub why: WhyLeft,
    /// The system's or the engine's own words; hostile until escaped.
    pub words: Option<String>,
    /// What can be done by hand: checkouts with the commits that they had. Hostile until escaped.
    pub to_do: Vec<String>,
}

/// The bytes of an item then; `None` when it was known not to be there.
pub(super) fn bytes_of<'a>(
    item: &Item,
    bytes: &'a BTreeMap<String, Bytes>,
) -> Result<Option<&'a [u8]>, (WhyLeft, Option<String>)> {
    match &item.state {
        ItemState::Absent => Ok(None),
        ItemState::NotReadable { words, .. } => Err((WhyLeft::NotReadThen, Some(words.clone()))),
        // Even while its program still runs: what comes back must not depend on that.
        ItemState::InMemory(_) => Err((WhyLeft::NotKept, None)),
        ItemState::Kept(content) => match bytes.get(&content.address) {
            Some(Ok(found)) => Ok(Some(found)),
            Some(Err(trouble)) => Err((why(*trouble), None)),
            None => Err((WhyLeft::Gone, None)),
        },
    }
}

pub(super) fn of_key(no: NoKey) -> WhyLeft {
    match no {
        NoKey::ThenUnreadable => WhyLeft::WasBroken,
        NoKey::NowUnreadable => WhyLeft::BrokenNow,
        NoKey::Nowhere => WhyLeft::NoSuchKey,
        NoKey::Twice => WhyLeft::KeyTwice,
        NoKey::OtherShape => WhyLeft::OtherShape,
        NoKey::NoKeys => WhyLeft::NoKeys,
    }
}

/// A part that is no file of its own, and differs as far as that is known.
pub(super) fn not_a_file(
    item: &Item,
    path: String,
    is: Option<&[u8]>,
    then: Option<&[u8]>,
    known: bool,
) -> Left {
    let checkouts = matches!(item.part, PartId::ForgeExtensions | PartId::ComfyNodes);
    Left {
        part: item.part,
        path,
        why: match item.part {
            PartId::Environment => WhyLeft::OfEnvironment,
            PartId::ForgeExtensions | PartId::ComfyNodes => WhyLeft::OfCheckouts,
            PartId::ForgeOptions => WhyLeft::OfApi,
            PartId::ForgeConfigMoved => WhyLeft::MovedAway,
            _ => WhyLeft::OfContainer,
        },
        words: (!known).then(|| "whether it differs is not known".to_owned()),
        to_do: if checkouts && known {
            checked_out(item, is.unwrap_or(b"{}"), then.unwrap_or(b"{}"))
        } else {
            Vec::new()
        },
    }
}

/// The checkouts that were otherwise, each with the commit that it had.
fn checked_out(item: &Item, is: &[u8], then: &[u8]) -> Vec<String> {
    let keys = |bytes: &[u8]| match read(item.part.part().format, bytes) {
        Reading::Keys(keys) => keys,
        Reading::Lines(_) | Reading::Unreadable(_) => Values::new(),
    };
    let (is, then) = (keys(is), keys(then));
    let commit = |of: &Values, name: &str| {
        let key = vec![name.to_owned(), "commit".to_owned()];
        of.get(&key).and_then(Value::as_str).map(str::to_owned)
    };
    let names = |of: &Values| -> Vec<String> {
        let first = of.keys().filter_map(|key| key.first().cloned());
        first.collect()
    };
    let mut all = [names(&then), names(&is)].concat();
    all.sort_unstable();
    all.dedup();
    let lines = all.into_iter().filter_map(|name| {
        let there = then.keys().any(|key| key.first() == Some(&name));
        let (was, now) = (commit(&then, &name), commit(&is, &name));
        let short: String = name.chars().take(MAX_NAME_CHARS).collect();
        match (there, was) {
            (true, was) if was == now && is.keys().any(|key| key.first() == Some(&name)) => None,
            (true, Some(commit)) => Some(format!("{short}: {commit}")),
            (true, None) => Some(format!("{short}: ?")),
            (false, _) => Some(format!("{short}: -")),
        }
    });
    lines.take(MAX_TO_DO).collect()
}
