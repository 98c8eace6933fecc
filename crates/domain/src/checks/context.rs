//! `program.context`: the program still has its CUDA context.
//!
//! Without it every picture fails, while program and API go on as if nothing were (`faults.md`,
//! `image-cuda-broken`); the log alone tells before somebody asks for a picture.

use super::{Check, STALE_AFTER_S, fresh_beside};
use crate::{
    cause::Cause,
    facts::{Facts, ProgramFact},
    ladder::Rung,
    outcome::Outcome,
};

pub(super) const CHECK: Check = Check {
    id: "program.context",
    rung: Rung::Program,
    judge,
};

fn judge(facts: &Facts) -> Option<Outcome> {
    let measured = fresh_beside(facts.log.as_ref(), facts.now, STALE_AFTER_S)?.ok()?;
    let lost = measured.value.context_lost.as_ref()?;
    let began = began(facts);
    // The log may be silent about a start that supervisor has seen.
    let of_this_run = began
        .zip(lost.at)
        .is_none_or(|(began, at)| at.as_second() >= began);
    of_this_run.then(|| {
        Outcome::failing(Cause::ProgramContextLost, measured.at)
            .with("signature", &lost.signature)
            .with("line", &lost.line)
            .with_some("seen_at", lost.at)
    })
}

/// When the program started by supervisor's word, in seconds since 1970.
fn began(facts: &Facts) -> Option<i64> {
    let program = facts.program.as_ref()?;
    match program.value {
        ProgramFact::Supervised {
            uptime_s: Some(uptime),
            ..
        } => Some(program.at.as_second() - i64::from(uptime)),
        _ => None,
    }
}
