//! Every row of the fault catalogue breaks its rung, opens one incident and heals.

use super::*;
use crate::{
    config::{Lost, LostKey},
    container::{ContainerSnapshot, Health, RunState},
    facts::{
        Activity, ApiFact, ConfigTrouble, ContextLost, EngineFact, HostFact, LogFact, MountSpace,
        RecentStarts, RegistryFact, SharedFile, WorkspaceFact, Writer,
    },
    ids::{ServiceId, SnapshotId},
    incident::rules::{
        Changes, IncidentBook,
        tests::{observe, touch},
    },
    ladder::Ladder,
    outcome::Status,
};

mod catalogue;

use catalogue::{TRANSIENT, rows};

pub(crate) const T: i64 = 1_800_000_000;

pub(crate) fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).expect("valid time")
}

pub(crate) fn now<T>(value: T) -> Option<Measured<T>> {
    Some(Measured::new(value, at(T)))
}

pub(crate) fn answering_api() -> ApiFact {
    ApiFact::Answered {
        models: Some(3),
        latency_ms: 38,
        activity: Activity::Idle,
        version: None,
        device: None,
    }
}

pub(crate) fn refused_engine() -> Measured<EngineFact> {
    Measured::new(
        EngineFact::Refused {
            endpoint: "unix:///x".into(),
            reason: "refused".into(),
        },
        at(T),
    )
}

pub(crate) fn container() -> ContainerSnapshot {
    ContainerSnapshot {
        id: "abc".into(),
        name: "myia-supervisor-1".into(),
        image: "ghcr.io/ai-dock/stable-diffusion-webui-forge:latest-cuda".into(),
        image_id: "sha256:1".into(),
        state: RunState::Running,
        exit_code: Some(0),
        oom_killed: false,
        error: None,
        started_at: Some(at(T - 75_600)),
        finished_at: None,
        created_at: None,
        restart_count: 0,
        health: None,
        memory_limit: None,
        tty: false,
        ports: vec![],
        compose_project: None,
        compose_service: None,
        compose_file: None,
        image_title: None,
        image_source: None,
        gpu_device_ids: vec![],
        gpu_count: None,
        command: vec![],
        env_names: vec![],
        gpu_env: vec![],
        compose_hash: None,
    }
}

/// A site on which everything up to `api` was measured and is good.
pub(crate) fn healthy() -> Facts {
    Facts {
        now: at(T),
        host: now(HostFact::Reachable),
        engine: now(EngineFact::Answering {
            version: "28.3.0".into(),
            api_version: "1.43".into(),
            kernel: None,
            ping_ms: 2,
        }),
        container: now(ContainerFact::Present(Box::new(container()))),
        container_starts: RecentStarts::default(),
        program: now(ProgramFact::Supervised {
            state: SupervisorState::Running,
            detail: "pid 61, uptime 21:00:00".into(),
            uptime_s: Some(75_600),
        }),
        program_starts: RecentStarts::default(),
        api_configured: true,
        api: now(answering_api()),
        usual_start_s: Some(60),
        ..Facts::none(at(T))
    }
}

/// As healthy, with the facts that nothing measures yet measured and good.
fn healthy_beside() -> Facts {
    Facts {
        space: now(vec![space(100 << 30)]),
        registry: now(build(30)),
        workspace: now(workspace(true)),
        configuration: now(vec![]),
        log: now(log(Some(T - 60))),
        ..healthy()
    }
}

fn space(free_bytes: u64) -> MountSpace {
    MountSpace {
        mount: "/workspace".into(),
        free_bytes,
        total_bytes: 200 << 30,
    }
}

fn build(days_ago: i64) -> RegistryFact {
    RegistryFact {
        image: "ghcr.io/ai-dock/stable-diffusion-webui-forge:latest-cuda".into(),
        digest: "sha256:1".into(),
        built_at: at(T - days_ago * 86_400),
    }
}

fn workspace(mounted: bool) -> WorkspaceFact {
    WorkspaceFact {
        path: "/workspace".into(),
        mounted,
        line: (!mounted).then(|| "/workspace is not a mounted volume".into()),
    }
}

pub(crate) fn refused_api() -> Facts {
    with_api(ApiFact::Refused {
        reason: "refused".into(),
    })
}

/// A generation ended a minute ago; the newest line is of this time.
fn log(line: Option<i64>) -> LogFact {
    LogFact {
        last_line_at: line.map(at),
        file: None,
        deed_at: Some(at(T - 60)),
        context_lost: None,
    }
}

/// The log says so many seconds ago that the CUDA context is lost.
fn context_lost(seconds: i64) -> LogFact {
    LogFact {
        context_lost: Some(ContextLost {
            signature: "cuda.illegal".into(),
            line: "RuntimeError: CUDA error: an illegal memory access was encountered".into(),
            at: Some(at(T - seconds)),
        }),
        ..log(Some(T - 5))
    }
}

fn unset(request: Option<&str>) -> ConfigTrouble {
    ConfigTrouble::ModelUnset {
        was: "sd_xl_base_1.0.safetensors".into(),
        request: request.map(str::to_owned),
        snapshot: None,
    }
}

/// The file of `myia` is that of `myia-turbo`, too.
pub(crate) fn shared(told_on: Option<&str>) -> SharedFile {
    SharedFile {
        file: "/home/a/workspace/stable-diffusion-webui-forge/config.json".into(),
        others: vec![Writer {
            service: ServiceId::new("myia-turbo").unwrap(),
            container: "myia-turbo-supervisor-1".into(),
        }],
        told_on: told_on.map(|id| ServiceId::new(id).unwrap()),
    }
}

fn configured(trouble: Vec<ConfigTrouble>) -> Facts {
    Facts {
        configuration: now(trouble),
        ..healthy()
    }
}

fn since(seconds: i64, facts: Facts) -> Facts {
    Facts {
        program_phase_since: Some(at(T - seconds)),
        ..facts
    }
}

pub(crate) fn with_container(change: impl Fn(&mut ContainerSnapshot)) -> Facts {
    let mut snapshot = container();
    change(&mut snapshot);
    Facts {
        container: now(ContainerFact::Present(Box::new(snapshot))),
        ..healthy()
    }
}

pub(crate) fn with_program(state: SupervisorState) -> Facts {
    let program = now(ProgramFact::Supervised {
        state,
        detail: String::new(),
        uptime_s: None,
    });
    Facts {
        program,
        ..healthy()
    }
}

pub(crate) fn with_program_up(uptime_s: u32) -> Facts {
    let program = now(ProgramFact::Supervised {
        state: SupervisorState::Running,
        detail: String::new(),
        uptime_s: Some(uptime_s),
    });
    Facts {
        program,
        ..healthy()
    }
}

pub(crate) fn with_api(fact: ApiFact) -> Facts {
    Facts {
        api: now(fact),
        ..healthy()
    }
}

#[test]
fn each_fault_breaks_its_rung_and_only_that_one() {
    for (fault, facts, rung, status, cause, evidence) in rows() {
        let ladder = Ladder::climb(&facts, None);
        let broken = ladder
            .lowest_broken()
            .unwrap_or_else(|| panic!("{fault}: nothing broken"));
        assert_eq!(broken.rung, rung, "{fault}");
        assert_eq!(broken.outcome.status, status, "{fault}");
        assert_eq!(
            broken.outcome.cause.map(Cause::code),
            Some(cause),
            "{fault}"
        );
        assert!(
            broken.outcome.checked_at.is_some(),
            "{fault}: a verdict has a time"
        );
        for name in evidence {
            let value = broken.outcome.evidence_value(name);
            assert!(
                value.is_some_and(|v| !v.is_empty()),
                "{fault}: {name} is missing in {:?}",
                broken.outcome.evidence
            );
        }
        assert_eq!(ladder.status(), status, "{fault}: the service's one status");
        for below in ladder.rungs.iter().filter(|r| r.rung < rung) {
            assert!(!below.outcome.status.blocks(), "{fault}: {below:?}");
        }
        if status != Status::Degraded {
            for above in ladder.rungs.iter().filter(|r| r.rung > rung) {
                assert_eq!(above.outcome.status, Status::Unknown, "{fault}: {above:?}");
                assert_eq!(above.outcome.cause, Some(Cause::RungBelow), "{fault}");
            }
        }
    }
}

#[test]
fn each_fault_opens_one_incident_that_closes_by_itself() {
    for (fault, facts, rung, status, cause, evidence) in rows() {
        let mut book = IncidentBook::default();
        assert_eq!(
            observe(&mut book, &healthy_beside()),
            Changes::default(),
            "{fault}: nothing is open before"
        );
        let changes = observe(&mut book, &facts);
        if TRANSIENT.contains(&fault) {
            assert_eq!(changes, Changes::default(), "{fault}: passes by itself");
            continue;
        }
        assert_eq!(changes.opened.len(), 1, "{fault}");
        assert_eq!(changes.closed, [], "{fault}");
        assert_eq!(book.open(), changes.opened, "{fault}");
        let incident = &changes.opened[0];
        assert_eq!(
            (incident.rung, incident.status, incident.cause.code()),
            (rung, status, cause),
            "{fault}"
        );
        for name in evidence {
            assert!(
                incident.evidence.iter().any(|e| e.name == *name),
                "{fault}: {name}"
            );
        }
        let mut again = facts.clone();
        again.now = at(T + 1);
        touch(&mut again, at(T + 1));
        assert_eq!(
            observe(&mut book, &again),
            Changes::default(),
            "{fault}: the same is no news"
        );
        let mut healed = healthy_beside();
        healed.now = at(T + 10);
        touch(&mut healed, at(T + 10));
        let changes = observe(&mut book, &healed);
        assert_eq!(changes.opened, [], "{fault}");
        assert_eq!(changes.closed.len(), 1, "{fault}");
        assert_eq!(book.open(), [], "{fault}: closed");
    }
}

#[test]
fn what_was_not_measured_beside_has_no_say() {
    for facts in [healthy(), healthy_beside()] {
        let ladder = Ladder::climb(&facts, None);
        for rung in [Rung::Container, Rung::Program] {
            let outcome = ladder.outcome(rung).expect("judged");
            assert_eq!(outcome.status, Status::Ok, "{rung:?}");
        }
    }
    let mut old = healthy_beside();
    if let Some(space) = &mut old.space {
        space.at = at(T - STALE_AFTER_S - 1);
    }
    let ladder = Ladder::climb(&old, None);
    let container = ladder.outcome(Rung::Container).expect("judged");
    assert_eq!(
        container.cause,
        Some(Cause::Stale),
        "what was measured and is not any more is unknown, not good"
    );
}

#[test]
fn the_worst_check_of_a_rung_names_it_and_the_first_of_equals() {
    let both = Facts {
        space: now(vec![space(0)]),
        workspace: now(workspace(false)),
        ..with_container(|c| c.state = RunState::Paused)
    };
    let ladder = Ladder::climb(&both, None);
    assert_eq!(
        ladder.rungs[2].check, "container.state",
        "the first of equals"
    );
    let full = Facts {
        space: now(vec![space(0)]),
        ..with_container(|c| c.health = Some(Health::Unhealthy))
    };
    assert_eq!(Ladder::climb(&full, None).rungs[2].check, "container.space");
    let starting = Facts {
        log: now(log(None)),
        ..since(3, with_program(SupervisorState::Starting))
    };
    assert_eq!(
        Ladder::climb(&starting, None).rungs[3].check,
        "program.log",
        "what stays is worse than what passes"
    );
}

#[test]
fn a_lost_context_is_of_the_process_that_lost_it() {
    for (up, lost, told) in [(600, 20, true), (600, 700, false), (10, 20, false)] {
        let facts = Facts {
            log: now(context_lost(lost)),
            ..with_program_up(up)
        };
        let rung = &Ladder::climb(&facts, None).rungs[3];
        let cause = rung.outcome.cause == Some(Cause::ProgramContextLost);
        assert_eq!(cause, told, "up for {up} s, lost {lost} s ago");
    }
}

#[test]
fn a_healthy_site_is_green_up_to_the_api_and_honest_above() {
    let ladder = Ladder::climb(&healthy(), None);
    assert_eq!(ladder.status(), Status::Ok);
    assert!(ladder.lowest_broken().is_none());
    let image = ladder.outcome(Rung::Image).expect("image rung");
    assert_eq!(
        image.status,
        Status::Unknown,
        "no picture is not a green picture"
    );
    let public = ladder.outcome(Rung::Public).expect("public rung");
    assert_eq!(public.status, Status::NotConfigured);
}

#[test]
fn nothing_measured_is_unknown_everywhere() {
    let ladder = Ladder::climb(&Facts::none(at(T)), None);
    assert_eq!(ladder.status(), Status::Unknown);
    assert!(ladder.rungs.iter().all(|r| r.outcome.status != Status::Ok));
}

#[test]
fn an_old_measurement_is_not_believed() {
    let mut facts = healthy();
    facts.now = at(T + STALE_AFTER_S + 1);
    let ladder = Ladder::climb(&facts, None);
    assert_eq!(ladder.status(), Status::Unknown);
    let api = ladder.outcome(Rung::Api).expect("api rung");
    assert_eq!(api.cause, Some(Cause::Stale));
    assert_eq!(
        api.checked_at,
        Some(at(T)),
        "it says when it was last known"
    );
}

#[test]
fn an_answer_of_the_run_before_proves_nothing() {
    let mut facts = with_container(|c| c.started_at = Some(at(T + 1)));
    facts.now = at(T + 2);
    facts.program = None;
    let ladder = Ladder::climb(&facts, None);
    let api = ladder.outcome(Rung::Api).expect("api rung");
    assert_eq!(api.status, Status::Unknown);
}

#[test]
fn the_program_of_the_run_before_proves_nothing() {
    let mut facts = with_container(|c| c.started_at = Some(at(T + 1)));
    facts.now = at(T + 2);
    let ladder = Ladder::climb(&facts, None);
    let program = ladder.outcome(Rung::Program).expect("program rung");
    assert_eq!(
        (program.status, program.cause),
        (Status::Unknown, Some(Cause::NotMeasuredYet))
    );
}

#[test]
fn between_two_runs_nothing_above_the_container_is_green() {
    let facts = with_container(|c| c.state = RunState::Restarting);
    let ladder = Ladder::climb(&facts, None);
    for rung in [Rung::Program, Rung::Api] {
        let outcome = ladder.outcome(rung).expect("judged");
        assert_eq!(
            (outcome.status, outcome.cause),
            (Status::Unknown, Some(Cause::RungBelow)),
            "{rung:?}"
        );
    }
    assert_eq!(ladder.status(), Status::Degraded);
}

#[test]
fn a_container_that_cannot_be_looked_at_is_unknown_with_the_reason() {
    let reason = "the engine did not answer `inspect` within 5 s";
    let facts = Facts {
        container: now(ContainerFact::NotMeasurable {
            reason: reason.into(),
        }),
        ..healthy()
    };
    let ladder = Ladder::climb(&facts, None);
    let container = ladder.outcome(Rung::Container).expect("judged");
    assert_eq!(
        (container.status, container.cause),
        (Status::Unknown, Some(Cause::NotMeasurable))
    );
    assert_eq!(container.evidence_value("detail"), Some(reason));
}

#[test]
fn busy_is_not_hung() {
    let facts = with_api(ApiFact::TimedOut {
        deadline_ms: 5000,
        progress_moves: true,
    });
    assert_eq!(Ladder::climb(&facts, None).status(), Status::Ok);
}

#[test]
fn what_stays_up_is_out_of_its_loop() {
    let starts = || RecentStarts {
        at: vec![at(T - 300), at(T - 200), at(T - 150)],
    };
    let container = Facts {
        container_starts: starts(),
        ..with_container(|c| c.started_at = Some(at(T - 150)))
    };
    assert_eq!(Ladder::climb(&container, None).status(), Status::Ok);
    let program = Facts {
        program_starts: starts(),
        ..with_program_up(150)
    };
    assert_eq!(Ladder::climb(&program, None).status(), Status::Ok);
}

#[test]
fn since_survives_while_nothing_changes() {
    let first = Ladder::climb(&healthy(), None);
    let mut later = healthy();
    later.now = at(T + 10);
    later.api = Some(Measured::new(answering_api(), at(T + 10)));
    let second = Ladder::climb(&later, Some(&first));
    let api = second.outcome(Rung::Api).expect("api rung");
    assert_eq!((api.since, api.checked_at), (Some(at(T)), Some(at(T + 10))));
}

#[test]
fn checks_are_in_the_order_of_the_ladder_and_have_unique_ids() {
    let mut rungs: Vec<Rung> = CHECKS.iter().map(|c| c.rung).collect();
    assert!(rungs.is_sorted(), "{rungs:?}");
    rungs.dedup();
    assert_eq!(rungs, Rung::ALL, "each rung has one that always answers");
    for rung in Rung::ALL {
        let first = CHECKS.iter().find(|c| c.rung == rung).expect("a check");
        assert!((first.judge)(&Facts::none(at(T))).is_some(), "{rung:?}");
    }
    let mut ids: Vec<&str> = CHECKS.iter().map(|c| c.id).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), CHECKS.len());
}

#[test]
fn a_measurement_of_the_future_is_not_believed() {
    let mut facts = healthy();
    facts.now = at(T - SKEW_S);
    assert_eq!(Ladder::climb(&facts, None).status(), Status::Ok);
    facts.now = at(T - 86_400);
    let ladder = Ladder::climb(&facts, None);
    let host = ladder.outcome(Rung::Host).expect("host rung");
    assert_eq!(host.cause, Some(Cause::Stale));
    assert_eq!(ladder.status(), Status::Unknown);
}

#[test]
fn a_clock_that_was_set_back_leaves_no_start_and_no_loop_behind() {
    let mut facts = with_container(|c| c.started_at = Some(at(T - 60)));
    facts.container_starts.at = vec![at(T - 60), at(T - 40), at(T - 20)];
    facts.program = now(ProgramFact::NotSupervised);
    facts.api = now(ApiFact::Refused {
        reason: "refused".into(),
    });
    facts.now = at(T - 86_400);
    touch(&mut facts, at(T - 86_400));
    let ladder = Ladder::climb(&facts, None);
    let broken = ladder.lowest_broken().expect("a fault");
    assert_eq!(
        broken.outcome.cause.map(Cause::code),
        Some("api.refused"),
        "neither a loop nor a start that lasts a day"
    );
}

#[test]
fn a_restarted_program_of_an_old_container_gets_its_usual_time() {
    let facts = since(3, with_program(SupervisorState::Starting));
    let ladder = Ladder::climb(&facts, None);
    let program = ladder.outcome(Rung::Program).expect("program rung");
    assert!(program.transient, "{program:?}");
    assert_eq!(program.evidence_value("left_s"), Some("57"));
}

#[test]
fn a_service_without_an_address_is_as_good_as_what_can_be_measured() {
    let facts = Facts {
        api_configured: false,
        api: None,
        ..healthy()
    };
    let ladder = Ladder::climb(&facts, None);
    let api = ladder.outcome(Rung::Api).expect("api rung");
    assert_eq!(api.status, Status::NotConfigured);
    assert_eq!(api.cause, Some(Cause::NotConfigured));
    assert_eq!(ladder.status(), Status::Ok);
}

#[test]
fn a_picture_that_the_cpu_computed_is_no_good_one() {
    let mut facts = healthy();
    for (on_cpu, cause) in [(false, None), (true, Some(Cause::ImageCpuFallback))] {
        facts.image = now(crate::facts::ImageFact {
            verdict: crate::generation::GenerationVerdict::Proved,
            on_cpu,
            took_ms: 90_000,
            error: None,
        });
        let ladder = Ladder::climb(&facts, None);
        assert_eq!(ladder.outcome(Rung::Image).expect("judged").cause, cause);
    }
}

#[test]
fn measurements_without_a_verdict_keep_their_time() {
    let mut interrupted = healthy();
    interrupted.image = now(crate::facts::ImageFact {
        verdict: crate::generation::GenerationVerdict::Interrupted,
        on_cpu: false,
        took_ms: 5,
        error: None,
    });
    let program = |fact| Facts {
        program: now(fact),
        ..healthy()
    };
    for (facts, rung) in [
        (interrupted, Rung::Image),
        (program(ProgramFact::NotSupervised), Rung::Program),
        (
            program(ProgramFact::NotMeasurable { reason: "x".into() }),
            Rung::Program,
        ),
        (
            program(ProgramFact::NoSuchProgram {
                program: "forge".into(),
            }),
            Rung::Program,
        ),
        (with_program(SupervisorState::Unknown), Rung::Program),
    ] {
        let ladder = Ladder::climb(&facts, None);
        let outcome = ladder.outcome(rung).expect("judged");
        assert_eq!(outcome.checked_at, Some(at(T)), "{outcome:?}");
    }
}

#[test]
fn what_is_unknown_says_since_when() {
    let first = Ladder::climb(&Facts::none(at(T)), None);
    assert!(first.rungs.iter().all(|r| r.outcome.since == Some(at(T))));
    let later = Ladder::climb(&Facts::none(at(T + 50)), Some(&first));
    assert!(later.rungs.iter().all(|r| r.outcome.since == Some(at(T))));
}
