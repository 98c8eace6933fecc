//! What the overseer is told. All inputs of its loop are in one enum.

use std::{collections::BTreeMap, sync::Arc};

use forgekeeper_domain::{
    Timestamp,
    facts::{ApiFact, ConfigTrouble, Measured, ProgramFact, WorkspaceFact},
    generation::GenerationRecord,
    gpu::GpuView,
    ids::{HostId, ServiceId},
    job::Job,
    logs::LogMeter,
    placement::Measurement,
    restart::Forecasts,
};

use crate::{
    docker::host::HostView,
    settings::SettingsSnapshot,
    state::{RulesStatus, SecretPlace},
};

/// One report.
#[derive(Debug, Clone)]
pub(crate) enum Report {
    /// The settings file was read.
    Settings(SettingsSnapshot),
    /// A host's engine and containers.
    Host(HostId, Arc<HostView>),
    /// A host's cards.
    Gpu(HostId, Arc<GpuView>),
    /// What supervisor said.
    Program(ServiceId, Measured<ProgramFact>),
    /// How an API probe ended.
    Api(ServiceId, Measured<ApiFact>),
    /// What a look at the configuration found.
    Config(ServiceId, Box<ConfigReport>),
    /// How alive a log is.
    Log(ServiceId, Box<LogMeter>),
    /// A job began, moved or ended.
    Job(Box<Job>),
    /// A placement proof ended, or was found in the history.
    Placement(Box<Measurement>),
    /// A generation ended.
    Generation(Box<GenerationRecord>),
    /// What the history says about a service.
    History(ServiceId, Box<History>),
    /// Where credentials are kept.
    Credentials(ServiceId, Option<SecretPlace>),
    /// Whether the keyring can be used.
    Keyring(bool),
    /// Services that the owner's plan has at rest, since when.
    Resting(BTreeMap<ServiceId, Timestamp>),
    /// The rules file was read, or a silence ended.
    Rules(RulesStatus),
}

/// What a look at the configuration of a service found.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ConfigReport {
    /// Whether its workspace is kept; `None` when it has none.
    pub workspace: Option<Measured<WorkspaceFact>>,
    /// What is wrong with its settings; `None` when they could not be read.
    pub configuration: Option<Measured<Vec<ConfigTrouble>>>,
    /// Whether what was found before is of the same run of the container: it fades then, and is
    /// forgotten otherwise.
    pub same_run: bool,
}

/// A service's past, from the store.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct History {
    /// Restarts of the last 30 days.
    pub restarts_30d: Option<u32>,
    /// How long each kind of action took.
    pub forecasts: Forecasts,
    /// Median time from container start to answering API, seconds.
    pub usual_start_s: Option<u32>,
    /// The newest generation.
    pub last_generation: Option<GenerationRecord>,
}

/// A fact as a running job wants to hear it, at once and unmerged.
#[derive(Debug, Clone)]
pub(crate) enum ServiceFact {
    /// What supervisor said.
    Program(Measured<ProgramFact>),
    /// How an API probe ended.
    Api(Measured<ApiFact>),
}

impl ServiceFact {
    /// When it was measured.
    pub(crate) fn at(&self) -> Timestamp {
        match self {
            ServiceFact::Program(fact) => fact.at,
            ServiceFact::Api(fact) => fact.at,
        }
    }
}
