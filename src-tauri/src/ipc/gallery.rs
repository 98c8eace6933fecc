//! Everything ever tested.

use std::sync::Arc;

use forgekeeper_domain::{
    error::{ErrorCode, ErrorInfo},
    gallery::{GalleryPage, GalleryQuery, GalleryUse},
    generation::ReadParameters,
    ids::JobId,
};
use forgekeeper_keeper::media::decode;
use tauri::{AppHandle, State};

use crate::{session::Session, windows};

/// The kept generations that answer to a query, newest first.
#[tauri::command]
#[specta::specta]
pub(super) async fn gallery_list(
    session: State<'_, Arc<Session>>,
    query: GalleryQuery,
) -> Result<GalleryPage, ErrorInfo> {
    session.keeper().await?.gallery(query).await
}

/// Removes generations, and the pictures that nothing else holds; how many generations there were.
#[tauri::command]
#[specta::specta]
pub(super) async fn gallery_forget(
    session: State<'_, Arc<Session>>,
    ids: Vec<JobId>,
) -> Result<u32, ErrorInfo> {
    session.keeper().await?.forget_generations(ids).await
}

/// What the kept pictures take.
#[tauri::command]
#[specta::specta]
pub(super) async fn gallery_use(session: State<'_, Arc<Session>>) -> Result<GalleryUse, ErrorInfo> {
    session.keeper().await?.gallery_use().await
}

/// Reads the parameters inside a picture that was dropped on the page (its bytes in base64, at most
/// 64 MiB), as a request. The page names no path.
#[tauri::command]
#[specta::specta]
pub(super) async fn parameters_read(
    session: State<'_, Arc<Session>>,
    file: String,
) -> Result<ReadParameters, ErrorInfo> {
    let file = decode::base64(&file).map_err(|problem| {
        ErrorInfo::new(ErrorCode::BadPicture, "The file could not be taken over.")
            .detail(problem.to_string())
    })?;
    session.keeper().await?.read_parameters(file).await
}

/// Saves the pictures of generations as one page (HTML) to a file that the system's own dialog asks
/// for; the path, or `None` when that was cancelled. The page names no path.
#[tauri::command]
#[specta::specta]
pub(super) async fn contact_sheet_save(
    app: AppHandle,
    session: State<'_, Arc<Session>>,
    ids: Vec<JobId>,
) -> Result<Option<String>, ErrorInfo> {
    let keeper = session.keeper().await?;
    let name = keeper.contact_sheet_name();
    let Some(path) = windows::ask_where_to_save(&app, &name, "html").await? else {
        return Ok(None);
    };
    keeper.contact_sheet(&ids, path.clone()).await?;
    Ok(Some(path.display().to_string()))
}
