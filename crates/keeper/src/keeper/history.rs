//! What belongs into the journal, written as it happens.

use forgekeeper_domain::{
    Timestamp,
    action::RestartTarget,
    ids::ServiceId,
    incident::{Incident, Subject},
    job::JobKind,
    restart::{Stage, forecast},
};
use tokio::sync::broadcast::{self, error::RecvError};
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

/// Writes incidents into the journal until cancelled.
pub(super) async fn journal_incidents(
    store: Store,
    mut events: broadcast::Receiver<KeeperEvent>,
    stop: CancellationToken,
) {
    loop {
        let event = tokio::select! {
            () = stop.cancelled() => return,
            event = events.recv() => event,
        };
        let entry = match event {
            Ok(KeeperEvent::IncidentOpened(incident)) => entry("incident_opened", &incident),
            Ok(KeeperEvent::IncidentClosed(incident)) => entry("incident_closed", &incident),
            Ok(_) => continue,
            Err(RecvError::Lagged(missed)) => {
                tracing::warn!(missed, "the journal fell behind the announcements");
                continue;
            }
            Err(RecvError::Closed) => return,
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
    };
    JournalEntry {
        at: clock::now(),
        kind: kind.to_owned(),
        subject: Some(subject),
        text: incident.cause.code().to_owned(),
        detail: serde_json::to_value(&incident.evidence).ok(),
    }
}

/// What the store knows about a service. Unreadable history is said in the log and unknown here.
pub(super) async fn of_service(store: &Store, service: &ServiceId) -> History {
    let restart = JobKind::Restart {
        target: RestartTarget::Container,
    };
    let runs = store
        .restarts(service, restart, FORECAST_RUNS)
        .await
        .unwrap_or_else(|error| {
            tracing::error!(%error, "the restart history could not be read");
            Vec::new()
        });
    let since = Timestamp::from_second(clock::now().as_second() - MONTH_DAYS * 86_400)
        .unwrap_or(Timestamp::UNIX_EPOCH);
    let proved: Vec<&RestartEntry> = runs.iter().filter(|run| run.proved).collect();
    let totals: Vec<u32> = proved
        .iter()
        .filter_map(|run| run.stages.last())
        .map(|s| s.after_ms)
        .collect();
    let starts: Vec<u32> = proved.iter().filter_map(|run| start_ms(run)).collect();
    History {
        restarts_30d: store
            .count_restarts_since(service, since)
            .await
            .inspect_err(|error| tracing::error!(%error, "restarts could not be counted"))
            .ok(),
        restart: forecast(&totals),
        usual_start_s: forecast(&starts).map(|f| f.median_ms.div_ceil(1000).max(1)),
        last_generation: store
            .newest_generation(service)
            .await
            .inspect_err(|error| tracing::error!(%error, "the last picture could not be read"))
            .unwrap_or_default(),
    }
}

/// From container start to answering API.
fn start_ms(run: &RestartEntry) -> Option<u32> {
    let after = |stage| {
        run.stages
            .iter()
            .find(|s| s.stage == stage)
            .map(|s| s.after_ms)
    };
    after(Stage::ApiAnswers)?.checked_sub(after(Stage::ContainerUp)?)
}
