//! The whole wire contract in one list: commands, events, errors. `cargo xtask bindings` writes
//! it to `ui/src/backend/bindings.gen.ts`.

use tauri_specta::{Builder, collect_commands, collect_events};

mod actions;
mod backup;
mod decisions;
pub(crate) mod events;
mod gallery;
mod generations;
mod golden;
mod gpus;
mod logs;
mod migration;
mod restores;
mod rules;
mod settings;
mod snapshots;
mod window;
mod workflows;

/// Longest workflow: a longer file is not even read.
#[expect(clippy::cast_possible_truncation, reason = "a few megabytes")]
const WORKFLOW_BYTES: u32 = forgekeeper_domain::generation::workflow::MAX_BYTES as u32;

/// Characters of a changed value that are shown.
#[expect(clippy::cast_possible_truncation, reason = "a few hundred")]
const VALUE_CHARS: u32 = forgekeeper_domain::config::MAX_VALUE_CHARS as u32;

/// Every command and event.
pub fn builder() -> Builder<tauri::Wry> {
    Builder::<tauri::Wry>::new()
        .constant("PRESETS", forgekeeper_domain::generation::PRESETS)
        .constant("VALUE_CHARS", VALUE_CHARS)
        .constant("WORKFLOW_BYTES", WORKFLOW_BYTES)
        .commands(collect_commands![
            actions::keeper_state,
            actions::action_plan,
            actions::action_run,
            actions::job_cancel,
            actions::job_skip,
            backup::backup_plan,
            backup::backup_run,
            backup::backup_verify,
            backup::backup_cancel,
            backup::backup_status,
            generations::generation_start,
            generations::generation_choices,
            generations::generation_room,
            generations::generation_list,
            golden::golden_sets,
            golden::golden_set_save,
            golden::golden_set_remove,
            golden::golden_run,
            golden::golden_runs,
            golden::golden_run_remove,
            golden::golden_compare,
            golden::golden_vote,
            golden::golden_table_save,
            generations::presets_list,
            generations::preset_save,
            generations::preset_remove,
            workflows::generation_graph,
            workflows::graph_save,
            workflows::workflows_list,
            workflows::workflow_keep,
            workflows::workflow_remove,
            gallery::gallery_list,
            gallery::gallery_forget,
            gallery::gallery_use,
            gallery::parameters_read,
            gallery::contact_sheet_save,
            gpus::gpu_history,
            gpus::gpu_table_save,
            gpus::gpu_picture_save,
            gpus::placement_prove,
            gpus::placement_evidence,
            logs::logs_open,
            logs::logs_search,
            logs::logs_groups,
            logs::logs_save,
            logs::logs_close,
            logs::logs_taken,
            logs::log_signatures,
            restores::snapshot_restore_plan,
            restores::snapshot_restore,
            restores::snapshot_restore_undo_plan,
            restores::snapshot_restore_undo,
            restores::snapshot_drill,
            restores::snapshot_last_drill,
            restores::snapshot_restore_trace,
            rules::rules_view,
            rules::rules_test,
            rules::rules_save,
            rules::rules_remove,
            rules::rules_silence,
            rules::rules_unsilence,
            rules::rules_from_line,
            snapshots::snapshot_list,
            snapshots::snapshot_digest,
            snapshots::snapshot_show,
            snapshots::snapshot_drift,
            snapshots::snapshot_text,
            snapshots::snapshot_text_diff,
            snapshots::snapshot_verify,
            snapshots::snapshot_take,
            snapshots::snapshot_pin,
            snapshots::snapshot_remove,
            migration::migration_view,
            migration::migration_background,
            migration::migration_check,
            migration::migration_check_all,
            migration::migration_preview,
            migration::migration_run,
            migration::migration_undo,
            migration::migration_preview_drill,
            migration::migration_drill,
            migration::migration_cancel,
            migration::migration_attest,
            migration::migration_skip,
            migration::migration_note,
            migration::migration_date,
            migration::migration_move,
            migration::migration_add,
            migration::migration_remove,
            migration::migration_record,
            migration::migration_export,
            migration::migration_record_export,
            decisions::migration_settings,
            decisions::migration_settings_plan,
            decisions::migration_settings_save,
            decisions::migration_images,
            decisions::migration_extensions,
            decisions::migration_decide,
            settings::discover,
            settings::services_adopt,
            settings::settings_get,
            settings::service_save,
            settings::service_remove,
            settings::host_save,
            settings::credentials_set,
            settings::credentials_forget,
            window::demo_start,
            window::demo_stop,
            window::keeper_retry,
            window::window_visible,
            window::ui_ready,
            window::app_info,
        ])
        .events(collect_events![
            events::StateChanged,
            events::IncidentOpened,
            events::IncidentClosed,
            events::SnapshotsChanged,
            events::MigrationChanged,
        ])
}

#[cfg(test)]
mod tests;
