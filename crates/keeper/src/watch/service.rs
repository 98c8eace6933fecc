//! Asks one service, again and again: its supervisor, then its API.

use std::{sync::Arc, time::Duration};

use forgekeeper_domain::{
    container::RunState,
    facts::{ApiFact, ContainerFact, Measured, ProgramFact},
    ids::ServiceId,
    service::kind,
};
use tokio::{
    sync::{broadcast, mpsc, watch},
    time::Instant,
};
use tokio_util::sync::CancellationToken;

use super::facts::{Report, ServiceFact};
use crate::{
    clients::{
        http::Http,
        probe::{self, ProbeMemory},
    },
    docker::host::{HostHandle, HostView},
    program,
    secrets::Secrets,
    settings::ServiceSettings,
    sys::clock,
};

/// Between two rounds while somebody looks.
const ROUND: Duration = Duration::from_secs(4);
/// Between two rounds while nobody looks: an API fault is promised within ten seconds.
const ROUND_HIDDEN: Duration = Duration::from_secs(10);
/// Between two rounds while an action waits for proof.
const ROUND_HURRIED: Duration = Duration::from_millis(400);
/// For so long after a request, or after a start of the container, proof may come at any moment.
const HURRY_LASTS: Duration = Duration::from_secs(10);
/// Between two rounds while an action waits on: a start takes a minute, and each exec starts a
/// process.
const ROUND_HURRIED_LATER: Duration = Duration::from_secs(2);
/// Between two questions to supervisor while the API answers: each starts a process in the
/// container, and a program that dies takes its API along.
const PROGRAM_EVERY: Duration = Duration::from_secs(8);
/// The same while nobody looks; below the age at which verdicts fade.
const PROGRAM_EVERY_HIDDEN: Duration = Duration::from_mins(1);
/// The same over SSH, where each question may take a login.
const PROGRAM_EVERY_SSH: Duration = Duration::from_secs(30);
/// The same over SSH while the API does not answer.
const PROGRAM_EVERY_SSH_SILENT: Duration = Duration::from_secs(15);

/// A running watch over one service.
#[derive(Debug, Clone)]
pub(crate) struct ServiceWatch {
    /// What is watched.
    pub(crate) settings: Arc<ServiceSettings>,
    /// Its host.
    pub(crate) host: HostHandle,
    /// Facts as they come, for jobs.
    pub(crate) facts: broadcast::Sender<ServiceFact>,
    hurry: watch::Sender<u32>,
    poke: Arc<tokio::sync::Notify>,
}

/// While it lives, the service is asked in quick succession.
#[derive(Debug)]
pub(crate) struct Hurry {
    sender: watch::Sender<u32>,
}

impl Drop for Hurry {
    fn drop(&mut self) {
        self.sender
            .send_modify(|count| *count = count.saturating_sub(1));
    }
}

impl ServiceWatch {
    /// A watch that asks nothing yet; [`run`] does.
    pub(crate) fn new(settings: Arc<ServiceSettings>, host: HostHandle) -> Self {
        let (facts, _) = broadcast::channel(64);
        let (hurry, _) = watch::channel(0);
        Self {
            settings,
            host,
            facts,
            hurry,
            poke: Arc::default(),
        }
    }

    /// Asks quickly for as long as the guard lives.
    pub(crate) fn hurry(&self) -> Hurry {
        self.hurry.send_modify(|count| *count += 1);
        self.poke.notify_one();
        Hurry {
            sender: self.hurry.clone(),
        }
    }

    /// Asks once, now.
    pub(crate) fn poke(&self) {
        self.poke.notify_one();
    }
}

/// Runs a watch until cancelled.
pub(crate) async fn run(
    watch: ServiceWatch,
    http: Http,
    secrets: Secrets,
    mut visible: watch::Receiver<bool>,
    reports: mpsc::Sender<Report>,
    stop: CancellationToken,
) {
    let mut asker = Asker {
        watch: &watch,
        http,
        secrets,
        reports,
        memory: ProbeMemory::default(),
        program_asked: None,
        was_silent: false,
        unsupervised: None,
    };
    let mut host = watch.host.view();
    let mut hurried = watch.hurry.subscribe();
    let mut seen = run_identity(&host.borrow_and_update(), &watch.settings.container);
    let mut hurry_began: Option<Instant> = None;
    loop {
        let view = Arc::clone(&host.borrow_and_update());
        let looking = *visible.borrow_and_update();
        tokio::select! {
            () = stop.cancelled() => return,
            () = asker.ask(&view, looking) => {}
        }
        let pause = if *hurried.borrow_and_update() > 0 {
            let began = *hurry_began.get_or_insert_with(Instant::now);
            if began.elapsed() < HURRY_LASTS {
                ROUND_HURRIED
            } else {
                ROUND_HURRIED_LATER
            }
        } else {
            hurry_began = None;
            if looking { ROUND } else { ROUND_HIDDEN }
        };
        let deadline = tokio::time::sleep(pause);
        tokio::pin!(deadline);
        // Wait for the next round, but not past a change that makes the last answers old.
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = &mut deadline => break,
                () = watch.poke.notified() => break,
                Ok(()) = visible.changed() => { if *visible.borrow() { break } }
                changed = host.changed() => {
                    if changed.is_err() { return }
                    let now = run_identity(&host.borrow_and_update(), &watch.settings.container);
                    if now != seen {
                        seen = now;
                        hurry_began = None;
                        asker.program_asked = None;
                        break;
                    }
                }
            }
        }
    }
}

/// Id, state and start in milliseconds.
pub(super) type RunIdentity = (String, RunState, Option<i64>);

/// What identifies one run of a container: asked anew whenever this changes.
pub(super) fn run_identity(view: &HostView, container: &str) -> Option<RunIdentity> {
    match view.container_fact(container)?.value {
        ContainerFact::Present(c) => {
            let started = c
                .started_at
                .map(forgekeeper_domain::Timestamp::as_millisecond);
            Some((c.id.clone(), c.state, started))
        }
        ContainerFact::Missing { .. } | ContainerFact::NotMeasurable { .. } => None,
    }
}

struct Asker<'a> {
    watch: &'a ServiceWatch,
    secrets: Secrets,
    http: Http,
    reports: mpsc::Sender<Report>,
    memory: ProbeMemory,
    program_asked: Option<Instant>,
    was_silent: bool,
    /// The run of the container in which no supervisor was found.
    unsupervised: Option<RunIdentity>,
}

impl Asker<'_> {
    /// One round. A container that does not run is not asked: its ladder ends below.
    async fn ask(&mut self, view: &HostView, looking: bool) {
        let settings = &self.watch.settings;
        let running = view.answers()
            && matches!(
                view.container_fact(&settings.container).map(|m| m.value),
                Some(ContainerFact::Present(c)) if c.state == RunState::Running
            );
        if !running {
            self.program_asked = None;
            return;
        }
        let api = self.ask_api().await;
        let hurried = *self.watch.hurry.borrow() > 0;
        // Who asks for credentials lives.
        let silent = api.as_ref().is_some_and(|api| {
            !matches!(
                api.value,
                ApiFact::Answered { .. }
                    | ApiFact::Unauthorized { .. }
                    | ApiFact::LoginPage { .. }
                    | ApiFact::TimedOut {
                        progress_moves: true,
                        ..
                    }
            )
        });
        // An API that fails is first asked about below: a program that was restarted or has died
        // is the news then, and not the API it took along.
        let was_silent = std::mem::replace(&mut self.was_silent, silent);
        let fell_silent = silent && !was_silent;
        let ssh = view.resolved.as_ref().is_some_and(|r| r.endpoint.is_ssh());
        let every = match (silent, ssh, looking) {
            (true, false, _) => Duration::ZERO,
            (true, true, _) => PROGRAM_EVERY_SSH_SILENT,
            (false, _, false) => PROGRAM_EVERY_HIDDEN,
            (false, true, true) => PROGRAM_EVERY_SSH,
            (false, false, true) => PROGRAM_EVERY,
        };
        let due = self.program_asked.is_none_or(|at| at.elapsed() >= every);
        if hurried || fell_silent || due {
            self.program_asked = Some(Instant::now());
            self.ask_program(view).await;
        }
        if let Some(api) = api {
            self.tell(settings.id.clone(), ServiceFact::Api(api)).await;
        }
    }

    async fn ask_program(&mut self, view: &HostView) {
        let settings = &self.watch.settings;
        let run = run_identity(view, &settings.container);
        // An image without a supervisor does not grow one while it runs, and each attempt to ask
        // leaves an error in the engine's own log.
        let known = run.is_some() && run == self.unsupervised;
        let fact = match kind(settings.kind).program().filter(|_| !known) {
            None => ProgramFact::NotSupervised,
            Some(name) => match self.watch.host.engine() {
                Some(engine) => {
                    // Compose may call it otherwise than the settings do.
                    let Some(container) = self.watch.host.real_name(&settings.container) else {
                        return;
                    };
                    program::program_status(&engine, &container, name).await
                }
                None => return,
            },
        };
        self.unsupervised = run.filter(|_| fact == ProgramFact::NotSupervised);
        let fact = Measured::new(fact, clock::now());
        self.tell(settings.id.clone(), ServiceFact::Program(fact))
            .await;
    }

    async fn ask_api(&mut self) -> Option<Measured<ApiFact>> {
        let settings = &self.watch.settings;
        let api = settings.api.as_deref()?;
        let credentials = self.secrets.get(&settings.id).await;
        // The moment of asking, not of the answer: an answer to a question asked before a
        // restart proves nothing about the run after it.
        let asked = clock::now();
        let fact = probe::probe(
            &self.http,
            settings.kind,
            api,
            credentials.as_ref(),
            &mut self.memory,
        )
        .await;
        Some(Measured::new(fact, asked))
    }

    async fn tell(&self, id: ServiceId, fact: ServiceFact) {
        // Jobs may or may not be listening.
        let _ = self.watch.facts.send(fact.clone());
        let report = match fact {
            ServiceFact::Program(fact) => Report::Program(id, fact),
            ServiceFact::Api(fact) => Report::Api(id, fact),
        };
        // A closed channel means shutdown.
        let _ = self.reports.send(report).await;
    }
}
