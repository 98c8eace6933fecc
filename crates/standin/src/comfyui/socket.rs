//! `/ws`: text and binary frames, and the server's habit of forgetting reconnected clients.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::Extension;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::extract::{Query, State};
use axum::response::Response;
use bytes::{BufMut, Bytes, BytesMut};
use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::Comfy;
use crate::door::Line;
use crate::lock::lock;

#[derive(Debug, Clone)]
struct Client {
    send: mpsc::Sender<Message>,
    /// Previews carry their node and prompt.
    metadata: Arc<AtomicBool>,
}

/// All open sockets by client id.
#[derive(Debug, Default)]
pub(super) struct Sockets(Mutex<HashMap<String, Client>>);

impl Sockets {
    pub(super) fn forget(&self) {
        lock(&self.0).clear();
    }

    fn targets(&self, client: Option<&str>) -> Vec<Client> {
        let all = lock(&self.0);
        match client {
            Some(id) => all.get(id).into_iter().cloned().collect(),
            None => all.values().cloned().collect(),
        }
    }

    /// A text frame to one client, or to everybody.
    pub(super) fn text(&self, client: Option<&str>, kind: &str, data: &Value) {
        let frame = json!({"type": kind, "data": data}).to_string();
        for target in self.targets(client) {
            // A client that does not read loses frames; the program goes on.
            let _ = target.send.try_send(Message::text(frame.clone()));
        }
    }

    /// True if this client takes previews with metadata.
    pub(super) fn wants_metadata(&self, client: Option<&str>) -> bool {
        client.is_some()
            && self
                .targets(client)
                .iter()
                .any(|c| c.metadata.load(Ordering::SeqCst))
    }

    /// A picture: type 4 with metadata for those who asked for it, type 1 for the others.
    pub(super) fn picture(&self, client: Option<&str>, format: u32, image: &[u8], about: &Value) {
        for target in self.targets(client) {
            let mut frame = BytesMut::with_capacity(image.len() + 256);
            if target.metadata.load(Ordering::SeqCst) && format == 1 {
                let text = about.to_string();
                frame.put_u32(4);
                frame.put_u32(u32::try_from(text.len()).unwrap_or(0));
                frame.put_slice(text.as_bytes());
            } else {
                frame.put_u32(1);
                frame.put_u32(format);
            }
            frame.put_slice(image);
            let _ = target.send.try_send(Message::Binary(Bytes::from(frame)));
        }
    }
}

impl Comfy {
    /// `status` to everybody.
    pub(super) fn tell_status(&self) {
        let remaining = lock(&self.queue).remaining();
        let data = json!({"status": {"exec_info": {"queue_remaining": remaining}}});
        self.sockets.text(None, "status", &data);
    }
}

pub(super) async fn open(
    State(comfy): State<Arc<Comfy>>,
    Query(query): Query<HashMap<String, String>>,
    Extension(line): Extension<Line>,
    upgrade: WebSocketUpgrade,
) -> Response {
    let id = query
        .get("clientId")
        .filter(|id| !id.is_empty())
        .cloned()
        .unwrap_or_else(|| uuid::Uuid::new_v4().simple().to_string());
    upgrade.on_upgrade(move |socket| talk(comfy, id, line, socket))
}

async fn talk(comfy: Arc<Comfy>, id: String, line: Line, socket: WebSocket) {
    converse(&comfy, &id, line, socket).await;
    // As in the original, whoever closes takes the entry of this id away, even a newer socket's.
    lock(&comfy.sockets.0).remove(&id);
}

async fn converse(comfy: &Arc<Comfy>, id: &str, line: Line, mut socket: WebSocket) {
    let (send, mut frames) = mpsc::channel(512);
    let metadata = Arc::new(AtomicBool::new(false));
    let client = Client {
        send,
        metadata: Arc::clone(&metadata),
    };
    lock(&comfy.sockets.0).insert(id.to_owned(), client);
    let (remaining, current) = {
        let queue = lock(&comfy.queue);
        let mine = queue.last_client.as_deref() == Some(id);
        (queue.remaining(), queue.node.clone().filter(|_| mine))
    };
    let first = json!({"type": "status",
        "data": {"status": {"exec_info": {"queue_remaining": remaining}}, "sid": id}});
    if socket.send(Message::text(first.to_string())).await.is_err() {
        return;
    }
    if let Some(node) = current {
        let catch_up = json!({"type": "executing", "data": {"node": node}});
        if socket
            .send(Message::text(catch_up.to_string()))
            .await
            .is_err()
        {
            return;
        }
    }
    let mut heard = false;
    loop {
        tokio::select! {
            // A dying server sends no close frame.
            () = line.cut.cancelled() => break,
            frame = frames.recv() => {
                let Some(frame) = frame else {
                    // Another socket took this id; this one stays open and silent.
                    tokio::select! {
                        () = line.cut.cancelled() => break,
                        () = async { while let Some(Ok(got)) = socket.recv().await { if matches!(got, Message::Close(_)) { break } } } => break,
                    }
                };
                if socket.send(frame).await.is_err() { break; }
            }
            got = socket.recv() => match got {
                Some(Ok(Message::Text(text))) if !heard => {
                    heard = true;
                    if let Some(flags) = flags(&text) {
                        metadata.store(flags, Ordering::SeqCst);
                        let answer = json!({"type": "feature_flags", "data": {
                            "supports_preview_metadata": true, "max_upload_size": 104_857_600}});
                        if socket.send(Message::text(answer.to_string())).await.is_err() { break; }
                    }
                }
                // Anything else a client says is ignored.
                Some(Ok(Message::Close(_)) | Err(_)) | None => break,
                Some(Ok(_)) => {}
            },
        }
    }
}

fn flags(text: &str) -> Option<bool> {
    let frame: Value = serde_json::from_str(text).ok()?;
    (frame.get("type")? == "feature_flags").then(|| {
        frame["data"]["supports_preview_metadata"]
            .as_bool()
            .unwrap_or(false)
    })
}
