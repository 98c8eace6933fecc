//! `container.space`: the mounts of the container have room for what the program writes.

use super::{Check, STALE_AFTER_S, fresh_beside};
use crate::{cause::Cause, facts::Facts, ladder::Rung, outcome::Outcome};

pub(super) const CHECK: Check = Check {
    id: "container.space",
    rung: Rung::Container,
    judge,
};

/// Below so many free bytes the next batch of pictures, or a settings file, may be cut off.
const FULL_BELOW_BYTES: u64 = 256 * 1024 * 1024;

fn judge(facts: &Facts) -> Option<Outcome> {
    let measured = match fresh_beside(facts.space.as_ref(), facts.now, STALE_AFTER_S)? {
        Ok(measured) => measured,
        Err(stale) => return Some(stale),
    };
    let fullest = measured.value.iter().min_by_key(|m| m.free_bytes)?;
    (fullest.free_bytes < FULL_BELOW_BYTES).then(|| {
        Outcome::failing(Cause::DiskFull, measured.at)
            .with("mount", &fullest.mount)
            .with("free_bytes", fullest.free_bytes)
            .with("total_bytes", fullest.total_bytes)
    })
}
