//! All that is ever announced. State travels as a snapshot; events are for what must not be missed.

use std::sync::Arc;

use forgekeeper_domain::{ids::ServiceId, incident::Incident, job::Job, notes::Note};

use crate::state::KeeperState;

/// An announcement.
#[derive(Debug, Clone)]
pub enum KeeperEvent {
    /// Something changed; the snapshot says what is true now.
    State(Arc<KeeperState>),
    /// A job moved or ended.
    Job(Box<Job>),
    /// An incident opened.
    IncidentOpened(Incident),
    /// An incident was proved gone.
    IncidentClosed(Incident),
    /// Something changed on a service without being a problem; for the journal.
    Noted(ServiceId, Note),
    /// A snapshot of a service's configuration was taken, removed or pinned.
    SnapshotsChanged(ServiceId),
    /// Something of the migration changed; its view says what is true now.
    Migration,
}
