//! Writes down, minute by minute, whether services work: what the migration counts its days by.

use std::{sync::Arc, time::Duration};

use forgekeeper_domain::outcome::Status;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::{
    state::{KeeperState, ServiceState},
    store::{Store, service_minutes::ServiceLook},
    sys::clock,
};

/// Three looks fall into each minute.
const EVERY: Duration = Duration::from_secs(20);

/// Looks for as long as this runs.
pub(super) async fn keep(
    store: Store,
    state: watch::Receiver<Arc<KeeperState>>,
    stop: CancellationToken,
) {
    let mut failing = false;
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(EVERY) => {}
        }
        let looks = state.borrow().services.iter().filter_map(look).collect();
        let kept = store.insert_service_looks(clock::now(), looks).await;
        // A full disk is said once, not three times a minute.
        if let (Err(error), false) = (&kept, failing) {
            tracing::error!(%error, "minutes of services cannot be kept");
        }
        failing = kept.is_err();
    }
}

/// What a look says; `None` where nothing was measured: that is a gap, and no good minute.
fn look(service: &ServiceState) -> Option<ServiceLook> {
    let good = match service.status {
        Status::Ok | Status::Degraded => true,
        Status::Failing => false,
        Status::Unknown | Status::Asleep | Status::NotConfigured => return None,
    };
    Some(ServiceLook {
        service: service.id.clone(),
        good,
        latency_ms: service.api_latency_ms.filter(|_| good),
    })
}
