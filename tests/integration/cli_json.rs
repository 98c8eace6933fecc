//! The shapes that `--json` promises. Values that differ from run to run are replaced by their
//! kind, so that a snapshot shows every key and every word that programs may rely on.

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, BufReader};

use crate::rig::{Place, SECOND, end_of_child, interrupt, post};

/// Keys whose values differ from run to run, or from machine to machine.
const VOLATILE: &[&str] = &[
    "after_ms",
    "api_latency_ms",
    "at",
    "checked_at",
    "created_at",
    "endpoint",
    "fan_percent",
    "finished_at",
    "graphics_mhz",
    "load_percent",
    "memory",
    "memory_free",
    "memory_load_percent",
    "memory_used",
    "opened_at",
    "path",
    "power_w",
    "revision",
    "seq",
    "took_ms",
    "since",
    "spread_ms",
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
    // Whether cards were read and the log was opened when the ladder was done.
    let placement = &mut service["placement"];
    placement["reported"] = json!("[reported]");
    placement["declared"]["card"] = json!("[card]");
    for declaration in placement["declared"]["all"]
        .as_array_mut()
        .expect("declarations")
    {
        declaration["cards"] = kind(&declaration["cards"]);
    }
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
async fn a_restart() {
    let place = Place::new();
    let ran = place
        .ctl(&["--demo", "--json", "restart", "myia"])
        .await
        .ends_with(0);
    let mut lines = ran.lines();
    for line in &mut lines {
        redact(line);
    }
    let end = lines.last_mut().expect("its end");
    end["job"]["id"] = kind(&end["job"]["id"]);
    insta::assert_json_snapshot!(lines);
}

#[tokio::test]
async fn a_generation() {
    let place = Place::new();
    let ran = place
        .ctl(&[
            "--demo", "--json", "generate", "myia", "--prompt", "a cat", "--seed", "7", "--out",
            "out",
        ])
        .await
        .ends_with(0);
    let mut lines = ran.lines();
    let mut end = lines.pop().expect("its end");
    // Each has all keys; how many come, and with which numbers, depends on the moment.
    let progress = lines.iter().filter(|l| l["event"] == "progress");
    let mut shapes: Vec<Value> = Vec::new();
    for line in progress.clone() {
        let mut shape = line.clone();
        if let Some(progress) = shape["progress"].as_object_mut() {
            for (key, value) in progress.iter_mut().filter(|(key, _)| *key != "stage") {
                *value = if key == "preview" {
                    json!("[path or null]")
                } else {
                    json!("[number or null]")
                };
            }
        }
        if !shapes.contains(&shape) {
            shapes.push(shape);
        }
    }
    assert_eq!(progress.count(), lines.len(), "no other lines: {ran:#?}");
    shapes.sort_by_key(|shape| shape["progress"]["stage"].to_string());
    // Loading and finishing may be too short to be seen.
    shapes.retain(|shape| shape["progress"]["stage"] == "sampling");
    redact(&mut end);
    end["job"]["id"] = kind(&end["job"]["id"]);
    let record = &mut end["job"]["record"];
    for key in ["id", "parameters"] {
        record[key] = kind(&record[key]);
    }
    let timing = record["timing"].as_object_mut().expect("a timing");
    timing
        .values_mut()
        .for_each(|value| *value = json!("[number or null]"));
    // Before the first reading of the cards nothing is known of what was in use.
    for key in ["memory_before_bytes", "held_before_bytes"] {
        record["card"][key] = json!("[number or null]");
    }
    record["card"]["memory_peak_bytes"] = kind(&record["card"]["memory_peak_bytes"]);
    let picture = &mut record["pictures"][0];
    for key in ["hash", "bytes"] {
        picture[key] = kind(&picture[key]);
    }
    insta::assert_json_snapshot!(json!({ "progress": shapes, "end": end }));
}

/// Keys of a snapshot whose values differ from run to run.
const OF_SNAPSHOTS: &[&str] = &[
    "address",
    "after",
    "after_at",
    "before",
    "before_at",
    "bytes",
    "evidence",
    "id",
    "key",
    "modified_at",
    "taken_at",
    "written_at",
];

fn redact_snapshot(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(redact_snapshot),
        Value::Object(map) => {
            for (key, inner) in map.iter_mut() {
                // The key of a change is a list.
                if OF_SNAPSHOTS.contains(&key.as_str()) && !inner.is_array() && !inner.is_null() {
                    *inner = kind(inner);
                } else {
                    redact_snapshot(inner);
                }
            }
        }
        _ => {}
    }
}

#[tokio::test]
async fn snapshots() {
    let place = Place::new();
    let mut child = place
        .command(&["--json", "demo"])
        .spawn()
        .expect("forgekeeperctl starts");
    let mut lines = BufReader::new(child.stdout.take().expect("its output")).lines();
    let told = tokio::time::timeout(20 * SECOND, lines.next_line()).await;
    let told = told.expect("in time").expect("UTF-8").expect("a line");
    let told: Value = serde_json::from_str(&told).expect("JSON");
    let config = told["config"].as_str().expect("a path").to_owned();
    let text = std::fs::read_to_string(&config).expect("settings");
    let (_, myia) = text.split_once("id = \"myia\"").expect("myia");
    let (_, api) = myia.split_once("api = \"").expect("an address");
    let api = api.split('"').next().unwrap_or_default().to_owned();
    let ran = async |arguments: &[&str], code: i32| {
        let mut all = vec!["--config", &config, "--json", "snapshot"];
        all.extend(arguments);
        let mut value = place.ctl(&all).await.ends_with(code).json();
        let id = value["id"].as_str().unwrap_or_default().to_owned();
        redact(&mut value);
        redact_snapshot(&mut value);
        (id, value)
    };
    let (before, taken) = ran(&["take", "myia"], 0).await;
    assert_eq!(ran(&["show", &before], 0).await.1, taken);
    // A keyring is the machine's.
    let mut shown = taken;
    for item in shown["items"].as_array_mut().expect("items") {
        if item["part"] == "environment" {
            *item = json!("[kept or in_memory, by the machine]");
        }
    }
    let body = "{\"jpeg_quality\": 91}";
    post(&format!("{api}/sdapi/v1/options"), body)
        .await
        .expect("an answer");
    ran(&["take", "myia"], 0).await;
    let (_, mut diff) = ran(&["diff", &before], 1).await;
    let parts = diff["parts"].as_array_mut().expect("parts");
    parts.retain(|part| part["part"] == "forge_config");
    diff["unchanged"] = kind(&diff["unchanged"]);
    let (_, mut list) = ran(&["list", "myia"], 0).await;
    assert_eq!(list["snapshots"].as_array().map(Vec::len), Some(2));
    for one in list["snapshots"].as_array_mut().expect("a list") {
        one["snapshot"] = kind(&one["snapshot"]);
    }
    let (_, mut verified) = ran(&["verify", &before], 0).await;
    for item in verified["items"].as_array_mut().expect("items") {
        if item["part"] == "environment" {
            item["verdict"] = json!("[whole or not_kept, by the machine]");
        }
    }
    let scope = ["--key", "sd_model_checkpoint"];
    let (_, mut plan) = ran(&[&["restore", before.as_str()], &scope[..]].concat(), 1).await;
    for of_run in ["snapshot", "token", "runs"] {
        plan[of_run] = kind(&plan[of_run]);
    }
    let whole = ["restore", before.as_str(), "--part", "compose"];
    let (_, nothing) = ran(&whole, 3).await;
    assert_eq!(nothing["files"], json!([]));
    let drills = place
        .ctl(&["--config", &config, "--json", "snapshot", "drill", "myia"])
        .await;
    let mut drill = drills.json()["drills"][0].clone();
    drill["items"] = kind(&drill["items"]);
    drill["snapshot"] = kind(&drill["snapshot"]);
    // Whether there is a keyring is the machine's.
    drill["proved"] = kind(&drill["proved"]);
    redact(&mut drill);
    redact_snapshot(&mut drill);
    insta::assert_json_snapshot!(json!({
        "show": shown, "diff": diff, "list": list, "verify": verified, "plan": plan,
        "drill": drill,
    }));
    place
        .ctl(&["--config", &config, "snapshot", "show", "2"])
        .await
        .ends_with(2);
    interrupt(&child);
    end_of_child(child).await.ends_with(0);
}

#[tokio::test]
async fn the_demo_host() {
    let place = Place::new();
    let mut child = place
        .command(&["--json", "demo"])
        .spawn()
        .expect("forgekeeperctl starts");
    let mut lines = BufReader::new(child.stdout.take().expect("its output")).lines();
    let told = tokio::time::timeout(20 * SECOND, lines.next_line()).await;
    let told = told.expect("in time").expect("UTF-8").expect("a line");
    let mut told: Value = serde_json::from_str(&told).expect("JSON");
    let config = told["config"].as_str().expect("a path").to_owned();
    // What it says can be used as it stands.
    let state = place
        .ctl(&["--config", &config, "status", "--json"])
        .await
        .ends_with(0)
        .json();
    assert_eq!(state["demo"], true);
    told["config"] = kind(&told["config"]);
    redact(&mut told);
    insta::assert_json_snapshot!(told);
    interrupt(&child);
    end_of_child(child).await.ends_with(0);
}

#[tokio::test]
async fn completions_for_every_shell() {
    let place = Place::new();
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let ran = place.ctl(&["completions", shell]).await.ends_with(0);
        // Some shells' scripts name long options without their dashes.
        for word in ["forgekeeperctl", "generate", "filter"] {
            assert!(ran.stdout.contains(word), "{shell}: {word}");
        }
        assert_eq!(ran.stderr, "");
        // Whoever reads may have gone.
        let mut child = place
            .command(&["completions", shell])
            .spawn()
            .expect("forgekeeperctl starts");
        drop(child.stdout.take());
        let ran = end_of_child(child).await.ends_with(0);
        assert_eq!(ran.stderr, "", "{shell}");
    }
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
