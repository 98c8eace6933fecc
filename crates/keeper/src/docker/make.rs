//! What is made in the engine and taken away again: images that are pulled, networks, volumes and a
//! container from the recipe of a compose service. Nothing is removed that does not carry our label.

use std::{collections::HashMap, time::Duration};

use bollard::{
    models::{
        ContainerCreateBody, DeviceRequest, HealthConfig, HostConfig, Mount, MountBindOptions,
        MountType, NetworkCreateRequest, NetworkingConfig, PortBinding, RestartPolicy,
        RestartPolicyNameEnum, VolumeCreateRequest,
    },
    query_parameters::{CreateContainerOptions, CreateImageOptions, RemoveContainerOptions},
};
use forgekeeper_domain::{
    ids::GpuUuid,
    migration::compose::{Beside, GpuWish, MADE_BY, MADE_BY_VALUE, MODELS_INSIDE, Neighbour},
};
use futures_util::StreamExt as _;
use tokio_util::sync::CancellationToken;

use super::{
    engine::{Engine, connection_given_up, container_name},
    error::{DockerError, shortened},
};

/// Without a word for this long a pull has ended, whatever the engine thinks.
const PULL_SILENCE: Duration = Duration::from_mins(5);
/// Most layers whose progress is told.
const MAX_LAYERS: usize = 200;
const SECOND_NS: i64 = 1_000_000_000;

/// How a pull is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PullProgress {
    /// Bytes that are here.
    pub done: u64,
    /// Bytes in all, as far as layers have told theirs.
    pub total: u64,
}

/// How a pull ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pulled {
    /// It is here.
    Done,
    /// Somebody ended it; what came stays with the engine, and the next pull goes on from there.
    Cancelled,
}

/// What a container was made by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// There is none.
    Absent,
    /// By us.
    Ours,
    /// By somebody else.
    Foreign,
}

impl Engine {
    /// Whether the engine has an image.
    pub async fn has_image(&self, image: &str) -> Result<bool, DockerError> {
        let asked = self.docker().inspect_image(image);
        match self.ask("image", self.deadlines().question, asked).await {
            Ok(_) => Ok(true),
            Err(DockerError::Refused { status: 404, .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Whether it is Docker Desktop, which knows this machine's paths.
    pub async fn is_desktop(&self) -> Result<bool, DockerError> {
        let asked = self.docker().info();
        let info = self.ask("info", self.deadlines().question, asked).await?;
        let system = info.operating_system.unwrap_or_default();
        Ok(system.contains("Docker Desktop"))
    }

    /// Pulls an image, telling how far it is. Ends early when it is cancelled.
    pub async fn pull(
        &self,
        image: &str,
        cancel: &CancellationToken,
        mut tell: impl FnMut(PullProgress),
    ) -> Result<Pulled, DockerError> {
        let options = CreateImageOptions {
            from_image: Some(image.to_owned()),
            ..CreateImageOptions::default()
        };
        let mut stream = Box::pin(self.docker().create_image(Some(options), None, None));
        let mut layers: HashMap<String, (u64, u64)> = HashMap::new();
        loop {
            let next = tokio::select! {
                next = tokio::time::timeout(PULL_SILENCE, stream.next()) => next,
                () = cancel.cancelled() => return Ok(Pulled::Cancelled),
                () = self.given_up().cancelled() => return Err(connection_given_up()),
            };
            let Ok(next) = next else {
                return Err(DockerError::Timeout {
                    what: "pull",
                    deadline: PULL_SILENCE,
                });
            };
            let Some(piece) = next else {
                return Ok(Pulled::Done);
            };
            let piece = piece.map_err(|error| DockerError::from_bollard("pull", &error))?;
            if let Some(error) = piece.error_detail.and_then(|detail| detail.message) {
                return Err(DockerError::Refused {
                    what: "pull",
                    status: 200,
                    message: shortened(&error),
                });
            }
            let bytes = piece.progress_detail.and_then(|detail| {
                let (current, total) = (detail.current?, detail.total?);
                Some((u64::try_from(current).ok()?, u64::try_from(total).ok()?))
            });
            // What is unpacked was counted while it came.
            let downloads = piece.status.as_deref() == Some("Downloading");
            if let (Some(layer), Some(bytes), true) = (piece.id, bytes, downloads)
                && (layers.len() < MAX_LAYERS || layers.contains_key(&layer))
            {
                layers.insert(layer, bytes);
                let sum = |of: fn(&(u64, u64)) -> u64| layers.values().map(of).sum();
                tell(PullProgress {
                    done: sum(|layer| layer.0),
                    total: sum(|layer| layer.1),
                });
            }
        }
    }

    /// Makes the network of a project; `false`: it was there.
    pub async fn make_network(&self, beside: &Beside) -> Result<bool, DockerError> {
        let name = beside.network_name();
        let asked = self.docker().inspect_network(&name, None);
        match self.ask("network", self.deadlines().question, asked).await {
            Ok(_) => return Ok(false),
            Err(DockerError::Refused { status: 404, .. }) => {}
            Err(error) => return Err(error),
        }
        let labels = labels([
            ("com.docker.compose.project", beside.project.as_str()),
            ("com.docker.compose.network", "default"),
            (MADE_BY, MADE_BY_VALUE),
        ]);
        let request = NetworkCreateRequest {
            name,
            driver: Some("bridge".to_owned()),
            labels: Some(labels),
            ..NetworkCreateRequest::default()
        };
        let asked = self.docker().create_network(request);
        self.ask("make a network", self.deadlines().action, asked)
            .await?;
        Ok(true)
    }

    /// Removes the network of a project; one that is gone is as good. One with others in it stays.
    pub async fn remove_network(&self, beside: &Beside) -> Result<bool, DockerError> {
        let name = beside.network_name();
        let asked = self.docker().remove_network(&name);
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

    /// Makes the volumes of a service; those that are there stay as they are. They are never removed.
    pub async fn make_volumes(&self, beside: &Beside) -> Result<(), DockerError> {
        for volume in &beside.volumes {
            let request = VolumeCreateRequest {
                name: Some(beside.volume_name(volume)),
                labels: Some(labels([
                    ("com.docker.compose.project", beside.project.as_str()),
                    ("com.docker.compose.volume", volume.name.as_str()),
                ])),
                ..VolumeCreateRequest::default()
            };
            let asked = self.docker().create_volume(request);
            self.ask("make a volume", self.deadlines().action, asked)
                .await?;
        }
        Ok(())
    }

    /// Makes the container of a service, not started, as compose would.
    pub async fn make_container(
        &self,
        beside: &Beside,
        labels: Vec<(String, String)>,
    ) -> Result<(), DockerError> {
        let name = container_name(&beside.container)?.to_owned();
        let options = CreateContainerOptions {
            name: Some(name),
            ..CreateContainerOptions::default()
        };
        let asked = self
            .docker()
            .create_container(Some(options), body(beside, labels));
        self.ask("make a container", self.deadlines().action, asked)
            .await?;
        Ok(())
    }

    /// By whom a container was made.
    pub async fn made_by(&self, container: &str) -> Result<Origin, DockerError> {
        let name = container_name(container)?;
        let asked = self.docker().inspect_container(name, None);
        match self.ask("inspect", self.deadlines().question, asked).await {
            Err(error) if error.is_missing() => Ok(Origin::Absent),
            Err(error) => Err(error),
            Ok(found) => {
                let labels = found.config.and_then(|config| config.labels);
                let ours = labels.is_some_and(|labels| is_ours(&labels));
                Ok(if ours { Origin::Ours } else { Origin::Foreign })
            }
        }
    }

    /// Removes a container that we made, without its volumes; `false`: there is none of ours.
    pub async fn remove_made(&self, container: &str, grace_s: u32) -> Result<bool, DockerError> {
        if self.made_by(container).await? != Origin::Ours {
            return Ok(false);
        }
        self.stop(container, grace_s).await?;
        let options = RemoveContainerOptions {
            v: false,
            force: false,
            link: false,
        };
        let asked = self.docker().remove_container(container, Some(options));
        match self.ask("remove", self.deadlines().action, asked).await {
            Err(error) if error.is_missing() => Ok(false),
            Err(error) => Err(error),
            Ok(()) => Ok(true),
        }
    }

    /// Everybody who is there, with names, ports and cards. `cards` are those of the host in order.
    pub async fn neighbours(&self, cards: &[GpuUuid]) -> Result<Vec<Neighbour>, DockerError> {
        let mut found = Vec::new();
        for listed in self.list().await? {
            let asked = self.docker().inspect_container(&listed.id, None);
            let inspect = match self.ask("inspect", self.deadlines().question, asked).await {
                Ok(inspect) => inspect,
                // It went meanwhile.
                Err(error) if error.is_missing() => continue,
                Err(error) => return Err(error),
            };
            let host = inspect.host_config.unwrap_or_default();
            let labels = inspect.config.and_then(|config| config.labels);
            let ports = host.port_bindings.unwrap_or_default();
            let ports = ports
                .values()
                .flatten()
                .flatten()
                .filter_map(|binding| binding.host_port.as_deref()?.parse().ok())
                .map(|port: u16| (port, port))
                .collect();
            let ids = host.device_requests.unwrap_or_default();
            let ids = ids
                .into_iter()
                .flat_map(|request| request.device_ids.unwrap_or_default());
            found.push(Neighbour {
                name: listed.names.first().cloned().unwrap_or_default(),
                names: listed.names,
                ports,
                compose: listed.compose_project.zip(listed.compose_service),
                cards: ids.filter_map(|id| card(&id, cards)).collect(),
                ours: labels.is_some_and(|labels| is_ours(&labels)),
            });
        }
        Ok(found)
    }
}

/// A card by its id, or by its number.
pub(crate) fn card(id: &str, cards: &[GpuUuid]) -> Option<GpuUuid> {
    let by_id = cards.iter().find(|card| card.as_str() == id);
    let by_number = || cards.get(id.parse::<usize>().ok()?);
    by_id.or_else(by_number).cloned()
}

fn is_ours(labels: &HashMap<String, String>) -> bool {
    labels.get(MADE_BY).is_some_and(|by| by == MADE_BY_VALUE)
}

fn labels<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> HashMap<String, String> {
    let pairs = pairs.into_iter();
    pairs.map(|(k, v)| (k.to_owned(), v.to_owned())).collect()
}

fn body(beside: &Beside, labels: Vec<(String, String)>) -> ContainerCreateBody {
    let inside = format!("{}/tcp", beside.port_inside);
    let binding = PortBinding {
        host_ip: Some(beside.address.clone()),
        host_port: Some(beside.port.to_string()),
    };
    let bind = |source: &str, target: &str| Mount {
        typ: Some(MountType::BIND),
        source: Some(source.to_owned()),
        target: Some(target.to_owned()),
        read_only: Some(true),
        bind_options: Some(MountBindOptions {
            create_mountpoint: Some(false),
            ..MountBindOptions::default()
        }),
        ..Mount::default()
    };
    let models = beside
        .models
        .iter()
        .map(|models| bind(models, MODELS_INSIDE));
    let paths = beside.model_paths.iter().map(|(from, to)| bind(from, to));
    let volumes = beside.volumes.iter().map(|volume| Mount {
        typ: Some(MountType::VOLUME),
        source: Some(beside.volume_name(volume)),
        target: Some(volume.target.clone()),
        ..Mount::default()
    });
    let devices = match &beside.gpu {
        GpuWish::None => None,
        GpuWish::Card(card) => Some(vec![DeviceRequest {
            driver: Some("nvidia".to_owned()),
            device_ids: Some(vec![card.as_str().to_owned()]),
            capabilities: Some(vec![vec!["gpu".to_owned()]]),
            ..DeviceRequest::default()
        }]),
    };
    let network = beside.network_name();
    ContainerCreateBody {
        image: Some(beside.image.clone()),
        labels: Some(labels.into_iter().collect()),
        env: Some(
            beside
                .environment
                .iter()
                .map(|(name, value)| format!("{name}={value}"))
                .collect(),
        ),
        exposed_ports: Some(vec![inside.clone()]),
        healthcheck: Some(HealthConfig {
            test: Some(beside.health_command()),
            interval: Some(30 * SECOND_NS),
            timeout: Some(10 * SECOND_NS),
            retries: Some(3),
            start_period: Some(600 * SECOND_NS),
            ..HealthConfig::default()
        }),
        host_config: Some(HostConfig {
            port_bindings: Some(HashMap::from([(inside, Some(vec![binding]))])),
            mounts: Some(models.chain(paths).chain(volumes).collect()),
            device_requests: devices,
            restart_policy: Some(RestartPolicy {
                name: Some(RestartPolicyNameEnum::UNLESS_STOPPED),
                maximum_retry_count: None,
            }),
            network_mode: Some(network.clone()),
            ..HostConfig::default()
        }),
        networking_config: Some(NetworkingConfig {
            endpoints_config: Some(HashMap::from([(
                network,
                bollard::models::EndpointSettings {
                    aliases: Some(vec![beside.service.clone()]),
                    ..bollard::models::EndpointSettings::default()
                },
            )])),
        }),
        ..ContainerCreateBody::default()
    }
}
