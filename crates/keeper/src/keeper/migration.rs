//! The migration for those outside: the plan as it stands, its changes, its exports.

use std::{collections::BTreeMap, path::PathBuf, sync::Arc};

use forgekeeper_domain::{
    Timestamp,
    error::{ErrorCode, ErrorInfo},
    ids::StepId,
    logs::rules::Language,
    migration::{
        Basis, Evidence, OwnPlan, Plan, PlanEdit, PlannedStep, Proof, Proofs, RecordAction,
        RecordEntry, RecordOutcome, Standing, StepState, Verdict, Words, html, markdown,
        record_html, record_json_lines, record_markdown,
    },
};

use self::decide::blocking;
use super::{KeeperHandle, save::save};
use crate::{
    event::KeeperEvent,
    migration::{Doing, MigrationView, PhaseView, Site, StepView},
    store::migration::StepAction,
    sys::clock,
};

mod act;
mod check;
mod decide;
mod graphs;
mod previews;
mod resting;
mod resume;
#[cfg(test)]
mod tests;

/// Entries of the recorder that are exported.
const EXPORTED: u32 = 20_000;
/// Longest name of who attests, and longest note of an attestation.
const MAX_NAME: usize = 200;
const MAX_NOTE: usize = 4_000;

/// The plan judged, with what it was judged by.
struct Judged {
    plan: Arc<OwnPlan>,
    /// With what is being done now.
    proofs: Proofs,
    standing: Standing,
    actions: BTreeMap<StepId, StepAction>,
}

impl KeeperHandle {
    /// The whole plan as it stands now.
    pub async fn migration(&self) -> Result<MigrationView, ErrorInfo> {
        let judged = self.judged().await?;
        let mut looks = self.inner.store.migration_looks().await?;
        let doing = |step: &StepId| judged.actions.get(step).map(|action| self.doing(action));
        let phases = judged.standing.phases.iter().map(|phase| PhaseView {
            id: phase.phase.id,
            title: phase.phase.title.clone(),
            days: phase.phase.days,
            counts: phase.counts,
            steps: phase
                .steps
                .iter()
                .map(|planned| {
                    let id = &planned.step.id;
                    let steps = self.inner.migration.steps;
                    StepView::of(
                        planned,
                        steps,
                        &judged.standing,
                        looks.remove(id),
                        doing(id),
                    )
                })
                .collect(),
        });
        Ok(MigrationView {
            at: judged.standing.at,
            title: Plan::built_in().title.clone(),
            counts: judged.standing.counts,
            next: judged.standing.next.clone(),
            phases: phases.collect(),
            file: self.inner.migration.file.status(),
            target: judged.plan.target.clone(),
            iis: judged.plan.iis.clone(),
        })
    }

    /// What was weighed for the plan: risks, alternatives, resources, the report's calendar.
    pub fn migration_background(&self) -> Plan {
        Plan::built_in().clone()
    }

    async fn judged(&self) -> Result<Judged, ErrorInfo> {
        let now = clock::now();
        let plan = self.inner.migration.file.plan();
        let mut proofs = self.inner.store.migration_proofs().await?;
        let actions = self.inner.store.migration_actions().await?;
        for action in &actions {
            let proof = proof_of_action(action, self.inner.presence.is_present(&action.owner));
            proofs.entry(action.step.clone()).or_default().push(proof);
        }
        let standing = Standing::of(&plan, &proofs, now, &clock::zone());
        let actions = actions
            .into_iter()
            .map(|action| (action.step.clone(), action));
        Ok(Judged {
            plan,
            proofs,
            standing,
            actions: actions.collect(),
        })
    }

    fn doing(&self, action: &StepAction) -> Doing {
        let live = self.inner.migration.running(&action.step);
        Doing {
            action: action.action,
            since: action.since,
            progress: live
                .as_ref()
                .and_then(|live| live.progress.borrow().clone()),
            here: live.is_some(),
            interrupted: !self.inner.presence.is_present(&action.owner),
        }
    }

    fn site(&self, plan: Arc<OwnPlan>, proofs: Proofs) -> Site {
        let file = self.inner.migration.file.path().to_owned();
        Site::new(self.clone(), plan, Arc::new(proofs), file)
    }

    /// Says that a step holds, where no machine can measure that.
    pub async fn migration_attest(
        &self,
        id: &StepId,
        by: &str,
        note: Option<&str>,
    ) -> Result<(), ErrorInfo> {
        let judged = self.judged().await?;
        let planned = find(&judged.plan, id)?;
        let (by, note) = (
            by.trim(),
            note.map(str::trim).filter(|note| !note.is_empty()),
        );
        if planned.step.check.is_some() {
            return Err(refused(format!(
                "`{id}` is measured, and nobody's word counts for it"
            ))
            .hint("Check it, or skip it with a reason."));
        }
        if by.is_empty() || by.chars().count() > MAX_NAME {
            let text = format!("who attests needs a name of at most {MAX_NAME} characters");
            return Err(ErrorInfo::new(ErrorCode::BadRequest, text));
        }
        if note.is_some_and(|note| note.chars().count() > MAX_NOTE) {
            let text = format!("the note is longer than {MAX_NOTE} characters");
            return Err(ErrorInfo::new(ErrorCode::BadRequest, text));
        }
        match judged.standing.states.get(id) {
            Some(StepState::Blocked { missing }) => return Err(blocked(&judged, missing)),
            Some(StepState::Skipped { .. }) => return Err(is_skipped(id)),
            _ => {}
        }
        let proof = Proof {
            at: clock::now(),
            verdict: Verdict::Passed,
            evidence: note
                .iter()
                .map(|note| Evidence::new("note", note))
                .collect(),
            basis: Basis::Attested { by: by.to_owned() },
        };
        let mut entry = entry(proof.at, id, RecordAction::Attest, RecordOutcome::Done);
        entry.by = Some(by.to_owned());
        entry.after.clone_from(&proof.evidence);
        self.inner
            .store
            .add_migration_proof(id.clone(), proof)
            .await?;
        self.record(entry).await;
        Ok(())
    }

    /// Changes the owner's plan.
    pub async fn migration_edit(&self, change: PlanEdit) -> Result<(), ErrorInfo> {
        self.migration_edit_seen(change, None).await
    }

    /// The same in the text of this stamp, and in no other.
    async fn migration_edit_seen(
        &self,
        change: PlanEdit,
        stamp: Option<String>,
    ) -> Result<(), ErrorInfo> {
        if let PlanEdit::Skip(id, Some(_)) = &change
            && self.inner.migration.running(id).is_some()
        {
            return Err(refused(format!("`{id}` is being done now")));
        }
        let file = self.inner.migration.file.clone();
        let applied = change.clone();
        let before = blocking(move || file.apply_to(&applied, stamp.as_deref())).await??;
        let Some((step, action, value)) = described(&change) else {
            if let Some(entry) = decide::decided(&change, &before) {
                self.record(entry).await;
            }
            return Ok(());
        };
        let mut entry = entry(clock::now(), &step, action, RecordOutcome::Done);
        let said = before.changes.get(&step).cloned().unwrap_or_default();
        entry.before = [
            ("skip", said.skip),
            ("start", said.start.map(|start| start.to_string())),
            ("note", said.note),
        ]
        .into_iter()
        .filter_map(|(name, value)| Some(Evidence::new(name, value?)))
        .collect();
        entry.after = value.into_iter().collect();
        self.record(entry).await;
        Ok(())
    }

    /// The newest entries of the flight recorder, oldest first.
    pub async fn migration_record(&self, limit: u32) -> Result<Vec<RecordEntry>, ErrorInfo> {
        Ok(self
            .inner
            .store
            .migration_record(limit.min(EXPORTED))
            .await?)
    }

    /// Writes the plan as it stands to a file: HTML by its name, else Markdown.
    pub async fn export_migration(
        &self,
        path: PathBuf,
        language: Language,
    ) -> Result<(), ErrorInfo> {
        let standing = self.judged().await?.standing;
        let text = match form(&path)? {
            Form::Html => html(&standing, language),
            Form::Markdown => markdown(&standing, language),
            Form::JsonLines => return Err(no_form()),
        };
        save(path, text.into_bytes()).await
    }

    /// Writes the flight recorder to a file: HTML, Markdown or JSON lines by its name.
    pub async fn export_migration_record(
        &self,
        path: PathBuf,
        language: Language,
    ) -> Result<(), ErrorInfo> {
        let entries = self.inner.store.migration_record(EXPORTED).await?;
        let (plan, zone) = (self.inner.migration.file.plan(), clock::zone());
        let text = match form(&path)? {
            Form::Html => record_html(&entries, &plan, language, &zone),
            Form::Markdown => record_markdown(&entries, &plan, language, &zone),
            Form::JsonLines => record_json_lines(&entries),
        };
        save(path, text.into_bytes()).await
    }

    /// Adds to the recorder and tells everybody. What was done is done: a recorder that fails is told
    /// in the program's own log.
    async fn record(&self, entry: RecordEntry) {
        if let Err(error) = self.inner.store.record_migration(entry).await {
            tracing::error!(%error, "the flight recorder cannot be written");
        }
        self.announce_migration();
    }

    fn announce_migration(&self) {
        // An error means that nobody listens.
        let _ = self.inner.events.send(KeeperEvent::Migration);
    }
}

/// What is being done counts as begun; what a program left in the middle does not hold.
fn proof_of_action(action: &StepAction, alive: bool) -> Proof {
    let word = match action.action {
        RecordAction::Undo => "undo",
        RecordAction::Drill => "drill",
        _ => "run",
    };
    let (verdict, evidence) = if alive {
        (Verdict::Running, Vec::new())
    } else {
        (Verdict::Failed, vec![Evidence::new("interrupted", word)])
    };
    Proof {
        at: action.since,
        verdict,
        evidence,
        basis: Basis::Measured,
    }
}

/// What is said of a step, for the recorder; `None` for a decision, which [`decide::decided`] describes.
fn described(change: &PlanEdit) -> Option<(StepId, RecordAction, Option<Evidence>)> {
    let value =
        |name: &str, value: &Option<String>| value.as_ref().map(|value| Evidence::new(name, value));
    Some(match change {
        PlanEdit::Set(_) | PlanEdit::Decide(..) => return None,
        PlanEdit::Skip(id, why @ Some(_)) => (id.clone(), RecordAction::Skip, value("skip", why)),
        PlanEdit::Skip(id, None) => (id.clone(), RecordAction::Unskip, None),
        PlanEdit::Note(id, note) => (id.clone(), RecordAction::Edit, value("note", note)),
        PlanEdit::Start(id, start) => {
            let start = start.map(|start| start.to_string());
            (id.clone(), RecordAction::Edit, value("start", &start))
        }
        PlanEdit::Move(id, before) => {
            let before = before.as_ref().map_or("(last)", StepId::as_str);
            let moved = Evidence::new("moved_before", before);
            (id.clone(), RecordAction::Edit, Some(moved))
        }
        PlanEdit::Add(step) => {
            let added = Evidence::new("added", &step.title);
            (step.id.clone(), RecordAction::Edit, Some(added))
        }
        PlanEdit::Remove(id) => {
            let removed = Evidence::new("removed", id);
            (id.clone(), RecordAction::Edit, Some(removed))
        }
    })
}

fn entry(
    at: Timestamp,
    step: &StepId,
    action: RecordAction,
    outcome: RecordOutcome,
) -> RecordEntry {
    RecordEntry::new(at, Some(step.clone()), action, outcome)
}

fn find(plan: &OwnPlan, id: &StepId) -> Result<PlannedStep, ErrorInfo> {
    let steps = plan.steps();
    let names: Vec<String> = steps
        .iter()
        .map(|planned| planned.step.id.to_string())
        .collect();
    let found = steps.into_iter().find(|planned| planned.step.id == *id);
    found.ok_or_else(|| {
        ErrorInfo::new(
            ErrorCode::BadRequest,
            format!("the plan has no step `{id}`"),
        )
        .hint(format!("Its steps: {}.", names.join(", ")))
    })
}

fn refused(message: impl Into<String>) -> ErrorInfo {
    ErrorInfo::new(ErrorCode::Refused, message)
}

fn is_skipped(id: &StepId) -> ErrorInfo {
    refused(format!("`{id}` is skipped")).hint("Take it in again first.")
}

fn blocked(judged: &Judged, missing: &[StepId]) -> ErrorInfo {
    refused(waits_for(judged, missing).en)
        .hint("Prove these steps first, or skip them with a reason.")
}

fn waits_for(judged: &Judged, missing: &[StepId]) -> Words {
    let names = |language| {
        let steps = judged.plan.steps();
        let name = |id: &StepId| {
            let planned = steps.iter().find(|planned| planned.step.id == *id);
            planned.map_or_else(
                || id.to_string(),
                |planned| planned.step.title.in_language(language).to_owned(),
            )
        };
        missing.iter().map(name).collect::<Vec<_>>().join(", ")
    };
    Words::both(
        format!("Other steps come first: {}.", names(Language::En)),
        format!(
            "D’autres étapes passent avant\u{202f}: {}.",
            names(Language::Fr)
        ),
    )
}

enum Form {
    Markdown,
    Html,
    JsonLines,
}

fn form(path: &std::path::Path) -> Result<Form, ErrorInfo> {
    let end = path.extension().and_then(|end| end.to_str());
    match end.map(str::to_ascii_lowercase).as_deref() {
        Some("md" | "markdown") => Ok(Form::Markdown),
        Some("html" | "htm") => Ok(Form::Html),
        Some("jsonl") => Ok(Form::JsonLines),
        _ => Err(no_form()),
    }
}

fn no_form() -> ErrorInfo {
    ErrorInfo::new(
        ErrorCode::BadRequest,
        "the name of the file does not say in which form it is to be written",
    )
    .hint("End it in .md or .html; the recorder also in .jsonl.")
}
