//! What a container was made from, with its environment: for the configuration guard alone.

use std::collections::BTreeMap;

use bollard::models::ContainerInspectResponse;
use forgekeeper_domain::{
    Timestamp,
    config::{Mount, Recipe, RecipePort},
};

use super::{
    engine::{Engine, container_name},
    error::DockerError,
};

/// Labels that are kept.
const COMPOSE: &str = "com.docker.compose.";
/// Those of them that change without anybody changing anything.
const PASSING: &[&str] = &["com.docker.compose.version", "com.docker.compose.oneoff"];

impl Engine {
    /// What a container was made from; `None` when there is none of that name.
    pub async fn recipe(&self, name: &str) -> Result<Option<Recipe>, DockerError> {
        let name = container_name(name)?;
        let asked = self.docker().inspect_container(name, None);
        match self.ask("inspect", self.deadlines().question, asked).await {
            Ok(found) => Ok(Some(recipe(found))),
            Err(error) if error.is_missing() => Ok(None),
            Err(error) => Err(error),
        }
    }
}

fn recipe(found: ContainerInspectResponse) -> Recipe {
    let config = found.config.unwrap_or_default();
    let host = found.host_config.unwrap_or_default();
    let time = |text: Option<&str>| {
        let at: Timestamp = text?.parse().ok()?;
        // Docker writes the year 1 for "never".
        (at > Timestamp::UNIX_EPOCH).then_some(at)
    };
    let state = found.state.unwrap_or_default();
    let mut command = config.entrypoint.unwrap_or_default();
    command.extend(config.cmd.unwrap_or_default());
    let env = config.env.unwrap_or_default();
    let mut env_names: Vec<String> = env
        .iter()
        .map(|pair| pair.split('=').next().unwrap_or_default().to_owned())
        .collect();
    env_names.sort_unstable();
    let mut mounts: Vec<Mount> = found
        .mounts
        .unwrap_or_default()
        .into_iter()
        .map(|mount| Mount {
            kind: mount.typ.unwrap_or_default(),
            source: mount.source.unwrap_or_default(),
            target: mount.destination.unwrap_or_default(),
            writable: mount.rw.unwrap_or(true),
        })
        .collect();
    mounts.sort_by(|a, b| a.target.cmp(&b.target));
    let positive =
        |bytes: Option<i64>| bytes.and_then(|b| u64::try_from(b).ok()).filter(|b| *b > 0);
    Recipe {
        id: found.id.unwrap_or_default(),
        name: found
            .name
            .unwrap_or_default()
            .trim_start_matches('/')
            .to_owned(),
        created_at: time(found.created.as_deref()),
        started_at: time(state.started_at.as_deref()),
        running: state.running.unwrap_or_default(),
        image: config.image.unwrap_or_default(),
        image_id: found.image.unwrap_or_default(),
        mounts,
        ports: ports(&host.port_bindings.unwrap_or_default()),
        devices: devices(
            host.device_requests.unwrap_or_default(),
            host.devices.unwrap_or_default(),
        ),
        restart_policy: host
            .restart_policy
            .and_then(|policy| policy.name)
            .map(|name| name.to_string()),
        memory_limit: positive(host.memory),
        shm_size: positive(host.shm_size),
        env_names,
        env,
        command,
        compose: config
            .labels
            .unwrap_or_default()
            .into_iter()
            .filter(|(key, _)| key.starts_with(COMPOSE) && !PASSING.contains(&key.as_str()))
            .collect::<BTreeMap<_, _>>(),
    }
}

/// The ports as they were asked for: those of a running container may be drawn at each start.
fn ports(map: &bollard::models::PortMap) -> Vec<RecipePort> {
    let mut all: Vec<RecipePort> = map
        .iter()
        .flat_map(|(container, hosts)| {
            hosts.iter().flatten().map(|host| RecipePort {
                container: container.clone(),
                host: format!(
                    "{}:{}",
                    host.host_ip.as_deref().unwrap_or_default(),
                    host.host_port.as_deref().unwrap_or_default()
                ),
            })
        })
        .collect();
    all.sort();
    all
}

fn devices(
    requests: Vec<bollard::models::DeviceRequest>,
    mapped: Vec<bollard::models::DeviceMapping>,
) -> Vec<String> {
    let asked = requests.into_iter().map(|request| {
        let driver = request.driver.unwrap_or_default();
        let ids = request.device_ids.unwrap_or_default();
        if ids.is_empty() {
            format!("{driver} count={}", request.count.unwrap_or_default())
        } else {
            format!("{driver} {}", ids.join(","))
        }
    });
    let mapped = mapped.into_iter().map(|device| {
        let (host, inside) = (device.path_on_host, device.path_in_container);
        format!(
            "{}:{}",
            host.unwrap_or_default(),
            inside.unwrap_or_default()
        )
    });
    asked.chain(mapped).collect()
}
