//! What stands before the routes: start-up phases, credentials, injected API faults.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderValue, Method, header};
use axum::middleware::Next;
use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use super::{Build, Forge, Phase};
use crate::faults::Fault;
use crate::reply;

const PLACEHOLDER: &str = "<!DOCTYPE html><html><head><title>Log Viewer</title></head>\
    <body><h1>Preparing&hellip;</h1><pre id=\"log\"></pre></body></html>";
const LOGIN: &str = "<!DOCTYPE html><html><head><title>Login</title></head><body>\
    <form method=\"post\" action=\"/login\"><input name=\"user\"><input name=\"password\" \
    type=\"password\"><button>Sign in</button></form></body></html>";
const PAGE: &str = "<!doctype html><html><head><title>Stable Diffusion</title></head>\
    <body><gradio-app></gradio-app></body></html>";

fn html(status: u16, text: &'static str) -> Response {
    reply::typed(status, "text/html; charset=utf-8", text)
}

pub(super) fn page() -> Response {
    html(200, PAGE)
}

pub(super) fn not_found() -> Response {
    reply::json(404, &json!({"detail": "Not Found"}))
}

pub(super) fn wrong_method() -> Response {
    reply::json(405, &json!({"detail": "Method Not Allowed"}))
}

fn unauthorized(detail: &str) -> Response {
    let mut response = reply::json(401, &json!({ "detail": detail }));
    response
        .headers_mut()
        .insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Basic"));
    response
}

impl Forge {
    /// The answer to an unhandled exception; its reason goes to the log.
    pub(super) fn crash(&self, kind: &str, message: &str) -> Response {
        self.say(&format!(
            "*** API error: POST: {{'error': '{kind}', 'detail': '', 'body': ''}}\n\
             Traceback (most recent call last):\n  \
             File \"/opt/environments/python/forge/lib/python3.10/site-packages/anyio/_backends/_asyncio.py\", \
             line 943, in run\n    result = context.run(func, *args)\n\
             {kind}: {message}"
        ));
        let response = match self.spec.build {
            Build::Image => reply::typed(500, "text/plain; charset=utf-8", "Internal Server Error"),
            Build::Head => reply::json(
                500,
                &json!({"error": kind, "detail": "", "body": "", "message": message}),
            ),
        };
        reply::dying(response)
    }

    /// Routes that this command line does not bring.
    fn absent(&self, path: &str) -> bool {
        if self.flag("--nowebui") {
            const PAGE_ONLY: &[&str] = &["/", "/app_id", "/config"];
            PAGE_ONLY.contains(&path)
                || path.starts_with("/internal/")
                || path.starts_with("/queue/")
        } else {
            !self.flag("--api") && path.starts_with("/sdapi/")
        }
    }

    fn credentials(&self, request: &Request) -> Option<Response> {
        let refused = self.is(Fault::Api401);
        if self.spec.auth.is_none() && !refused {
            return None;
        }
        let given = request
            .headers()
            .get(header::AUTHORIZATION)
            .and_then(|v| v.to_str().ok());
        let Some(encoded) = given.and_then(|v| v.strip_prefix("Basic ")) else {
            return Some(unauthorized("Not authenticated"));
        };
        let decoded = STANDARD
            .decode(encoded.trim())
            .ok()
            .and_then(|b| String::from_utf8(b).ok());
        let Some((user, word)) = decoded.as_deref().and_then(|d| d.split_once(':')) else {
            return Some(unauthorized("Invalid authentication credentials"));
        };
        let right = self
            .spec
            .auth
            .as_ref()
            .is_some_and(|(u, w)| u == user && w == word);
        (refused || !right).then(|| unauthorized("Incorrect username or password"))
    }
}

/// Asks for credentials on the routes that have them.
pub(super) async fn guard(
    State(forge): State<Arc<Forge>>,
    request: Request,
    next: Next,
) -> Response {
    match forge.credentials(&request) {
        Some(refusal) => refusal,
        None => next.run(request).await,
    }
}

/// Phases and faults, before any route is looked at.
pub(super) async fn gate(
    State(forge): State<Arc<Forge>>,
    request: Request,
    next: Next,
) -> Response {
    let phase = forge.phase();
    let path = request.uri().path().to_owned();
    let mut response = if phase == Phase::Placeholder || forge.is(Fault::ApiPlaceholder) {
        if request.method() == Method::GET {
            html(200, PLACEHOLDER)
        } else {
            wrong_method()
        }
    } else if forge.absent(&path) {
        not_found()
    } else if phase == Phase::PageOnly {
        if path == "/" { page() } else { not_found() }
    } else if forge.is(Fault::ApiHang) {
        std::future::pending().await
    } else if forge.is(Fault::ApiLoginPage) && path != "/login" {
        let mut response = reply::empty(302);
        response
            .headers_mut()
            .insert(header::LOCATION, HeaderValue::from_static("/login"));
        response
    } else if forge.is(Fault::ApiLoginPage) {
        html(200, LOGIN)
    } else if forge.is(Fault::ApiHtml) {
        html(200, "<html><body><h1>It works!</h1></body></html>")
    } else if forge.is(Fault::Api500) {
        forge.crash(
            "AttributeError",
            "'NoneType' object has no attribute 'model_data'",
        )
    } else if forge.is(Fault::ApiHuge) {
        reply::huge()
    } else if path.len() > 1 && path.ends_with('/') {
        let mut response = reply::empty(307);
        if let Ok(place) = HeaderValue::from_str(path.trim_end_matches('/')) {
            response.headers_mut().insert(header::LOCATION, place);
        }
        response
    } else if request.method() == Method::HEAD && path.starts_with("/sdapi/") {
        wrong_method()
    } else {
        let truncated = forge.is(Fault::ApiTruncated);
        let response = next.run(request).await;
        if truncated && response.status().is_success() {
            reply::truncated(response).await
        } else {
            response
        }
    };
    response
        .headers_mut()
        .insert(header::SERVER, HeaderValue::from_static("uvicorn"));
    response
}
