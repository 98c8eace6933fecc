//! Services that the migration has at rest: that their containers are down is as planned, and no incident.

use std::collections::BTreeMap;

use crate::{keeper::KeeperHandle, store::StoreError, watch::facts::Report};

impl KeeperHandle {
    /// Tells the overseer which services are meant to be at rest, as the steps remember it.
    pub(in crate::keeper) async fn tell_resting(&self) {
        let told = match self.resting().await {
            Ok(told) => told,
            // What was told before stays.
            Err(error) => return tracing::warn!(%error, "which services are at rest is not known"),
        };
        // A closed channel means shutdown.
        let _ = self.inner.reports.send(told).await;
    }

    async fn resting(&self) -> Result<Report, StoreError> {
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
        Ok(Report::Resting(resting))
    }
}
