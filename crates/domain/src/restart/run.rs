//! One start, stop or restart as it happens. It is told what was observed and when; it never
//! invents the time of a stage nobody saw.

use jiff::Timestamp;

use super::{Stage, StageTime};
use crate::{
    action::{Action, RestartTarget},
    container::RunState,
    facts::{ApiFact, SupervisorState},
};

/// What was seen of the service while the run is under way.
#[derive(Debug, Clone, PartialEq)]
pub enum Observation {
    /// The request was handed to the engine or to supervisor.
    Sent,
    /// The container as inspected.
    Container {
        /// Its state.
        state: RunState,
        /// Its last start.
        started_at: Option<Timestamp>,
    },
    /// Supervisor's word on the program. Where PID 1 is the program there is none.
    Program {
        /// Its state.
        state: SupervisorState,
        /// Seconds it has been up.
        uptime_s: Option<u32>,
    },
    /// This kind has no supervisor: the program rung does not exist.
    NoProgram,
    /// An API probe ended.
    Api(ApiFact),
    /// The probe cannot be made: no API address is configured.
    NoApi,
}

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RunEnd {
    /// Every stage that can be proved was proved.
    Proved,
}

/// A run in progress.
#[derive(Debug, Clone)]
pub struct RestartRun {
    action: Action,
    asked_at: Timestamp,
    started_before: Option<Timestamp>,
    stages: Vec<StageTime>,
    has_program: Option<bool>,
    has_api: bool,
}

impl RestartRun {
    /// The admin asked. `started_before` is the container's last start as the engine tells it:
    /// a new run is recognised by another start time, not by comparing the engine's clock with
    /// ours, which may disagree.
    pub fn new(action: Action, asked_at: Timestamp, started_before: Option<Timestamp>) -> Self {
        let mut run = Self {
            action,
            asked_at,
            started_before,
            stages: Vec::new(),
            has_program: None,
            has_api: true,
        };
        run.reach(Stage::Asked, asked_at);
        run
    }

    /// Whether a start time is that of a new run.
    pub fn is_new_start(&self, started_at: Option<Timestamp>) -> bool {
        started_at.is_some() && started_at != self.started_before
    }

    /// Stages reached so far.
    pub fn stages(&self) -> &[StageTime] {
        &self.stages
    }

    /// When a stage was reached.
    pub fn reached(&self, stage: Stage) -> Option<Timestamp> {
        self.stages.iter().find(|s| s.stage == stage).map(|s| s.at)
    }

    /// Takes an observation; returns whether a new stage was reached.
    pub fn observe(&mut self, at: Timestamp, seen: &Observation) -> bool {
        let before = self.stages.len();
        match seen {
            Observation::Sent => self.sent(at),
            Observation::Container { state, started_at } => self.container(at, *state, *started_at),
            Observation::Program { state, uptime_s } => self.program(at, *state, *uptime_s),
            Observation::NoProgram => self.has_program = Some(false),
            Observation::NoApi => self.has_api = false,
            Observation::Api(fact) => self.api(at, fact),
        }
        self.stages.len() > before
    }

    /// The end, once everything that can be proved is.
    pub fn end(&self) -> Option<RunEnd> {
        let proved = match self.action {
            Action::Stop => self.reached(Stage::Stopped).is_some(),
            Action::Start
            | Action::Restart {
                target: RestartTarget::Container,
            } => {
                self.reached(Stage::ContainerUp).is_some()
                    && self.program_proved()
                    && (!self.has_api || self.reached(Stage::ApiAnswers).is_some())
            }
            Action::Restart {
                target: RestartTarget::Program,
            } => {
                self.reached(Stage::ProgramUp).is_some()
                    && (!self.has_api || self.reached(Stage::ApiAnswers).is_some())
            }
        };
        proved.then_some(RunEnd::Proved)
    }

    fn program_proved(&self) -> bool {
        match self.has_program {
            Some(false) => true,
            // An answering API proves the program that nobody looked at in between.
            Some(true) | None => {
                self.reached(Stage::ProgramUp).is_some()
                    || self.reached(Stage::ApiAnswers).is_some()
            }
        }
    }

    fn sent(&mut self, at: Timestamp) {
        match self.action {
            Action::Start => self.reach(Stage::Starting, at),
            Action::Stop | Action::Restart { .. } => self.reach(Stage::Stopping, at),
        }
    }

    fn container(&mut self, at: Timestamp, state: RunState, started_at: Option<Timestamp>) {
        if matches!(
            self.action,
            Action::Restart {
                target: RestartTarget::Program
            }
        ) {
            return;
        }
        let again = self.is_new_start(started_at);
        match state {
            RunState::Exited | RunState::Dead if !again || self.action == Action::Stop => {
                self.reach(Stage::Stopped, at);
            }
            RunState::Restarting => self.reach(Stage::Starting, at),
            RunState::Running if again && self.action != Action::Stop => {
                // The engine's own start time is earlier and truer than the moment we looked.
                // Where the two clocks disagree, the moment we looked is all that is known.
                let told = started_at.filter(|start| (self.asked_at..=at).contains(start));
                self.reach(Stage::ContainerUp, told.unwrap_or(at));
            }
            _ => {}
        }
    }

    fn program(&mut self, at: Timestamp, state: SupervisorState, uptime_s: Option<u32>) {
        self.has_program = Some(true);
        let of_container = !matches!(
            self.action,
            Action::Restart {
                target: RestartTarget::Program
            }
        );
        let Some(since) = (if of_container {
            self.reached(Stage::ContainerUp)
        } else {
            self.reached(Stage::Stopping)
        }) else {
            return;
        };
        match state {
            SupervisorState::Stopping if !of_container => self.reach(Stage::Stopping, at),
            SupervisorState::Stopped | SupervisorState::Exited if !of_container => {
                self.reach(Stage::Stopped, at);
            }
            SupervisorState::Starting | SupervisorState::Backoff => self.reach(Stage::Starting, at),
            SupervisorState::Running => {
                // An uptime that reaches back before this run is the old process.
                let old = uptime_s
                    .is_some_and(|up| at.as_second() - i64::from(up) < since.as_second() - 1);
                if !old {
                    self.reach(Stage::ProgramUp, at);
                }
            }
            _ => {}
        }
    }

    fn api(&mut self, at: Timestamp, fact: &ApiFact) {
        let base = match self.action {
            Action::Stop => return,
            Action::Restart {
                target: RestartTarget::Program,
            } => self.reached(Stage::ProgramUp),
            _ => self.reached(Stage::ContainerUp),
        };
        // An answer with credentials missing is an answer of the API: it is up again.
        let answers = matches!(
            fact,
            ApiFact::Answered { .. } | ApiFact::Unauthorized { .. }
        );
        if answers && base.is_some_and(|base| at >= base) && self.has_program != Some(true)
            || answers && self.reached(Stage::ProgramUp).is_some_and(|up| at >= up)
        {
            self.reach(Stage::ApiAnswers, at);
        }
    }

    fn reach(&mut self, stage: Stage, at: Timestamp) {
        if self.stages.iter().any(|s| s.stage >= stage) {
            return;
        }
        let after = at
            .as_millisecond()
            .saturating_sub(self.asked_at.as_millisecond())
            .max(0);
        let after_ms = u32::try_from(after).unwrap_or(u32::MAX);
        self.stages.push(StageTime {
            stage,
            at,
            after_ms,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).expect("valid")
    }

    fn stages(run: &RestartRun) -> Vec<Stage> {
        run.stages().iter().map(|s| s.stage).collect()
    }

    fn answered() -> Observation {
        Observation::Api(ApiFact::Answered {
            models: Some(3),
            latency_ms: 5,
            busy: None,
            version: None,
        })
    }

    fn container(state: RunState, started: i64) -> Observation {
        Observation::Container {
            state,
            started_at: Some(at(started)),
        }
    }

    fn program(state: SupervisorState, uptime_s: u32) -> Observation {
        Observation::Program {
            state,
            uptime_s: Some(uptime_s),
        }
    }

    #[test]
    fn a_container_restart_is_proved_by_the_api_and_by_nothing_less() {
        let mut run = RestartRun::new(
            Action::Restart {
                target: RestartTarget::Container,
            },
            at(100),
            Some(at(50)),
        );
        run.observe(at(100), &Observation::Sent);
        // The old run still answers while it is being stopped: it proves nothing.
        run.observe(at(101), &answered());
        run.observe(at(101), &container(RunState::Running, 50));
        run.observe(at(101), &program(SupervisorState::Running, 51));
        assert_eq!(stages(&run), [Stage::Asked, Stage::Stopping]);
        run.observe(at(104), &container(RunState::Exited, 50));
        run.observe(at(106), &container(RunState::Running, 105));
        run.observe(at(107), &program(SupervisorState::Starting, 0));
        run.observe(at(112), &program(SupervisorState::Running, 6));
        assert_eq!(run.end(), None, "RUNNING is not an answer");
        run.observe(
            at(113),
            &Observation::Api(ApiFact::Starting {
                what: "placeholder".into(),
            }),
        );
        assert_eq!(run.end(), None, "a placeholder page is not an answer");
        run.observe(at(130), &answered());
        assert_eq!(run.end(), Some(RunEnd::Proved));
        assert_eq!(
            stages(&run),
            [
                Stage::Asked,
                Stage::Stopping,
                Stage::Stopped,
                Stage::ContainerUp,
                Stage::ProgramUp,
                Stage::ApiAnswers
            ],
            "a stage that comes after a later one is not written in"
        );
        assert_eq!(
            run.reached(Stage::ContainerUp),
            Some(at(105)),
            "the engine's own time"
        );
        assert_eq!(run.stages().last().map(|s| s.after_ms), Some(30_000));
    }

    #[test]
    fn an_engine_whose_clock_runs_behind_is_believed_all_the_same() {
        let mut run = RestartRun::new(
            Action::Restart {
                target: RestartTarget::Container,
            },
            at(100),
            Some(at(20)),
        );
        run.observe(at(100), &Observation::Sent);
        run.observe(at(100), &Observation::NoProgram);
        run.observe(at(101), &container(RunState::Running, 20));
        assert_eq!(run.reached(Stage::ContainerUp), None, "the old run");
        run.observe(at(103), &container(RunState::Running, 72));
        assert_eq!(
            run.reached(Stage::ContainerUp),
            Some(at(103)),
            "when we saw it"
        );
        run.observe(at(104), &answered());
        assert_eq!(run.end(), Some(RunEnd::Proved));
    }

    #[test]
    fn a_program_restart_does_not_believe_the_old_process() {
        let mut run = RestartRun::new(
            Action::Restart {
                target: RestartTarget::Program,
            },
            at(100),
            Some(at(50)),
        );
        run.observe(at(100), &Observation::Sent);
        run.observe(at(101), &program(SupervisorState::Running, 3600));
        run.observe(at(101), &answered());
        assert_eq!(run.end(), None);
        run.observe(at(103), &program(SupervisorState::Stopped, 0));
        run.observe(at(104), &program(SupervisorState::Starting, 0));
        run.observe(at(110), &program(SupervisorState::Running, 6));
        run.observe(at(120), &answered());
        assert_eq!(run.end(), Some(RunEnd::Proved));
    }

    #[test]
    fn without_supervisor_the_program_is_pid_1() {
        let mut run = RestartRun::new(
            Action::Restart {
                target: RestartTarget::Container,
            },
            at(100),
            Some(at(50)),
        );
        run.observe(at(100), &Observation::Sent);
        run.observe(at(100), &Observation::NoProgram);
        run.observe(at(103), &container(RunState::Running, 102));
        run.observe(at(104), &answered());
        assert_eq!(run.end(), Some(RunEnd::Proved));
    }

    #[test]
    fn a_stop_ends_when_the_container_has() {
        let mut run = RestartRun::new(Action::Stop, at(100), Some(at(50)));
        run.observe(at(100), &Observation::Sent);
        run.observe(at(101), &container(RunState::Running, 50));
        assert_eq!(run.end(), None);
        run.observe(at(102), &container(RunState::Exited, 50));
        assert_eq!(run.end(), Some(RunEnd::Proved));
    }

    #[test]
    fn a_start_without_api_address_is_proved_by_container_and_program() {
        let mut run = RestartRun::new(Action::Start, at(100), Some(at(50)));
        run.observe(at(100), &Observation::Sent);
        run.observe(at(100), &Observation::NoApi);
        run.observe(at(101), &container(RunState::Running, 101));
        assert_eq!(
            run.end(),
            None,
            "whether there is a program is not known yet"
        );
        run.observe(at(102), &program(SupervisorState::Running, 1));
        assert_eq!(run.end(), Some(RunEnd::Proved));
    }
}
