//! Snapshots of the services' configuration.

use std::sync::Arc;

use forgekeeper_domain::{
    config::{Drift, DriftDigest, PartId, PartText, Reason, TextDiff},
    error::ErrorInfo,
    ids::{ServiceId, SnapshotId},
};
use forgekeeper_keeper::keeper::{SnapshotCheck, SnapshotPage, SnapshotView};
use tauri::State;

use crate::session::Session;

type Shell<'a> = State<'a, Arc<Session>>;

/// Snapshots of a service that are older than one of them, or the newest.
#[tauri::command]
#[specta::specta]
pub(super) async fn snapshot_list(
    session: Shell<'_>,
    service: ServiceId,
    before: Option<SnapshotId>,
    most: u32,
) -> Result<SnapshotPage, ErrorInfo> {
    let keeper = session.keeper().await?;
    keeper.snapshot_page(&service, before.as_ref(), most).await
}

/// What changed between two snapshots, in few words.
#[tauri::command]
#[specta::specta]
pub(super) async fn snapshot_digest(
    session: Shell<'_>,
    before: SnapshotId,
    after: SnapshotId,
) -> Result<DriftDigest, ErrorInfo> {
    let keeper = session.keeper().await?;
    keeper.config_digest(&before, &after).await
}

/// One snapshot with its parts.
#[tauri::command]
#[specta::specta]
pub(super) async fn snapshot_show(
    session: Shell<'_>,
    id: SnapshotId,
) -> Result<SnapshotView, ErrorInfo> {
    session.keeper().await?.snapshot(&id).await
}

/// What changed between two snapshots, key by key.
#[tauri::command]
#[specta::specta]
pub(super) async fn snapshot_drift(
    session: Shell<'_>,
    before: SnapshotId,
    after: SnapshotId,
) -> Result<Drift, ErrorInfo> {
    let keeper = session.keeper().await?;
    keeper.config_drift(&before, &after).await
}

/// A part of a snapshot as text, without secrets.
#[tauri::command]
#[specta::specta]
pub(super) async fn snapshot_text(
    session: Shell<'_>,
    id: SnapshotId,
    part: PartId,
    path: String,
) -> Result<PartText, ErrorInfo> {
    let keeper = session.keeper().await?;
    keeper.snapshot_text(&id, part, &path).await
}

/// A part of two snapshots, line by line.
#[tauri::command]
#[specta::specta]
pub(super) async fn snapshot_text_diff(
    session: Shell<'_>,
    before: SnapshotId,
    after: SnapshotId,
    part: PartId,
    path: String,
) -> Result<TextDiff, ErrorInfo> {
    let keeper = session.keeper().await?;
    let both = [&before, &after];
    keeper.snapshot_text_diff(both, part, &path).await
}

/// Reads everything that a snapshot keeps, and says what is not as it was.
#[tauri::command]
#[specta::specta]
pub(super) async fn snapshot_verify(
    session: Shell<'_>,
    id: SnapshotId,
) -> Result<SnapshotCheck, ErrorInfo> {
    session.keeper().await?.verify_snapshot(&id).await
}

/// Takes a snapshot now.
#[tauri::command]
#[specta::specta]
pub(super) async fn snapshot_take(
    session: Shell<'_>,
    service: ServiceId,
) -> Result<SnapshotView, ErrorInfo> {
    let keeper = session.keeper().await?;
    keeper.take_snapshot(&service, Reason::OnDemand).await
}

/// Lets a snapshot stay whatever its age, or no longer.
#[tauri::command]
#[specta::specta]
pub(super) async fn snapshot_pin(
    session: Shell<'_>,
    id: SnapshotId,
    stays: bool,
) -> Result<(), ErrorInfo> {
    session.keeper().await?.pin_snapshot(&id, stays).await
}

/// Removes a snapshot.
#[tauri::command]
#[specta::specta]
pub(super) async fn snapshot_remove(session: Shell<'_>, id: SnapshotId) -> Result<(), ErrorInfo> {
    session.keeper().await?.remove_snapshot(&id).await
}
