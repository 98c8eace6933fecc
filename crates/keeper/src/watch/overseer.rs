//! The overseer: one loop over one enum of reports, one published snapshot.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
    time::Duration,
};

use forgekeeper_domain::{
    Timestamp,
    activity::activity,
    checks::log,
    facts::{Activity, Facts, Measured, PlacementFact, ProgramFact, SupervisorState},
    ids::{GpuUuid, ServiceId},
    incident::rules::{Changes, IncidentBook, Judged},
    job::{Job, JobKind, JobPhase},
    ladder::{Ladder, Rung},
    logs::LogMeter,
    notes::Note,
    outcome::{Outcome, Status},
    placement::{Placement, Proved},
    service::kind,
};
use tokio::{
    sync::{broadcast, mpsc, watch},
    time::Instant,
};
use tokio_util::sync::CancellationToken;

use super::facts::Report;
use crate::{
    event::KeeperEvent,
    settings::{ServiceSettings, SettingsSnapshot},
    state::{HostState, KeeperState, RulesStatus, ServiceState, SettingsStatus},
    sys::clock,
};

mod deeds;
mod memory;
mod pace;
mod placement;

pub(crate) use placement::basis;

use memory::{HostMemory, ServiceMemory};
use pace::{Pace, is_news};

/// Reports that arrive within this time are judged together.
const GATHER: Duration = Duration::from_millis(50);
/// Without any report the ladders are judged anew after this time: verdicts age.
const REJUDGE: Duration = Duration::from_secs(5);
/// The same while nobody looks.
const REJUDGE_HIDDEN: Duration = Duration::from_secs(10);
/// A start seen so long after the end of an action still belongs to it: supervisor is asked only
/// now and then.
const ASKED_FOR_S: i64 = 60;
/// Ended jobs kept in the snapshot.
const ENDED_JOBS_KEPT: usize = 20;

/// Everything the loop remembers.
pub(crate) struct Overseer {
    settings: SettingsSnapshot,
    settings_path: String,
    rules: RulesStatus,
    demo: bool,
    hosts: BTreeMap<String, HostMemory>,
    services: HashMap<ServiceId, ServiceMemory>,
    jobs: Vec<Job>,
    incidents: IncidentBook,
    keyring: Option<bool>,
    /// Services that the owner's plan has at rest, since when.
    resting: BTreeMap<ServiceId, Timestamp>,
    outlets: Outlets,
    visible: watch::Receiver<bool>,
    pace: Pace,
}

/// Where the loop's words go.
pub(crate) struct Outlets {
    /// The snapshot.
    pub(crate) state: watch::Sender<Arc<KeeperState>>,
    /// Announcements; a listener that falls behind loses some.
    pub(crate) events: broadcast::Sender<KeeperEvent>,
    /// What belongs into the journal, of which nothing may be lost.
    pub(crate) journal: mpsc::UnboundedSender<KeeperEvent>,
}

impl Outlets {
    /// Nobody listening is not an error: the snapshot says the same.
    fn announce(&self, event: KeeperEvent) {
        let _ = self.events.send(event);
    }

    /// As [`Self::announce`], and into the journal.
    fn record(&self, event: KeeperEvent) {
        // A closed channel means shutdown.
        let _ = self.journal.send(event.clone());
        self.announce(event);
    }
}

impl Overseer {
    /// A loop that has been told nothing yet.
    pub(crate) fn new(
        settings: SettingsSnapshot,
        settings_path: String,
        rules: RulesStatus,
        outlets: Outlets,
        visible: watch::Receiver<bool>,
    ) -> Self {
        let demo = settings.settings.demo;
        Self {
            settings,
            settings_path,
            rules,
            demo,
            hosts: BTreeMap::new(),
            services: HashMap::new(),
            jobs: Vec::new(),
            incidents: IncidentBook::default(),
            keyring: None,
            resting: BTreeMap::new(),
            outlets,
            visible,
            pace: Pace::default(),
        }
    }

    /// Runs until cancelled or until nobody can report any more.
    pub(crate) async fn run(
        mut self,
        mut reports: mpsc::Receiver<Report>,
        stop: CancellationToken,
    ) {
        self.publish_state();
        loop {
            let looking = *self.visible.borrow();
            let rejudge = Instant::now() + if looking { REJUDGE } else { REJUDGE_HIDDEN };
            let wake = self
                .pace
                .next(looking)
                .map_or(rejudge, |due| due.min(rejudge));
            let first = tokio::select! {
                () = stop.cancelled() => return,
                report = reports.recv() => match report {
                    Some(report) => Some(report),
                    None => return,
                },
                () = tokio::time::sleep_until(wake) => None,
                // Who looks again sees what waits at once.
                Ok(()) = self.visible.changed() => None,
            };
            if let Some(report) = first {
                self.take(report);
                tokio::select! {
                    () = stop.cancelled() => return,
                    () = tokio::time::sleep(GATHER) => {}
                }
                while let Ok(report) = reports.try_recv() {
                    self.take(report);
                }
            }
            self.publish_state();
        }
    }

    fn take(&mut self, report: Report) {
        match report {
            Report::Settings(settings) => {
                self.demo = settings.settings.demo;
                self.services
                    .retain(|id, _| settings.settings.services.iter().any(|s| s.id == *id));
                self.forget_what_moved(&settings);
                self.hosts
                    .retain(|id, _| settings.settings.hosts.iter().any(|h| h.id.as_str() == id));
                self.settings = settings;
            }
            Report::Host(id, view) => {
                let memory = self.hosts.entry(id.as_str().to_owned()).or_default();
                memory.view = Some(view);
            }
            Report::Gpu(id, view) => {
                self.hosts.entry(id.as_str().to_owned()).or_default().gpus = Some(view);
            }
            Report::Program(id, fact) => {
                let run = self.container_run(&id);
                let asked = self.start_was_asked(&id, fact.at);
                self.service(id).program(fact, run, asked);
            }
            Report::Api(id, fact) => {
                let kind = self.settings_of(&id).map(|service| kind(service.kind));
                self.service(id).api(fact, kind);
            }
            Report::Config(id, report) => self.service(id).config(*report),
            Report::Log(id, meter) => self.service(id).log = Some(*meter),
            Report::Placement(measurement) => {
                let id = measurement.service.clone();
                self.service(id).proofs.take(*measurement);
            }
            Report::Generation(record) => {
                self.service(record.service.clone()).generation(*record);
            }
            Report::History(id, history) => self.service(id).history(*history),
            Report::Credentials(id, place) => self.service(id).credentials = place,
            Report::Keyring(available) => self.keyring = Some(available),
            Report::Rules(status) => self.rules = status,
            Report::Resting(services) => self.resting = services,
            Report::Job(job) => self.job(*job),
        }
    }

    /// What was measured at another address or of another container is not of this service.
    fn forget_what_moved(&mut self, settings: &SettingsSnapshot) {
        for new in &settings.settings.services {
            let old = self.settings.settings.services.iter();
            let moved = old.filter(|old| old.id == new.id).any(|old| {
                (&old.host, &old.container, &old.api, old.kind)
                    != (&new.host, &new.container, &new.api, new.kind)
            });
            if moved && let Some(memory) = self.services.get_mut(&new.id) {
                memory.forget_measurements();
            }
        }
    }

    /// The settings of a service, while it has any.
    fn settings_of(&self, id: &ServiceId) -> Option<&ServiceSettings> {
        let services = &self.settings.settings.services;
        services.iter().find(|service| service.id == *id)
    }

    /// When the container of a service was started, as last seen.
    fn container_run(&self, id: &ServiceId) -> Option<Timestamp> {
        let service = self.settings_of(id)?;
        let host = self.hosts.get(service.host.as_str())?;
        host.container(&service.container)?.started_at
    }

    /// Whether a start seen now is the work of an action asked for here.
    fn start_was_asked(&self, id: &ServiceId, now: Timestamp) -> bool {
        self.jobs.iter().any(|job| {
            job.service == *id
                && matches!(
                    job.kind,
                    JobKind::Start | JobKind::Restart { .. } | JobKind::Restore
                )
                && job
                    .finished_at
                    .is_none_or(|end| now.as_second() - end.as_second() <= ASKED_FOR_S)
        })
    }

    fn service(&mut self, id: ServiceId) -> &mut ServiceMemory {
        self.services.entry(id).or_default()
    }

    fn job(&mut self, job: Job) {
        if let Some(known) = self.jobs.iter_mut().find(|j| j.id == job.id) {
            known.clone_from(&job);
        } else {
            self.jobs.insert(0, job.clone());
        }
        let mut ended = 0;
        self.jobs.retain(|job| {
            ended += usize::from(job.phase != JobPhase::Running);
            job.phase == JobPhase::Running || ended <= ENDED_JOBS_KEPT
        });
        self.outlets.announce(KeeperEvent::Job(Box::new(job)));
    }

    fn publish_state(&mut self) {
        let now = clock::now();
        let settings = Arc::clone(&self.settings.settings);
        let mut noted = Vec::new();
        let mut hosts = self.host_states(now);
        let mut placements = placement::place(
            &mut hosts,
            &settings.services,
            &self.hosts,
            &self.services,
            now,
        );
        for host in &mut hosts {
            memory::name_remainder(host, self.hosts.get(host.id.as_str()));
        }
        let services: Vec<ServiceState> = settings
            .services
            .iter()
            .map(|service| {
                let placement = placements.remove(&service.id).unwrap_or_default();
                let host = hosts.iter().find(|host| host.id == service.host);
                let proof = host.and_then(|host| placement::fact(&placement, host));
                ServiceState {
                    placement,
                    ..self.judge(service, proof, now, &mut noted)
                }
            })
            .collect();
        let acting_since = |service: &ServiceState| {
            let job = self
                .jobs
                .iter()
                .find(|j| service.acting.as_ref() == Some(&j.id));
            job.map(|j| j.started_at)
        };
        let changes = {
            let judged: Vec<Judged<'_>> = services
                .iter()
                .map(|s| Judged {
                    service: &s.id,
                    host: &s.host,
                    ladder: &s.ladder,
                    acting_since: acting_since(s),
                    placement_right: s.placement.proved.as_ref().is_some_and(Proved::is_right),
                })
                .collect();
            let cards = hosts.iter().flat_map(|host| &host.gpus.cards);
            let cards: Vec<(&GpuUuid, &Outcome)> = cards
                .map(|card| (&card.latest.uuid, &card.outcome))
                .collect();
            self.incidents.observe(now, &judged, &cards)
        };
        let state = KeeperState {
            revision: self.outlets.state.borrow().revision.wrapping_add(1),
            at: now,
            demo: self.demo,
            hosts,
            services,
            incidents: self.incidents.open(),
            jobs: self.jobs.clone(),
            settings: SettingsStatus {
                path: self.settings_path.clone(),
                exists: self.settings.exists,
                problem: self.settings.problem.clone(),
                keyring_available: self.keyring,
            },
            rules: self.rules.clone(),
        };
        self.announce(state, changes);
        for (service, note) in noted {
            self.outlets.record(KeeperEvent::Noted(service, note));
        }
    }

    fn announce(&mut self, state: KeeperState, changes: Changes) {
        let before = Arc::clone(&self.outlets.state.borrow());
        let first = before.revision == 0;
        let news = first || is_news(&before, &state);
        let differs = news || {
            let same_moment = KeeperState {
                revision: before.revision,
                at: before.at,
                ..state.clone()
            };
            same_moment != *before
        };
        if !differs {
            self.pace.nothing_waits();
        } else if self.pace.admits(news, *self.visible.borrow()) {
            let state = Arc::new(state);
            self.outlets.state.send_replace(Arc::clone(&state));
            self.outlets.announce(KeeperEvent::State(state));
        }
        for incident in changes.opened {
            self.outlets.record(KeeperEvent::IncidentOpened(incident));
        }
        for incident in changes.closed {
            self.outlets.record(KeeperEvent::IncidentClosed(incident));
        }
    }

    fn host_states(&mut self, now: Timestamp) -> Vec<HostState> {
        let settings = Arc::clone(&self.settings.settings);
        settings
            .hosts
            .iter()
            .map(|host| {
                let memory = self.hosts.entry(host.id.as_str().to_owned()).or_default();
                memory::host_state(&host.id, memory, now)
            })
            .collect()
    }

    fn judge(
        &mut self,
        service: &ServiceSettings,
        placement: Option<Measured<PlacementFact>>,
        now: Timestamp,
        noted: &mut Vec<(ServiceId, Note)>,
    ) -> ServiceState {
        let host = self.hosts.get(service.host.as_str());
        let memory = self.services.entry(service.id.clone()).or_default();
        let facts = Facts {
            placement,
            ..memory.facts(service, host, now)
        };
        let ladder = Ladder::climb(&facts, memory.ladder.as_ref());
        memory.ladder = Some(ladder.clone());
        let ladder = match self.resting.get(&service.id) {
            Some(since) => ladder.at_rest(*since),
            None => ladder,
        };
        let notes = memory.notes.observe(&facts);
        noted.extend(notes.into_iter().map(|note| (service.id.clone(), note)));
        let activity = activity(&facts);
        let api_ok = ladder
            .outcome(Rung::Api)
            .is_some_and(|o| o.status == Status::Ok);
        let (latency, models) = memory.answered();
        let acting = self
            .jobs
            .iter()
            .find(|j| {
                j.service == service.id
                    && j.phase == JobPhase::Running
                    && j.record.is_none()
                    && !matches!(
                        j.kind,
                        JobKind::Generate | JobKind::Golden | JobKind::ProvePlacement
                    )
            })
            .map(|j| j.id.clone());
        ServiceState {
            id: service.id.clone(),
            kind: service.kind,
            host: service.host.clone(),
            container_name: service.container.clone(),
            container: host.and_then(|h| h.container(&service.container)),
            api: service.api.clone(),
            public_url: service.public_url.clone(),
            declared_gpu: service.declared_gpu,
            status: ladder.status(),
            program_state: memory.program_state(&ladder),
            api_latency_ms: latency.filter(|_| api_ok),
            models: models.filter(|_| api_ok),
            busy: activity.busy().cloned(),
            busy_known: activity != Activity::Unknown,
            ladder,
            acting,
            forecasts: memory.history.forecasts,
            restarts_30d: memory.history.restarts_30d,
            last_generation: memory.history.last_generation.clone(),
            log: LogMeter {
                silent: log::is_silent(&facts),
                ..memory.log.clone().unwrap_or_else(LogMeter::unopened)
            },
            credentials: memory.credentials,
            // All services and cards say it together.
            placement: Placement::default(),
        }
    }
}

/// Milliseconds and models of the last good answer.
type LastAnswer = (Option<u32>, Option<u32>);

/// A supervised program's word, when its rung was measured.
fn supervised(fact: &ProgramFact) -> Option<SupervisorState> {
    match fact {
        ProgramFact::Supervised { state, .. } => Some(*state),
        _ => None,
    }
}

/// The usual start of a kind before any history exists.
fn usual_start_s(service: &ServiceSettings, measured: Option<u32>) -> u32 {
    measured.unwrap_or_else(|| kind(service.kind).usual_start_s())
}

/// A rung of the host alone, judged without any service.
fn host_outcome(ladder: &Ladder, rung: Rung) -> Outcome {
    ladder
        .outcome(rung)
        .cloned()
        .unwrap_or_else(|| Outcome::unknown(forgekeeper_domain::cause::Cause::NotMeasuredYet))
}
