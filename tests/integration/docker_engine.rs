//! A real engine asked and told: inspect, exec, logs, stats, actions, discovery.

use std::time::{Duration, Instant};

use forgekeeper_domain::{
    container::RunState,
    error::ErrorCode,
    facts::{ProgramFact, SupervisorState},
    ids::HostId,
    logs::LogStream,
    service::KindId,
};
use forgekeeper_keeper::{
    discover::discover_from,
    docker::{DockerError, Env, LogOptions, RawLog},
    program::{program_restart, program_status},
};
use futures_util::{Stream, StreamExt as _};

use crate::docker_lab::Lab;

const SECOND: Duration = Duration::from_secs(1);
const ALL: LogOptions = LogOptions {
    follow: false,
    tail: None,
    after: None,
};

#[tokio::test]
#[ignore = "needs a Docker Engine: FORGEKEEPER_TEST_DOCKER"]
async fn an_engine_tells_its_version_and_its_containers() {
    let lab = Lab::given();
    let name = lab.start("plain", &["-m", "64m", "-e", "TOKEN=s3cret"], "sleep 600");
    let engine = lab.engine().await;
    assert!(engine.version().contains('.'), "{}", engine.version());
    let told = lab.docker_ok(&["version", "--format", "{{.Server.APIVersion}}"]);
    assert_eq!(
        engine.api_version(),
        told,
        "the engine's newest, as long as ours is newer"
    );
    assert!(engine.ping(3 * SECOND).await.expect("a ping") < SECOND);

    let found = engine
        .inspect(&name)
        .await
        .expect("an answer")
        .expect("a container");
    assert_eq!(found.state, RunState::Running);
    assert_eq!(found.name, name);
    assert_eq!(found.memory_limit, Some(64 * 1024 * 1024));
    assert!(found.started_at.is_some() && found.finished_at.is_none());
    assert!(found.env_names.contains(&"TOKEN".to_owned()));
    assert!(!format!("{found:?}").contains("s3cret"));
    assert!(
        engine
            .list()
            .await
            .expect("a list")
            .iter()
            .any(|c| c.names.contains(&name))
    );

    assert_eq!(engine.inspect(&lab.name("nobody")).await, Ok(None));
    assert!(matches!(
        engine.inspect("../version").await,
        Err(DockerError::BadName(_))
    ));

    let stats = engine.stats_once(&name).await.expect("stats");
    assert!(
        stats.memory_bytes.is_some() && stats.cpu_percent.is_some(),
        "{stats:?}"
    );
}

#[tokio::test]
#[ignore = "needs a Docker Engine: FORGEKEEPER_TEST_DOCKER"]
async fn commands_bring_their_output_and_exit_code_within_limits() {
    let lab = Lab::given();
    let name = lab.start("exec", &[], "sleep 600");
    let engine = lab.engine().await;
    let run = async |script: &'static str| {
        engine
            .exec(&name, &["sh", "-c", script], 10 * SECOND, 1000)
            .await
            .expect("an answer")
    };

    let both = run("echo out; echo err >&2; exit 3").await;
    assert_eq!(
        (both.stdout_text().as_str(), both.stderr_text().as_str()),
        ("out\n", "err\n")
    );
    assert_eq!(both.exit_code, Some(3));
    assert!(!both.truncated);

    assert_eq!(run("true").await.exit_code, Some(0));
    assert_eq!(run("kill -9 $$").await.exit_code, Some(137));

    let started = Instant::now();
    let endless = run("yes").await;
    assert!(endless.truncated && endless.stdout.len() == 1000 && endless.exit_code.is_none());
    assert!(started.elapsed() < 3 * SECOND);

    let slow = engine.exec(&name, &["sleep", "5"], SECOND, 1000).await;
    assert_eq!(
        slow,
        Err(DockerError::Timeout {
            what: "exec",
            deadline: SECOND
        })
    );

    let gone = engine
        .exec(&lab.name("nobody"), &["true"], SECOND, 10)
        .await;
    assert_eq!(
        gone.map_err(|e| e.to_info().code),
        Err(ErrorCode::ContainerMissing)
    );
}

#[tokio::test]
#[ignore = "needs a Docker Engine: FORGEKEEPER_TEST_DOCKER"]
async fn the_supervisor_is_asked_where_there_is_one() {
    let lab = Lab::given();
    let name = lab.start("program", &[], "sleep 600");
    let engine = lab.engine().await;
    assert_eq!(
        program_status(&engine, &name, "forge").await,
        ProgramFact::NotSupervised
    );
    let refused = program_restart(&engine, &name, "forge").await;
    assert_eq!(refused.map_err(|e| e.code), Err(ErrorCode::Refused));

    let says = async |text: &str| {
        let script = format!(
            "printf '#!/bin/sh\\n{text}\\n' > /bin/supervisorctl && /bin/busybox chmod +x /bin/supervisorctl"
        );
        let put = engine
            .exec(&name, &["sh", "-c", &script], 10 * SECOND, 1000)
            .await
            .expect("an answer");
        assert_eq!(put.exit_code, Some(0), "{}", put.stderr_text());
    };
    says("echo \"$2   RUNNING   pid 7, uptime 0:00:42\"").await;
    assert_eq!(
        program_status(&engine, &name, "forge").await,
        ProgramFact::Supervised {
            state: SupervisorState::Running,
            detail: "pid 7, uptime 0:00:42".into(),
            uptime_s: Some(42)
        }
    );
    says("echo \"$2: ERROR (no such process)\"; exit 4").await;
    assert_eq!(
        program_status(&engine, &name, "webui").await,
        ProgramFact::NoSuchProgram {
            program: "webui".into()
        }
    );
    says("echo \"$2: stopped\"; echo \"$2: started\"").await;
    assert_eq!(program_restart(&engine, &name, "forge").await, Ok(()));
    says("echo unix:///var/run/supervisor.sock no such file; exit 4").await;
    assert!(matches!(
        program_status(&engine, &name, "forge").await,
        ProgramFact::NotMeasurable { .. }
    ));

    lab.docker_ok(&["kill", &name]);
    assert!(matches!(
        program_status(&engine, &name, "forge").await,
        ProgramFact::NotMeasurable { .. }
    ));
}

async fn collect(
    mut stream: impl Stream<Item = Result<RawLog, DockerError>> + Unpin,
) -> Vec<(LogStream, String)> {
    let mut lines = Vec::new();
    while let Some(piece) = tokio::time::timeout(10 * SECOND, stream.next())
        .await
        .expect("a line")
    {
        let piece = piece.expect("a line");
        lines.push((
            piece.stream,
            String::from_utf8_lossy(&piece.bytes).into_owned(),
        ));
    }
    lines
}

fn text_of(line: &str) -> &str {
    line.split_once(' ')
        .map_or(line, |(_, text)| text)
        .trim_end()
}

#[tokio::test]
#[ignore = "needs a Docker Engine: FORGEKEEPER_TEST_DOCKER"]
async fn logs_come_with_their_stream_and_time_and_resume_without_loss() {
    let lab = Lab::given();
    let name = lab.start("logs", &[], "echo one; echo two >&2; echo three; sleep 600");
    let engine = lab.engine().await;
    let mut follow = engine.logs(
        &name,
        LogOptions {
            follow: true,
            tail: None,
            after: None,
        },
    );
    let mut seen = Vec::new();
    while seen.len() < 3 {
        let piece = tokio::time::timeout(10 * SECOND, follow.next())
            .await
            .expect("a line");
        seen.push(piece.expect("a line").expect("a line"));
    }
    let of = |stream| {
        seen.iter()
            .filter(|raw| raw.stream == stream)
            .map(|raw| text_of(&String::from_utf8_lossy(&raw.bytes)).to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(of(LogStream::Stdout), ["one", "three"]);
    assert_eq!(of(LogStream::Stderr), ["two"]);
    // A quiet stream stays open.
    assert!(tokio::time::timeout(SECOND, follow.next()).await.is_err());
    // The container's end ends it, without an error.
    lab.docker_ok(&["kill", &name]);
    let end = tokio::time::timeout(5 * SECOND, follow.next())
        .await
        .expect("the end");
    assert!(end.is_none(), "{end:?}");

    let all = collect(engine.logs(&name, ALL)).await;
    assert_eq!(all.len(), 3);
    let mut times: Vec<&str> = all
        .iter()
        .filter_map(|(_, l)| l.split(' ').next())
        .collect();
    times.sort_unstable();
    let after = Some(times[0].parse().expect("a time"));
    let rest = collect(engine.logs(&name, LogOptions { after, ..ALL })).await;
    assert_eq!(rest.len(), 2, "{rest:?}");
    let last = collect(engine.logs(
        &name,
        LogOptions {
            tail: Some(1),
            ..ALL
        },
    ))
    .await;
    assert_eq!(last.len(), 1);
}

#[tokio::test]
#[ignore = "needs a Docker Engine: FORGEKEEPER_TEST_DOCKER"]
async fn a_terminals_log_is_one_raw_stream() {
    let lab = Lab::given();
    let name = lab.start("tty", &["-t"], "echo one; echo two >&2; printf 'end'");
    let engine = lab.engine().await;
    lab.docker_ok(&["wait", &name]);
    let lines = collect(engine.logs(&name, ALL)).await;
    let texts: Vec<&str> = lines.iter().map(|(_, line)| text_of(line)).collect();
    assert_eq!(texts, ["one", "two", "end"]);
    assert!(
        lines
            .iter()
            .all(|(stream, _)| *stream == LogStream::Console)
    );
}

#[tokio::test]
#[ignore = "needs a Docker Engine: FORGEKEEPER_TEST_DOCKER"]
async fn streams_end_when_the_connection_is_given_up() {
    let lab = Lab::given();
    let name = lab.start("streams", &[], "sleep 600");
    let engine = lab.engine().await;
    let logs = engine.logs(
        &name,
        LogOptions {
            follow: true,
            tail: None,
            after: None,
        },
    );
    let mut logs = logs.map(|piece| piece.map(drop));
    let mut events = engine.events().map(|event| event.map(drop));
    assert!(
        tokio::time::timeout(SECOND / 2, logs.next()).await.is_err(),
        "quiet, and open"
    );
    engine.give_up();
    for stream in [
        &mut logs as &mut (dyn Stream<Item = _> + Unpin),
        &mut events,
    ] {
        // Other tests' containers may have been announced before.
        let end = tokio::time::timeout(SECOND, async {
            loop {
                match stream.next().await {
                    Some(Ok(())) => {}
                    end => return end,
                }
            }
        });
        let end = end.await.expect("the end");
        assert!(
            matches!(end, Some(Err(DockerError::Connection(_)))),
            "{end:?}"
        );
        assert!(stream.next().await.is_none());
    }
    let asked = engine.inspect(&name).await;
    assert!(
        matches!(asked, Err(DockerError::Connection(_))),
        "{asked:?}"
    );
}

#[tokio::test]
#[ignore = "needs a Docker Engine: FORGEKEEPER_TEST_DOCKER"]
async fn actions_do_what_they_say_and_name_a_taken_port() {
    let lab = Lab::given();
    let engine = lab.engine().await;
    let name = lab.start(
        "act",
        &[],
        "trap 'exit 0' TERM; while true; do sleep 0.1; done",
    );
    engine.stop(&name, 10).await.expect("stopped");
    let state = async |name: &str| {
        engine
            .inspect(name)
            .await
            .expect("an answer")
            .expect("it")
            .state
    };
    assert_eq!(state(&name).await, RunState::Exited);
    engine
        .stop(&name, 1)
        .await
        .expect("stopping what is stopped is no error");
    engine.start(&name).await.expect("started");
    engine
        .start(&name)
        .await
        .expect("starting what runs is no error");
    let before = engine
        .inspect(&name)
        .await
        .expect("an answer")
        .expect("it")
        .started_at;
    engine.restart(&name, 10).await.expect("restarted");
    let after = engine
        .inspect(&name)
        .await
        .expect("an answer")
        .expect("it")
        .started_at;
    assert!(after > before);
    engine.kill(&name).await.expect("killed");
    let killed = engine.inspect(&name).await.expect("an answer").expect("it");
    assert_eq!((killed.exit_code, killed.oom_killed), (Some(137), false));
    let missing = engine
        .start(&lab.name("nobody"))
        .await
        .expect_err("missing")
        .to_info();
    assert_eq!(missing.code, ErrorCode::ContainerMissing);
}

#[tokio::test]
#[ignore = "needs a Docker Engine: FORGEKEEPER_TEST_DOCKER"]
async fn a_taken_port_is_named_whoever_holds_it() {
    let lab = Lab::given();
    let engine = lab.engine().await;
    // Held by a process of this machine.
    let held = std::net::TcpListener::bind("0.0.0.0:0").expect("a port");
    let port = held.local_addr().expect("an address").port();
    let publish = format!("{port}:80");
    let name = lab.name("port");
    assert!(
        lab.create(&name, "create", &["-p", &publish], "sleep 600")
            .status
            .success()
    );
    let error = engine.start(&name).await.expect_err("taken").to_info();
    assert_eq!(error.code, ErrorCode::PortInUse, "{error:?}");
    assert!(error.message.contains(&port.to_string()), "{error:?}");
    // The engine keeps its own words for whoever looks later.
    let found = engine.inspect(&name).await.expect("an answer").expect("it");
    assert!(found.error.is_some_and(|words| words.contains("in use")));
    // Held by another container.
    drop(held);
    engine.start(&name).await.expect("free now");
    let found = engine.inspect(&name).await.expect("an answer").expect("it");
    assert!(
        found
            .ports
            .iter()
            .any(|p| p.host_port == port && p.container_port == 80)
    );
    let other = lab.name("port2");
    assert!(
        lab.create(&other, "create", &["-p", &publish], "sleep 600")
            .status
            .success()
    );
    let error = engine.start(&other).await.expect_err("taken").to_info();
    assert_eq!(error.code, ErrorCode::PortInUse, "{error:?}");
    assert!(error.message.contains(&port.to_string()), "{error:?}");
}

#[tokio::test]
#[ignore = "needs a Docker Engine: FORGEKEEPER_TEST_DOCKER"]
async fn discovery_proposes_what_looks_like_a_service() {
    let lab = Lab::given();
    let project = format!("{}-myia", lab.run);
    let label = format!("com.docker.compose.project={project}");
    let name = lab.start(
        "supervisor-1",
        &[
            "--label",
            &label,
            "--label",
            "com.docker.compose.service=supervisor",
            "-p",
            "127.0.0.1::17860",
        ],
        "sleep 600",
    );
    let hosts = [(HostId::new("local").expect("an id"), lab.endpoint.clone())];
    let report = discover_from(&hosts, &[], &Env::default()).await;
    let tried = &report.engines[0];
    assert!(
        tried.version.is_some() && tried.origin == "forgekeeper.toml",
        "{tried:?}"
    );
    let found: Vec<_> = report
        .candidates
        .iter()
        .filter(|c| c.container == name)
        .collect();
    assert_eq!(found.len(), 1, "{report:#?}");
    let found = found[0];
    assert_eq!(
        (found.id.as_str(), found.kind),
        (project.as_str(), KindId::Forge)
    );
    assert_eq!(found.host.as_str(), "local");
    assert!(found.running);
    let published = lab.docker_ok(&["port", &name, "17860/tcp"]);
    let port = published.rsplit(':').next().unwrap_or_default();
    assert_eq!(
        found.api.as_deref(),
        Some(format!("http://localhost:{port}").as_str())
    );
}
