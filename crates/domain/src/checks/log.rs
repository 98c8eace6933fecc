//! `program.log`: the log still follows the program.
//!
//! An idle program writes nothing, so silence alone proves nothing: only a deed without its line.

use super::{Check, STALE_AFTER_S, fresh_beside, seconds};
use crate::{
    cause::Cause,
    facts::{ApiFact, Facts},
    ladder::Rung,
    outcome::Outcome,
};

pub(super) const CHECK: Check = Check {
    id: "program.log",
    rung: Rung::Program,
    judge,
};

/// A line may come so many seconds after the deed: log drivers and `tail` gather them.
const GRACE_S: i64 = 30;

fn judge(facts: &Facts) -> Option<Outcome> {
    let measured = match fresh_beside(facts.log.as_ref(), facts.now, STALE_AFTER_S)? {
        Ok(measured) => measured,
        Err(stale) => return Some(stale),
    };
    is_silent(facts).then(|| {
        Outcome::degraded(Cause::LogsSilent, measured.at)
            .with_some("last_line_at", measured.value.last_line_at)
            .with_some("worked_at", measured.value.deed_at)
            .with_some("reads_instead", measured.value.file.as_ref())
    })
}

/// Whether the program is known to work while its log says nothing of it. That stays true when
/// something worse is told of the program.
pub fn is_silent(facts: &Facts) -> bool {
    let Some(Ok(measured)) = fresh_beside(facts.log.as_ref(), facts.now, STALE_AFTER_S) else {
        return false;
    };
    let answers = matches!(
        facts.api.as_ref().map(|m| &m.value),
        Some(ApiFact::Answered { .. })
    );
    let Some(deed) = measured.value.deed_at else {
        return false;
    };
    let written = measured.value.last_line_at.is_some_and(|line| line >= deed);
    answers && !written && seconds(deed, facts.now) > GRACE_S
}
