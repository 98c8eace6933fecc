//! Everything ever tested.

use std::sync::Arc;

use forgekeeper_domain::{
    error::ErrorInfo,
    gallery::{GalleryPage, GalleryQuery},
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
