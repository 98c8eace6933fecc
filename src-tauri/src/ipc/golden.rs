//! Golden prompts.

use std::sync::Arc;

use forgekeeper_domain::{
    error::ErrorInfo,
    golden::{GoldenComparison, GoldenRuns, GoldenSet, Vote},
    ids::{JobId, ServiceId},
};
use tauri::{AppHandle, State};

use crate::{session::Session, windows};

/// All sets by name.
#[tauri::command]
#[specta::specta]
pub(super) async fn golden_sets(
    session: State<'_, Arc<Session>>,
) -> Result<Vec<GoldenSet>, ErrorInfo> {
    session.keeper().await?.golden_sets().await
}

/// Keeps a set; one that was run stays as it is.
#[tauri::command]
#[specta::specta]
pub(super) async fn golden_set_save(
    session: State<'_, Arc<Session>>,
    set: GoldenSet,
) -> Result<(), ErrorInfo> {
    session.keeper().await?.save_golden_set(set).await
}

/// Removes a set with its runs and votes.
#[tauri::command]
#[specta::specta]
pub(super) async fn golden_set_remove(
    session: State<'_, Arc<Session>>,
    name: String,
) -> Result<(), ErrorInfo> {
    session.keeper().await?.remove_golden_set(name).await
}

/// Runs a set on a service; the job's id is that of the run. `force` accepts that the memory of the card
/// may not suffice.
#[tauri::command]
#[specta::specta]
pub(super) async fn golden_run(
    session: State<'_, Arc<Session>>,
    set: String,
    service: ServiceId,
    force: bool,
) -> Result<JobId, ErrorInfo> {
    let keeper = session.keeper().await?;
    keeper.run_golden(&set, &service, force).await
}

/// Runs of a set, newest first, with the two that a comparison begins with.
#[tauri::command]
#[specta::specta]
pub(super) async fn golden_runs(
    session: State<'_, Arc<Session>>,
    set: String,
) -> Result<GoldenRuns, ErrorInfo> {
    session.keeper().await?.golden_record(set).await
}

/// Removes a run with its votes.
#[tauri::command]
#[specta::specta]
pub(super) async fn golden_run_remove(
    session: State<'_, Arc<Session>>,
    id: JobId,
) -> Result<(), ErrorInfo> {
    session.keeper().await?.remove_golden_run(id).await
}

/// Compares two runs of one set.
#[tauri::command]
#[specta::specta]
pub(super) async fn golden_compare(
    session: State<'_, Arc<Session>>,
    reference: JobId,
    candidate: JobId,
) -> Result<GoldenComparison, ErrorInfo> {
    let keeper = session.keeper().await?;
    keeper.compare_golden(&reference, &candidate).await
}

/// Keeps a vote on a prompt between two runs.
#[tauri::command]
#[specta::specta]
pub(super) async fn golden_vote(
    session: State<'_, Arc<Session>>,
    reference: JobId,
    candidate: JobId,
    prompt: String,
    vote: Vote,
) -> Result<(), ErrorInfo> {
    let keeper = session.keeper().await?;
    keeper.vote_golden(reference, candidate, prompt, vote).await
}

/// Saves a comparison as a table (CSV) to a file that the system's own dialog asks for; the path,
/// or `None` when that was cancelled. The page names no path.
#[tauri::command]
#[specta::specta]
pub(super) async fn golden_table_save(
    app: AppHandle,
    session: State<'_, Arc<Session>>,
    reference: JobId,
    candidate: JobId,
) -> Result<Option<String>, ErrorInfo> {
    let keeper = session.keeper().await?;
    let name = keeper.golden_file_name();
    let Some(path) = windows::ask_where_to_save(&app, &name, "csv").await? else {
        return Ok(None);
    };
    keeper
        .save_golden_table(&reference, &candidate, path.clone())
        .await?;
    Ok(Some(path.display().to_string()))
}
