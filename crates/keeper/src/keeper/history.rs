//! What belongs into the journal, written as it happens.

use forgekeeper_domain::{
    Timestamp,
    action::RestartTarget,
    ids::ServiceId,
    incident::{Incident, Subject},
    job::JobKind,
    notes::Note,
    restart::{Forecasts, Stage, forecast},
};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::{
    event::KeeperEvent,
    store::{Store, journal::JournalEntry, restarts::RestartEntry},
    sys::clock,
    watch::facts::History,
};

/// Earlier runs a forecast rests on.
const FORECAST_RUNS: u32 = 20;
/// Days counted by "restarted n times this month".
const MONTH_DAYS: i64 = 30;

/// Writes incidents and notes into the journal until cancelled.
pub(super) async fn journal_incidents(
    store: Store,
    mut events: mpsc::UnboundedReceiver<KeeperEvent>,
    stop: CancellationToken,
) {
    loop {
        let event = tokio::select! {
            () = stop.cancelled() => return,
            event = events.recv() => event,
        };
        let entry = match event {
            Some(KeeperEvent::IncidentOpened(incident)) => entry("incident_opened", &incident),
            Some(KeeperEvent::IncidentClosed(incident)) => entry("incident_closed", &incident),
            Some(KeeperEvent::Noted(service, note)) => noted(&service, &note),
            Some(_) => continue,
            None => return,
        };
        if let Err(error) = store.append_journal(entry).await {
            tracing::error!(%error, "an incident could not be written to the journal");
        }
    }
}

fn entry(kind: &str, incident: &Incident) -> JournalEntry {
    let subject = match &incident.subject {
        Subject::Host(id) => id.as_str().to_owned(),
        Subject::Service(id) => id.as_str().to_owned(),
        Subject::Gpu(id) => id.as_str().to_owned(),
    };
    JournalEntry {
        at: clock::now(),
        kind: kind.to_owned(),
        subject: Some(subject),
        text: incident.cause.code().to_owned(),
        detail: serde_json::to_value(&incident.evidence).ok(),
    }
}

fn noted(service: &ServiceId, note: &Note) -> JournalEntry {
    JournalEntry {
        at: clock::now(),
        kind: "note".to_owned(),
        subject: Some(service.as_str().to_owned()),
        text: note.kind.code().to_owned(),
        detail: serde_json::to_value(&note.evidence).ok(),
    }
}

/// What the store knows about a service. Unreadable history is said in the log and unknown here.
pub(super) async fn of_service(store: &Store, service: &ServiceId) -> History {
    let target = |target| JobKind::Restart { target };
    let container = proved(store, service, target(RestartTarget::Container)).await;
    let program = proved(store, service, target(RestartTarget::Program)).await;
    let start = proved(store, service, JobKind::Start).await;
    let stop = proved(store, service, JobKind::Stop).await;
    let since = Timestamp::from_second(clock::now().as_second() - MONTH_DAYS * 86_400)
        .unwrap_or(Timestamp::UNIX_EPOCH);
    let starts: Vec<u32> = container
        .iter()
        .chain(&start)
        .filter_map(start_ms)
        .collect();
    History {
        restarts_30d: store
            .count_restarts_since(service, since)
            .await
            .inspect_err(|error| tracing::error!(%error, "restarts could not be counted"))
            .ok(),
        forecasts: Forecasts {
            start: forecast(&totals(&start)),
            stop: forecast(&totals(&stop)),
            container: forecast(&totals(&container)),
            program: forecast(&totals(&program)),
        },
        usual_start_s: forecast(&starts).map(|f| f.median_ms.div_ceil(1000).max(1)),
        last_generation: store
            .newest_generation(service)
            .await
            .inspect_err(|error| tracing::error!(%error, "the last picture could not be read"))
            .unwrap_or_default(),
    }
}

/// Runs of one kind that ended with their proof, newest first.
async fn proved(store: &Store, service: &ServiceId, kind: JobKind) -> Vec<RestartEntry> {
    let mut runs = store
        .restarts(service, kind, FORECAST_RUNS)
        .await
        .unwrap_or_else(|error| {
            tracing::error!(%error, "the history of actions could not be read");
            Vec::new()
        });
    runs.retain(|run| run.proved);
    runs
}

/// From the request to the last stage, milliseconds.
fn totals(runs: &[RestartEntry]) -> Vec<u32> {
    runs.iter()
        .filter_map(|run| run.stages.last())
        .map(|stage| stage.after_ms)
        .collect()
}

/// From container start to answering API, milliseconds.
fn start_ms(run: &RestartEntry) -> Option<u32> {
    let after = |stage| {
        run.stages
            .iter()
            .find(|s| s.stage == stage)
            .map(|s| s.after_ms)
    };
    after(Stage::ApiAnswers)?.checked_sub(after(Stage::ContainerUp)?)
}
