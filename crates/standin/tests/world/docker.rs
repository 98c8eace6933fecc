//! The engine through bollard, and raw where bollard hides what matters.

use std::collections::HashMap;
use std::time::Duration;

use bollard::Docker;
use bollard::container::LogOutput;
use bollard::exec::StartExecResults;
use bollard::models::{ContainerStateStatusEnum, ExecConfig};
use bollard::query_parameters::{
    EventsOptionsBuilder, InspectContainerOptions, ListContainersOptionsBuilder,
    LogsOptionsBuilder, RestartContainerOptions, StatsOptionsBuilder, StopContainerOptions,
};
use forgekeeper_standin::{DemoSite, Fault};
use futures_util::StreamExt as _;

use crate::site::{demo, get, http, status, until, with};

const TURBO: &str = "myia-turbo-supervisor-1";
const FIRST: &str = "myia-supervisor-1";

async fn client(demo: &DemoSite) -> Docker {
    let docker =
        Docker::connect_with_http(&demo.engine_url(), 20, bollard::API_DEFAULT_VERSION).unwrap();
    docker.negotiate_version().await.unwrap()
}

fn base(demo: &DemoSite) -> String {
    demo.engine_url().replace("tcp://", "http://")
}

async fn exec(docker: &Docker, name: &str, argv: &[&str]) -> (String, Option<i64>) {
    let config = ExecConfig {
        cmd: Some(argv.iter().map(|a| (*a).to_owned()).collect()),
        attach_stdout: Some(true),
        attach_stderr: Some(true),
        ..ExecConfig::default()
    };
    let id = docker.create_exec(name, config).await.unwrap().id;
    let StartExecResults::Attached { mut output, .. } = docker.start_exec(&id, None).await.unwrap()
    else {
        panic!("attached output was asked for");
    };
    let mut text = String::new();
    while let Some(piece) = output.next().await {
        text.push_str(&piece.unwrap().to_string());
    }
    (text, docker.inspect_exec(&id).await.unwrap().exit_code)
}

#[tokio::test]
async fn versions_are_negotiated_and_refused_in_dockers_words() {
    let demo = demo().await;
    let docker = client(&demo).await;
    assert_eq!(docker.ping().await.unwrap(), "OK");
    assert_eq!(
        docker.version().await.unwrap().api_version.as_deref(),
        Some("1.43")
    );
    assert_eq!(docker.info().await.unwrap().containers_running, Some(3));
    let (code, body) = get(&format!("{}/v1.99/info", base(&demo))).await;
    assert_eq!(code, 400);
    assert_eq!(
        body["message"],
        "client version 1.99 is too new. Maximum supported API version is 1.43"
    );
    assert_eq!(get(&format!("{}/v1.12/info", base(&demo))).await.0, 400);
    assert_eq!(
        get(&format!("{}/containers/json", base(&demo))).await.0,
        200
    );
    let head = http()
        .head(format!("{}/_ping", base(&demo)))
        .send()
        .await
        .unwrap();
    assert_eq!(head.headers()["api-version"], "1.43");
    let (code, body) = get(&format!("{}/v1.43/containers/nobody/json", base(&demo))).await;
    assert_eq!(
        (code, body["message"].as_str()),
        (404, Some("No such container: nobody"))
    );
}

#[tokio::test]
async fn the_founding_site_is_listed_and_inspected() {
    let demo = demo().await;
    let docker = client(&demo).await;
    let filters = HashMap::from([("label", vec!["com.docker.compose.project=myia"])]);
    let options = ListContainersOptionsBuilder::default()
        .all(true)
        .filters(&filters)
        .build();
    let found = docker.list_containers(Some(options)).await.unwrap();
    assert_eq!(found.len(), 1);
    assert_eq!(
        found[0].names.as_deref(),
        Some(&["/myia-supervisor-1".to_owned()][..])
    );
    assert!(
        found[0]
            .status
            .as_deref()
            .unwrap()
            .starts_with("Up 21 hours")
    );
    let about = docker
        .inspect_container(TURBO, None::<InspectContainerOptions>)
        .await
        .unwrap();
    let state = about.state.unwrap();
    assert_eq!(state.status, Some(ContainerStateStatusEnum::RUNNING));
    assert!(state.health.is_none(), "the image has no health check");
    let host = about.host_config.unwrap();
    assert_eq!(
        host.device_requests.unwrap()[0].device_ids.as_deref(),
        Some(&["1".to_owned()][..])
    );
    let ports = about.network_settings.unwrap().ports.unwrap();
    let bound = ports["17860/tcp"].as_ref().unwrap()[0]
        .host_port
        .clone()
        .unwrap();
    assert!(
        demo.api_url("myia-turbo").unwrap().ends_with(&bound),
        "the published port answers"
    );
}

#[tokio::test]
async fn logs_come_in_frames_with_tail_and_follow() {
    let demo = demo().await;
    let docker = client(&demo).await;
    let all = LogsOptionsBuilder::default()
        .stdout(true)
        .stderr(true)
        .build();
    let lines: Vec<LogOutput> = docker
        .logs(TURBO, Some(all))
        .map(|l| l.unwrap())
        .collect()
        .await;
    let text: String = lines.iter().map(ToString::to_string).collect();
    assert!(text.contains("==> /var/log/supervisor/forge.log <=="));
    for known in [
        "ModuleNotFoundError: No module named 'ldm'",
        "FutureWarning: You are using `torch.load`",
        "extracting options: 'issues'",
        "Startup time:",
    ] {
        assert!(text.contains(known), "{known}");
    }
    assert!(text.contains('\r'), "progress bars redraw their line");
    let tail = LogsOptionsBuilder::default()
        .stdout(true)
        .stderr(true)
        .tail("3")
        .timestamps(true)
        .build();
    let last: Vec<LogOutput> = docker
        .logs(TURBO, Some(tail))
        .map(|l| l.unwrap())
        .collect()
        .await;
    assert_eq!(last.len(), 3);
    assert!(last[0].to_string().starts_with("20"));
    let follow = LogsOptionsBuilder::default()
        .stdout(true)
        .stderr(true)
        .tail("0")
        .follow(true)
        .build();
    let reader = docker.clone();
    let follower = tokio::spawn(async move {
        let mut stream = reader.logs("comfyui-candidate", Some(follow));
        while stream.next().await.is_some() {}
    });
    tokio::time::sleep(Duration::from_millis(300)).await;
    docker
        .restart_container("comfyui-candidate", None::<RestartContainerOptions>)
        .await
        .unwrap();
    // The stream of the old run ends with it.
    tokio::time::timeout(Duration::from_secs(10), follower)
        .await
        .unwrap()
        .unwrap();
}

#[tokio::test]
async fn exec_answers_supervisor_and_nvidia_smi() {
    let demo = demo().await;
    let docker = client(&demo).await;
    let (text, code) = exec(&docker, FIRST, &["supervisorctl", "status", "forge"]).await;
    assert!(
        text.starts_with("forge ") && text.contains("RUNNING   pid 312, uptime 20:5"),
        "{text}"
    );
    assert_eq!(code, Some(0));
    assert_eq!(
        exec(&docker, FIRST, &["supervisorctl", "status"]).await.1,
        Some(3)
    );
    assert_eq!(
        exec(&docker, FIRST, &["supervisorctl", "status", "webui"])
            .await
            .1,
        Some(4)
    );
    let query = [
        "nvidia-smi",
        "--query-gpu=uuid,name,memory.total",
        "--format=csv,noheader,nounits",
    ];
    let (text, code) = exec(&docker, FIRST, &query).await;
    assert_eq!(
        text,
        "GPU-19af3c52-6d0e-4b8a-9f27-5e41c08db736, NVIDIA GeForce RTX 3080, 16384\n"
    );
    assert_eq!(code, Some(0));
    let (text, code) = exec(&docker, "comfyui-candidate", &["supervisorctl", "status"]).await;
    assert!(text.contains("executable file not found in $PATH"));
    assert_eq!(code, Some(127));
    assert_eq!(
        exec(&docker, FIRST, &["test", "-e", "/run/container_config"])
            .await
            .1,
        Some(1)
    );
    let (text, _) = exec(
        &docker,
        FIRST,
        &["tail", "-n", "1", "/var/log/supervisor/forge.log"],
    )
    .await;
    assert!(text.starts_with("Total progress"), "{text}");
}

#[tokio::test]
async fn a_restart_passes_through_its_stages() {
    let demo = demo().await;
    let docker = client(&demo).await;
    let api = demo.api_url("myia").unwrap();
    let filters = HashMap::from([("container", vec![FIRST]), ("type", vec!["container"])]);
    let mut events = docker.events(Some(
        EventsOptionsBuilder::default().filters(&filters).build(),
    ));
    // The subscription has to stand before something happens.
    let told = tokio::spawn(async move {
        let mut actions = Vec::new();
        while let Some(Ok(event)) = events.next().await {
            actions.push(event.action.unwrap());
            if actions.last().is_some_and(|a| a == "restart") {
                break;
            }
        }
        actions
    });
    tokio::time::sleep(Duration::from_millis(200)).await;
    docker
        .restart_container(FIRST, None::<RestartContainerOptions>)
        .await
        .unwrap();
    let actions = tokio::time::timeout(Duration::from_secs(5), told)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(actions, ["kill", "die", "stop", "start", "restart"]);
    let mut seen: Vec<String> = Vec::new();
    let url = format!("{api}/internal/ping");
    for _ in 0..1_000 {
        let now = match http()
            .get(&url)
            .timeout(Duration::from_millis(500))
            .send()
            .await
        {
            Err(_) => "refused".to_owned(),
            Ok(answer) => {
                let kind = answer.headers()["content-type"]
                    .to_str()
                    .unwrap()
                    .to_owned();
                format!("{} {kind}", answer.status().as_u16())
            }
        };
        let ready = now == "200 application/json";
        if seen.last() != Some(&now) {
            seen.push(now);
        }
        if ready {
            break;
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    assert_eq!(seen.last().unwrap(), "200 application/json");
    assert!(
        seen.contains(&"200 text/html; charset=utf-8".to_owned()),
        "the placeholder was seen: {seen:?}"
    );
    let placeholder = seen.iter().rposition(|s| s.contains("text/html"));
    assert!(
        seen[placeholder.unwrap()..].contains(&"refused".to_owned()),
        "nothing listens while the program starts: {seen:?}"
    );
}

#[tokio::test]
async fn stopping_twice_is_not_modified_and_starting_again_works() {
    let demo = demo().await;
    let docker = client(&demo).await;
    docker
        .stop_container(FIRST, None::<StopContainerOptions>)
        .await
        .unwrap();
    let url = format!("{}/v1.43/containers/{FIRST}", base(&demo));
    let post = |what: &str| http().post(format!("{url}/{what}")).send();
    assert_eq!(post("stop").await.unwrap().status(), 304);
    assert_eq!(status(&demo.api_url("myia").unwrap()).await, None);
    let about = get(&format!("{url}/json")).await.1;
    assert_eq!(
        (
            about["State"]["Status"].as_str(),
            about["State"]["ExitCode"].as_i64()
        ),
        (Some("exited"), Some(143))
    );
    assert_eq!(post("kill").await.unwrap().status(), 409);
    assert_eq!(post("exec").await.unwrap().status(), 400);
    assert_eq!(post("start").await.unwrap().status(), 204);
    assert_eq!(post("start").await.unwrap().status(), 304);
}

#[tokio::test]
async fn restarting_the_program_leaves_the_container_up() {
    let demo = demo().await;
    let docker = client(&demo).await;
    let before = docker
        .inspect_container(TURBO, None::<InspectContainerOptions>)
        .await
        .unwrap();
    let (text, code) = exec(&docker, TURBO, &["supervisorctl", "restart", "forge"]).await;
    assert_eq!(
        (text.as_str(), code),
        ("forge: stopped\nforge: started\n", Some(0))
    );
    let after = docker
        .inspect_container(TURBO, None::<InspectContainerOptions>)
        .await
        .unwrap();
    assert_eq!(
        before.state.unwrap().started_at,
        after.state.unwrap().started_at
    );
    let api = format!("{}/sdapi/v1/sd-models", demo.api_url("myia-turbo").unwrap());
    until("ready again", || async { status(&api).await == Some(200) }).await;
}

#[tokio::test]
async fn statistics_have_two_points_to_compare() {
    let demo = demo().await;
    let docker = client(&demo).await;
    let options = StatsOptionsBuilder::default().stream(true).build();
    let samples: Vec<_> = docker
        .stats(TURBO, Some(options))
        .take(2)
        .map(|s| s.unwrap())
        .collect()
        .await;
    let cpu = |s: &bollard::models::ContainerStatsResponse| {
        s.cpu_stats
            .clone()
            .unwrap()
            .cpu_usage
            .unwrap()
            .total_usage
            .unwrap()
    };
    assert!(cpu(&samples[1]) > cpu(&samples[0]));
    let url = format!(
        "{}/containers/{TURBO}/stats?stream=0&one-shot=1",
        base(&demo)
    );
    let total = |body: serde_json::Value| body["cpu_stats"]["cpu_usage"]["total_usage"].as_u64();
    let later = total(get(&url).await.1);
    assert!(
        later >= cpu(&samples[1]).into(),
        "totals go on from request to request"
    );
    let url = format!(
        "{}/containers/json?filters=%7B%22nonsense%22%3A%5B%22x%22%5D%7D",
        base(&demo)
    );
    let (code, body) = get(&url).await;
    assert_eq!(
        (code, body["message"].as_str()),
        (400, Some("invalid filter 'nonsense'"))
    );
    assert!(samples[1].memory_stats.clone().unwrap().usage.unwrap() > 1_000_000_000);
}

#[tokio::test]
async fn hung_stopped_and_foreign_engines_differ() {
    let demo = demo().await;
    let ping = format!("{}/_ping", base(&demo));
    demo.inject(Fault::EngineHung, None).unwrap();
    let error = http()
        .get(&ping)
        .timeout(Duration::from_millis(400))
        .send()
        .await
        .unwrap_err();
    assert!(error.is_timeout(), "hung is not refused: {error:?}");
    demo.clear(Fault::EngineHung, None).unwrap();
    assert_eq!(status(&ping).await, Some(200));
    demo.inject(Fault::EngineStopped, None).unwrap();
    until("refusal", || async {
        http()
            .get(&ping)
            .send()
            .await
            .is_err_and(|e| e.is_connect())
    })
    .await;
    demo.clear(Fault::EngineStopped, None).unwrap();
    until("return on the same port", || async {
        status(&ping).await == Some(200)
    })
    .await;
    demo.inject(Fault::EngineNotDocker, None).unwrap();
    let answer = http().get(&ping).send().await.unwrap();
    assert!(!answer.headers().contains_key("api-version"));
    assert!(answer.text().await.unwrap().contains("nginx"));
}

#[cfg(unix)]
#[tokio::test]
async fn the_unix_socket_speaks_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("docker.sock");
    let options = forgekeeper_standin::DemoOptions {
        speed: 40.0,
        socket: Some(path.clone()),
        ..forgekeeper_standin::DemoOptions::default()
    };
    let demo = DemoSite::start(options).await.unwrap();
    let docker =
        Docker::connect_with_unix(path.to_str().unwrap(), 5, bollard::API_DEFAULT_VERSION).unwrap();
    assert_eq!(docker.ping().await.unwrap(), "OK");
    let second = forgekeeper_standin::DemoOptions {
        socket: Some(path.clone()),
        ..forgekeeper_standin::DemoOptions::default()
    };
    let refused = DemoSite::start(second).await;
    assert!(refused.is_err(), "a living socket is left alone");
    let (text, _) = exec(&docker, FIRST, &["echo", "hello"]).await;
    assert_eq!(text, "hello\n");
    demo.inject(Fault::EngineStopped, None).unwrap();
    until("refusal", || async { docker.ping().await.is_err() }).await;
    demo.clear(Fault::EngineStopped, None).unwrap();
    until("return", || async { docker.ping().await.is_ok() }).await;
    demo.shutdown().await;
    assert!(!path.exists(), "its file goes with it");
}

#[tokio::test]
async fn start_failures_carry_the_engines_words() {
    let demo = with(vec![(Fault::StartFailsGpu, Some("myia".into()))]).await;
    let url = format!("{}/containers/{FIRST}/restart", base(&demo));
    let answer = http().post(url).send().await.unwrap();
    assert_eq!(answer.status(), 500);
    assert!(
        answer
            .text()
            .await
            .unwrap()
            .contains("nvidia-container-cli")
    );
}
