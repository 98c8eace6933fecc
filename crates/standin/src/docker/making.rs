//! What is made in the engine: images that are pulled, networks, volumes, containers.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Path, Query, State};
use axum::response::Response;
use bytes::Bytes;
use jiff::Timestamp;
use serde_json::{Map, Value, json};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

use super::Engine;
use super::container::{Container, ContainerSpec, Published, Work, hex_id};
use super::routes::{App, Words, refuse};
use super::{inspect, parting};
use crate::comfyui::{Comfy, ComfySpec};
use crate::lock::lock;
use crate::logbook::Logbook;
use crate::registry::{Oddity, Registry, Shelved};
use crate::reply;

/// Milliseconds that a pull takes at speed 1, for each of its pieces.
const PIECE_MS: f64 = 150.0;
/// How a path inside says that it can only be read.
const READ_ONLY: &str = ":ro";
/// Pieces that a layer comes in.
const PIECES: u64 = 10;

/// What the engine has besides containers.
#[derive(Debug, Default)]
pub(crate) struct Made {
    /// Where images come from.
    pub(crate) registry: Option<Arc<Registry>>,
    /// Images that were pulled.
    pub(crate) images: BTreeSet<String>,
    /// Networks with their labels.
    pub(crate) networks: BTreeMap<String, Value>,
    /// Networks that compose made, with their labels.
    pub(crate) compose: BTreeMap<String, Value>,
    /// Containers that were removed.
    pub(crate) gone: Vec<Arc<Container>>,
    /// Volumes with their labels. They stay when a container goes.
    pub(crate) volumes: BTreeMap<String, Value>,
}

impl Engine {
    /// Images are pulled from there.
    pub fn pulls_from(&self, registry: &Arc<Registry>) {
        lock(&self.made).registry = Some(Arc::clone(registry));
    }

    /// Names of the volumes that were made.
    pub fn volumes(&self) -> Vec<String> {
        lock(&self.made).volumes.keys().cloned().collect()
    }

    /// Names of the networks that were made.
    pub fn networks(&self) -> Vec<String> {
        lock(&self.made).networks.keys().cloned().collect()
    }

    fn has_image(&self, name: &str) -> bool {
        let mut images = self.images().into_iter();
        images.any(|image| image == name || parting::image_id(&image) == name)
    }

    fn on_shelf(&self, name: &str) -> Option<Shelved> {
        let registry = lock(&self.made).registry.clone();
        registry?.find(name)
    }
}

/// `POST /images/create?fromImage=…&tag=…`: a stream of progress, the error in it where there is one.
pub(super) async fn pull(State(engine): App, Query(words): Words) -> Response {
    let from = words.get("fromImage").cloned().unwrap_or_default();
    let tag = words.get("tag").map_or("", String::as_str);
    let name = if tag.is_empty() || from.rsplit('/').next().is_some_and(|n| n.contains(':')) {
        from.clone()
    } else {
        format!("{from}:{tag}")
    };
    let Some(image) = engine.on_shelf(&name) else {
        return refuse(
            404,
            &format!("manifest for {name} not found: manifest unknown: manifest unknown"),
        );
    };
    match image.oddity {
        Oddity::Denied => {
            return refuse(
                404,
                &format!(
                    "pull access denied for {from}, repository does not exist or may require 'docker login'"
                ),
            );
        }
        Oddity::RateLimited => {
            return refuse(
                500,
                "toomanyrequests: You have reached your pull rate limit.",
            );
        }
        _ => {}
    }
    let fits = image.platforms.iter().any(|p| p.1 == "amd64");
    let (send, pieces) = mpsc::channel::<Result<Bytes, std::io::Error>>(8);
    let work = Arc::clone(&engine);
    engine.tasks.spawn(async move {
        let line = |value: Value| Ok(Bytes::from(format!("{value}\r\n")));
        let tag = name.rsplit(':').next().unwrap_or_default().to_owned();
        let mut lines =
            vec![json!({"status": format!("Pulling from {}", image.repository), "id": tag})];
        if !fits {
            let words = "no matching manifest for linux/amd64 in the manifest list entries";
            lines.push(json!({"errorDetail": {"message": words}, "error": words}));
        }
        for value in lines {
            if send.send(line(value)).await.is_err() {
                return;
            }
        }
        if !fits {
            return;
        }
        for (at, size) in image.layers.iter().enumerate() {
            let id = &hex_id(&format!("{name} {at}"))[..12];
            for piece in 1..=PIECES {
                work.pace.wait(PIECE_MS).await;
                let detail = json!({"current": size * piece / PIECES, "total": size});
                let value = json!({"status": "Downloading", "progressDetail": detail, "id": id});
                // Whoever leaves has cancelled it: the engine pulls no further.
                if send.send(line(value)).await.is_err() {
                    return;
                }
            }
            let value = json!({"status": "Pull complete", "progressDetail": {}, "id": id});
            if send.send(line(value)).await.is_err() {
                return;
            }
        }
        lock(&work.made).images.insert(name.clone());
        let value = json!({"status": format!("Status: Downloaded newer image for {name}")});
        // A reader that left has its image all the same.
        let _ = send.send(line(value)).await;
    });
    reply::typed(
        200,
        "application/json",
        Body::from_stream(ReceiverStream::new(pieces)),
    )
}

/// `GET /images/NAME/json`.
pub(super) async fn image(State(engine): App, Path(rest): Path<String>) -> Response {
    let Some(name) = rest.strip_suffix("/json") else {
        return refuse(404, "page not found");
    };
    if !engine.has_image(name) {
        return refuse(404, &format!("No such image: {name}"));
    }
    let of = |image: &String| *image == name || parting::image_id(image) == name;
    let named = engine.images().into_iter().find(of).unwrap_or_default();
    let id = parting::image_id(&named);
    reply::json(
        200,
        &json!({"Id": id, "RepoTags": [named], "RepoDigests": [], "Os": "linux", "Architecture": "amd64",
                "Size": parting::image_bytes(&named), "Created": Timestamp::now().to_string(),
                "Config": {"Labels": null, "Env": []}}),
    )
}

fn labels(body: &Value) -> Value {
    body.get("Labels").cloned().unwrap_or_else(|| json!({}))
}

/// `POST /networks/create`.
pub(super) async fn make_network(State(engine): App, bytes: Bytes) -> Response {
    let Some((name, body)) = named(&bytes) else {
        return refuse(400, "invalid network");
    };
    let mut made = lock(&engine.made);
    if made.networks.contains_key(&name) {
        return refuse(409, &format!("network with name {name} already exists"));
    }
    made.networks.insert(name.clone(), labels(&body));
    let id = hex_id(&format!("network {name}"));
    reply::json(201, &json!({"Id": id, "Warning": ""}))
}

/// `GET /networks/NAME`.
pub(super) async fn network(State(engine): App, Path(name): Path<String>) -> Response {
    let Some(labels) = engine.network_labels(&name) else {
        return refuse(404, &format!("network {name} not found"));
    };
    reply::json(
        200,
        &json!({"Name": name, "Id": hex_id(&format!("network {name}")), "Driver": "bridge",
                "Scope": "local", "Labels": labels, "Containers": {}}),
    )
}

/// `DELETE /networks/NAME`.
pub(super) async fn remove_network(State(engine): App, Path(name): Path<String>) -> Response {
    let used = engine.all().iter().any(|c| inspect::network(c) == name);
    if used {
        return refuse(
            403,
            &format!("error while removing network: network {name} has active endpoints"),
        );
    }
    let mut made = lock(&engine.made);
    let (by_hand, by_compose) = (made.networks.remove(&name), made.compose.remove(&name));
    match by_hand.or(by_compose) {
        Some(_) => reply::empty(204),
        None => refuse(404, &format!("network {name} not found")),
    }
}

/// `POST /volumes/create`: one that is there is answered as it is.
pub(super) async fn make_volume(State(engine): App, bytes: Bytes) -> Response {
    let Some((name, body)) = named(&bytes) else {
        return refuse(400, "invalid volume");
    };
    let mut made = lock(&engine.made);
    let kept = made
        .volumes
        .entry(name.clone())
        .or_insert_with(|| labels(&body));
    reply::json(
        201,
        &json!({"Name": name, "Driver": "local", "Scope": "local", "Labels": kept, "Options": {},
                "Mountpoint": format!("/var/lib/docker/volumes/{name}/_data")}),
    )
}

fn named(bytes: &Bytes) -> Option<(String, Value)> {
    let body: Value = serde_json::from_slice(bytes).ok()?;
    let name = body.get("Name")?.as_str()?.to_owned();
    (!name.is_empty()).then_some((name, body))
}

/// `POST /containers/create?name=…`. A container of ComfyUI's serves where its port is published.
pub(super) async fn create(State(engine): App, Query(words): Words, bytes: Bytes) -> Response {
    let body: Value = match serde_json::from_slice(&bytes) {
        Ok(body) => body,
        Err(error) => return refuse(400, &format!("invalid JSON: {error}")),
    };
    let name = words.get("name").cloned().unwrap_or_default();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let image = text(&body["Image"]);
    if !engine.has_image(&image) {
        return refuse(404, &format!("No such image: {image}"));
    }
    if let Some(other) = engine.all().iter().find(|c| c.spec.name == name) {
        return refuse(
            409,
            &format!(
                "Conflict. The container name \"/{name}\" is already in use by container \"{}\". You \
                 have to remove (or rename) that container to be able to reuse that name.",
                other.id()
            ),
        );
    }
    let host = &body["HostConfig"];
    let gone = engine.gone_under(&name);
    if let Some(same) = gone.as_ref().filter(|gone| parting::is_same(gone, &body)) {
        same.come_back();
        return reply::json(201, &json!({"Id": same.id(), "Warnings": []}));
    }
    let strings = |value: &Value| -> Vec<String> {
        let list = value.as_array().into_iter().flatten();
        list.filter_map(Value::as_str).map(str::to_owned).collect()
    };
    let empty = Map::new();
    let ports: Vec<(u16, Option<SocketAddr>)> = host["PortBindings"]
        .as_object()
        .unwrap_or(&empty)
        .iter()
        .filter_map(|(inside, hosts)| {
            let inside = inside.split('/').next()?.parse().ok()?;
            let port = hosts[0]["HostPort"].as_str()?.parse().ok()?;
            Some((inside, Some(SocketAddr::new(loopback(), port))))
        })
        .collect();
    let cards = card_indices(&engine, &host["DeviceRequests"]);
    if let Err(unknown) = &cards {
        return refuse(400, &format!("could not select device: {unknown}"));
    }
    let cards = cards.unwrap_or_default();
    let labels: Vec<(String, String)> = body["Labels"]
        .as_object()
        .unwrap_or(&empty)
        .iter()
        .map(|(key, value)| (key.clone(), text(value)))
        .collect();
    let label = |key: &str| {
        labels
            .iter()
            .find(|(k, _)| k == key)
            .map(|(_, v)| v.clone())
    };
    let service = label("com.docker.compose.service").unwrap_or_else(|| name.clone());
    let log = Arc::new(Logbook::new(&service, engine.faults.clone()));
    let (mut work, ports) = program(&engine, &image, &service, &cards, &log, ports);
    if let Some(known) = gone.and_then(|gone| parting::program_of(&gone, &image)) {
        work = known;
    }
    let mut binds = parting::binds(host);
    for mount in host["Mounts"].as_array().into_iter().flatten() {
        let (source, mut target) = (text(&mount["Source"]), text(&mount["Target"]));
        if mount["ReadOnly"].as_bool() == Some(true) {
            target.push_str(READ_ONLY);
        }
        if mount["Type"] == "volume" {
            let mut made = lock(&engine.made);
            made.volumes
                .entry(source.clone())
                .or_insert_with(|| json!({}));
        }
        binds.push((source, target));
    }
    let ids = strings(&host["DeviceRequests"][0]["DeviceIDs"]);
    let container = engine.add(ContainerSpec {
        service,
        name,
        image,
        compose: None,
        labels,
        command: strings(&body["Cmd"]),
        env: strings(&body["Env"]),
        ports,
        devices: parting::devices(ids, &host["DeviceRequests"]),
        cards,
        binds,
        other_workspace: None,
        tty: false,
        work,
        log,
        network: host["NetworkMode"].as_str().map(str::to_owned),
    });
    engine.events.tell(&container, "create", &[]);
    reply::json(201, &json!({"Id": container.id(), "Warnings": []}))
}

/// A mount as inspect tells it. What is no path is the name of a volume.
pub(super) fn mount(source: &str, bind: &str) -> Value {
    let (target, mode) = bind
        .strip_suffix(READ_ONLY)
        .map_or((bind, "rw"), |target| (target, "ro"));
    let path = source.contains(['/', '\\']);
    json!({"Type": if path { "bind" } else { "volume" }, "Source": source, "Destination": target,
           "Mode": mode, "RW": mode == "rw", "Propagation": "rprivate"})
}

fn loopback() -> IpAddr {
    IpAddr::V4(Ipv4Addr::LOCALHOST)
}

/// The program of an image: ComfyUI for what came from the shelf under that name.
fn program(
    engine: &Arc<Engine>,
    image: &str,
    service: &str,
    cards: &[usize],
    log: &Arc<Logbook>,
    ports: Vec<(u16, Option<SocketAddr>)>,
) -> (Work, Vec<Published>) {
    let published = |ports: Vec<(u16, Option<SocketAddr>)>| {
        ports
            .into_iter()
            .filter_map(|(inner, host)| Some(Published { inner, host: host? }))
            .collect()
    };
    if !image.contains("comfyui") {
        return (Work::Idle, published(ports));
    }
    let shelved = engine.on_shelf(image);
    let comfy = Comfy::new(
        ComfySpec {
            card: cards.first().copied().unwrap_or_default(),
            packs: shelved.map(|image| image.packs).unwrap_or_default(),
            ..ComfySpec::plain(service)
        },
        engine.pace,
        engine.faults.clone(),
        engine.gpus.clone(),
        Arc::clone(log),
        engine.tasks.clone(),
    );
    (Work::Comfy(comfy), published(ports))
}

/// Cards by id or number; an id that no card has is told.
fn card_indices(engine: &Engine, requests: &Value) -> Result<Vec<usize>, String> {
    let mut found = Vec::new();
    for request in requests.as_array().into_iter().flatten() {
        for id in request["DeviceIDs"].as_array().into_iter().flatten() {
            let id = id.as_str().unwrap_or_default();
            let mut cards = engine.gpus.cards().iter();
            let card = cards.find(|card| card.uuid == id || card.index.to_string() == id);
            found.push(card.ok_or_else(|| id.to_owned())?.index);
        }
    }
    Ok(found)
}
