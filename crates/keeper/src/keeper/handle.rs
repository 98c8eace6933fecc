//! The door for everybody outside: the window, the command line, the tests.

use std::{path::PathBuf, sync::Arc, time::Duration};

use forgekeeper_domain::{
    action::{Action, ActionPlan, PlanFacts, plan},
    cause::Cause,
    container::RunState,
    error::{ErrorCode, ErrorInfo},
    facts::{Activity, ApiFact, Busy, ContainerFact},
    generation::GenerationRecord,
    ids::{JobId, ServiceId},
    job::{Job, JobKind, JobPhase},
    ladder::Rung,
    logs::LogQuery,
    outcome::Status,
    service::kind,
};
use jiff::SignedDuration;
use tokio::sync::{
    broadcast::{self, error::RecvError},
    mpsc, watch,
};

use super::{backup::Backups, roster::Roster};
use crate::{
    clients::{courier::Courier, http::Http},
    config::Vaults,
    event::KeeperEvent,
    jobs::{Jobs, act, new_id},
    logs::{LogReader, ServiceLog, archive::Archive},
    media::{
        pictures::{PictureFile, PictureStore},
        preview::Previews,
    },
    migration::Migration,
    presets::OwnPresets,
    rules::OwnRules,
    secrets::Secrets,
    settings::{SettingsFile, SettingsSnapshot},
    state::KeeperState,
    store::Store,
    sys::{clock, presence::Presence, tasks::Tasks},
    watch::{
        facts::{Report, ServiceFact},
        service::ServiceWatch,
    },
    workflows::OwnWorkflows,
};

/// What was measured so long ago still says what an action would interrupt.
const ACTIVITY_IS_YOUNG: SignedDuration = SignedDuration::from_secs(2);
/// How long an action waits for that to be measured once more.
const ACTIVITY_DEADLINE: Duration = Duration::from_secs(3);

/// What a handle reaches.
#[derive(Debug)]
pub(super) struct Inner {
    pub(super) tasks: Tasks,
    pub(super) state: watch::Receiver<Arc<KeeperState>>,
    pub(super) events: broadcast::Sender<KeeperEvent>,
    pub(super) reports: mpsc::Sender<Report>,
    pub(super) visible: watch::Sender<bool>,
    pub(super) roster: Roster,
    pub(super) jobs: Jobs,
    pub(super) http: Http,
    pub(super) secrets: Secrets,
    pub(super) store: Store,
    pub(super) pictures: PictureStore,
    pub(super) previews: Previews,
    pub(super) settings_file: Option<SettingsFile>,
    /// The text of settings that are no file.
    pub(super) fixed_text: String,
    pub(super) settings: watch::Receiver<SettingsSnapshot>,
    /// Where there is no file: the steps of the migration change what is in force.
    pub(super) fixed_settings: Option<watch::Sender<SettingsSnapshot>>,
    pub(super) own_rules: OwnRules,
    pub(super) own_presets: OwnPresets,
    pub(super) own_workflows: OwnWorkflows,
    pub(super) backups: Backups,
    pub(super) migration: Migration,
    pub(super) config: Vaults,
    pub(super) data_dir: PathBuf,
    /// Tells other programs that what this one follows is not theirs to take up.
    pub(super) presence: Arc<Presence>,
    /// Carries what must be answered even when this program ends.
    pub(super) courier: Courier,
}

/// Reads the state and asks for work. Clones share one keeper.
#[derive(Debug, Clone)]
pub struct KeeperHandle {
    pub(super) inner: Arc<Inner>,
}

impl KeeperHandle {
    pub(super) fn new(inner: Inner) -> Self {
        Self {
            inner: Arc::new(inner),
        }
    }

    /// What is known, and every change of it.
    pub fn state(&self) -> watch::Receiver<Arc<KeeperState>> {
        self.inner.state.clone()
    }

    /// Announcements from now on.
    pub fn events(&self) -> broadcast::Receiver<KeeperEvent> {
        self.inner.events.subscribe()
    }

    /// Folder of history and pictures.
    pub fn data_dir(&self) -> &std::path::Path {
        &self.inner.data_dir
    }

    /// Says whether somebody looks; sampling is slower when nobody does.
    pub fn set_visible(&self, visible: bool) {
        self.inner
            .visible
            .send_if_modified(|now| std::mem::replace(now, visible) != visible);
    }

    /// Connects and asks at once instead of waiting for the next round.
    pub fn retry_now(&self) {
        for host in self.inner.roster.hosts() {
            host.retry_now();
        }
    }

    /// Waits until every rung up to `api` was measured once, or is behind a broken one; at most
    /// until the deadline. What is unknown then stays unknown.
    pub async fn settled(&self, deadline: Duration) {
        let mut state = self.state();
        let settled = state.wait_for(|state| {
            state.revision > 0
                && state.services.iter().all(|service| {
                    service
                        .ladder
                        .rungs
                        .iter()
                        .filter(|r| r.rung <= Rung::Api)
                        .all(|r| {
                            r.outcome.status != Status::Unknown
                                || r.outcome.cause != Some(Cause::NotMeasuredYet)
                                || (r.rung == Rung::Api && service.api.is_none())
                        })
                })
        });
        // Past the deadline the snapshot says what is unknown; a closed channel means shutdown.
        let _ = tokio::time::timeout(deadline, settled).await;
    }

    /// What an action would do, and why it would not be done.
    pub fn plan(&self, id: &ServiceId, action: Action) -> Result<ActionPlan, ErrorInfo> {
        self.plan_knowing(id, action, None)
    }

    /// As [`Self::plan`], with what was measured since the last published state.
    pub(super) fn plan_knowing(
        &self,
        id: &ServiceId,
        action: Action,
        measured: Option<Activity>,
    ) -> Result<ActionPlan, ErrorInfo> {
        let watch = self.watch(id)?;
        let view = watch.host.view().borrow().clone();
        let state = view
            .container_fact(&watch.settings.container)
            .and_then(|fact| match fact.value {
                ContainerFact::Present(c) => Some(Some(c.state)),
                ContainerFact::Missing { .. } => Some(None),
                ContainerFact::NotMeasurable { .. } => None,
            });
        let container = view
            .real_name(&watch.settings.container)
            .unwrap_or_else(|| watch.settings.container.clone());
        let published = self.inner.state.borrow().clone();
        let service = published.services.iter().find(|s| s.id == *id);
        let activity = match service {
            _ if self.inner.jobs.generating_on(id) => Activity::Busy(Busy {
                percent: None,
                loading_model: false,
                eta_s: None,
            }),
            _ if measured.is_some() => measured.unwrap_or(Activity::Unknown),
            Some(s) => match (&s.busy, s.busy_known) {
                (Some(busy), _) => Activity::Busy(busy.clone()),
                (None, true) => Activity::Idle,
                (None, false) => Activity::Unknown,
            },
            None => Activity::Unknown,
        };
        let forecast = service.and_then(|s| s.forecasts.of(act::job_kind(action)));
        let program = service.and_then(|s| s.ladder.outcome(Rung::Program));
        Ok(plan(
            action,
            &PlanFacts {
                container: &container,
                kind: kind(watch.settings.kind),
                engine_answers: view.answers(),
                state,
                activity: &activity,
                no_supervisor: program.is_some_and(|outcome| {
                    outcome.status == Status::NotConfigured
                        || outcome.cause == Some(Cause::ProgramMissing)
                }),
                acting: self.inner.jobs.acting_on(id),
                forecast: forecast.as_ref(),
                stop_timeout_s: act::STOP_TIMEOUT_S,
            },
        ))
    }

    /// Starts an action; it goes on when the handle is dropped. `force` accepts lost work.
    pub async fn act(
        &self,
        id: &ServiceId,
        action: Action,
        force: bool,
    ) -> Result<JobId, ErrorInfo> {
        let watch = self.watch(id)?;
        let measured = match action {
            Action::Stop | Action::Restart { .. } if !force => self.activity_now(id, &watch).await,
            _ => None,
        };
        let plan = self.plan_knowing(id, action, measured)?;
        if let Some(refusal) = plan.refused(force) {
            return Err(super::doors::refused(id, refusal, &plan));
        }
        let run = self.inner.jobs.begin(
            new_job(act::job_kind(action), id.clone(), plan.forecast)?,
            self.inner.reports.clone(),
        )?;
        let job = run.job.id.clone();
        run.show().await;
        let handle = self.clone();
        let stop = self.inner.tasks.token();
        self.inner.tasks.spawn("action", async move {
            let inner = &handle.inner;
            super::doors::remember_asked(inner, &plan, &run.job).await;
            let cancel = run.cancel.clone();
            // What the action may change can be looked up afterwards.
            tokio::select! {
                biased;
                () = stop.cancelled() => {}
                () = cancel.cancelled() => {}
                () = Box::pin(handle.snapshot_before(&run.job.service, &plan)) => {}
            }
            let acting = act::act(run, watch, action);
            tokio::pin!(acting);
            let acted = tokio::select! {
                // The shutdown comes first: what it breaks on its way is no failure.
                biased;
                // It ends as cancelled, and so it stands in the journal: the engine goes on.
                () = stop.cancelled() => {
                    cancel.cancel();
                    acting.await
                }
                acted = &mut acting => acted,
            };
            super::doors::remember_action(inner, &plan, acted).await;
        });
        Ok(job)
    }

    /// Asks once more whether a generation runs, when the last answer is not of this moment: what
    /// was begun since would be lost. `None` when the published state is young enough, or the
    /// service does not answer in time.
    pub(super) async fn activity_now(
        &self,
        id: &ServiceId,
        watch: &ServiceWatch,
    ) -> Option<Activity> {
        let asked = clock::now();
        {
            let published = self.inner.state.borrow();
            let service = published.services.iter().find(|s| s.id == *id)?;
            let running = service
                .container
                .as_ref()
                .is_some_and(|c| c.state == RunState::Running);
            let young = service
                .ladder
                .outcome(Rung::Api)
                .and_then(|api| api.checked_at)
                .is_some_and(|at| asked.duration_since(at) <= ACTIVITY_IS_YOUNG);
            if !running || young || watch.settings.api.is_none() {
                return None;
            }
        }
        let mut facts = watch.facts.subscribe();
        watch.poke();
        let answer = async {
            loop {
                match facts.recv().await {
                    Ok(ServiceFact::Api(api)) if api.at >= asked => return Some(api.value),
                    Ok(_) | Err(RecvError::Lagged(_)) => {}
                    Err(RecvError::Closed) => return None,
                }
            }
        };
        match tokio::time::timeout(ACTIVITY_DEADLINE, answer).await {
            Ok(Some(ApiFact::Answered { activity, .. })) => Some(activity),
            Ok(_) | Err(_) => None,
        }
    }

    /// Asks a running job to end.
    pub fn cancel(&self, job: &JobId) -> Result<(), ErrorInfo> {
        self.inner.jobs.cancel(job)
    }

    /// Asks for the picture of a running job as it is now, unfinished; its record says after how many
    /// steps. `Refused` while that cannot be, as with ComfyUI, which has no such order.
    pub fn skip(&self, job: &JobId) -> Result<(), ErrorInfo> {
        self.inner.jobs.skip(job)
    }

    /// Every change of a job, running or ended lately.
    pub fn follow_job(&self, job: &JobId) -> Result<watch::Receiver<Job>, ErrorInfo> {
        self.inner.jobs.follow(job)
    }

    /// Waits for the end of a job.
    pub async fn wait(&self, job: &JobId) -> Result<Job, ErrorInfo> {
        let mut follow = self.follow_job(job)?;
        match follow.wait_for(|job| job.phase != JobPhase::Running).await {
            Ok(ended) => Ok(ended.clone()),
            Err(_) => Err(ErrorInfo::new(
                ErrorCode::Cancelled,
                "the keeper ended first",
            )),
        }
    }

    /// Opens a log: what is held at once, then what comes.
    pub fn logs(&self, id: &ServiceId, query: &LogQuery) -> Result<LogReader, ErrorInfo> {
        self.log_of(id)?.read(query)
    }

    /// The log of a service that the settings name.
    pub(super) fn log_of(&self, id: &ServiceId) -> Result<ServiceLog, ErrorInfo> {
        let log = self.inner.roster.log(id);
        log.ok_or_else(|| self.unknown_service(id))
    }

    /// Whether the settings name such a service.
    pub(super) fn check_known(&self, id: &ServiceId) -> Result<(), ErrorInfo> {
        // Those that are watched come a moment later.
        let known = {
            let snapshot = self.inner.settings.borrow();
            let mut services = snapshot.settings.services.iter();
            services.any(|service| service.id == *id)
        };
        if known {
            Ok(())
        } else {
            Err(self.unknown_service(id))
        }
    }

    /// What writes the stored log of a service, when this keeper does.
    pub(super) fn log_archive(&self, id: &ServiceId) -> Option<Archive> {
        self.inner.roster.log(id)?.archive()
    }

    /// Where logs are stored.
    pub(super) fn stored_logs(&self) -> &std::path::Path {
        self.inner.roster.stored_logs()
    }

    /// Newest generations of all services.
    pub async fn generations(&self, limit: u32) -> Result<Vec<GenerationRecord>, ErrorInfo> {
        Ok(self.inner.store.generations(limit).await?)
    }

    /// A kept picture by hash, its thumbnail by `thumb/` and its hash, or a live preview by its path.
    pub async fn picture(&self, path: &str) -> Result<PictureFile, ErrorInfo> {
        if path.starts_with("preview/") {
            return self
                .inner
                .previews
                .get(path)
                .ok_or_else(|| ErrorInfo::new(ErrorCode::PictureMissing, "this preview is gone"));
        }
        match path.strip_prefix("thumb/") {
            Some(hash) => super::gallery::thumbnail(&self.inner, hash).await,
            None => self.inner.pictures.get(path).await,
        }
    }

    /// Closes the history database; called once, by the keeper's shutdown.
    pub(super) async fn close_store(&self) {
        self.inner.store.close().await;
    }

    pub(super) fn watch(&self, id: &ServiceId) -> Result<ServiceWatch, ErrorInfo> {
        self.inner
            .roster
            .service(id)
            .ok_or_else(|| self.unknown_service(id))
    }

    /// The error for an id that is not configured; its hint names those that are.
    pub fn unknown_service(&self, id: &ServiceId) -> ErrorInfo {
        let known: Vec<String> = self
            .inner
            .settings
            .borrow()
            .settings
            .services
            .iter()
            .map(|s| format!("`{}`", s.id))
            .collect();
        let hint = if known.is_empty() {
            "No service is configured yet; discover them first.".to_owned()
        } else {
            format!("Known services: {}.", known.join(", "))
        };
        ErrorInfo::new(
            ErrorCode::UnknownService,
            format!("no service is called `{id}`"),
        )
        .hint(hint)
    }
}

pub(super) fn new_job(
    kind: JobKind,
    service: ServiceId,
    forecast: Option<forgekeeper_domain::job::Forecast>,
) -> Result<Job, ErrorInfo> {
    Ok(Job {
        id: new_id()?,
        kind,
        service,
        phase: JobPhase::Running,
        started_at: clock::now(),
        finished_at: None,
        stages: Vec::new(),
        forecast,
        generation: None,
        record: None,
        golden: None,
        placement: None,
        proved: None,
        restored: None,
        error: None,
        // What the engine was told cannot be taken back, but the wait for proof can end.
        cancellable: true,
        skippable: false,
    })
}
