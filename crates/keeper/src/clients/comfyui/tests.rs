//! Pictures on a scripted server without a WebSocket: queue and history alone have to do.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use forgekeeper_domain::{
    error::ErrorCode,
    generation::{GenerationRequest, GenerationStage, GenerationVerdict},
};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::{
    super::{
        failure::Failure,
        http::Http,
        patience::Patience,
        reach::Reach,
        scripted::{self, Reply, Request, Server},
    },
    *,
};

/// What the server has in mind.
#[derive(Debug, Default)]
struct Mind {
    /// Prompts in the order of their arrival: id and graph.
    prompts: Vec<(String, Value)>,
    /// Looks at the queue that still find ours there.
    looks_left: u32,
    /// Whether ours waits behind another's.
    behind: bool,
    /// Numbers of others that wait beside ours, which has 3; each look finds one less.
    waiting: Vec<f64>,
    /// How ours ends; without one it is in no history.
    ending: Option<Value>,
    /// A prompt in the history with its checkpoint.
    before: Option<&'static str>,
    interrupted: Vec<Value>,
    deleted: Vec<Value>,
}

fn success() -> Value {
    json!({"status": {"status_str": "success", "completed": true, "messages": []}})
}

fn interruption() -> Value {
    let messages = json!([["execution_interrupted", {"node_id": "5"}]]);
    json!({"status": {"status_str": "error", "completed": false, "messages": messages}})
}

fn serve(mind: Mind) -> (Server, Arc<Mutex<Mind>>) {
    let mind = Arc::new(Mutex::new(mind));
    let shared = Arc::clone(&mind);
    let server = Server::start(move |request| answer(&mut shared.lock().expect("a mind"), request));
    (server, mind)
}

fn answer(mind: &mut Mind, request: &Request) -> Reply {
    let good = |value: &Value| Reply::Json(200, value.to_string());
    let body: Value = serde_json::from_str(&request.body).unwrap_or_default();
    let ours = mind.prompts.last().map(|(id, _)| id.clone());
    match (request.method.as_str(), request.path.as_str()) {
        ("GET", "/models/checkpoints") => good(&json!(["first.safetensors", "sub/used.safetensors"])),
        ("GET", "/object_info/KSampler") => {
            let list = |names: &[&str]| json!([names, {}]);
            let required = json!({"sampler_name": list(&["euler", "dpmpp_2m"]), "scheduler": list(&["normal", "karras"])});
            good(&json!({"KSampler": {"input": {"required": required}}}))
        }
        ("GET", "/history?max_items=1") => good(&mind.before.map_or_else(
            || json!({}),
            |name| {
                let graph = json!({"9": {"class_type": "CheckpointLoaderSimple", "inputs": {"ckpt_name": name}}});
                json!({"old": {"prompt": [1, "old", graph, {}, []]}})
            },
        )),
        ("POST", "/prompt") => {
            let id = body["prompt_id"].as_str().unwrap_or_default().to_owned();
            mind.prompts.push((id.clone(), body["prompt"].clone()));
            good(&json!({"prompt_id": id, "number": 3, "node_errors": {}}))
        }
        ("GET", "/queue") => {
            let there = mind.looks_left > 0;
            mind.looks_left = mind.looks_left.saturating_sub(1);
            let row = ours.map(|id| json!([3, id, {}, {}, ["7"]])).filter(|_| there);
            let theirs = json!([2, "theirs", {}, {}, ["7"]]);
            let list = |row: Option<Value>| row.into_iter().collect::<Vec<_>>();
            let others = mind.waiting.iter().enumerate();
            let others = others.map(|(n, number)| json!([number, format!("other{n}"), {}, {}, ["7"]]));
            let pending: Vec<Value> = others.chain(row.clone()).collect();
            mind.waiting.pop();
            good(&if mind.behind {
                json!({"queue_running": [theirs], "queue_pending": pending})
            } else {
                json!({"queue_running": list(row), "queue_pending": []})
            })
        }
        ("POST", "/interrupt") => {
            mind.interrupted.push(body["prompt_id"].clone());
            mind.ending = Some(interruption());
            mind.looks_left = 0;
            Reply::Text(200, "text/plain", String::new())
        }
        ("POST", "/queue") => {
            mind.deleted.push(body["delete"].clone());
            mind.looks_left = 0;
            Reply::Text(200, "text/plain", String::new())
        }
        ("GET", path) if path.starts_with("/history/") => {
            let over = mind.looks_left == 0;
            let entry = mind.ending.clone().filter(|_| over);
            good(&match (ours, entry) {
                (Some(id), Some(entry)) => json!({ id: entry }),
                _ => json!({}),
            })
        }
        _ => Reply::Text(404, "text/plain", String::new()),
    }
}

fn client(url: &str) -> ComfyClient {
    let patience = Patience {
        poll: Duration::from_millis(20),
        still: Duration::from_millis(600),
        loading: Duration::from_millis(900),
        interrupt: Duration::from_secs(5),
    };
    let reach = Reach::new(Http::new().expect("a client"), url, None);
    ComfyClient::new(reach.expect("an address").with_patience(patience))
}

fn sphere() -> GenerationRequest {
    GenerationRequest {
        prompt: "a sphere".to_owned(),
        steps: 7,
        width: 64,
        height: 64,
        ..GenerationRequest::default()
    }
}

async fn paint(url: &str) -> (Result<(), Failure>, Vec<GenerationStage>) {
    let mut stages = Vec::new();
    let cancel = CancellationToken::new();
    let (client, request) = (client(url), sphere());
    let ended = client
        .paint(&request, &cancel, |stage| stages.push(stage))
        .await;
    (ended, stages)
}

/// Cancels once the server has the prompt.
async fn cancelled(url: &str, mind: &Arc<Mutex<Mind>>) -> Failure {
    let cancel = CancellationToken::new();
    let asked = async {
        while mind.lock().expect("a mind").prompts.is_empty() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        cancel.cancel();
    };
    let client = client(url);
    let request = sphere();
    let painted = client.paint(&request, &cancel, |_| {});
    let (ended, ()) = tokio::join!(painted, asked);
    ended.expect_err("no picture")
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_websocket_queue_and_history_tell() {
    let (server, mind) = serve(Mind {
        looks_left: 3,
        ending: Some(success()),
        before: Some("sub/used.safetensors"),
        ..Mind::default()
    });
    for round in 1..=2 {
        let (ended, stages) = paint(&server.url).await;
        assert_eq!(ended, Ok(()));
        if round == 1 {
            assert_eq!(stages, [GenerationStage::Waiting, GenerationStage::AtWork]);
        }
    }
    let mind = mind.lock().expect("a mind");
    let inputs = |round: usize, node: &str| mind.prompts[round].1[node]["inputs"].clone();
    assert_eq!(inputs(0, "1")["ckpt_name"], "sub/used.safetensors");
    assert_eq!(
        (&inputs(0, "5")["steps"], &inputs(0, "4")["width"]),
        (&json!(7), &json!(64))
    );
    assert_ne!(
        inputs(0, "5")["forgekeeper_run"],
        inputs(1, "5")["forgekeeper_run"],
        "the same graph would come from the cache"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_checkpoint_that_is_gone_gives_way_to_one_that_is_there() {
    let (server, mind) = serve(Mind {
        ending: Some(success()),
        before: Some("deleted.safetensors"),
        ..Mind::default()
    });
    assert_eq!(paint(&server.url).await.0, Ok(()));
    let graph = &mind.lock().expect("a mind").prompts[0].1;
    assert_eq!(graph["1"]["inputs"]["ckpt_name"], "first.safetensors");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_running_prompt_is_interrupted_by_its_own_id() {
    let (server, mind) = serve(Mind {
        looks_left: 10_000,
        ..Mind::default()
    });
    let (verdict, info) = cancelled(&server.url, &mind).await;
    assert_eq!(
        (verdict, info.code),
        (GenerationVerdict::Interrupted, ErrorCode::Cancelled)
    );
    let mind = mind.lock().expect("a mind");
    assert_eq!(mind.interrupted, [json!(mind.prompts[0].0)]);
    assert!(mind.deleted.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_waiting_prompt_is_taken_from_the_queue_and_the_others_are_left_alone() {
    let (server, mind) = serve(Mind {
        looks_left: 10_000,
        behind: true,
        ..Mind::default()
    });
    let (verdict, info) = cancelled(&server.url, &mind).await;
    assert_eq!(verdict, GenerationVerdict::Interrupted);
    assert!(info.message.contains("queue"), "{}", info.message);
    let mind = mind.lock().expect("a mind");
    assert_eq!(mind.deleted, [json!([mind.prompts[0].0])]);
    assert!(mind.interrupted.is_empty(), "another's runs");
}

#[tokio::test(flavor = "multi_thread")]
async fn while_it_waits_the_number_of_those_before_it_is_told() {
    let (server, _) = serve(Mind {
        looks_left: 4,
        behind: true,
        // Behind ours, before it, and put before all.
        waiting: vec![4.0, 2.5, -7.0],
        ending: Some(success()),
        ..Mind::default()
    });
    let mut told = Vec::new();
    let (client, request, cancel) = (client(&server.url), sphere(), CancellationToken::new());
    // There is no picture in the history of this one: only what was told on the way counts.
    let _ = client
        .txt2img(&request, &cancel, |live| {
            told.push((live.progress.stage, live.progress.queue_ahead));
        })
        .await;
    let waits = |ahead| (GenerationStage::Waiting, ahead);
    assert_eq!(
        told,
        [waits(None), waits(Some(3)), waits(Some(2)), waits(Some(1))]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_prompt_that_is_nowhere_is_lost_and_not_sent_again() {
    let (server, mind) = serve(Mind {
        looks_left: 2,
        ..Mind::default()
    });
    let (verdict, info) = paint(&server.url).await.0.expect_err("no picture");
    assert_eq!(
        (verdict, info.code),
        (GenerationVerdict::Failed, ErrorCode::Api)
    );
    assert!(info.message.contains("does not know"), "{}", info.message);
    assert_eq!(mind.lock().expect("a mind").prompts.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_prompt_that_stands_still_is_given_up() {
    let (server, _) = serve(Mind {
        looks_left: 10_000,
        ..Mind::default()
    });
    let (verdict, info) = paint(&server.url).await.0.expect_err("no picture");
    assert_eq!(
        (verdict, info.code),
        (GenerationVerdict::Failed, ErrorCode::NotProved)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_no_comfyui_or_has_nothing_is_said_to_be_so() {
    let refused = paint(&scripted::nobody()).await.0.expect_err("nobody");
    assert_eq!(refused.1.code, ErrorCode::Api);
    let empty = Server::start(|_| Reply::Json(200, "[]".to_owned()));
    let (_, info) = paint(&empty.url).await.0.expect_err("no model");
    assert!(info.message.contains("no checkpoint"), "{}", info.message);
    let page = Server::start(|_| Reply::Text(200, "text/html", "<html>".to_owned()));
    let (_, info) = paint(&page.url).await.0.expect_err("a page");
    assert_eq!(
        info.detail.as_deref(),
        Some("/object_info/KSampler: text/html instead of JSON")
    );
}
