//! Keeper announcements to window events: news at most ten times a second, times and readings that
//! hardly moved every three seconds, nothing while hidden or while nothing changed.

use std::{sync::Arc, time::Duration};

use forgekeeper_keeper::{event::KeeperEvent, keeper::KeeperHandle};
use tauri::AppHandle;
use tauri_specta::Event as _;
use tokio::sync::broadcast::error::RecvError;

use crate::{
    ipc::events::{
        IncidentClosed, IncidentOpened, MigrationChanged, SnapshotsChanged, StateChanged,
    },
    session::Session,
};

mod news;

use news::Shown;

/// Between two snapshots while something happens.
const PACE: Duration = Duration::from_millis(100);
/// Between two snapshots without news: each costs the page a repaint.
const CALM_PACE: Duration = Duration::from_secs(3);

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
                    () = announcements(&app, &keeper) => false,
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
    let mut shown: Option<Shown> = None;
    loop {
        if visible.wait_for(|visible| *visible).await.is_err() {
            return;
        }
        let changed = state.wait_for(|now| {
            // Before the first round nothing is known, not even that there is nothing.
            now.revision > 0 && shown.as_ref().is_none_or(|shown| shown.differs(now))
        });
        let Ok(newest) = changed.await.map(|now| Arc::clone(&now)) else {
            // The keeper ended; the session says what comes next.
            return std::future::pending().await;
        };
        emit("state", StateChanged((*newest).clone()).emit(app));
        let now = shown.insert(Shown::new(newest));
        tokio::time::sleep(PACE).await;
        // Whatever ends the wait, the next round takes the newest there is.
        tokio::select! {
            _ = state.wait_for(|newer| now.is_news(newer)) => {}
            () = tokio::time::sleep(CALM_PACE) => {}
        }
    }
}

async fn announcements(app: &AppHandle, keeper: &KeeperHandle) {
    let mut events = keeper.events();
    loop {
        match events.recv().await {
            Ok(KeeperEvent::IncidentOpened(incident)) => {
                emit("incident", IncidentOpened(incident).emit(app));
            }
            Ok(KeeperEvent::IncidentClosed(incident)) => {
                emit("incident", IncidentClosed(incident).emit(app));
            }
            Ok(KeeperEvent::SnapshotsChanged(service)) => {
                emit("snapshots", SnapshotsChanged(service).emit(app));
            }
            Ok(KeeperEvent::Migration) => emit("migration", MigrationChanged.emit(app)),
            // States travel on their own; what was missed is in the next one.
            Ok(KeeperEvent::State(_) | KeeperEvent::Job(_) | KeeperEvent::Noted(..))
            | Err(RecvError::Lagged(_)) => {}
            Err(RecvError::Closed) => std::future::pending::<()>().await,
        }
    }
}

fn emit(what: &str, sent: tauri::Result<()>) {
    if let Err(error) = sent {
        tracing::warn!(what, %error, "an announcement did not reach the window");
    }
}
