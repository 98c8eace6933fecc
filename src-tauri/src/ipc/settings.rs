//! Settings, discovery, credentials.

use std::sync::Arc;

use forgekeeper_domain::{
    discovery::{Candidate, DiscoveryReport},
    error::ErrorInfo,
    ids::ServiceId,
};
use forgekeeper_keeper::{
    secrets::Credentials,
    settings::{HostSettings, ServiceSettings, SettingsView},
    state::SecretPlace,
};
use tauri::State;

use crate::session::Session;

type Shell<'a> = State<'a, Arc<Session>>;

/// Looks for services on every engine that can be reached.
#[tauri::command]
#[specta::specta]
pub(super) async fn discover(session: Shell<'_>) -> Result<DiscoveryReport, ErrorInfo> {
    session.keeper().await?.discover().await
}

/// Writes candidates into the settings as services.
#[tauri::command]
#[specta::specta]
pub(super) async fn services_adopt(
    session: Shell<'_>,
    candidates: Vec<Candidate>,
) -> Result<(), ErrorInfo> {
    session.keeper().await?.adopt(candidates)
}

/// The settings in force, and what is wrong with the file.
#[tauri::command]
#[specta::specta]
pub(super) async fn settings_get(session: Shell<'_>) -> Result<SettingsView, ErrorInfo> {
    Ok(session.keeper().await?.settings())
}

/// Adds or changes a service.
#[tauri::command]
#[specta::specta]
pub(super) async fn service_save(
    session: Shell<'_>,
    settings: ServiceSettings,
) -> Result<(), ErrorInfo> {
    session.keeper().await?.save_service(settings)
}

/// Takes a service out of the settings; its container is not touched.
#[tauri::command]
#[specta::specta]
pub(super) async fn service_remove(session: Shell<'_>, id: ServiceId) -> Result<(), ErrorInfo> {
    session.keeper().await?.remove_service(&id)
}

/// Adds or changes a host.
#[tauri::command]
#[specta::specta]
pub(super) async fn host_save(session: Shell<'_>, settings: HostSettings) -> Result<(), ErrorInfo> {
    session.keeper().await?.save_host(settings)
}

/// Keeps credentials; says where.
#[tauri::command]
#[specta::specta]
pub(super) async fn credentials_set(
    session: Shell<'_>,
    service: ServiceId,
    credentials: Credentials,
) -> Result<SecretPlace, ErrorInfo> {
    session
        .keeper()
        .await?
        .set_credentials(&service, credentials)
        .await
}

/// Forgets credentials.
#[tauri::command]
#[specta::specta]
pub(super) async fn credentials_forget(
    session: Shell<'_>,
    service: ServiceId,
) -> Result<(), ErrorInfo> {
    session.keeper().await?.forget_credentials(&service).await
}
