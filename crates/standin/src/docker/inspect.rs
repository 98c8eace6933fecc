//! The JSON of containers: the list's short form and inspect's long form.

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::container::{Container, Devices, Status, hex_id};
use super::logs::stamp;
use super::making;
use super::real;
use crate::lock::lock;

const NEVER: &str = "0001-01-01T00:00:00Z";

fn image_id(image: &str) -> String {
    format!("sha256:{}", hex_id(&format!("image {image}")))
}

fn labels(container: &Container) -> Value {
    container
        .labels()
        .into_iter()
        .map(|(k, v)| (k, Value::from(v)))
        .collect::<Map<_, _>>()
        .into()
}

fn mounts(container: &Container) -> Value {
    lock(&container.binds)
        .iter()
        .map(|(source, target)| making::mount(source, target))
        .collect::<Vec<_>>()
        .into()
}

fn time(at: Option<Timestamp>) -> String {
    at.map_or_else(|| NEVER.to_owned(), stamp)
}

/// `21 hours`, as Docker's list puts it.
fn ago(since: Timestamp) -> String {
    let seconds = Timestamp::now().duration_since(since).as_secs().max(0);
    match seconds {
        0 => "Less than a second".to_owned(),
        1 => "1 second".to_owned(),
        2..60 => format!("{seconds} seconds"),
        60..120 => "About a minute".to_owned(),
        120..3_600 => format!("{} minutes", seconds / 60),
        3_600..5_400 => "About an hour".to_owned(),
        5_400..172_800 => format!("{} hours", (seconds + 1_800) / 3_600),
        _ => format!("{} days", seconds / 86_400),
    }
}

fn status_text(container: &Container) -> String {
    let state = lock(&container.state).clone();
    let since_end = state
        .finished
        .map_or_else(|| "Less than a second".to_owned(), ago);
    match state.status {
        Status::Created => "Created".to_owned(),
        Status::Running => format!("Up {}", state.started.map_or_else(String::new, ago)),
        Status::Restarting => format!("Restarting ({}) {since_end} ago", state.code),
        Status::Exited => format!("Exited ({}) {since_end} ago", state.code),
    }
}

/// One entry of `/containers/json`.
pub(crate) fn short(container: &Container) -> Value {
    let state = lock(&container.state).status;
    let ports: Vec<Value> = if state == Status::Running {
        container
            .spec
            .ports
            .iter()
            .map(|p| json!({"IP": "0.0.0.0", "PrivatePort": p.inner, "PublicPort": p.host.port(), "Type": "tcp"}))
            .collect()
    } else {
        Vec::new()
    };
    let network = network(container);
    json!({
        "Id": container.id(), "Names": [format!("/{}", container.spec.name)],
        "Image": container.spec.image, "ImageID": image_id(&container.spec.image),
        "Command": container.spec.command.join(" "),
        "Created": lock(&container.created).as_second(), "Ports": ports, "Labels": labels(container),
        "State": state.word(), "Status": status_text(container),
        "HostConfig": {"NetworkMode": network},
        "NetworkSettings": {"Networks": {network.clone(): endpoint(container, state == Status::Running)}},
        "Mounts": mounts(container),
    })
}

pub(crate) fn network(container: &Container) -> String {
    let compose = container.spec.compose.as_ref();
    container
        .spec
        .network
        .clone()
        .or_else(|| compose.map(|(project, _)| format!("{project}_default")))
        .unwrap_or_else(|| "bridge".to_owned())
}

fn endpoint(container: &Container, up: bool) -> Value {
    let last = container.spec.name.bytes().map(u32::from).sum::<u32>() % 200 + 2;
    json!({"IPAMConfig": null, "Links": null, "Aliases": [container.spec.name], "NetworkID": hex_id("network"),
           "EndpointID": if up { hex_id("endpoint") } else { String::new() },
           "Gateway": if up { "172.18.0.1" } else { "" },
           "IPAddress": if up { format!("172.18.0.{last}") } else { String::new() },
           "IPPrefixLen": if up { 16 } else { 0 }, "IPv6Gateway": "", "GlobalIPv6Address": "",
           "GlobalIPv6PrefixLen": 0, "MacAddress": if up { "02:42:ac:12:00:02" } else { "" }, "DriverOpts": null})
}

/// `/containers/{id}/json`.
pub(crate) fn long(container: &Container) -> Value {
    let spec = &container.spec;
    let state = lock(&container.state).clone();
    let up = state.status == Status::Running;
    let mut bindings = Map::new();
    let mut exposed = Map::new();
    let mut open = Map::new();
    for port in &spec.ports {
        let key = format!("{}/tcp", port.inner);
        let host = json!([{"HostIp": "", "HostPort": port.host.port().to_string()}]);
        let live = json!([{"HostIp": "0.0.0.0", "HostPort": port.host.port().to_string()}]);
        bindings.insert(key.clone(), host);
        exposed.insert(key.clone(), json!({}));
        if up {
            open.insert(key, live);
        }
    }
    let request = |ids: Value, count: i64| json!([{"Driver": "nvidia", "Count": count, "DeviceIDs": ids, "Capabilities": [["gpu"]], "Options": null}]);
    let devices = match &spec.devices {
        Devices::Ids(ids) => request(json!(ids), 0),
        Devices::Count(count) => request(Value::Null, *count),
        Devices::None => Value::Null,
    };
    let network = network(container);
    let looping = container.looping();
    let (entry, rest) = spec
        .command
        .split_first()
        .map_or(("", &[][..]), |(a, b)| (a.as_str(), b));
    let binds: Vec<String> = lock(&container.binds)
        .iter()
        .map(|(s, t)| {
            if real::target(t).1 {
                format!("{s}:{t}")
            } else {
                format!("{s}:{t}:rw")
            }
        })
        .collect();
    let created = *lock(&container.created);
    json!({
        "Id": container.id(), "Created": stamp(created), "Path": entry, "Args": rest,
        "State": {
            "Status": state.status.word(), "Running": up || state.status == Status::Restarting,
            "Paused": false, "Restarting": state.status == Status::Restarting, "OOMKilled": state.oom,
            "Dead": false, "Pid": if up { state.pid } else { 0 }, "ExitCode": state.code,
            "Error": state.error, "StartedAt": time(state.started), "FinishedAt": time(state.finished),
        },
        "Image": image_id(&spec.image), "ResolvConfPath": "", "HostnamePath": "", "HostsPath": "",
        "LogPath": format!("/var/lib/docker/containers/{0}/{0}-json.log", container.id()),
        "Name": format!("/{}", spec.name), "RestartCount": state.restarts, "Driver": "overlay2",
        "Platform": "linux", "MountLabel": "", "ProcessLabel": "", "AppArmorProfile": "", "ExecIDs": null,
        "HostConfig": {
            "Binds": binds, "ContainerIDFile": "", "LogConfig": {"Type": "json-file", "Config": {}},
            "NetworkMode": network, "PortBindings": bindings,
            "RestartPolicy": {"Name": if looping { "unless-stopped" } else { "no" }, "MaximumRetryCount": 0},
            "AutoRemove": false, "VolumeDriver": "", "VolumesFrom": null, "Privileged": false,
            "DeviceRequests": devices, "ShmSize": 67_108_864, "Memory": 0, "Runtime": "runc",
        },
        "GraphDriver": {"Data": {"MergedDir": "", "UpperDir": ""}, "Name": "overlay2"},
        "Mounts": mounts(container),
        "Config": {
            "Hostname": &container.id()[..12], "Domainname": "", "User": "", "AttachStdin": false,
            "AttachStdout": true, "AttachStderr": true, "ExposedPorts": exposed, "Tty": spec.tty,
            "OpenStdin": false, "StdinOnce": false, "Env": spec.env, "Cmd": spec.command,
            "Image": spec.image, "Volumes": null, "WorkingDir": "/opt", "Entrypoint": null,
            "OnBuild": null, "Labels": labels(container),
        },
        "NetworkSettings": {
            "Bridge": "", "SandboxID": hex_id("sandbox"), "Ports": open,
            "Networks": {network: endpoint(container, up)},
        },
    })
}
