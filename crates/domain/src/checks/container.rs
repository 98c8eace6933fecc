//! `container.state`: PID 1, how it ended, whether it keeps ending.

use super::{CRASH_LOOP_OVER_S, CRASH_LOOP_STARTS, Check, fresh, recent_starts, seconds};
use crate::{
    Timestamp,
    cause::Cause,
    container::{ContainerSnapshot, Health, RunState},
    facts::{ContainerFact, Facts},
    ladder::Rung,
    outcome::Outcome,
};

pub(super) const CHECK: Check = Check {
    id: "container.state",
    rung: Rung::Container,
    judge,
};

/// 128 + SIGKILL: ended by force.
const EXIT_SIGKILL: i32 = 137;

fn judge(facts: &Facts) -> Outcome {
    let measured = match fresh(facts.container.as_ref(), facts.now) {
        Ok(measured) => measured,
        Err(outcome) => return outcome,
    };
    match &measured.value {
        ContainerFact::Missing {
            name,
            last_seen,
            image_id,
        } => Outcome::failing(Cause::ContainerMissing, measured.at)
            .with("container", name)
            .with_some("last_seen", last_seen.as_ref())
            .with_some("image", image_id.as_ref()),
        ContainerFact::Present(container) => {
            let starts = recent_starts(&facts.container_starts.at, facts.now);
            present(container, starts, measured.at)
        }
    }
}

fn present(container: &ContainerSnapshot, starts: usize, at: Timestamp) -> Outcome {
    let ended = |cause| {
        Outcome::failing(cause, at)
            .with_some("exit_code", container.exit_code)
            .with_some("finished_at", container.finished_at)
            .with_some("detail", container.error.as_ref().filter(|e| !e.is_empty()))
    };
    let settled = container.state == RunState::Running
        && container
            .started_at
            .is_some_and(|started| seconds(started, at) >= CRASH_LOOP_OVER_S);
    let looping = !settled
        && starts >= CRASH_LOOP_STARTS
        && !matches!(container.state, RunState::Paused | RunState::Dead);
    if looping {
        return ended(Cause::ContainerCrashLoop).with("starts", starts);
    }
    match container.state {
        RunState::Running => match container.health {
            Some(Health::Unhealthy) => {
                Outcome::degraded(Cause::ContainerUnhealthy, at).with("health", "unhealthy")
            }
            health => Outcome::ok(at)
                .with_some("started_at", container.started_at)
                .with_some(
                    "health",
                    health.map(|h| match h {
                        Health::Starting => "starting",
                        Health::Healthy => "healthy",
                        Health::Unhealthy => "unhealthy",
                    }),
                ),
        },
        RunState::Restarting => Outcome::degraded(Cause::ContainerStarting, at)
            .with_some("exit_code", container.exit_code)
            .transient_if(true),
        RunState::Paused => Outcome::failing(Cause::ContainerPaused, at),
        RunState::Created => ended(start_failure(container).unwrap_or(Cause::ContainerCreated)),
        RunState::Exited => ended(exit_cause(container)).with_some(
            "memory_limit",
            container.memory_limit.filter(|_| container.oom_killed),
        ),
        RunState::Removing => ended(Cause::ContainerMissing),
        RunState::Dead => ended(Cause::ContainerDead),
    }
}

fn exit_cause(container: &ContainerSnapshot) -> Cause {
    if container.oom_killed {
        return Cause::ContainerOomKilled;
    }
    if let Some(cause) = start_failure(container) {
        return cause;
    }
    if container.exit_code == Some(EXIT_SIGKILL) {
        return Cause::ContainerKilled;
    }
    Cause::ContainerExited
}

/// What the engine's own error text of the last start means.
fn start_failure(container: &ContainerSnapshot) -> Option<Cause> {
    let error = container.error.as_deref()?.to_ascii_lowercase();
    if error.contains("port is already allocated") || error.contains("address already in use") {
        return Some(Cause::ContainerPortInUse);
    }
    if error.contains("nvidia-container-cli")
        || error.contains("could not select device driver")
        || error.contains("nvidia-container-runtime")
    {
        return Some(Cause::ContainerGpuRuntime);
    }
    None
}
