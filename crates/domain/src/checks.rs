//! The checks: pure questions, from facts to an outcome.
//!
//! The first check of a rung always has an answer. Those beside it stay silent unless they found
//! something, or cannot believe any more what they found: they never make a rung green.

use crate::{
    Timestamp,
    cause::Cause,
    container::RunState,
    facts::{ContainerFact, Facts, Measured, ProgramFact, SupervisorState},
    ladder::Rung,
    outcome::Outcome,
};

mod api;
pub mod configuration;
mod container;
mod context;
mod engine;
mod freshness;
mod host;
mod image;
pub mod log;
mod placement;
mod program;
mod public;
mod space;
mod stranger;
mod workspace;

/// One question with a stable id.
#[derive(Debug)]
pub struct Check {
    /// Stable id, such as `api.models`.
    pub id: &'static str,
    /// The rung it judges.
    pub rung: Rung,
    /// The verdict, from facts alone; `None` when it has nothing to say.
    pub judge: fn(&Facts) -> Option<Outcome>,
}

/// Every check, lowest rung first. Of the checks of one rung the worst verdict wins, of equally
/// bad ones the first in this order: what loses data stands before what only warns.
pub const CHECKS: &[Check] = &[
    host::CHECK,
    engine::CHECK,
    container::CHECK,
    space::CHECK,
    freshness::CHECK,
    program::CHECK,
    workspace::CHECK,
    context::CHECK,
    configuration::CHECK,
    log::CHECK,
    api::CHECK,
    image::CHECK,
    placement::CHECK,
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

/// A measurement of the future by more than this many seconds is not believed either: the clock
/// was set back. Smaller differences come from the order in which tasks read it.
pub const SKEW_S: i64 = 5;
/// The engine's clock may run ahead of ours by so many seconds (a virtual machine's does); times
/// further in the future were written before a clock was set back.
pub const ENGINE_SKEW_S: i64 = 300;

/// The measurement if there is one and it is fresh, else the outcome that says why not.
fn fresh<T>(fact: Option<&Measured<T>>, now: Timestamp) -> Result<&Measured<T>, Outcome> {
    let measured = fact.ok_or_else(|| Outcome::unknown(Cause::NotMeasuredYet))?;
    believed(measured, now, STALE_AFTER_S)
}

/// Whether a measurement is neither too old nor of the future.
pub fn is_fresh<T>(measured: &Measured<T>, now: Timestamp) -> bool {
    believed(measured, now, STALE_AFTER_S).is_ok()
}

/// As [`fresh`], for checks beside the first one of a rung: without a measurement they have no say.
fn fresh_beside<T>(
    fact: Option<&Measured<T>>,
    now: Timestamp,
    stale_after_s: i64,
) -> Option<Result<&Measured<T>, Outcome>> {
    fact.map(|measured| believed(measured, now, stale_after_s))
}

fn believed<T>(
    measured: &Measured<T>,
    now: Timestamp,
    stale_after_s: i64,
) -> Result<&Measured<T>, Outcome> {
    let age = now.as_second() - measured.at.as_second();
    if (-SKEW_S..=stale_after_s).contains(&age) {
        Ok(measured)
    } else {
        Err(Outcome::unknown(Cause::Stale).checked(measured.at))
    }
}

/// Whole seconds from `earlier` to `later`; never negative, since clocks jump.
fn seconds(earlier: Timestamp, later: Timestamp) -> i64 {
    (later.as_second() - earlier.as_second()).max(0)
}

/// Unasked starts within the window around `now`; after a jump of the clock none are.
#[derive(Debug, Clone, Copy)]
struct Loop {
    starts: usize,
    /// Minutes from the first of them until now, at least one.
    minutes: i64,
}

fn recent_starts(starts: &[Timestamp], now: Timestamp) -> Loop {
    let ages = starts
        .iter()
        .map(|at| (now.as_second() - at.as_second()).abs())
        .filter(|age| *age <= CRASH_LOOP_WINDOW_S);
    Loop {
        starts: ages.clone().count(),
        minutes: ages.max().map_or(1, |oldest| (oldest + 59) / 60).max(1),
    }
}

/// Whether what was measured inside the container, or through it, tells of its present run: it
/// runs, and was not started since. Else the outcome that says why not; a container between two
/// runs is degraded at most, and carries nothing.
fn of_this_run<T>(facts: &Facts, measured: &Measured<T>) -> Result<(), Outcome> {
    let container = facts.container.as_ref().map(|measured| &measured.value);
    let Some(ContainerFact::Present(container)) = container else {
        return Ok(());
    };
    if container.state != RunState::Running {
        return Err(Outcome::unknown(Cause::RungBelow).checked(measured.at));
    }
    let latest = facts.now.as_second() + ENGINE_SKEW_S;
    let started = container.started_at.filter(|at| at.as_second() <= latest);
    if started.is_some_and(|started| measured.at < started) {
        return Err(Outcome::unknown(Cause::NotMeasuredYet).checked(measured.at));
    }
    Ok(())
}

/// When the present run of the service began: the younger of container start and program start.
pub(crate) fn run_started(facts: &Facts) -> Option<Timestamp> {
    let container = facts.container.as_ref().and_then(|m| match &m.value {
        ContainerFact::Present(snapshot) => snapshot.started_at,
        ContainerFact::Missing { .. } | ContainerFact::NotMeasurable { .. } => None,
    });
    let latest = facts.now.as_second() + ENGINE_SKEW_S;
    let container = container.filter(|at| at.as_second() <= latest);
    container.max(program_started(facts))
}

/// When the program's run began: by its uptime, or while supervisor starts it by when that was
/// first seen.
fn program_started(facts: &Facts) -> Option<Timestamp> {
    let measured = facts.program.as_ref()?;
    let ProgramFact::Supervised {
        state, uptime_s, ..
    } = &measured.value
    else {
        return None;
    };
    match (state, uptime_s) {
        (SupervisorState::Running | SupervisorState::Starting, Some(uptime)) => {
            Timestamp::from_second(measured.at.as_second() - i64::from(*uptime)).ok()
        }
        (SupervisorState::Starting | SupervisorState::Backoff, _) => facts
            .program_phase_since
            .filter(|at| at.as_second() <= facts.now.as_second() + SKEW_S),
        _ => None,
    }
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
