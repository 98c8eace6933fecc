//! The shapes that `--json` promises. Values that differ from run to run are replaced by their
//! kind, so that a snapshot shows every key and every word that programs may rely on.

use serde_json::{Value, json};

use crate::rig::Place;

/// Keys whose values differ from run to run, or from machine to machine.
const VOLATILE: &[&str] = &[
    "api_latency_ms",
    "at",
    "checked_at",
    "created_at",
    "endpoint",
    "finished_at",
    "load_percent",
    "memory_used",
    "opened_at",
    "path",
    "power_w",
    "revision",
    "seq",
    "since",
    "started_at",
    "temperature_c",
];

/// The kind of a value in place of the value.
fn kind(value: &Value) -> Value {
    match value {
        Value::Null => json!("[null]"),
        Value::Bool(_) => json!("[bool]"),
        Value::Number(_) => json!("[number]"),
        Value::String(text) => {
            let time = text.parse::<forgekeeper_domain::Timestamp>().is_ok();
            json!(if time { "[time]" } else { "[text]" })
        }
        Value::Array(_) => json!("[list]"),
        Value::Object(_) => json!("[object]"),
    }
}

fn redact(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(redact),
        Value::Object(map) => {
            // Evidence is a name and a value: measured ones differ.
            let evidence = map.len() == 2 && map.contains_key("name") && map.contains_key("value");
            for (key, inner) in map.iter_mut() {
                if VOLATILE.contains(&key.as_str()) || (evidence && key == "value") {
                    *inner = kind(inner);
                } else {
                    redact(inner);
                }
            }
        }
        Value::String(text) => *text = stable(text),
        _ => {}
    }
}

/// Addresses without their ports, ids of containers without their digits.
fn stable(text: &str) -> String {
    if text.len() == 64 && text.bytes().all(|b| b.is_ascii_hexdigit()) {
        return "[id]".to_owned();
    }
    if text.starts_with("sha256:") {
        return "[digest]".to_owned();
    }
    match text.rsplit_once(':') {
        Some((rest, port)) if rest.contains("://") && port.bytes().all(|b| b.is_ascii_digit()) => {
            format!("{rest}:[port]")
        }
        _ => text.to_owned(),
    }
}

async fn demo(arguments: &[&str]) -> Value {
    let place = Place::new();
    let mut all = vec!["--demo", "--json"];
    all.extend(arguments);
    let mut value = place.ctl(&all).await.ends_with(0).json();
    redact(&mut value);
    value
}

#[tokio::test]
async fn status() {
    let mut state = demo(&["status", "myia"]).await;
    // Cards and ports have snapshots of their own, or differ.
    state["hosts"][0]["gpus"] = kind(&state["hosts"][0]["gpus"]);
    let service = &mut state["services"][0];
    for port in service["container"]["ports"].as_array_mut().expect("ports") {
        port["host_port"] = kind(&port["host_port"]);
    }
    // Whether the log was opened yet when the ladder was done.
    service["log"] = kind(&service["log"]);
    // Whether there is a keyring, once somebody looked.
    state["settings"]["keyring_available"] = json!("[machine]");
    insta::assert_json_snapshot!(state);
}

#[tokio::test]
async fn discover() {
    let mut report = demo(&["discover"]).await;
    // Other engines that were tried depend on the machine.
    let engines = report["engines"].as_array_mut().expect("engines");
    engines.retain(|e| e["origin"] == "forgekeeper.toml");
    insta::assert_json_snapshot!(report);
}

#[tokio::test]
async fn gpu() {
    let mut view = demo(&["gpu"]).await;
    for card in view["hosts"][0]["gpus"]["cards"]
        .as_array_mut()
        .expect("cards")
    {
        for series in card.as_object_mut().expect("a card").values_mut() {
            if series.is_array() || series.get("points").is_some() {
                *series = kind(series);
            }
        }
    }
    insta::assert_json_snapshot!(view);
}

#[tokio::test]
async fn logs() {
    let place = Place::new();
    let ran = place
        .ctl(&[
            "--demo",
            "--json",
            "logs",
            "myia",
            "--filter",
            "^Startup time",
            "--tail",
            "1",
        ])
        .await
        .ends_with(0);
    let mut lines = ran.lines();
    assert_eq!(lines.len(), 1, "{ran:#?}");
    redact(&mut lines[0]);
    insta::assert_json_snapshot!(lines[0]);
}

#[tokio::test]
async fn faults() {
    let place = Place::new();
    let ran = place
        .ctl(&["--json", "demo", "--list-faults"])
        .await
        .ends_with(0);
    insta::assert_json_snapshot!(ran.lines());
}

#[tokio::test]
async fn an_error() {
    let place = Place::new();
    let mut error = place
        .ctl(&["--demo", "--json", "status", "nobody"])
        .await
        .ends_with(2)
        .json();
    redact(&mut error);
    insta::assert_json_snapshot!(error);
}
