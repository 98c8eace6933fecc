//! What doing something to a step would do, and what the plan has against it.

use std::sync::Arc;

use forgekeeper_domain::{
    error::ErrorInfo,
    ids::StepId,
    migration::{Evidence, RecordAction, RecordOutcome, StepPreview, StepState, Words},
};
use tokio_util::sync::CancellationToken;

use super::{Judged, act::Able, entry, find, refused, waits_for};
use crate::{
    keeper::KeeperHandle,
    migration::{Keep, StepRun},
    sys::clock,
};

impl KeeperHandle {
    /// What doing a step, or taking it back, would do, and why it would not be done.
    pub async fn migration_preview(
        &self,
        id: &StepId,
        undo: bool,
    ) -> Result<StepPreview, ErrorInfo> {
        let action = if undo {
            RecordAction::Undo
        } else {
            RecordAction::Run
        };
        self.preview_of(id, action).await
    }

    /// What trying the way back of a step would do, and why it would not be done.
    pub async fn migration_preview_drill(&self, id: &StepId) -> Result<StepPreview, ErrorInfo> {
        self.preview_of(id, RecordAction::Drill).await
    }

    async fn preview_of(
        &self,
        id: &StepId,
        action: RecordAction,
    ) -> Result<StepPreview, ErrorInfo> {
        let judged = self.judged().await?;
        let able = self.able(&find(&judged.plan, id)?, action)?;
        let preview = self.previewed(&judged, &able, action).await?;
        let mut entry = entry(
            clock::now(),
            id,
            RecordAction::Preview,
            if preview.refused.is_empty() {
                RecordOutcome::Done
            } else {
                RecordOutcome::Refused
            },
        );
        entry.says.clone_from(&preview.refused);
        match action {
            RecordAction::Undo => entry.after.push(Evidence::new("of", "undo")),
            RecordAction::Drill => entry.after.push(Evidence::new("of", "drill")),
            _ => {}
        }
        self.record(entry).await;
        Ok(preview)
    }

    pub(super) async fn previewed(
        &self,
        judged: &Judged,
        able: &Able,
        action: RecordAction,
    ) -> Result<StepPreview, ErrorInfo> {
        let site = self.site(Arc::clone(&judged.plan), judged.proofs.clone());
        let looking = async {
            if action == RecordAction::Run {
                return able.work.preview(&site).await;
            }
            let memory = self.inner.store.migration_memory(able.id.clone()).await?;
            let keep: Keep = Box::new(|_| Box::pin(async { Ok(()) }));
            let run = StepRun::new(CancellationToken::new(), memory, keep);
            match action {
                RecordAction::Drill => able.work.preview_drill(&site, &run).await,
                _ => able.work.preview_undo(&site, &run).await,
            }
        };
        let looked = tokio::time::timeout(able.work.deadline(), looking).await;
        let mut preview = looked.map_err(|_| {
            refused("what the step would do could not be found out in time").hint("Try again.")
        })??;
        let mut gate = self.gate(judged, able, action).await?;
        gate.append(&mut preview.refused);
        preview.refused = gate;
        Ok(preview)
    }

    /// Why a step is not done, or not taken back, as things are.
    async fn gate(
        &self,
        judged: &Judged,
        able: &Able,
        action: RecordAction,
    ) -> Result<Vec<Words>, ErrorInfo> {
        let mut why = Vec::new();
        let problems = self.inner.migration.file.status().problems;
        if let Some(problem) = problems.first() {
            why.push(Words::both(
                format!("migration.toml has an error; nothing is done by an older plan ({problem})."),
                format!("migration.toml contient une erreur\u{202f}; rien n’est fait d’après un ancien plan ({problem})."),
            ));
        }
        let state = judged.standing.states.get(&able.id);
        if let Some(StepState::Skipped { .. }) = state {
            why.push(Words::both(
                "The step is skipped: take it in again first.",
                "L’étape est omise\u{202f}: la reprendre d’abord dans le plan.",
            ));
        }
        let running = judged
            .actions
            .values()
            .find(|action| self.inner.presence.is_present(&action.owner));
        if let Some(action) = running {
            why.push(Words::both(
                format!("`{}` is being done now; one step at a time.", action.step),
                format!(
                    "«\u{202f}{}\u{202f}» est en cours\u{202f}; une étape à la fois.",
                    action.step
                ),
            ));
        }
        if action == RecordAction::Undo {
            let dependents = self.done_on_top(judged, &able.id);
            if !dependents.is_empty() {
                let words = waits_for(judged, &dependents);
                why.push(Words::both(
                    format!("Steps that rest on it were done. {}", words.en),
                    format!("Des étapes qui en dépendent ont été faites. {}", words.fr),
                ));
            }
        }
        if action == RecordAction::Run {
            let missing = judged.missing(&able.id);
            if !missing.is_empty() {
                why.push(waits_for(judged, &missing));
            }
            return Ok(why);
        }
        let remembers = self.inner.store.migration_memory(able.id.clone()).await?;
        if remembers.is_none() && !judged.actions.contains_key(&able.id) {
            why.push(match action {
                RecordAction::Drill => Words::both(
                    "The step was not begun: there is no way back yet that could be tried.",
                    "L’étape n’a pas commencé\u{202f}: il n’y a pas encore de retour à essayer.",
                ),
                _ => Words::both(
                    "Nothing was done here that could be taken back.",
                    "Rien n’a été fait ici qui puisse être annulé.",
                ),
            });
        }
        Ok(why)
    }
}
