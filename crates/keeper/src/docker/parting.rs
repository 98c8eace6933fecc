//! A container taken out of the engine so that it can be made again: what it was made from, who else uses
//! its image and its network, and what the engine holds on its disk.

use std::collections::{BTreeMap, HashMap};

use bollard::{
    models::{
        ContainerCreateBody, ContainerInspectResponse, EndpointSettings, NetworkConnectRequest,
        NetworkCreateRequest,
    },
    query_parameters::{
        CreateContainerOptions, InspectContainerOptions, ListContainersOptions,
        RemoveContainerOptions, RemoveImageOptions,
    },
};
use forgekeeper_domain::config::line_holds_secret;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::{
    engine::{Engine, container_name},
    error::DockerError,
    probe::{self, Asked},
};

/// Space is counted by walking through everything: it may take its time.
const COUNTING: std::time::Duration = std::time::Duration::from_mins(1);

/// Everything it takes to make a container again, but for secrets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Recreation {
    pub(crate) name: String,
    /// As the container names it.
    pub(crate) image: String,
    pub(crate) image_id: String,
    /// What the engine is told. Environment and command are without what may be secret.
    body: Value,
    /// Names of the variables that are left out.
    pub(crate) withheld: Vec<String>,
    /// The command is left out, too, and how many words of it the entrypoint is.
    command_withheld: Option<usize>,
    /// Networks beyond the first, with how it was in them.
    more_networks: BTreeMap<String, Value>,
    /// The network it was made in.
    pub(crate) network: String,
    /// What it has written itself, bytes.
    pub(crate) written: Option<u64>,
}

/// An image that is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ImageHere {
    pub(crate) id: String,
    pub(crate) bytes: Option<u64>,
    /// What it is called in registries, by digest.
    pub(crate) digests: Vec<String>,
}

/// A network as it was, to make it again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct NetworkHere {
    pub(crate) name: String,
    driver: Option<String>,
    internal: Option<bool>,
    labels: BTreeMap<String, String>,
    options: BTreeMap<String, String>,
}

impl Engine {
    /// What a container is made from; `None`: there is none.
    pub(crate) async fn recreation(&self, name: &str) -> Result<Option<Recreation>, DockerError> {
        let name = container_name(name)?;
        let options = InspectContainerOptions { size: true };
        let asked = self.docker().inspect_container(name, Some(options));
        match self.ask("inspect", self.deadlines().action, asked).await {
            Ok(found) => recreation(found).map(Some),
            Err(error) if error.is_missing() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Makes it again, not started. `secrets` are the variables that were left out, `command` entrypoint
    /// and command; the names of variables that nobody has any more are returned.
    pub(crate) async fn recreate(
        &self,
        made: &Recreation,
        image: &str,
        secrets: &BTreeMap<String, String>,
        command: &[String],
    ) -> Result<Vec<String>, DockerError> {
        let name = container_name(&made.name)?.to_owned();
        let mut body = made.body.clone();
        let mut missing = Vec::new();
        if let Some(fields) = body.as_object_mut() {
            fields.insert("Image".to_owned(), image.into());
            if let Some(words) = made.command_withheld {
                match command.get(words..) {
                    Some(rest) if !rest.is_empty() => {
                        fields.insert("Cmd".to_owned(), json!(rest));
                    }
                    _ => missing.push("(command)".to_owned()),
                }
            }
            let env = fields.entry("Env").or_insert_with(|| json!([]));
            for name in &made.withheld {
                match (secrets.get(name), env.as_array_mut()) {
                    (Some(value), Some(env)) => env.push(format!("{name}={value}").into()),
                    _ => missing.push(name.clone()),
                }
            }
        }
        let body: ContainerCreateBody = serde_json::from_value(body).map_err(|e| unfit(&e))?;
        let options = CreateContainerOptions {
            name: Some(name.clone()),
            ..CreateContainerOptions::default()
        };
        let asked = self.docker().create_container(Some(options), body);
        self.ask("make a container", self.deadlines().action, asked)
            .await?;
        for (network, endpoint) in &made.more_networks {
            let endpoint: EndpointSettings =
                serde_json::from_value(endpoint.clone()).map_err(|e| unfit(&e))?;
            let request = NetworkConnectRequest {
                container: name.clone(),
                endpoint_config: Some(endpoint),
            };
            let asked = self.docker().connect_network(network, request);
            self.ask("connect to a network", self.deadlines().action, asked)
                .await?;
        }
        Ok(missing)
    }

    /// Removes a container that is at rest, without its volumes; `false`: there was none.
    pub(crate) async fn remove_container(&self, name: &str) -> Result<bool, DockerError> {
        let options = RemoveContainerOptions {
            v: false,
            force: false,
            link: false,
        };
        let name = container_name(name)?;
        let asked = self.docker().remove_container(name, Some(options));
        match self.ask("remove", self.deadlines().action, asked).await {
            Ok(()) => Ok(true),
            Err(error) if error.is_missing() => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// An image by its name or id; `None`: it is not there.
    pub(crate) async fn image_here(&self, image: &str) -> Result<Option<ImageHere>, DockerError> {
        let asked = self.docker().inspect_image(image);
        match self.ask("image", self.deadlines().question, asked).await {
            Ok(found) => Ok(Some(ImageHere {
                id: found.id.unwrap_or_default(),
                bytes: found.size.and_then(|bytes| u64::try_from(bytes).ok()),
                digests: found.repo_digests.unwrap_or_default(),
            })),
            Err(DockerError::Refused { status: 404, .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Removes an image by its name, never by force; `false`: it was not there.
    pub(crate) async fn remove_image(&self, image: &str) -> Result<bool, DockerError> {
        let options = RemoveImageOptions::default();
        let asked = self.docker().remove_image(image, Some(options), None);
        match self
            .ask("remove an image", self.deadlines().action, asked)
            .await
        {
            Ok(_) => Ok(true),
            Err(DockerError::Refused { status: 404, .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Other containers that are made from an image, and other ones in a network, by name.
    pub(crate) async fn others(
        &self,
        container: &str,
        image_id: &str,
        network: &str,
    ) -> Result<(Vec<String>, Vec<String>), DockerError> {
        let options = ListContainersOptions {
            all: true,
            ..ListContainersOptions::default()
        };
        let asked = self.docker().list_containers(Some(options));
        let all = self.ask("list", self.deadlines().question, asked).await?;
        let (mut of_image, mut in_network) = (Vec::new(), Vec::new());
        for found in all {
            let names = found.names.unwrap_or_default();
            let name = names
                .first()
                .map_or("", |name| name.trim_start_matches('/'));
            if name == container {
                continue;
            }
            if found.image_id.as_deref() == Some(image_id) {
                of_image.push(name.to_owned());
            }
            let networks = found.network_settings.and_then(|net| net.networks);
            if networks.is_some_and(|networks| networks.contains_key(network)) {
                in_network.push(name.to_owned());
            }
        }
        Ok((of_image, in_network))
    }

    /// A network that compose made; `None`: it is not there, or somebody else's.
    pub(crate) async fn compose_network(
        &self,
        name: &str,
    ) -> Result<Option<NetworkHere>, DockerError> {
        let asked = self.docker().inspect_network(name, None);
        let found = match self.ask("network", self.deadlines().question, asked).await {
            Ok(found) => found,
            Err(DockerError::Refused { status: 404, .. }) => return Ok(None),
            Err(error) => return Err(error),
        };
        let labels = found.labels.unwrap_or_default();
        if !labels.contains_key("com.docker.compose.project") {
            return Ok(None);
        }
        Ok(Some(NetworkHere {
            name: found.name.unwrap_or_else(|| name.to_owned()),
            driver: found.driver,
            internal: found.internal,
            labels: labels.into_iter().collect(),
            options: found.options.unwrap_or_default().into_iter().collect(),
        }))
    }

    /// Makes a network again; one that is there stays as it is.
    pub(crate) async fn remake_network(&self, network: &NetworkHere) -> Result<(), DockerError> {
        let asked = self.docker().inspect_network(&network.name, None);
        match self.ask("network", self.deadlines().question, asked).await {
            Ok(_) => return Ok(()),
            Err(DockerError::Refused { status: 404, .. }) => {}
            Err(error) => return Err(error),
        }
        let map = |pairs: &BTreeMap<String, String>| -> HashMap<String, String> {
            pairs.clone().into_iter().collect()
        };
        let request = NetworkCreateRequest {
            name: network.name.clone(),
            driver: network.driver.clone(),
            internal: network.internal,
            labels: Some(map(&network.labels)),
            options: Some(map(&network.options)),
            ..NetworkCreateRequest::default()
        };
        let asked = self.docker().create_network(request);
        self.ask("make a network", self.deadlines().action, asked)
            .await?;
        Ok(())
    }

    /// Removes a network by its name; one that is gone or in use stays what it is.
    pub(crate) async fn remove_empty_network(&self, name: &str) -> Result<bool, DockerError> {
        let asked = self.docker().remove_network(name);
        match self
            .ask("remove a network", self.deadlines().action, asked)
            .await
        {
            Ok(()) => Ok(true),
            Err(DockerError::Refused {
                status: 403 | 404 | 409,
                ..
            }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Bytes that images and containers take on the engine's disk; `None` where it does not tell, or over
    /// a transport on which it cannot be asked for that.
    pub(crate) async fn space(&self) -> Option<u64> {
        let endpoint = &self.resolved().endpoint;
        if !probe::can_ask(endpoint) {
            return None;
        }
        let path = "/system/df?type=image&type=container";
        match probe::ask(endpoint, path, COUNTING).await {
            Asked::Answer {
                status: 200, body, ..
            } => space(&serde_json::from_slice(&body).ok()?),
            _ => None,
        }
    }
}

/// The answer of engines up to 28, and that of newer ones.
fn space(told: &Value) -> Option<u64> {
    if let Some(layers) = told.get("LayersSize").and_then(Value::as_u64) {
        let containers = told.get("Containers").and_then(Value::as_array);
        let written = containers.into_iter().flatten();
        let written = written.filter_map(|container| container.get("SizeRw")?.as_u64());
        return Some(layers.saturating_add(written.sum()));
    }
    let total = |key: &str| told.get(key)?.get("TotalSize")?.as_u64();
    Some(total("ImageUsage")?.saturating_add(total("ContainerUsage").unwrap_or(0)))
}

fn unfit(error: &serde_json::Error) -> DockerError {
    DockerError::Refused {
        what: "inspect",
        status: 200,
        message: format!("the container is told in a form that is not known: {error}"),
    }
}

fn recreation(found: ContainerInspectResponse) -> Result<Recreation, DockerError> {
    let id = found.id.unwrap_or_default();
    let name = found.name.unwrap_or_default();
    let image_id = found.image.unwrap_or_default();
    let written = found.size_rw.and_then(|bytes| u64::try_from(bytes).ok());
    let mounts = serde_json::to_value(found.mounts).map_err(|e| unfit(&e))?;
    let networks = serde_json::to_value(found.network_settings).map_err(|e| unfit(&e))?;
    let config = serde_json::to_value(found.config).map_err(|e| unfit(&e))?;
    let mut host = serde_json::to_value(found.host_config).map_err(|e| unfit(&e))?;
    let Value::Object(mut body) = config else {
        return Err(unfit(&serde::de::Error::custom("no configuration")));
    };
    let image = text(body.get("Image")).to_owned();
    // The engine draws it from the id, which will be another.
    if body
        .get("Hostname")
        .is_some_and(|host| !text(Some(host)).is_empty() && id.starts_with(text(Some(host))))
    {
        body.remove("Hostname");
    }
    let withheld = withhold_env(&mut body);
    let command_withheld = withhold_command(&mut body);
    keep_nameless_volumes(&mut host, &mounts);
    let network = text(host.get("NetworkMode")).to_owned();
    let (first, more_networks) = endpoints(&networks, &network, &id);
    body.insert("HostConfig".to_owned(), host);
    if let Some(first) = first {
        let config = json!({"EndpointsConfig": {network.clone(): first}});
        body.insert("NetworkingConfig".to_owned(), config);
    }
    Ok(Recreation {
        name: name.trim_start_matches('/').to_owned(),
        image,
        image_id,
        body: Value::Object(body),
        withheld,
        command_withheld,
        more_networks,
        network,
        written,
    })
}

fn text(value: Option<&Value>) -> &str {
    value.and_then(Value::as_str).unwrap_or_default()
}

/// Takes out of the environment what may be secret; its names.
fn withhold_env(body: &mut Map<String, Value>) -> Vec<String> {
    let mut withheld = Vec::new();
    if let Some(env) = body.get_mut("Env").and_then(Value::as_array_mut) {
        env.retain(|pair| {
            let pair = text(Some(pair));
            let secret = line_holds_secret(pair);
            if secret {
                withheld.push(pair.split('=').next().unwrap_or_default().to_owned());
            }
            !secret
        });
    }
    withheld
}

fn withhold_command(body: &mut Map<String, Value>) -> Option<usize> {
    let words = |key: &str| -> Vec<&str> {
        let list = body.get(key).and_then(Value::as_array);
        list.into_iter().flatten().map(|w| text(Some(w))).collect()
    };
    let line = words("Cmd").join(" ");
    let entry = words("Entrypoint").len();
    line_holds_secret(&line).then(|| {
        body.remove("Cmd");
        entry
    })
}

/// A volume without a name of its own would be made anew, and empty.
fn keep_nameless_volumes(host: &mut Value, mounts: &Value) {
    let targets = |host: &Value| -> Vec<String> {
        let binds = host.get("Binds").and_then(Value::as_array);
        let binds = binds.into_iter().flatten().map(|bind| text(Some(bind)));
        // `source:target` or `source:target:mode`; a source of Windows has a colon of its own.
        let binds = binds.filter_map(|bind| {
            let mut pieces = bind.rsplit(':');
            let last = pieces.next()?;
            let target = if last.starts_with('/') {
                last
            } else {
                pieces.next()?
            };
            Some(target.to_owned())
        });
        let mounts = host.get("Mounts").and_then(Value::as_array);
        let mounts = mounts.into_iter().flatten();
        binds
            .chain(mounts.map(|mount| text(mount.get("Target")).to_owned()))
            .collect()
    };
    let named = targets(host);
    let Some(fields) = host.as_object_mut() else {
        return;
    };
    for mount in mounts.as_array().into_iter().flatten() {
        let (name, target) = (text(mount.get("Name")), text(mount.get("Destination")));
        let is_volume = text(mount.get("Type")) == "volume" && !name.is_empty();
        if !is_volume || named.iter().any(|known| known == target) {
            continue;
        }
        let binds = fields.entry("Binds").or_insert_with(|| json!([]));
        if binds.is_null() {
            *binds = json!([]);
        }
        if let Some(binds) = binds.as_array_mut() {
            binds.push(format!("{name}:{target}").into());
        }
    }
}

/// How it was in its networks, without what the engine gives out at each start.
fn endpoints(networks: &Value, first: &str, id: &str) -> (Option<Value>, BTreeMap<String, Value>) {
    let of = |endpoint: &Value| {
        let aliases = endpoint.get("Aliases").and_then(Value::as_array);
        let aliases: Vec<&str> = aliases
            .into_iter()
            .flatten()
            .map(|alias| text(Some(alias)))
            .filter(|alias| !alias.is_empty() && !id.starts_with(alias))
            .collect();
        json!({"Aliases": aliases, "IPAMConfig": endpoint.get("IPAMConfig"),
               "Links": endpoint.get("Links"), "DriverOpts": endpoint.get("DriverOpts")})
    };
    let all = networks.get("Networks").and_then(Value::as_object);
    let mut more: BTreeMap<String, Value> = all
        .into_iter()
        .flatten()
        .map(|(name, endpoint)| (name.clone(), of(endpoint)))
        .collect();
    let own = more.remove(first);
    // The engine's own networks take no settings.
    let own = own.filter(|_| !forgekeeper_domain::migration::ending::is_shared_network(first));
    (own, more)
}

#[cfg(test)]
mod tests;
