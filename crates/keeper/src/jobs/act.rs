//! Start, stop and restart: hand the request to the engine, then watch until it is proved.

use std::time::Duration;

use forgekeeper_domain::{
    action::{Action, RestartTarget},
    cause::Cause,
    container::RunState,
    error::{ErrorCode, ErrorInfo},
    facts::{ContainerFact, ProgramFact, SupervisorState},
    job::{JobKind, JobPhase},
    restart::{Observation, RestartRun, RunEnd},
    service::kind,
};
use tokio::sync::broadcast::error::RecvError;

use super::JobRun;
use crate::{
    docker::{Engine, host::HostView},
    program,
    store::restarts::RestartEntry,
    sys::clock,
    watch::{facts::ServiceFact, service::ServiceWatch},
};

/// Grace period of a stop, seconds. Forge needs up to 10 s, the engine's default kills it then
/// (`forge-container.md` §4).
pub(crate) const STOP_TIMEOUT_S: u32 = 30;
/// Without proof after this time the job fails; a first start may copy the whole program tree.
const PROOF_DEADLINE: Duration = Duration::from_mins(20);
/// A program that is FATAL for this long after a restart will not come up by itself.
const FATAL_PATIENCE_S: i64 = 3;

/// The job kind of an action.
pub(crate) fn job_kind(action: Action) -> JobKind {
    match action {
        Action::Start => JobKind::Start,
        Action::Stop => JobKind::Stop,
        Action::Restart { target } => JobKind::Restart { target },
    }
}

/// What the run leaves for the history.
pub(crate) struct Acted {
    /// The entry to store.
    pub(crate) entry: RestartEntry,
    /// Its end as the journal tells it.
    pub(crate) error: Option<ErrorInfo>,
}

/// Runs an action to its proof. Returns what belongs in the history.
pub(crate) async fn act(mut run: JobRun, watch: ServiceWatch, action: Action) -> Acted {
    // Compose may call it otherwise than the settings do.
    let container = watch.host.real_name(&watch.settings.container);
    let engine = watch.host.engine();
    let request = engine
        .as_ref()
        .map(|engine| send(engine, container.as_deref(), watch.settings.kind, action));
    let error = Box::pin(pursue(&mut run, &watch, action, request))
        .await
        .err();
    let entry = RestartEntry {
        service: run.job.service.clone(),
        kind: run.job.kind,
        at: run.job.started_at,
        proved: error.is_none(),
        stages: run.job.stages.clone(),
    };
    watch.poke();
    run.end(phase_of(error.as_ref()), error.clone()).await;
    Acted { entry, error }
}

/// How a job ends with this error, or without one.
pub(crate) fn phase_of(error: Option<&ErrorInfo>) -> JobPhase {
    match error {
        None => JobPhase::Succeeded,
        Some(error) if error.code == ErrorCode::Cancelled => JobPhase::Cancelled,
        Some(_) => JobPhase::Failed,
    }
}

/// Hands over a request that does what the action says, and follows the service to the proof of it.
/// The request is dropped when the wait ends before it does; `None` when there is no engine to ask.
pub(crate) async fn pursue(
    run: &mut JobRun,
    watch: &ServiceWatch,
    action: Action,
    request: Option<impl Future<Output = Result<(), ErrorInfo>>>,
) -> Result<(), ErrorInfo> {
    let _hurry = watch.hurry();
    let mut facts = watch.facts.subscribe();
    let mut host = watch.host.view();
    let settings = std::sync::Arc::clone(&watch.settings);
    let started_before = match host
        .borrow()
        .container_fact(&settings.container)
        .map(|m| m.value)
    {
        Some(ContainerFact::Present(c)) => c.started_at,
        _ => None,
    };
    // The stages are those of the action: the snapshot before it is told by the journal.
    let mut machine = RestartRun::new(action, clock::now(), started_before);
    if kind(settings.kind).program().is_none() {
        machine.observe(clock::now(), &Observation::NoProgram);
    }
    if settings.api.is_none() {
        machine.observe(clock::now(), &Observation::NoApi);
    }
    watch.host.expect_start(&settings.container, PROOF_DEADLINE);
    let result = match request {
        None => Err(ErrorInfo::new(
            ErrorCode::Engine,
            "the engine does not answer",
        )),
        Some(request) => {
            machine.observe(clock::now(), &Observation::Sent);
            run.job.stages = machine.stages().to_vec();
            run.show().await;
            tokio::pin!(request);
            let mut sent = false;
            let deadline = tokio::time::sleep(PROOF_DEADLINE);
            tokio::pin!(deadline);
            let cancel = run.cancel.clone();
            loop {
                match machine.end().filter(|_| sent) {
                    Some(RunEnd::Proved) => break Ok(()),
                    Some(RunEnd::Unproved(cause)) => break Err(unproved(cause)),
                    None => {}
                }
                let changed = tokio::select! {
                    // What a shutdown breaks on its way is no failure.
                    biased;
                    () = cancel.cancelled() => break Err(cancelled()),
                    () = &mut deadline => break Err(not_proved(&machine)),
                    answer = &mut request, if !sent => {
                        // A start that is refused leaves its reason in the container, and no event.
                        watch.host.refresh(&settings.container);
                        if let Err(error) = answer { break Err(error) }
                        sent = true;
                        // From here on there is nothing but the wait, which may end at any time.
                        std::mem::replace(&mut run.job.cancellable, true) != run.job.cancellable
                    }
                    seen = host.changed() => {
                        if seen.is_err() { break Err(cancelled()) }
                        let view = std::sync::Arc::clone(&host.borrow_and_update());
                        match container_seen(&view, &settings.container, sent, &machine, action) {
                            Ok(Some(observation)) => machine.observe(clock::now(), &observation),
                            Ok(None) => false,
                            Err(error) => break Err(error),
                        }
                    }
                    fact = facts.recv() => match fact {
                        Ok(fact) => {
                            if let Some(error) = hopeless(&fact, &machine, sent) { break Err(error) }
                            let at = fact.at();
                            observation(fact).is_some_and(|seen| machine.observe(at, &seen))
                        }
                        // The facts missed are repeated within a moment.
                        Err(RecvError::Lagged(_)) => false,
                        Err(RecvError::Closed) => break Err(cancelled()),
                    }
                };
                if changed {
                    run.job.stages = machine.stages().to_vec();
                    run.show().await;
                }
            }
        }
    };
    run.job.stages = machine.stages().to_vec();
    result
}

async fn send(
    engine: &Engine,
    container: Option<&str>,
    kind_id: forgekeeper_domain::service::KindId,
    action: Action,
) -> Result<(), ErrorInfo> {
    let Some(container) = container else {
        return Err(ErrorInfo::new(
            ErrorCode::ContainerMissing,
            "compose has no container for this service",
        )
        .hint("Create it, for example with `docker compose up -d`."));
    };
    match action {
        Action::Start => engine.start(container).await.map_err(|e| e.to_info()),
        Action::Stop => engine
            .stop(container, STOP_TIMEOUT_S)
            .await
            .map_err(|e| e.to_info()),
        Action::Restart {
            target: RestartTarget::Container,
        } => engine
            .restart(container, STOP_TIMEOUT_S)
            .await
            .map_err(|e| e.to_info()),
        Action::Restart {
            target: RestartTarget::Program,
        } => {
            let Some(name) = kind(kind_id).program() else {
                return Err(ErrorInfo::new(
                    ErrorCode::Refused,
                    "this kind of service has no program of its own to restart",
                ));
            };
            program::program_restart(engine, container, name).await
        }
    }
}

fn container_seen(
    view: &HostView,
    container: &str,
    sent: bool,
    machine: &RestartRun,
    action: Action,
) -> Result<Option<Observation>, ErrorInfo> {
    let Some(fact) = view.container_fact(container) else {
        return Ok(None);
    };
    match fact.value {
        ContainerFact::Present(c) => {
            let ended_again = sent
                && action != Action::Stop
                && c.state == RunState::Exited
                && c.restart_count == 0
                // The end of the old run may be seen late; only an end of the new one counts.
                && machine.is_new_start(c.started_at)
                && c.finished_at
                    .zip(c.started_at)
                    .is_some_and(|(end, start)| end >= start);
            if ended_again {
                return Err(ErrorInfo::new(
                    ErrorCode::NotProved,
                    format!(
                        "the container started and ended again with exit code {}",
                        c.exit_code
                            .map_or_else(|| "?".to_owned(), |code| code.to_string())
                    ),
                )
                .hint("Read the last lines of its log."));
            }
            Ok(Some(Observation::Container {
                state: c.state,
                started_at: c.started_at,
                finished_at: c.finished_at,
            }))
        }
        ContainerFact::Missing { name, .. } if sent => Err(ErrorInfo::new(
            ErrorCode::ContainerMissing,
            format!("the container `{name}` does not exist any more"),
        )),
        ContainerFact::Missing { .. } | ContainerFact::NotMeasurable { .. } => Ok(None),
    }
}

/// What a fact says of the run; a question that could not be asked says nothing.
fn observation(fact: ServiceFact) -> Option<Observation> {
    match fact {
        ServiceFact::Api(fact) => Some(Observation::Api(fact.value)),
        ServiceFact::Program(fact) => match fact.value {
            ProgramFact::Supervised {
                state, uptime_s, ..
            } => Some(Observation::Program { state, uptime_s }),
            // Where supervisor does not follow the program, the API alone proves it.
            ProgramFact::NoSuchProgram { .. } | ProgramFact::NotSupervised => {
                Some(Observation::NoProgram)
            }
            ProgramFact::NotMeasurable { .. } => None,
        },
    }
}

/// A program that supervisor has given up on ends the wait at once, with the reason.
fn hopeless(fact: &ServiceFact, machine: &RestartRun, sent: bool) -> Option<ErrorInfo> {
    use forgekeeper_domain::restart::Stage;
    let ServiceFact::Program(program) = fact else {
        return None;
    };
    let ProgramFact::Supervised {
        state: SupervisorState::Fatal,
        detail,
        ..
    } = &program.value
    else {
        return None;
    };
    let since = machine
        .reached(Stage::ContainerUp)
        .or(machine.reached(Stage::Stopping))?;
    let waited = program.at.as_second() - since.as_second();
    (sent && waited >= FATAL_PATIENCE_S).then(|| {
        ErrorInfo::new(
            ErrorCode::NotProved,
            "supervisor gave up on the program: it ended too quickly too often (FATAL)",
        )
        .hint("Read the last lines of its log, then restart the program.")
        .detail(detail.clone())
    })
}

/// It is up as far as it can be followed, and no further.
fn unproved(cause: Cause) -> ErrorInfo {
    let (code, why, hint) = match cause {
        Cause::ApiUnauthorized => (
            ErrorCode::Unauthorized,
            "its address asks for credentials".to_owned(),
            "Enter its credentials in the settings; then the ladder shows whether it answers.",
        ),
        other => (
            ErrorCode::NotProved,
            other.code().to_owned(),
            "Look at the ladder and the log.",
        ),
    };
    ErrorInfo::new(
        code,
        format!("it was started, but nothing proves that its API works: {why}"),
    )
    .hint(hint)
}

fn cancelled() -> ErrorInfo {
    ErrorInfo::new(
        ErrorCode::Cancelled,
        "cancelled; what the engine was told goes on",
    )
}

fn not_proved(machine: &RestartRun) -> ErrorInfo {
    let reached = machine.stages().last().map_or_else(String::new, |s| {
        format!("; the last stage reached was {:?}", s.stage)
    });
    ErrorInfo::new(
        ErrorCode::NotProved,
        format!(
            "no proof came within {} minutes{reached}",
            PROOF_DEADLINE.as_secs() / 60
        ),
    )
    .hint("Look at the ladder and the log; the service may still come up.")
}

#[cfg(test)]
mod tests {
    use forgekeeper_domain::{Timestamp, facts::Measured};

    use super::*;

    fn program(fact: ProgramFact) -> Option<Observation> {
        let now = Timestamp::UNIX_EPOCH;
        observation(ServiceFact::Program(Measured::new(fact, now)))
    }

    #[test]
    fn a_question_that_could_not_be_asked_says_nothing_of_the_program() {
        let reason = "timeout".to_owned();
        assert_eq!(program(ProgramFact::NotMeasurable { reason }), None);
        assert_eq!(
            program(ProgramFact::NotSupervised),
            Some(Observation::NoProgram)
        );
    }

    #[test]
    fn a_401_is_told_as_such_and_not_as_proved() {
        let error = unproved(Cause::ApiUnauthorized);
        assert_eq!(error.code, ErrorCode::Unauthorized);
        assert!(error.message.contains("nothing proves"), "{error:?}");
    }
}
