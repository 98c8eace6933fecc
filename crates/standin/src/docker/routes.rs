//! The engine's routes, with and without a version in front.

use std::collections::HashMap;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Path, Query, Request, State};
use axum::http::{HeaderValue, Uri, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use axum::routing::{delete, get, post};
use bytes::Bytes;
use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

use super::container::{Container, Status};
use super::filters::{EVENT_FILTERS, LIST_FILTERS, filters, listed, wanted};
use super::lifecycle::{Done, Refusal};
use super::{
    API, ENGINE, Engine, MIN_API, archive, events, exec, inspect, logs, making, parting, stats,
};
use crate::faults::Fault;
use crate::lock::lock;
use crate::reply;

pub(super) type App = State<Arc<Engine>>;
pub(super) type Words = Query<HashMap<String, String>>;

/// An error in Docker's shape.
pub(crate) fn refuse(status: u16, text: &str) -> Response {
    reply::json(status, &json!({ "message": text }))
}

pub(super) fn missing(id: &str) -> Response {
    refuse(404, &format!("No such container: {id}"))
}

fn outcome(done: Result<Done, Refusal>) -> Response {
    match done {
        Ok(Done::Changed) => reply::empty(204),
        Ok(Done::Already) => reply::empty(304),
        Err(Refusal(status, text)) => refuse(status, &text),
    }
}

fn version_text((major, minor): (u32, u32)) -> String {
    format!("{major}.{minor}")
}

/// The path without `/v1.NN`, or the refusal of that version.
fn strip(path: &str) -> Result<String, Box<Response>> {
    let Some(rest) = path
        .strip_prefix("/v")
        .filter(|r| r.starts_with(|c: char| c.is_ascii_digit()))
    else {
        return Ok(path.to_owned());
    };
    let (version, tail) = rest.split_once('/').unwrap_or((rest, ""));
    let parsed = version
        .split_once('.')
        .and_then(|(a, b)| Some((a.parse().ok()?, b.parse().ok()?)));
    let Some(asked) = parsed else {
        return Ok(path.to_owned());
    };
    if asked > API {
        return Err(Box::new(refuse(
            400,
            &format!(
                "client version {version} is too new. Maximum supported API version is {}",
                version_text(API)
            ),
        )));
    }
    if asked < MIN_API {
        return Err(Box::new(refuse(
            400,
            &format!(
                "client version {version} is too old. Minimum supported API version is {}, please \
                 upgrade your client to a newer version",
                version_text(MIN_API)
            ),
        )));
    }
    Ok(format!("/{tail}"))
}

/// Faults of the engine, version prefix, and the headers of every answer.
async fn gate(State(engine): App, mut request: Request, next: Next) -> Response {
    engine.faults.wait_gone(Fault::EngineHung).await;
    if engine.faults.any(Fault::EngineNotDocker) {
        return reply::typed(
            200,
            "text/html",
            "<html><body><h1>Welcome to nginx!</h1></body></html>",
        );
    }
    let path = match strip(request.uri().path()) {
        Ok(path) => path,
        Err(refusal) => return *refusal,
    };
    let query = request
        .uri()
        .query()
        .map_or_else(String::new, |q| format!("?{q}"));
    if let Ok(uri) = format!("{path}{query}").parse::<Uri>() {
        *request.uri_mut() = uri;
    }
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    if let Ok(version) = HeaderValue::from_str(&version_text(API)) {
        headers.insert("Api-Version", version);
    }
    headers.insert("Docker-Experimental", HeaderValue::from_static("false"));
    headers.insert("Ostype", HeaderValue::from_static("linux"));
    headers.insert(
        header::SERVER,
        HeaderValue::from_static("Docker/24.0.7 (linux)"),
    );
    response
}

async fn ping() -> Response {
    let mut response = reply::typed(200, "text/plain; charset=utf-8", "OK");
    let headers = response.headers_mut();
    headers.insert(
        header::CACHE_CONTROL,
        HeaderValue::from_static("no-cache, no-store, must-revalidate"),
    );
    headers.insert("Builder-Version", HeaderValue::from_static("2"));
    headers.insert("Swarm", HeaderValue::from_static("inactive"));
    response
}

async fn version() -> Response {
    let (api, min) = (version_text(API), version_text(MIN_API));
    reply::json(
        200,
        &json!({
            "Platform": {"Name": "Docker Engine - Community"},
            "Components": [{"Name": "Engine", "Version": ENGINE, "Details": {"ApiVersion": api,
                "Arch": "amd64", "BuildTime": "2023-10-26T09:08:02.000000000+00:00", "Experimental": "false",
                "GitCommit": "311b9ff", "GoVersion": "go1.20.10", "KernelVersion": "5.15.153.1-microsoft-standard-WSL2",
                "MinAPIVersion": min, "Os": "linux"}}],
            "Version": ENGINE, "ApiVersion": api, "MinAPIVersion": min, "GitCommit": "311b9ff",
            "GoVersion": "go1.20.10", "Os": "linux", "Arch": "amd64",
            "KernelVersion": "5.15.153.1-microsoft-standard-WSL2",
            "BuildTime": "2023-10-26T09:08:02.000000000+00:00",
        }),
    )
}

async fn info(State(engine): App) -> Response {
    let all = engine.all();
    let running = all.iter().filter(|c| c.running()).count();
    reply::json(
        200,
        &json!({
            "ID": "5f3c6a1e-8c1b-4a55-9b0e-1f0f2c7d9a31", "Containers": all.len(), "ContainersRunning": running,
            "ContainersPaused": 0, "ContainersStopped": all.len() - running, "Images": 2,
            "Driver": "overlay2", "LoggingDriver": "json-file", "CgroupDriver": "cgroupfs", "CgroupVersion": "1",
            "SystemTime": logs::stamp(Timestamp::now()), "KernelVersion": "5.15.153.1-microsoft-standard-WSL2",
            "OperatingSystem": "Ubuntu 22.04.4 LTS", "OSVersion": "22.04", "OSType": "linux",
            "Architecture": "x86_64", "NCPU": 16, "MemTotal": 33_554_432_000u64, "Name": "demo",
            "ServerVersion": ENGINE, "DockerRootDir": "/var/lib/docker", "Labels": [],
            "Runtimes": {"nvidia": {"path": "nvidia-container-runtime"}, "runc": {"path": "runc"}},
            "DefaultRuntime": "runc", "LiveRestoreEnabled": true, "Warnings": null,
        }),
    )
}

async fn list(State(engine): App, Query(words): Words) -> Response {
    let filters = match filters(&words, LIST_FILTERS) {
        Ok(filters) => filters,
        Err(refusal) => return *refusal,
    };
    let all = logs::truthy(words.get("all")) || filters.contains_key("status");
    let rows: Vec<Value> = engine
        .all()
        .iter()
        .filter(|c| all || matches!(lock(&c.state).status, Status::Running | Status::Restarting))
        .filter(|c| listed(c, &filters))
        .map(|c| inspect::short(c))
        .collect();
    reply::json(200, &rows.into())
}

async fn show(State(engine): App, Path(id): Path<String>, Query(words): Words) -> Response {
    let Some(container) = engine.find(&id) else {
        return missing(&id);
    };
    let mut told = inspect::long(&container);
    if logs::truthy(words.get("size")) {
        told["SizeRw"] = parting::WRITTEN.into();
    }
    reply::json(200, &told)
}

async fn read_logs(
    State(engine): App,
    Path(id): Path<String>,
    Query(query): Query<logs::LogsQuery>,
) -> Response {
    engine
        .find(&id)
        .map_or_else(|| missing(&id), |c| logs::answer(&engine, &c, &query))
}

async fn read_stats(State(engine): App, Path(id): Path<String>, Query(words): Words) -> Response {
    let Some(container) = engine.find(&id) else {
        return missing(&id);
    };
    let stream = words.get("stream").is_none_or(|v| logs::truthy(Some(v)));
    stats::answer(
        &engine,
        container,
        stream,
        logs::truthy(words.get("one-shot")),
    )
    .await
}

/// Runs an action as a task: a client that leaves does not undo it half way.
async fn act<F>(engine: &Arc<Engine>, id: &str, work: impl FnOnce(Arc<Container>) -> F) -> Response
where
    F: Future<Output = Result<Done, Refusal>> + Send + 'static,
{
    let Some(container) = engine.find(id) else {
        return missing(id);
    };
    let (tell, told) = tokio::sync::oneshot::channel();
    let work = work(container);
    engine.tasks.spawn(async move {
        let _ = tell.send(work.await);
    });
    told.await
        .map_or_else(|_| refuse(500, "engine is shutting down"), outcome)
}

async fn start(State(engine): App, Path(id): Path<String>) -> Response {
    act(&engine, &id, |c| async move { c.start().await }).await
}

async fn stop(State(engine): App, Path(id): Path<String>) -> Response {
    act(&engine, &id, |c| async move { c.stop(None).await }).await
}

async fn restart(State(engine): App, Path(id): Path<String>) -> Response {
    act(&engine, &id, |c| async move { c.restart().await }).await
}

async fn kill(State(engine): App, Path(id): Path<String>, Query(words): Words) -> Response {
    let signal = words.get("signal").cloned().unwrap_or_default();
    act(
        &engine,
        &id,
        |c| async move { c.kill(&signal, false).await },
    )
    .await
}

async fn remove(State(engine): App, Path(id): Path<String>, Query(words): Words) -> Response {
    let force = logs::truthy(words.get("force"));
    act(&engine, &id, |c| async move { c.remove(force).await }).await
}

async fn wait(State(engine): App, Path(id): Path<String>, Query(words): Words) -> Response {
    let Some(container) = engine.find(&id) else {
        return missing(&id);
    };
    let mut ends = container.ends.subscribe();
    ends.mark_unchanged();
    let next = words.get("condition").is_some_and(|c| c == "next-exit");
    if next || container.running() {
        // The sender lives in the container held here.
        let _ = ends.changed().await;
    }
    let code = lock(&container.state).code;
    reply::json(200, &json!({ "StatusCode": code }))
}

async fn top(State(engine): App, Path(id): Path<String>) -> Response {
    let Some(container) = engine.find(&id) else {
        return missing(&id);
    };
    if !container.running() {
        return refuse(409, &format!("container {} is not running", container.id()));
    }
    let pid = lock(&container.state).pid.to_string();
    reply::json(
        200,
        &json!({"Titles": ["UID", "PID", "PPID", "C", "STIME", "TTY", "TIME", "CMD"],
                "Processes": [["root", pid, "1", "0", "10:34", "?", "00:00:01", container.spec.command.join(" ")]]}),
    )
}

async fn create_exec(State(engine): App, Path(id): Path<String>, bytes: Bytes) -> Response {
    let Some(container) = engine.find(&id) else {
        return missing(&id);
    };
    match serde_json::from_slice::<Value>(&bytes) {
        Ok(body) => exec::create(&engine, container, &body),
        Err(error) => refuse(400, &format!("invalid JSON: {error}")),
    }
}

async fn start_exec(State(engine): App, Path(id): Path<String>, request: Request) -> Response {
    let found = lock(&engine.execs).get(&id).cloned();
    match found {
        Some(exec) => exec::start(&engine, exec, request).await,
        None => refuse(404, &format!("No such exec instance: {id}")),
    }
}

async fn show_exec(State(engine): App, Path(id): Path<String>) -> Response {
    let found = lock(&engine.execs).get(&id).cloned();
    found.map_or_else(
        || refuse(404, &format!("No such exec instance: {id}")),
        |e| exec::inspect(&e),
    )
}

async fn watch_events(State(engine): App, Query(words): Words) -> Response {
    let filters = match filters(&words, EVENT_FILTERS) {
        Ok(filters) => filters,
        Err(refusal) => return *refusal,
    };
    let (since, until) = (
        logs::instant(words.get("since")),
        logs::instant(words.get("until")),
    );
    let (past, mut coming) = engine.events.open();
    let (send, pieces) = mpsc::channel::<Result<Bytes, std::io::Error>>(64);
    let faults = engine.faults.clone();
    engine.tasks.spawn(async move {
        let line = |event: &events::Event| Ok(Bytes::from(format!("{}\n", event.body())));
        let fits = |at: Timestamp| since.is_some_and(|s| at >= s) && until.is_none_or(|u| at <= u);
        for event in past.iter().filter(|e| fits(e.at) && wanted(e, &filters)) {
            if send.send(line(event)).await.is_err() {
                return;
            }
        }
        let end = until.map(|u| {
            u.duration_since(Timestamp::now())
                .unsigned_abs()
                .min(std::time::Duration::from_hours(24))
        });
        if until.is_some_and(|u| u <= Timestamp::now()) {
            return;
        }
        let over = async {
            match end {
                Some(left) => tokio::time::sleep(left).await,
                None => std::future::pending().await,
            }
        };
        tokio::pin!(over);
        loop {
            tokio::select! {
                () = &mut over => return,
                () = send.closed() => return,
                got = coming.recv() => match got {
                    Ok(event) if wanted(&event, &filters) => {
                        faults.wait_gone(Fault::EngineHung).await;
                        if send.send(line(&event)).await.is_err() { return; }
                    }
                    Ok(_) => {}
                    // A reader that is too slow is cut off rather than left with a gap.
                    Err(RecvError::Lagged(_) | RecvError::Closed) => return,
                },
            }
        }
    });
    reply::typed(
        200,
        "application/json",
        Body::from_stream(ReceiverStream::new(pieces)),
    )
}

async fn images(State(engine): App) -> Response {
    let mut names: Vec<String> = engine.all().iter().map(|c| c.spec.image.clone()).collect();
    names.extend(lock(&engine.made).images.iter().cloned());
    names.sort();
    names.dedup();
    let rows: Vec<Value> = names
        .iter()
        .map(|name| {
            let id = format!("sha256:{}", super::container::hex_id(&format!("image {name}")));
            json!({"Id": id, "ParentId": "", "RepoTags": [name], "RepoDigests": [], "Created": 1_727_430_000,
                   "Size": 14_600_000_000u64, "SharedSize": -1, "Labels": null, "Containers": -1})
        })
        .collect();
    reply::json(200, &rows.into())
}

pub(super) fn router(engine: Arc<Engine>) -> Router {
    let inner = Router::new()
        .route("/_ping", get(ping))
        .route("/version", get(version))
        .route("/info", get(info))
        .route("/images/json", get(images))
        .route("/images/create", post(making::pull))
        .route(
            "/images/{*rest}",
            get(making::image).delete(parting::remove_image),
        )
        .route("/system/df", get(parting::space))
        .route("/networks/{name}/connect", post(parting::connect))
        .route("/networks/create", post(making::make_network))
        .route(
            "/networks/{name}",
            get(making::network).delete(making::remove_network),
        )
        .route("/volumes/create", post(making::make_volume))
        .route("/containers/create", post(making::create))
        .route("/events", get(watch_events))
        .route("/containers/json", get(list))
        .route("/containers/{id}", delete(remove))
        .route("/containers/{id}/json", get(show))
        .route("/containers/{id}/logs", get(read_logs))
        .route("/containers/{id}/stats", get(read_stats))
        .route("/containers/{id}/top", get(top))
        .route("/containers/{id}/start", post(start))
        .route("/containers/{id}/stop", post(stop))
        .route("/containers/{id}/restart", post(restart))
        .route("/containers/{id}/kill", post(kill))
        .route("/containers/{id}/wait", post(wait))
        .route("/containers/{id}/exec", post(create_exec))
        .route("/containers/{id}/archive", archive::route())
        .route("/exec/{id}/start", post(start_exec))
        .route("/exec/{id}/json", get(show_exec))
        .fallback(|| async { refuse(404, "page not found") })
        .with_state(Arc::clone(&engine));
    Router::new()
        .fallback_service(inner)
        .layer(from_fn_with_state(engine, gate))
}
