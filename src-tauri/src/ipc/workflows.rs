//! Workflows of one's own, and graphs to read and to save.

use std::sync::Arc;

use forgekeeper_domain::{
    error::ErrorInfo,
    generation::{GenerationRequest, workflow::OwnWorkflow},
    ids::ServiceId,
};
use tauri::{AppHandle, State};

use crate::{session::Session, windows};

/// The graph that a request becomes on a service, for people to read; that of a kept workflow where
/// one is named.
#[tauri::command]
#[specta::specta]
pub(super) async fn generation_graph(
    session: State<'_, Arc<Session>>,
    service: ServiceId,
    request: GenerationRequest,
    workflow: Option<String>,
) -> Result<String, ErrorInfo> {
    let keeper = session.keeper().await?;
    keeper.generation_graph(&service, &request, workflow).await
}

/// Saves that graph to a file that the system's own dialog asks for; the path, or `None` when that was
/// cancelled. The page names no path.
#[tauri::command]
#[specta::specta]
pub(super) async fn graph_save(
    app: AppHandle,
    session: State<'_, Arc<Session>>,
    service: ServiceId,
    request: GenerationRequest,
    workflow: Option<String>,
) -> Result<Option<String>, ErrorInfo> {
    let keeper = session.keeper().await?;
    let name = keeper.graph_file_name(&service);
    let Some(path) = windows::ask_where_to_save(&app, &name, "json").await? else {
        return Ok(None);
    };
    let to = path.clone();
    keeper.save_graph(&service, &request, workflow, to).await?;
    Ok(Some(path.display().to_string()))
}

/// Workflows of one's own, by name.
#[tauri::command]
#[specta::specta]
pub(super) async fn workflows_list(
    session: State<'_, Arc<Session>>,
) -> Result<Vec<OwnWorkflow>, ErrorInfo> {
    session.keeper().await?.workflows().await
}

/// Keeps the text of a file that was chosen or dropped as a workflow of one's own.
#[tauri::command]
#[specta::specta]
pub(super) async fn workflow_keep(
    session: State<'_, Arc<Session>>,
    name: String,
    text: String,
) -> Result<OwnWorkflow, ErrorInfo> {
    session.keeper().await?.keep_workflow(name, text).await
}

/// Takes a workflow of one's own out.
#[tauri::command]
#[specta::specta]
pub(super) async fn workflow_remove(
    session: State<'_, Arc<Session>>,
    name: String,
) -> Result<(), ErrorInfo> {
    session.keeper().await?.remove_workflow(name).await
}
