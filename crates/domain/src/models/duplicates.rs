//! Files that are there twice.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

/// What is known of a file's content.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Body {
    /// Its length.
    pub size: u64,
    /// Of all of it, where somebody computed that.
    pub sha256: Option<String>,
    /// Of some pieces of it.
    pub sample: Option<String>,
    /// The file behind links and other names of it; the same for the same file.
    pub file: String,
}

/// How surely files are the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
#[serde(rename_all = "snake_case")]
pub enum Sameness {
    /// Every byte, by its hash.
    Proved,
    /// The same length, the same beginning, middle and end.
    Likely,
}

/// Files with one content.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
pub struct DuplicateGroup {
    /// How surely.
    pub sameness: Sameness,
    /// Length of each.
    pub size: u64,
    /// Which, by their place in the list.
    pub members: Vec<u32>,
    /// How many files there really are: links and other names of one file are one.
    pub files: u32,
}

impl DuplicateGroup {
    /// Bytes that one copy less would free, and so on.
    pub fn reclaimable(&self) -> u64 {
        self.size
            .saturating_mul(u64::from(self.files.saturating_sub(1)))
    }
}

/// Bytes that single copies would free.
pub fn reclaimable(groups: &[DuplicateGroup]) -> u64 {
    groups
        .iter()
        .map(DuplicateGroup::reclaimable)
        .fold(0, u64::saturating_add)
}

/// Groups of at least two files, the largest first. Where both hashes of a pair are known, they alone count.
pub fn duplicates(bodies: &[Body]) -> Vec<DuplicateGroup> {
    let mut by_hash: BTreeMap<(u64, &str), Vec<usize>> = BTreeMap::new();
    let mut by_sample: BTreeMap<(u64, &str), Vec<usize>> = BTreeMap::new();
    for (number, body) in bodies.iter().enumerate().filter(|(_, body)| body.size > 0) {
        if let Some(hash) = &body.sha256 {
            by_hash.entry((body.size, hash)).or_default().push(number);
        }
        if let Some(sample) = &body.sample {
            by_sample
                .entry((body.size, sample))
                .or_default()
                .push(number);
        }
    }
    let mut groups: Vec<DuplicateGroup> = Vec::new();
    for ((size, _), members) in &by_hash {
        groups.extend(group(bodies, Sameness::Proved, *size, members));
    }
    for ((size, _), members) in &by_sample {
        let (hashed, mut rest): (Vec<usize>, Vec<usize>) = members
            .iter()
            .partition(|number| bodies[**number].sha256.is_some());
        let hashes: BTreeSet<_> = hashed
            .iter()
            .map(|number| &bodies[*number].sha256)
            .collect();
        // Those that agree are told above, and one stands for them. Where hashes differ although the
        // samples agree, nothing tells which of them a file without a hash is like.
        if hashes.len() == 1 {
            rest.extend(hashed.first());
        }
        rest.sort_unstable();
        if rest.iter().any(|number| bodies[*number].sha256.is_none()) {
            groups.extend(group(bodies, Sameness::Likely, *size, &rest));
        }
    }
    groups.sort_by(|a, b| (b.reclaimable(), &a.members).cmp(&(a.reclaimable(), &b.members)));
    groups
}

fn group(
    bodies: &[Body],
    sameness: Sameness,
    size: u64,
    members: &[usize],
) -> Option<DuplicateGroup> {
    let files: BTreeSet<&str> = members
        .iter()
        .map(|number| bodies[*number].file.as_str())
        .collect();
    let number = |number: &usize| u32::try_from(*number).unwrap_or(u32::MAX);
    (files.len() > 1).then(|| DuplicateGroup {
        sameness,
        size,
        members: members.iter().map(number).collect(),
        files: u32::try_from(files.len()).unwrap_or(u32::MAX),
    })
}
