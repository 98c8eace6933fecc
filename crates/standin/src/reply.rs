//! Answers as the played programs give them.

use axum::body::Body;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use bytes::Bytes;
use serde_json::Value;

use crate::door::CloseAfter;

/// A JSON answer.
pub(crate) fn json(status: u16, value: &Value) -> Response {
    typed(status, "application/json", value.to_string())
}

/// An answer with a content type.
pub(crate) fn typed(status: u16, kind: &'static str, body: impl Into<Body>) -> Response {
    let mut response = Response::new(body.into());
    *response.status_mut() =
        StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}

/// A status without a body.
pub(crate) fn empty(status: u16) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() =
        StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    response
}

/// The same answer, with the connection dying unannounced after it.
pub(crate) fn dying(mut response: Response) -> Response {
    response.extensions_mut().insert(CloseAfter);
    response
}

/// The same answer, stopped half way although its whole length was announced.
pub(crate) async fn truncated(whole: Response) -> Response {
    let (mut parts, body) = whole.into_parts();
    let Ok(bytes) = axum::body::to_bytes(body, 256 * 1024 * 1024).await else {
        return empty(500);
    };
    parts
        .headers
        .insert(header::CONTENT_LENGTH, HeaderValue::from(bytes.len()));
    let half = bytes.slice(..bytes.len() / 2);
    let pieces = futures_util::stream::unfold(Some(half), |piece| async move {
        if let Some(bytes) = piece {
            Some((Ok(bytes), None))
        } else {
            // Lets the first half reach the wire before the connection breaks.
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
            Some((Err(std::io::Error::other("cut off on purpose")), None))
        }
    });
    Response::from_parts(parts, Body::from_stream(pieces))
}

/// A JSON array of 2 GB, made while it is sent; our own memory stays at one block.
pub(crate) fn huge() -> Response {
    const BLOCK: usize = 64 * 1024;
    const TOTAL: usize = 2 * 1024 * 1024 * 1024;
    let block = Bytes::from(b"\"forgekeeper\",".repeat(BLOCK / 14));
    let blocks = futures_util::stream::unfold((0usize, block), |(sent, block)| async move {
        if sent >= TOTAL {
            return None;
        }
        let piece = if sent == 0 {
            Bytes::from_static(b"[")
        } else {
            block.clone()
        };
        let sent = sent + piece.len();
        Some((Ok::<_, std::io::Error>(piece), (sent, block)))
    });
    typed(200, "application/json", Body::from_stream(blocks))
}
