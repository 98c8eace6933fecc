//! Restores that a program left in the middle, because it was ended: what state they left is found out
//! and said, and what was stopped for them is started again. Nothing is written.

use std::{io, time::Duration};

use forgekeeper_domain::{
    action::RestartTarget,
    config::{Deed, RestoreReport, Write},
    container::RunState,
    error::ErrorInfo,
    facts::{ContainerFact, ProgramFact, SupervisorState},
    ids::{ServiceId, SnapshotId},
    service::kind,
};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::{
    KeeperHandle,
    restoring::{marker_trouble, under_way},
};
use crate::{
    config::{
        collect,
        restores::{Marked, Marker, hash},
    },
    jobs::restore::{Where, Writer},
    program,
    watch::service::ServiceWatch,
};

/// Until the next look whether the engine answers by now; twice as long each time.
const NEXT_LOOK: Duration = Duration::from_secs(1);
const LATEST_LOOK: Duration = Duration::from_mins(1);
/// How long one look may take.
const LOOK: Duration = Duration::from_secs(30);

/// What a file is, after a restore that did not come to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Left {
    Before,
    After,
    Neither,
    Unknown,
}

impl Left {
    fn words(self) -> &'static str {
        match self {
            Self::Before => "as it was before",
            Self::After => "put back",
            Self::Neither => "NEITHER as it was before NOR put back",
            Self::Unknown => "not readable",
        }
    }
}

impl KeeperHandle {
    /// Looks after what a program that has ended left, for as long as that takes: its engine may
    /// answer later.
    pub(in crate::keeper) async fn settle_interrupted(self, stop: CancellationToken) {
        let mut left = match self.inner.config.restores.marked() {
            Ok(services) => services,
            Err(error) => {
                return tracing::warn!(%error, "whether a restore was left cannot be told");
            }
        };
        let mut wait = NEXT_LOOK;
        while !left.is_empty() {
            let mut later = Vec::new();
            for service in left {
                let settling = Box::pin(self.settle(&service));
                let settled = tokio::select! {
                    () = stop.cancelled() => return,
                    settled = settling => settled,
                };
                match settled {
                    Ok(true) => {}
                    Ok(false) => later.push(service),
                    Err(error) => {
                        tracing::warn!(%service, %error, "a restore that was left is not settled");
                        later.push(service);
                    }
                }
            }
            left = later;
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(wait) => {}
            }
            wait = (wait * 2).min(LATEST_LOOK);
        }
    }

    /// Before another restore begins. An error while one is under way, or cannot be looked after.
    pub(super) async fn settle_before(&self, service: &ServiceId) -> Result<(), ErrorInfo> {
        if Box::pin(self.settle(service)).await? {
            Ok(())
        } else {
            Err(under_way(service))
        }
    }

    /// Looks after one; false while its program still runs, or its engine does not answer.
    async fn settle(&self, service: &ServiceId) -> Result<bool, ErrorInfo> {
        let marker = match self.inner.config.restores.marker(service) {
            Ok(Some(marker)) => marker,
            Ok(None) => return Ok(true),
            // Its program was ended while it wrote the mark: nothing was touched by then.
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof
                ) =>
            {
                self.unmark(service);
                return Ok(true);
            }
            Err(error) => return Err(marker_trouble(&error)),
        };
        if self.works(&marker) {
            return Ok(false);
        }
        let Some(before) = marker.before.clone() else {
            self.unmark(service);
            let text = format!(
                "a restore from {} was interrupted before it touched anything",
                marker.snapshot
            );
            self.note_restore(service, text, None).await;
            return Ok(true);
        };
        let Ok(watch) = self.watch(service) else {
            self.unmark(service);
            let text = format!(
                "a restore from {} was interrupted; the service is not in the settings any more",
                marker.snapshot
            );
            self.note_restore(service, text, None).await;
            return Ok(true);
        };
        if watch.host.engine().is_none() {
            return Ok(false);
        }
        let files = self.left_files(service, &watch, &marker).await;
        if files.iter().any(|(_, left)| *left == Left::Unknown) {
            return Ok(false);
        }
        let Some(started) = start_again(&watch, marker.stops).await else {
            return Ok(false);
        };
        if files.iter().any(|(_, left)| *left != Left::Before) {
            let report = RestoreReport {
                service: service.clone(),
                snapshot: marker.snapshot.clone(),
                before,
                undo: marker.undo,
                at: marker.at,
                files: Vec::new(),
                stopped: marker.stops,
                started: Some(started.is_ok()),
            };
            self.remember_restore(&marker, &report, true).await;
        }
        self.unmark(service);
        let text = told(&marker, &files, &started);
        let detail = serde_json::json!({ "files": marker.files, "before": marker.before });
        self.note_restore(service, text, Some(detail)).await;
        watch.poke();
        Ok(true)
    }

    /// Whether the program that put a mark is at it.
    pub(super) fn works(&self, marker: &Marker) -> bool {
        // A mark of this very program is at work while its job is.
        let ours = self
            .inner
            .presence
            .claim()
            .is_ok_and(|name| name == marker.owner);
        if ours {
            self.inner.jobs.acting_on(&marker.service)
        } else {
            self.inner.presence.is_present(&marker.owner)
        }
    }

    async fn left_files<'a>(
        &self,
        service: &ServiceId,
        watch: &ServiceWatch,
        marker: &'a Marker,
    ) -> Vec<(&'a Marked, Left)> {
        let subject = self.subject(service, watch, Instant::now() + LOOK).await;
        // No part: the places alone.
        let collected = collect::collect_some(&subject, |_| false).await;
        let place = Where {
            places: collected.places,
            program: collected.program,
        };
        let mut all = Vec::new();
        for file in &marker.files {
            let write = Write {
                part: file.part,
                path: file.path.clone(),
                before: None,
                after: None,
                mode: None,
            };
            let left = match place.now(&write).await {
                Err(_) => Left::Unknown,
                Ok(now) => match hash(now.as_deref()) {
                    now if now == file.after => Left::After,
                    now if now == file.before => Left::Before,
                    _ => Left::Neither,
                },
            };
            all.push((file, left));
        }
        all
    }
}

/// Starts what was stopped and is not started yet. `None` while its state is not known.
async fn start_again(
    watch: &ServiceWatch,
    stops: Option<RestartTarget>,
) -> Option<Result<bool, ErrorInfo>> {
    let Some(target) = stops else {
        return Some(Ok(false));
    };
    let engine = watch.host.engine()?;
    let container = watch.host.real_name(&watch.settings.container)?;
    let fact = {
        let view = watch.host.view();
        let view = view.borrow();
        view.container_fact(&watch.settings.container)?
    };
    let running = match fact.value {
        ContainerFact::Present(container) => container.state == RunState::Running,
        ContainerFact::Missing { .. } => return Some(Ok(false)),
        ContainerFact::NotMeasurable { .. } => return None,
    };
    let program = kind(watch.settings.kind).program();
    let runs = match (target, program) {
        (RestartTarget::Container, _) => running,
        // Somebody stopped the whole container since; that is not ours to undo.
        (RestartTarget::Program, _) if !running => return Some(Ok(false)),
        (RestartTarget::Program, None) => return Some(Ok(false)),
        (RestartTarget::Program, Some(name)) => {
            match program::program_status(&engine, &container, name).await {
                ProgramFact::Supervised { state, .. } => {
                    if state == SupervisorState::Stopping {
                        return None;
                    }
                    !matches!(state, SupervisorState::Stopped | SupervisorState::Exited)
                }
                ProgramFact::NotMeasurable { .. } => return None,
                _ => return Some(Ok(false)),
            }
        }
    };
    if runs {
        return Some(Ok(false));
    }
    let writer = Writer {
        engine,
        container,
        program,
        target,
    };
    Some(writer.start().await.map(|()| true))
}

fn told(marker: &Marker, files: &[(&Marked, Left)], started: &Result<bool, ErrorInfo>) -> String {
    let files = files.iter().map(|(file, left)| {
        let words = match (file.deed, left) {
            (Deed::Remove, Left::After) => "removed",
            (_, left) => left.words(),
        };
        format!("{} is {words}", file.path)
    });
    let started = match (marker.stops, started) {
        (None, _) => "",
        (Some(_), Ok(true)) => "; what was stopped for it was started again",
        (Some(_), Ok(false)) => "; what was stopped for it runs, or was stopped by somebody else",
        (Some(_), Err(_)) => "; what was stopped for it did not start",
    };
    let before = marker.before.as_ref();
    format!(
        "a restore from {} was interrupted: {}{started} (before: {})",
        marker.snapshot,
        files.collect::<Vec<_>>().join(", "),
        before.map_or("-", SnapshotId::as_str),
    )
}
