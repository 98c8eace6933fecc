//! The route table of a Forge.

use std::net::Ipv4Addr;
use std::sync::Arc;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Query, State};
use axum::http::{HeaderMap, header};
use axum::middleware::{from_fn, from_fn_with_state};
use axum::response::Response;
use axum::routing::{get, post};
use bytes::Bytes;
use serde::Deserialize;
use serde_json::json;

use super::{Build, Forge, packed, request, trouble};
use crate::lock::lock;
use crate::reply;

type App = State<Arc<Forge>>;

#[derive(Deserialize)]
struct ProgressQuery {
    #[serde(default)]
    skip_current_image: Option<String>,
}

pub(super) fn kind(headers: &HeaderMap) -> Option<&str> {
    headers
        .get(header::CONTENT_TYPE)
        .and_then(|v| v.to_str().ok())
}

async fn progress(State(forge): App, Query(query): Query<ProgressQuery>) -> Response {
    let skip = query
        .skip_current_image
        .is_some_and(|v| matches!(v.as_str(), "true" | "1" | "True"));
    reply::json(200, &lock(&forge.job).body(!skip))
}

async fn post_options(State(forge): App, headers: HeaderMap, bytes: Bytes) -> Response {
    match request::body(kind(&headers), &bytes) {
        Ok(map) => forge.post_options(map, Ipv4Addr::LOCALHOST.into()),
        Err(refusal) => *refusal,
    }
}

async fn interrupt(State(forge): App) -> Response {
    let mut job = lock(&forge.job);
    // An interrupt while nothing runs is not remembered.
    if job.active {
        job.interrupted = true;
    }
    reply::json(200, &json!({}))
}

async fn skip(State(forge): App) -> Response {
    let mut job = lock(&forge.job);
    if job.active {
        job.skipped = true;
    }
    reply::json(200, &json!(null))
}

/// Rescanning waits for the same lock as a generation.
async fn refresh(State(forge): App) -> Response {
    let line = Arc::clone(&forge.line);
    let _held = line.lock().await;
    reply::json(200, &json!(null))
}

async fn cmd_flags(State(forge): App) -> Response {
    forge.crash(
        "fastapi.exceptions.ResponseValidationError",
        "1 validation errors: port is an integer",
    )
}

async fn embeddings(State(forge): App) -> Response {
    match forge.spec.build {
        Build::Image => forge.crash("NameError", "name 'sd_hijack' is not defined"),
        Build::Head => reply::json(200, &json!({"loaded": {}, "skipped": {}})),
    }
}

pub(super) fn router(forge: Arc<Forge>) -> Router {
    let done = || async { reply::json(200, &json!({})) };
    let list = || async { reply::json(200, &json!([])) };
    let guarded = Router::new()
        .route(
            "/sdapi/v1/sd-models",
            get(|State(f): App| async move { f.models() }),
        )
        .route(
            "/sdapi/v1/sd-modules",
            get(|State(f): App| async move { f.modules() }),
        )
        .route(
            "/sdapi/v1/samplers",
            get(|State(f): App| async move { f.samplers() }),
        )
        .route(
            "/sdapi/v1/schedulers",
            get(|State(f): App| async move { f.schedulers() }),
        )
        .route(
            "/sdapi/v1/upscalers",
            get(|State(f): App| async move { f.upscalers() }),
        )
        .route(
            "/sdapi/v1/latent-upscale-modes",
            get(|State(f): App| async move { f.latent_modes() }),
        )
        .route(
            "/sdapi/v1/face-restorers",
            get(|State(f): App| async move { f.face_restorers() }),
        )
        .route("/sdapi/v1/realesrgan-models", get(list))
        .route("/sdapi/v1/hypernetworks", get(list))
        .route("/sdapi/v1/extensions", get(list))
        .route("/sdapi/v1/prompt-styles", get(list))
        .route(
            "/sdapi/v1/scripts",
            get(|State(f): App| async move { f.scripts() }),
        )
        .route("/sdapi/v1/script-info", get(list))
        .route("/sdapi/v1/embeddings", get(embeddings))
        .route("/sdapi/v1/cmd-flags", get(cmd_flags))
        .route(
            "/sdapi/v1/memory",
            get(|State(f): App| async move { f.memory() }),
        )
        .route(
            "/sdapi/v1/options",
            get(|State(f): App| async move { f.get_options() }).post(post_options),
        )
        .route("/sdapi/v1/progress", get(progress))
        .route("/sdapi/v1/interrupt", post(interrupt))
        .route("/sdapi/v1/skip", post(skip))
        .route("/sdapi/v1/refresh-checkpoints", post(refresh))
        .route("/sdapi/v1/refresh-vae", post(refresh))
        .route(
            "/sdapi/v1/unload-checkpoint",
            post(|State(f): App| async move { f.unload() }),
        )
        .route("/sdapi/v1/reload-checkpoint", post(done))
        .route("/sdapi/v1/txt2img", post(super::generate::txt2img))
        .route("/sdapi/v1/img2img", post(super::generate::img2img))
        .route("/sdapi/v1/png-info", post(super::system::png_info))
        .route_layer(from_fn_with_state(Arc::clone(&forge), trouble::guard));
    Router::new()
        .route("/", get(|| async { trouble::page() }))
        .route(
            "/sdapi/v1/loras",
            get(|State(f): App| async move { f.loras() }),
        )
        .route(
            "/sdapi/v1/refresh-loras",
            post(|| async { reply::json(200, &json!(null)) }),
        )
        .route("/internal/ping", get(done))
        .route(
            "/internal/pending-tasks",
            get(|State(f): App| async move { f.pending() }),
        )
        .route("/internal/progress", post(super::system::internal_progress))
        .route(
            "/internal/sysinfo",
            get(|State(f): App| async move { f.sysinfo() }),
        )
        .route(
            "/internal/profile-startup",
            get(|State(f): App| async move { f.profile() }),
        )
        .route("/config", get(|State(f): App| async move { f.config() }))
        .route("/app_id", get(|State(f): App| async move { f.app_id() }))
        .route(
            "/queue/status",
            get(|State(f): App| async move { f.queue_status() }),
        )
        .route(
            "/openapi.json",
            get(|State(f): App| async move { f.openapi() }),
        )
        .merge(guarded)
        .fallback(|| async { trouble::not_found() })
        .method_not_allowed_fallback(|| async { trouble::wrong_method() })
        .layer(from_fn_with_state(Arc::clone(&forge), trouble::gate))
        .layer(from_fn(packed::gzip))
        .layer(DefaultBodyLimit::max(64 * 1024 * 1024))
        .with_state(forge)
}
