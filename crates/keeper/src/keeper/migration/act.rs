//! Does steps and takes them back.
//!
//! What is about to be done stands in the history before it begins, and goes when it has ended and
//! was measured: a program that ends in the middle leaves it.

use std::sync::Arc;

use forgekeeper_domain::{
    error::{ErrorCode, ErrorInfo},
    ids::StepId,
    migration::{
        Basis, CheckKind, Deed, Evidence, Found, PlannedStep, Proof, RecordAction, RecordOutcome,
        StepState, Verdict,
    },
};
use serde_json::Value;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::{Judged, entry, find, is_skipped, refused};
use crate::{
    keeper::KeeperHandle,
    migration::{Keep, Live, StepEnd, StepLook, StepRun, StepWork},
    store::migration::StepAction,
    sys::clock,
};

/// One step with what it can do.
pub(super) struct Able {
    pub(super) id: StepId,
    pub(super) check: CheckKind,
    pub(super) work: &'static dyn StepWork,
}

impl KeeperHandle {
    /// Begins to do a step; it goes on when the handle is dropped. `confirm` is the word that its
    /// preview asks for.
    pub async fn migration_run(&self, id: &StepId, confirm: Option<&str>) -> Result<(), ErrorInfo> {
        self.begin(id, RecordAction::Run, confirm).await
    }

    /// Begins to take a step back.
    pub async fn migration_undo(
        &self,
        id: &StepId,
        confirm: Option<&str>,
    ) -> Result<(), ErrorInfo> {
        self.begin(id, RecordAction::Undo, confirm).await
    }

    /// Begins to try the way back of a step.
    pub async fn migration_drill(&self, id: &StepId) -> Result<(), ErrorInfo> {
        self.begin(id, RecordAction::Drill, None).await
    }

    async fn begin(
        &self,
        id: &StepId,
        action: RecordAction,
        confirm: Option<&str>,
    ) -> Result<(), ErrorInfo> {
        let _one = self.inner.migration.beginning.lock().await;
        let judged = self.judged().await?;
        let planned = find(&judged.plan, id)?;
        if let Some(StepState::Skipped { .. }) = judged.standing.states.get(id) {
            return Err(is_skipped(id));
        }
        let able = self.able(&planned, action)?;
        let preview = self.previewed(&judged, &able, action).await?;
        if !preview.refused.is_empty() {
            let mut entry = entry(clock::now(), id, action, RecordOutcome::Refused);
            entry.says.clone_from(&preview.refused);
            self.record(entry).await;
            let why: Vec<String> = preview.refused.into_iter().map(|words| words.en).collect();
            return Err(refused(why.join(" ")));
        }
        if let Some(word) = &preview.confirm
            && confirm != Some(word)
        {
            return Err(
                refused("this has to be confirmed").hint(format!("Type `{word}` to confirm it."))
            );
        }
        let owner = self.inner.presence.claim().map_err(|error| {
            ErrorInfo::new(
                ErrorCode::Io,
                "this program cannot say that it runs, and nothing is begun without that",
            )
            .detail(error.to_string())
        })?;
        let begun = StepAction {
            step: id.clone(),
            action,
            since: clock::now(),
            owner: owner.to_owned(),
            told: false,
        };
        let left = judged.actions.get(id).cloned();
        if !self
            .inner
            .store
            .begin_migration_action(begun.clone(), left)
            .await?
        {
            return Err(refused(format!("another program does something to `{id}`")));
        }
        self.record(entry(begun.since, id, action, RecordOutcome::Begun))
            .await;
        self.perform(judged, able, begun).await
    }

    /// Does what stands in the history as begun.
    pub(super) async fn perform(
        &self,
        judged: Judged,
        able: Able,
        action: StepAction,
    ) -> Result<(), ErrorInfo> {
        let memory = self.inner.store.migration_memory(able.id.clone()).await?;
        let cancel = CancellationToken::new();
        let run = StepRun::new(cancel.clone(), memory, self.keep(able.id.clone()));
        let (ended, end) = watch::channel(None);
        let live = Live {
            cancel: cancel.clone(),
            progress: run.progress(),
            end,
        };
        let mut progress = run.progress();
        self.inner.migration.put(able.id.clone(), live);
        let (handle, stop) = (self.clone(), self.inner.tasks.token());
        self.inner.tasks.spawn("migration step", async move {
            let site = handle.site(Arc::clone(&judged.plan), judged.proofs.clone());
            let doing = async {
                match action.action {
                    RecordAction::Undo => able.work.undo(&site, &run).await,
                    RecordAction::Drill => able.work.drill(&site, &run).await,
                    _ => able.work.run(&site, &run).await,
                }
            };
            tokio::pin!(doing);
            let mut asked_to_stop = false;
            let done = loop {
                tokio::select! {
                    done = &mut doing => break done,
                    () = stop.cancelled(), if !asked_to_stop => {
                        asked_to_stop = true;
                        cancel.cancel();
                    }
                    changed = progress.changed() => if changed.is_ok() {
                        handle.announce_migration();
                    }
                }
            };
            // It goes on at the next start: the history still says that it is being done.
            let ended_with_program = stop.is_cancelled()
                && done
                    .as_ref()
                    .is_err_and(|error| error.code == ErrorCode::Cancelled);
            let end = if ended_with_program {
                StepEnd {
                    outcome: RecordOutcome::Interrupted,
                    error: done.err(),
                    look: None,
                }
            } else {
                Box::pin(handle.finish(&judged, &able, &action, done)).await
            };
            ended.send_replace(Some(end));
            handle.announce_migration();
        });
        Ok(())
    }

    fn keep(&self, id: StepId) -> Keep {
        let handle = self.clone();
        Box::new(move |memory: Value| {
            let (handle, id) = (handle.clone(), id.clone());
            Box::pin(async move {
                let store = &handle.inner.store;
                store.put_migration_memory(id, Some(memory)).await?;
                handle.tell_resting().await;
                Ok(())
            })
        })
    }

    /// Measures what was done, keeps the proof, records it; last of all the history says that it ended.
    async fn finish(
        &self,
        judged: &Judged,
        able: &Able,
        action: &StepAction,
        done: Result<Deed, ErrorInfo>,
    ) -> StepEnd {
        let undone = action.action == RecordAction::Undo && done.is_ok();
        let mut entry = entry(clock::now(), &able.id, action.action, RecordOutcome::Done);
        let error = match done {
            Ok(deed) => {
                (entry.before, entry.after) = (deed.before, deed.after);
                None
            }
            Err(error) => {
                entry.outcome = match error.code {
                    ErrorCode::Cancelled => RecordOutcome::Cancelled,
                    _ => RecordOutcome::Failed,
                };
                let detail = error.detail.as_ref().map(|detail| format!(" ({detail})"));
                entry.detail = Some(format!("{}{}", error.message, detail.unwrap_or_default()));
                Some(error)
            }
        };
        let outcome = entry.outcome;
        self.record(entry).await;
        let look = if undone {
            self.undone(&able.id).await;
            None
        } else {
            Box::pin(self.measured_after(judged, able, error.as_ref())).await
        };
        if let Err(error) = self.inner.store.end_migration_action(able.id.clone()).await {
            tracing::error!(%error, step = %able.id, "a step that has ended cannot be marked so");
        }
        StepEnd {
            outcome,
            error,
            look,
        }
    }

    async fn undone(&self, id: &StepId) {
        let store = &self.inner.store;
        let proof = Proof {
            at: clock::now(),
            verdict: Verdict::Undone,
            evidence: Vec::new(),
            basis: Basis::Measured,
        };
        let kept = store.add_migration_proof(id.clone(), proof).await;
        let forgotten = store.put_migration_memory(id.clone(), None).await;
        if let Err(error) = kept.and(forgotten) {
            tracing::error!(%error, step = %id, "what was taken back cannot be kept");
        }
        self.tell_resting().await;
    }

    /// What the step is worth after it was done, whole or by half: measured, and where that is not
    /// possible after a failure, failed.
    async fn measured_after(
        &self,
        judged: &Judged,
        able: &Able,
        error: Option<&ErrorInfo>,
    ) -> Option<StepLook> {
        let look = Box::pin(self.look(judged, &able.id, able.check, true)).await;
        let look = look.inspect_err(|error| {
            tracing::error!(%error, step = %able.id, "a step that was done cannot be measured");
        });
        let known = look
            .as_ref()
            .is_ok_and(|look| look.finding.found != Found::Unknown);
        if let (Some(error), false) = (error, known) {
            let proof = Proof {
                at: clock::now(),
                verdict: Verdict::Failed,
                evidence: vec![
                    Evidence::new("error", error.code),
                    Evidence::new("message", &error.message),
                ],
                basis: Basis::Measured,
            };
            let kept = self
                .inner
                .store
                .add_migration_proof(able.id.clone(), proof)
                .await;
            if let Err(error) = kept {
                tracing::error!(%error, step = %able.id, "a failure cannot be kept");
            }
        }
        look.ok()
    }

    /// Waits for the end of what this program does to a step.
    pub async fn migration_wait(&self, id: &StepId) -> Result<StepEnd, ErrorInfo> {
        let live = self.inner.migration.live(id);
        let mut live =
            live.ok_or_else(|| refused(format!("nothing is being done to `{id}` here")))?;
        match live
            .end
            .wait_for(Option::is_some)
            .await
            .map(|end| end.clone())
        {
            Ok(Some(end)) => Ok(end),
            Ok(None) | Err(_) => Err(ErrorInfo::new(
                ErrorCode::Cancelled,
                "the keeper ended first",
            )),
        }
    }

    /// Progress of what this program does to a step.
    pub fn migration_progress(
        &self,
        id: &StepId,
    ) -> Option<watch::Receiver<Option<crate::migration::StepProgress>>> {
        self.inner.migration.live(id).map(|live| live.progress)
    }

    /// Asks what is being done to a step to end.
    pub fn migration_cancel(&self, id: &StepId) -> Result<(), ErrorInfo> {
        let live = self.inner.migration.running(id);
        let live = live.ok_or_else(|| refused(format!("nothing is being done to `{id}` here")))?;
        live.cancel.cancel();
        Ok(())
    }
}

impl KeeperHandle {
    /// What a step can do, or why nothing.
    pub(super) fn able(
        &self,
        planned: &PlannedStep,
        action: RecordAction,
    ) -> Result<Able, ErrorInfo> {
        let id = &planned.step.id;
        let check = planned.step.check.ok_or_else(|| {
            refused(format!("`{id}` is done by a person")).hint("Attest it when it is done.")
        })?;
        let work = self.work(check).ok_or_else(|| {
            refused(format!(
                "`{id}` is not built: this version of the program cannot do it"
            ))
            .hint("Do it by hand, and skip it with that as the reason.")
        })?;
        if action == RecordAction::Undo && !work.can_undo() {
            return Err(refused(format!("`{id}` cannot be taken back")));
        }
        if action == RecordAction::Drill && !work.can_drill() {
            return Err(refused(format!("`{id}` has no drill"))
                .hint("Only `standby` has one: it tries the way back."));
        }
        if !work.can_run() {
            return Err(refused(format!("`{id}` is only measured")).hint("Check it instead."));
        }
        Ok(Able {
            id: id.clone(),
            check,
            work,
        })
    }

    /// Steps that rest on one, directly or not, and were done by this program and hold.
    pub(super) fn done_on_top(&self, judged: &Judged, id: &StepId) -> Vec<StepId> {
        let steps = judged.plan.steps();
        let mut resting = vec![id.clone()];
        let mut at = 0;
        while let Some(below) = resting.get(at).cloned() {
            for planned in &steps {
                if planned.step.needs.contains(&below) && !resting.contains(&planned.step.id) {
                    resting.push(planned.step.id.clone());
                }
            }
            at += 1;
        }
        let done = |step: &StepId| {
            let planned = steps.iter().find(|planned| planned.step.id == *step);
            let work = planned
                .and_then(|planned| planned.step.check)
                .and_then(|check| self.work(check));
            work.is_some_and(StepWork::can_run)
                && matches!(
                    judged.standing.states.get(step),
                    Some(StepState::Proved { .. })
                )
        };
        resting.into_iter().skip(1).filter(done).collect()
    }
}

impl Judged {
    /// The needs of a step that are not met, whatever was found of the step itself.
    pub(super) fn missing(&self, id: &StepId) -> Vec<StepId> {
        let steps = self.plan.steps();
        let planned = steps.iter().find(|planned| planned.step.id == *id);
        let needs = planned
            .map(|planned| planned.step.needs.clone())
            .unwrap_or_default();
        let met = |need: &StepId| {
            self.standing
                .states
                .get(need)
                .is_some_and(StepState::is_met)
        };
        needs.into_iter().filter(|need| !met(need)).collect()
    }
}
