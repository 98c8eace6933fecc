//! A fast demo site for each test, and small helpers around it.

use std::time::Duration;

use forgekeeper_standin::{DemoOptions, DemoSite, Fault};
use serde_json::Value;

pub(crate) async fn demo() -> DemoSite {
    with(Vec::new()).await
}

pub(crate) async fn with(faults: Vec<(Fault, Option<String>)>) -> DemoSite {
    // The provider is installed once for all tests of this process.
    let _ = rustls::crypto::ring::default_provider().install_default();
    DemoSite::start(DemoOptions {
        speed: 40.0,
        faults,
        ..DemoOptions::default()
    })
    .await
    .unwrap()
}

pub(crate) fn http() -> reqwest::Client {
    reqwest::Client::builder()
        .timeout(Duration::from_secs(30))
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .build()
        .unwrap()
}

pub(crate) async fn get(url: &str) -> (u16, Value) {
    let answer = http().get(url).send().await.unwrap();
    let status = answer.status().as_u16();
    (status, answer.json().await.unwrap_or(Value::Null))
}

pub(crate) async fn post(url: &str, body: &Value) -> (u16, Value) {
    let answer = http().post(url).json(body).send().await.unwrap();
    let status = answer.status().as_u16();
    (status, answer.json().await.unwrap_or(Value::Null))
}

/// Asks again until `test` holds; fails after ten seconds.
pub(crate) async fn until<F>(what: &str, mut test: impl FnMut() -> F)
where
    F: Future<Output = bool>,
{
    for _ in 0..400 {
        if test().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    panic!("never came: {what}");
}

/// Status of a GET, or none when nobody answers.
pub(crate) async fn status(url: &str) -> Option<u16> {
    let answer = http()
        .get(url)
        .timeout(Duration::from_millis(700))
        .send()
        .await
        .ok()?;
    Some(answer.status().as_u16())
}

#[tokio::test]
async fn the_configuration_names_what_really_answers() {
    let demo = demo().await;
    let text = demo.config_toml();
    assert!(text.contains("demo = true") && text.contains("id = \"demo\""));
    assert!(text.contains(&demo.engine_url()));
    for id in ["myia-turbo", "myia", "comfyui"] {
        let api = demo.api_url(id).unwrap();
        assert!(text.contains(&api), "{text}");
        assert_eq!(status(&api).await, Some(200), "{id}");
    }
    demo.shutdown().await;
}

#[tokio::test]
async fn nothing_is_left_after_the_end() {
    let demo = demo().await;
    let api = demo.api_url("myia").unwrap();
    let site = std::sync::Arc::downgrade(demo.site());
    demo.shutdown().await;
    assert!(site.upgrade().is_none(), "no task holds the site");
    assert_eq!(status(&api).await, None);
}

#[tokio::test]
async fn many_sites_live_side_by_side() {
    let (one, two) = tokio::join!(demo(), demo());
    assert_ne!(one.engine_url(), two.engine_url());
    one.inject(Fault::ApiRefused, Some("myia")).unwrap();
    let (first, second) = (one.api_url("myia").unwrap(), two.api_url("myia").unwrap());
    until("refusal", || async { status(&first).await.is_none() }).await;
    assert_eq!(status(&second).await, Some(200));
}
