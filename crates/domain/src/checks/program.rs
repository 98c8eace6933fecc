//! `program.state`: what supervisor says of the program inside the container.

use super::{
    CRASH_LOOP_OVER_S, CRASH_LOOP_STARTS, Check, fresh, of_this_run, recent_starts, seconds,
    start_left_s, within_start,
};
use crate::{
    Timestamp,
    cause::Cause,
    facts::{Facts, ProgramFact, SupervisorState},
    ladder::Rung,
    outcome::Outcome,
};

pub(super) const CHECK: Check = Check {
    id: "program.state",
    rung: Rung::Program,
    judge: |facts| Some(judge(facts)),
};

/// Supervisor's KILL follows its TERM after 10 s; a stop that takes longer than this hangs.
const STOP_OVER_S: i64 = 30;

fn judge(facts: &Facts) -> Outcome {
    let measured = match fresh(facts.program.as_ref(), facts.now) {
        Ok(measured) => measured,
        Err(outcome) => return outcome,
    };
    if let Err(outcome) = of_this_run(facts, measured) {
        return outcome;
    }
    let (state, detail, uptime_s) = match &measured.value {
        ProgramFact::NotSupervised => {
            return Outcome::not_configured(Cause::NotMeasurable).checked(measured.at);
        }
        ProgramFact::NotMeasurable { reason } => {
            return Outcome::unknown(Cause::NotMeasurable)
                .checked(measured.at)
                .with("detail", reason);
        }
        ProgramFact::NoSuchProgram { program } => {
            return Outcome::unknown(Cause::ProgramMissing)
                .checked(measured.at)
                .with("program", program);
        }
        ProgramFact::Supervised {
            state,
            detail,
            uptime_s,
        } => (*state, detail, *uptime_s),
    };
    let recent = recent_starts(&facts.program_starts.at, facts.now);
    let settled = state == SupervisorState::Running
        && uptime_s.is_some_and(|up| i64::from(up) >= CRASH_LOOP_OVER_S);
    let outcome = match state {
        SupervisorState::Fatal => Outcome::failing(Cause::ProgramFatal, measured.at),
        _ if recent.starts >= CRASH_LOOP_STARTS && !settled => {
            Outcome::failing(Cause::ProgramCrashLoop, measured.at)
                .with("starts", recent.starts)
                .with("minutes", recent.minutes)
        }
        SupervisorState::Running => Outcome::ok(measured.at).with_some("uptime_s", uptime_s),
        SupervisorState::Starting | SupervisorState::Backoff => starting(facts, measured.at),
        SupervisorState::Stopping => stopping(facts, measured.at),
        SupervisorState::Stopped | SupervisorState::Exited => {
            Outcome::failing(Cause::ProgramStopped, measured.at)
        }
        SupervisorState::Unknown => Outcome::unknown(Cause::NotMeasurable).checked(measured.at),
    };
    let outcome = outcome.with("state", state_word(state));
    if detail.is_empty() {
        outcome
    } else {
        outcome.with("detail", detail)
    }
}

/// A start that is overdue holds up nothing above it any more: the program does not come up.
fn starting(facts: &Facts, at: Timestamp) -> Outcome {
    if within_start(facts) {
        Outcome::degraded(Cause::ProgramStarting, at)
            .with_some("left_s", start_left_s(facts))
            .transient_if(true)
    } else {
        Outcome::failing(Cause::ProgramStarting, at)
            .with_some("started_at", facts.program_phase_since)
    }
}

/// On its way to be stopped or restarted; one that hangs on the way is stopped for its users.
fn stopping(facts: &Facts, at: Timestamp) -> Outcome {
    let since = facts.program_phase_since.unwrap_or(at);
    if seconds(since, facts.now) <= STOP_OVER_S {
        Outcome::degraded(Cause::ProgramStopping, at).transient_if(true)
    } else {
        Outcome::failing(Cause::ProgramStopping, at).with("started_at", since)
    }
}

/// Supervisor's own word.
fn state_word(state: SupervisorState) -> &'static str {
    match state {
        SupervisorState::Stopped => "STOPPED",
        SupervisorState::Starting => "STARTING",
        SupervisorState::Running => "RUNNING",
        SupervisorState::Backoff => "BACKOFF",
        SupervisorState::Stopping => "STOPPING",
        SupervisorState::Exited => "EXITED",
        SupervisorState::Fatal => "FATAL",
        SupervisorState::Unknown => "UNKNOWN",
    }
}
