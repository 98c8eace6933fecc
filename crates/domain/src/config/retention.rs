//! Which snapshots go.

use std::collections::BTreeSet;

use jiff::SignedDuration;

use crate::{Timestamp, ids::SnapshotId};

/// How long snapshots stay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention {
    /// Every one that is younger.
    pub all: SignedDuration,
    /// One a day up to this age.
    pub daily: SignedDuration,
    /// One a week up to this age.
    pub weekly: SignedDuration,
    /// Most that a service's snapshots take on disk, bytes.
    pub bytes: u64,
}

/// What is done when nothing else is said.
pub const RETENTION: Retention = Retention {
    all: SignedDuration::from_hours(24),
    daily: SignedDuration::from_hours(24 * 30),
    weekly: SignedDuration::from_hours(24 * 365),
    bytes: 256 * 1024 * 1024,
};

/// A snapshot, as far as its keeping goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// Which.
    pub id: SnapshotId,
    /// When it was taken.
    pub taken_at: Timestamp,
    /// The service was well, and every part was read.
    pub good: bool,
    /// Somebody wants it to stay.
    pub pinned: bool,
    /// Its contents: address and bytes on disk. Those that others hold too are not freed.
    pub contents: Vec<(String, u64)>,
}

/// Why one stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keep {
    /// Whatever its age and size.
    Always,
    /// While there is room.
    WhileRoom,
}

/// The snapshots of one service that go, oldest first. The newest, the last good one and those that
/// are pinned always stay; the others go by age, then from the oldest on until what is left fits.
pub fn to_remove(kept: &[Kept], now: Timestamp, rules: &Retention) -> Vec<SnapshotId> {
    let mut all: Vec<&Kept> = kept.iter().collect();
    all.sort_by(|a, b| b.taken_at.cmp(&a.taken_at).then_with(|| b.id.cmp(&a.id)));
    let last_good = all.iter().find(|one| one.good).map(|one| &one.id);
    let (mut days, mut weeks) = (BTreeSet::new(), BTreeSet::new());
    let mut stay: Vec<(&Kept, Keep)> = Vec::new();
    let mut go = Vec::new();
    // Newest first: of a day or week the newest is the one that stays.
    for (place, one) in all.iter().enumerate() {
        let age = now.duration_since(one.taken_at);
        let (day, week) = (spell(one.taken_at, 1), spell(one.taken_at, 7));
        let wanted = if age < rules.all {
            true
        } else if age < rules.daily {
            days.insert(day)
        } else if age < rules.weekly {
            weeks.insert(week)
        } else {
            false
        };
        if place == 0 || one.pinned || Some(&one.id) == last_good {
            stay.push((one, Keep::Always));
        } else if wanted {
            stay.push((one, Keep::WhileRoom));
        } else {
            go.push((*one).clone());
        }
    }
    while size(&stay) > rules.bytes {
        // The list is newest first.
        let Some(oldest) = stay.iter().rposition(|(_, keep)| *keep == Keep::WhileRoom) else {
            break;
        };
        go.push(stay.remove(oldest).0.clone());
    }
    go.sort_by(|a, b| a.taken_at.cmp(&b.taken_at).then_with(|| a.id.cmp(&b.id)));
    go.into_iter().map(|one| one.id).collect()
}

/// Each content counts once.
fn size(stay: &[(&Kept, Keep)]) -> u64 {
    let mut seen = BTreeSet::new();
    let contents = stay.iter().flat_map(|(one, _)| &one.contents);
    contents
        .filter(|(address, _)| seen.insert(address.as_str()))
        .map(|(_, bytes)| bytes)
        .sum()
}

/// Which spell of so many days (UTC) a moment is in.
fn spell(at: Timestamp, days: i64) -> i64 {
    at.as_second().div_euclid(24 * 3600 * days)
}
