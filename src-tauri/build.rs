//! Names the app's own commands, so that the permission system covers them like any plugin's.

/// The same list as in `src/ipc.rs`; a test compares the two.
const COMMANDS: &[&str] = &[
    "keeper_state",
    "action_plan",
    "action_run",
    "job_cancel",
    "job_skip",
    "generation_start",
    "generation_choices",
    "generation_graph",
    "generation_room",
    "generation_list",
    "golden_sets",
    "golden_set_save",
    "golden_set_remove",
    "golden_run",
    "golden_runs",
    "golden_run_remove",
    "golden_compare",
    "golden_vote",
    "golden_table_save",
    "presets_list",
    "preset_save",
    "preset_remove",
    "graph_save",
    "workflows_list",
    "workflow_keep",
    "workflow_remove",
    "gallery_list",
    "gallery_forget",
    "gallery_use",
    "parameters_read",
    "contact_sheet_save",
    "gpu_history",
    "gpu_table_save",
    "gpu_picture_save",
    "placement_prove",
    "placement_evidence",
    "logs_open",
    "logs_search",
    "logs_groups",
    "logs_save",
    "logs_close",
    "logs_taken",
    "log_signatures",
    "snapshot_restore_plan",
    "snapshot_restore",
    "snapshot_restore_undo_plan",
    "snapshot_restore_undo",
    "snapshot_drill",
    "snapshot_last_drill",
    "rules_view",
    "rules_test",
    "rules_save",
    "rules_remove",
    "rules_silence",
    "rules_unsilence",
    "rules_from_line",
    "discover",
    "services_adopt",
    "settings_get",
    "service_save",
    "service_remove",
    "host_save",
    "credentials_set",
    "credentials_forget",
    "demo_start",
    "demo_stop",
    "keeper_retry",
    "window_visible",
    "ui_ready",
    "app_info",
];

fn main() {
    // The pages are embedded; cargo does not see that by itself.
    println!("cargo:rerun-if-changed=../ui/dist");
    // The generated contexts and permissions.
    tauri_build::try_build(
        tauri_build::Attributes::new()
            .app_manifest(tauri_build::AppManifest::new().commands(COMMANDS)),
    )
    .unwrap_or_else(|error| {
        println!("cargo::error=the Tauri build step failed: {error:#}");
        std::process::exit(1);
    });
}
