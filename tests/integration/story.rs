//! The founding document's site on a real engine, from discovery to a picture: two containers, the
//! real command line, and a keeper that watches all the while.

use std::{path::Path, time::Duration};

use forgekeeper_domain::{
    container::RunState, discovery::DiscoveryReport, ladder::Rung, outcome::Status, service::KindId,
};
use forgekeeper_keeper::{keeper::KeeperHandle, state::KeeperState};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, BufReader};

use crate::{
    rig::{Place, SECOND, causes, end_of_child, forge_answers, get, holds, rung, service, until},
    story_engine::StoryEngine,
};

const FIRST: &str = "myia-supervisor-1";
const TURBO: &str = "myia-turbo-supervisor-1";
/// Stop, start, supervisor's five seconds until `RUNNING`, and a round of questions.
const COMES_BACK: Duration = Duration::from_secs(40);

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs root, dockerd and FORGEKEEPER_TEST_STANDIN: the story runs on an engine of its own"]
async fn two_services_from_discovery_to_a_picture() {
    let mut engine = StoryEngine::start();
    engine.run("myia", "0");
    engine.run("myia-turbo", "1");
    let place = Place::new();

    let report = discovered(&place, &engine).await;
    // The keeper runs in this process, where DOCKER_HOST cannot be set: its host is named instead.
    place.write(format!(
        "[[host]]\nid = \"local\"\nengine = \"{}\"\n",
        engine.endpoint()
    ));
    let keeper = place.keeper().await;
    let handle = keeper.handle();
    handle.adopt(report.candidates).expect("written");
    until(&handle, "both green", COMES_BACK, both_green).await;

    ladder_through_the_command_line(&place).await;
    logs(&place).await;
    restart_of_the_container(&place, &handle).await;
    restart_of_the_program(&place, &handle).await;
    stopped_by_another_hand(&place, &engine, &handle).await;
    picture(&place).await;
    recreated(&engine, &handle).await;
    engine_stopped_and_started(&mut engine, &handle).await;

    assert_eq!(keeper.shutdown().await, Vec::<&str>::new());
}

fn both_green(state: &KeeperState) -> bool {
    let green = |name| service(state, name).is_some_and(|s| s.status == Status::Ok);
    green("myia") && green("myia-turbo") && state.incidents.is_empty()
}

fn api(handle: &KeeperHandle, name: &str) -> String {
    let state = handle.state();
    let state = state.borrow();
    let found = service(&state, name).and_then(|s| s.api.clone());
    found.expect("an address")
}

async fn discovered(place: &Place, engine: &StoryEngine) -> DiscoveryReport {
    let mut command = place.command(&["discover", "--json"]);
    command.env("DOCKER_HOST", engine.endpoint());
    let ran = crate::rig::end_of(command).await.ends_with(0);
    let mut report: DiscoveryReport = serde_json::from_str(&ran.stdout).expect("a report");
    // Whoever runs this may have another engine; only ours is looked at here.
    let ours = engine.endpoint();
    report.candidates.retain(|c| c.endpoint == ours);
    assert!(
        report
            .engines
            .iter()
            .any(|e| e.endpoint == ours && e.origin == "DOCKER_HOST" && e.version.is_some())
    );
    let found: Vec<(&str, &str, KindId, bool)> = report
        .candidates
        .iter()
        .map(|c| (c.id.as_str(), c.container.as_str(), c.kind, c.running))
        .collect();
    assert_eq!(
        found,
        [
            ("myia", FIRST, KindId::Forge, true),
            ("myia-turbo", TURBO, KindId::Forge, true)
        ]
    );
    for candidate in &report.candidates {
        let published = engine.ok(&["port", &candidate.container, "17860/tcp"]);
        let (_, port) = published.rsplit_once(':').expect("address:port");
        assert_eq!(candidate.api, Some(format!("http://localhost:{port}")));
    }
    report
}

async fn ladder_through_the_command_line(place: &Place) {
    let state = place.ctl(&["status", "--json"]).await.ends_with(0).json();
    let services = state["services"].as_array().expect("services");
    assert_eq!(services.len(), 2);
    for service in services {
        assert_eq!(service["status"], "ok", "{service}");
        for (at, name) in ["host", "engine", "container", "program", "api"]
            .iter()
            .enumerate()
        {
            let rung = &service["ladder"]["rungs"][at];
            assert_eq!(rung["rung"], *name);
            assert_eq!(rung["outcome"]["status"], "ok", "{rung}");
            assert!(rung["outcome"]["checked_at"].is_string(), "{rung}");
        }
        assert_eq!(service["program_state"], "RUNNING", "{service}");
        assert!(service["models"].as_u64() > Some(0), "{service}");
    }
    assert_eq!(state["incidents"], serde_json::json!([]));
}

async fn logs(place: &Place) {
    let ran = place.ctl(&["logs", "myia", "--json"]).await.ends_with(0);
    let lines = ran.lines();
    let of = |program: &str| {
        let texts = lines.iter().filter(|l| l["program"] == program);
        texts.filter_map(|l| l["text"].as_str()).collect::<Vec<_>>()
    };
    let forge = of("forge");
    assert!(
        forge.iter().any(|t| t.contains("Startup time:")),
        "{forge:#?}"
    );
    assert!(!of("supervisor").is_empty(), "{lines:#?}");
    assert!(lines.iter().all(|l| l["at"].is_string()), "{lines:#?}");

    let filtered = place
        .ctl(&[
            "logs",
            "myia",
            "--program",
            "forge",
            "--filter",
            "^Startup time",
        ])
        .await
        .ends_with(0);
    assert_eq!(filtered.stdout.lines().count(), 1, "{filtered:#?}");
    assert!(
        filtered.stdout.contains("[forge] Startup time:"),
        "{filtered:#?}"
    );
}

fn stages(lines: &[Value]) -> Vec<&str> {
    lines
        .iter()
        .filter(|l| l["event"] == "stage")
        .filter_map(|l| l["stage"].as_str())
        .collect()
}

/// The number that Forge draws anew at each start of its program.
async fn app_id(api: &str) -> String {
    let (code, body) = get(&format!("{api}/app_id")).await.expect("an answer");
    assert_eq!(code, 200);
    body
}

/// Runs a restart line by line; the program that answers at its end is another one.
async fn restart(place: &Place, api: &str, target: &str) -> Vec<Value> {
    let before = app_id(api).await;
    let mut child = place
        .command(&["restart", "myia-turbo", target, "--json"])
        .spawn()
        .expect("forgekeeperctl starts");
    let mut lines = BufReader::new(child.stdout.take().expect("its output")).lines();
    let reading = async {
        let mut all: Vec<Value> = Vec::new();
        while let Some(line) = lines.next_line().await.expect("UTF-8") {
            let line: Value = serde_json::from_str(&line).expect("JSON");
            if line["event"] == "stage" {
                println!("{} after {} ms", line["stage"], line["after_ms"]);
            }
            if line["stage"] == "api_answers" {
                assert!(forge_answers(api).await, "told before it was true");
            }
            all.push(line);
        }
        all
    };
    let all = tokio::select! {
        all = reading => all,
        () = tokio::time::sleep(60 * SECOND) => panic!("no end of the restart"),
    };
    end_of_child(child).await.ends_with(0);
    assert!(forge_answers(api).await);
    assert_ne!(app_id(api).await, before, "nothing was restarted");
    let end = all.last().expect("a line");
    assert_eq!(end["event"], "end");
    assert_eq!(end["job"]["phase"], "succeeded", "{end}");
    let times: Vec<u64> = all.iter().filter_map(|l| l["after_ms"].as_u64()).collect();
    assert!(times.is_sorted(), "{times:?}");
    all
}

fn started(handle: &KeeperHandle, name: &str) -> Option<forgekeeper_domain::Timestamp> {
    let state = handle.state();
    let state = state.borrow();
    service(&state, name)?.container.as_ref()?.started_at
}

async fn restart_of_the_container(place: &Place, handle: &KeeperHandle) {
    let before = started(handle, "myia-turbo");
    let told = restart(place, &api(handle, "myia-turbo"), "--container").await;
    let stages = stages(&told);
    assert_eq!(stages.first(), Some(&"asked"), "{stages:?}");
    assert_eq!(stages.last(), Some(&"api_answers"), "{stages:?}");
    for stage in ["stopping", "stopped", "container_up", "program_up"] {
        assert!(stages.contains(&stage), "{stage} is missing: {stages:?}");
    }
    until(handle, "green after it", COMES_BACK, both_green).await;
    assert!(started(handle, "myia-turbo") > before);
    assert_eq!(
        service(&handle.state().borrow(), "myia").map(|s| s.status),
        Some(Status::Ok)
    );
}

async fn restart_of_the_program(place: &Place, handle: &KeeperHandle) {
    let before = started(handle, "myia-turbo");
    let told = restart(place, &api(handle, "myia-turbo"), "--program").await;
    let stages = stages(&told);
    assert_eq!(stages.last(), Some(&"api_answers"), "{stages:?}");
    assert!(stages.contains(&"program_up"), "{stages:?}");
    until(handle, "green after it", COMES_BACK, both_green).await;
    assert_eq!(
        started(handle, "myia-turbo"),
        before,
        "the container was left alone"
    );
}

async fn stopped_by_another_hand(place: &Place, engine: &StoryEngine, handle: &KeeperHandle) {
    let container = |s: &KeeperState| {
        s.incidents.len() == 1
            && causes(s) == ["container.exited"]
            && rung(s, "myia", Rung::Container) == Some((Status::Failing, Some("container.exited")))
    };
    engine.ok(&["stop", FIRST]);
    // Both doors, from the moment the engine says that it is done.
    let (took, ()) = tokio::join!(
        until(handle, "container.exited", 2 * SECOND, container),
        status_says_stopped(place),
    );
    println!("a stopped container was seen {took:?} after `docker stop` returned");
    let other = service(&handle.state().borrow(), "myia-turbo").map(|s| s.status);
    assert_eq!(other, Some(Status::Ok));
    tokio::time::sleep(2 * SECOND).await;
    assert!(
        container(&handle.state().borrow()),
        "and stays the only one"
    );
    engine.ok(&["start", FIRST]);
    until(handle, "closed", COMES_BACK, both_green).await;
}

/// The command line says it, too, and within the same two seconds.
async fn status_says_stopped(place: &Place) {
    let stopped = std::time::Instant::now();
    let ran = place.ctl(&["status", "--json"]).await.ends_with(1);
    let took = stopped.elapsed();
    let state = ran.json();
    let services = state["services"].as_array().expect("services");
    let of = |name: &str| {
        let found = services.iter().find(|s| s["id"] == name);
        found.expect("a service")
    };
    let container = &of("myia")["ladder"]["rungs"][2];
    assert_eq!(container["rung"], "container");
    assert_eq!(container["outcome"]["status"], "failing", "{container}");
    assert_eq!(container["outcome"]["cause"], "container.exited");
    for above in [3, 4] {
        let outcome = &of("myia")["ladder"]["rungs"][above]["outcome"];
        assert_eq!(outcome["status"], "unknown", "{outcome}");
    }
    assert_eq!(of("myia-turbo")["status"], "ok");
    let causes: Vec<_> = state["incidents"]
        .as_array()
        .expect("incidents")
        .iter()
        .collect();
    assert_eq!(causes.len(), 1, "{causes:#?}");
    assert_eq!(causes[0]["cause"], "container.exited");
    assert!(took < 2 * SECOND, "{took:?}");
    println!("`forgekeeperctl status` said it {took:?} after `docker stop` returned");
    place.ctl(&["status", "myia-turbo"]).await.ends_with(0);
    place.ctl(&["status", "myia"]).await.ends_with(1);
}

async fn picture(place: &Place) {
    let ran = place
        .ctl(&[
            "generate",
            "myia-turbo",
            "--prompt",
            "test image",
            "--steps",
            "20",
            "--width",
            "512",
            "--height",
            "512",
            "--out",
            "pictures",
        ])
        .await
        .ends_with(0);
    let path = ran.stdout.lines().next().expect("its path");
    let path = place.folder.path().join(path);
    let bytes = std::fs::read(&path).expect("the picture");
    let picture = image::load_from_memory(&bytes)
        .expect("a picture")
        .to_rgb8();
    assert_eq!(picture.dimensions(), (512, 512));
    let first = picture.get_pixel(0, 0);
    assert!(picture.pixels().any(|p| p != first), "of one colour");
    let text = parameters(&path);
    assert!(text.starts_with("test image"), "{text}");
    assert!(text.contains("Steps: 20"), "{text}");
    assert!(text.contains("Size: 512x512"), "{text}");
}

/// The text that Forge writes into its pictures.
fn parameters(path: &Path) -> String {
    let file = std::fs::File::open(path).expect("the picture");
    let reader = png::Decoder::new(std::io::BufReader::new(file))
        .read_info()
        .expect("a PNG");
    let info = reader.info();
    let latin = info
        .uncompressed_latin1_text
        .iter()
        .find(|t| t.keyword == "parameters")
        .map(|t| t.text.clone());
    let unicode = info
        .utf8_text
        .iter()
        .find(|t| t.keyword == "parameters")
        .and_then(|t| t.get_text().ok());
    latin.or(unicode).expect("a text `parameters`")
}

async fn recreated(engine: &StoryEngine, handle: &KeeperHandle) {
    let of = |s: &KeeperState| {
        let container = service(s, "myia")?.container.clone()?;
        (container.state == RunState::Running).then_some(container.id)
    };
    let before = of(&handle.state().borrow()).expect("it runs");
    let port = engine.ok(&["port", FIRST, "17860/tcp"]);
    engine.ok(&["rm", "-f", FIRST]);
    until(handle, "missing", 2 * SECOND, |s| {
        causes(s) == ["container.missing"]
    })
    .await;
    // Compose would publish the same port again.
    engine.run_at("myia", "0", &port);
    let seen = until(handle, "followed", 2 * SECOND, |s| {
        of(s).is_some_and(|id| id != before)
    })
    .await;
    println!("a recreated container was followed {seen:?} after `docker run` returned");
    until(handle, "green again", COMES_BACK, both_green).await;
}

async fn engine_stopped_and_started(engine: &mut StoryEngine, handle: &KeeperHandle) {
    let address = api(handle, "myia");
    engine.stop_daemon();
    let took = until(handle, "engine.refused", 5 * SECOND, |s| {
        causes(s) == ["engine.refused"]
    })
    .await;
    println!("a stopped engine was seen {took:?} after its end");
    {
        let state = handle.state();
        let state = state.borrow();
        assert_eq!(state.incidents[0].hides.len(), 2, "one incident hides both");
        for name in ["myia", "myia-turbo"] {
            let above = rung(&state, name, Rung::Container);
            assert_eq!(above, Some((Status::Unknown, Some("rung.below"))));
        }
    }
    engine.start_daemon();
    holds("the engine's containers", 60 * SECOND, async || {
        forge_answers(&address).await
    })
    .await;
    let took = until(handle, "healed", COMES_BACK, both_green).await;
    println!("all green {took:?} after the first service answered");
}
