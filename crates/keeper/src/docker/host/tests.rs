//! Engines that misbehave in part, played by a scripted server.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use forgekeeper_domain::container::RunState;

use super::*;
use crate::{
    clients::scripted::{Reply, Request, Server},
    docker::DockerError,
};

const MS: Duration = Duration::from_millis(1);

fn inspected(name: &str, state: &str) -> Reply {
    let body = serde_json::json!({
        "Id": format!("id-of-{name}"), "Name": format!("/{name}"), "Image": "sha256:1",
        "State": {"Status": state, "Running": state == "running", "StartedAt": "2026-01-01T00:00:00Z"},
        "Config": {"Image": "x"}, "HostConfig": {},
    });
    Reply::Json(200, body.to_string())
}

/// What every engine says; `None` for the rest.
fn usual(request: &Request) -> Option<Reply> {
    let path = request.path.as_str();
    if path.ends_with("/version") {
        let body = r#"{"Version":"28.0.0","ApiVersion":"1.48","MinAPIVersion":"1.24"}"#;
        Some(Reply::Json(200, body.to_owned()))
    } else if path.ends_with("/_ping") {
        Some(Reply::Text(200, "text/plain", "OK".to_owned()))
    } else if path.contains("/events") {
        Some(Reply::Hang)
    } else {
        None
    }
}

fn watch(tasks: &Tasks, server: &Server, wanted: &[&str]) -> HostHandle {
    let timings = Timings {
        ping: 100 * MS,
        resync: 400 * MS,
        retry_hung: 300 * MS,
        deadlines: Deadlines {
            question: 300 * MS,
            ..Deadlines::default()
        },
        ..Timings::default()
    };
    let config = HostConfig {
        id: HostId::new("test").expect("an id"),
        engine: server.url.replace("http://", "tcp://"),
        env: Env::default(),
        wanted: wanted.iter().map(|name| (*name).to_owned()).collect(),
        timings,
    };
    HostActor::spawn(tasks, config)
}

async fn until(host: &HostHandle, what: &str, good: impl FnMut(&Arc<HostView>) -> bool) {
    let mut view = host.view();
    let waited = tokio::time::timeout(Duration::from_secs(5), view.wait_for(good)).await;
    assert!(waited.is_ok(), "{what}: {:#?}", host.view().borrow());
}

fn state(view: &HostView, name: &str) -> Option<RunState> {
    Some(view.containers.get(name)?.present()?.state)
}

#[tokio::test]
async fn one_wedged_container_hides_no_other() {
    let stopped = Arc::new(AtomicBool::new(false));
    let script_stopped = Arc::clone(&stopped);
    let server = Server::start(move |request| {
        usual(request).unwrap_or_else(|| {
            if request.path.contains("/containers/wedged/json") {
                Reply::Hang
            } else if script_stopped.load(Ordering::SeqCst) {
                inspected("good", "exited")
            } else {
                inspected("good", "running")
            }
        })
    });
    let tasks = Tasks::new();
    let host = watch(&tasks, &server, &["wedged", "good"]);
    until(&host, "the good one", |view| {
        state(view, "good") == Some(RunState::Running)
    })
    .await;
    until(&host, "the wedged one", |view| {
        matches!(
            view.container_fact("wedged").map(|fact| fact.value),
            Some(ContainerFact::NotMeasurable { reason }) if reason.contains("did not answer")
        )
    })
    .await;
    stopped.store(true, Ordering::SeqCst);
    until(&host, "news of the good one", |view| {
        state(view, "good") == Some(RunState::Exited) && view.answers()
    })
    .await;
    assert!(tasks.shutdown(Duration::from_secs(2)).await.is_empty());
}

#[tokio::test]
async fn an_engine_that_refuses_events_is_watched_by_looking_and_says_so() {
    let stopped = Arc::new(AtomicBool::new(false));
    let script_stopped = Arc::clone(&stopped);
    let server = Server::start(move |request| {
        if request.path.contains("/events") {
            return Reply::Json(403, r#"{"message":"no events here"}"#.to_owned());
        }
        usual(request).unwrap_or_else(|| {
            inspected(
                "a",
                if script_stopped.load(Ordering::SeqCst) {
                    "exited"
                } else {
                    "running"
                },
            )
        })
    });
    let tasks = Tasks::new();
    let host = watch(&tasks, &server, &["a"]);
    until(&host, "the reason", |view| {
        view.trouble
            .as_ref()
            .is_some_and(|words| words.contains("no events here"))
            && state(view, "a") == Some(RunState::Running)
    })
    .await;
    assert!(host.engine().is_some(), "it answers all the same");
    stopped.store(true, Ordering::SeqCst);
    until(&host, "the stop", |view| {
        state(view, "a") == Some(RunState::Exited)
    })
    .await;
    let events = server
        .asked()
        .iter()
        .filter(|p| p.contains("/events"))
        .count();
    assert!(events <= 4, "asked {events} times");
    assert!(tasks.shutdown(Duration::from_secs(2)).await.is_empty());
}

#[tokio::test]
async fn an_event_stream_that_ends_at_once_is_not_opened_without_pause() {
    let server = Server::start(|request| {
        if request.path.contains("/events") {
            return Reply::Raw(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n".to_vec());
        }
        usual(request).unwrap_or_else(|| inspected("a", "running"))
    });
    let tasks = Tasks::new();
    let host = watch(&tasks, &server, &["a"]);
    until(&host, "the reason", |view| view.trouble.is_some()).await;
    tokio::time::sleep(1500 * MS).await;
    let events = server
        .asked()
        .iter()
        .filter(|p| p.contains("/events"))
        .count();
    assert!(events <= 4, "asked {events} times");
}

#[tokio::test]
async fn an_engine_between_two_states_is_refused_and_asked_in_pauses() {
    let up = Arc::new(AtomicBool::new(false));
    let script_up = Arc::clone(&up);
    let server = Server::start(move |request| {
        if !script_up.load(Ordering::SeqCst) {
            return Reply::Text(500, "text/plain", "starting".to_owned());
        }
        usual(request).unwrap_or_else(|| inspected("a", "running"))
    });
    let tasks = Tasks::new();
    let host = watch(&tasks, &server, &["a"]);
    until(&host, "the refusal", |view| {
        matches!(
            view.engine.as_ref().map(|engine| &engine.value),
            Some(EngineFact::Refused { reason, .. }) if reason.contains("starting or stopped")
        )
    })
    .await;
    tokio::time::sleep(1000 * MS).await;
    let asked = server.asked().len();
    assert!((3..=10).contains(&asked), "asked {asked} times");
    up.store(true, Ordering::SeqCst);
    until(&host, "the engine", |view| view.answers()).await;
}

#[tokio::test]
async fn a_compose_service_is_addressed_by_the_name_of_its_container() {
    let server = Server::start(|request| {
        usual(request).unwrap_or_else(|| {
            if request.path.contains("/containers/json") {
                let list = serde_json::json!([{
                    "Id": "id-of-p_s_1", "Names": ["/p_s_1"], "Image": "x", "State": "running",
                    "Labels": {"com.docker.compose.project": "p", "com.docker.compose.service": "s"},
                }]);
                return Reply::Json(200, list.to_string());
            }
            if request.path.contains("/containers/id-of-p_s_1/") {
                return inspected("p_s_1", "running");
            }
            Reply::Json(404, r#"{"message":"No such container: x"}"#.to_owned())
        })
    });
    let tasks = Tasks::new();
    let host = watch(&tasks, &server, &["p/s", "p-s-1", "q/s"]);
    assert_eq!(host.real_name("p/s"), None, "not looked for yet");
    until(&host, "all three", |view| view.listing_complete).await;
    assert_eq!(host.real_name("p/s").as_deref(), Some("p_s_1"));
    assert_eq!(host.real_name("p-s-1").as_deref(), Some("p_s_1"));
    assert_eq!(host.real_name("q/s"), None);
}

#[tokio::test]
async fn a_command_that_hangs_is_not_started_beside_itself() {
    let (begun, ended) = (
        Arc::new(AtomicUsize::new(0)),
        Arc::new(AtomicBool::new(false)),
    );
    let (script_begun, script_ended) = (Arc::clone(&begun), Arc::clone(&ended));
    let server = Server::start(move |request| {
        usual(request).unwrap_or_else(|| {
            if request.path.ends_with("/containers/a/exec") {
                script_begun.fetch_add(1, Ordering::SeqCst);
                Reply::Json(201, r#"{"Id":"e1"}"#.to_owned())
            } else if request.path.ends_with("/exec/e1/start") {
                Reply::Hang
            } else if request.path.ends_with("/exec/e1/json") {
                let running = !script_ended.load(Ordering::SeqCst);
                Reply::Json(200, format!(r#"{{"Running":{running},"ExitCode":0}}"#))
            } else {
                inspected("a", "running")
            }
        })
    });
    let tasks = Tasks::new();
    let host = watch(&tasks, &server, &["a"]);
    until(&host, "the engine", |_| host.engine().is_some()).await;
    let engine = host.engine().expect("connected");
    let ask = |argv: &'static [&'static str]| {
        let engine = engine.clone();
        async move { engine.exec("a", argv, 200 * MS, 1000).await }
    };
    let status: &[&str] = &["supervisorctl", "status", "forge"];
    assert!(matches!(
        ask(status).await,
        Err(DockerError::Timeout { .. })
    ));
    for _ in 0..3 {
        assert_eq!(
            ask(status).await,
            Err(DockerError::StillRunning {
                command: "supervisorctl status".to_owned()
            })
        );
    }
    assert_eq!(begun.load(Ordering::SeqCst), 1);
    let other = ask(&["nvidia-smi"]).await;
    assert!(
        matches!(other, Err(DockerError::Timeout { .. })),
        "{other:?}"
    );
    assert_eq!(
        begun.load(Ordering::SeqCst),
        2,
        "another command is another one"
    );
    ended.store(true, Ordering::SeqCst);
    assert!(matches!(
        ask(status).await,
        Err(DockerError::Timeout { .. })
    ));
    assert_eq!(
        begun.load(Ordering::SeqCst),
        3,
        "its end lets it start again"
    );
}
