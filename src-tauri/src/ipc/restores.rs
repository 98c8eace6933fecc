//! Configuration put back, and what proves that it could be.

use std::sync::Arc;

use forgekeeper_domain::{
    config::{DrillReport, RestoreScope},
    error::ErrorInfo,
    ids::{JobId, ServiceId, SnapshotId},
};
use forgekeeper_keeper::keeper::{RestoreTrace, RestoreView};
use tauri::State;

use crate::session::Session;

type Shell<'a> = State<'a, Arc<Session>>;

/// What a restore would write, interrupt and leave; nothing is done.
#[tauri::command]
#[specta::specta]
pub(super) async fn snapshot_restore_plan(
    session: Shell<'_>,
    snapshot: SnapshotId,
    scope: RestoreScope,
) -> Result<RestoreView, ErrorInfo> {
    session
        .keeper()
        .await?
        .restore_plan(&snapshot, &scope)
        .await
}

/// Does what was shown under this token; the job's id. `force` accepts that running work is lost.
#[tauri::command]
#[specta::specta]
pub(super) async fn snapshot_restore(
    session: Shell<'_>,
    snapshot: SnapshotId,
    scope: RestoreScope,
    token: String,
    force: bool,
) -> Result<JobId, ErrorInfo> {
    let keeper = session.keeper().await?;
    keeper.restore(&snapshot, &scope, &token, force).await
}

/// What taking the last restore of a service back would do; nothing is done.
#[tauri::command]
#[specta::specta]
pub(super) async fn snapshot_restore_undo_plan(
    session: Shell<'_>,
    service: ServiceId,
) -> Result<RestoreView, ErrorInfo> {
    session.keeper().await?.restore_undo_plan(&service).await
}

/// Takes the last restore of a service back, as it was shown under this token; the job's id.
#[tauri::command]
#[specta::specta]
pub(super) async fn snapshot_restore_undo(
    session: Shell<'_>,
    service: ServiceId,
    token: String,
    force: bool,
) -> Result<JobId, ErrorInfo> {
    let keeper = session.keeper().await?;
    keeper.restore_undo(&service, &token, force).await
}

/// Restores the newest snapshot of a service into a scratch folder and compares every byte.
#[tauri::command]
#[specta::specta]
pub(super) async fn snapshot_drill(
    session: Shell<'_>,
    service: ServiceId,
) -> Result<DrillReport, ErrorInfo> {
    session.keeper().await?.drill(&service).await
}

/// What the last drill of a service found; `None` when none was made.
#[tauri::command]
#[specta::specta]
pub(super) async fn snapshot_last_drill(
    session: Shell<'_>,
    service: ServiceId,
) -> Result<Option<DrillReport>, ErrorInfo> {
    session.keeper().await?.last_drill(&service)
}

/// What restores and drills of a service left: the last of each, and what is not at its end.
#[tauri::command]
#[specta::specta]
pub(super) async fn snapshot_restore_trace(
    session: Shell<'_>,
    service: ServiceId,
) -> Result<RestoreTrace, ErrorInfo> {
    session.keeper().await?.restore_trace(&service)
}
