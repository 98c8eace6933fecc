//! Placement proofs: whether one may begin, and what becomes of it.

use std::{sync::Arc, time::Duration};

use forgekeeper_domain::{
    error::{ErrorCode, ErrorInfo},
    facts::Activity,
    ids::{JobId, ServiceId},
    job::{Job, JobKind, JobPhase},
    placement::{
        Measurement, Proved,
        ready::{NotReady, ready},
    },
};

use super::{
    KeeperHandle,
    handle::{Inner, new_job},
};
use crate::{
    jobs::{
        JobRun,
        placement::{Bench, prove},
    },
    state::{HostState, ServiceState},
    store::journal::JournalEntry,
    sys::clock,
    watch::{facts::Report, overseer::basis},
};

/// What other services are told to do may be some seconds old: so long it may take to hear that they
/// rest. Longer is work of theirs, and a round says so.
const OTHERS_REST_WITHIN: Duration = Duration::from_secs(4);
/// They are asked so often meanwhile.
const ASKED_EVERY: Duration = Duration::from_millis(400);
/// What was measured is compared with the other services within this time.
const COMPARED_WITHIN: Duration = Duration::from_secs(3);

impl KeeperHandle {
    /// Starts a placement proof of a service. Refused while the service works, while that is not
    /// known, and while too little memory is free.
    pub async fn prove_placement(&self, id: &ServiceId) -> Result<JobId, ErrorInfo> {
        let painter = self.painter(id).await?;
        if self.inner.jobs.generating_on(id) {
            return Err(not_ready(id, &NotReady::Busy));
        }
        self.ready_to_prove(id).await?;
        let (service, host) = self.seen(id)?;
        let unread = || not_ready(id, &NotReady::NoCards);
        let (gpus, turn) = self.inner.roster.proofs(&host.id).ok_or_else(unread)?;
        let bench = Bench {
            painter,
            log: self.log_of(id)?,
            gpus,
            container: service.container.as_ref().map(|c| c.name.clone()),
            ready: {
                let (handle, id) = (self.clone(), id.clone());
                Box::new(move || {
                    let (handle, id) = (handle.clone(), id.clone());
                    Box::pin(async move {
                        handle.let_others_rest(&id).await;
                        handle.ready_to_prove(&id).await
                    })
                })
            },
            state: self.state(),
            turn,
            basis: basis(&host, service.container.as_ref(), service.api.as_deref()),
        };
        let run = self.inner.jobs.begin(
            Job {
                cancellable: true,
                ..new_job(JobKind::ProvePlacement, id.clone(), None)?
            },
            self.inner.reports.clone(),
        )?;
        let job = run.job.id.clone();
        run.show().await;
        let inner = Arc::clone(&self.inner);
        let stop = self.inner.tasks.token();
        self.inner.tasks.spawn("placement proof", async move {
            tokio::select! {
                biased;
                () = stop.cancelled() => {}
                () = prove_and_keep(&inner, run, bench) => {}
            }
        });
        Ok(job)
    }

    /// Whether a proof may begin now: the service at rest, its card read, room on it.
    async fn ready_to_prove(&self, id: &ServiceId) -> Result<(), ErrorInfo> {
        let watch = self.watch(id)?;
        let measured = self.activity_now(id, &watch).await;
        let (service, host) = self.seen(id)?;
        let activity = match (measured, &service.busy, service.busy_known) {
            (Some(activity), _, _) => activity,
            (None, Some(busy), _) => Activity::Busy(busy.clone()),
            (None, None, true) => Activity::Idle,
            (None, None, false) => Activity::Unknown,
        };
        // Where its memory is seen it computes; what is declared is what has to be proved.
        let held = host.gpus.cards.iter().find_map(|card| {
            let shares = &card.shares.as_ref()?.shares;
            let ours = shares.iter().find(|share| share.holder.is_service(id))?;
            Some((&card.latest.uuid, ours.memory))
        });
        let (card, bytes) = (
            held.map(|(card, _)| card),
            held.and_then(|(_, bytes)| bytes),
        );
        ready(&activity, &host.gpus.cards, card, bytes).map_err(|why| not_ready(id, &why))
    }

    /// Waits until the other services of the host are known to rest, and asks those that are not:
    /// one that was proved a moment ago is taken to work until it is asked anew, and the change
    /// would look like a disturbance. Whoever works on is left to work.
    async fn let_others_rest(&self, id: &ServiceId) {
        let state = self.state();
        let rest = async {
            loop {
                let others: Vec<ServiceId> = {
                    let seen = state.borrow();
                    seen.others_at_work(id).map(|s| s.id.clone()).collect()
                };
                if others.is_empty() {
                    return;
                }
                for other in &others {
                    if let Ok(watch) = self.watch(other) {
                        watch.poke();
                    }
                }
                tokio::time::sleep(ASKED_EVERY).await;
            }
        };
        // Too late means that they work.
        let _ = tokio::time::timeout(OTHERS_REST_WITHIN, rest).await;
    }

    /// The proof of a service that counts, and a newer one that could not tell, with all their
    /// readings; the older one first.
    pub async fn placement_evidence(&self, id: &ServiceId) -> Result<Vec<Measurement>, ErrorInfo> {
        self.watch(id)?;
        Ok(self.inner.store.newest_placements(id).await?)
    }

    /// A service and its host as published last.
    fn seen(&self, id: &ServiceId) -> Result<(ServiceState, HostState), ErrorInfo> {
        let state = self.inner.state.borrow().clone();
        let service = state.services.iter().find(|service| service.id == *id);
        let host = service.and_then(|s| state.hosts.iter().find(|host| host.id == s.host));
        match (service, host) {
            (Some(service), Some(host)) => Ok((service.clone(), host.clone())),
            _ => Err(not_ready(id, &NotReady::ActivityUnknown)),
        }
    }
}

async fn prove_and_keep(inner: &Inner, mut run: JobRun, bench: Bench) {
    let service = run.job.service.clone();
    journal(
        inner,
        &service,
        "placement_asked",
        "a tiny picture, twice or more",
        None,
    )
    .await;
    let measurement = match prove(&mut run, bench).await {
        Ok(measurement) => measurement,
        Err(error) => {
            journal(inner, &service, "placement", &error.message, None).await;
            let phase = match error.code {
                ErrorCode::Cancelled => JobPhase::Cancelled,
                _ => JobPhase::Failed,
            };
            run.job.placement = None;
            run.end(phase, Some(error)).await;
            return;
        }
    };
    let detail = serde_json::to_value((&measurement.finding, measurement.confidence)).ok();
    journal(inner, &service, "placement", "measured", detail).await;
    let kept = inner.store.insert_placement(measurement.clone()).await;
    let lost = kept.err().map(|error| {
        tracing::error!(%error, "a placement proof could not be written to the history");
        let info = ErrorInfo::from(error);
        ErrorInfo {
            message: "it was measured, but its evidence could not be kept".to_owned(),
            detail: Some(info.message),
            ..info
        }
    });
    let at = measurement.at;
    // A closed channel means shutdown.
    let _ = inner
        .reports
        .send(Report::Placement(Box::new(measurement)))
        .await;
    let proved = compared(inner, &service, at).await;
    run.job.placement = None;
    run.job.proved = proved;
    run.end(JobPhase::Succeeded, lost).await;
}

/// The proof as it is published, compared with the declaration and the other services.
async fn compared(
    inner: &Inner,
    service: &ServiceId,
    at: forgekeeper_domain::Timestamp,
) -> Option<Proved> {
    let mut state = inner.state.clone();
    let find = |state: &crate::state::KeeperState| {
        let service = state.services.iter().find(|s| s.id == *service)?;
        service
            .placement
            .proved
            .clone()
            .filter(|proved| proved.at == at)
    };
    let seen = state.wait_for(|state| find(state).is_some());
    match tokio::time::timeout(COMPARED_WITHIN, seen).await {
        Ok(Ok(state)) => find(&state),
        Ok(Err(_)) | Err(_) => None,
    }
}

async fn journal(
    inner: &Inner,
    service: &ServiceId,
    kind: &str,
    text: &str,
    detail: Option<serde_json::Value>,
) {
    let entry = JournalEntry {
        at: clock::now(),
        kind: kind.to_owned(),
        subject: Some(service.as_str().to_owned()),
        text: text.to_owned(),
        detail,
    };
    if let Err(error) = inner.store.append_journal(entry).await {
        tracing::error!(%error, "a placement proof could not be written to the journal");
    }
}

/// A refusal in words.
fn not_ready(id: &ServiceId, why: &NotReady) -> ErrorInfo {
    let (code, message, hint) = match why {
        NotReady::Busy => (
            ErrorCode::ServiceBusy,
            format!("`{id}` was left alone: it is making a picture"),
            "Wait until it is done, then prove again.",
        ),
        NotReady::ActivityUnknown => (
            ErrorCode::Refused,
            format!("`{id}` was left alone: whether it works at something is not known"),
            "Look at its API rung first: it has to answer.",
        ),
        NotReady::NoCards => (
            ErrorCode::GpuUnreadable,
            "no graphics card can be read, so none can be seen working".to_owned(),
            "The GPU page says what was tried to read them.",
        ),
        NotReady::CardLost => (
            ErrorCode::GpuUnreadable,
            "a graphics card is lost: that the others rest would prove nothing".to_owned(),
            "Restart the machine, then prove again.",
        ),
        NotReady::MemoryLow { .. } => (
            ErrorCode::GpuMemoryLow,
            format!("`{id}` was left alone: too little memory is free on its card"),
            "Unload a model, or end what holds the memory; the GPU page says who.",
        ),
    };
    let info = ErrorInfo::new(code, message).hint(hint);
    match why {
        NotReady::MemoryLow { card, free, needed } => {
            let mib = |bytes: u64| bytes >> 20;
            let (free, needed) = (mib(*free), mib(*needed));
            info.detail(format!("{card}: {free} MiB free, {needed} MiB needed"))
        }
        _ => info,
    }
}
