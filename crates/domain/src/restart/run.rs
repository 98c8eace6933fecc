//! One start, stop or restart as it happens. It is told what was observed and when; it never
//! invents the time of a stage nobody saw.

use jiff::Timestamp;

use super::{Stage, StageTime};
use crate::{
    action::{Action, RestartTarget},
    cause::Cause,
    container::RunState,
    facts::{ApiFact, SupervisorState},
    generation::GenerationVerdict,
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
        /// Its last end, which the engine still tells of a container that runs again.
        finished_at: Option<Timestamp>,
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
    /// A test picture ended. Optional: a run waits for it only after [`RestartRun::with_image`].
    Image(GenerationVerdict),
}

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RunEnd {
    /// Every stage that can be proved was proved.
    Proved,
    /// It went as far as it can be followed, and this stands before the proof.
    Unproved(Cause),
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
    wants_image: bool,
    unauthorized: bool,
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
            wants_image: false,
            unauthorized: false,
        };
        run.reach(Stage::Asked, asked_at);
        run
    }

    /// Ends only with a test picture: an answering API proves no GPU.
    #[must_use]
    pub fn with_image(mut self) -> Self {
        self.wants_image = true;
        self
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
            Observation::Container {
                state,
                started_at,
                finished_at,
            } => self.container(at, *state, *started_at, *finished_at),
            Observation::Program { state, uptime_s } => self.program(at, *state, *uptime_s),
            Observation::NoProgram => self.has_program = Some(false),
            Observation::NoApi => self.has_api = false,
            Observation::Api(fact) => self.api(at, fact),
            Observation::Image(verdict) => self.image(at, *verdict),
        }
        self.stages.len() > before
    }

    /// The end, once everything that can be proved is, or once it is clear what cannot.
    pub fn end(&self) -> Option<RunEnd> {
        if self.action == Action::Stop {
            return self.reached(Stage::Stopped).map(|_| RunEnd::Proved);
        }
        let up = if self.is_of_container() {
            self.reached(Stage::ContainerUp).is_some() && self.program_proved()
        } else {
            self.reached(Stage::ProgramUp).is_some()
        };
        let answers = self.reached(Stage::ApiAnswers).is_some();
        let shown = !self.wants_image || self.reached(Stage::Image).is_some();
        match (up, answers || !self.has_api) {
            (true, true) if shown => Some(RunEnd::Proved),
            // Waiting changes nothing: without credentials nothing more will be told.
            (true, false) if self.unauthorized => Some(RunEnd::Unproved(Cause::ApiUnauthorized)),
            _ => None,
        }
    }

    fn is_of_container(&self) -> bool {
        !matches!(
            self.action,
            Action::Restart {
                target: RestartTarget::Program
            }
        )
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

    fn container(
        &mut self,
        at: Timestamp,
        state: RunState,
        started_at: Option<Timestamp>,
        finished_at: Option<Timestamp>,
    ) {
        if !self.is_of_container() {
            return;
        }
        let again = self.is_new_start(started_at);
        // The engine's own times are earlier and truer than the moment we looked. Where the two
        // clocks disagree, the moment we looked is all that is known.
        let told = |time: Option<Timestamp>| time.filter(|t| (self.asked_at..=at).contains(t));
        let (started, finished) = (told(started_at), told(finished_at));
        match state {
            RunState::Exited | RunState::Dead if !again || self.action == Action::Stop => {
                self.ended(finished.unwrap_or(at));
            }
            RunState::Restarting => self.reach(Stage::Starting, at),
            RunState::Running if again && self.action != Action::Stop => {
                // Nobody looked between the end and the start, but the engine tells both.
                if let Some(finished) = finished
                    && started.is_none_or(|started| finished <= started)
                {
                    self.ended(finished);
                }
                self.reach(Stage::ContainerUp, started.unwrap_or(at));
            }
            _ => {}
        }
    }

    /// PID 1 has ended; of a restart the engine starts it in the same breath.
    fn ended(&mut self, at: Timestamp) {
        if self.action != Action::Start {
            self.reach(Stage::Stopped, at);
        }
        if matches!(self.action, Action::Restart { .. }) {
            self.reach(Stage::Starting, at);
        }
    }

    fn program(&mut self, at: Timestamp, state: SupervisorState, uptime_s: Option<u32>) {
        self.has_program = Some(true);
        let of_container = self.is_of_container();
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
                let new = match uptime_s {
                    // An uptime that reaches back before this run is the old process.
                    Some(up) => at.as_second() - i64::from(up) >= since.as_second() - 1,
                    // In a new container it is new; in the old one somebody must have seen it go.
                    None if of_container => at >= since,
                    None => {
                        self.reached(Stage::Stopped).is_some()
                            || self.reached(Stage::Starting).is_some()
                    }
                };
                if new {
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
        let base = match self.has_program {
            Some(true) => self.reached(Stage::ProgramUp),
            _ => base,
        };
        if base.is_none_or(|base| at < base) {
            return;
        }
        // A 401 may come from a proxy in front of a program that does not answer at all.
        self.unauthorized = matches!(fact, ApiFact::Unauthorized { .. });
        if matches!(fact, ApiFact::Answered { .. }) {
            self.reach(Stage::ApiAnswers, at);
        }
    }

    fn image(&mut self, at: Timestamp, verdict: GenerationVerdict) {
        let up = self.reached(Stage::ApiAnswers).is_some_and(|up| at >= up);
        if up && verdict == GenerationVerdict::Proved {
            self.reach(Stage::Image, at);
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

    use crate::facts::Activity;

    fn answered() -> Observation {
        Observation::Api(ApiFact::Answered {
            models: Some(3),
            latency_ms: 5,
            activity: Activity::Idle,
            version: None,
            device: None,
        })
    }

    fn container(state: RunState, started: i64) -> Observation {
        Observation::Container {
            state,
            started_at: Some(at(started)),
            finished_at: None,
        }
    }

    fn ran_again(started: i64, finished: i64) -> Observation {
        Observation::Container {
            state: RunState::Running,
            started_at: Some(at(started)),
            finished_at: Some(at(finished)),
        }
    }

    fn restart(target: RestartTarget) -> RestartRun {
        let mut run = RestartRun::new(Action::Restart { target }, at(100), Some(at(50)));
        run.observe(at(100), &Observation::Sent);
        run
    }

    fn unauthorized() -> Observation {
        Observation::Api(ApiFact::Unauthorized {
            status: 401,
            sent_credentials: true,
        })
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
                Stage::Starting,
                Stage::ContainerUp,
                Stage::ProgramUp,
                Stage::ApiAnswers
            ],
            "supervisor's STARTING comes after a later stage and is not written in"
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

    #[test]
    fn what_nobody_saw_is_filled_in_from_the_engines_own_times() {
        let mut run = restart(RestartTarget::Container);
        run.observe(at(100), &Observation::NoProgram);
        run.observe(at(107), &ran_again(105, 104));
        let times: Vec<_> = run.stages().iter().map(|s| (s.stage, s.at)).collect();
        assert_eq!(
            times,
            [
                (Stage::Asked, at(100)),
                (Stage::Stopping, at(100)),
                (Stage::Stopped, at(104)),
                (Stage::Starting, at(104)),
                (Stage::ContainerUp, at(105)),
            ]
        );
    }

    #[test]
    fn no_time_is_filled_in_that_the_engine_does_not_tell() {
        let up = [Stage::Asked, Stage::Stopping, Stage::ContainerUp];
        for (finished, why) in [
            (49, "an end before the request"),
            (106, "an end after the start"),
            (900, "an end of the future"),
        ] {
            let mut run = restart(RestartTarget::Container);
            run.observe(at(107), &ran_again(105, finished));
            assert_eq!(stages(&run), up, "{why}");
        }
        let mut start = RestartRun::new(Action::Start, at(100), Some(at(50)));
        start.observe(at(100), &Observation::Sent);
        start.observe(at(107), &ran_again(105, 104));
        assert_eq!(
            stages(&start),
            [Stage::Asked, Stage::Starting, Stage::ContainerUp],
            "a start stops nothing"
        );
    }

    #[test]
    fn running_without_an_uptime_is_the_old_process_until_it_was_seen_to_go() {
        let running = Observation::Program {
            state: SupervisorState::Running,
            uptime_s: None,
        };
        let mut run = restart(RestartTarget::Program);
        run.observe(at(101), &running);
        assert_eq!(run.reached(Stage::ProgramUp), None);
        run.observe(at(102), &program(SupervisorState::Starting, 0));
        run.observe(at(108), &running);
        assert_eq!(run.reached(Stage::ProgramUp), Some(at(108)));
        let mut run = restart(RestartTarget::Container);
        run.observe(at(101), &running);
        assert_eq!(
            run.reached(Stage::ProgramUp),
            None,
            "the container is the old one"
        );
        run.observe(at(107), &ran_again(105, 104));
        run.observe(at(108), &running);
        assert_eq!(run.reached(Stage::ProgramUp), Some(at(108)));
    }

    #[test]
    fn a_401_is_an_end_and_no_proof() {
        let mut run = restart(RestartTarget::Container);
        run.observe(at(101), &unauthorized());
        assert_eq!(run.end(), None, "of the old run");
        run.observe(at(103), &container(RunState::Running, 102));
        run.observe(at(104), &program(SupervisorState::Starting, 0));
        run.observe(at(105), &unauthorized());
        assert_eq!(run.end(), None, "the proxy's, while the program starts");
        run.observe(at(110), &program(SupervisorState::Running, 6));
        run.observe(at(111), &unauthorized());
        assert_eq!(run.end(), Some(RunEnd::Unproved(Cause::ApiUnauthorized)));
        assert_eq!(run.reached(Stage::ApiAnswers), None);
        run.observe(at(112), &answered());
        assert_eq!(
            run.end(),
            Some(RunEnd::Proved),
            "with the right credentials"
        );
    }

    #[test]
    fn a_test_picture_is_waited_for_only_when_wanted() {
        let run = |run: RestartRun| {
            let mut run = run;
            run.observe(at(100), &Observation::NoProgram);
            run.observe(at(101), &Observation::Image(GenerationVerdict::Proved));
            run.observe(at(103), &container(RunState::Running, 102));
            run.observe(at(104), &answered());
            run
        };
        let without = run(restart(RestartTarget::Container));
        assert_eq!(without.end(), Some(RunEnd::Proved));
        let mut with = run(restart(RestartTarget::Container).with_image());
        assert_eq!(
            with.end(),
            None,
            "the picture of the old run proves nothing"
        );
        with.observe(at(110), &Observation::Image(GenerationVerdict::Blank));
        assert_eq!(with.end(), None);
        with.observe(at(120), &Observation::Image(GenerationVerdict::Proved));
        assert_eq!(with.end(), Some(RunEnd::Proved));
        assert_eq!(with.reached(Stage::Image), Some(at(120)));
    }

    #[test]
    fn without_a_word_of_supervisor_the_answering_api_proves_the_program() {
        let mut run = restart(RestartTarget::Container);
        run.observe(at(103), &container(RunState::Running, 102));
        assert_eq!(run.end(), None);
        run.observe(at(104), &answered());
        assert_eq!(run.end(), Some(RunEnd::Proved));
    }
}
