//! Test generations: what is offered, what would be queued, and pictures as jobs, which are found again
//! when the program ended in the middle of one.

use std::{sync::Arc, time::Duration};

use forgekeeper_domain::{
    Timestamp,
    error::{ErrorCode, ErrorInfo},
    generation::{GenerationChoices, GenerationRequest, OwnPreset, RequestProblem},
    ids::{JobId, ServiceId},
    job::{Job, JobKind},
    ladder::Rung,
    outcome::Status,
};
use futures_util::future::BoxFuture;
use tokio_util::sync::CancellationToken;

use super::{
    KeeperHandle, doors,
    handle::{Inner, new_job},
};
use crate::{
    clients::errand::{Errand, Ticket, TicketKeeper},
    jobs::{
        JobRun,
        generate::{Easel, Order, OwnGraph, generate},
    },
    store::pending::PendingGeneration,
};

/// How long a generation may take to leave its server as it was when the keeper ends: less than the
/// shutdown waits for a task.
const LEAVING: Duration = Duration::from_secs(3);
/// How often what other programs left behind is looked for: one may be killed beside this one.
const LOOK_FOR_LEFT: Duration = Duration::from_secs(30);
/// How long to wait for the end of another generation on the same service.
const TRY_AGAIN: Duration = Duration::from_secs(1);

/// A request that may not be sent.
pub(super) fn refused(problem: &RequestProblem) -> ErrorInfo {
    ErrorInfo::new(ErrorCode::BadRequest, problem.to_string()).hint(problem.remedy())
}

impl KeeperHandle {
    /// Names a service offers for generations.
    pub async fn choices(&self, id: &ServiceId) -> Result<GenerationChoices, ErrorInfo> {
        self.painter(id).await?.choices().await
    }

    /// Starts a test generation. When this program ends in the middle of it, the server goes on, and
    /// the next keeper that stays finds it again under the same job id. `GpuMemoryLow` when its card has
    /// too little room, which `force` passes over.
    pub async fn generate(
        &self,
        id: &ServiceId,
        request: GenerationRequest,
        force: bool,
    ) -> Result<JobId, ErrorInfo> {
        request.check().map_err(|problem| refused(&problem))?;
        if !force {
            self.has_room(id, &request).await?;
        }
        self.begin_generation(id, Order::plain(request)).await
    }

    pub(super) async fn begin_generation(
        &self,
        id: &ServiceId,
        order: Order,
    ) -> Result<JobId, ErrorInfo> {
        let easel = self.easel(id).await?;
        let run = self.inner.jobs.begin(
            Job {
                cancellable: true,
                ..new_job(JobKind::Generate, id.clone(), None)?
            },
            self.inner.reports.clone(),
        )?;
        let job = run.job.id.clone();
        let errand = Errand::Ticketed(self.tickets(&run.job, &order));
        run.show().await;
        let easel = easel.with_errand(errand).with_skip(run.skip.clone());
        self.spawn_generation(run, easel, order);
        Ok(job)
    }

    /// Presets of one's own, by name. `Settings` when their file cannot be read.
    pub fn presets(&self) -> Result<Vec<OwnPreset>, ErrorInfo> {
        self.inner.own_presets.list()
    }

    /// Keeps a request as a preset, in place of the one of this name. `BadRequest` for a name that cannot
    /// be used or is built in, and for a request that may not be sent.
    pub fn save_preset(&self, name: &str, request: &GenerationRequest) -> Result<(), ErrorInfo> {
        self.inner.own_presets.save(name, request)
    }

    /// Takes a preset of one's own out. `BadRequest` when there is none of this name.
    pub fn remove_preset(&self, name: &str) -> Result<(), ErrorInfo> {
        self.inner.own_presets.remove(name)
    }

    fn spawn_generation(&self, run: JobRun, easel: Easel, order: Order) {
        let inner = Arc::clone(&self.inner);
        let stop = self.inner.tasks.token();
        self.inner.tasks.spawn("generation", async move {
            let cancel = run.cancel.clone();
            let made = Box::pin(generate(run, &easel, order));
            // The server goes on, and the ticket stays for the next start.
            let Some(record) = in_order(&stop, &cancel, &easel, made).await else {
                return;
            };
            // A record that could not be written leaves the answer to the next start.
            if doors::remember_generation(&inner, record).await {
                easel.painter.forget_carried();
            }
        });
    }

    /// Where the tickets of a job are kept. Without a place for them the picture is made all the same.
    fn tickets(&self, job: &Job, order: &Order) -> TicketKeeper {
        let inner = Arc::clone(&self.inner);
        let (job, service, started_at) = (job.id.clone(), job.service.clone(), job.started_at);
        let request = order.request.clone();
        let workflow = order.own.as_ref().map(|own| own.name.clone());
        TicketKeeper::new(move |ticket: Ticket| {
            let inner = Arc::clone(&inner);
            let (job, service, request) = (job.clone(), service.clone(), request.clone());
            let workflow = workflow.clone();
            Box::pin(async move {
                let owner = match inner.presence.claim() {
                    Ok(owner) => owner.to_owned(),
                    Err(error) => {
                        tracing::warn!(%error, "a generation could not be found again");
                        return;
                    }
                };
                let pending = PendingGeneration {
                    job,
                    service,
                    request,
                    workflow,
                    started_at,
                    ticket,
                    owner,
                };
                if let Err(error) = inner.store.put_pending(pending).await {
                    tracing::warn!(%error, "a generation could not be found again");
                }
            })
        })
    }

    /// Takes up what programs that ended left behind, now and for as long as this one runs.
    pub(super) fn take_up_generations(&self) {
        let handle = self.clone();
        let stop = self.inner.tasks.token();
        self.inner.tasks.spawn("left generations", async move {
            handle.tidy_answers().await;
            let mut looks = tokio::time::interval(LOOK_FOR_LEFT);
            loop {
                tokio::select! {
                    () = stop.cancelled() => return,
                    _ = looks.tick() => {}
                }
                if let Err(error) = handle.take_up_left().await {
                    tracing::warn!(%error, detail = error.detail, "left generations cannot be read");
                }
            }
        });
    }

    /// Removes answers that couriers left long ago and that nobody waits for.
    async fn tidy_answers(&self) {
        // Without knowing what is waited for, nothing goes.
        if let Ok(pending) = self.inner.store.pending_generations().await {
            let awaited: Vec<String> = pending.into_iter().filter_map(carried_by).collect();
            self.inner.courier.tidy(&awaited);
        }
    }

    async fn take_up_left(&self) -> Result<(), ErrorInfo> {
        let store = &self.inner.store;
        for pending in store.pending_generations().await? {
            if self.inner.presence.is_present(&pending.owner) {
                continue;
            }
            let owner = self.inner.presence.claim().map_err(|error| {
                ErrorInfo::new(ErrorCode::Io, "the data folder cannot be written to")
                    .detail(error.to_string())
            })?;
            if !store.take_pending(pending.clone(), owner).await? {
                continue;
            }
            tracing::info!(job = %pending.job, service = %pending.service, "a generation is taken up again");
            let handle = self.clone();
            let stop = self.inner.tasks.token();
            self.inner.tasks.spawn("left generation", async move {
                tokio::select! {
                    () = stop.cancelled() => {}
                    () = handle.take_up(pending) => {}
                }
            });
        }
        Ok(())
    }

    /// Follows a generation of an earlier program as a job of this one, once its service answers.
    async fn take_up(&self, pending: PendingGeneration) {
        let PendingGeneration {
            job,
            service,
            request,
            workflow,
            started_at,
            ticket,
            ..
        } = pending;
        loop {
            // An answer that is here needs no server, unless something is to be put back there.
            let is_here = matches!(&ticket, Ticket::Forge { courier: Some(name), borrowed: None, .. }
                if self.inner.courier.has_answer(name));
            self.can_be_taken_up(&service, is_here).await;
            let parts = match self.easel(&service).await {
                Ok(easel) => {
                    let run = self.begin_again(&job, &service, started_at);
                    run.map(|run| (run, easel))
                }
                Err(error) => Err(error),
            };
            match parts {
                Ok((run, easel)) => {
                    run.show().await;
                    let easel = easel.with_errand(Errand::again(ticket));
                    let own = workflow.map(|name| OwnGraph { name, graph: None });
                    self.spawn_generation(run, easel, Order { request, own });
                    return;
                }
                // Another one is under way on it, or the settings have changed this very moment.
                Err(error) => tracing::debug!(%error, "a generation waits to be taken up"),
            }
            tokio::time::sleep(TRY_AGAIN).await;
        }
    }

    fn begin_again(
        &self,
        id: &JobId,
        service: &ServiceId,
        started_at: Timestamp,
    ) -> Result<JobRun, ErrorInfo> {
        let job = Job {
            id: id.clone(),
            started_at,
            cancellable: true,
            ..new_job(JobKind::Generate, service.clone(), None)?
        };
        self.inner.jobs.begin(job, self.inner.reports.clone())
    }

    /// Waits until a service's API answers, or only until it is known where nothing is to be asked of it;
    /// for ever when the settings do not name it.
    async fn can_be_taken_up(&self, id: &ServiceId, is_here: bool) {
        let mut state = self.state();
        let answers = state.wait_for(|state| {
            let service = state.services.iter().find(|service| service.id == *id);
            let api = service.and_then(|service| service.ladder.outcome(Rung::Api));
            let answers =
                api.is_some_and(|api| matches!(api.status, Status::Ok | Status::Degraded));
            answers || is_here && service.is_some()
        });
        // A closed channel means shutdown, which ends this task.
        let _ = answers.await;
    }
}

/// Does a work until the keeper ends; `None` when that was first. What is lent meanwhile must not stay
/// so until the next start: then the work is cancelled, and may put it back.
pub(super) async fn in_order<T>(
    stop: &CancellationToken,
    cancel: &CancellationToken,
    easel: &Easel,
    mut work: BoxFuture<'_, T>,
) -> Option<T> {
    tokio::select! {
        biased;
        () = stop.cancelled() => {}
        done = &mut work => return Some(done),
    }
    if !easel.painter.lends() {
        return None;
    }
    cancel.cancel();
    tokio::time::timeout(LEAVING, work).await.ok()
}

/// The courier of a generation, where one carries it.
fn carried_by(pending: PendingGeneration) -> Option<String> {
    match pending.ticket {
        Ticket::Forge { courier, .. } => courier,
        Ticket::Comfyui { .. } => None,
    }
}

/// Lets go what this program would still follow: the next one may take it up.
pub(super) fn leave(inner: &Inner) {
    inner.presence.end();
}
