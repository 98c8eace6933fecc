//! The migration from Forge to ComfyUI.

use std::sync::Arc;

use forgekeeper_domain::{
    error::{ErrorCode, ErrorInfo},
    ids::StepId,
    logs::rules::Language,
    migration::{AddedStep, Plan, PlanEdit, RecordEntry, StepPreview, day_of},
};
use forgekeeper_keeper::migration::{MigrationView, StepLook};
use tauri::{AppHandle, State};

use crate::{session::Session, windows};

/// Entries of the recorder that the page gets.
const SHOWN: u32 = 2_000;

/// The whole plan as it stands now.
#[tauri::command]
#[specta::specta]
pub(super) async fn migration_view(
    session: State<'_, Arc<Session>>,
) -> Result<MigrationView, ErrorInfo> {
    session.keeper().await?.migration().await
}

/// What was weighed for the plan: risks, alternatives, resources, the report's calendar.
#[tauri::command]
#[specta::specta]
pub(super) async fn migration_background(
    session: State<'_, Arc<Session>>,
) -> Result<Plan, ErrorInfo> {
    Ok(session.keeper().await?.migration_background())
}

/// Measures a step now; changes nothing.
#[tauri::command]
#[specta::specta]
pub(super) async fn migration_check(
    session: State<'_, Arc<Session>>,
    step: StepId,
) -> Result<StepLook, ErrorInfo> {
    session.keeper().await?.migration_check(&step).await
}

/// Measures every step that can be done now or was measured before; those that were looked at.
#[tauri::command]
#[specta::specta]
pub(super) async fn migration_check_all(
    session: State<'_, Arc<Session>>,
) -> Result<Vec<StepId>, ErrorInfo> {
    session.keeper().await?.migration_check_due(true).await
}

/// What doing a step, or taking it back, would do.
#[tauri::command]
#[specta::specta]
pub(super) async fn migration_preview(
    session: State<'_, Arc<Session>>,
    step: StepId,
    undo: bool,
) -> Result<StepPreview, ErrorInfo> {
    session.keeper().await?.migration_preview(&step, undo).await
}

/// Begins to do a step; the view tells how far it is. `confirm` is the word that its preview asks for.
#[tauri::command]
#[specta::specta]
pub(super) async fn migration_run(
    session: State<'_, Arc<Session>>,
    step: StepId,
    confirm: Option<String>,
) -> Result<(), ErrorInfo> {
    let keeper = session.keeper().await?;
    keeper.migration_run(&step, confirm.as_deref()).await
}

/// Begins to take a step back.
#[tauri::command]
#[specta::specta]
pub(super) async fn migration_undo(
    session: State<'_, Arc<Session>>,
    step: StepId,
    confirm: Option<String>,
) -> Result<(), ErrorInfo> {
    let keeper = session.keeper().await?;
    keeper.migration_undo(&step, confirm.as_deref()).await
}

/// What trying the way back of a step would do.
#[tauri::command]
#[specta::specta]
pub(super) async fn migration_preview_drill(
    session: State<'_, Arc<Session>>,
    step: StepId,
) -> Result<StepPreview, ErrorInfo> {
    session.keeper().await?.migration_preview_drill(&step).await
}

/// Begins to try the way back of a step.
#[tauri::command]
#[specta::specta]
pub(super) async fn migration_drill(
    session: State<'_, Arc<Session>>,
    step: StepId,
) -> Result<(), ErrorInfo> {
    session.keeper().await?.migration_drill(&step).await
}

/// Asks what is being done to a step to end.
#[tauri::command]
#[specta::specta]
pub(super) async fn migration_cancel(
    session: State<'_, Arc<Session>>,
    step: StepId,
) -> Result<(), ErrorInfo> {
    session.keeper().await?.migration_cancel(&step)
}

/// Says that a step holds which no machine can measure.
#[tauri::command]
#[specta::specta]
pub(super) async fn migration_attest(
    session: State<'_, Arc<Session>>,
    step: StepId,
    by: String,
    note: Option<String>,
) -> Result<(), ErrorInfo> {
    let keeper = session.keeper().await?;
    keeper.migration_attest(&step, &by, note.as_deref()).await
}

/// Leaves a step out for a reason; without one it is taken in again.
#[tauri::command]
#[specta::specta]
pub(super) async fn migration_skip(
    session: State<'_, Arc<Session>>,
    step: StepId,
    reason: Option<String>,
) -> Result<(), ErrorInfo> {
    edit(&session, PlanEdit::Skip(step, reason)).await
}

/// Keeps a remark on a step; without one, none.
#[tauri::command]
#[specta::specta]
pub(super) async fn migration_note(
    session: State<'_, Arc<Session>>,
    step: StepId,
    note: Option<String>,
) -> Result<(), ErrorInfo> {
    edit(&session, PlanEdit::Note(step, note)).await
}

/// Assigns the day on which a step begins, `2026-12-01`; without one, none.
#[tauri::command]
#[specta::specta]
pub(super) async fn migration_date(
    session: State<'_, Arc<Session>>,
    step: StepId,
    day: Option<String>,
) -> Result<(), ErrorInfo> {
    let no_day = || ErrorInfo::new(ErrorCode::BadRequest, "this is no day, such as 2026-12-01");
    let day = day.map(|text| day_of(&text).ok_or_else(no_day));
    edit(&session, PlanEdit::Start(step, day.transpose()?)).await
}

/// Puts a step before another of its phase; without one, last.
#[tauri::command]
#[specta::specta]
pub(super) async fn migration_move(
    session: State<'_, Arc<Session>>,
    step: StepId,
    before: Option<StepId>,
) -> Result<(), ErrorInfo> {
    edit(&session, PlanEdit::Move(step, before)).await
}

/// Adds a step that a person attests.
#[tauri::command]
#[specta::specta]
pub(super) async fn migration_add(
    session: State<'_, Arc<Session>>,
    step: AddedStep,
) -> Result<(), ErrorInfo> {
    edit(&session, PlanEdit::Add(Box::new(step))).await
}

/// Removes a step that was added.
#[tauri::command]
#[specta::specta]
pub(super) async fn migration_remove(
    session: State<'_, Arc<Session>>,
    step: StepId,
) -> Result<(), ErrorInfo> {
    edit(&session, PlanEdit::Remove(step)).await
}

async fn edit(session: &Session, change: PlanEdit) -> Result<(), ErrorInfo> {
    session.keeper().await?.migration_edit(change).await
}

/// The newest entries of the flight recorder, oldest first.
#[tauri::command]
#[specta::specta]
pub(super) async fn migration_record(
    session: State<'_, Arc<Session>>,
) -> Result<Vec<RecordEntry>, ErrorInfo> {
    session.keeper().await?.migration_record(SHOWN).await
}

/// Saves the plan as it stands (`md`, `html`) to a file that the system's own dialog asks for; the path,
/// or `None` when that was cancelled. The page names no path.
#[tauri::command]
#[specta::specta]
pub(super) async fn migration_export(
    app: AppHandle,
    session: State<'_, Arc<Session>>,
    form: String,
    language: Language,
) -> Result<Option<String>, ErrorInfo> {
    let keeper = session.keeper().await?;
    let form = known(&form, &["md", "html"])?;
    let Some(path) = windows::ask_where_to_save(&app, &format!("migration.{form}"), form).await?
    else {
        return Ok(None);
    };
    keeper.export_migration(path.clone(), language).await?;
    Ok(Some(path.display().to_string()))
}

/// The same for the flight recorder (`md`, `html`, `jsonl`).
#[tauri::command]
#[specta::specta]
pub(super) async fn migration_record_export(
    app: AppHandle,
    session: State<'_, Arc<Session>>,
    form: String,
    language: Language,
) -> Result<Option<String>, ErrorInfo> {
    let keeper = session.keeper().await?;
    let form = known(&form, &["md", "html", "jsonl"])?;
    let name = format!("migration-record.{form}");
    let Some(path) = windows::ask_where_to_save(&app, &name, form).await? else {
        return Ok(None);
    };
    keeper
        .export_migration_record(path.clone(), language)
        .await?;
    Ok(Some(path.display().to_string()))
}

fn known(form: &str, forms: &[&'static str]) -> Result<&'static str, ErrorInfo> {
    let found = forms.iter().find(|known| **known == form);
    found
        .copied()
        .ok_or_else(|| ErrorInfo::new(ErrorCode::BadRequest, "there is no such form of a file"))
}
