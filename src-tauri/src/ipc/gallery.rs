//! Everything ever tested.

use std::sync::Arc;

use forgekeeper_domain::{
    error::ErrorInfo,
    gallery::{GalleryPage, GalleryQuery, GalleryUse},
    ids::JobId,
};
use tauri::State;

use crate::session::Session;

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
