//! Answers are compressed for clients that accept it.

use std::io::Write as _;

use axum::body::{Body, HttpBody as _};
use axum::extract::Request;
use axum::http::{HeaderValue, header};
use axum::middleware::Next;
use axum::response::Response;

/// Shorter answers are not worth it.
const LEAST: u64 = 1_000;
/// Only answers that are whole in memory anyway are compressed.
const MOST: u64 = 256 * 1024 * 1024;

fn packed(bytes: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut out = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    out.write_all(bytes)?;
    out.finish()
}

/// Compresses the answer if the client takes gzip.
pub(super) async fn gzip(request: Request, next: Next) -> Response {
    let accepted = request
        .headers()
        .get(header::ACCEPT_ENCODING)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|value| value.split(',').any(|word| word.trim().starts_with("gzip")));
    let response = next.run(request).await;
    // An answer of no announced size is one of the faults: it stays as it is.
    let size = response.body().size_hint().exact();
    if !accepted || size.is_none_or(|size| !(LEAST..MOST).contains(&size)) {
        return response;
    }
    let (mut parts, body) = response.into_parts();
    let Ok(bytes) = axum::body::to_bytes(body, usize::MAX).await else {
        return crate::reply::empty(500);
    };
    let plain = bytes.clone();
    let Ok(Ok(small)) = tokio::task::spawn_blocking(move || packed(&plain)).await else {
        return Response::from_parts(parts, Body::from(bytes));
    };
    let headers = &mut parts.headers;
    headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    headers.insert(header::VARY, HeaderValue::from_static("Accept-Encoding"));
    headers.remove(header::CONTENT_LENGTH);
    Response::from_parts(parts, Body::from(small))
}
