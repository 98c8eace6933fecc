//! The routes of the registry, of its store and of the interface of sources.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock, Weak};

use axum::Router;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::Response;
use axum::routing::get;
use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use super::document::MANIFEST;
use super::{Oddity, Registry};
use crate::docker::hex_id;
use crate::lock::lock;
use crate::reply;

/// Which of the three answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Registry,
    Store,
    Sources,
}

/// The registry, once its addresses are known. Held weakly: its own doors must not keep it alive.
#[derive(Debug, Clone, Default)]
pub(super) struct Late(Arc<OnceLock<Weak<Registry>>>);

impl Late {
    pub(super) fn is(&self, registry: &Arc<Registry>) {
        // Set once, where it is opened.
        let _ = self.0.set(Arc::downgrade(registry));
    }

    fn get(&self) -> Option<Arc<Registry>> {
        self.0.get()?.upgrade()
    }
}

type App = State<Late>;

fn refuse(status: u16, code: &str, message: &str) -> Response {
    let error = json!({"code": code, "message": message, "detail": null});
    reply::json(status, &json!({ "errors": [error] }))
}

fn ending() -> Response {
    refuse(503, "UNAVAILABLE", "service unavailable")
}

fn with(mut response: Response, name: header::HeaderName, value: &str) -> Response {
    if let Ok(value) = HeaderValue::from_str(value) {
        response.headers_mut().insert(name, value);
    }
    response
}

/// The token of a repository, which the registry takes for that one alone.
fn token_of(repository: &str) -> String {
    hex_id(&format!("token {repository}"))
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    value.strip_prefix("Bearer ")
}

fn challenge(registry: &Registry, repository: &str) -> Response {
    let name = registry.name();
    let value = format!(
        "Bearer realm=\"http://{name}/token\",service=\"{name}\",scope=\"repository:{repository}:pull\""
    );
    let response = refuse(401, "UNAUTHORIZED", "authentication required");
    with(response, header::WWW_AUTHENTICATE, &value)
}

async fn hello(State(late): App) -> Response {
    late.get()
        .map_or_else(ending, |registry| challenge(&registry, "library/none"))
}

async fn token(State(late): App, Query(words): Query<HashMap<String, String>>) -> Response {
    let Some(registry) = late.get() else {
        return ending();
    };
    let scope = words.get("scope").cloned().unwrap_or_default();
    let repository = scope
        .strip_prefix("repository:")
        .and_then(|rest| rest.strip_suffix(":pull"));
    let Some(repository) = repository else {
        return refuse(400, "UNSUPPORTED", "the scope cannot be read");
    };
    let token = token_of(repository);
    lock(&registry.tokens).insert(token.clone());
    reply::json(
        200,
        &json!({"token": token, "access_token": token, "expires_in": 300}),
    )
}

async fn inside(State(late): App, Path(path): Path<String>, headers: HeaderMap) -> Response {
    let Some(registry) = late.get() else {
        return ending();
    };
    let parts = ["/manifests/", "/blobs/"].into_iter().find_map(|kind| {
        let (repository, wanted) = path.rsplit_once(kind)?;
        Some((repository, kind, wanted))
    });
    let Some((repository, kind, wanted)) = parts else {
        return refuse(404, "NOT_FOUND", "page not found");
    };
    let known = lock(&registry.tokens).contains(&token_of(repository));
    if !known || bearer(&headers) != Some(token_of(repository).as_str()) {
        return challenge(&registry, repository);
    }
    if kind == "/blobs/" {
        return blob(&registry, repository, wanted);
    }
    manifest(&registry, repository, wanted)
}

fn manifest(registry: &Registry, repository: &str, wanted: &str) -> Response {
    if wanted.starts_with("sha256:") {
        let bytes = lock(&registry.blobs).get(wanted).cloned();
        let odd = lock(&registry.shelf)
            .iter()
            .find(|image| image.repository == repository)
            .map(|image| image.oddity);
        return match (bytes, odd) {
            (Some(_), Some(Oddity::Swapped)) => {
                reply::typed(200, MANIFEST, r#"{"schemaVersion": 2, "layers": []}"#)
            }
            (Some(bytes), _) => reply::typed(200, MANIFEST, bytes),
            (None, _) => refuse(404, "MANIFEST_UNKNOWN", "manifest unknown"),
        };
    }
    let Some(image) = registry.on_shelf(repository, wanted) else {
        return if registry.has_repository(repository) {
            refuse(404, "MANIFEST_UNKNOWN", "manifest unknown")
        } else {
            // As the large registries do: nobody learns what exists.
            refuse(
                401,
                "UNAUTHORIZED",
                "requested access to the resource is denied",
            )
        };
    };
    match image.oddity {
        Oddity::RateLimited => refuse(
            429,
            "TOOMANYREQUESTS",
            "You have reached your pull rate limit.",
        ),
        Oddity::Denied => refuse(403, "DENIED", "requested access to the resource is denied"),
        Oddity::Huge => reply::huge(),
        Oddity::Page => reply::typed(200, "text/html", "<html><body>Sign in</body></html>"),
        Oddity::Fails => refuse(502, "UNKNOWN", "bad gateway"),
        Oddity::None | Oddity::Swapped | Oddity::FirstForm | Oddity::Circle => {
            let (kind, bytes) = registry.top(&image);
            reply::typed(200, kind, bytes)
        }
    }
}

/// Blobs are on another address, as the large registries have it.
fn blob(registry: &Registry, repository: &str, digest: &str) -> Response {
    let circle = lock(&registry.shelf)
        .iter()
        .any(|image| image.repository == repository && image.oddity == Oddity::Circle);
    let to = if circle {
        format!("http://{}/v2/{repository}/blobs/{digest}", registry.name())
    } else {
        format!("http://{}/store/{digest}?signature=a%2Fb", registry.store)
    };
    with(reply::empty(307), header::LOCATION, &to)
}

async fn store(State(late): App, Path(digest): Path<String>, headers: HeaderMap) -> Response {
    let Some(registry) = late.get() else {
        return ending();
    };
    if headers.contains_key(header::AUTHORIZATION) {
        *lock(&registry.leaked) += 1;
        return reply::typed(
            400,
            "application/xml",
            "<Error><Code>InvalidArgument</Code></Error>",
        );
    }
    let bytes = lock(&registry.blobs).get(&digest).cloned();
    bytes.map_or_else(
        || reply::empty(404),
        |bytes| reply::typed(200, "application/octet-stream", bytes),
    )
}

async fn repository(State(late): App, Path((owner, name)): Path<(String, String)>) -> Response {
    let Some(registry) = late.get() else {
        return ending();
    };
    let name = format!("{owner}/{name}");
    let found = lock(&registry.sources)
        .iter()
        .find(|source| source.name.eq_ignore_ascii_case(&name))
        .cloned();
    let Some(source) = found else {
        return reply::json(404, &json!({"message": "Not Found", "status": "404"}));
    };
    if source.rate_limited {
        let words = "API rate limit exceeded for 203.0.113.7.";
        return reply::json(403, &json!({ "message": words }));
    }
    let pushed = Timestamp::now() - SignedDuration::from_hours(24 * source.pushed_days_ago);
    reply::json(
        200,
        &json!({"id": 1, "full_name": source.name, "archived": source.archived, "disabled": false,
                "pushed_at": pushed.to_string(), "default_branch": "main"}),
    )
}

pub(super) fn router(kind: Kind, late: Late) -> Router {
    let router = match kind {
        Kind::Registry => Router::new()
            .route("/v2/", get(hello))
            .route("/token", get(token))
            .route("/v2/{*path}", get(inside)),
        Kind::Store => Router::new().route("/store/{digest}", get(store)),
        Kind::Sources => Router::new().route("/repos/{owner}/{name}", get(repository)),
    };
    router
        .fallback(|| async { refuse(404, "NOT_FOUND", "page not found") })
        .with_state(late)
}
