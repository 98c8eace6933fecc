//! The configuration guard for those outside: snapshots taken, listed, compared, verified, removed.

use std::{sync::Arc, time::Duration};

use forgekeeper_domain::{
    Timestamp,
    action::ActionPlan,
    config::{
        ContainerRef, Content, Drift, FORMAT, ItemState, LogMark, LogMarkKind, OriginFacts, PartId,
        Reason, Recipe, Snapshot, Unread, drift, workspace_of,
    },
    error::{ErrorCode, ErrorInfo},
    generation::GenerationRecord,
    ids::{ServiceId, SnapshotId},
    logs::LogQuery,
    outcome::Status,
};
use jiff::SignedDuration;
use serde::Serialize;
use tokio::time::Instant;

use super::handle::KeeperHandle;
use crate::{
    clients::Reach,
    config::{
        Listed, Verdict,
        collect::{self, Subject},
        manifests::Stored,
    },
    store::journal::JournalEntry,
    sys::clock,
    watch::service::ServiceWatch,
};

mod drill;
mod interrupted;
mod keeping;
mod restoring;
mod trace;

pub use restoring::RestoreView;
pub use trace::{LastRestore, OpenRestore, RestoreTrace, TracedFile};
mod shown;

pub use shown::{DamagedSnapshot, SnapshotEntry, SnapshotPage};

/// How long a snapshot may take that nobody waits for, or somebody who asked for it.
const UNHURRIED: Duration = Duration::from_mins(1);
/// How long an action waits for the snapshot before it.
const BEFORE_ACTION: Duration = Duration::from_secs(4);
/// The same with what is done around the reading: keyring and disk may be slow, too.
const BEFORE_ACTION_IN_ALL: Duration = Duration::from_secs(6);
/// How long the log is searched for what explains a change.
const LOG_DEADLINE: Duration = Duration::from_secs(5);
/// Lines of the log that may explain something.
const MAX_MARKS: u32 = 200;
/// Generations that are looked at for whether options were lent.
const GENERATIONS: u32 = 200;

/// Options are lent and put back around a generation, by so much before and after it.
const LENDING_SLACK: SignedDuration = SignedDuration::from_secs(2);

/// A snapshot with its id.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
pub struct SnapshotView {
    /// Its id.
    pub id: SnapshotId,
    /// What it says.
    #[serde(flatten)]
    pub snapshot: Snapshot,
}

/// What a verification found of one item.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
pub struct ItemCheck {
    /// Which part.
    pub part: PartId,
    /// Where it was found.
    pub path: String,
    /// What became of its bytes.
    pub verdict: Verdict,
}

/// A verification of one snapshot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
pub struct SnapshotCheck {
    /// Which.
    pub id: SnapshotId,
    /// Everything that was kept is whole.
    pub whole: bool,
    /// Item by item.
    pub items: Vec<ItemCheck>,
}

impl KeeperHandle {
    /// Takes a snapshot of a service. What cannot be read is said in it; it fails only where nothing
    /// can be kept.
    pub async fn take_snapshot(
        &self,
        service: &ServiceId,
        reason: Reason,
    ) -> Result<SnapshotView, ErrorInfo> {
        self.take(service, reason, None, UNHURRIED).await
    }

    async fn take(
        &self,
        service: &ServiceId,
        reason: Reason,
        note: Option<String>,
        within: Duration,
    ) -> Result<SnapshotView, ErrorInfo> {
        let watch = self.watch(service)?;
        let deadline = Instant::now() + within;
        let subject = self.subject(service, &watch, deadline).await;
        let sharing = self.sharers(&watch, deadline);
        let (collected, others) = tokio::join!(collect::collect(&subject), sharing);
        let container = collected.recipe.as_ref().map(|recipe| ContainerRef {
            shared_with: shared(recipe, &others),
            ..ContainerRef::of(recipe)
        });
        let snapshot = Snapshot {
            format: FORMAT,
            service: service.clone(),
            kind: watch.settings.kind,
            taken_at: clock::now(),
            reason,
            note,
            healthy: self.healthy(service),
            container,
            items: Vec::new(),
        };
        let (id, snapshot) = self.inner.config.keep(snapshot, collected.found).await?;
        // An action does not wait for that.
        if reason != Reason::BeforeAction {
            self.trim(service).await;
        }
        self.snapshots_changed(service);
        Ok(SnapshotView { id, snapshot })
    }

    pub(super) async fn subject(
        &self,
        service: &ServiceId,
        watch: &ServiceWatch,
        deadline: Instant,
    ) -> Subject {
        let engine = watch.host.engine();
        let name = watch.host.real_name(&watch.settings.container);
        let api = match watch.settings.api.as_deref() {
            None => None,
            Some(api) => {
                let credentials = self.inner.secrets.get(service).await;
                // An address that cannot be used is told by its own rung.
                Reach::new(self.inner.http.clone(), api, credentials).ok()
            }
        };
        Subject {
            settings: Arc::clone(&watch.settings),
            engine: engine.zip(name),
            api,
            memory: self.inner.config.memory(),
            deadline,
        }
    }

    /// What the containers of the other services on this host are made from.
    async fn sharers(&self, watch: &ServiceWatch, deadline: Instant) -> Vec<(ServiceId, Recipe)> {
        let Some(engine) = watch.host.engine() else {
            return Vec::new();
        };
        let settings = self.inner.settings.borrow().settings.clone();
        let others = settings
            .services
            .iter()
            .filter(|other| other.host == watch.settings.host && other.id != watch.settings.id)
            // Programs of two kinds have different files in one workspace.
            .filter(|other| other.kind == watch.settings.kind);
        let mut found = Vec::new();
        for other in others {
            let Some(name) = watch.host.real_name(&other.container) else {
                continue;
            };
            let asked = tokio::time::timeout_at(deadline, engine.recipe(&name)).await;
            if let Ok(Ok(Some(recipe))) = asked {
                found.push((other.id.clone(), recipe));
            }
        }
        found
    }

    fn healthy(&self, service: &ServiceId) -> Option<bool> {
        let state = self.inner.state.borrow();
        let found = state.services.iter().find(|s| s.id == *service)?;
        match found.status {
            Status::Ok => Some(true),
            Status::Degraded | Status::Failing => Some(false),
            Status::Unknown | Status::Asleep | Status::NotConfigured => None,
        }
    }

    /// Takes one before an action. Whatever becomes of it, the action goes on; the journal says so.
    pub(super) async fn snapshot_before(&self, service: &ServiceId, plan: &ActionPlan) {
        let runs = plan.runs.join("; ");
        let note = Some(runs.clone());
        let taken = self.take(service, Reason::BeforeAction, note, BEFORE_ACTION);
        let text = match tokio::time::timeout(BEFORE_ACTION_IN_ALL, taken).await {
            Err(_) => format!("no snapshot was taken in time before: {runs}"),
            Ok(Ok(view)) => {
                let late: Vec<&str> = view
                    .snapshot
                    .items
                    .iter()
                    .filter(|item| is_late(&item.state))
                    .map(|item| item.part.as_str())
                    .collect();
                if late.is_empty() {
                    format!("snapshot {} taken before: {runs}", view.id)
                } else {
                    let late = late.join(", ");
                    format!(
                        "snapshot {} taken before: {runs}; not read in time: {late}",
                        view.id
                    )
                }
            }
            Ok(Err(error)) => format!("no snapshot could be taken before: {runs}: {error}"),
        };
        self.note_snapshot(service, text).await;
    }

    async fn note_snapshot(&self, service: &ServiceId, text: String) {
        let entry = JournalEntry {
            at: clock::now(),
            kind: "snapshot".to_owned(),
            subject: Some(service.as_str().to_owned()),
            text,
            detail: None,
        };
        if let Err(error) = self.inner.store.append_journal(entry).await {
            tracing::error!(%error, "a snapshot could not be written to the journal");
        }
    }

    /// The snapshots of a service, or of all, newest first. A damaged one is listed as such; whose it
    /// was is not known.
    pub async fn snapshots(&self, service: Option<&ServiceId>) -> Result<Vec<Listed>, ErrorInfo> {
        let mut all = self.inner.config.list().await?;
        all.retain(|one| match (&one.stored, service) {
            (Stored::Whole { snapshot, .. }, Some(wanted)) => snapshot.service == *wanted,
            _ => true,
        });
        Ok(all)
    }

    /// One snapshot.
    pub async fn snapshot(&self, id: &SnapshotId) -> Result<SnapshotView, ErrorInfo> {
        let snapshot = self.inner.config.get(id).await?;
        Ok(SnapshotView {
            id: id.clone(),
            snapshot,
        })
    }

    /// The snapshot that a text means: its id, a beginning that only one has, `newest:SERVICE` or
    /// `good:SERVICE`.
    pub async fn find_snapshot(&self, text: &str) -> Result<SnapshotId, ErrorInfo> {
        if let Some((which, service)) = text.split_once(':') {
            return self.named_snapshot(which, service).await;
        }
        let all = self.inner.config.list().await?;
        if let Some(one) = all.iter().find(|one| one.id.as_str() == text) {
            return Ok(one.id.clone());
        }
        let mut begin = all.iter().filter(|one| one.id.as_str().starts_with(text));
        let bad = |words: String| {
            ErrorInfo::new(ErrorCode::BadRequest, words)
                .hint("`snapshot list` names those that there are.")
        };
        match (begin.next(), begin.next()) {
            (Some(one), None) if !text.is_empty() => Ok(one.id.clone()),
            (Some(_), Some(_)) => Err(bad(format!("more than one snapshot begins with `{text}`"))),
            _ => Err(bad(format!("there is no snapshot `{text}`"))),
        }
    }

    async fn named_snapshot(&self, which: &str, service: &str) -> Result<SnapshotId, ErrorInfo> {
        let bad = |words: String| ErrorInfo::new(ErrorCode::BadRequest, words);
        let id = ServiceId::new(service).map_err(|error| bad(error.to_string()))?;
        self.check_known(&id)?;
        let found = match which {
            "good" => self.last_good_snapshot(&id).await?,
            "newest" => {
                let all = self.snapshots(Some(&id)).await?.into_iter();
                let mut whole = all.filter(|one| matches!(one.stored, Stored::Whole { .. }));
                whole.next().map(|one| one.id)
            }
            _ => return Err(bad(format!("`{which}:` is neither `newest:` nor `good:`"))),
        };
        found.ok_or_else(|| {
            bad(format!("`{service}` has no such snapshot yet"))
                .hint("Take one: snapshot take SERVICE.")
        })
    }

    /// The newest snapshot of a service that was taken while it was well and everything was read.
    pub async fn last_good_snapshot(
        &self,
        service: &ServiceId,
    ) -> Result<Option<SnapshotId>, ErrorInfo> {
        let all = self.snapshots(Some(service)).await?;
        let good = all.into_iter().find(|one| match &one.stored {
            Stored::Whole { snapshot, .. } => snapshot.is_good(),
            Stored::Damaged { .. } => false,
        });
        Ok(good.map(|one| one.id))
    }

    /// What changed between two snapshots of one service, key by key and by whom.
    pub async fn config_drift(
        &self,
        first: &SnapshotId,
        second: &SnapshotId,
    ) -> Result<Drift, ErrorInfo> {
        let vaults = &self.inner.config;
        let (a, b) = (vaults.get(first).await?, vaults.get(second).await?);
        if a.service != b.service {
            return Err(ErrorInfo::new(
                ErrorCode::BadRequest,
                format!(
                    "snapshots of `{}` and of `{}` have nothing to compare",
                    a.service, b.service
                ),
            ));
        }
        let (ids, [before, after]) = if a.taken_at <= b.taken_at {
            ([first, second], [a, b])
        } else {
            ([second, first], [b, a])
        };
        let contents = differing(&before, &after);
        // Where nothing differs there is nothing to explain.
        let facts = if contents.is_empty() {
            OriginFacts::default()
        } else {
            self.origin_facts(&before, &after).await
        };
        let bytes = vaults.bytes(contents).await?;
        // Comparing megabytes holds nobody else up.
        let [first, second] = ids.map(Clone::clone);
        let compared = tokio::task::spawn_blocking(move || {
            drift([&first, &second], [&before, &after], &facts, &bytes)
        });
        compared.await.map_err(|error| {
            ErrorInfo::new(ErrorCode::Internal, "a task ended unexpectedly")
                .detail(error.to_string())
        })
    }

    async fn origin_facts(&self, before: &Snapshot, after: &Snapshot) -> OriginFacts {
        let searching = self.marks(before, after);
        let marks = tokio::time::timeout(LOG_DEADLINE, searching).await;
        let mut marks = marks.unwrap_or_default();
        let records = self.inner.store.generations(GENERATIONS).await;
        let lent: Vec<[Timestamp; 2]> = records
            .unwrap_or_default()
            .iter()
            .filter(|record| record.service == after.service && sets_options(record))
            .map(|record| {
                let took = SignedDuration::from_millis(record.took_ms.into());
                [record.started_at, record.started_at + took]
            })
            .collect();
        let during = |at: Timestamp, slack: SignedDuration| {
            let covers = |[from, to]: &[Timestamp; 2]| (*from - slack..=*to + slack).contains(&at);
            lent.iter().any(covers)
        };
        // The requests by which options are lent and put back are nobody else's.
        marks.retain(|mark| {
            mark.kind != LogMarkKind::OptionsPosted || !during(mark.at, LENDING_SLACK)
        });
        OriginFacts {
            ours: during(before.taken_at, SignedDuration::ZERO)
                || during(after.taken_at, SignedDuration::ZERO),
            marks,
        }
    }

    /// What the stored log told between two snapshots, oldest first.
    async fn marks(&self, before: &Snapshot, after: &Snapshot) -> Vec<LogMark> {
        let query = LogQuery {
            filter: LogMarkKind::EXPRESSION.to_owned(),
            regex: true,
            since: Some(before.taken_at),
            until: Some(after.taken_at),
            ..LogQuery::default()
        };
        let Ok(mut search) = self.search_logs(&after.service, &query, None, MAX_MARKS) else {
            return Vec::new();
        };
        let mut marks = Vec::new();
        while let Some(batch) = search.next().await {
            marks.extend(batch.lines.into_iter().filter_map(|line| {
                let kind = LogMarkKind::of_line(&line.text)?;
                let (at, line) = (line.at?, line.text);
                Some(LogMark { at, kind, line })
            }));
            if batch.done {
                break;
            }
        }
        marks.sort_by_key(|mark| mark.at);
        marks
    }

    /// Reads everything that a snapshot keeps, and says what is not as it was.
    pub async fn verify_snapshot(&self, id: &SnapshotId) -> Result<SnapshotCheck, ErrorInfo> {
        let snapshot = self.inner.config.get(id).await?;
        let verdicts = self.inner.config.verify(&snapshot).await?;
        let items: Vec<ItemCheck> = snapshot
            .items
            .into_iter()
            .zip(verdicts)
            .map(|(item, verdict)| ItemCheck {
                part: item.part,
                path: item.path,
                verdict,
            })
            .collect();
        Ok(SnapshotCheck {
            id: id.clone(),
            whole: !items.iter().any(|item| item.verdict.is_bad()),
            items,
        })
    }

    /// Removes a snapshot, whole or damaged, and the bytes that no other one names.
    pub async fn remove_snapshot(&self, id: &SnapshotId) -> Result<(), ErrorInfo> {
        let whose = self.inner.config.get(id).await.map(|found| found.service);
        if self.inner.config.remove(vec![id.clone()]).await? == 0 {
            let text = format!("there is no snapshot `{id}`");
            return Err(ErrorInfo::new(ErrorCode::BadRequest, text));
        }
        if let Ok(service) = whose {
            self.snapshots_changed(&service);
        }
        Ok(())
    }

    /// Wants a snapshot to stay whatever its age, or no longer.
    pub async fn pin_snapshot(&self, id: &SnapshotId, stays: bool) -> Result<(), ErrorInfo> {
        let service = self.inner.config.get(id).await?.service;
        self.inner.config.pin(id, stays).await?;
        self.snapshots_changed(&service);
        Ok(())
    }
}

/// What one of two snapshots holds and the other does not.
fn differing(before: &Snapshot, after: &Snapshot) -> Vec<Content> {
    let contents = |snapshot: &Snapshot| {
        let items = snapshot.items.iter();
        let contents = items.filter_map(|item| item.state.content().cloned());
        contents.collect::<Vec<_>>()
    };
    let (old, new) = (contents(before), contents(after));
    let lone = |of: &[Content], other: &[Content]| {
        let there = |one: &&Content| !other.iter().any(|o| o.address == one.address);
        of.iter().filter(there).cloned().collect::<Vec<_>>()
    };
    [lone(&old, &new), lone(&new, &old)].concat()
}

fn is_late(state: &ItemState) -> bool {
    matches!(state, ItemState::NotReadable { why, .. } if *why == Unread::NotInTime)
}

/// Services that have the same workspace.
fn shared(recipe: &Recipe, others: &[(ServiceId, Recipe)]) -> Vec<String> {
    let Some(ours) = workspace_of(recipe) else {
        return Vec::new();
    };
    others
        .iter()
        .filter(|(_, other)| workspace_of(other).is_some_and(|mount| mount.source == ours.source))
        .map(|(id, _)| id.to_string())
        .collect()
}

/// Whether a generation may have changed options for everybody while it ran.
fn sets_options(record: &GenerationRecord) -> bool {
    let request = &record.request;
    request.model.is_some() || request.clip_skip.is_some() || !request.modules.is_empty()
}
