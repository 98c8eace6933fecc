//! What the owner decides of the migration: values of the plan's file, the image, extensions.

use std::sync::Arc;

use forgekeeper_domain::{
    error::ErrorInfo,
    migration::{FieldSaid, Setting, extensions::Decision},
};
use forgekeeper_keeper::migration::{ExtensionList, ImageChoice, PlanSettings, SettingsDraft};
use tauri::State;

use crate::session::Session;

/// The values of `[target]` and `[iis]`, with what was found that they could be.
#[tauri::command]
#[specta::specta]
pub(super) async fn migration_settings(
    session: State<'_, Arc<Session>>,
) -> Result<PlanSettings, ErrorInfo> {
    session.keeper().await?.migration_settings().await
}

/// What writing these values would change, and what is to be said of them. Writes nothing.
#[tauri::command]
#[specta::specta]
pub(super) async fn migration_settings_plan(
    session: State<'_, Arc<Session>>,
    settings: Vec<Setting>,
) -> Result<SettingsDraft, ErrorInfo> {
    let keeper = session.keeper().await?;
    keeper.migration_settings_plan(settings).await
}

/// Writes values, into the text of this stamp and no other; what is to be said of them besides.
#[tauri::command]
#[specta::specta]
pub(super) async fn migration_settings_save(
    session: State<'_, Arc<Session>>,
    settings: Vec<Setting>,
    stamp: Option<String>,
) -> Result<Vec<FieldSaid>, ErrorInfo> {
    let keeper = session.keeper().await?;
    keeper.migration_settings_save(settings, stamp).await
}

/// The images that the target could run.
#[tauri::command]
#[specta::specta]
pub(super) async fn migration_images(
    session: State<'_, Arc<Session>>,
) -> Result<Vec<ImageChoice>, ErrorInfo> {
    Ok(session.keeper().await?.migration_images())
}

/// The extensions of Forge, what takes their place, and what is decided of each.
#[tauri::command]
#[specta::specta]
pub(super) async fn migration_extensions(
    session: State<'_, Arc<Session>>,
) -> Result<ExtensionList, ErrorInfo> {
    session.keeper().await?.migration_extensions().await
}

/// Decides what becomes of an extension; without a decision the one there was is taken back.
#[tauri::command]
#[specta::specta]
pub(super) async fn migration_decide(
    session: State<'_, Arc<Session>>,
    extension: String,
    decision: Option<Decision>,
) -> Result<(), ErrorInfo> {
    let keeper = session.keeper().await?;
    keeper.migration_decide(&extension, decision).await
}
