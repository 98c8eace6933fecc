//! What is no engine, or none that answers: told apart, within the deadline, in bounded memory.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use forgekeeper_domain::facts::{EngineFact, HostFact};
use forgekeeper_keeper::docker::{
    Endpoint, Engine, Env, ResolvedEndpoint, Timings, engine::Deadlines,
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
};

use crate::docker_lab::{Watched, engine_fact};

const SECOND: Duration = Duration::from_secs(1);

/// What a server does with each connection.
#[derive(Clone, Copy)]
enum Server {
    /// Accepts and says nothing.
    Silent,
    /// Closes at once.
    Closing,
    /// Answers these bytes.
    Says(&'static str),
    /// HTTP 200 and zeros for ever.
    Endless,
    /// Half an answer, then nothing.
    Half,
}

async fn serve(server: Server) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                if matches!(server, Server::Closing) {
                    return;
                }
                let mut request = [0; 1024];
                let _read = stream.read(&mut request).await;
                let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n{";
                match server {
                    Server::Says(text) => {
                        let _written = stream.write_all(text.as_bytes()).await;
                    }
                    Server::Endless => {
                        let _written = stream.write_all(head.as_bytes()).await;
                        let zeros = vec![b'0'; 65536];
                        while stream.write_all(&zeros).await.is_ok() {}
                    }
                    Server::Half | Server::Silent => {
                        if matches!(server, Server::Half) {
                            let _written = stream.write_all(head.as_bytes()).await;
                        }
                        tokio::time::sleep(600 * SECOND).await;
                    }
                    Server::Closing => {}
                }
            });
        }
    });
    format!("tcp://{address}")
}

async fn failure(endpoint: &str) -> (EngineFact, HostFact) {
    let resolved = ResolvedEndpoint {
        endpoint: Endpoint::parse(endpoint, &Env::default()).expect("an endpoint"),
        origin: "test".to_owned(),
    };
    let started = Instant::now();
    let failed = Engine::connect(&resolved, Deadlines::default())
        .await
        .expect_err("no engine");
    assert!(started.elapsed() < 4 * SECOND, "{:?}", started.elapsed());
    (failed.engine, failed.host)
}

#[tokio::test]
async fn what_speaks_http_but_not_docker_is_named() {
    for (server, word) in [
        (
            Server::Says("HTTP/1.1 200 OK\r\n\r\n<html><title>nginx</title>"),
            "nginx",
        ),
        (
            Server::Says("HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\n\r\nnope"),
            "404",
        ),
        (
            Server::Says("HTTP/1.1 200 OK\r\n\r\n{\"Version\":\"1\"}"),
            "Version",
        ),
        (Server::Says("SSH-2.0-OpenSSH_9.2\r\n"), "SSH"),
        (Server::Endless, "more than"),
    ] {
        let (fact, host) = failure(&serve(server).await).await;
        assert_eq!(host, HostFact::Reachable);
        match fact {
            EngineFact::NotDocker { answer, .. } => assert!(answer.contains(word), "{answer}"),
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn silence_is_a_timeout_and_a_closed_door_is_a_refusal() {
    for server in [Server::Silent, Server::Half] {
        let (fact, _) = failure(&serve(server).await).await;
        assert!(
            matches!(
                fact,
                EngineFact::TimedOut {
                    deadline_ms: 3000,
                    ..
                }
            ),
            "{fact:?}"
        );
    }
    let (fact, _) = failure(&serve(Server::Closing).await).await;
    assert!(matches!(fact, EngineFact::Refused { .. }), "{fact:?}");
    let (fact, _) = failure("tcp://127.0.0.1:9").await;
    assert!(matches!(fact, EngineFact::Refused { .. }), "{fact:?}");
    let (fact, _) = failure("unix:///nowhere/docker.sock").await;
    assert!(matches!(fact, EngineFact::Refused { .. }), "{fact:?}");
}

#[tokio::test]
async fn an_engine_too_old_or_too_new_is_named() {
    for (text, word) in [
        (
            "HTTP/1.1 200 OK\r\n\r\n{\"Version\":\"1.9\",\"ApiVersion\":\"1.21\"}",
            "1.21",
        ),
        (
            "HTTP/1.1 200 OK\r\n\r\n{\"Version\":\"99\",\"ApiVersion\":\"1.99\",\"MinAPIVersion\":\"1.98\"}",
            "1.98",
        ),
    ] {
        let (fact, _) = failure(&serve(Server::Says(text)).await).await;
        assert!(
            matches!(&fact, EngineFact::Version { reason } if reason.contains(word)),
            "{fact:?}"
        );
    }
}

#[tokio::test]
async fn a_socket_of_others_is_denied() {
    // Root may open everything: only meaningful for everybody else, and said so.
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("docker.sock");
    let _listener = tokio::net::UnixListener::bind(&path).expect("a socket");
    lock(&path);
    let (fact, _) = failure(&format!("unix://{}", path.display())).await;
    if tokio::net::UnixStream::connect(&path).await.is_ok() {
        assert!(
            matches!(fact, EngineFact::TimedOut { .. }),
            "as root: {fact:?}"
        );
    } else {
        assert!(matches!(fact, EngineFact::Denied { .. }), "{fact:?}");
    }
}

fn lock(path: &Path) {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o000)).expect("locked");
}

#[tokio::test]
async fn auto_says_all_it_tried_and_retries_for_ever() {
    let watched = Watched::new("auto", &["x"]);
    watched
        .until("not found or something", 10 * SECOND, |view| {
            view.engine.is_some()
        })
        .await;
    if let Some(EngineFact::NotFound { tried }) = engine_fact(&watched.host.view().borrow()) {
        assert!(
            tried
                .iter()
                .any(|place| place.contains("/var/run/docker.sock")),
            "{tried:?}"
        );
        assert!(
            watched
                .host
                .view()
                .borrow()
                .retry_in_ms
                .is_some_and(|ms| (500..=1000).contains(&ms))
        );
    }
    assert_eq!(watched.end().await, Vec::<&str>::new());
}

#[tokio::test]
async fn an_unusable_setting_is_told_with_its_reason() {
    for (setting, word) in [
        ("context:nobody", "no Docker context"),
        ("wsl://Ubuntu", "not supported yet"),
        ("nonsense", "no engine address"),
    ] {
        let watched = Watched::new(setting, &[]);
        watched
            .until("told", 5 * SECOND, |view| view.engine.is_some())
            .await;
        let view = watched.host.view();
        let view = view.borrow();
        match engine_fact(&view) {
            Some(EngineFact::NotFound { tried }) => {
                assert!(tried.iter().any(|words| words.contains(word)), "{tried:?}");
            }
            other => panic!("{setting}: {other:?}"),
        }
    }
}

#[tokio::test]
async fn asking_to_retry_does_not_wait() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    drop(listener);
    let timings = Timings {
        retry_first: 60 * SECOND,
        retry_longest: 60 * SECOND,
        knock: 60 * SECOND,
        ..Timings::default()
    };
    let watched = Watched::with(&format!("tcp://{address}"), &[], timings);
    watched
        .until("refused", 5 * SECOND, |view| {
            matches!(engine_fact(view), Some(EngineFact::Refused { .. }))
        })
        .await;
    let first = watched
        .host
        .view()
        .borrow()
        .engine
        .as_ref()
        .map(|engine| engine.at);
    tokio::time::sleep(SECOND / 10).await;
    watched.host.retry_now();
    watched
        .until("tried again", 2 * SECOND, |view| {
            view.engine.as_ref().map(|e| e.at) > first
        })
        .await;
}
