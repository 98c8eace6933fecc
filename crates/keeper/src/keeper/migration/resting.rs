//! Services that the migration has at rest: that their containers are down is as planned, and no incident.

use std::{collections::BTreeMap, time::Duration};

use forgekeeper_domain::{Timestamp, ids::ServiceId};
use tokio_util::sync::CancellationToken;

use crate::{keeper::KeeperHandle, store::StoreError, watch::facts::Report};

/// Another program on the same history may bring a service to rest, and back: a stop takes longer.
const AGAIN: Duration = Duration::from_secs(3);

impl KeeperHandle {
    /// Tells it for as long as this runs, whoever changes it.
    pub(in crate::keeper) async fn keep_resting(self, stop: CancellationToken) {
        let mut told = None;
        loop {
            match self.resting().await {
                Ok(now) if told.as_ref() != Some(&now) => {
                    // A closed channel means shutdown.
                    let _ = self.inner.reports.send(Report::Resting(now.clone())).await;
                    told = Some(now);
                }
                Ok(_) => {}
                Err(error) => tracing::warn!(%error, "which services are at rest is not known"),
            }
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(AGAIN) => {}
            }
        }
    }

    /// Tells the overseer which services are meant to be at rest, as the steps remember it.
    pub(in crate::keeper) async fn tell_resting(&self) {
        let told = match self.resting().await {
            Ok(told) => told,
            // What was told before stays.
            Err(error) => return tracing::warn!(%error, "which services are at rest is not known"),
        };
        // A closed channel means shutdown.
        let _ = self.inner.reports.send(Report::Resting(told)).await;
    }

    async fn resting(&self) -> Result<BTreeMap<ServiceId, Timestamp>, StoreError> {
        let plan = self.inner.migration.file.plan();
        let mut resting = BTreeMap::new();
        for planned in plan.steps() {
            let work = planned.step.check;
            let Some(work) = work.and_then(|check| self.inner.migration.steps.work(check)) else {
                continue;
            };
            let memory = self.inner.store.migration_memory(planned.step.id).await?;
            let rests = memory.and_then(|memory| work.rests(&plan.target, &memory));
            if let Some((service, since)) = rests {
                // The first that brought it to rest.
                resting.entry(service).or_insert(since);
            }
        }
        Ok(resting)
    }
}
