//! Integration tests over real sockets and a real engine. One binary, one module per story.

#![allow(
    clippy::disallowed_methods,
    reason = "tests start engines and other programs, and write their own files"
)]
#![allow(
    clippy::format_collect,
    clippy::large_futures,
    clippy::unnecessary_debug_formatting,
    reason = "what a test builds is small, and what it tells is for whoever mends it"
)]

mod backup;
mod bad_input;
mod carried;
mod cli_json;
mod config_faults;
mod config_guard;
mod config_guard_engine;
mod config_page;
mod docker_engine;
mod docker_faults;
mod docker_foreign;
mod docker_lab;
mod docker_tls;
mod faults;
mod found_again;
mod gallery;
mod golden;
mod gpu_nvml;
mod gpu_troubles;
mod logs_cli;
mod logs_known;
mod logs_silent;
mod logs_timeline;
mod migration_beside;
mod migration_beside_engine;
mod migration_by_command;
mod migration_cli;
mod migration_decide;
mod migration_iis;
mod migration_image;
mod migration_journey;
mod migration_killed;
mod migration_last;
mod migration_last_engine;
mod models;
mod own_rules;
mod pictures;
mod pictures_asked;
mod pictures_comfyui;
mod placement;
mod restore;
mod restore_engine;
mod rig;
mod room;
mod settings_change;
mod shutdown;
mod skipped;
mod story;
mod story_engine;
mod workflows;
