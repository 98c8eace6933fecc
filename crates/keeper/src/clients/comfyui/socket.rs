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
/// One that says nothing for so long while the server works may have been forgotten by it.
const MUTE_AFTER: Duration = Duration::from_mins(1);
/// How long the server may take to close one.
const CLOSING: Duration = Duration::from_secs(2);

/// Signs of one prompt.
pub(super) struct Socket<'a> {
    target: &'a Target,
    client: &'a str,
    stream: Option<WebSocketStream<MaybeTlsStream<TcpStream>>>,
    tried_at: Instant,
    heard_at: Instant,
    /// Whether the server said that its previews tell whose they are.
    previews_named: bool,
}

impl<'a> Socket<'a> {
    /// Opens it under a client id of its own; where that fails, it stays silent.
    pub(super) async fn open(target: &'a Target, client: &'a str) -> Self {
        let mut socket = Self {
            target,
            client,
            stream: None,
            tried_at: Instant::now(),
            heard_at: Instant::now(),
            previews_named: false,
        };
        socket.connect().await;
        socket
    }

    /// Opens it anew, when it ended a while ago or says nothing. The old one is closed to the end
    /// before: the server forgets both when an older twin is closed later (`observed.md` §2.3).
    pub(super) async fn keep_open(&mut self) {
        if self.heard_at.elapsed() >= MUTE_AFTER
            && let Some(mut stream) = self.stream.take()
        {
            let closed = async {
                // An error means that it is closed.
                let _ = stream.close(None).await;
                while let Some(Ok(_)) = stream.next().await {}
            };
            // One that does not close is dropped.
            let _ = tokio::time::timeout(CLOSING, closed).await;
        }
        if self.is_silent() && self.tried_at.elapsed() >= REOPENED_AFTER {
            self.connect().await;
        }
    }

    async fn connect(&mut self) {
        let opening = async {
            let path = format!("/ws?clientId={}", self.client);
            let handshake = self.target.websocket(&path).map_err(|e| e.to_string())?;
            let limits = WebSocketConfig::default()
                .max_message_size(Some(MAX_BYTES))
                .max_frame_size(Some(MAX_BYTES));
            // TLS makes it large.
            let opened = Box::pin(connect_async_with_config(handshake, Some(limits), false)).await;
            let (mut stream, _) = opened.map_err(|error| error.to_string())?;
            // Previews then say whose they are. It has to be the first that is sent.
            let flags = stream.send(Message::text(FLAGS)).await;
            flags.map_err(|error| error.to_string())?;
            Ok::<_, String>(stream)
        };
        let opened = tokio::time::timeout(OPENING, opening).await;
        self.tried_at = Instant::now();
        self.heard_at = self.tried_at;
        self.previews_named = false;
        match opened {
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
            let frame = stream.next().await;
            self.heard_at = Instant::now();
            let sign = match frame {
                Some(Ok(Message::Text(text))) => {
                    self.previews_named |= frames::names_previews(&text);
                    frames::read(&text, prompt)
                }
                Some(Ok(Message::Binary(bytes))) => {
                    let unnamed = running && !self.previews_named;
                    frames::read_binary(&bytes, prompt, unnamed)
                }
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
