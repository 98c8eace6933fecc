//! The control endpoint: faults over HTTP, for the command line, window tests and containers.

use std::sync::{Arc, Weak};

use axum::Router;
use axum::extract::{Path, Query, State};
use axum::response::Response;
use axum::routing::{delete, get};
use bytes::Bytes;
use serde::Deserialize;
use serde_json::{Value, json};

use super::Site;
use crate::faults::{FAULTS, Fault};
use crate::reply;

/// The site is held weakly: the endpoint must not keep it alive.
type App = State<Weak<Site>>;

#[derive(Deserialize)]
struct Order {
    name: String,
    #[serde(default)]
    service: Option<String>,
}

#[derive(Deserialize)]
struct Place {
    #[serde(default)]
    service: Option<String>,
}

fn wrong(status: u16, text: &str) -> Response {
    reply::json(status, &json!({ "error": text }))
}

async fn list(State(site): App) -> Response {
    let Some(site) = site.upgrade() else {
        return wrong(503, "ending");
    };
    let active: Vec<Value> = site
        .active()
        .iter()
        .map(|a| json!({"name": a.fault.name(), "service": a.service}))
        .collect();
    let known: Vec<Value> = FAULTS
        .iter()
        .map(|row| json!({"name": row.name, "part": row.part.word(), "text": row.text}))
        .collect();
    reply::json(200, &json!({"active": active, "known": known}))
}

async fn raise(State(site): App, bytes: Bytes) -> Response {
    let Some(site) = site.upgrade() else {
        return wrong(503, "ending");
    };
    let order: Order = match serde_json::from_slice(&bytes) {
        Ok(order) => order,
        Err(error) => return wrong(400, &error.to_string()),
    };
    let fault: Fault = match order.name.parse() {
        Ok(fault) => fault,
        Err(error) => return wrong(404, &format!("{error}")),
    };
    match site.inject(fault, order.service.as_deref()) {
        Ok(changed) => reply::json(200, &json!({ "changed": changed })),
        Err(error) => wrong(404, &error.to_string()),
    }
}

async fn lower(State(site): App, Path(name): Path<String>, Query(place): Query<Place>) -> Response {
    let Some(site) = site.upgrade() else {
        return wrong(503, "ending");
    };
    let fault: Fault = match name.parse() {
        Ok(fault) => fault,
        Err(error) => return wrong(404, &format!("{error}")),
    };
    match site.clear(fault, place.service.as_deref()) {
        Ok(changed) => reply::json(200, &json!({ "changed": changed })),
        Err(error) => wrong(404, &error.to_string()),
    }
}

async fn services(State(site): App) -> Response {
    let Some(site) = site.upgrade() else {
        return wrong(503, "ending");
    };
    let rows: Vec<Value> = site
        .services()
        .iter()
        .map(|s| {
            json!({"id": s.id, "kind": s.kind, "api": format!("http://{}", s.api),
                   "container": s.container.name(), "running": s.container.running()})
        })
        .collect();
    reply::json(200, &rows.into())
}

pub(super) fn router(site: &Arc<Site>) -> Router {
    Router::new()
        .route("/faults", get(list).post(raise))
        .route("/faults/{name}", delete(lower))
        .route("/services", get(services))
        .fallback(|| async { wrong(404, "not found") })
        .with_state(Arc::downgrade(site))
}
