//! `program.configuration`: the program's settings are those that somebody made.

use super::{Check, STALE_AFTER_S, fresh_beside};
use crate::{
    cause::Cause,
    facts::{ConfigTrouble, Facts},
    ladder::Rung,
    outcome::Outcome,
};

pub(super) const CHECK: Check = Check {
    id: "program.configuration",
    rung: Rung::Program,
    judge,
};

fn judge(facts: &Facts) -> Option<Outcome> {
    let measured = match fresh_beside(facts.configuration.as_ref(), facts.now, STALE_AFTER_S)? {
        Ok(measured) => measured,
        Err(stale) => return Some(stale),
    };
    let (_, cause, evidence) = measured
        .value
        .iter()
        .map(meaning)
        .min_by_key(|(rank, _, _)| *rank)?;
    let outcome = Outcome::degraded(cause, measured.at);
    Some(match evidence {
        Some((name, value)) => outcome.with(name, value),
        None => outcome,
    })
}

/// Rank, cause and evidence. Two writers explain what was reset, and a reset what is unset.
fn meaning(trouble: &ConfigTrouble) -> (u8, Cause, Option<(&'static str, String)>) {
    match trouble {
        ConfigTrouble::SecondWriter { others } => (
            0,
            Cause::ConfigSecondWriter,
            Some(("container", others.join(", "))),
        ),
        ConfigTrouble::Reset { keys } => (1, Cause::ConfigReset, Some(("keys", keys.join(", ")))),
        ConfigTrouble::ModelUnset { request } => (
            2,
            Cause::ConfigModelUnset,
            request.clone().map(|request| ("request", request)),
        ),
    }
}
