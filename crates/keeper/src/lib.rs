//! Everything that touches the outside world, as actors. Knows nothing of Tauri.

pub(crate) mod backup;
pub mod clients;
pub mod config;
pub mod discover;
pub mod docker;
pub mod event;
pub mod gpu;
pub mod inventory;
pub(crate) mod jobs;
pub mod keeper;
pub mod logs;
pub mod media;
pub mod migration;
pub mod presets;
pub mod program;
pub mod rules;
pub mod secrets;
pub mod settings;
pub mod state;
pub mod store;
pub mod sys;
pub(crate) mod watch;
pub mod workflows;
