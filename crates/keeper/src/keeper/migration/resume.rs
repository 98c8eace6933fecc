//! Takes up what a program that ended left in the middle.

use forgekeeper_domain::{
    error::ErrorInfo,
    migration::{AfterKill, RecordAction, RecordOutcome},
};

use super::{entry, find};
use crate::{keeper::KeeperHandle, migration::StepWork, store::migration::StepAction, sys::clock};

impl KeeperHandle {
    /// Looks once, at the start. What ends in the same when it is done again goes on; the rest is
    /// told, and waits for somebody to do it again or to take it back.
    pub(super) async fn take_up_migration(&self) {
        let actions = match self.inner.store.migration_actions().await {
            Ok(actions) => actions,
            Err(error) => return tracing::error!(%error, "steps left in the middle are not known"),
        };
        for left in actions {
            if self.inner.presence.is_present(&left.owner) {
                continue;
            }
            let step = left.step.clone();
            if let Err(error) = self.take_up_step(left).await {
                tracing::warn!(%error, %step, "a step left in the middle is not taken up");
            }
        }
    }

    async fn take_up_step(&self, left: StepAction) -> Result<(), ErrorInfo> {
        let judged = self.judged().await?;
        let able =
            find(&judged.plan, &left.step).and_then(|planned| self.able(&planned, left.action));
        // A drill that was cut short has to be put as it was, whatever else its step would do.
        let again = |work: &dyn StepWork| {
            left.action == RecordAction::Drill || work.after_kill() == AfterKill::Again
        };
        // A plan that is broken now, or has lost the step, decides nothing.
        let sound = self.inner.migration.file.status().problems.is_empty();
        match able {
            Ok(able) if sound && again(able.work) => {
                let owner = self.inner.presence.claim().map_err(|error| {
                    ErrorInfo::new(
                        forgekeeper_domain::error::ErrorCode::Io,
                        "this program cannot say that it runs",
                    )
                    .detail(error.to_string())
                })?;
                let taken = StepAction {
                    owner: owner.to_owned(),
                    ..left.clone()
                };
                let action = left.action;
                let store = &self.inner.store;
                if !store
                    .begin_migration_action(taken.clone(), Some(left))
                    .await?
                {
                    return Ok(());
                }
                tracing::info!(step = %taken.step, "a step of the migration is taken up again");
                self.record(entry(
                    clock::now(),
                    &taken.step,
                    action,
                    RecordOutcome::Resumed,
                ))
                .await;
                self.perform(judged, able, taken).await
            }
            _ if left.told => Ok(()),
            _ => {
                let told = StepAction {
                    told: true,
                    ..left.clone()
                };
                let (step, action, since) = (left.step.clone(), left.action, left.since);
                if self
                    .inner
                    .store
                    .begin_migration_action(told, Some(left))
                    .await?
                {
                    let mut entry = entry(clock::now(), &step, action, RecordOutcome::Interrupted);
                    entry.detail = Some(format!("begun {since}"));
                    self.record(entry).await;
                }
                Ok(())
            }
        }
    }
}
