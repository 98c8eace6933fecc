//! The user's own rules for logs.

use std::sync::Arc;

use forgekeeper_domain::{
    Timestamp,
    error::{ErrorCode, ErrorInfo},
    ids::ServiceId,
    logs::rules::{Language, RuleDraft},
};
use forgekeeper_keeper::rules::{RuleTest, RulesView};
use tauri::State;

use crate::session::Session;

type Shell<'a> = State<'a, Arc<Session>>;

/// The rules file and what is in it.
#[tauri::command]
#[specta::specta]
pub(super) async fn rules_view(session: Shell<'_>) -> Result<RulesView, ErrorInfo> {
    Ok(session.keeper().await?.rules())
}

/// What a draft would name of the lines that are held of a service.
#[tauri::command]
#[specta::specta]
pub(super) async fn rules_test(
    session: Shell<'_>,
    service: ServiceId,
    draft: RuleDraft,
    replaces: Option<String>,
) -> Result<RuleTest, ErrorInfo> {
    let keeper = session.keeper().await?;
    keeper.test_rule(&service, draft, replaces).await
}

/// Adds a rule, or changes the one that it replaces.
#[tauri::command]
#[specta::specta]
pub(super) async fn rules_save(
    session: Shell<'_>,
    draft: RuleDraft,
    replaces: Option<String>,
) -> Result<(), ErrorInfo> {
    session.keeper().await?.save_rule(draft, replaces)
}

/// Takes a rule out of the file.
#[tauri::command]
#[specta::specta]
pub(super) async fn rules_remove(session: Shell<'_>, id: String) -> Result<(), ErrorInfo> {
    session.keeper().await?.remove_rule(id)
}

/// Silences a signature until a moment, RFC 3339.
#[tauri::command]
#[specta::specta]
pub(super) async fn rules_silence(
    session: Shell<'_>,
    id: String,
    until: String,
) -> Result<(), ErrorInfo> {
    let until = until.parse::<Timestamp>().map_err(|error| {
        ErrorInfo::new(ErrorCode::BadRequest, "this is no time").detail(error.to_string())
    })?;
    session.keeper().await?.silence(id, until)
}

/// Ends a silence.
#[tauri::command]
#[specta::specta]
pub(super) async fn rules_unsilence(session: Shell<'_>, id: String) -> Result<(), ErrorInfo> {
    session.keeper().await?.unsilence(id)
}

/// A draft of a rule that names a line and its like.
#[tauri::command]
#[specta::specta]
pub(super) async fn rules_from_line(
    session: Shell<'_>,
    text: String,
    language: Language,
) -> Result<RuleDraft, ErrorInfo> {
    session.keeper().await?.rule_from_line(&text, language)
}
