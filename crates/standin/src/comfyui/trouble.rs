//! What stands before the routes: the origin check, the `/api` prefix, injected API faults.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, Uri, header};
use axum::middleware::Next;
use axum::response::Response;

use super::Comfy;
use crate::faults::Fault;
use crate::reply;

/// The answer to a body the program cannot read, or to its own exceptions.
pub(super) fn broken() -> Response {
    let mut response = reply::typed(
        500,
        "text/plain; charset=utf-8",
        "500 Internal Server Error\n\nServer got itself in trouble",
    );
    response
        .headers_mut()
        .insert(header::CONNECTION, HeaderValue::from_static("close"));
    response
}

fn split(host: &str) -> (String, Option<String>) {
    match host.rsplit_once(':') {
        Some((name, port)) if port.chars().all(|c| c.is_ascii_digit()) => {
            (name.to_ascii_lowercase(), Some(port.to_owned()))
        }
        _ => (host.to_ascii_lowercase(), None),
    }
}

/// False when a browser on another origin asks a loopback address.
fn same_site(headers: &HeaderMap) -> bool {
    let text = |name| {
        headers
            .get(name)
            .and_then(|v: &HeaderValue| v.to_str().ok())
    };
    let (Some(host), Some(origin)) = (text(header::HOST), text(header::ORIGIN)) else {
        return true;
    };
    let (name, port) = split(host);
    if !(name == "localhost" || name == "[::1]" || name.starts_with("127.")) {
        return true;
    }
    // `null` has no host part and passes.
    let Some((_, rest)) = origin.split_once("://") else {
        return true;
    };
    let (other, other_port) = split(rest.trim_end_matches('/'));
    name == other && (port.is_none() || other_port.is_none() || port == other_port)
}

pub(super) async fn gate(
    State(comfy): State<Arc<Comfy>>,
    mut request: Request,
    next: Next,
) -> Response {
    if !same_site(request.headers()) {
        comfy.say("WARNING: request with non matching host and origin, returning 403");
        return reply::empty(403);
    }
    let html = |text: &'static str| reply::typed(200, "text/html; charset=utf-8", text);
    if comfy.is(Fault::ApiHang) {
        return std::future::pending().await;
    }
    if comfy.is(Fault::ApiPlaceholder) {
        return html("<!DOCTYPE html><html><body><h1>Preparing&hellip;</h1></body></html>");
    }
    if comfy.is(Fault::ApiLoginPage) {
        if request.uri().path() == "/login" {
            return html(
                "<!DOCTYPE html><html><body><form><input name=\"password\"></form></body></html>",
            );
        }
        let mut response = reply::empty(302);
        response
            .headers_mut()
            .insert(header::LOCATION, HeaderValue::from_static("/login"));
        return response;
    }
    if comfy.is(Fault::Api401) {
        let mut response = reply::typed(401, "text/plain; charset=utf-8", "Unauthorized");
        response
            .headers_mut()
            .insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Basic"));
        return response;
    }
    if comfy.is(Fault::Api500) {
        return broken();
    }
    if comfy.is(Fault::ApiHtml) {
        return html("<html><body><h1>It works!</h1></body></html>");
    }
    if comfy.is(Fault::ApiHuge) {
        return reply::huge();
    }
    let path = request.uri().path();
    if let Some(short) = path
        .strip_prefix("/api")
        .filter(|p| p.starts_with('/') && !p.starts_with("/internal"))
    {
        let query = request
            .uri()
            .query()
            .map_or_else(String::new, |q| format!("?{q}"));
        if let Ok(uri) = format!("{short}{query}").parse::<Uri>() {
            *request.uri_mut() = uri;
        }
    }
    let cut = comfy.is(Fault::ApiTruncated) && request.uri().path() != "/ws";
    let mut response = next.run(request).await;
    if cut && response.status().is_success() {
        response = reply::truncated(response).await;
    }
    response.headers_mut().insert(
        header::SERVER,
        HeaderValue::from_static("Python/3.12 aiohttp/3.12.15"),
    );
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins_as_observed() {
        let check = |origin: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::HOST, HeaderValue::from_static("127.0.0.1:8188"));
            headers.insert(header::ORIGIN, HeaderValue::from_str(origin).unwrap());
            same_site(&headers)
        };
        assert!(check("http://127.0.0.1:8188") && check("null") && check("http://127.0.0.1"));
        assert!(!check("http://localhost:8188") && !check("tauri://localhost"));
        assert!(!check("http://127.0.0.1:1420") && !check("http://evil.example"));
    }
}
