use std::time::Duration;

use bytes::Bytes;

use forgekeeper_domain::facts::Activity;

use super::*;

fn answer(status: u16, kind: &str, body: &str) -> HttpAnswer {
    HttpAnswer {
        status,
        content_type: (!kind.is_empty()).then(|| kind.to_owned()),
        location: None,
        challenge: None,
        body: Bytes::from(body.to_owned()),
        cut: None,
        took: Duration::from_millis(12),
        ready: Duration::ZERO,
    }
}

fn judged(answer: &HttpAnswer) -> Judged {
    judge(
        answer,
        true,
        |answer| {
            json(answer)?
                .as_array()
                .map(Vec::len)
                .ok_or_else(|| "no list".to_owned())
        },
        |models| ApiFact::Answered {
            models: u32::try_from(models).ok(),
            latency_ms: answer.took_ms(),
            activity: Activity::Unknown,
            version: None,
            device: None,
        },
    )
}

fn starting(what: &str) -> ApiFact {
    ApiFact::Starting {
        what: what.to_owned(),
    }
}

fn server_error(status: u16, message: &str) -> ApiFact {
    ApiFact::ServerError {
        status,
        message: message.to_owned(),
    }
}

fn bad_answer(status: u16, what: &str) -> ApiFact {
    ApiFact::BadAnswer {
        status,
        what: what.to_owned(),
    }
}

#[test]
fn every_kind_of_answer_has_its_fact() {
    const JSON: &str = "application/json";
    let ok = |models| ApiFact::Answered {
        models: Some(models),
        latency_ms: 12,
        activity: Activity::Unknown,
        version: None,
        device: None,
    };
    let refused = |status| ApiFact::Unauthorized {
        status,
        sent_credentials: true,
    };
    let login = ApiFact::LoginPage { location: None };
    let cases: [(&str, HttpAnswer, ApiFact); 22] = [
        ("two models", answer(200, JSON, "[{}, {}]"), ok(2)),
        (
            "no models",
            answer(200, "application/json; charset=utf-8", " []\n"),
            ok(0),
        ),
        (
            "another shape",
            answer(200, JSON, "{}"),
            bad_answer(200, "no list"),
        ),
        (
            "cut JSON",
            answer(200, JSON, "[{\"title\": \"sd"),
            bad_answer(200, "JSON that ends too early"),
        ),
        (
            "empty",
            answer(200, JSON, ""),
            bad_answer(200, "an empty body"),
        ),
        (
            "empty 204",
            answer(204, "", ""),
            bad_answer(204, "an empty body"),
        ),
        (
            "wrong type",
            answer(200, "text/plain", "[]"),
            bad_answer(200, "text/plain instead of JSON"),
        ),
        (
            "no type",
            answer(200, "", "hello"),
            bad_answer(200, "no type instead of JSON"),
        ),
        (
            "basic auth",
            answer(401, JSON, "{\"detail\":\"Not authenticated\"}"),
            refused(401),
        ),
        (
            "forbidden page",
            answer(403, "text/html", "<h1>403</h1>"),
            refused(403),
        ),
        (
            "not yet",
            answer(404, JSON, "{\"detail\":\"Not Found\"}"),
            starting("not_found"),
        ),
        (
            "proxy page",
            answer(502, "text/html", "<title>Loading</title>"),
            starting("bad_gateway"),
        ),
        (
            "proxy without a type",
            answer(502, "", "<html>"),
            starting("bad_gateway"),
        ),
        (
            "Forge's error",
            answer(
                500,
                JSON,
                r#"{"error":"RuntimeError","detail":"","body":"","message":"model 'x' not found"}"#,
            ),
            server_error(500, "RuntimeError: model 'x' not found"),
        ),
        (
            "A1111's error",
            answer(
                500,
                JSON,
                r#"{"error":"OSError","detail":"","body":"","errors":"disk gone"}"#,
            ),
            server_error(500, "OSError: disk gone"),
        ),
        (
            "detail alone",
            answer(500, JSON, r#"{"detail":"Invalid encoded image"}"#),
            server_error(500, "Invalid encoded image"),
        ),
        (
            "old Forge",
            answer(500, "text/plain", "Internal Server Error"),
            server_error(500, "Internal Server Error"),
        ),
        (
            "JSON 502",
            answer(502, JSON, r#"{"error":"Bad"}"#),
            server_error(502, "Bad"),
        ),
        (
            "nothing at all",
            answer(503, "", ""),
            server_error(503, "HTTP 503 without a body"),
        ),
        (
            "a form",
            answer(200, "text/html", "<form><input TYPE=\"password\"></form>"),
            login.clone(),
        ),
        (
            "a form without a type",
            answer(200, "", "<html><title>Sign in</title>"),
            login,
        ),
        (
            "too many",
            answer(429, JSON, r#"{"detail":"slow down"}"#),
            bad_answer(429, "slow down"),
        ),
    ];
    for (what, answer, expected) in cases {
        assert_eq!(judged(&answer), Judged::Fact(expected), "{what}");
    }
    assert_eq!(
        judged(&answer(200, "text/html", "<h1>It works!</h1>")),
        Judged::Page
    );
}

#[test]
fn redirects_are_told_and_not_followed() {
    let to = |location: &str| HttpAnswer {
        location: Some(location.to_owned()),
        ..answer(302, "", "")
    };
    for place in [
        "/login",
        "http://192.168.0.2:1111/login",
        "https://team.example/cdn-cgi/access/login/x",
        "/oauth2/start",
    ] {
        let expected = ApiFact::LoginPage {
            location: Some(place.to_owned()),
        };
        assert_eq!(judged(&to(place)), Judged::Fact(expected));
    }
    let expected = bad_answer(302, "a redirect to https://elsewhere.example/");
    assert_eq!(
        judged(&to("https://elsewhere.example/")),
        Judged::Fact(expected)
    );
    assert_eq!(
        judged(&answer(307, "", "")),
        Judged::Fact(bad_answer(307, "a redirect to nowhere"))
    );
}

#[test]
fn cut_bodies_are_bad_answers() {
    let cut = |cut| HttpAnswer {
        cut: Some(cut),
        ..answer(200, "application/json", "[{}]")
    };
    assert_eq!(
        judged(&cut(Cut::TooLarge {
            limit: 4 * 1024 * 1024
        })),
        Judged::Fact(bad_answer(200, "more than 4 MiB"))
    );
    let Judged::Fact(ApiFact::BadAnswer { what, .. }) = judged(&cut(Cut::Broken {
        reason: "eof".to_owned(),
    })) else {
        panic!("a bad answer");
    };
    assert!(what.contains("cut off"), "{what}");
}

#[test]
fn pages_are_told_apart() {
    for body in [
        "<title>Log Viewer</title>",
        "<h1>Preparing&hellip;</h1>",
        "<title>Loading</title>",
        "Please wait",
    ] {
        assert!(is_preparing(body.as_bytes()), "{body}");
    }
    assert!(!is_preparing(b"<h1>It works!</h1>"));
    let it_works = answer(
        200,
        "text/html",
        "<html><style>x</style><h1>It <b>works</b>!</h1>\u{7}",
    );
    assert_eq!(
        page(&it_works, false),
        bad_answer(200, "a web page: x It works !")
    );
    assert_eq!(page(&it_works, true), starting("placeholder"));
    // Lower-casing may change the length of other letters; the title is cut out all the same.
    let odd = answer(
        200,
        "text/html",
        "<p>\u{130}\u{130}\u{130}</p><title>\u{130}x</title>",
    );
    assert_eq!(page(&odd, false), bad_answer(200, "a web page: \u{130}x"));
    let open = answer(200, "text/html", "<title>never closed");
    assert_eq!(
        page(&open, false),
        bad_answer(200, "a web page: never closed")
    );
}

#[test]
fn field_errors_become_words() {
    let body = r#"{"detail":[
        {"type":"int_parsing","loc":["body","steps"],"msg":"Input should be a valid integer","input":"abc"},
        {"type":"missing","loc":["body","init_images",0],"msg":"Field required"},
        {"type":"odd"}]}"#;
    assert_eq!(
        error_message(&answer(422, "application/json", body)),
        "steps: Input should be a valid integer; init_images.0: Field required; not accepted"
    );
}

#[test]
fn foreign_texts_are_bounded_and_on_one_line() {
    let long = format!("{{\"detail\":\"a\\nb\\u0007{}\"}}", "é".repeat(10_000));
    let message = error_message(&answer(500, "application/json", &long));
    assert!(
        message.chars().count() <= MAX_WORDS + 1 && message.starts_with("a b "),
        "{message}"
    );
}
