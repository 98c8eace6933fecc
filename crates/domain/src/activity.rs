//! Whether a generation runs on a service, from all that was measured of it.

use crate::{
    checks::{is_fresh, run_started},
    container::RunState,
    facts::{Activity, ApiFact, Busy, ContainerFact, Facts, ProgramFact, SupervisorState},
};

/// What an action would interrupt. Idle only where something was measured that excludes a
/// generation; an API that does not say is unknown, never idle.
pub fn activity(facts: &Facts) -> Activity {
    let Some(container) = facts.container.as_ref().filter(|m| is_fresh(m, facts.now)) else {
        return Activity::Unknown;
    };
    match &container.value {
        ContainerFact::Missing { .. } => return Activity::Idle,
        ContainerFact::NotMeasurable { .. } => return Activity::Unknown,
        ContainerFact::Present(snapshot) => {
            if !matches!(snapshot.state, RunState::Running | RunState::Paused) {
                return Activity::Idle;
            }
        }
    }
    if let Some(program) = facts.program.as_ref().filter(|m| is_fresh(m, facts.now))
        && let ProgramFact::Supervised { state, .. } = &program.value
        && matches!(
            state,
            SupervisorState::Stopped
                | SupervisorState::Exited
                | SupervisorState::Fatal
                | SupervisorState::Backoff
        )
    {
        // Without its process nothing is generated.
        return Activity::Idle;
    }
    let Some(api) = facts.api.as_ref().filter(|m| is_fresh(m, facts.now)) else {
        return Activity::Unknown;
    };
    if run_started(facts).is_some_and(|started| api.at < started) {
        return Activity::Unknown;
    }
    match &api.value {
        ApiFact::Answered { activity, .. } => activity.clone(),
        ApiFact::TimedOut {
            progress_moves: true,
            ..
        } => Activity::Busy(Busy {
            percent: None,
            loading_model: false,
            eta_s: None,
        }),
        _ => Activity::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        checks::tests::{at, healthy, now, with_api, with_container, with_program},
        facts::Measured,
    };

    fn busy() -> Busy {
        Busy {
            percent: Some(40),
            loading_model: false,
            eta_s: Some(3),
        }
    }

    fn answered(activity: Activity) -> ApiFact {
        ApiFact::Answered {
            models: Some(3),
            latency_ms: 5,
            activity,
            version: None,
            device: None,
        }
    }

    #[test]
    fn idle_is_said_only_where_it_was_measured() {
        let hung = |progress_moves| ApiFact::TimedOut {
            deadline_ms: 5000,
            progress_moves,
        };
        let idle = || with_api(answered(Activity::Idle));
        let moved = Busy {
            percent: None,
            loading_model: false,
            eta_s: None,
        };
        let late = Facts {
            now: at(1_800_000_100),
            ..idle()
        };
        let mut before = idle();
        if let Some(api) = &mut before.api {
            api.at = at(1_700_000_000);
        }
        for (what, facts, expected) in [
            ("the progress route says so", idle(), Activity::Idle),
            (
                "it runs",
                with_api(answered(Activity::Busy(busy()))),
                Activity::Busy(busy()),
            ),
            (
                "the progress route did not answer",
                with_api(answered(Activity::Unknown)),
                Activity::Unknown,
            ),
            (
                "hung, but it moves",
                with_api(hung(true)),
                Activity::Busy(moved),
            ),
            ("hung", with_api(hung(false)), Activity::Unknown),
            (
                "an error says nothing of it",
                with_api(ApiFact::ServerError {
                    status: 500,
                    message: String::new(),
                }),
                Activity::Unknown,
            ),
            (
                "nothing was asked",
                Facts {
                    api: None,
                    ..healthy()
                },
                Activity::Unknown,
            ),
            ("measured too long ago", late, Activity::Unknown),
            ("measured on the run before", before, Activity::Unknown),
            (
                "the container is stopped",
                with_container(|c| c.state = RunState::Exited),
                Activity::Idle,
            ),
            (
                "the program is dead",
                with_program(SupervisorState::Fatal),
                Activity::Idle,
            ),
            (
                "no container",
                Facts {
                    container: now(ContainerFact::Missing {
                        name: "x".into(),
                        last_seen: None,
                        image_id: None,
                    }),
                    ..healthy()
                },
                Activity::Idle,
            ),
            (
                "the container was not looked at",
                Facts {
                    container: None::<Measured<ContainerFact>>,
                    ..healthy()
                },
                Activity::Unknown,
            ),
        ] {
            assert_eq!(activity(&facts), expected, "{what}");
        }
    }
}
