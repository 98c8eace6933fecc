//! `program.workspace`: settings, models and pictures survive the container.

use super::{Check, STALE_AFTER_S, fresh_beside};
use crate::{cause::Cause, facts::Facts, ladder::Rung, outcome::Outcome};

pub(super) const CHECK: Check = Check {
    id: "program.workspace",
    rung: Rung::Program,
    judge,
};

fn judge(facts: &Facts) -> Option<Outcome> {
    let measured = match fresh_beside(facts.workspace.as_ref(), facts.now, STALE_AFTER_S)? {
        Ok(measured) => measured,
        Err(stale) => return Some(stale),
    };
    (!measured.value.mounted).then(|| {
        Outcome::failing(Cause::ConfigWorkspaceUnmounted, measured.at)
            .with("mount", &measured.value.path)
            .with_some("line", measured.value.line.as_ref())
    })
}
