//! Looks at steps, when somebody asks and when a look is old.

use std::time::Duration;

use forgekeeper_domain::{
    error::ErrorInfo,
    ids::StepId,
    migration::{
        Basis, CheckKind, Finding, Found, PlannedStep, Proof, RecordAction, StepState, Verdict,
        Words,
    },
};
use jiff::SignedDuration;
use tokio_util::sync::CancellationToken;

use super::{Judged, entry, find, refused};
use crate::{
    keeper::KeeperHandle,
    migration::{StepLook, StepWork},
    sys::clock,
};

/// After the start, before the first looks: everything was measured by then.
const FIRST_LOOKS: Duration = Duration::from_mins(2);
/// Between two rounds of the clock.
const BETWEEN_ROUNDS: Duration = Duration::from_mins(1);
/// A look that was repeated within this time says nothing new.
const LONG_AGO: SignedDuration = SignedDuration::from_hours(24 * 365);

impl KeeperHandle {
    /// Measures a step now. Nothing is changed by it; a verdict becomes its proof, and what could not
    /// be measured leaves the one it has.
    pub async fn migration_check(&self, id: &StepId) -> Result<StepLook, ErrorInfo> {
        let judged = self.judged().await?;
        let planned = find(&judged.plan, id)?;
        let check = planned.step.check.ok_or_else(|| {
            refused(format!("`{id}` cannot be measured")).hint("Attest it instead.")
        })?;
        if let Some(StepState::Running { .. }) = judged.standing.states.get(id) {
            return Err(refused(format!("`{id}` is being done now")).hint("Wait for its end."));
        }
        self.look(&judged, id, check, true).await
    }

    /// Measures every step that can be done now or was proved, and whose look is old; the ones that
    /// were looked at, in order.
    pub async fn migration_check_due(&self, all: bool) -> Result<Vec<StepId>, ErrorInfo> {
        let judged = self.judged().await?;
        let mut looked = Vec::new();
        for planned in judged.plan.steps() {
            let id = &planned.step.id;
            let ready = matches!(judged.standing.states.get(id), Some(StepState::Ready));
            if let Some(check) = planned.step.check
                && (self.is_due(&judged, &planned, all).await? || all && ready)
            {
                self.look(&judged, id, check, true).await?;
                looked.push(id.clone());
            }
        }
        Ok(looked)
    }

    /// What a step can do.
    pub(super) fn work(&self, check: CheckKind) -> Option<&'static dyn StepWork> {
        self.inner.migration.steps.work(check)
    }

    /// Looks, keeps what was found, and records it: by the clock only what is new.
    pub(super) async fn look(
        &self,
        judged: &Judged,
        id: &StepId,
        check: CheckKind,
        asked: bool,
    ) -> Result<StepLook, ErrorInfo> {
        let _one = self.inner.migration.looking.lock().await;
        let site = self.site(std::sync::Arc::clone(&judged.plan), judged.proofs.clone());
        let finding = match self.work(check) {
            None => not_built(),
            Some(work) => within(work, work.check(&site)).await,
        };
        let look = StepLook {
            at: clock::now(),
            finding,
        };
        self.keep_look(judged, id, &look, asked).await?;
        Ok(look)
    }

    async fn keep_look(
        &self,
        judged: &Judged,
        id: &StepId,
        look: &StepLook,
        asked: bool,
    ) -> Result<(), ErrorInfo> {
        let store = &self.inner.store;
        let before = store.migration_looks().await?.remove(id);
        let finding = &look.finding;
        let verdict = match finding.found {
            Found::Proved => Some(Verdict::Passed),
            Found::Failed => Some(Verdict::Failed),
            Found::Unknown => None,
        };
        if let Some(verdict) = verdict {
            let proof = Proof {
                at: look.at,
                verdict,
                evidence: finding.evidence.clone(),
                basis: Basis::Measured,
            };
            store.add_migration_proof(id.clone(), proof).await?;
            // What was left in the middle is measured now.
            let left = judged.actions.get(id);
            if left.is_some_and(|left| !self.inner.presence.is_present(&left.owner)) {
                store.end_migration_action(id.clone()).await?;
            }
        }
        store.put_migration_look(id.clone(), look.clone()).await?;
        let news = before.as_ref().map(|before| before.finding.found) != Some(finding.found);
        if asked || news {
            let mut entry = entry(look.at, id, RecordAction::Check, finding.found.into());
            entry.says.clone_from(&finding.says);
            entry.before = before.map(|look| look.finding.evidence).unwrap_or_default();
            entry.after.clone_from(&finding.evidence);
            self.record(entry).await;
        } else {
            self.announce_migration();
        }
        Ok(())
    }

    /// Whether a step that has been proved, or was found not to hold, is to be looked at again.
    async fn is_due(
        &self,
        judged: &Judged,
        planned: &PlannedStep,
        whatever_its_age: bool,
    ) -> Result<bool, ErrorInfo> {
        let id = &planned.step.id;
        let Some(work) = planned.step.check.and_then(|check| self.work(check)) else {
            return Ok(false);
        };
        let look = self.inner.store.migration_looks().await?.remove(id);
        let has_been = match judged.standing.states.get(id) {
            Some(StepState::Proved { .. } | StepState::Failed { .. } | StepState::Stale { .. }) => {
                true
            }
            Some(StepState::Ready) => work.waits() && look.is_some(),
            _ => false,
        };
        // Of one in the middle somebody has to decide first what becomes of it.
        if !has_been || judged.actions.contains_key(id) {
            return Ok(false);
        }
        let age = look.map_or(LONG_AGO, |look| judged.standing.at.duration_since(look.at));
        Ok(whatever_its_age || age >= work.every())
    }

    /// Looks again at what is due, one step a round, for as long as this runs; tells when a state
    /// changes because time has passed or the owner's file has changed.
    pub(in crate::keeper) async fn keep_migration(self, stop: CancellationToken) {
        self.take_up_migration().await;
        let mut changes = self.inner.migration.file.changes();
        let mut told = None;
        let mut wait = FIRST_LOOKS;
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(wait) => wait = BETWEEN_ROUNDS,
                changed = changes.changed() => {
                    if changed.is_err() {
                        return;
                    }
                    self.tell_resting().await;
                    self.announce_migration();
                    continue;
                }
            }
            let round = Box::pin(self.one_round());
            let states = tokio::select! {
                () = stop.cancelled() => return,
                states = round => states,
            };
            match states {
                Ok(states) => {
                    if told.as_ref().is_some_and(|told| *told != states) {
                        self.announce_migration();
                    }
                    told = Some(states);
                }
                Err(error) => tracing::warn!(%error, "the migration could not be looked at"),
            }
        }
    }

    async fn one_round(&self) -> Result<std::collections::BTreeMap<StepId, StepState>, ErrorInfo> {
        let judged = self.judged().await?;
        for planned in judged.plan.steps() {
            if let Some(check) = planned.step.check
                && self.is_due(&judged, &planned, false).await?
            {
                self.look(&judged, &planned.step.id, check, false).await?;
                break;
            }
        }
        Ok(self.judged().await?.standing.states)
    }
}

async fn within(work: &dyn StepWork, check: impl Future<Output = Finding>) -> Finding {
    let deadline = work.deadline();
    tokio::time::timeout(deadline, check)
        .await
        .unwrap_or_else(|_| {
            let seconds = deadline.as_secs();
            Finding::unknown(Words::both(
                format!("The measurement did not end within {seconds} s."),
                format!("La mesure ne s’est pas terminée en {seconds}\u{a0}s."),
            ))
        })
}

fn not_built() -> Finding {
    Finding::unknown(Words::both(
        "Not built: this version of the program cannot measure this step.",
        "Non réalisé\u{202f}: cette version du programme ne sait pas mesurer cette étape.",
    ))
}
