//! `program.state`: what supervisor says of the program inside the container.

use super::{
    CRASH_LOOP_OVER_S, CRASH_LOOP_STARTS, Check, fresh, recent_starts, start_left_s, within_start,
};
use crate::{
    cause::Cause,
    facts::{Facts, ProgramFact, SupervisorState},
    ladder::Rung,
    outcome::Outcome,
};

pub(super) const CHECK: Check = Check {
    id: "program.state",
    rung: Rung::Program,
    judge,
};

fn judge(facts: &Facts) -> Outcome {
    let measured = match fresh(facts.program.as_ref(), facts.now) {
        Ok(measured) => measured,
        Err(outcome) => return outcome,
    };
    let (state, detail, uptime_s) = match &measured.value {
        ProgramFact::NotSupervised => return Outcome::not_configured(Cause::NotMeasurable),
        ProgramFact::NotMeasurable { reason } => {
            return Outcome::unknown(Cause::NotMeasurable).with("detail", reason);
        }
        ProgramFact::NoSuchProgram { program } => {
            return Outcome::unknown(Cause::ProgramMissing).with("program", program);
        }
        ProgramFact::Supervised {
            state,
            detail,
            uptime_s,
        } => (*state, detail, *uptime_s),
    };
    let starts = recent_starts(&facts.program_starts.at, facts.now);
    let settled = state == SupervisorState::Running
        && uptime_s.is_some_and(|up| i64::from(up) >= CRASH_LOOP_OVER_S);
    let outcome = match state {
        SupervisorState::Fatal => Outcome::failing(Cause::ProgramFatal, measured.at),
        _ if starts >= CRASH_LOOP_STARTS && !settled => {
            Outcome::failing(Cause::ProgramCrashLoop, measured.at).with("starts", starts)
        }
        SupervisorState::Running => Outcome::ok(measured.at).with_some("uptime_s", uptime_s),
        SupervisorState::Starting | SupervisorState::Backoff => {
            Outcome::degraded(Cause::ProgramStarting, measured.at)
                .with_some("left_s", start_left_s(facts))
                .transient_if(within_start(facts))
        }
        SupervisorState::Stopped | SupervisorState::Stopping | SupervisorState::Exited => {
            Outcome::failing(Cause::ProgramStopped, measured.at)
        }
        SupervisorState::Unknown => Outcome::unknown(Cause::NotMeasurable),
    };
    let outcome = outcome.with("state", state_word(state));
    if detail.is_empty() {
        outcome
    } else {
        outcome.with("detail", detail)
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
