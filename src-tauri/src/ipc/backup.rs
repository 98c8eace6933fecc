//! The backup of the project folder, as the settings say. The page names no path.

use std::sync::Arc;

use forgekeeper_domain::{
    backup::{BackupPlan, BackupStatus, BackupTask},
    error::ErrorInfo,
};
use forgekeeper_keeper::keeper::BackupWish;
use tauri::State;

use crate::session::Session;

/// What a run would do; nothing is written.
#[tauri::command]
#[specta::specta]
pub(super) async fn backup_plan(session: State<'_, Arc<Session>>) -> Result<BackupPlan, ErrorInfo> {
    let keeper = session.keeper().await?;
    keeper.backup_plan(&BackupWish::default()).await
}

/// Begins to copy; the status says how far it is.
#[tauri::command]
#[specta::specta]
pub(super) async fn backup_run(session: State<'_, Arc<Session>>) -> Result<(), ErrorInfo> {
    let keeper = session.keeper().await?;
    keeper.backup_begin(BackupTask::Run, &BackupWish::default())?;
    Ok(())
}

/// Begins to read again what was copied.
#[tauri::command]
#[specta::specta]
pub(super) async fn backup_verify(session: State<'_, Arc<Session>>) -> Result<(), ErrorInfo> {
    let keeper = session.keeper().await?;
    keeper.backup_begin(BackupTask::Verify, &BackupWish::default())?;
    Ok(())
}

/// Ends what runs; the next run goes on from there.
#[tauri::command]
#[specta::specta]
pub(super) async fn backup_cancel(session: State<'_, Arc<Session>>) -> Result<(), ErrorInfo> {
    session.keeper().await?.backup_cancel()
}

/// Settings, what runs, what came of the last ones.
#[tauri::command]
#[specta::specta]
pub(super) async fn backup_status(
    session: State<'_, Arc<Session>>,
) -> Result<BackupStatus, ErrorInfo> {
    session.keeper().await?.backup_status().await
}
