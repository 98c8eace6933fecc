//! Graphics cards: their past, and which card a service computes on.

use std::sync::Arc;

use forgekeeper_domain::{
    error::ErrorInfo,
    gpu::history::{GpuHistory, GpuHistoryQuery},
    ids::{JobId, ServiceId},
    placement::Measurement,
};
use tauri::{AppHandle, State};

use crate::{session::Session, windows};

/// The past of a host's cards.
#[tauri::command]
#[specta::specta]
pub(super) async fn gpu_history(
    session: State<'_, Arc<Session>>,
    query: GpuHistoryQuery,
) -> Result<GpuHistory, ErrorInfo> {
    session.keeper().await?.gpu_history(&query).await
}

/// Saves the past of a host's cards as a table (CSV) to a file that the system's own dialog asks
/// for; the path, or `None` when that was cancelled. The page names no path.
#[tauri::command]
#[specta::specta]
pub(super) async fn gpu_table_save(
    app: AppHandle,
    session: State<'_, Arc<Session>>,
    query: GpuHistoryQuery,
) -> Result<Option<String>, ErrorInfo> {
    let keeper = session.keeper().await?;
    let name = keeper.gpu_file_name(&query.host, "csv");
    let Some(path) = windows::ask_where_to_save(&app, &name, "csv").await? else {
        return Ok(None);
    };
    keeper.save_gpu_table(&query, path.clone()).await?;
    Ok(Some(path.display().to_string()))
}

/// Saves a picture of the charts (PNG, base64) that the page drew, in the same way.
#[tauri::command]
#[specta::specta]
pub(super) async fn gpu_picture_save(
    app: AppHandle,
    session: State<'_, Arc<Session>>,
    host: forgekeeper_domain::ids::HostId,
    png: String,
) -> Result<Option<String>, ErrorInfo> {
    let keeper = session.keeper().await?;
    let name = keeper.gpu_file_name(&host, "png");
    let Some(path) = windows::ask_where_to_save(&app, &name, "png").await? else {
        return Ok(None);
    };
    keeper.save_gpu_picture(&png, path.clone()).await?;
    Ok(Some(path.display().to_string()))
}

/// Starts a placement proof; the job's id.
#[tauri::command]
#[specta::specta]
pub(super) async fn placement_prove(
    session: State<'_, Arc<Session>>,
    service: ServiceId,
) -> Result<JobId, ErrorInfo> {
    session.keeper().await?.prove_placement(&service).await
}

/// The placement proof of a service that counts, and a newer one that could not tell, with all their
/// readings; the older one first.
#[tauri::command]
#[specta::specta]
pub(super) async fn placement_evidence(
    session: State<'_, Arc<Session>>,
    service: ServiceId,
) -> Result<Vec<Measurement>, ErrorInfo> {
    session.keeper().await?.placement_evidence(&service).await
}
