//! `program.configuration`: the program's settings are those that somebody made.

use super::{Check, STALE_AFTER_S, fresh_beside};
use crate::{
    Timestamp,
    cause::Cause,
    config::LostKey,
    facts::{ConfigTrouble, Facts, Writer},
    ladder::Rung,
    outcome::Outcome,
};

/// Evidence that names the other services.
const SHARED_WITH: &str = "shared_with";
/// Evidence that names the service on which the one incident of a shared file is opened.
pub const TOLD_ON: &str = "told_on";

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
    let worst = measured.value.iter().min_by_key(|trouble| rank(trouble))?;
    Some(outcome(worst, measured.at))
}

/// Two writers explain what was reset, and a reset what is unset.
fn rank(trouble: &ConfigTrouble) -> u8 {
    match trouble {
        ConfigTrouble::SecondWriter(_) => 0,
        ConfigTrouble::Reset { .. } => 1,
        ConfigTrouble::ModelUnset { .. } => 2,
    }
}

fn outcome(trouble: &ConfigTrouble, at: Timestamp) -> Outcome {
    match trouble {
        ConfigTrouble::SecondWriter(shared) => {
            let all = |of: fn(&Writer) -> &str| {
                let names = shared.others.iter().map(of);
                names.collect::<Vec<_>>().join(", ")
            };
            Outcome::degraded(Cause::ConfigSecondWriter, at)
                .with(SHARED_WITH, all(|writer| writer.service.as_str()))
                .with("container", all(|writer| writer.container.as_str()))
                .with("file", &shared.file)
                .with_some(TOLD_ON, shared.told_on.as_ref())
        }
        ConfigTrouble::Reset {
            lost,
            line,
            moved_to,
            snapshot,
        } => {
            let mut outcome = Outcome::degraded(Cause::ConfigReset, at);
            for lost in lost.iter().flat_map(|lost| &lost.keys) {
                outcome = outcome.with("key", in_words(lost));
            }
            let more = lost.as_ref().map(|lost| lost.more).filter(|more| *more > 0);
            outcome
                .with_some("more_keys", more)
                .with_some("line", line.as_ref())
                .with_some("moved_to", moved_to.as_ref())
                .with_some("snapshot", snapshot.as_ref())
        }
        ConfigTrouble::ModelUnset {
            was,
            request,
            snapshot,
        } => Outcome::degraded(Cause::ConfigModelUnset, at)
            .with("model_before", was)
            .with_some("request", request.as_ref())
            .with_some("snapshot", snapshot.as_ref()),
    }
}

fn in_words(lost: &LostKey) -> String {
    let new = lost.new.as_deref().unwrap_or("—");
    format!("{}: {} → {new}", lost.key, lost.old)
}
