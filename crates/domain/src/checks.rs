//! The checks: one pure question per rung, from facts to an outcome.

use crate::{
    Timestamp,
    cause::Cause,
    facts::{ContainerFact, Facts, Measured, ProgramFact, SupervisorState},
    ladder::Rung,
    outcome::Outcome,
};

mod api;
mod container;
mod engine;
mod host;
mod image;
mod program;
mod public;
mod stranger;

/// One question with a stable id.
#[derive(Debug)]
pub struct Check {
    /// Stable id, such as `api.models`.
    pub id: &'static str,
    /// The rung it judges.
    pub rung: Rung,
    /// The verdict, from facts alone.
    pub judge: fn(&Facts) -> Outcome,
}

/// Every check, lowest rung first.
pub const CHECKS: &[Check] = &[
    host::CHECK,
    engine::CHECK,
    container::CHECK,
    program::CHECK,
    api::CHECK,
    image::CHECK,
    public::CHECK,
    stranger::CHECK,
];

/// Unasked starts within this many seconds count towards a crash loop.
pub const CRASH_LOOP_WINDOW_S: i64 = 600;
/// From so many unasked starts on it is a loop.
pub const CRASH_LOOP_STARTS: usize = 3;
/// What has stayed up for this long is out of its loop, whatever came before: the engine's and
/// supervisor's longest wait between two starts is a minute.
pub const CRASH_LOOP_OVER_S: i64 = 120;
/// A measurement older than this is not believed any more, seconds.
pub const STALE_AFTER_S: i64 = 90;

/// The measurement if there is one and it is fresh, else the outcome that says why not.
fn fresh<T>(fact: Option<&Measured<T>>, now: Timestamp) -> Result<&Measured<T>, Outcome> {
    match fact {
        None => Err(Outcome::unknown(Cause::NotMeasuredYet)),
        Some(measured) if seconds(measured.at, now) > STALE_AFTER_S => {
            let mut outcome = Outcome::unknown(Cause::Stale);
            outcome.checked_at = Some(measured.at);
            Err(outcome)
        }
        Some(measured) => Ok(measured),
    }
}

/// Whole seconds from `earlier` to `later`; never negative, since clocks jump.
fn seconds(earlier: Timestamp, later: Timestamp) -> i64 {
    (later.as_second() - earlier.as_second()).max(0)
}

/// Unasked starts within the window before `now`.
fn recent_starts(starts: &[Timestamp], now: Timestamp) -> usize {
    starts
        .iter()
        .filter(|at| seconds(**at, now) <= CRASH_LOOP_WINDOW_S)
        .count()
}

/// When the present run of the service began: the younger of container start and program start.
fn run_started(facts: &Facts) -> Option<Timestamp> {
    let container = facts.container.as_ref().and_then(|m| match &m.value {
        ContainerFact::Present(snapshot) => snapshot.started_at,
        ContainerFact::Missing { .. } => None,
    });
    let program = facts.program.as_ref().and_then(|m| match &m.value {
        ProgramFact::Supervised {
            state: SupervisorState::Running | SupervisorState::Starting,
            uptime_s: Some(uptime),
            ..
        } => Timestamp::from_second(m.at.as_second() - i64::from(*uptime)).ok(),
        _ => None,
    });
    container.max(program)
}

/// Whether the service is still within twice its usual start time.
fn within_start(facts: &Facts) -> bool {
    match (run_started(facts), facts.usual_start_s) {
        (Some(started), Some(usual)) => seconds(started, facts.now) <= i64::from(usual) * 2,
        _ => false,
    }
}

/// Seconds left of the usual start, when it is not over.
fn start_left_s(facts: &Facts) -> Option<i64> {
    let started = run_started(facts)?;
    let left = i64::from(facts.usual_start_s?) - seconds(started, facts.now);
    (left > 0).then_some(left)
}

#[cfg(test)]
pub(crate) mod tests;
