//! bollard's wide answers reduced to what is used. Values of environment variables stop here, but
//! for those that place a program on a card.

use bollard::models::{
    ContainerInspectResponse, ContainerStateStatusEnum, ContainerSummary,
    ContainerSummaryStateEnum, HealthStatusEnum, PortMap,
};
use forgekeeper_domain::{
    Timestamp,
    container::{ContainerSnapshot, GpuVariable, Health, PortBinding, RunState},
    placement::declared::GPU_VARIABLES,
};

use super::{engine::Listed, error::DockerError};

const PROJECT: &str = "com.docker.compose.project";
const SERVICE: &str = "com.docker.compose.service";
const TITLE: &str = "org.opencontainers.image.title";
const SOURCE: &str = "org.opencontainers.image.source";
const CONFIG_HASH: &str = "com.docker.compose.config-hash";
/// Longest value of a variable that is kept, in bytes; a list of sixteen UUIDs is shorter.
const MAX_VALUE: usize = 1024;
const CONFIG_FILES: &str = "com.docker.compose.project.config_files";

pub(crate) fn snapshot(found: ContainerInspectResponse) -> Result<ContainerSnapshot, DockerError> {
    let missing = |field: &str| DockerError::BadAnswer {
        what: "inspect",
        reason: format!("`{field}` is missing"),
    };
    let state = found.state.ok_or_else(|| missing("State"))?;
    let config = found.config.unwrap_or_default();
    let host = found.host_config.unwrap_or_default();
    let labels = config.labels.unwrap_or_default();
    let label = |name: &str| labels.get(name).filter(|value| !value.is_empty()).cloned();
    let run_state = state
        .status
        .and_then(run_state)
        .ok_or_else(|| missing("State.Status"))?;
    let mut command = config.entrypoint.unwrap_or_default();
    command.extend(config.cmd.unwrap_or_default());
    if command.is_empty() {
        command.extend(found.path);
        command.extend(found.args.unwrap_or_default());
    }
    // A stopped container publishes nothing now; what it will publish is in its configuration.
    let live = found
        .network_settings
        .and_then(|network| network.ports)
        .unwrap_or_default();
    let mut ports = bindings(&live);
    if ports.is_empty() {
        ports = bindings(&host.port_bindings.unwrap_or_default());
    }
    let environment = config.env.unwrap_or_default();
    let requests = host.device_requests.unwrap_or_default();
    let (gpu_device_ids, gpu_count) = gpu_request(requests);
    Ok(ContainerSnapshot {
        id: found.id.ok_or_else(|| missing("Id"))?,
        name: plain_name(&found.name.ok_or_else(|| missing("Name"))?),
        image: config.image.unwrap_or_default(),
        image_id: found.image.unwrap_or_default(),
        state: run_state,
        exit_code: state.exit_code.and_then(|code| i32::try_from(code).ok()),
        oom_killed: state.oom_killed.unwrap_or_default(),
        error: state
            .error
            .filter(|words| !words.is_empty())
            .map(|e| super::error::shortened(&e)),
        started_at: state.started_at.as_deref().and_then(time),
        finished_at: state.finished_at.as_deref().and_then(time),
        created_at: found.created.as_deref().and_then(time),
        restart_count: found
            .restart_count
            .map_or(0, |count| u32::try_from(count.max(0)).unwrap_or(u32::MAX)),
        health: state.health.and_then(|health| match health.status? {
            HealthStatusEnum::STARTING => Some(Health::Starting),
            HealthStatusEnum::HEALTHY => Some(Health::Healthy),
            HealthStatusEnum::UNHEALTHY => Some(Health::Unhealthy),
            HealthStatusEnum::EMPTY | HealthStatusEnum::NONE => None,
        }),
        memory_limit: host
            .memory
            .and_then(|bytes| u64::try_from(bytes).ok())
            .filter(|b| *b > 0),
        tty: config.tty.unwrap_or_default(),
        ports,
        compose_project: label(PROJECT),
        compose_service: label(SERVICE),
        compose_file: label(CONFIG_FILES),
        image_title: label(TITLE),
        image_source: label(SOURCE),
        gpu_device_ids,
        gpu_count,
        command,
        env_names: environment
            .iter()
            .map(|pair| pair.split('=').next().unwrap_or_default().to_owned())
            .collect(),
        gpu_env: environment.iter().filter_map(|p| gpu_variable(p)).collect(),
        compose_hash: label(CONFIG_HASH),
    })
}

pub(crate) fn listed(found: ContainerSummary) -> Listed {
    let labels = found.labels.unwrap_or_default();
    Listed {
        id: found.id.unwrap_or_default(),
        names: found
            .names
            .unwrap_or_default()
            .iter()
            .map(|name| plain_name(name))
            .collect(),
        image: found.image.unwrap_or_default(),
        state: found.state.and_then(|state| match state {
            ContainerSummaryStateEnum::CREATED => Some(RunState::Created),
            ContainerSummaryStateEnum::RUNNING | ContainerSummaryStateEnum::STOPPING => {
                Some(RunState::Running)
            }
            ContainerSummaryStateEnum::PAUSED => Some(RunState::Paused),
            ContainerSummaryStateEnum::RESTARTING => Some(RunState::Restarting),
            ContainerSummaryStateEnum::EXITED => Some(RunState::Exited),
            ContainerSummaryStateEnum::REMOVING => Some(RunState::Removing),
            ContainerSummaryStateEnum::DEAD => Some(RunState::Dead),
            ContainerSummaryStateEnum::EMPTY => None,
        }),
        compose_project: labels.get(PROJECT).cloned(),
        compose_service: labels.get(SERVICE).cloned(),
    }
}

/// A pair `NAME=value`, when it is one of those that place a program on a card.
fn gpu_variable(pair: &str) -> Option<GpuVariable> {
    let (name, value) = pair.split_once('=')?;
    (GPU_VARIABLES.contains(&name) && value.len() <= MAX_VALUE).then(|| GpuVariable {
        name: name.to_owned(),
        value: value.to_owned(),
    })
}

fn plain_name(name: &str) -> String {
    name.strip_prefix('/').unwrap_or(name).to_owned()
}

fn run_state(status: ContainerStateStatusEnum) -> Option<RunState> {
    Some(match status {
        ContainerStateStatusEnum::CREATED => RunState::Created,
        // Stopping: PID 1 still lives.
        ContainerStateStatusEnum::RUNNING | ContainerStateStatusEnum::STOPPING => RunState::Running,
        ContainerStateStatusEnum::PAUSED => RunState::Paused,
        ContainerStateStatusEnum::RESTARTING => RunState::Restarting,
        ContainerStateStatusEnum::REMOVING => RunState::Removing,
        ContainerStateStatusEnum::EXITED => RunState::Exited,
        ContainerStateStatusEnum::DEAD => RunState::Dead,
        ContainerStateStatusEnum::EMPTY => return None,
    })
}

/// Docker writes the year 1 for "never".
fn time(text: &str) -> Option<Timestamp> {
    let at: Timestamp = text.parse().ok()?;
    (at > Timestamp::UNIX_EPOCH).then_some(at)
}

/// The cards that device requests name, and how many they ask for without naming any.
fn gpu_request(requests: Vec<bollard::models::DeviceRequest>) -> (Vec<String>, Option<i32>) {
    let (mut ids, mut count) = (Vec::new(), None);
    for request in requests.into_iter().filter(is_gpu_request) {
        let named = request.device_ids.unwrap_or_default();
        if named.is_empty() {
            let asked = request.count.unwrap_or_default();
            count = Some(i32::try_from(asked).unwrap_or(i32::MAX));
        }
        ids.extend(named);
    }
    (ids, count)
}

fn is_gpu_request(request: &bollard::models::DeviceRequest) -> bool {
    let driver = request.driver.as_deref().unwrap_or_default();
    let gpu = |capability: &String| capability == "gpu";
    driver == "nvidia"
        || driver == "cdi"
        || request.capabilities.iter().flatten().flatten().any(gpu)
}

/// Published TCP ports, sorted; the pair for IPv4 and IPv6 of one port is kept as it is.
fn bindings(ports: &PortMap) -> Vec<PortBinding> {
    let mut found: Vec<PortBinding> = ports
        .iter()
        .filter_map(|(port, hosts)| Some((port.strip_suffix("/tcp")?.parse().ok()?, hosts)))
        .flat_map(|(container_port, hosts)| {
            hosts.iter().flatten().filter_map(move |host| {
                Some(PortBinding {
                    container_port,
                    host_ip: host.host_ip.clone().unwrap_or_default(),
                    host_port: host
                        .host_port
                        .as_deref()?
                        .parse()
                        .ok()
                        .filter(|p| *p != 0)?,
                })
            })
        })
        .collect();
    found.sort_by(|a, b| {
        (a.container_port, a.host_port, &a.host_ip).cmp(&(
            b.container_port,
            b.host_port,
            &b.host_ip,
        ))
    });
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from(json: &serde_json::Value) -> Result<ContainerSnapshot, DockerError> {
        snapshot(serde_json::from_value(json.clone()).expect("an answer"))
    }

    fn sample() -> serde_json::Value {
        serde_json::json!({
            "Id": "abc", "Name": "/myia-supervisor-1", "Created": "2026-01-02T03:04:05.678901234Z",
            "Path": "init.sh", "Args": [], "Image": "sha256:1",
            "RestartCount": 2,
            "State": {
                "Status": "exited", "Running": false, "OOMKilled": true, "ExitCode": 137,
                "Error": "", "StartedAt": "2026-01-02T03:04:06Z",
                "FinishedAt": "0001-01-01T00:00:00Z"
            },
            "HostConfig": {
                "Memory": 0,
                "DeviceRequests": [
                    {"Driver": "nvidia", "Count": 0, "DeviceIDs": ["1", "GPU-x"], "Capabilities": [["gpu"]]},
                    {"Driver": "other", "DeviceIDs": ["9"], "Capabilities": [["tpu"]]}
                ],
                "PortBindings": {"17860/tcp": [{"HostIp": "", "HostPort": "17861"}], "53/udp": [{"HostIp": "", "HostPort": "53"}]}
            },
            "Config": {
                "Image": "ghcr.io/x/y:latest", "Tty": true, "Cmd": ["init.sh"],
                "Env": ["WEB_TOKEN=s3cret=x", "EMPTY=", "BARE"],
                "Labels": {
                    "com.docker.compose.project": "myia",
                    "com.docker.compose.service": "supervisor",
                    "org.opencontainers.image.title": "",
                    "org.opencontainers.image.source": "https://github.com/x/y",
                    "com.docker.compose.project.config_files": "/srv/docker-compose.yaml"
                }
            },
            "NetworkSettings": {"Ports": {}}
        })
    }

    #[test]
    fn a_request_names_cards_or_counts_them() {
        let asked = |requests: serde_json::Value| {
            let mut sample = sample();
            sample["HostConfig"]["DeviceRequests"] = requests;
            let found = from(&sample).expect("a snapshot");
            (found.gpu_device_ids, found.gpu_count)
        };
        let gpu = |count| serde_json::json!({"Count": count, "Capabilities": [["gpu"]]});
        assert_eq!(asked(serde_json::json!([gpu(-1)])), (vec![], Some(-1)));
        assert_eq!(asked(serde_json::json!([gpu(2)])), (vec![], Some(2)));
        assert_eq!(asked(serde_json::Value::Null), (vec![], None));
    }

    #[test]
    fn an_answer_is_reduced_to_what_is_used() {
        let found = from(&sample()).expect("a snapshot");
        assert_eq!(found.name, "myia-supervisor-1");
        assert_eq!(found.state, RunState::Exited);
        assert_eq!(
            (found.exit_code, found.oom_killed, found.error),
            (Some(137), true, None)
        );
        assert!(found.started_at.is_some());
        assert_eq!(found.finished_at, None, "the year 1 means never");
        assert_eq!(found.memory_limit, None, "0 means unlimited");
        assert_eq!(found.gpu_device_ids, ["1", "GPU-x"]);
        assert_eq!(found.gpu_count, None, "they are named");
        assert_eq!(found.env_names, ["WEB_TOKEN", "EMPTY", "BARE"]);
        assert_eq!(found.health, None);
        assert!(found.tty);
        assert_eq!(found.image_title, None, "an empty label says nothing");
        assert_eq!(
            found.image_source.as_deref(),
            Some("https://github.com/x/y")
        );
        assert_eq!(
            found.compose_file.as_deref(),
            Some("/srv/docker-compose.yaml")
        );
        assert_eq!(
            found.ports,
            [PortBinding {
                container_port: 17860,
                host_ip: String::new(),
                host_port: 17861
            }],
            "a stopped container's ports come from its configuration"
        );
    }

    #[test]
    fn no_value_of_the_environment_passes() {
        let text = format!("{:?}", from(&sample()).expect("a snapshot"));
        assert!(!text.contains("s3cret"), "{text}");
    }

    #[test]
    fn live_ports_win_over_configured_ones() {
        let mut json = sample();
        json["NetworkSettings"]["Ports"] = serde_json::json!({
            "17860/tcp": [{"HostIp": "0.0.0.0", "HostPort": "49153"}, {"HostIp": "::", "HostPort": "49153"}],
            "8888/tcp": null
        });
        let found = from(&json).expect("a snapshot");
        assert_eq!(found.ports.len(), 2);
        assert!(found.ports.iter().all(|port| port.host_port == 49153));
    }

    #[test]
    fn an_answer_without_a_state_is_an_error_and_not_a_guess() {
        let mut json = sample();
        json["State"] = serde_json::Value::Null;
        assert!(matches!(from(&json), Err(DockerError::BadAnswer { .. })));
        let mut json = sample();
        json["State"]["Status"] = "".into();
        assert!(matches!(from(&json), Err(DockerError::BadAnswer { .. })));
    }
}
