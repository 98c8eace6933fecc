//! Test pictures.

use std::sync::Arc;

use forgekeeper_domain::{
    error::ErrorInfo,
    generation::{GenerationChoices, GenerationRecord, GenerationRequest, OwnPreset, Room},
    ids::{JobId, ServiceId},
};
use tauri::State;

use crate::session::Session;

/// Most generations a page may ask for.
const MOST_GENERATIONS: u32 = 500;

/// Starts a test generation, by a kept workflow where one is named; `force` accepts that the memory of the
/// card may not suffice.
#[tauri::command]
#[specta::specta]
pub(super) async fn generation_start(
    session: State<'_, Arc<Session>>,
    service: ServiceId,
    request: GenerationRequest,
    workflow: Option<String>,
    force: bool,
) -> Result<JobId, ErrorInfo> {
    let keeper = session.keeper().await?;
    keeper.generate_by(&service, request, workflow, force).await
}

/// What a generation needs on its card, and what is there.
#[tauri::command]
#[specta::specta]
pub(super) async fn generation_room(
    session: State<'_, Arc<Session>>,
    service: ServiceId,
    request: GenerationRequest,
) -> Result<Room, ErrorInfo> {
    session.keeper().await?.room(&service, &request).await
}

/// Samplers, schedulers and models the service offers.
#[tauri::command]
#[specta::specta]
pub(super) async fn generation_choices(
    session: State<'_, Arc<Session>>,
    service: ServiceId,
) -> Result<GenerationChoices, ErrorInfo> {
    session.keeper().await?.choices(&service).await
}

/// The newest generations of all services.
#[tauri::command]
#[specta::specta]
pub(super) async fn generation_list(
    session: State<'_, Arc<Session>>,
    limit: u32,
) -> Result<Vec<GenerationRecord>, ErrorInfo> {
    session
        .keeper()
        .await?
        .generations(limit.min(MOST_GENERATIONS))
        .await
}

/// Presets of one's own, by name.
#[tauri::command]
#[specta::specta]
pub(super) async fn presets_list(
    session: State<'_, Arc<Session>>,
) -> Result<Vec<OwnPreset>, ErrorInfo> {
    session.keeper().await?.presets()
}

/// Keeps a request as a preset, in place of the one of this name.
#[tauri::command]
#[specta::specta]
pub(super) async fn preset_save(
    session: State<'_, Arc<Session>>,
    name: String,
    request: GenerationRequest,
) -> Result<(), ErrorInfo> {
    session.keeper().await?.save_preset(&name, &request)
}

/// Takes a preset of one's own out.
#[tauri::command]
#[specta::specta]
pub(super) async fn preset_remove(
    session: State<'_, Arc<Session>>,
    name: String,
) -> Result<(), ErrorInfo> {
    session.keeper().await?.remove_preset(&name)
}
