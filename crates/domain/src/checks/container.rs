//! `container.state`: PID 1, how it ended, whether it keeps ending.

use super::{CRASH_LOOP_OVER_S, CRASH_LOOP_STARTS, Check, fresh, recent_starts, seconds};
use crate::{
    Timestamp,
    cause::Cause,
    container::{ContainerSnapshot, Health, RunState},
    engine_words::{is_disk_full, is_gpu_runtime, port_clash},
    facts::{ContainerFact, Facts},
    ladder::Rung,
    outcome::Outcome,
};

pub(super) const CHECK: Check = Check {
    id: "container.state",
    rung: Rung::Container,
    judge: |facts| Some(judge(facts)),
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
        ContainerFact::NotMeasurable { reason } => Outcome::unknown(Cause::NotMeasurable)
            .checked(measured.at)
            .with("detail", reason),
        ContainerFact::Present(container) => present(container, facts, measured.at),
    }
}

fn present(container: &ContainerSnapshot, facts: &Facts, at: Timestamp) -> Outcome {
    let ended = |cause| {
        Outcome::failing(cause, at)
            .with_some("exit_code", container.exit_code)
            .with_some("finished_at", container.finished_at)
            .with_some("detail", container.error.as_ref().filter(|e| !e.is_empty()))
    };
    let recent = recent_starts(&facts.container_starts.at, facts.now);
    if loops(container, recent.starts, at) {
        let seen = (recent.starts > 0).then_some(recent);
        return ended(Cause::ContainerCrashLoop)
            .with_some("starts", seen.map(|r| r.starts))
            .with_some("minutes", seen.map(|r| r.minutes))
            .with("restart_count", container.restart_count);
    }
    match container.state {
        RunState::Running => running(container, at),
        RunState::Restarting => Outcome::degraded(Cause::ContainerStarting, at)
            .with_some("exit_code", container.exit_code)
            .transient_if(true),
        RunState::Paused => Outcome::failing(Cause::ContainerPaused, at)
            .with("state", "paused")
            .with_some("started_at", container.started_at),
        RunState::Created => ended(start_failure(container).unwrap_or(Cause::ContainerCreated)),
        RunState::Exited => ended(exit_cause(container)).with_some(
            "memory_limit",
            container.memory_limit.filter(|_| was_oom_killed(container)),
        ),
        RunState::Removing => ended(Cause::ContainerMissing),
        RunState::Dead => ended(Cause::ContainerDead),
    }
}

fn running(container: &ContainerSnapshot, at: Timestamp) -> Outcome {
    let health = container.health.map(|h| match h {
        Health::Starting => "starting",
        Health::Healthy => "healthy",
        Health::Unhealthy => "unhealthy",
    });
    let outcome = match container.health {
        Some(Health::Unhealthy) => Outcome::degraded(Cause::ContainerUnhealthy, at),
        _ => Outcome::ok(at).with_some("started_at", container.started_at),
    };
    outcome.with_some("health", health)
}

/// Whether it starts and ends again and again: by the starts seen, or where nobody watched by the
/// engine's own count, which an asked start sets back to zero. A loop is the restart policy at
/// work: between two starts the engine says `restarting`, so what has exited is out of it.
fn loops(container: &ContainerSnapshot, starts_seen: usize, at: Timestamp) -> bool {
    let counted = usize::try_from(container.restart_count).unwrap_or(usize::MAX);
    let many = starts_seen >= CRASH_LOOP_STARTS || counted >= CRASH_LOOP_STARTS;
    match container.state {
        RunState::Restarting => many,
        RunState::Running => {
            let young = container
                .started_at
                .is_none_or(|started| seconds(started, at) < CRASH_LOOP_OVER_S);
            many && young
        }
        _ => false,
    }
}

/// The flag alone says that *a* process was killed for memory, perhaps long ago: a container that
/// outlived it and was stopped later did not end by it.
fn was_oom_killed(container: &ContainerSnapshot) -> bool {
    container.oom_killed && container.exit_code == Some(EXIT_SIGKILL)
}

fn exit_cause(container: &ContainerSnapshot) -> Cause {
    if was_oom_killed(container) {
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
    let error = container.error.as_deref()?;
    if port_clash(error).is_some() {
        Some(Cause::ContainerPortInUse)
    } else if is_gpu_runtime(error) {
        Some(Cause::ContainerGpuRuntime)
    } else if is_disk_full(error) {
        Some(Cause::DiskFull)
    } else {
        None
    }
}
