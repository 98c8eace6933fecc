//! A drift in few words, for a list of many.

use serde::{Deserialize, Serialize};

use super::{Attribution, Certainty, Drift, Origin, PartDrift, PartFinding, PartId};
use crate::ids::SnapshotId;

/// Keys that are named; what is beyond is counted.
pub const MAX_NAMED: usize = 4;

/// A value that changed, by its name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
pub struct NamedChange {
    /// Keys from the outermost inwards; empty when a whole part changed.
    pub key: Vec<String>,
    /// Where: the file and the API's answer may both say it.
    pub parts: Vec<PartId>,
}

/// How many values changed by the same hand.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
pub struct OriginCount {
    /// By whom; where several lines of a log tell it, one of them.
    pub origin: Attribution,
    /// Values.
    pub count: u32,
}

/// A part of which it is not known whether it changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
pub struct UnknownPart {
    /// Which.
    pub part: PartId,
    /// Such a service has it, or something names it.
    pub expected: bool,
}

/// What changed between two snapshots, in few words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
pub struct DriftDigest {
    /// The older snapshot.
    pub before: SnapshotId,
    /// The younger.
    pub after: SnapshotId,
    /// Values that changed; one that a file and the API both say counts once.
    pub changes: u32,
    /// Some of them.
    pub named: Vec<NamedChange>,
    /// By whom, the most first.
    pub origins: Vec<OriginCount>,
    /// Parts of which nothing is known.
    pub unknown: Vec<UnknownPart>,
}

impl Drift {
    /// In few words.
    pub fn digest(&self) -> DriftDigest {
        let mut named: Vec<(NamedChange, Attribution)> = Vec::new();
        let mut changes = 0;
        for part in self.parts.iter().filter(|part| part.changed()) {
            changes += part.more;
            for (key, origin) in changed(part) {
                let same = named.iter_mut().find(|(one, _)| {
                    !key.is_empty()
                        && one.key == key
                        && one.parts.iter().all(|other| twins(*other, part.part))
                });
                if let Some((one, _)) = same {
                    one.parts.push(part.part);
                } else {
                    let parts = vec![part.part];
                    named.push((NamedChange { key, parts }, origin));
                    changes += 1;
                }
            }
        }
        let mut origins: Vec<OriginCount> = Vec::new();
        for (_, origin) in &named {
            let same = origins
                .iter_mut()
                .find(|one| (one.origin.by, one.origin.certainty) == (origin.by, origin.certainty));
            match same {
                Some(one) => one.count += 1,
                None => origins.push(OriginCount {
                    origin: origin.clone(),
                    count: 1,
                }),
            }
        }
        origins.sort_by_key(|one| std::cmp::Reverse(one.count));
        let unknown = self.parts.iter().filter(|part| part.unknown());
        DriftDigest {
            before: self.before.clone(),
            after: self.after.clone(),
            changes,
            named: named
                .into_iter()
                .map(|(one, _)| one)
                .take(MAX_NAMED)
                .collect(),
            origins,
            unknown: unknown
                .map(|part| UnknownPart {
                    part: part.part,
                    expected: part.expected(),
                })
                .collect(),
        }
    }
}

/// What changed in a part, and by whom; a change of the whole has no key.
fn changed(part: &PartDrift) -> Vec<(Vec<String>, Attribution)> {
    if part.changes.is_empty() {
        let unknown = Attribution {
            by: Origin::Unknown,
            certainty: Certainty::Unknown,
            evidence: None,
        };
        return vec![(Vec::new(), part.origin.clone().unwrap_or(unknown))];
    }
    let each = part.changes.iter();
    each.map(|change| (change.key.clone(), change.origin.clone()))
        .collect()
}

/// Whether the two say the same values: Forge's file, and its API of what it read there.
fn twins(one: PartId, other: PartId) -> bool {
    let options = |part| matches!(part, PartId::ForgeConfig | PartId::ForgeOptions);
    options(one) && options(other) && one != other
}

impl PartDrift {
    /// Whether such a service has the part, or something names it.
    pub fn expected(&self) -> bool {
        let nowhere = matches!(
            self.finding,
            PartFinding::NotRead {
                why: super::Unread::NoPlace,
                ..
            }
        );
        !nowhere || self.part.part().in_workspace()
    }
}
