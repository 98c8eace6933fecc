//! The WebSocket on which ComfyUI tells how far a prompt is. Nothing depends on it: what it does not
//! say, the history and the queue do.

use std::time::{Duration, Instant};

use futures_util::{SinkExt as _, StreamExt as _};
use tokio::net::TcpStream;
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, connect_async_with_config,
    tungstenite::{Message, protocol::WebSocketConfig},
};

use super::{
    super::http::Target,
    frames::{self, Sign},
};

/// How long opening it may take.
const OPENING: Duration = Duration::from_secs(5);
/// What this client understands.
const FLAGS: &str = r#"{"type":"feature_flags","data":{"supports_preview_metadata":true}}"#;
/// Largest frame that is taken: previews are some tens of kilobytes.
const MAX_BYTES: usize = 8 * 1024 * 1024;

/// After so long it is opened anew, when it ended.
const REOPENED_AFTER: Duration = Duration::from_secs(3);

/// Signs of one prompt.
pub(super) struct Socket<'a> {
    target: &'a Target,
    client: &'a str,
    stream: Option<WebSocketStream<MaybeTlsStream<TcpStream>>>,
    tried_at: Instant,
}

impl<'a> Socket<'a> {
    /// Opens it under a client id of its own; where that fails, it stays silent.
    pub(super) async fn open(target: &'a Target, client: &'a str) -> Self {
        let mut socket = Self {
            target,
            client,
            stream: None,
            tried_at: Instant::now(),
        };
        socket.connect().await;
        socket
    }

    /// Opens it anew after a while. The old one is gone entirely by then: the server forgets both
    /// when an older twin is closed later (`observed.md` §2.3).
    pub(super) async fn reopen(&mut self) {
        if self.is_silent() && self.tried_at.elapsed() >= REOPENED_AFTER {
            self.connect().await;
        }
    }

    async fn connect(&mut self) {
        self.tried_at = Instant::now();
        let opening = async {
            let path = format!("/ws?clientId={}", self.client);
            let handshake = self.target.websocket(&path).map_err(|e| e.to_string())?;
            let limits = WebSocketConfig::default()
                .max_message_size(Some(MAX_BYTES))
                .max_frame_size(Some(MAX_BYTES));
            let opened = connect_async_with_config(handshake, Some(limits), false).await;
            let (mut stream, _) = opened.map_err(|error| error.to_string())?;
            // Previews then say whose they are. It has to be the first that is sent.
            let flags = stream.send(Message::text(FLAGS)).await;
            flags.map_err(|error| error.to_string())?;
            Ok::<_, String>(stream)
        };
        match tokio::time::timeout(OPENING, opening).await {
            Ok(Ok(stream)) => self.stream = Some(stream),
            Ok(Err(why)) => tracing::debug!(why, "no WebSocket: queue and history are asked alone"),
            Err(late) => tracing::debug!(%late, "no WebSocket: queue and history are asked alone"),
        }
    }

    /// Whether it says nothing now.
    pub(super) fn is_silent(&self) -> bool {
        self.stream.is_none()
    }

    /// The next sign of a prompt; waits for ever once the socket has ended. `running` tells whether
    /// the prompt is at work.
    pub(super) async fn sign(&mut self, prompt: &str, running: bool) -> Sign {
        while let Some(stream) = &mut self.stream {
            let sign = match stream.next().await {
                Some(Ok(Message::Text(text))) => frames::read(&text, prompt),
                Some(Ok(Message::Binary(bytes))) => frames::read_binary(&bytes, prompt, running),
                Some(Ok(_)) => None,
                Some(Err(why)) => {
                    tracing::debug!(%why, "the WebSocket ended");
                    self.stream = None;
                    None
                }
                None => {
                    self.stream = None;
                    None
                }
            };
            if let Some(sign) = sign {
                return sign;
            }
        }
        std::future::pending().await
    }
}
