//! The state, and actions on services.

use std::sync::Arc;

use forgekeeper_domain::{
    action::{Action, ActionPlan},
    error::{ErrorCode, ErrorInfo},
    ids::{JobId, ServiceId},
};
use forgekeeper_keeper::state::KeeperState;
use tauri::State;

use crate::session::Session;

type Shell<'a> = State<'a, Arc<Session>>;

/// The newest snapshot.
#[tauri::command]
#[specta::specta]
pub(super) async fn keeper_state(session: Shell<'_>) -> Result<KeeperState, ErrorInfo> {
    let mut state = session.keeper().await?.state();
    // While the keeper starts, its first one: before that nothing is known, not even emptiness.
    match state.wait_for(|now| now.revision > 0).await {
        Ok(now) => Ok(KeeperState::clone(&now)),
        Err(_) => Err(ErrorInfo::new(ErrorCode::Cancelled, "the keeper is ending")),
    }
}

/// What an action would run, interrupt and need; nothing is done.
#[tauri::command]
#[specta::specta]
pub(super) async fn action_plan(
    session: Shell<'_>,
    service: ServiceId,
    action: Action,
) -> Result<ActionPlan, ErrorInfo> {
    session.keeper().await?.plan(&service, action)
}

/// Starts an action; `force` accepts that running work is lost.
#[tauri::command]
#[specta::specta]
pub(super) async fn action_run(
    session: Shell<'_>,
    service: ServiceId,
    action: Action,
    force: bool,
) -> Result<JobId, ErrorInfo> {
    session.keeper().await?.act(&service, action, force).await
}

/// Asks for the picture of a running job as it is now.
#[tauri::command]
#[specta::specta]
pub(super) async fn job_skip(session: Shell<'_>, job: JobId) -> Result<(), ErrorInfo> {
    session.keeper().await?.skip(&job)
}

/// Asks a running job to end.
#[tauri::command]
#[specta::specta]
pub(super) async fn job_cancel(session: Shell<'_>, job: JobId) -> Result<(), ErrorInfo> {
    session.keeper().await?.cancel(&job)
}
