//! The window itself: visibility, the demo host, what it is.

use std::sync::Arc;

use forgekeeper_domain::error::ErrorInfo;
use serde::Serialize;
use tauri::State;

use crate::session::Session;

type Shell<'a> = State<'a, Arc<Session>>;

/// Facts for the settings page.
#[derive(Debug, Clone, Serialize, specta::Type)]
pub(super) struct AppInfo {
    /// Version of the program.
    version: String,
    /// Folder of history and pictures.
    data_dir: String,
    /// Whether the demo host is shown.
    demo: bool,
}

/// Switches this window to the demo host.
#[tauri::command]
#[specta::specta]
pub(super) async fn demo_start(session: Shell<'_>) -> Result<(), ErrorInfo> {
    session.switch(true).await;
    let started = session.keeper().await.map(|_| ());
    if started.is_err() {
        // A demo host that does not start must not take the user's own services away.
        session.switch(false).await;
    }
    started
}

/// Switches back to the user's own services.
#[tauri::command]
#[specta::specta]
pub(super) async fn demo_stop(session: Shell<'_>) -> Result<(), ErrorInfo> {
    session.switch(false).await;
    session.keeper().await.map(|_| ())
}

/// Starts the keeper again when it did not start.
#[tauri::command]
#[specta::specta]
pub(super) async fn keeper_retry(session: Shell<'_>) -> Result<(), ErrorInfo> {
    session.retry().await;
    session.keeper().await.map(|_| ())
}

/// The page was hidden or shown: sampling follows.
#[tauri::command]
#[specta::specta]
pub(super) fn window_visible(session: Shell<'_>, visible: bool) {
    session.set_visible(visible);
}

/// The page painted data for the first time since it was loaded.
#[tauri::command]
#[specta::specta]
pub(super) fn ui_ready() {
    if std::env::var_os("FORGEKEEPER_BENCH_MARK").is_some() {
        eprintln!("forgekeeper: first paint of data");
    }
}

/// Version and folders.
#[tauri::command]
#[specta::specta]
pub(super) async fn app_info(session: Shell<'_>) -> Result<AppInfo, ErrorInfo> {
    let keeper = session.keeper().await?;
    let demo = keeper.state().borrow().demo;
    Ok(AppInfo {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        data_dir: keeper.data_dir().display().to_string(),
        demo,
    })
}
