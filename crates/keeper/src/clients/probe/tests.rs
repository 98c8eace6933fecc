use std::sync::atomic::{AtomicU32, Ordering};

use forgekeeper_domain::facts::{Activity, Busy};

use super::{
    super::scripted::{self, Reply, Request, Server},
    *,
};
use crate::secrets::Sensitive;

const IDLE: &str = r#"{"progress":0.0,"eta_relative":0.0,"state":{"skipped":false,"job":"","job_count":0,
    "job_timestamp":"20261123093744","job_no":1,"sampling_step":20,"sampling_steps":20},"current_image":null,"textinfo":null}"#;

fn running(progress: f64, step: u32) -> String {
    format!(
        r#"{{"progress":{progress},"eta_relative":12.2,"state":{{"job":"scripts_txt2img","job_count":1,
        "job_timestamp":"20261123100000","job_no":0,"sampling_step":{step},"sampling_steps":20}},"current_image":null}}"#
    )
}

const LOADING: &str = r#"{"progress":0.01,"eta_relative":806.7,"state":{"job":"scripts_txt2img","job_count":-1,
    "job_timestamp":"20261123100000","job_no":0,"sampling_step":0,"sampling_steps":3},"current_image":null}"#;

fn models(count: usize) -> String {
    serde_json::Value::from(vec![
        serde_json::json!({ "title": "m.safetensors", "hash": null });
        count
    ])
    .to_string()
}

fn page(text: &str) -> Reply {
    Reply::Text(200, "text/html; charset=utf-8", text.to_owned())
}

fn not_found() -> Reply {
    Reply::Json(404, "{\"detail\":\"Not Found\"}".to_owned())
}

async fn ask(kind: KindId, url: &str, memory: &mut ProbeMemory) -> ApiFact {
    probe(&Http::new().expect("a client"), kind, url, None, memory).await
}

async fn forge(script: impl Fn(&Request) -> Reply + Send + Sync + 'static) -> ApiFact {
    let server = Server::start(script);
    ask(KindId::Forge, &server.url, &mut ProbeMemory::default()).await
}

fn answering(progress: impl Into<String>) -> impl Fn(&Request) -> Reply {
    let progress = progress.into();
    move |request| match request.path.split('?').next() {
        Some("/sdapi/v1/sd-models") => Reply::Json(200, models(3)),
        Some("/sdapi/v1/progress") => Reply::Json(200, progress.clone()),
        _ => not_found(),
    }
}

#[tokio::test]
async fn a_working_forge_says_models_and_whether_it_works() {
    for (progress, expected) in [
        (IDLE.to_owned(), Activity::Idle),
        (
            running(0.42, 8),
            Activity::Busy(Busy {
                percent: Some(42),
                loading_model: false,
                eta_s: Some(13),
            }),
        ),
        (
            running(0.01, 20),
            Activity::Busy(Busy {
                percent: None,
                loading_model: false,
                eta_s: None,
            }),
        ),
        (
            LOADING.to_owned(),
            Activity::Busy(Busy {
                percent: None,
                loading_model: true,
                eta_s: None,
            }),
        ),
        ("no progress".to_owned(), Activity::Unknown),
    ] {
        let fact = forge(answering(progress.clone())).await;
        let ApiFact::Answered {
            models, activity, ..
        } = fact
        else {
            panic!("{progress}: {fact:?}")
        };
        assert_eq!((models, activity), (Some(3), expected), "{progress}");
    }
    let fact = forge(|_| Reply::Json(200, "[]".to_owned())).await;
    assert!(
        matches!(
            fact,
            ApiFact::Answered {
                models: Some(0),
                ..
            }
        ),
        "{fact:?}"
    );
}

#[tokio::test]
async fn every_way_to_fail_has_its_fact() {
    let mut memory = ProbeMemory::default();
    let fact = ask(KindId::Forge, &scripted::nobody(), &mut memory).await;
    assert!(matches!(fact, ApiFact::Refused { .. }), "{fact:?}");
    let fact = ask(KindId::Forge, "http://no-such-host.invalid:1", &mut memory).await;
    assert_eq!(
        fact,
        ApiFact::Dns {
            host: "no-such-host.invalid".to_owned()
        }
    );
    let fact = ask(KindId::Forge, "nonsense", &mut memory).await;
    assert!(
        matches!(&fact, ApiFact::Refused { reason } if reason.contains("address")),
        "{fact:?}"
    );

    let fact = forge(|_| Reply::Json(401, "{\"detail\":\"Not authenticated\"}".to_owned())).await;
    assert_eq!(
        fact,
        ApiFact::Unauthorized {
            status: 401,
            sent_credentials: false
        }
    );
    let fact = forge(|_| Reply::Endless).await;
    assert!(
        matches!(&fact, ApiFact::BadAnswer { what, .. } if what.contains("4 MiB")),
        "{fact:?}"
    );
    let fact = forge(|_| Reply::Json(200, "[{\"name\": 1}]".to_owned())).await;
    assert!(
        matches!(&fact, ApiFact::BadAnswer { what, .. } if what.contains("no models")),
        "{fact:?}"
    );
    let fact = forge(|_| {
        Reply::Raw(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 99\r\n\r\n[{\"ti".to_vec())
    })
    .await;
    assert!(
        matches!(&fact, ApiFact::BadAnswer { what, .. } if what.contains("cut off")),
        "{fact:?}"
    );
}

#[tokio::test]
async fn sent_credentials_that_are_refused_are_told_apart() {
    let server = Server::start(|_| Reply::Json(401, "{}".to_owned()));
    let credentials = Credentials::Bearer {
        token: Sensitive::new("t".to_owned()),
    };
    let http = Http::new().expect("a client");
    let fact = probe(
        &http,
        KindId::Comfyui,
        &server.url,
        Some(&credentials),
        &mut ProbeMemory::default(),
    )
    .await;
    assert_eq!(
        fact,
        ApiFact::Unauthorized {
            status: 401,
            sent_credentials: true
        }
    );
}

#[tokio::test]
async fn placeholder_login_and_foreign_pages_differ() {
    let placeholder = ApiFact::Starting {
        what: "placeholder".to_owned(),
    };
    assert_eq!(
        forge(|_| page("<title>Log Viewer</title>")).await,
        placeholder
    );
    // Another wording: known by answering every GET and refusing the rest.
    let quiet = |request: &Request| {
        if request.method == "GET" {
            page("<p>one moment</p>")
        } else {
            Reply::Json(405, "{}".to_owned())
        }
    };
    assert_eq!(forge(quiet).await, placeholder);
    let fact = forge(|_| page("<h1>It works!</h1>")).await;
    assert_eq!(
        fact,
        ApiFact::BadAnswer {
            status: 200,
            what: "a web page: It works!".to_owned()
        }
    );
    let fact = forge(|_| page("<form><input type=\"password\"></form>")).await;
    assert_eq!(fact, ApiFact::LoginPage { location: None });
}

#[tokio::test]
async fn without_the_api_flag_is_said_only_after_a_minute() {
    let server = Server::start(|request| {
        if request.path == "/internal/ping" {
            Reply::Json(200, "{}".to_owned())
        } else {
            not_found()
        }
    });
    let http = Http::new().expect("a client");
    let target = Target::new(&server.url, None).expect("an address");
    let mut memory = ProbeMemory::default();
    let starting = ApiFact::Starting {
        what: "not_found".to_owned(),
    };
    let start = clock::now().as_second();
    for (after, expected) in [
        (0, &starting),
        (30, &starting),
        (60, &starting),
        (61, &ApiFact::Disabled),
        (90, &ApiFact::Disabled),
    ] {
        let now = Timestamp::from_second(start + after).expect("a time");
        assert_eq!(
            forge::probe::probe(&http, &target, &mut memory, now).await,
            *expected,
            "after {after} s"
        );
    }
    // A page that does not answer either is a start like any other, and the minute begins anew.
    let bare = Server::start(|_| not_found());
    let fact = ask(KindId::Forge, &bare.url, &mut memory).await;
    assert_eq!(fact, starting);
    assert_eq!(memory.without_api_since, None);
}

#[tokio::test]
async fn a_load_that_never_ends_is_hung() {
    let loading = Server::start(|request| {
        if request.path.starts_with("/sdapi/v1/progress") {
            Reply::Json(200, LOADING.to_owned())
        } else {
            Reply::Hang
        }
    });
    let target = Target::new(&loading.url, None).expect("an address");
    let http = Http::new().expect("a client");
    let mut memory = ProbeMemory::default();
    let start = clock::now().as_second();
    for (after, moves) in [(0, true), (900, true), (901, false)] {
        let now = Timestamp::from_second(start + after).expect("a time");
        assert_eq!(
            forge::probe::probe(&http, &target, &mut memory, now).await,
            ApiFact::TimedOut {
                deadline_ms: 5000,
                progress_moves: moves
            },
            "after {after} s"
        );
    }
}

#[tokio::test]
async fn busy_is_not_hung() {
    let looks = AtomicU32::new(0);
    let moving = Server::start(move |request| {
        if request.path.starts_with("/sdapi/v1/progress") {
            let step = looks.fetch_add(1, Ordering::SeqCst) + 1;
            Reply::Json(200, running(f64::from(step) / 20.0, step))
        } else {
            Reply::Hang
        }
    });
    let still = Server::start(|request| {
        if request.path.starts_with("/sdapi/v1/progress") {
            Reply::Json(200, running(0.5, 10))
        } else {
            Reply::Hang
        }
    });
    let hung = Server::start(|_| Reply::Hang);
    let idle = Server::start(|request| {
        if request.path.starts_with("/sdapi/v1/progress") {
            Reply::Json(200, IDLE.to_owned())
        } else {
            Reply::Hang
        }
    });
    let ask = |server: &Server| {
        let url = server.url.clone();
        async move { ask(KindId::Forge, &url, &mut ProbeMemory::default()).await }
    };
    let (moving, still, hung, idle) =
        tokio::join!(ask(&moving), ask(&still), ask(&hung), ask(&idle));
    for (what, fact, expected) in [
        ("moving", moving, true),
        ("still", still, false),
        ("hung", hung, false),
        ("idle", idle, false),
    ] {
        assert_eq!(
            fact,
            ApiFact::TimedOut {
                deadline_ms: 5000,
                progress_moves: expected
            },
            "{what}"
        );
    }
}

#[tokio::test]
async fn comfyui_is_known_by_its_system_stats() {
    let script = |queue: &'static str| {
        move |request: &Request| match request.path.as_str() {
            "/system_stats" => Reply::Json(
                200,
                r#"{"system":{"comfyui_version":"0.3.64"},"devices":[]}"#.to_owned(),
            ),
            "/models/checkpoints" => {
                Reply::Json(200, r#"["a.safetensors","b.safetensors"]"#.to_owned())
            }
            "/queue" => Reply::Json(200, queue.to_owned()),
            _ => Reply::Raw(Vec::new()),
        }
    };
    for (queue, working) in [
        (r#"{"queue_running":[],"queue_pending":[]}"#, false),
        (
            r#"{"queue_running":[[0,"id",{},{},["9"]]],"queue_pending":[]}"#,
            true,
        ),
    ] {
        let server = Server::start(script(queue));
        let fact = ask(KindId::Comfyui, &server.url, &mut ProbeMemory::default()).await;
        let ApiFact::Answered {
            models,
            activity,
            version,
            ..
        } = fact
        else {
            panic!("{fact:?}")
        };
        assert_eq!(
            (models, activity.busy().is_some(), version.as_deref()),
            (Some(2), working, Some("0.3.64"))
        );
    }
    let foreign = Server::start(|_| Reply::Json(200, "{\"system\":{}}".to_owned()));
    let fact = ask(KindId::Comfyui, &foreign.url, &mut ProbeMemory::default()).await;
    assert!(
        matches!(&fact, ApiFact::BadAnswer { what, .. } if what.contains("system_stats")),
        "{fact:?}"
    );
    let html = Server::start(|_| page("<title>Loading</title>"));
    let fact = ask(KindId::Comfyui, &html.url, &mut ProbeMemory::default()).await;
    assert_eq!(
        fact,
        ApiFact::Starting {
            what: "placeholder".to_owned()
        }
    );
}
