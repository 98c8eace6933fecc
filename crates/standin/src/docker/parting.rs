//! What goes and comes back: containers that were removed, images, networks of compose, the space they take.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use axum::extract::{Path, State};
use axum::response::Response;
use bytes::Bytes;
use serde_json::{Value, json};

use super::Engine;
use super::container::{Container, Devices, Work, hex_id};
use super::inspect;
use super::routes::{App, refuse};
use crate::lock::lock;
use crate::reply;

/// What a container has written itself.
pub(super) const WRITTEN: u64 = 412_000_000;

/// What an image takes.
pub(super) fn image_bytes(name: &str) -> u64 {
    if name.contains("comfyui") {
        5_650_000_000
    } else {
        14_600_000_000
    }
}

impl Engine {
    /// Names of the images that are there.
    pub fn images(&self) -> BTreeSet<String> {
        let mut names = lock(&self.made).images.clone();
        names.extend(self.all().iter().map(|c| c.spec.image.clone()));
        names
    }

    /// Whether there is such a network, made through the API or by compose.
    pub fn has_network(&self, name: &str) -> bool {
        self.network_labels(name).is_some()
    }

    pub(super) fn network_labels(&self, name: &str) -> Option<Value> {
        let made = lock(&self.made);
        let found = made.networks.get(name).or_else(|| made.compose.get(name));
        found.cloned()
    }

    /// Compose makes the network of its project before the container.
    pub(super) fn of_compose(&self, container: &Container) {
        if let Some((project, _)) = &container.spec.compose {
            let labels = json!({"com.docker.compose.project": project,
                                "com.docker.compose.network": "default"});
            let mut made = lock(&self.made);
            made.compose.insert(format!("{project}_default"), labels);
        }
    }

    /// A container is gone: its image stays, and its program could be started again from its folders.
    pub(super) fn gone(&self, container: &Arc<Container>) {
        let mut made = lock(&self.made);
        made.images.insert(container.spec.image.clone());
        made.gone.retain(|c| c.spec.name != container.spec.name);
        made.gone.push(Arc::clone(container));
    }

    /// The container that went under this name.
    pub(super) fn gone_under(&self, name: &str) -> Option<Arc<Container>> {
        let made = lock(&self.made);
        made.gone.iter().find(|c| c.spec.name == name).cloned()
    }
}

/// Whether what is to be made is what this one was made from, word by word.
pub(super) fn is_same(gone: &Container, body: &Value) -> bool {
    let told = inspect::long(gone);
    let set = |value: &Value| -> BTreeSet<String> {
        let list = value.as_array().into_iter().flatten();
        list.filter_map(Value::as_str).map(str::to_owned).collect()
    };
    let map = |value: &Value| -> BTreeMap<String, Value> {
        let fields = value.as_object().into_iter().flatten();
        fields.map(|(k, v)| (k.clone(), v.clone())).collect()
    };
    let (config, host, wanted) = (&told["Config"], &told["HostConfig"], &body["HostConfig"]);
    let port = |host: &Value| -> BTreeMap<String, Value> {
        let ports = map(&host["PortBindings"]);
        let first = |(key, hosts): (String, Value)| (key, hosts[0]["HostPort"].clone());
        ports.into_iter().map(first).collect()
    };
    config["Image"] == body["Image"]
        && config["Cmd"] == body["Cmd"]
        && set(&config["Env"]) == set(&body["Env"])
        && map(&config["Labels"]) == map(&body["Labels"])
        && set(&host["Binds"]) == set(&wanted["Binds"])
        && port(host) == port(wanted)
        && host["NetworkMode"] == wanted["NetworkMode"]
        && host["DeviceRequests"][0]["DeviceIDs"] == wanted["DeviceRequests"][0]["DeviceIDs"]
}

/// The program that a container of this name had; what it serves lies in its folders.
pub(super) fn program_of(gone: &Container, image: &str) -> Option<Work> {
    (gone.spec.image == image).then(|| gone.spec.work.clone())
}

/// Binds of a body, `source:target[:mode]`.
pub(super) fn binds(host: &Value) -> Vec<(String, String)> {
    let list = host["Binds"].as_array().into_iter().flatten();
    list.filter_map(Value::as_str)
        .filter_map(|bind| {
            let bind = bind.strip_suffix(":rw").unwrap_or(bind);
            let (bind, mode) = match bind.strip_suffix(":ro") {
                Some(bind) => (bind, ":ro"),
                None => (bind, ""),
            };
            let (source, target) = bind.rsplit_once(':')?;
            Some((source.to_owned(), format!("{target}{mode}")))
        })
        .collect()
}

/// The devices of a body.
pub(super) fn devices(ids: Vec<String>, requests: &Value) -> Devices {
    match requests[0]["Count"].as_i64() {
        _ if !ids.is_empty() => Devices::Ids(ids),
        Some(count) if count != 0 => Devices::Count(count),
        _ => Devices::None,
    }
}

/// `DELETE /images/NAME`, never by force.
pub(super) async fn remove_image(State(engine): App, Path(rest): Path<String>) -> Response {
    let named = |name: &String| *name == rest || image_id(name) == rest;
    let Some(name) = engine.images().into_iter().find(named) else {
        return refuse(404, &format!("No such image: {rest}"));
    };
    if let Some(user) = engine.all().iter().find(|c| c.spec.image == name) {
        let words = format!(
            "conflict: unable to remove repository reference \"{name}\" (must force) - container {} \
             is using its referenced image {}",
            &user.id()[..12],
            &image_id(&name)[7..19]
        );
        return refuse(409, &words);
    }
    lock(&engine.made).images.remove(&name);
    reply::json(
        200,
        &json!([{"Untagged": name}, {"Deleted": image_id(&name)}]),
    )
}

pub(super) fn image_id(name: &str) -> String {
    format!("sha256:{}", hex_id(&format!("image {name}")))
}

/// `GET /system/df`.
pub(super) async fn space(State(engine): App) -> Response {
    let images = engine.images();
    let layers: u64 = images.iter().map(|name| image_bytes(name)).sum();
    let rows: Vec<Value> = images
        .iter()
        .map(|name| json!({"Id": image_id(name), "RepoTags": [name], "Size": image_bytes(name)}))
        .collect();
    let containers: Vec<Value> = engine
        .all()
        .iter()
        .map(|c| json!({"Id": c.id(), "SizeRw": WRITTEN, "SizeRootFs": WRITTEN + image_bytes(&c.spec.image)}))
        .collect();
    reply::json(
        200,
        &json!({"LayersSize": layers, "Images": rows, "Containers": containers, "Volumes": null,
                "BuildCache": null}),
    )
}

/// `POST /networks/NAME/connect`.
pub(super) async fn connect(
    State(engine): App,
    Path(name): Path<String>,
    bytes: Bytes,
) -> Response {
    let body: Value = serde_json::from_slice(&bytes).unwrap_or_default();
    let container = body["Container"].as_str().unwrap_or_default();
    if !engine.has_network(&name) {
        return refuse(404, &format!("network {name} not found"));
    }
    if engine.find(container).is_none() {
        return refuse(404, &format!("No such container: {container}"));
    }
    reply::empty(200)
}
