//! The route table of ComfyUI; every route exists with and without `/api`.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::sync::Arc;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Path, Query, State};
use axum::http::{HeaderValue, header};
use axum::middleware::from_fn_with_state;
use axum::response::Response;
use axum::routing::{get, post};
use bytes::Bytes;
use serde_json::{Map, Value, json};

use super::nodes::{CLASSES, class};
use super::queue::Job;
use super::{Comfy, files, prompt, socket, trouble, view};
use crate::lock::lock;
use crate::reply;

type App = State<Arc<Comfy>>;

const FOLDERS: &[&str] = &[
    "checkpoints",
    "configs",
    "loras",
    "vae",
    "text_encoders",
    "diffusion_models",
    "clip_vision",
    "style_models",
    "embeddings",
    "diffusers",
    "vae_approx",
    "controlnet",
    "gligen",
    "upscale_models",
    "custom_nodes",
    "hypernetworks",
    "photomaker",
    "classifiers",
    "model_patches",
    "audio_encoders",
];

/// ComfyUI names the character set.
const JSON: &str = "application/json; charset=utf-8";

fn good(value: &Value) -> Response {
    let mut response = reply::json(200, value);
    let kind = HeaderValue::from_static(JSON);
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response
}

async fn get_prompt(State(comfy): App) -> Response {
    good(&json!({"exec_info": {"queue_remaining": lock(&comfy.queue).remaining()}}))
}

async fn get_queue(State(comfy): App) -> Response {
    let queue = lock(&comfy.queue);
    let running: Vec<Value> = queue.running.iter().map(Job::row).collect();
    good(&json!({"queue_running": running, "queue_pending": queue.pending()}))
}

fn ids(body: &Value) -> Vec<String> {
    let list = body.get("delete").and_then(Value::as_array);
    list.into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .map(str::to_owned)
        .collect()
}

/// `clear` and `delete` are all it understands; anything else is answered 200 and ignored.
async fn post_queue(State(comfy): App, bytes: Bytes) -> Response {
    let Ok(body) = serde_json::from_slice::<Value>(&bytes) else {
        return trouble::broken();
    };
    let clear = body.get("clear").and_then(Value::as_bool) == Some(true);
    let gone = ids(&body);
    if clear || !gone.is_empty() {
        lock(&comfy.queue).retain(|job| !clear && !gone.contains(&job.id));
        comfy.tell_status();
    }
    reply::empty(200)
}

async fn get_history(State(comfy): App, Query(query): Query<HashMap<String, String>>) -> Response {
    let history = lock(&comfy.history).clone();
    let most = query.get("max_items").and_then(|n| n.parse::<usize>().ok());
    let offset = query.get("offset").and_then(|n| n.parse::<usize>().ok());
    let length = history.len();
    let from = match (offset, most) {
        (Some(offset), _) => offset.min(length),
        (None, Some(most)) => length.saturating_sub(most),
        (None, None) => 0,
    };
    // Written by hand: the order of the keys tells the age.
    let rows: Vec<String> = history
        .into_iter()
        .skip(from)
        .take(most.unwrap_or(length))
        .map(|(id, entry)| format!("{}: {entry}", Value::from(id)))
        .collect();
    reply::typed(200, JSON, format!("{{{}}}", rows.join(", ")))
}

async fn one_history(State(comfy): App, Path(id): Path<String>) -> Response {
    let found = lock(&comfy.history)
        .iter()
        .rev()
        .find(|(key, _)| *key == id)
        .cloned();
    good(&found.map_or_else(|| json!({}), |(id, entry)| json!({ id: entry })))
}

async fn post_history(State(comfy): App, bytes: Bytes) -> Response {
    let Ok(body) = serde_json::from_slice::<Value>(&bytes) else {
        return trouble::broken();
    };
    let clear = body.get("clear").and_then(Value::as_bool) == Some(true);
    let gone = ids(&body);
    lock(&comfy.history).retain(|(id, _)| !clear && !gone.contains(id));
    reply::empty(200)
}

async fn interrupt(State(comfy): App, bytes: Bytes) -> Response {
    let asked = serde_json::from_slice::<Value>(&bytes)
        .ok()
        .and_then(|body| {
            body.get("prompt_id")
                .and_then(Value::as_str)
                .map(str::to_owned)
        });
    let running = lock(&comfy.queue)
        .running
        .as_ref()
        .map(|job| job.id.clone());
    if running.is_some() && (asked.is_none() || asked == running) {
        *lock(&comfy.interrupt) = true;
    }
    reply::empty(200)
}

async fn free(State(comfy): App, bytes: Bytes) -> Response {
    let Ok(body) = serde_json::from_slice::<Value>(&bytes) else {
        return trouble::broken();
    };
    let asked = |key: &str| body.get(key).and_then(Value::as_bool) == Some(true);
    if asked("unload_models") && !comfy.busy() {
        *lock(&comfy.loaded) = None;
        comfy.show_memory(false);
    }
    if asked("free_memory") {
        lock(&comfy.cache).clear();
    }
    reply::empty(200)
}

async fn stats(State(comfy): App) -> Response {
    let devices: Vec<Value> = comfy
        .gpus
        .read(comfy.card())
        .map(|card| {
            let bytes = |mib: u64| mib * 1024 * 1024;
            let held = bytes(comfy.held_mib());
            json!({"name": format!("cuda:0 {} : cudaMallocAsync", card.card.name), "type": "cuda", "index": 0,
                   "vram_total": bytes(card.card.total_mib), "vram_free": bytes(card.card.total_mib - card.used_mib),
                   "torch_vram_total": held + bytes(192), "torch_vram_free": bytes(171)})
        })
        .into_iter()
        .collect();
    good(&json!({
        "system": {"os": "posix", "ram_total": 67_108_864_000u64, "ram_free": 41_203_556_352u64,
            "comfyui_version": "0.3.64", "required_frontend_version": "1.27.10",
            "installed_templates_version": "0.1.95", "required_templates_version": "0.1.95",
            "python_version": "3.12.11 (main, Jun  4 2025, 08:56:18) [GCC 13.3.0]",
            "pytorch_version": "2.8.0+cu126", "embedded_python": false,
            "argv": ["./ComfyUI/main.py", "--listen", "--port", "8188", "--preview-method", "auto"]},
        "devices": devices,
    }))
}

async fn features() -> Response {
    good(&json!({"supports_preview_metadata": true, "max_upload_size": 104_857_600}))
}

async fn object_info(State(comfy): App) -> Response {
    let all: Map<String, Value> = CLASSES
        .iter()
        .map(|c| (c.name.to_owned(), comfy.object_info(c)))
        .chain(comfy.pack_classes())
        .collect();
    good(&all.into())
}

async fn one_object(State(comfy): App, Path(name): Path<String>) -> Response {
    good(&class(&name).map_or_else(|| json!({}), |c| json!({ name: comfy.object_info(c) })))
}

async fn folder(State(comfy): App, Path(folder): Path<String>) -> Response {
    if !FOLDERS.contains(&folder.as_str()) {
        return reply::empty(404);
    }
    good(&json!(comfy.models(&folder)))
}

async fn experiment_folders(State(comfy): App) -> Response {
    good(&comfy.experiment_folders(FOLDERS))
}

/// Names with their lengths.
async fn experiment(State(comfy): App, Path(folder): Path<String>) -> Response {
    if !FOLDERS.contains(&folder.as_str()) {
        return reply::empty(404);
    }
    let (all, own) = (comfy.models(&folder), comfy.own_models(&folder));
    good(&comfy.experiment(&folder, &all, &own))
}

/// Scripts of the page: the program's own, and one of each pack.
async fn scripts(State(comfy): App) -> Response {
    let own = "/extensions/core/groupNode.js".to_owned();
    let packs = comfy.node_folders();
    let packs = packs
        .iter()
        .map(|pack| format!("/extensions/{pack}/main.js"));
    good(&json!(
        std::iter::once(own).chain(packs).collect::<Vec<_>>()
    ))
}

async fn logs(State(comfy): App) -> Response {
    let (entries, _) = comfy.log.open();
    let mut text = String::new();
    for entry in entries.iter().skip(entries.len().saturating_sub(300)) {
        let at = entry.at.strftime("%Y-%m-%dT%H:%M:%S.%6f");
        // Writing to a String cannot fail.
        let _ = write!(text, "{at} - {}", String::from_utf8_lossy(&entry.bytes));
    }
    good(&json!(text))
}

pub(super) fn router(comfy: Arc<Comfy>) -> Router {
    let list = || async { good(&json!([])) };
    let page = "<!DOCTYPE html><html><head><title>ComfyUI</title></head><body><div id=\"vue-app\"></div></body></html>";
    let inner = Router::new()
        .route(
            "/",
            get(move || async move { reply::typed(200, "text/html", page) }),
        )
        .route("/ws", get(socket::open))
        .route("/prompt", get(get_prompt).post(prompt::post))
        .route("/queue", get(get_queue).post(post_queue))
        .route("/history", get(get_history).post(post_history))
        .route("/history/{id}", get(one_history))
        .route("/view", get(view::get))
        .route("/upload/image", post(files::upload))
        .route("/interrupt", post(interrupt))
        .route("/free", post(free))
        .route("/system_stats", get(stats))
        .route("/features", get(features))
        .route("/object_info", get(object_info))
        .route("/object_info/{class}", get(one_object))
        .route("/models", get(|| async { good(&json!(FOLDERS)) }))
        .route("/models/{folder}", get(folder))
        .route("/experiment/models", get(experiment_folders))
        .route("/experiment/models/{folder}", get(experiment))
        .route("/embeddings", get(list))
        .route("/extensions", get(scripts))
        .route(
            "/users",
            get(|| async { good(&json!({"storage": "server", "migrated": true})) }),
        )
        .route("/internal/logs", get(logs))
        .fallback(|| async { reply::typed(404, "application/octet-stream", "") })
        .layer(DefaultBodyLimit::max(100 * 1024 * 1024))
        .with_state(Arc::clone(&comfy));
    Router::new()
        .fallback_service(inner)
        .layer(from_fn_with_state(comfy, trouble::gate))
}
