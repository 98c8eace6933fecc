//! A WebSocket opened as a browser opens it: it names the page it is for, which this program does nowhere else.

use std::time::{Duration, Instant};

use forgekeeper_domain::migration::iis::SocketAnswer;
use futures_util::StreamExt as _;
use reqwest::{Url, header::HeaderValue};
use tokio_tungstenite::{
    connect_async_with_config,
    tungstenite::{Error, Message, http::header::ORIGIN, protocol::WebSocketConfig},
};

use crate::clients::http::Target;

/// How long it may take to open and to say something.
const DEADLINE: Duration = Duration::from_secs(5);
/// Largest message that is taken.
const MAX_BYTES: usize = 1024 * 1024;

/// The page a browser would name: scheme, host and port.
pub(super) fn page_of(url: &str) -> Option<String> {
    let origin = Url::parse(url).ok()?.origin();
    origin.is_tuple().then(|| origin.ascii_serialization())
}

/// Opens ComfyUI's WebSocket and waits for its first word.
pub(super) async fn open(target: &Target, page: Option<&str>) -> SocketAnswer {
    let nobody = |why: String| SocketAnswer::Nobody {
        why: why.chars().take(200).collect(),
    };
    let client = uuid::Uuid::new_v4().simple().to_string();
    let mut handshake = match target.websocket(&format!("/ws?clientId={client}")) {
        Ok(handshake) => handshake,
        Err(error) => return nobody(error.to_string()),
    };
    if let Some(page) = page.and_then(|page| HeaderValue::from_str(page).ok()) {
        handshake.headers_mut().insert(ORIGIN, page);
    }
    let limits = WebSocketConfig::default()
        .max_message_size(Some(MAX_BYTES))
        .max_frame_size(Some(MAX_BYTES));
    let started = Instant::now();
    // TLS makes it large.
    let opening = Box::pin(connect_async_with_config(handshake, Some(limits), false));
    let mut stream = match tokio::time::timeout(DEADLINE, opening).await {
        Ok(Ok((stream, _))) => stream,
        Ok(Err(Error::Http(answer))) => {
            return SocketAnswer::Refused {
                status: answer.status().as_u16(),
            };
        }
        Ok(Err(error)) => return nobody(error.to_string()),
        Err(_) => return nobody(format!("no answer within {} s", DEADLINE.as_secs())),
    };
    let first = async {
        while let Some(Ok(message)) = stream.next().await {
            if let Message::Text(text) = message
                && text.contains("\"type\"")
            {
                return true;
            }
        }
        false
    };
    let spoke = tokio::time::timeout(DEADLINE, first).await.unwrap_or(false);
    let took = started.elapsed().as_millis();
    // Closing is a courtesy: the server notices a cut connection, too.
    let _ = tokio::time::timeout(Duration::from_secs(1), stream.close(None)).await;
    if spoke {
        SocketAnswer::Speaks {
            ms: u32::try_from(took).unwrap_or(u32::MAX),
        }
    } else {
        SocketAnswer::Mute
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_browser_names_scheme_host_and_port() {
        for (url, page) in [
            ("https://myia.io/x?y", Some("https://myia.io")),
            ("http://127.0.0.1:8080", Some("http://127.0.0.1:8080")),
            ("https://myia.io:443/", Some("https://myia.io")),
            ("no", None),
        ] {
            assert_eq!(page_of(url).as_deref(), page);
        }
    }
}
