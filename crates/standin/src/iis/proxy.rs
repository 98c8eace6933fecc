//! ARR: passes a request on, and a WebSocket with it.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri, header};
use axum::response::Response;
use axum::{Extension, Router};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;

use super::config::{Config, Fate, Seen};
use super::{InForce, Shared};
use crate::door::Line;
use crate::faults::Fault;
use crate::lock::lock;
use crate::reply;

/// ARR gives up on a server after this.
const PATIENCE: Duration = Duration::from_mins(2);
/// The name under which faults may be limited to it.
const NAME: &str = "iis";

pub(super) fn router(shared: &Arc<Shared>) -> Router {
    Router::new().fallback(pass).with_state(Arc::clone(shared))
}

/// The page that IIS shows to whoever asks from the machine itself.
fn page(status: &str, title: &str, detail: &str) -> Response {
    let code = status
        .split('.')
        .next()
        .and_then(|c| c.parse().ok())
        .unwrap_or(500);
    let text = format!(
        "<!DOCTYPE html PUBLIC \"-//W3C//DTD XHTML 1.0 Strict//EN\">\r\n<html><head><title>IIS 10.0 Detailed Error - {status} - {title}</title></head>\
         <body><h2>HTTP Error {status} - {title}</h2><h3>{}</h3></body></html>",
        detail.replace('&', "&amp;").replace('<', "&lt;")
    );
    reply::typed(code, "text/html; charset=utf-8", text)
}

async fn pass(
    State(shared): State<Arc<Shared>>,
    Extension(line): Extension<Line>,
    request: Request,
) -> Response {
    let InForce { config, until } = lock(&shared.now).clone();
    let broken = shared.faults.is(Fault::IisMalformed, NAME);
    let rules = match &*config {
        Config::Good(rules) if !broken => rules,
        Config::Good(_) => return page("500.19", "Internal Server Error", "Malformed XML"),
        Config::Broken(why) => return page("500.19", "Internal Server Error", why),
    };
    let host = request
        .headers()
        .get(header::HOST)
        .and_then(|h| h.to_str().ok());
    let fate = rules.fate(&Seen {
        path: request.uri().path(),
        query: request.uri().query().unwrap_or_default(),
        host: host.unwrap_or_default(),
        method: request.method().as_str(),
    });
    let websocket = rules.websocket && !shared.faults.is(Fault::IisWebsocketOff, NAME);
    match fate {
        Fate::Proxy(url) => match forward(&shared, request, &url, websocket, (line, until)).await {
            Ok(response) => response,
            Err(why) => page("502.3", "Bad Gateway", &why),
        },
        Fate::Redirect(url) => {
            let mut response = reply::empty(301);
            if let Ok(url) = HeaderValue::from_str(&url) {
                response.headers_mut().insert(header::LOCATION, url);
            }
            response
        }
        Fate::File => page(
            "404.0",
            "Not Found",
            "The resource you are looking for has been removed.",
        ),
        Fate::Abort => reply::dying(reply::empty(503)),
    }
}

async fn forward(
    shared: &Arc<Shared>,
    mut request: Request,
    url: &str,
    websocket: bool,
    (line, until): (Line, CancellationToken),
) -> Result<Response, String> {
    let target: Uri = url.parse().map_err(|e| format!("{e}"))?;
    let authority = target.authority().ok_or("no address")?.clone();
    let port = authority.port_u16().unwrap_or(80);
    let host = authority.host().trim_matches(['[', ']']).to_owned();
    let stream = TcpStream::connect((host, port)).await.map_err(|e| {
        format!("The server name or address could not be resolved, or the connection failed: {e}")
    })?;
    // A lost TCP_NODELAY only costs latency.
    let _ = stream.set_nodelay(true);
    let opened = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await;
    let (mut sender, connection) = opened.map_err(|e| e.to_string())?;
    shared.tasks.spawn(async move {
        // How it ends is the sender's affair.
        let _ = connection.with_upgrades().await;
    });
    let upgrades = websocket && wants_websocket(request.headers());
    let from_client = upgrades.then(|| hyper::upgrade::on(&mut request));
    let (parts, body) = request.into_parts();
    let path = target.path_and_query().map_or("/", |p| p.as_str());
    let mut onward = hyper::Request::builder()
        .method(parts.method)
        .uri(path)
        .body(body)
        .map_err(|e| e.to_string())?;
    *onward.headers_mut() = parts.headers;
    let headers = onward.headers_mut();
    if !upgrades {
        headers.remove(header::UPGRADE);
        headers.remove(header::CONNECTION);
    }
    headers.insert("x-forwarded-for", HeaderValue::from_static("127.0.0.1"));
    // As installed, ARR asks under the server's own name; sites like this one have preserveHostHeader set.
    if shared.faults.is(Fault::IisHostRewritten, NAME) {
        let own = HeaderValue::from_str(authority.as_str()).map_err(|e| e.to_string())?;
        headers.insert(header::HOST, own);
    }
    let answered = tokio::time::timeout(PATIENCE, sender.send_request(onward)).await;
    let answered = answered.map_err(|_| "The operation timed out".to_owned())?;
    let mut response = answered.map_err(|e| e.to_string())?;
    if let (Some(client), StatusCode::SWITCHING_PROTOCOLS) = (from_client, response.status()) {
        let server = hyper::upgrade::on(&mut response);
        shared.tasks.spawn(async move {
            let (Ok(client), Ok(server)) = tokio::join!(client, server) else {
                return;
            };
            let (mut client, mut server) = (TokioIo::new(client), TokioIo::new(server));
            tokio::select! {
                _ = tokio::io::copy_bidirectional(&mut client, &mut server) => {}
                () = line.cut.cancelled() => {}
                // The application is restarted: its sockets end.
                () = until.cancelled() => {}
            }
        });
    } else {
        response.headers_mut().remove(header::CONNECTION);
        // The length may not be that of what is sent on.
        response.headers_mut().remove(header::TRANSFER_ENCODING);
    }
    response
        .headers_mut()
        .insert("x-powered-by", HeaderValue::from_static("ARR/3.0"));
    Ok(response.map(Body::new))
}

fn wants_websocket(headers: &HeaderMap) -> bool {
    let upgrade = headers.get(header::UPGRADE).and_then(|v| v.to_str().ok());
    upgrade.is_some_and(|value| value.eq_ignore_ascii_case("websocket"))
}
