//! The one snapshot of everything, published through a watch channel.
//!
//! The window, the command line and the tests read this and nothing else. Its JSON form is the
//! stable shape of `--json` and of the window's `state` event.

use forgekeeper_domain::{
    Timestamp,
    container::ContainerSnapshot,
    facts::{Busy, SupervisorState},
    generation::GenerationRecord,
    gpu::GpuView,
    ids::{HostId, JobId, ServiceId},
    incident::Incident,
    job::Job,
    ladder::Ladder,
    logs::{LogMeter, rules::RuleProblem},
    outcome::{Outcome, Status},
    placement::Placement,
    restart::Forecasts,
    service::KindId,
};
use serde::Serialize;

/// Everything known at one moment.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
pub struct KeeperState {
    /// Counts up with each change.
    pub revision: u32,
    /// When this snapshot was made.
    #[cfg_attr(feature = "specta", specta(type = String))]
    pub at: Timestamp,
    /// Whether the demo host is shown.
    pub demo: bool,
    /// Hosts with their engines.
    pub hosts: Vec<HostState>,
    /// Services in the order of the settings.
    pub services: Vec<ServiceState>,
    /// Open incidents, gravest first.
    pub incidents: Vec<Incident>,
    /// Running jobs, then those ended lately, newest first.
    pub jobs: Vec<Job>,
    /// The settings file.
    pub settings: SettingsStatus,
    /// The user's own rules for logs.
    pub rules: RulesStatus,
}

impl KeeperState {
    /// The other services of a service's host that make a picture now.
    pub(crate) fn others_at_work<'a>(
        &'a self,
        id: &'a ServiceId,
    ) -> impl Iterator<Item = &'a ServiceState> {
        let ours = self.services.iter().find(|service| service.id == *id);
        let host = ours.map(|service| &service.host);
        self.services
            .iter()
            .filter(move |s| s.id != *id && Some(&s.host) == host && s.busy.is_some())
    }
}

/// A host and its engine.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
pub struct HostState {
    /// Its id.
    pub id: HostId,
    /// Endpoint in use or tried last.
    pub endpoint: Option<String>,
    /// Where the endpoint was found: `forgekeeper.toml`, `DOCKER_HOST`, `context NAME`, `default`.
    pub origin: Option<String>,
    /// Engine version, while it answers.
    pub engine_version: Option<String>,
    /// Negotiated API version, while it answers.
    pub api_version: Option<String>,
    /// The host rung.
    pub host: Outcome,
    /// The engine rung.
    pub engine: Outcome,
    /// Milliseconds until the next attempt to connect, while it does not answer.
    pub retry_in_ms: Option<u32>,
    /// Its GPUs.
    pub gpus: GpuView,
}

/// A service with its ladder.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
pub struct ServiceState {
    /// Its id.
    pub id: ServiceId,
    /// Its kind.
    pub kind: KindId,
    /// Its host.
    pub host: HostId,
    /// Container name as configured.
    pub container_name: String,
    /// The container as last seen; `None` when missing or never seen.
    pub container: Option<ContainerSnapshot>,
    /// API address as configured.
    pub api: Option<String>,
    /// Public address as configured.
    pub public_url: Option<String>,
    /// GPU index declared in the settings.
    pub declared_gpu: Option<u32>,
    /// One status for the whole service.
    pub status: Status,
    /// All rungs.
    pub ladder: Ladder,
    /// What supervisor says.
    pub program_state: Option<SupervisorState>,
    /// Round trip of the last good API probe, milliseconds.
    pub api_latency_ms: Option<u32>,
    /// Models listed by the last good probe.
    pub models: Option<u32>,
    /// Running generation, ours or another's.
    pub busy: Option<Busy>,
    /// Whether `busy` was measured: without it `null` does not mean idle.
    pub busy_known: bool,
    /// The action under way.
    pub acting: Option<JobId>,
    /// How long each kind of action took before.
    pub forecasts: Forecasts,
    /// Restarts through Forgekeeper in the last 30 days, from the journal.
    pub restarts_30d: Option<u32>,
    /// Last generation on this service.
    pub last_generation: Option<GenerationRecord>,
    /// How alive its log is.
    pub log: LogMeter,
    /// Which card it computes on: declared, reported, measured.
    pub placement: Placement,
    /// Where credentials for it are kept, when there are any.
    pub credentials: Option<SecretPlace>,
}

/// Where a secret lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
#[serde(rename_all = "snake_case")]
pub enum SecretPlace {
    /// In the operating system's keyring.
    Keyring,
    /// In memory only: gone when the application ends, because no keyring is available.
    Memory,
    /// The keyring did not answer, or is locked: there may be some.
    Unknown,
}

/// The settings file as last read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
pub struct SettingsStatus {
    /// Path of `forgekeeper.toml`.
    pub path: String,
    /// Whether it exists; without it the first start discovers.
    pub exists: bool,
    /// What is wrong with it; the configuration read before stays in force.
    pub problem: Option<SettingsProblem>,
    /// Whether the keyring can be used.
    pub keyring_available: Option<bool>,
}

/// The rules file as last read.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
pub struct RulesStatus {
    /// Path of `rules.toml`.
    pub path: String,
    /// Whether it exists.
    pub exists: bool,
    /// Counts up with each change of what is in force: what ids mean has to be asked again.
    pub version: u32,
    /// Own rules in force.
    pub own: u32,
    /// Signatures that are silenced now.
    pub silenced: u32,
    /// What is wrong with the file; the rules read before stay in force.
    pub problems: Vec<RuleProblem>,
}

/// An error in the settings file: place, reason, remedy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, thiserror::Error)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
#[error("{}{reason}", line.map(|l| format!("line {l}: ")).unwrap_or_default())]
pub struct SettingsProblem {
    /// Line, from 1, when the place is known.
    pub line: Option<u32>,
    /// Column, from 1.
    pub column: Option<u32>,
    /// What is wrong.
    pub reason: String,
    /// What to do.
    pub remedy: String,
}
