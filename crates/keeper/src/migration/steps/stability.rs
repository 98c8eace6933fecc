//! `stability`: the target carried the real work for days. Only looked at: time does it.

use forgekeeper_domain::{
    Timestamp,
    error::ErrorInfo,
    ids::StepId,
    migration::{
        CheckKind, Finding, Words,
        ending::{Carried, StabilityFacts, Stop, carried_since, stability, stops},
    },
    outcome::Status,
};
use futures_util::future::BoxFuture;
use jiff::SignedDuration;

use crate::{
    migration::{Site, StepWork},
    settings::ServiceSettings,
};

/// Entries of the recorder that are read.
const RECORD: u32 = 20_000;
/// How long before the cutover the old service is looked at for comparison.
const BASELINE: SignedDuration = SignedDuration::from_hours(14 * 24);

/// The step.
#[derive(Debug)]
pub(crate) struct Stability;

impl StepWork for Stability {
    fn check<'a>(&'a self, site: &'a Site) -> BoxFuture<'a, Finding> {
        Box::pin(async move {
            match facts(site).await {
                Ok(facts) => stability(&facts),
                Err(finding) => finding,
            }
        })
    }

    fn every(&self) -> SignedDuration {
        SignedDuration::from_hours(1)
    }

    fn waits(&self) -> bool {
        true
    }
}

async fn facts(site: &Site) -> Result<StabilityFacts, Finding> {
    let (from, to) = (site.from()?, site.to()?);
    let now = site.now();
    let carried = carried(site).await.map_err(unread)?;
    let since = carried.map_or(now, |carried| carried.since);
    let stops = stopped(site, &to, since).await.map_err(unread)?;
    let counted_from = stops.last().map_or(since, |stop| stop.at);
    let store = site.store();
    let of = async |service: &ServiceSettings, from, to| {
        let watched = store.watched(&service.id, from, to).await;
        watched.map_err(|error| unread(error.into()))
    };
    let before = since.checked_sub(BASELINE).unwrap_or(Timestamp::UNIX_EPOCH);
    Ok(StabilityFacts {
        now,
        carried,
        needed: site.target().stability_days(),
        stops,
        counted: of(&to, counted_from, now).await?,
        target: of(&to, since, now).await?,
        before: of(&from, before, since).await?,
        works: works(site, &to),
    })
}

/// Since when the public address has led to the target, by the step that turned it.
pub(super) async fn carried(site: &Site) -> Result<Option<Carried>, ErrorInfo> {
    let steps = site.plan().steps();
    let cutover = steps
        .iter()
        .find(|planned| planned.step.check == Some(CheckKind::ProxyCutover));
    let Some(planned) = cutover else {
        return Ok(None);
    };
    let id: &StepId = &planned.step.id;
    let record = site.keeper().migration_record(RECORD).await?;
    let carried = carried_since(&record, id);
    // A skip by hand in the file is in no recorder, one that was taken back there still is.
    Ok(carried.filter(|carried| carried.measured || planned.skip.is_some()))
}

/// What stopped a service since: its own incidents, and those of its host.
async fn stopped(
    site: &Site,
    service: &ServiceSettings,
    since: Timestamp,
) -> Result<Vec<Stop>, ErrorInfo> {
    let incidents = site.store().incidents_since(since).await?;
    let of_it = |subject: &Option<String>| {
        let subject = subject.as_deref();
        subject == Some(service.id.as_str()) || subject == Some(service.host.as_str())
    };
    let stopping = incidents
        .into_iter()
        .filter(|(_, subject, cause)| of_it(subject) && stops(cause));
    Ok(stopping.map(|(at, _, cause)| Stop { at, cause }).collect())
}

fn works(site: &Site, service: &ServiceSettings) -> Option<bool> {
    let state = site.state();
    let found = state.services.iter().find(|s| s.id == service.id)?;
    match found.status {
        Status::Ok | Status::Degraded => Some(true),
        Status::Failing => Some(false),
        Status::Unknown | Status::Asleep | Status::NotConfigured => None,
    }
}

pub(super) fn unread(error: ErrorInfo) -> Finding {
    Finding::unknown(Words::both(
        "The history cannot be read.",
        "L’historique ne peut pas être lu.",
    ))
    .with("error", error.message)
}
