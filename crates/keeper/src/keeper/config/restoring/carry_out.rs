//! A restore on its way: the snapshot before, the steps, the proof, and what is remembered of it.

use std::io;

use forgekeeper_domain::{
    action::Action,
    config::{ItemState, Reason, RestorePlan, RestoreReport},
    error::{ErrorCode, ErrorInfo},
    ids::{ServiceId, SnapshotId},
};

use super::{Order, Ready, marked, marker_trouble, under_way};
use crate::{
    config::restores::{Last, Marker},
    jobs::{
        JobRun, act,
        restore::{Stepped, Steps, changed, steps},
    },
    keeper::{KeeperHandle, SnapshotView, config::UNHURRIED},
    store::journal::JournalEntry,
    sys::clock,
};

/// Longest list of values that stands in the journal, bytes of JSON.
const MAX_VALUES: usize = 32 * 1024;

impl KeeperHandle {
    /// From here on another program knows that this one is at it.
    pub(super) fn mark(&self, order: &Order, ready: &Ready) -> Result<Marker, ErrorInfo> {
        let owner = self.inner.presence.claim();
        let owner = owner.map_err(|error| marker_trouble(&error))?.to_owned();
        let marker = Marker {
            owner,
            service: ready.view.plan.service.clone(),
            snapshot: order.snapshot.clone(),
            before: None,
            at: clock::now(),
            undo: order.undo,
            files: ready.writes.iter().map(marked).collect(),
            stops: ready.view.stops,
        };
        match self.inner.config.restores.begin(&marker) {
            Ok(()) => Ok(marker),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                Err(under_way(&marker.service))
            }
            Err(error) => Err(marker_trouble(&error)),
        }
    }

    pub(super) async fn carry_out(
        &self,
        mut run: JobRun,
        order: Order,
        ready: Ready,
        marker: Marker,
    ) {
        let service = run.job.service.clone();
        let runs = ready.view.runs.join("; ");
        let (stop, cancel) = (self.inner.tasks.token(), run.cancel.clone());
        let done = {
            let doing = self.do_restore(&mut run, &order, ready, marker);
            tokio::pin!(doing);
            tokio::select! {
                biased;
                // The wait for proof ends; the steps come to their end by themselves.
                () = stop.cancelled() => {
                    cancel.cancel();
                    doing.await
                }
                done = &mut doing => done,
            }
        };
        let error = match done {
            Ok((report, ended)) => {
                run.job.restored = Some(report);
                ended.err()
            }
            // Nothing was touched yet.
            Err(error) => {
                self.unmark(&service);
                self.note_restore(&service, format!("not restored: {error} ({runs})"), None)
                    .await;
                Some(error)
            }
        };
        let phase = act::phase_of(error.as_ref());
        run.end(phase, error).await;
    }

    /// Everything up to the proof. The outer error says that nothing was touched.
    async fn do_restore(
        &self,
        run: &mut JobRun,
        order: &Order,
        ready: Ready,
        mut marker: Marker,
    ) -> Result<(RestoreReport, Result<(), ErrorInfo>), ErrorInfo> {
        let service = run.job.service.clone();
        let before = self.keep_before(order, &ready).await?;
        marker.before = Some(before.clone());
        let restores = &self.inner.config.restores;
        restores
            .go_on(&marker)
            .map_err(|error| marker_trouble(&error))?;
        let Ready {
            view,
            writes,
            place,
            writer,
            watch,
        } = ready;
        let stop = self.inner.tasks.token();
        let work = Steps {
            writes: writes.clone(),
            place: place.clone(),
            writer,
            stop,
        };
        let mut task = self.inner.tasks.spawn("restore steps", steps(work));
        let mut stepped: Option<Stepped> = None;
        let proved = match view.stops {
            None => Ok(()),
            Some(target) => {
                let request = async {
                    let ended = ended(&mut task).await;
                    let result = result_of(&ended);
                    stepped = Some(ended);
                    result
                };
                let action = Action::Restart { target };
                Box::pin(act::pursue(run, &watch, action, Some(request))).await
            }
        };
        let mut stepped = match stepped {
            Some(stepped) => stepped,
            None => ended(&mut task).await,
        };
        watch.poke();
        let done = result_of(&stepped).and(proved);
        if view.stops.is_some() && stepped.written.is_ok() && done.is_ok() {
            for (file, write) in stepped.files.iter_mut().zip(&writes) {
                let now = place.now(write).await.ok();
                file.still = now.map(|now| now == write.after);
            }
        }
        let report = RestoreReport {
            service: service.clone(),
            snapshot: order.snapshot.clone(),
            before,
            undo: order.undo,
            at: marker.at,
            files: stepped.files.clone(),
            stopped: view.stops,
            started: stepped.started.as_ref().map(Result::is_ok),
        };
        if !stepped.untouched {
            self.remember_restore(&marker, &report, false).await;
        }
        if !stepped.cut {
            self.unmark(&service);
        }
        let text = told(&report, &view.plan, &done);
        let mut detail = serde_json::json!({ "report": report, "files": marker.files });
        let values = serde_json::json!(view.plan.files);
        // What is too long for the journal would take the rest with it.
        if values.to_string().len() <= MAX_VALUES {
            detail["plan"] = values;
        }
        self.note_restore(&service, text, Some(detail)).await;
        Ok((report, done))
    }

    /// The snapshot of what is there now. Without the very bytes that will be replaced there would be
    /// no way back, and nothing is done.
    async fn keep_before(&self, order: &Order, ready: &Ready) -> Result<SnapshotId, ErrorInfo> {
        let service = &ready.view.plan.service;
        let verb = if order.undo {
            "undo of a restore"
        } else {
            "restore"
        };
        let note = Some(format!("{verb} from {}", order.snapshot));
        let SnapshotView { id, snapshot } =
            Box::pin(self.take(service, Reason::BeforeAction, note, UNHURRIED)).await?;
        let contents = snapshot.kept().map(|(_, content)| content.clone());
        let bytes = self.inner.config.bytes(contents.collect()).await?;
        for write in &ready.writes {
            let item = snapshot
                .items
                .iter()
                .find(|item| item.part == write.part && item.path == write.path);
            let kept = match item.map(|item| &item.state) {
                Some(ItemState::Absent) => None,
                Some(ItemState::Kept(content)) => match bytes.get(&content.address) {
                    Some(Ok(bytes)) => Some(bytes),
                    _ => return Err(no_way_back(&write.path)),
                },
                _ => return Err(no_way_back(&write.path)),
            };
            if kept != write.before.as_ref() {
                return Err(changed(&write.path));
            }
        }
        Ok(id)
    }

    /// What an undo needs. Its snapshot stays whatever its age, and that of the restore before goes as
    /// others do.
    pub(in crate::keeper::config) async fn remember_restore(
        &self,
        marker: &Marker,
        report: &RestoreReport,
        interrupted: bool,
    ) {
        let (vaults, service) = (&self.inner.config, &report.service);
        if let Ok(Some(former)) = vaults.restores.last(service)
            && former.before != report.before
        {
            // One that is gone need not be let go.
            let _ = vaults.pin(&former.before, false).await;
        }
        if let Err(error) = vaults.pin(&report.before, true).await {
            tracing::warn!(%error, "the snapshot before a restore may go with its age");
        }
        let last = Last {
            snapshot: report.snapshot.clone(),
            before: report.before.clone(),
            at: report.at,
            undo: report.undo,
            interrupted,
            files: marker.files.clone(),
        };
        if let Err(error) = vaults.restores.put_last(service, &last) {
            tracing::error!(%error, "a restore cannot be taken back by one command");
        }
    }

    pub(in crate::keeper::config) fn unmark(&self, service: &ServiceId) {
        if let Err(error) = self.inner.config.restores.end(service) {
            tracing::error!(%error, "the mark of a restore stays behind");
        }
    }

    pub(in crate::keeper::config) async fn note_restore(
        &self,
        service: &ServiceId,
        text: String,
        detail: Option<serde_json::Value>,
    ) {
        let entry = JournalEntry {
            at: clock::now(),
            kind: "restore".to_owned(),
            subject: Some(service.as_str().to_owned()),
            text,
            detail,
        };
        if let Err(error) = self.inner.store.append_journal(entry).await {
            tracing::error!(%error, "a restore could not be written to the journal");
        }
    }
}

async fn ended(task: &mut tokio::task::JoinHandle<Stepped>) -> Stepped {
    task.await.unwrap_or_else(|error| {
        let info = ErrorInfo::new(ErrorCode::Internal, "a defect ended a restore on its way");
        Stepped {
            files: Vec::new(),
            written: Err(info.detail(error.to_string())),
            started: None,
            untouched: false,
            cut: true,
        }
    })
}

fn result_of(stepped: &Stepped) -> Result<(), ErrorInfo> {
    stepped.written.clone()?;
    match &stepped.started {
        Some(Err(error)) => Err(ErrorInfo {
            message: format!(
                "the files were put back, but what was stopped did not start: {}",
                error.message
            ),
            ..error.clone()
        }),
        Some(Ok(())) | None => Ok(()),
    }
}

/// The end in words, for the journal.
fn told(report: &RestoreReport, plan: &RestorePlan, done: &Result<(), ErrorInfo>) -> String {
    let files: Vec<&str> = plan.files.iter().map(|file| file.path.as_str()).collect();
    let verb = if report.undo {
        "taken back"
    } else {
        "put back"
    };
    let end = match done {
        Ok(()) if report.stopped.is_some() => "verified, and its program answers".to_owned(),
        Ok(()) => "verified".to_owned(),
        Err(error) => error.message.clone(),
    };
    format!(
        "{verb} from {}: {}: {end} (before: {})",
        report.snapshot,
        files.join(", "),
        report.before
    )
}

fn no_way_back(path: &str) -> ErrorInfo {
    let words = format!("`{path}` as it is now could not be kept, so nothing was changed");
    ErrorInfo::new(ErrorCode::Refused, words)
        .hint("It may hold secrets, which only a keyring can keep.")
}
