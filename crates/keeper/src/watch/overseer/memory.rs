//! What the overseer remembers of each host and service between reports.

use std::sync::Arc;

use forgekeeper_domain::{
    Timestamp,
    container::ContainerSnapshot,
    facts::{
        ApiFact, ContainerFact, EngineFact, Facts, ImageFact, Measured, ProgramFact, RecentStarts,
        SupervisorState,
    },
    generation::GenerationRecord,
    gpu::{GpuSourceInfo, GpuView},
    ids::HostId,
    ladder::{Ladder, Rung},
    logs::LogMeter,
    outcome::Status,
};

use super::{LastAnswer, host_outcome, supervised, usual_start_s};
use crate::{
    docker::host::HostView,
    settings::ServiceSettings,
    state::{HostState, SecretPlace},
    watch::facts::History,
};

/// Starts older than this no longer matter for a crash loop.
const STARTS_KEPT_S: i64 = 900;
/// Supervisor's uptime and our clock may disagree by this much before it counts as a new start.
const UPTIME_TOLERANCE_S: i64 = 3;

/// A host.
#[derive(Debug, Default)]
pub(super) struct HostMemory {
    pub(super) view: Option<Arc<HostView>>,
    pub(super) gpus: Option<Arc<GpuView>>,
}

impl HostMemory {
    /// The container of this name, when it exists.
    pub(super) fn container(&self, name: &str) -> Option<ContainerSnapshot> {
        match self.view.as_ref()?.container_fact(name)?.value {
            ContainerFact::Present(snapshot) => Some(*snapshot),
            ContainerFact::Missing { .. } => None,
        }
    }
}

/// A service.
#[derive(Debug, Default)]
pub(super) struct ServiceMemory {
    program: Option<Measured<ProgramFact>>,
    /// Start of the container in which the program was seen.
    program_run: Option<Timestamp>,
    program_began: Option<i64>,
    program_starts: Vec<Timestamp>,
    api: Option<Measured<ApiFact>>,
    image: Option<Measured<ImageFact>>,
    pub(super) log: Option<LogMeter>,
    pub(super) history: History,
    pub(super) credentials: Option<SecretPlace>,
    pub(super) ladder: Option<Ladder>,
}

impl ServiceMemory {
    /// Takes supervisor's word; an uptime that fell back is a start nobody asked for here.
    /// `run` is the start of the container: what starts with it is no restart of the program.
    pub(super) fn program(
        &mut self,
        fact: Measured<ProgramFact>,
        run: Option<Timestamp>,
        asked: bool,
    ) {
        if run.is_some() && run != self.program_run {
            self.program_run = run;
            self.program_began = None;
            self.program_starts.clear();
        }
        if let ProgramFact::Supervised {
            state: SupervisorState::Running | SupervisorState::Starting,
            uptime_s: Some(uptime),
            ..
        } = fact.value
        {
            let began = fact.at.as_second() - i64::from(uptime);
            let again = self
                .program_began
                .is_some_and(|before| began - before > UPTIME_TOLERANCE_S);
            if again && !asked {
                self.program_starts.push(fact.at);
            }
            self.program_began = Some(began);
        }
        let oldest = fact.at.as_second() - STARTS_KEPT_S;
        self.program_starts.retain(|at| at.as_second() >= oldest);
        self.program = Some(fact);
    }

    /// Takes the end of a probe.
    pub(super) fn api(&mut self, fact: Measured<ApiFact>) {
        self.api = Some(fact);
    }

    /// Takes a finished generation as the newest picture.
    pub(super) fn generation(&mut self, record: GenerationRecord) {
        self.image = Some(image_fact(&record));
        self.history.last_generation = Some(record);
    }

    /// Takes what the store says about the past.
    pub(super) fn history(&mut self, history: History) {
        if self.image.is_none() {
            self.image = history.last_generation.as_ref().map(image_fact);
        }
        self.history = history;
    }

    /// Latency, models and busy of the last good answer.
    pub(super) fn answered(&self) -> LastAnswer {
        match self.api.as_ref().map(|m| &m.value) {
            Some(ApiFact::Answered {
                models,
                latency_ms,
                busy,
                ..
            }) => (Some(*latency_ms), *models, busy.clone()),
            _ => (None, None, None),
        }
    }

    /// Supervisor's word, while the rung was judged on it.
    pub(super) fn program_state(&self, ladder: &Ladder) -> Option<SupervisorState> {
        let rung = ladder.outcome(Rung::Program)?;
        if rung.status == Status::Unknown {
            return None;
        }
        supervised(&self.program.as_ref()?.value)
    }

    /// Everything measured, as the ladder wants it.
    pub(super) fn facts(
        &self,
        service: &ServiceSettings,
        host: Option<&HostMemory>,
        now: Timestamp,
    ) -> Facts {
        let view = host.and_then(|h| h.view.as_deref());
        let container = view.and_then(|v| v.container_fact(&service.container));
        Facts {
            now,
            host: view.and_then(|v| v.host.clone()),
            engine: view.and_then(|v| v.engine.clone()),
            container_starts: view
                .map(|v| v.unasked_starts(&service.container))
                .unwrap_or_default(),
            container,
            program: self.program.clone(),
            program_starts: RecentStarts {
                at: self.program_starts.clone(),
            },
            api: self.api.clone(),
            image: self.image.clone(),
            public_configured: service.public_url.is_some(),
            usual_start_s: Some(usual_start_s(service, self.history.usual_start_s)),
        }
    }
}

fn image_fact(record: &GenerationRecord) -> Measured<ImageFact> {
    let took = std::time::Duration::from_millis(u64::from(record.took_ms));
    let at = record
        .started_at
        .checked_add(took)
        .unwrap_or(record.started_at);
    let error = record.error.as_ref().map(|e| (e.code, e.message.clone()));
    Measured::new(
        ImageFact {
            verdict: record.verdict,
            took_ms: record.took_ms,
            error,
        },
        at,
    )
}

/// A host as published.
pub(super) fn host_state(id: &HostId, memory: Option<&HostMemory>, now: Timestamp) -> HostState {
    let view = memory.and_then(|m| m.view.as_deref());
    let mut facts = Facts::none(now);
    facts.host = view.and_then(|v| v.host.clone());
    facts.engine = view.and_then(|v| v.engine.clone());
    let ladder = Ladder::climb(&facts, None);
    let (engine_version, api_version) = match view.and_then(|v| v.engine.as_ref()).map(|e| &e.value)
    {
        Some(EngineFact::Answering {
            version,
            api_version,
            ..
        }) => (Some(version.clone()), Some(api_version.clone())),
        _ => (None, None),
    };
    let resolved = view.and_then(|v| v.resolved.as_ref());
    HostState {
        id: id.clone(),
        endpoint: resolved.map(|r| r.endpoint.to_string()),
        origin: resolved.map(|r| r.origin.clone()),
        engine_version,
        api_version,
        host: host_outcome(&ladder, Rung::Host),
        engine: host_outcome(&ladder, Rung::Engine),
        retry_in_ms: view.and_then(|v| v.retry_in_ms),
        gpus: memory
            .and_then(|m| m.gpus.as_deref())
            .cloned()
            .unwrap_or(GpuView {
                source: GpuSourceInfo::None { tried: Vec::new() },
                cards: Vec::new(),
                checked_at: None,
                error: None,
            }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + second).expect("a time")
    }

    fn up(second: i64, uptime: u32) -> Measured<ProgramFact> {
        let fact = ProgramFact::Supervised {
            state: SupervisorState::Running,
            detail: String::new(),
            uptime_s: Some(uptime),
        };
        Measured::new(fact, at(second))
    }

    #[test]
    fn only_starts_that_nobody_asked_for_count() {
        let mut memory = ServiceMemory::default();
        let first = Some(at(-1000));
        memory.program(up(0, 900), first, false);
        memory.program(up(8, 908), first, false);
        assert_eq!(memory.program_starts, []);
        memory.program(up(16, 2), first, false);
        assert_eq!(memory.program_starts, [at(16)], "by itself");
        memory.program(up(24, 1), first, true);
        assert_eq!(memory.program_starts, [at(16)], "asked for");
        // The engine told nothing at this moment: still the same run.
        memory.program(up(32, 3), None, false);
        assert_eq!(memory.program_starts, [at(16), at(32)]);
        memory.program(up(40, 2), Some(at(37)), false);
        assert_eq!(memory.program_starts, [], "with its container");
        memory.program(up(48, 1), Some(at(37)), false);
        assert_eq!(memory.program_starts, [at(48)]);
    }
}
