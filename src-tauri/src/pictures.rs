//! `picture://localhost/<path>`: pictures, their thumbnails and previews reach the page as files,
//! never as text through IPC.

use std::sync::Arc;

use forgekeeper_domain::error::ErrorCode;
use tauri::{
    Manager as _, Runtime, UriSchemeContext, UriSchemeResponder,
    http::{Request, Response, StatusCode, header},
};

use crate::session::Session;

/// Answers one request for a picture. Kept pictures never change; previews are never cached.
pub(crate) fn answer<R: Runtime>(
    context: UriSchemeContext<'_, R>,
    request: Request<Vec<u8>>,
    responder: UriSchemeResponder,
) {
    let session: Arc<Session> = Arc::clone(&context.app_handle().state::<Arc<Session>>());
    // convertFileSrc encodes the slashes of a preview's path.
    let path = request
        .uri()
        .path()
        .trim_start_matches('/')
        .replace("%2F", "/");
    tauri::async_runtime::spawn(async move {
        responder.respond(response(&session, &path).await);
    });
}

async fn response(session: &Session, path: &str) -> Response<Vec<u8>> {
    let found = match session.keeper().await {
        Ok(keeper) => keeper.picture(path).await,
        Err(error) => Err(error),
    };
    let caching = if path.starts_with("preview/") {
        "no-store"
    } else {
        "private, max-age=31536000, immutable"
    };
    let (status, kind, body) = match found {
        Ok(file) => (StatusCode::OK, file.mime, file.bytes.to_vec()),
        Err(error) => {
            let status = match error.code {
                ErrorCode::PictureMissing | ErrorCode::BadRequest => StatusCode::NOT_FOUND,
                _ => StatusCode::INTERNAL_SERVER_ERROR,
            };
            (
                status,
                "text/plain; charset=utf-8".to_owned(),
                error.message.into_bytes(),
            )
        }
    };
    Response::builder()
        .status(status)
        .header(header::CONTENT_TYPE, kind)
        .header(header::CACHE_CONTROL, caching)
        .header(header::X_CONTENT_TYPE_OPTIONS, "nosniff")
        .body(body)
        .unwrap_or_else(|error| {
            tracing::error!(%error, "a picture's answer could not be made");
            let mut empty = Response::new(Vec::new());
            *empty.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
            empty
        })
}
