//! The commit of a checkout, from the files below its `.git`. Git itself is never run: a checkout
//! can make it run what stands in its configuration.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::Timestamp;

/// Longest name of a reference that is followed.
const MAX_REF: usize = 200;

/// What `.git/HEAD` says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Head {
    /// A commit.
    Commit(String),
    /// A reference, such as `refs/heads/main`.
    Ref(String),
}

/// One checkout.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Checkout {
    /// Its commit; `None` when it is no checkout or the commit cannot be told.
    pub commit: Option<String>,
    /// The branch it is on.
    pub branch: Option<String>,
    /// Since when that commit is checked out; `None`: not told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
    /// Why the commit is not told; `None` when it is.
    pub unknown: Option<String>,
}

/// Reads `.git/HEAD`; `None` when it has not the form of one.
pub fn head(bytes: &[u8]) -> Option<Head> {
    let text = std::str::from_utf8(bytes).ok()?.trim();
    if let Some(name) = text.strip_prefix("ref:") {
        let name = name.trim();
        return good_ref(name).then(|| Head::Ref(name.to_owned()));
    }
    commit(text).map(Head::Commit)
}

/// The commit of a reference in `.git/packed-refs`.
pub fn packed_commit(bytes: &[u8], name: &str) -> Option<String> {
    let text = std::str::from_utf8(bytes).ok()?;
    text.lines().find_map(|line| {
        let (hash, found) = line.split_once(' ')?;
        (found == name).then(|| commit(hash)).flatten()
    })
}

/// When `.git/logs/HEAD` says that this commit was checked out last. A log that ends with another commit
/// tells nothing of this one.
pub fn checked_out_at(log: &[u8], commit: &str) -> Option<Timestamp> {
    // Messages may be in any encoding; what is looked for is ASCII.
    let text = String::from_utf8_lossy(log);
    let last = text.lines().rfind(|line| !line.trim().is_empty())?;
    let who = last.split('\t').next()?;
    let mut words = who.split(' ');
    let (_, new) = (words.next()?, words.next()?);
    let mut end = words.rev();
    let (_zone, seconds) = (end.next()?, end.next()?);
    let at = Timestamp::from_second(seconds.parse().ok()?).ok()?;
    (new.eq_ignore_ascii_case(commit) && at > Timestamp::UNIX_EPOCH).then_some(at)
}

/// A commit as text: 40 hexadecimal digits, or 64.
fn commit(text: &str) -> Option<String> {
    let good = matches!(text.len(), 40 | 64) && text.bytes().all(|b| b.is_ascii_hexdigit());
    good.then(|| text.to_ascii_lowercase())
}

/// Whether a name can be a path below `.git` and nothing else.
fn good_ref(name: &str) -> bool {
    let good = |piece: &str| {
        !piece.is_empty()
            && !piece.starts_with('.')
            && piece
                .chars()
                .all(|c| !c.is_control() && !matches!(c, '\\' | ':' | ' ' | '~' | '^' | '*'))
    };
    name.len() <= MAX_REF && name.starts_with("refs/") && name.split('/').all(good)
}

/// Checkouts as a part of a snapshot, always the same text for the same checkouts.
pub fn checkouts_json(found: &BTreeMap<String, Checkout>) -> Vec<u8> {
    serde_json::to_vec_pretty(found).unwrap_or_default()
}
