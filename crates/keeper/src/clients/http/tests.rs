use std::{
    io::Write as _,
    sync::atomic::{AtomicU32, Ordering},
};

use super::{
    super::scripted::{self, Reply, Server},
    *,
};
use crate::secrets::Sensitive;

const SHORT: Duration = Duration::from_millis(400);
const LONG: Duration = Duration::from_secs(10);

async fn get(url: &str, ask: Ask<'_>) -> Result<HttpAnswer, HttpError> {
    let target = Target::new(url, None).expect("an address");
    Http::new().expect("a client").send(&target, &ask).await
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(bytes).expect("packs");
    encoder.finish().expect("packs")
}

#[tokio::test]
async fn ends_without_an_answer_have_their_own_names() {
    let refused = get(&scripted::nobody(), Ask::get("/", LONG)).await;
    assert!(matches!(refused, Err(HttpError::Refused(_))), "{refused:?}");

    let hung = Server::start(|_| Reply::Hang);
    let answer = get(&hung.url, Ask::get("/", SHORT)).await;
    assert_eq!(answer, Err(HttpError::TimedOut { deadline_ms: 400 }));

    let dead = Server::start(|_| Reply::Reset);
    let answer = get(&dead.url, Ask::get("/", LONG)).await;
    assert!(matches!(answer, Err(HttpError::Reset(_))), "{answer:?}");

    let answer = get("http://no-such-host.invalid", Ask::get("/", LONG)).await;
    assert_eq!(
        answer,
        Err(HttpError::Dns {
            host: "no-such-host.invalid".to_owned()
        })
    );

    let plain = Server::start(|_| Reply::Json(200, "[]".to_owned()));
    let answer = get(&plain.url.replace("http:", "https:"), Ask::get("/", LONG)).await;
    assert!(matches!(answer, Err(HttpError::Tls(_))), "{answer:?}");

    let garbage = Server::start(|_| Reply::Raw(b"SSH-2.0-OpenSSH_9.6\r\n".to_vec()));
    let answer = get(&garbage.url, Ask::get("/", LONG)).await;
    assert!(matches!(answer, Err(HttpError::Reset(_))), "{answer:?}");

    for address in [
        "",
        "localhost:7860",
        "ftp://host/",
        "http://",
        "not an address",
    ] {
        assert!(
            matches!(Target::new(address, None), Err(HttpError::Address(_))),
            "{address}"
        );
    }
}

#[tokio::test]
async fn a_dead_connection_is_tried_once_more_for_a_get_and_never_for_a_post() {
    let count = AtomicU32::new(0);
    let server = Server::start(move |_| match count.fetch_add(1, Ordering::SeqCst) {
        0 | 2 => Reply::Reset,
        _ => Reply::Json(200, "[]".to_owned()),
    });
    assert_eq!(
        get(&server.url, Ask::get("/a", LONG))
            .await
            .expect("the second try")
            .status,
        200
    );
    let post = get(&server.url, Ask::post("/b", &serde_json::Value::Null, LONG)).await;
    assert!(matches!(post, Err(HttpError::Reset(_))), "{post:?}");
    assert_eq!(server.asked(), ["GET /a", "GET /a", "POST /b"]);
}

#[tokio::test]
async fn bodies_are_bounded_after_unpacking() {
    let endless = Server::start(|_| Reply::Endless);
    let answer = get(&endless.url, Ask::get("/", LONG))
        .await
        .expect("an answer");
    assert_eq!(answer.cut, Some(Cut::TooLarge { limit: PROBE_LIMIT }));
    assert_eq!(answer.body.len(), PROBE_LIMIT);

    let bomb = gzip(&vec![b'0'; 3 * PROBE_LIMIT]);
    assert!(bomb.len() < PROBE_LIMIT / 100);
    let server = Server::start(move |_| {
        let head = format!(
            "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-encoding: gzip\r\ncontent-length: {}\r\n\r\n",
            bomb.len()
        );
        Reply::Raw([head.as_bytes(), &bomb].concat())
    });
    let answer = get(&server.url, Ask::get("/", LONG).limit(1000))
        .await
        .expect("an answer");
    assert_eq!(
        (answer.cut, answer.body.len()),
        (Some(Cut::TooLarge { limit: 1000 }), 1000)
    );

    let exact = Server::start(|_| Reply::Text(200, "text/plain", "x".repeat(1000)));
    let answer = get(&exact.url, Ask::get("/", LONG).limit(1000))
        .await
        .expect("an answer");
    assert_eq!((answer.cut, answer.body.len()), (None, 1000));
}

#[tokio::test]
async fn a_body_that_breaks_off_is_reported() {
    let server = Server::start(|_| {
        Reply::Raw(
            b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n[{"
                .to_vec(),
        )
    });
    let answer = get(&server.url, Ask::get("/", LONG))
        .await
        .expect("an answer");
    assert!(matches!(answer.cut, Some(Cut::Broken { .. })), "{answer:?}");
    assert_eq!(answer.body.as_ref(), b"[{");
}

#[tokio::test]
async fn redirects_are_not_followed_and_no_origin_is_sent() {
    let server = Server::start(|request| {
        if request.path == "/base/x?y=1" {
            Reply::Raw(
                b"HTTP/1.1 302 Found\r\nlocation: /login\r\ncontent-length: 0\r\n\r\n".to_vec(),
            )
        } else {
            Reply::Json(200, "{}".to_owned())
        }
    });
    let credentials = Credentials::Basic {
        user: "jo".to_owned(),
        password: Sensitive::new("a:b".to_owned()),
    };
    let target =
        Target::new(&format!("{}/base/", server.url), Some(credentials)).expect("an address");
    assert!(target.has_credentials());
    assert!(
        !format!("{target:?}").contains("a:b"),
        "no password in debug output"
    );
    let answer = Http::new()
        .expect("a client")
        .send(&target, &Ask::get("/x?y=1", LONG))
        .await
        .expect("an answer");
    assert_eq!(
        (answer.status, answer.location.as_deref()),
        (302, Some("/login"))
    );
    assert_eq!(server.asked(), ["GET /base/x?y=1"]);
    let head = server.seen.lock().expect("the log")[0].head.to_lowercase();
    assert!(!head.contains("origin:"), "{head}");
    assert!(head.contains("authorization: basic am86ytpi"), "{head}");
}

#[tokio::test]
async fn an_address_with_a_password_never_shows_it() {
    let answer = get(
        &scripted::nobody().replace("http://", "http://jo:secret@"),
        Ask::get("/", LONG),
    )
    .await;
    let text = format!("{answer:?}");
    assert!(!text.contains("secret"), "{text}");
}
