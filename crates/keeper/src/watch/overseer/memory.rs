//! What the overseer remembers of each host and service between reports.

use std::sync::Arc;

use forgekeeper_domain::{
    Timestamp,
    container::ContainerSnapshot,
    facts::{
        ApiFact, ConfigTrouble, ContainerFact, ContextLost, EngineFact, Facts, ImageFact, LogFact,
        Measured, ProgramFact, RecentStarts, SupervisorState, WorkspaceFact,
    },
    generation::GenerationRecord,
    gpu::{GpuSourceInfo, GpuView, shares::Remainder},
    ids::HostId,
    ladder::{Ladder, Rung},
    logs::{LogMeter, LogSource},
    notes::NoteBook,
    outcome::Status,
    placement::Proofs,
    service::ServiceKind,
};

use super::{LastAnswer, deeds::Deeds, host_outcome, supervised, usual_start_s};
use crate::{
    docker::host::HostView,
    settings::ServiceSettings,
    state::{HostState, SecretPlace},
    sys::kernel,
    watch::facts::{ConfigReport, History},
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
    /// As judged last: what has not changed keeps its time.
    ladder: Option<Ladder>,
}

impl HostMemory {
    /// The container of this name, when it exists.
    pub(super) fn container(&self, name: &str) -> Option<ContainerSnapshot> {
        match self.view.as_ref()?.container_fact(name)?.value {
            ContainerFact::Present(snapshot) => Some(*snapshot),
            ContainerFact::Missing { .. } | ContainerFact::NotMeasurable { .. } => None,
        }
    }

    /// Whether the engine says that there is no such container.
    pub(super) fn is_missing(&self, name: &str) -> bool {
        let fact = self.view.as_ref().and_then(|v| v.container_fact(name));
        fact.is_some_and(|fact| matches!(fact.value, ContainerFact::Missing { .. }))
    }
}

/// Says whose the memory may be that nobody claims of the cards of a host.
pub(super) fn name_remainder(host: &mut HostState, memory: Option<&HostMemory>) {
    let engine = memory.and_then(|memory| memory.view.as_ref()?.engine.as_ref());
    let engine = engine.and_then(|engine| match &engine.value {
        EngineFact::Answering { kernel, .. } => kernel.as_deref(),
        _ => None,
    });
    let remainder = Remainder::of(&host.gpus.source, kernel::version(), engine);
    for shares in host.gpus.cards.iter_mut().flat_map(|card| &mut card.shares) {
        shares.remainder = remainder;
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
    program_phase: Option<(Phase, Timestamp)>,
    pub(super) api: Option<Measured<ApiFact>>,
    /// Its placement proofs.
    pub(super) proofs: Proofs,
    image: Option<Measured<ImageFact>>,
    workspace: Option<Measured<WorkspaceFact>>,
    configuration: Option<Measured<Vec<ConfigTrouble>>>,
    pub(super) log: Option<LogMeter>,
    deeds: Deeds,
    pub(super) history: History,
    pub(super) credentials: Option<SecretPlace>,
    pub(super) ladder: Option<Ladder>,
    pub(super) notes: NoteBook,
}

/// Supervisor's states, where its attempts to start the program are one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// STARTING and BACKOFF in turn.
    Starts,
    /// Any other.
    Is(SupervisorState),
}

impl Phase {
    fn of(state: SupervisorState) -> Self {
        match state {
            SupervisorState::Starting | SupervisorState::Backoff => Phase::Starts,
            other => Phase::Is(other),
        }
    }
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
            self.program_phase = None;
        }
        let phase = supervised(&fact.value).map(Phase::of);
        self.program_phase = match (phase, self.program_phase) {
            (Some(now), Some((before, since))) if now == before => Some((before, since)),
            (now, _) => now.map(|phase| (phase, fact.at)),
        };
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
        let now = fact.at.as_second();
        self.program_starts
            .retain(|at| (now - at.as_second()).abs() <= STARTS_KEPT_S);
        self.program = Some(fact);
    }

    /// Drops everything that was measured; what the store knows stays.
    pub(super) fn forget_measurements(&mut self) {
        *self = Self {
            history: std::mem::take(&mut self.history),
            credentials: self.credentials,
            // Its basis says whether it still counts.
            proofs: std::mem::take(&mut self.proofs),
            ..Self::default()
        };
    }

    /// Takes the end of a probe of a service of this kind.
    pub(super) fn api(&mut self, fact: Measured<ApiFact>, kind: Option<&dyn ServiceKind>) {
        if let Some(kind) = kind {
            self.deeds.saw(&fact, kind, self.spoke_at());
        }
        self.api = Some(fact);
    }

    /// Takes what a look at the configuration found.
    pub(super) fn config(&mut self, report: ConfigReport) {
        self.workspace = report.workspace;
        let before = self.configuration.take().filter(|_| report.same_run);
        self.configuration = report.configuration.or(before);
    }

    /// Takes a finished generation as the newest picture.
    pub(super) fn generation(&mut self, record: GenerationRecord) {
        self.image = Some(image_fact(&record));
        if record.error.is_none() {
            self.deeds.done(record.started_at, self.spoke_at());
        }
        self.history.last_generation = Some(record);
    }

    /// Takes what the store says about the past.
    pub(super) fn history(&mut self, history: History) {
        if self.image.is_none() {
            self.image = history.last_generation.as_ref().map(image_fact);
        }
        self.history = history;
    }

    /// Latency and models of the last good answer.
    pub(super) fn answered(&self) -> LastAnswer {
        match self.api.as_ref().map(|m| &m.value) {
            Some(ApiFact::Answered {
                models, latency_ms, ..
            }) => (Some(*latency_ms), *models),
            _ => (None, None),
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
            program_phase_since: self.program_phase.map(|(_, since)| since),
            api_configured: service.api.is_some(),
            api: self.api.clone(),
            image: self.image.clone(),
            workspace: self.workspace.clone(),
            configuration: self.configuration.clone(),
            public_configured: service.public_url.is_some(),
            usual_start_s: Some(usual_start_s(service, self.history.usual_start_s)),
            log: self.log.as_ref().map(|log| self.log_fact(log, now)),
            ..Facts::none(now)
        }
    }
}

impl ServiceMemory {
    fn spoke_at(&self) -> Option<Timestamp> {
        self.log.as_ref().and_then(|log| log.spoke_at)
    }

    fn log_fact(&self, log: &LogMeter, now: Timestamp) -> Measured<LogFact> {
        let lost = log.said.findings.iter().find(|f| f.is_context_lost());
        let fact = LogFact {
            last_line_at: log.spoke_at,
            file: match &log.source {
                LogSource::File { path } => Some(path.clone()),
                LogSource::Stream => None,
            },
            // A log that is not read, or still tells of the past, proves nothing by its silence.
            deed_at: self
                .deeds
                .at()
                .filter(|_| log.connected && !log.catching_up),
            context_lost: lost.map(|finding| ContextLost {
                signature: finding.id.clone(),
                line: finding.text.clone(),
                at: finding.last,
            }),
        };
        Measured::new(fact, now)
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
            on_cpu: record.on_cpu,
            took_ms: record.took_ms,
            error,
        },
        at,
    )
}

/// A host as published.
pub(super) fn host_state(id: &HostId, memory: &mut HostMemory, now: Timestamp) -> HostState {
    let view = memory.view.as_deref();
    let mut facts = Facts::none(now);
    facts.host = view.and_then(|v| v.host.clone());
    facts.engine = view.and_then(|v| v.engine.clone());
    let ladder = Ladder::climb(&facts, memory.ladder.as_ref());
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
    let state = HostState {
        id: id.clone(),
        endpoint: resolved.map(|r| r.endpoint.to_string()),
        origin: resolved.map(|r| r.origin.clone()),
        engine_version,
        api_version,
        host: host_outcome(&ladder, Rung::Host),
        // It answers all the same: what is wrong beside that is told, not judged.
        engine: host_outcome(&ladder, Rung::Engine)
            .with_some("events", view.and_then(|v| v.trouble.as_ref())),
        retry_in_ms: view.and_then(|v| v.retry_in_ms),
        gpus: memory.gpus.as_deref().cloned().unwrap_or(GpuView {
            source: GpuSourceInfo::None { tried: Vec::new() },
            cards: Vec::new(),
            checked_at: None,
            error: None,
        }),
    };
    memory.ladder = Some(ladder);
    state
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

    fn says(second: i64, state: SupervisorState) -> Measured<ProgramFact> {
        let fact = ProgramFact::Supervised {
            state,
            detail: String::new(),
            uptime_s: None,
        };
        Measured::new(fact, at(second))
    }

    #[test]
    fn attempts_to_start_are_one_phase_and_a_new_container_begins_another() {
        use SupervisorState::{Backoff, Running, Starting};
        let mut memory = ServiceMemory::default();
        let since = |memory: &ServiceMemory| memory.program_phase.map(|(_, since)| since);
        let run = Some(at(-10));
        for (second, state, expected) in [
            (0, Starting, 0),
            (4, Backoff, 0),
            (8, Starting, 0),
            (12, Running, 12),
            (16, Running, 12),
            (20, Starting, 20),
        ] {
            memory.program(says(second, state), run, false);
            assert_eq!(since(&memory), Some(at(expected)), "{second}");
        }
        memory.program(says(24, Starting), Some(at(22)), false);
        assert_eq!(since(&memory), Some(at(24)));
        let gone = Measured::new(ProgramFact::NotSupervised, at(28));
        memory.program(gone, Some(at(22)), false);
        assert_eq!(since(&memory), None);
    }

    #[test]
    fn a_log_that_is_not_read_or_tells_of_the_past_proves_nothing_by_its_silence() {
        let mut memory = ServiceMemory::default();
        memory.deeds.done(at(0), None);
        for (connected, catching_up, expected) in [
            (true, false, Some(at(0))),
            (true, true, None),
            (false, false, None),
        ] {
            let log = LogMeter {
                connected,
                catching_up,
                ..LogMeter::unopened()
            };
            assert_eq!(memory.log_fact(&log, at(99)).value.deed_at, expected);
        }
    }

    #[test]
    fn settings_that_cannot_be_read_any_more_fade_and_those_of_another_run_are_forgotten() {
        let found = |second, configuration: Option<Vec<ConfigTrouble>>, same_run| ConfigReport {
            workspace: None,
            configuration: configuration.map(|found| Measured::new(found, at(second))),
            same_run,
        };
        let mut memory = ServiceMemory::default();
        memory.config(found(0, Some(Vec::new()), false));
        memory.config(found(10, None, true));
        let kept = memory.configuration.as_ref().map(|fact| fact.at);
        assert_eq!(kept, Some(at(0)), "with its time, so that it fades");
        memory.config(found(20, None, false));
        assert_eq!(memory.configuration, None);
    }

    #[test]
    fn what_moved_is_measured_anew_and_its_past_is_kept() {
        let mut memory = ServiceMemory::default();
        memory.program(up(0, 900), Some(at(-1000)), false);
        memory.history.restarts_30d = Some(4);
        memory.forget_measurements();
        assert_eq!(memory.program, None);
        assert_eq!(memory.history.restarts_30d, Some(4));
    }

    #[test]
    fn a_host_that_has_not_changed_keeps_its_time() {
        let id = HostId::new("local").expect("an id");
        let mut memory = HostMemory::default();
        let first = host_state(&id, &mut memory, at(0));
        let later = host_state(&id, &mut memory, at(60));
        assert_eq!(later.engine.since, first.engine.since);
        assert_eq!(later.engine.since, Some(at(0)));
    }
}
