//! Incidents: one problem on the lowest broken rung, open until proved gone.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    cause::Cause,
    ids::{GpuUuid, HostId, ServiceId},
    ladder::Rung,
    outcome::{Evidence, Status},
};

pub mod rules;

/// What an incident is about.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
#[serde(tag = "of", content = "id", rename_all = "snake_case")]
pub enum Subject {
    /// A whole host: its engine concerns every service on it.
    Host(HostId),
    /// One service.
    Service(ServiceId),
    /// One graphics card.
    Gpu(GpuUuid),
}

/// One problem.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
pub struct Incident {
    /// Stable while open: subject and cause.
    pub id: String,
    /// What it is about.
    pub subject: Subject,
    /// Where on the ladder.
    pub rung: Rung,
    /// Degraded, failing or asleep.
    pub status: Status,
    /// Why.
    pub cause: Cause,
    /// Newest evidence.
    pub evidence: Vec<Evidence>,
    /// When it opened.
    #[cfg_attr(feature = "specta", specta(type = String))]
    pub opened_at: Timestamp,
    /// When it was last seen.
    #[cfg_attr(feature = "specta", specta(type = String))]
    pub last_seen_at: Timestamp,
    /// How often it opened or came back, counted once per change.
    pub count: u32,
    /// Three changes or more in five minutes.
    pub flapping: bool,
    /// Services that cannot be judged because of it.
    pub hides: Vec<ServiceId>,
}
