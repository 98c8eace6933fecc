//! Keeper announcements to window events: snapshots at most ten a second while something happens,
//! one a second while only times and readings move, none while hidden.

use std::{sync::Arc, time::Duration};

use forgekeeper_keeper::{event::KeeperEvent, keeper::KeeperHandle, state::KeeperState};
use tauri::AppHandle;
use tauri_specta::Event as _;
use tokio::sync::broadcast::error::RecvError;

use crate::{
    ipc::events::{IncidentClosed, IncidentOpened, StateChanged},
    session::Session,
};

/// Between two snapshots while something happens.
const PACE: Duration = Duration::from_millis(100);
/// Between two snapshots that differ in times and readings alone: each costs the page a repaint.
const CALM_PACE: Duration = Duration::from_secs(1);

/// Follows each keeper of the session until the next one.
pub(crate) fn start(app: AppHandle, session: Arc<Session>) {
    tauri::async_runtime::spawn(async move {
        let mut openings = session.openings();
        loop {
            let current = openings.borrow_and_update().clone();
            let changed = openings.changed();
            let alive = match current {
                Some(Ok(keeper)) => tokio::select! {
                    changed = changed => changed.is_ok(),
                    () = snapshots(&app, &keeper, &session) => false,
                    () = incidents(&app, &keeper) => false,
                },
                _ => changed.await.is_ok(),
            };
            if !alive && openings.has_changed().is_err() {
                return;
            }
        }
    });
}

async fn snapshots(app: &AppHandle, keeper: &KeeperHandle, session: &Session) {
    let mut state = keeper.state();
    let mut visible = session.visibility();
    loop {
        if visible.wait_for(|visible| *visible).await.is_err() {
            return;
        }
        let snapshot = Arc::clone(&state.borrow_and_update());
        emit("state", StateChanged((*snapshot).clone()).emit(app));
        tokio::time::sleep(PACE).await;
        let news = tokio::select! {
            news = state.wait_for(|now| is_news(&snapshot, now)) => Some(news.is_err()),
            () = tokio::time::sleep(CALM_PACE) => None,
        };
        let ended = match news {
            Some(ended) => ended,
            None => state.changed().await.is_err(),
        };
        if ended {
            // The keeper ended; the session says what comes next.
            std::future::pending::<()>().await;
        }
    }
}

/// Whether a newer snapshot says more than newer times and readings.
fn is_news(shown: &KeeperState, now: &KeeperState) -> bool {
    let statuses = |s: &KeeperState| -> Vec<_> {
        let ladders = s.services.iter().flat_map(|service| &service.ladder.rungs);
        ladders
            .map(|r| (r.outcome.status, r.outcome.cause))
            .collect()
    };
    let engines = |s: &KeeperState| -> Vec<_> {
        let engines = s.hosts.iter().map(|h| (h.engine.status, h.engine.cause));
        engines.collect()
    };
    now.jobs != shown.jobs
        || now.settings != shown.settings
        || now.incidents.len() != shown.incidents.len()
        || engines(now) != engines(shown)
        || statuses(now) != statuses(shown)
}

async fn incidents(app: &AppHandle, keeper: &KeeperHandle) {
    let mut events = keeper.events();
    loop {
        match events.recv().await {
            Ok(KeeperEvent::IncidentOpened(incident)) => {
                emit("incident", IncidentOpened(incident).emit(app));
            }
            Ok(KeeperEvent::IncidentClosed(incident)) => {
                emit("incident", IncidentClosed(incident).emit(app));
            }
            // Snapshots travel on their own; what was missed is in the next one.
            Ok(KeeperEvent::State(_) | KeeperEvent::Job(_)) | Err(RecvError::Lagged(_)) => {}
            Err(RecvError::Closed) => std::future::pending::<()>().await,
        }
    }
}

fn emit(what: &str, sent: tauri::Result<()>) {
    if let Err(error) = sent {
        tracing::warn!(what, %error, "an announcement did not reach the window");
    }
}
