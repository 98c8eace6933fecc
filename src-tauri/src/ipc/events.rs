//! What the window is told without asking.

use forgekeeper_domain::{ids::ServiceId, incident::Incident};
use forgekeeper_keeper::state::KeeperState;
use serde::Serialize;

/// The newest snapshot, at most ten a second.
#[derive(Debug, Clone, Serialize, specta::Type, tauri_specta::Event)]
pub(crate) struct StateChanged(pub(crate) KeeperState);

/// An incident opened, or came back.
#[derive(Debug, Clone, Serialize, specta::Type, tauri_specta::Event)]
pub(crate) struct IncidentOpened(pub(crate) Incident);

/// An incident was proved gone.
#[derive(Debug, Clone, Serialize, specta::Type, tauri_specta::Event)]
pub(crate) struct IncidentClosed(pub(crate) Incident);

/// A snapshot of a service's configuration was taken, removed or pinned.
#[derive(Debug, Clone, Serialize, specta::Type, tauri_specta::Event)]
pub(crate) struct SnapshotsChanged(pub(crate) ServiceId);

/// Something of the migration changed; its view says what is true now.
#[derive(Debug, Clone, Serialize, specta::Type, tauri_specta::Event)]
pub(crate) struct MigrationChanged;
