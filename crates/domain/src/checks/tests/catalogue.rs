//! The rows of the fault catalogue for host, engine, container, program and api.

use super::*;

fn endpoint() -> String {
    "unix:///var/run/docker.sock".into()
}

/// Fault of the catalogue, facts that show it, rung, status, cause, names of its evidence.
pub(super) type Row = (
    &'static str,
    Facts,
    Rung,
    Status,
    &'static str,
    &'static [&'static str],
);

/// Rows that show a start within its time: broken, but no incident.
pub(super) const TRANSIENT: &[&str] = &[
    "program-starting",
    "program-starting, between two attempts",
    "program-stopping",
    "container restarting",
    "api-refused while starting",
];

#[allow(clippy::too_many_lines, reason = "one table, a row for each fault")]
pub(super) fn rows() -> Vec<Row> {
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
            &["distribution"],
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
            &["detail"],
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
            &["endpoint", "detail"],
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
            &["endpoint", "deadline_ms"],
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
            &["endpoint", "answer"],
        ),
        (
            "engine-denied",
            engine(EngineFact::Denied {
                endpoint: endpoint(),
            }),
            Rung::Engine,
            Failing,
            "engine.denied",
            &["endpoint"],
        ),
        (
            "engine-absent",
            engine(EngineFact::NotFound {
                tried: vec![endpoint()],
            }),
            Rung::Engine,
            Failing,
            "engine.not_found",
            &["tried"],
        ),
        (
            "engine-version",
            engine(EngineFact::Version {
                reason: "client is too new".into(),
            }),
            Rung::Engine,
            Failing,
            "engine.version",
            &["detail"],
        ),
        (
            "container-stopped",
            with_container(|c| c.state = RunState::Exited),
            Rung::Container,
            Failing,
            "container.exited",
            &["exit_code"],
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
            &["container", "last_seen", "image"],
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
            &["exit_code", "memory_limit"],
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
            &["exit_code"],
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
            &["exit_code"],
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
            &["exit_code"],
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
            &["detail"],
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
            &["exit_code", "detail"],
        ),
        (
            "container-paused",
            with_container(|c| c.state = RunState::Paused),
            Rung::Container,
            Failing,
            "container.paused",
            &["state", "started_at"],
        ),
        (
            "container-unhealthy",
            with_container(|c| c.health = Some(Health::Unhealthy)),
            Rung::Container,
            Degraded,
            "container.unhealthy",
            &["health"],
        ),
        (
            "program-fatal",
            with_program(SupervisorState::Fatal),
            Rung::Program,
            Failing,
            "program.fatal",
            &["state"],
        ),
        (
            "program-stopped",
            with_program(SupervisorState::Stopped),
            Rung::Program,
            Failing,
            "program.stopped",
            &["state"],
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
            &["starts", "minutes"],
        ),
        (
            "program-starting",
            since(3, with_program(SupervisorState::Starting)),
            Rung::Program,
            Degraded,
            "program.starting",
            &["state"],
        ),
        (
            "api-placeholder",
            with_api(ApiFact::Starting {
                what: "placeholder".into(),
            }),
            Rung::Api,
            Degraded,
            "api.starting",
            &["answer"],
        ),
        (
            "api-refused",
            with_api(ApiFact::Refused {
                reason: "refused".into(),
            }),
            Rung::Api,
            Failing,
            "api.refused",
            &["detail"],
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
            &["answer"],
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
            &["detail"],
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
            &["deadline_ms"],
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
            &["http_status", "credentials_sent"],
        ),
        (
            "api-login-page",
            with_api(ApiFact::LoginPage {
                location: Some("/login".into()),
            }),
            Rung::Api,
            Failing,
            "api.login_page",
            &["location"],
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
            &["http_status", "message"],
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
            &["http_status", "answer"],
        ),
        (
            "api-no-models",
            with_api(ApiFact::Answered {
                models: Some(0),
                latency_ms: 4,
                activity: Activity::Idle,
                version: None,
                device: None,
            }),
            Rung::Api,
            Degraded,
            "api.no_models",
            &["latency_ms"],
        ),
        (
            "api-disabled",
            with_api(ApiFact::Disabled),
            Rung::Api,
            Failing,
            "api.disabled",
            &["http_status", "answer"],
        ),
        (
            "api-dns",
            with_api(ApiFact::Dns {
                host: "nowhere".into(),
            }),
            Rung::Api,
            Failing,
            "api.dns",
            &["host"],
        ),
        (
            "crash-loop, at the first look",
            with_container(|c| {
                c.state = RunState::Restarting;
                c.restart_count = 3;
            }),
            Rung::Container,
            Failing,
            "container.crash_loop",
            &["exit_code", "restart_count"],
        ),
        (
            "crash-loop, at the first look while up",
            with_container(|c| {
                c.started_at = Some(at(T - 10));
                c.restart_count = 7;
            }),
            Rung::Container,
            Failing,
            "container.crash_loop",
            &["restart_count"],
        ),
        (
            "crash-loop, stopped by somebody",
            Facts {
                container_starts: starts(&[10, 60, 120]),
                ..with_container(|c| {
                    c.state = RunState::Exited;
                    c.restart_count = 3;
                })
            },
            Rung::Container,
            Failing,
            "container.exited",
            &["exit_code"],
        ),
        (
            "container restarting",
            with_container(|c| c.state = RunState::Restarting),
            Rung::Container,
            Degraded,
            "container.starting",
            &["exit_code"],
        ),
        (
            "container-stopped, long after a process of it was killed for memory",
            with_container(|c| {
                c.state = RunState::Exited;
                c.exit_code = Some(143);
                c.oom_killed = true;
            }),
            Rung::Container,
            Failing,
            "container.exited",
            &["exit_code"],
        ),
        (
            "start-fails-port, Docker Desktop",
            with_container(|c| {
                c.state = RunState::Created;
                c.error = Some("Ports are not available: listen tcp 0.0.0.0:7860: bind: Only one usage of each socket address is normally permitted.".into());
            }),
            Rung::Container,
            Failing,
            "container.port_in_use",
            &["detail"],
        ),
        (
            "disk-full, at a start",
            with_container(|c| {
                c.state = RunState::Exited;
                c.exit_code = Some(128);
                c.error = Some("mkdir /var/lib/docker/x: no space left on device".into());
            }),
            Rung::Container,
            Failing,
            "disk.full",
            &["exit_code", "detail"],
        ),
        (
            "disk-full",
            Facts {
                space: now(vec![space(100 << 30), space(4096)]),
                ..healthy()
            },
            Rung::Container,
            Failing,
            "disk.full",
            &["mount", "free_bytes", "total_bytes"],
        ),
        (
            "image-abandoned",
            Facts {
                registry: now(build(400)),
                ..healthy()
            },
            Rung::Container,
            Degraded,
            "freshness.abandoned",
            &["image", "built_at", "days"],
        ),
        (
            "workspace-unmounted",
            Facts {
                workspace: now(workspace(false)),
                ..healthy()
            },
            Rung::Program,
            Failing,
            "config.workspace_unmounted",
            &["mount", "line"],
        ),
        (
            "config-reset",
            configured(vec![ConfigTrouble::Reset {
                lost: Some(Lost {
                    keys: vec![LostKey {
                        key: "forge_preset".into(),
                        old: "\"all\"".into(),
                        new: Some("\"xl\"".into()),
                    }],
                    more: 3,
                }),
                line: Some("*** The config file \"config.json\" is likely corrupted".into()),
                moved_to: Some("/workspace/stable-diffusion-webui-forge/tmp/config.json".into()),
                snapshot: Some(SnapshotId::new("20260101T000000000Z-0123456789ab").unwrap()),
            }]),
            Rung::Program,
            Degraded,
            "config.reset",
            &["key", "more_keys", "line", "moved_to", "snapshot"],
        ),
        (
            "config-reset, while nobody knows what was lost",
            configured(vec![ConfigTrouble::Reset {
                lost: None,
                line: Some("Could not load settings".into()),
                moved_to: None,
                snapshot: None,
            }]),
            Rung::Program,
            Degraded,
            "config.reset",
            &["line"],
        ),
        (
            "config-options-nulled",
            configured(vec![unset(Some("POST /sdapi/v1/options"))]),
            Rung::Program,
            Degraded,
            "config.model_unset",
            &["model_before", "request"],
        ),
        (
            "config-options-nulled, and the log does not show the request",
            configured(vec![unset(None)]),
            Rung::Program,
            Degraded,
            "config.model_unset",
            &["model_before"],
        ),
        (
            "config-second-writer, which explains the rest",
            configured(vec![
                unset(None),
                ConfigTrouble::Reset {
                    lost: None,
                    line: None,
                    moved_to: Some("tmp/config.json".into()),
                    snapshot: None,
                },
                ConfigTrouble::SecondWriter(shared(None)),
            ]),
            Rung::Program,
            Degraded,
            "config.second_writer",
            &["shared_with", "container", "file"],
        ),
        (
            "workspace-unmounted, with the defaults of a throw-away copy",
            Facts {
                workspace: now(workspace(false)),
                ..configured(vec![unset(None)])
            },
            Rung::Program,
            Failing,
            "config.workspace_unmounted",
            &["mount", "line"],
        ),
        (
            "log-silent",
            Facts {
                log: now(log(Some(T - 600))),
                ..healthy()
            },
            Rung::Program,
            Degraded,
            "logs.silent",
            &["last_line_at"],
        ),
        (
            "image-cuda-broken, seen in the log",
            Facts {
                log: now(context_lost(20)),
                ..healthy()
            },
            Rung::Program,
            Failing,
            "program.context_lost",
            &["signature", "line", "seen_at"],
        ),
        (
            "program-starting, between two attempts",
            since(30, with_program(SupervisorState::Backoff)),
            Rung::Program,
            Degraded,
            "program.starting",
            &["state"],
        ),
        (
            "program-starting, overdue, and nothing listens",
            Facts {
                api: now(ApiFact::Refused {
                    reason: "refused".into(),
                }),
                ..since(121, with_program(SupervisorState::Backoff))
            },
            Rung::Program,
            Failing,
            "program.starting",
            &["state", "started_at"],
        ),
        (
            "program-stopping",
            since(2, with_program(SupervisorState::Stopping)),
            Rung::Program,
            Degraded,
            "program.stopping",
            &["state"],
        ),
        (
            "program-stopping, hung",
            since(60, with_program(SupervisorState::Stopping)),
            Rung::Program,
            Failing,
            "program.stopping",
            &["state", "started_at"],
        ),
        (
            "api-refused below an unhealthy mark of the image",
            Facts {
                api: now(ApiFact::Refused {
                    reason: "refused".into(),
                }),
                ..with_container(|c| c.health = Some(Health::Unhealthy))
            },
            Rung::Api,
            Failing,
            "api.refused",
            &["detail"],
        ),
        (
            "api-401 of an abandoned image: advice gives way",
            Facts {
                registry: now(build(400)),
                ..with_api(ApiFact::Unauthorized {
                    status: 401,
                    sent_credentials: true,
                })
            },
            Rung::Api,
            Degraded,
            "api.unauthorized",
            &["http_status"],
        ),
        (
            "api-no-models beside a container that is being restarted",
            Facts {
                api: now(ApiFact::Answered {
                    models: Some(0),
                    latency_ms: 4,
                    activity: Activity::Idle,
                    version: None,
                    device: None,
                }),
                ..since(2, with_program(SupervisorState::Stopping))
            },
            Rung::Api,
            Degraded,
            "api.no_models",
            &["latency_ms"],
        ),
    ]
}
