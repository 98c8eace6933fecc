//! Actions on a service: what may be asked, what it will run, why it is refused.

use serde::{Deserialize, Serialize};

use crate::{
    container::RunState,
    facts::{Activity, Busy},
    job::Forecast,
    service::ServiceKind,
};

/// What a restart restarts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
#[serde(rename_all = "snake_case")]
pub enum RestartTarget {
    /// `docker restart`.
    Container,
    /// `supervisorctl restart` inside the running container.
    Program,
}

/// What may be asked of a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
#[serde(tag = "verb", rename_all = "snake_case")]
pub enum Action {
    /// Start the stopped container.
    Start,
    /// Stop the running container.
    Stop,
    /// Restart the container or the program.
    Restart {
        /// Which of the two.
        target: RestartTarget,
    },
}

/// Why an action is not done. Decided on facts; `force` overrides only what it may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
#[serde(rename_all = "snake_case")]
pub enum Refusal {
    /// The engine does not answer; nothing can be done through it.
    EngineNotAnswering,
    /// The container does not exist.
    ContainerMissing,
    /// Its state is not known.
    StateUnknown,
    /// Another action on this service is under way.
    AlreadyActing,
    /// A generation is running and would be lost.
    GenerationRunning,
    /// It runs already.
    AlreadyRunning,
    /// It is stopped already.
    AlreadyStopped,
    /// The container does not run, so its program cannot be restarted.
    ContainerNotRunning,
    /// It is paused; the engine starts only what is stopped.
    ContainerPaused,
    /// The engine is removing it, or could not.
    ContainerDead,
    /// It has no program of its own to restart: by its kind, or as measured in the container.
    NoProgram,
}

impl Refusal {
    /// Whether `--force` may override it. Only the loss of work may be accepted by the admin;
    /// what cannot be done stays undone.
    pub fn forceable(self) -> bool {
        matches!(self, Refusal::GenerationRunning)
    }
}

/// What will happen, shown before it does.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
pub struct ActionPlan {
    /// The action.
    pub action: Action,
    /// Equivalent commands, for the tooltip and the journal.
    pub runs: Vec<String>,
    /// Commands that undo it; empty when it needs no undo.
    pub undo: Vec<String>,
    /// Work that would be lost, as far as known.
    pub interrupts: Option<Busy>,
    /// Whether `interrupts` was measured; otherwise a generation may be running and be lost.
    pub interrupts_known: bool,
    /// Why it will not be done, in the order they were found.
    pub refusals: Vec<Refusal>,
    /// How long it took before.
    pub forecast: Option<Forecast>,
}

impl ActionPlan {
    /// The first refusal that `force` does not override.
    pub fn refused(&self, force: bool) -> Option<Refusal> {
        self.refusals
            .iter()
            .copied()
            .find(|r| !(force && r.forceable()))
    }
}

/// What is known when a plan is made.
#[derive(Debug, Clone, Copy)]
pub struct PlanFacts<'a> {
    /// Container name.
    pub container: &'a str,
    /// Its kind.
    pub kind: &'static dyn ServiceKind,
    /// Whether the engine answered its last ping.
    pub engine_answers: bool,
    /// `None` while unknown, `Some(None)` when the container is missing.
    pub state: Option<Option<RunState>>,
    /// Whether a generation runs, as measured.
    pub activity: &'a Activity,
    /// Measured in the container: supervisor is not there, or does not know the program.
    pub no_supervisor: bool,
    /// Another action is under way.
    pub acting: bool,
    /// From earlier runs of this very action.
    pub forecast: Option<&'a Forecast>,
    /// Grace period of a stop in seconds.
    pub stop_timeout_s: u32,
}

/// Plans an action from what is known. Pure: showing a plan changes nothing.
pub fn plan(action: Action, facts: &PlanFacts<'_>) -> ActionPlan {
    let mut refusals = Vec::new();
    if facts.engine_answers {
        match facts.state {
            None => refusals.push(Refusal::StateUnknown),
            Some(None) => refusals.push(Refusal::ContainerMissing),
            Some(Some(state)) => refusals.extend(state_refusal(action, state)),
        }
    } else {
        refusals.push(Refusal::EngineNotAnswering);
    }
    if matches!(
        action,
        Action::Restart {
            target: RestartTarget::Program
        }
    ) && (facts.kind.program().is_none() || facts.no_supervisor)
    {
        refusals.push(Refusal::NoProgram);
    }
    if facts.acting {
        refusals.push(Refusal::AlreadyActing);
    }
    // A start interrupts nothing, whatever runs.
    let activity = if matches!(action, Action::Start) {
        &Activity::Idle
    } else {
        facts.activity
    };
    let interrupts = activity.busy().cloned();
    if interrupts.is_some() {
        refusals.push(Refusal::GenerationRunning);
    }
    let (runs, undo) = commands(action, facts);
    ActionPlan {
        action,
        runs,
        undo,
        interrupts,
        interrupts_known: *activity != Activity::Unknown,
        refusals,
        forecast: facts.forecast.copied(),
    }
}

fn state_refusal(action: Action, state: RunState) -> Option<Refusal> {
    let runs = matches!(
        state,
        RunState::Running | RunState::Restarting | RunState::Paused
    );
    match action {
        _ if matches!(state, RunState::Removing | RunState::Dead) => Some(Refusal::ContainerDead),
        Action::Start if state == RunState::Paused => Some(Refusal::ContainerPaused),
        Action::Start if runs => Some(Refusal::AlreadyRunning),
        Action::Stop if !runs => Some(Refusal::AlreadyStopped),
        Action::Restart {
            target: RestartTarget::Program,
        } if state != RunState::Running => Some(Refusal::ContainerNotRunning),
        _ => None,
    }
}

fn commands(action: Action, facts: &PlanFacts<'_>) -> (Vec<String>, Vec<String>) {
    let name = facts.container;
    let wait = facts.stop_timeout_s;
    let start = format!("docker start {name}");
    let stop = format!("docker stop --time {wait} {name}");
    match action {
        Action::Start => (vec![start], vec![stop]),
        Action::Stop => (vec![stop], vec![start]),
        Action::Restart {
            target: RestartTarget::Container,
        } => (
            vec![format!("docker restart --time {wait} {name}")],
            Vec::new(),
        ),
        Action::Restart {
            target: RestartTarget::Program,
        } => {
            let program = facts.kind.program().unwrap_or("?");
            (
                vec![format!(
                    "docker exec {name} supervisorctl restart {program}"
                )],
                Vec::new(),
            )
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::service::{KindId, kind};

    fn facts(state: Option<Option<RunState>>, activity: &Activity) -> PlanFacts<'_> {
        PlanFacts {
            container: "myia-supervisor-1",
            kind: kind(KindId::Forge),
            engine_answers: true,
            state,
            activity,
            no_supervisor: false,
            acting: false,
            forecast: None,
            stop_timeout_s: 30,
        }
    }

    #[test]
    fn refusals_follow_the_state() {
        use RunState::{Dead, Exited, Paused, Removing, Restarting, Running};
        let restart = Action::Restart {
            target: RestartTarget::Container,
        };
        let program = Action::Restart {
            target: RestartTarget::Program,
        };
        for (action, state, expected) in [
            (
                Action::Start,
                Some(Some(Running)),
                vec![Refusal::AlreadyRunning],
            ),
            (Action::Start, Some(Some(Exited)), vec![]),
            (
                Action::Stop,
                Some(Some(Exited)),
                vec![Refusal::AlreadyStopped],
            ),
            (Action::Stop, Some(Some(Paused)), vec![]),
            (
                Action::Start,
                Some(Some(Paused)),
                vec![Refusal::ContainerPaused],
            ),
            (
                Action::Start,
                Some(Some(Restarting)),
                vec![Refusal::AlreadyRunning],
            ),
            (
                Action::Start,
                Some(Some(Dead)),
                vec![Refusal::ContainerDead],
            ),
            (
                Action::Stop,
                Some(Some(Removing)),
                vec![Refusal::ContainerDead],
            ),
            (restart, Some(Some(Dead)), vec![Refusal::ContainerDead]),
            (restart, Some(Some(Paused)), vec![]),
            (restart, Some(Some(Exited)), vec![]),
            (restart, Some(None), vec![Refusal::ContainerMissing]),
            (restart, None, vec![Refusal::StateUnknown]),
            (
                program,
                Some(Some(Exited)),
                vec![Refusal::ContainerNotRunning],
            ),
            (program, Some(Some(Running)), vec![]),
        ] {
            assert_eq!(
                plan(action, &facts(state, &Activity::Idle)).refusals,
                expected,
                "{action:?} {state:?}"
            );
        }
    }

    #[test]
    fn only_lost_work_can_be_forced() {
        let busy = Activity::Busy(Busy {
            percent: Some(40),
            loading_model: false,
            eta_s: Some(3),
        });
        let restart = Action::Restart {
            target: RestartTarget::Container,
        };
        let running = plan(restart, &facts(Some(Some(RunState::Running)), &busy));
        assert_eq!(running.refused(false), Some(Refusal::GenerationRunning));
        assert_eq!(running.refused(true), None, "the admin may accept the loss");
        let unknown = plan(restart, &facts(None, &busy));
        assert_eq!(
            unknown.refused(true),
            Some(Refusal::StateUnknown),
            "nothing acts on unknown"
        );
    }

    #[test]
    fn a_program_restart_needs_a_supervisor_that_was_found() {
        let program = Action::Restart {
            target: RestartTarget::Program,
        };
        for id in [KindId::Forge, KindId::Comfyui] {
            let mut found = facts(Some(Some(RunState::Running)), &Activity::Idle);
            found.kind = kind(id);
            assert_eq!(plan(program, &found).refused(false), None, "{id}");
            found.no_supervisor = true;
            assert_eq!(
                plan(program, &found).refused(true),
                Some(Refusal::NoProgram),
                "{id}"
            );
        }
    }

    #[test]
    fn what_was_not_measured_is_not_called_idle() {
        let running = Some(Some(RunState::Running));
        let unknown = facts(running, &Activity::Unknown);
        let stop = plan(Action::Stop, &unknown);
        assert_eq!(
            (stop.interrupts.as_ref(), stop.interrupts_known),
            (None, false)
        );
        assert_eq!(stop.refused(false), None, "a hung service can be restarted");
        let idle = plan(Action::Stop, &facts(running, &Activity::Idle));
        assert!(idle.interrupts_known);
        let start = plan(
            Action::Start,
            &facts(Some(Some(RunState::Exited)), &Activity::Unknown),
        );
        assert!(start.interrupts_known, "a start interrupts nothing");
    }

    #[test]
    fn an_engine_that_does_not_answer_refuses_everything() {
        let mut f = facts(Some(Some(RunState::Running)), &Activity::Idle);
        f.engine_answers = false;
        assert_eq!(
            plan(Action::Stop, &f).refused(true),
            Some(Refusal::EngineNotAnswering)
        );
    }
}
