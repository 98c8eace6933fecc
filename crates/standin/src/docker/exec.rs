//! Exec: create, start (hijacked or plain), inspect.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderValue, header};
use axum::response::Response;
use bytes::{BufMut, Bytes, BytesMut};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::mpsc;
use tokio_stream::StreamExt as _;
use tokio_stream::wrappers::ReceiverStream;

use super::container::Container;
use super::{Engine, command, routes};
use crate::door::Line;
use crate::faults::Fault;
use crate::lock::lock;
use crate::logbook::Stream;
use crate::reply;

/// How far an exec instance is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ExecState {
    Created,
    Running,
    Ended(i64),
}

/// One exec instance.
#[derive(Debug)]
pub(crate) struct Exec {
    pub id: String,
    pub container: Arc<Container>,
    pub argv: Vec<String>,
    pub tty: bool,
    pub user: String,
    pub state: Mutex<ExecState>,
}

/// Docker's frame: stream, three zeros, length, payload.
pub(crate) fn frame(stream: Stream, bytes: &[u8]) -> Bytes {
    let mut out = BytesMut::with_capacity(bytes.len() + 8);
    out.put_u8(if stream == Stream::Err { 2 } else { 1 });
    out.put_bytes(0, 3);
    out.put_u32(u32::try_from(bytes.len()).unwrap_or(u32::MAX));
    out.put_slice(bytes);
    out.freeze()
}

pub(crate) fn create(engine: &Arc<Engine>, container: Arc<Container>, body: &Value) -> Response {
    if !container.running() {
        let text = if container.looping() {
            format!(
                "Container {} is restarting, wait until the container is running",
                container.id()
            )
        } else {
            format!("container {} is not running", container.id())
        };
        return routes::refuse(409, &text);
    }
    let argv: Vec<String> = match body.get("Cmd") {
        Some(Value::Array(words)) => words
            .iter()
            .filter_map(Value::as_str)
            .map(str::to_owned)
            .collect(),
        Some(Value::String(word)) => vec![word.clone()],
        _ => Vec::new(),
    };
    if argv.is_empty() {
        return routes::refuse(400, "No exec command specified");
    }
    let id = super::container::hex_id(&uuid::Uuid::new_v4().to_string());
    let text = argv.join(" ");
    engine.events.tell(
        &container,
        &format!("exec_create: {text}"),
        &[("execID", id.clone())],
    );
    let exec = Exec {
        id: id.clone(),
        container,
        argv,
        tty: body.get("Tty").and_then(Value::as_bool).unwrap_or(false),
        user: body
            .get("User")
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned(),
        state: Mutex::new(ExecState::Created),
    };
    let mut execs = lock(&engine.execs);
    // Ended instances of long-lived sites must not pile up.
    if execs.len() > 2_000 {
        execs.retain(|_, exec| !matches!(*lock(&exec.state), ExecState::Ended(_)));
    }
    execs.insert(id.clone(), Arc::new(exec));
    reply::json(201, &json!({ "Id": id }))
}

pub(crate) fn inspect(exec: &Exec) -> Response {
    let state = *lock(&exec.state);
    let code = if let ExecState::Ended(code) = state {
        Some(code)
    } else {
        None
    };
    let (first, rest) = exec
        .argv
        .split_first()
        .map_or(("", &[][..]), |(a, b)| (a.as_str(), b));
    reply::json(
        200,
        &json!({
            "ID": exec.id, "Running": state == ExecState::Running, "ExitCode": code,
            "ProcessConfig": {"tty": exec.tty, "entrypoint": first, "arguments": rest,
                              "privileged": false, "user": exec.user},
            "OpenStdin": false, "OpenStderr": true, "OpenStdout": true, "CanRemove": false,
            "ContainerID": exec.container.id(), "DetachKeys": "", "Pid": if state == ExecState::Created { 0 } else { 5_012 },
        }),
    )
}

/// Starts the command; its output comes through the returned channel until it has ended.
fn launch(engine: &Arc<Engine>, exec: &Arc<Exec>) -> mpsc::Receiver<(Stream, Bytes)> {
    let (out, outputs) = mpsc::channel(64);
    *lock(&exec.state) = ExecState::Running;
    let text = exec.argv.join(" ");
    let id = exec.id.clone();
    engine.events.tell(
        &exec.container,
        &format!("exec_start: {text}"),
        &[("execID", id.clone())],
    );
    let (engine_, exec) = (Arc::clone(engine), Arc::clone(exec));
    let run = lock(&exec.container.run).clone();
    engine.tasks.spawn(async move {
        // A process takes a moment to start. Clients rely on it: docker-py loses what comes in
        // one packet with the headers of the upgrade.
        tokio::time::sleep(Duration::from_millis(25)).await;
        let code = tokio::select! {
            code = command::run(&exec.container, &exec.argv, &out) => code,
            () = run.cancelled() => 137,
        };
        *lock(&exec.state) = ExecState::Ended(code);
        let extra = [("execID", id), ("exitCode", code.to_string())];
        engine_.events.tell(&exec.container, "exec_die", &extra);
    });
    outputs
}

pub(crate) async fn start(engine: &Arc<Engine>, exec: Arc<Exec>, request: Request) -> Response {
    if *lock(&exec.state) != ExecState::Created {
        return routes::refuse(
            409,
            &format!("Error: Exec command {} has already run", exec.id),
        );
    }
    if !exec.container.running() {
        return routes::refuse(
            409,
            &format!("container {} is not running", exec.container.id()),
        );
    }
    let upgrade = request.headers().contains_key(header::UPGRADE);
    let (mut parts, body) = request.into_parts();
    let line = parts.extensions.get::<Line>().cloned();
    let on_upgrade = parts.extensions.remove::<hyper::upgrade::OnUpgrade>();
    let Ok(bytes) = axum::body::to_bytes(body, 64 * 1024).await else {
        return routes::refuse(400, "request body too large");
    };
    let body: Value = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
    let outputs = launch(engine, &exec);
    if body.get("Detach").and_then(Value::as_bool) == Some(true) {
        return reply::empty(200);
    }
    let tty = exec.tty;
    let kind = if tty {
        "application/vnd.docker.raw-stream"
    } else {
        "application/vnd.docker.multiplexed-stream"
    };
    let faults = engine.faults.clone();
    let framed =
        move |(stream, bytes): (Stream, Bytes)| if tty { bytes } else { frame(stream, &bytes) };
    let (Some(on_upgrade), Some(line), true) = (on_upgrade, line, upgrade) else {
        let pieces = ReceiverStream::new(outputs).then(move |piece| {
            let faults = faults.clone();
            async move {
                faults.wait_gone(Fault::EngineHung).await;
                Ok::<_, std::io::Error>(framed(piece))
            }
        });
        return reply::typed(200, kind, Body::from_stream(pieces));
    };
    engine.tasks.spawn(async move {
        let Ok(upgraded) = on_upgrade.await else {
            return;
        };
        let (mut read, mut write) = tokio::io::split(TokioIo::new(upgraded));
        let mut outputs = outputs;
        let mut input = [0u8; 1024];
        let mut open = true;
        loop {
            tokio::select! {
                piece = outputs.recv() => match piece {
                    Some(piece) => {
                        faults.wait_gone(Fault::EngineHung).await;
                        if write.write_all(&framed(piece)).await.is_err() { break }
                    }
                    None => break,
                },
                // Input is read to notice a client that leaves, and thrown away.
                got = read.read(&mut input), if open => open = matches!(got, Ok(n) if n > 0),
                () = line.cut.cancelled() => break,
            }
        }
        // The client may be gone already.
        let _ = write.shutdown().await;
    });
    let mut response = reply::typed(101, kind, Body::empty());
    response
        .headers_mut()
        .insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
    response
        .headers_mut()
        .insert(header::UPGRADE, HeaderValue::from_static("tcp"));
    response
}
