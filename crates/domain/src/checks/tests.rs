//! The fault catalogue as a table: the rows for host, engine, container, program and api.

use super::*;
use crate::{
    container::{ContainerSnapshot, Health, RunState},
    facts::{ApiFact, EngineFact, HostFact, RecentStarts},
    ladder::Ladder,
    outcome::Status,
};

const T: i64 = 1_800_000_000;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).expect("valid time")
}

fn now<T>(value: T) -> Option<Measured<T>> {
    Some(Measured::new(value, at(T)))
}

pub(crate) fn answering_api() -> ApiFact {
    ApiFact::Answered {
        models: Some(3),
        latency_ms: 38,
        busy: None,
        version: None,
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
        command: vec![],
        env_names: vec![],
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
        api: now(answering_api()),
        image: None,
        public_configured: false,
        usual_start_s: Some(60),
    }
}

fn with_container(change: impl Fn(&mut ContainerSnapshot)) -> Facts {
    let mut snapshot = container();
    change(&mut snapshot);
    Facts {
        container: now(ContainerFact::Present(Box::new(snapshot))),
        ..healthy()
    }
}

fn with_program(state: SupervisorState) -> Facts {
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

fn with_program_up(uptime_s: u32) -> Facts {
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

fn with_api(fact: ApiFact) -> Facts {
    Facts {
        api: now(fact),
        ..healthy()
    }
}

fn endpoint() -> String {
    "unix:///var/run/docker.sock".into()
}

/// Fault of the catalogue, facts that show it, rung, status, cause.
fn rows() -> Vec<(&'static str, Facts, Rung, Status, &'static str)> {
    use Status::{Asleep, Degraded, Failing};
    let starts = |times: &[i64]| RecentStarts {
        at: times.iter().map(|s| at(T - s)).collect(),
    };
    let engine = |fact| Facts {
        engine: now(fact),
        ..healthy()
    };
    let started = |seconds: i64, facts: Facts| {
        let mut facts = facts;
        let snapshot = ContainerSnapshot {
            started_at: Some(at(T - seconds)),
            ..container()
        };
        facts.container = now(ContainerFact::Present(Box::new(snapshot)));
        facts.program = now(ProgramFact::NotSupervised);
        facts
    };
    vec![
        (
            "wsl-asleep",
            Facts {
                host: now(HostFact::Asleep {
                    distribution: "Ubuntu".into(),
                }),
                ..healthy()
            },
            Rung::Host,
            Asleep,
            "host.asleep",
        ),
        (
            "host-unreachable",
            Facts {
                host: now(HostFact::Unreachable {
                    reason: "no route".into(),
                }),
                ..healthy()
            },
            Rung::Host,
            Failing,
            "host.unreachable",
        ),
        (
            "engine-stopped",
            engine(EngineFact::Refused {
                endpoint: endpoint(),
                reason: "refused".into(),
            }),
            Rung::Engine,
            Failing,
            "engine.refused",
        ),
        (
            "engine-hung",
            engine(EngineFact::TimedOut {
                endpoint: endpoint(),
                deadline_ms: 3000,
            }),
            Rung::Engine,
            Failing,
            "engine.timeout",
        ),
        (
            "engine-not-docker",
            engine(EngineFact::NotDocker {
                endpoint: endpoint(),
                answer: "<html>".into(),
            }),
            Rung::Engine,
            Failing,
            "engine.not_docker",
        ),
        (
            "engine-denied",
            engine(EngineFact::Denied {
                endpoint: endpoint(),
            }),
            Rung::Engine,
            Failing,
            "engine.denied",
        ),
        (
            "engine-absent",
            engine(EngineFact::NotFound {
                tried: vec![endpoint()],
            }),
            Rung::Engine,
            Failing,
            "engine.not_found",
        ),
        (
            "engine-version",
            engine(EngineFact::Version {
                reason: "client is too new".into(),
            }),
            Rung::Engine,
            Failing,
            "engine.version",
        ),
        (
            "container-stopped",
            with_container(|c| c.state = RunState::Exited),
            Rung::Container,
            Failing,
            "container.exited",
        ),
        (
            "container-gone",
            Facts {
                container: now(ContainerFact::Missing {
                    name: "myia-supervisor-1".into(),
                    last_seen: Some(at(T - 60)),
                    image_id: Some("sha256:1".into()),
                }),
                ..healthy()
            },
            Rung::Container,
            Failing,
            "container.missing",
        ),
        (
            "container-oom",
            with_container(|c| {
                c.state = RunState::Exited;
                c.exit_code = Some(137);
                c.oom_killed = true;
                c.memory_limit = Some(1 << 30);
            }),
            Rung::Container,
            Failing,
            "container.oom_killed",
        ),
        (
            "container-killed",
            with_container(|c| {
                c.state = RunState::Exited;
                c.exit_code = Some(137);
            }),
            Rung::Container,
            Failing,
            "container.killed",
        ),
        (
            "crash-loop",
            Facts {
                container_starts: starts(&[10, 60, 120]),
                ..with_container(|c| c.state = RunState::Restarting)
            },
            Rung::Container,
            Failing,
            "container.crash_loop",
        ),
        (
            "crash-loop, caught while up",
            Facts {
                container_starts: starts(&[10, 60, 120]),
                ..with_container(|c| c.started_at = Some(at(T - 10)))
            },
            Rung::Container,
            Failing,
            "container.crash_loop",
        ),
        (
            "start-fails-port",
            with_container(|c| {
                c.state = RunState::Created;
                c.error = Some("Bind for 0.0.0.0:17861 failed: port is already allocated".into());
            }),
            Rung::Container,
            Failing,
            "container.port_in_use",
        ),
        (
            "start-fails-gpu",
            with_container(|c| {
                c.state = RunState::Exited;
                c.exit_code = Some(128);
                c.error = Some("nvidia-container-cli: initialization error".into());
            }),
            Rung::Container,
            Failing,
            "container.gpu_runtime",
        ),
        (
            "container-paused",
            with_container(|c| c.state = RunState::Paused),
            Rung::Container,
            Failing,
            "container.paused",
        ),
        (
            "container-unhealthy",
            with_container(|c| c.health = Some(Health::Unhealthy)),
            Rung::Container,
            Degraded,
            "container.unhealthy",
        ),
        (
            "program-fatal",
            with_program(SupervisorState::Fatal),
            Rung::Program,
            Failing,
            "program.fatal",
        ),
        (
            "program-stopped",
            with_program(SupervisorState::Stopped),
            Rung::Program,
            Failing,
            "program.stopped",
        ),
        (
            "program-loop",
            Facts {
                program_starts: starts(&[5, 40, 90]),
                ..with_program_up(5)
            },
            Rung::Program,
            Failing,
            "program.crash_loop",
        ),
        (
            "program-starting",
            with_program(SupervisorState::Starting),
            Rung::Program,
            Degraded,
            "program.starting",
        ),
        (
            "api-placeholder",
            with_api(ApiFact::Starting {
                what: "placeholder".into(),
            }),
            Rung::Api,
            Degraded,
            "api.starting",
        ),
        (
            "api-refused",
            with_api(ApiFact::Refused {
                reason: "refused".into(),
            }),
            Rung::Api,
            Failing,
            "api.refused",
        ),
        (
            "api-refused while starting",
            started(
                20,
                with_api(ApiFact::Refused {
                    reason: "refused".into(),
                }),
            ),
            Rung::Api,
            Degraded,
            "api.starting",
        ),
        (
            "api-refused, start overdue",
            started(
                121,
                with_api(ApiFact::Refused {
                    reason: "refused".into(),
                }),
            ),
            Rung::Api,
            Failing,
            "api.refused",
        ),
        (
            "api-hang",
            with_api(ApiFact::TimedOut {
                deadline_ms: 5000,
                progress_moves: false,
            }),
            Rung::Api,
            Failing,
            "api.timeout",
        ),
        (
            "api-401",
            with_api(ApiFact::Unauthorized {
                status: 401,
                sent_credentials: false,
            }),
            Rung::Api,
            Degraded,
            "api.unauthorized",
        ),
        (
            "api-login-page",
            with_api(ApiFact::LoginPage {
                location: Some("/login".into()),
            }),
            Rung::Api,
            Failing,
            "api.login_page",
        ),
        (
            "api-500",
            with_api(ApiFact::ServerError {
                status: 500,
                message: "RuntimeError".into(),
            }),
            Rung::Api,
            Failing,
            "api.server_error",
        ),
        (
            "api-html, api-truncated, api-huge",
            with_api(ApiFact::BadAnswer {
                status: 200,
                what: "text/html".into(),
            }),
            Rung::Api,
            Failing,
            "api.bad_answer",
        ),
        (
            "api-no-models",
            with_api(ApiFact::Answered {
                models: Some(0),
                latency_ms: 4,
                busy: None,
                version: None,
            }),
            Rung::Api,
            Degraded,
            "api.no_models",
        ),
        (
            "api-disabled",
            with_api(ApiFact::Disabled),
            Rung::Api,
            Failing,
            "api.disabled",
        ),
        (
            "api-dns",
            with_api(ApiFact::Dns {
                host: "nowhere".into(),
            }),
            Rung::Api,
            Failing,
            "api.dns",
        ),
    ]
}

#[test]
fn each_fault_breaks_its_rung_and_only_that_one() {
    for (fault, facts, rung, status, cause) in rows() {
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
        assert_eq!(ladder.status(), status, "{fault}: the service's one status");
        for below in ladder.rungs.iter().filter(|r| r.rung < rung) {
            assert!(
                matches!(below.outcome.status, Status::Ok | Status::NotConfigured),
                "{fault}: {below:?}"
            );
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
    let rungs: Vec<Rung> = CHECKS.iter().map(|c| c.rung).collect();
    assert_eq!(rungs, Rung::ALL);
    let mut ids: Vec<&str> = CHECKS.iter().map(|c| c.id).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), CHECKS.len());
}

#[test]
fn a_clock_that_jumps_back_makes_no_duration_negative() {
    let mut facts = healthy();
    facts.now = at(T - 86_400);
    assert_eq!(Ladder::climb(&facts, None).status(), Status::Ok);
}
