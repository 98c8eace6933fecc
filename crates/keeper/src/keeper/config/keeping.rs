//! One snapshot of each service a day, one drill a month, and what goes again.

use std::time::Duration;

use forgekeeper_domain::{
    config::{Kept, RETENTION, Reason, to_remove},
    ids::{ServiceId, SnapshotId},
};
use jiff::SignedDuration;
use tokio_util::sync::CancellationToken;

use super::UNHURRIED;
use crate::{
    config::manifests::{Stored, time_of},
    keeper::KeeperHandle,
    sys::clock,
};

/// After the start, before the first daily ones: everything was measured by then.
const FIRST_LOOK: Duration = Duration::from_mins(1);
/// Between two looks whether a day has passed.
const BETWEEN_LOOKS: Duration = Duration::from_mins(15);
const A_DAY: SignedDuration = SignedDuration::from_hours(24);

impl KeeperHandle {
    /// Lets go what is too old or too much. A failure is told and leaves everything.
    pub(super) async fn trim(&self, service: &ServiceId) {
        let now = clock::now();
        let all = match self.inner.config.list().await {
            Ok(all) => all,
            Err(error) => return tracing::warn!(%error, "old snapshots stay"),
        };
        let too_old = |id: &SnapshotId| {
            time_of(id).is_some_and(|at| now.duration_since(at) > RETENTION.weekly)
        };
        let mut go = Vec::new();
        let mut kept = Vec::new();
        for one in all {
            match one.stored {
                Stored::Whole { snapshot, pinned } if snapshot.service == *service => {
                    kept.push(Kept {
                        id: one.id,
                        taken_at: snapshot.taken_at,
                        good: snapshot.is_good(),
                        pinned,
                        contents: self.inner.config.sizes(&snapshot),
                    });
                }
                Stored::Damaged { .. } if too_old(&one.id) => go.push(one.id),
                Stored::Whole { .. } | Stored::Damaged { .. } => {}
            }
        }
        go.extend(to_remove(&kept, now, &RETENTION));
        if go.is_empty() {
            return;
        }
        if let Err(error) = self.inner.config.remove(go).await {
            tracing::warn!(%error, "old snapshots stay");
        }
    }

    /// Takes one of each service a day, for as long as this runs. Not of a service whose engine does
    /// not answer: there would be nothing in it.
    pub(in crate::keeper) async fn keep_daily(self, stop: CancellationToken) {
        let mut wait = FIRST_LOOK;
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(wait) => {}
            }
            wait = BETWEEN_LOOKS;
            let settings = self.inner.settings.borrow().settings.clone();
            for service in &settings.services {
                let taking = async {
                    self.take_when_due(&service.id).await;
                    self.drill_when_due(&service.id).await;
                };
                tokio::select! {
                    () = stop.cancelled() => return,
                    () = taking => {}
                }
            }
        }
    }

    async fn take_when_due(&self, service: &ServiceId) {
        let Ok(watch) = self.watch(service) else {
            return;
        };
        if watch.host.engine().is_none() {
            return;
        }
        let newest = match self.snapshots(Some(service)).await {
            Ok(all) => all.into_iter().find_map(|one| match one.stored {
                Stored::Whole { snapshot, .. } => Some(snapshot.taken_at),
                Stored::Damaged { .. } => None,
            }),
            Err(error) => return tracing::warn!(%service, %error, "snapshots cannot be listed"),
        };
        if newest.is_some_and(|at| clock::now().duration_since(at) < A_DAY) {
            return;
        }
        if let Err(error) = self.take(service, Reason::Daily, None, UNHURRIED).await {
            tracing::warn!(%service, %error, "the daily snapshot was not taken");
            let text = format!("the daily snapshot was not taken: {error}");
            self.note_snapshot(service, text).await;
        }
    }
}
