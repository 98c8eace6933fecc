//! The WebSocket on which ComfyUI tells how far a prompt is. Nothing depends on it: what it does not
//! say, the history and the queue do.

use std::time::Duration;

use futures_util::StreamExt as _;
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
/// Largest frame that is taken: previews are some tens of kilobytes.
const MAX_BYTES: usize = 8 * 1024 * 1024;

/// Signs of one prompt, until the socket ends.
pub(super) struct Socket(Option<WebSocketStream<MaybeTlsStream<TcpStream>>>);

impl Socket {
    /// Opens it under a client id of its own; where that fails, it stays silent.
    pub(super) async fn open(target: &Target, client: &str) -> Self {
        let handshake = match target.websocket(&format!("/ws?clientId={client}")) {
            Ok(handshake) => handshake,
            Err(error) => return Self::silent(&error),
        };
        let limits = WebSocketConfig::default()
            .max_message_size(Some(MAX_BYTES))
            .max_frame_size(Some(MAX_BYTES));
        let opening = connect_async_with_config(handshake, Some(limits), false);
        match tokio::time::timeout(OPENING, opening).await {
            Ok(Ok((socket, _))) => Self(Some(socket)),
            Ok(Err(error)) => Self::silent(&error),
            Err(late) => Self::silent(&late),
        }
    }

    fn silent(why: &dyn std::fmt::Display) -> Self {
        tracing::debug!(%why, "no WebSocket: the history is asked alone");
        Self(None)
    }

    /// Whether it says nothing any more.
    pub(super) fn is_silent(&self) -> bool {
        self.0.is_none()
    }

    /// The next sign of a prompt; waits for ever once the socket has ended.
    pub(super) async fn sign(&mut self, prompt: &str) -> Sign {
        while let Some(socket) = &mut self.0 {
            match socket.next().await {
                Some(Ok(Message::Text(text))) => {
                    if let Some(sign) = frames::read(&text, prompt) {
                        return sign;
                    }
                }
                Some(Ok(_)) => {}
                Some(Err(why)) => *self = Self::silent(&why),
                None => *self = Self::silent(&"it was closed"),
            }
        }
        std::future::pending().await
    }
}
