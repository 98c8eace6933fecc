//! Looks on every engine that can be reached for containers that look like a known kind.

use std::{collections::BTreeSet, time::Duration};

use forgekeeper_domain::{
    cause::Cause,
    container::{ContainerSnapshot, RunState},
    discovery::{Candidate, DiscoveryReport, EngineAttempt},
    facts::EngineFact,
    ids::{HostId, ServiceId},
    service::{self, KindId},
};
use futures_util::{StreamExt as _, future::join_all, stream};

use crate::docker::{
    DockerError, Endpoint, EndpointError, Engine, Env, ResolvedEndpoint,
    endpoint::{bracketed, resolve, resolve_everything},
    engine::Deadlines,
    follow,
};

/// One engine may take this long in all.
const ENGINE_DEADLINE: Duration = Duration::from_secs(20);
/// Containers inspected at the same time on one engine.
const INSPECTIONS: usize = 8;
/// Containers looked at on one engine.
const MAX_CONTAINERS: usize = 1000;

/// A service administered already.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    /// Its id.
    pub id: ServiceId,
    /// Its host: a container of the same name on another machine is another one.
    pub host: HostId,
    /// Its container as configured.
    pub container: String,
}

/// Everything found on the engines of the settings and on all others that Docker's own files and
/// usual places lead to. `known` are the services administered already.
pub async fn discover(hosts: &[(HostId, String)], known: &[Known]) -> DiscoveryReport {
    discover_from(hosts, known, &Env::of_process()).await
}

/// As [`discover`], from a given environment.
pub async fn discover_from(
    hosts: &[(HostId, String)],
    known: &[Known],
    env: &Env,
) -> DiscoveryReport {
    let (places, mut engines) = places(hosts, env);
    let visits = join_all(places.iter().map(visit)).await;
    let mut names = Names::new(hosts, known);
    let mut seen = BTreeSet::new();
    let mut candidates = Vec::new();
    for (place, visit) in places.iter().zip(visits) {
        engines.push(visit.attempt);
        if visit.containers.is_empty() {
            continue;
        }
        let host = names.host(place);
        for container in visit.containers {
            // The same engine may answer at several endpoints.
            if seen.insert(container.id.clone())
                && let Some(found) = candidate(&container, place, &host, known, &mut names)
            {
                candidates.push(found);
            }
        }
    }
    DiscoveryReport {
        engines,
        candidates,
    }
}

struct Place {
    host: Option<HostId>,
    resolved: ResolvedEndpoint,
}

struct Visit {
    attempt: EngineAttempt,
    containers: Vec<ContainerSnapshot>,
}

/// Endpoints to visit, and those that cannot be: the settings' first, each once.
fn places(hosts: &[(HostId, String)], env: &Env) -> (Vec<Place>, Vec<EngineAttempt>) {
    let mut places: Vec<Place> = Vec::new();
    let mut unusable = Vec::new();
    let configured = hosts
        .iter()
        .map(|(id, engine)| (Some(id.clone()), resolve(engine, env)));
    let rest = std::iter::once((None, resolve_everything(env)));
    for (host, resolution) in configured.chain(rest) {
        for resolved in resolution.candidates {
            if !places
                .iter()
                .any(|place| place.resolved.endpoint == resolved.endpoint)
            {
                places.push(Place {
                    host: host.clone(),
                    resolved,
                });
            }
        }
        for problem in resolution.unusable {
            let attempt = EngineAttempt {
                endpoint: named(&problem.error),
                origin: problem.origin,
                version: None,
                cause: Some(Cause::EngineNotFound),
                detail: Some(problem.error.to_string()),
            };
            if !unusable.contains(&attempt) {
                unusable.push(attempt);
            }
        }
    }
    (places, unusable)
}

fn named(error: &EndpointError) -> String {
    match error {
        EndpointError::Scheme(text)
        | EndpointError::Malformed(text, _)
        | EndpointError::WslNotSupported(text)
        | EndpointError::OtherPlatform(text, _)
        | EndpointError::NoCertificates(text, _) => text.clone(),
        EndpointError::Empty | EndpointError::Context(_) => String::new(),
    }
}

async fn visit(place: &Place) -> Visit {
    let mut attempt = EngineAttempt {
        endpoint: place.resolved.endpoint.to_string(),
        origin: place.resolved.origin.clone(),
        version: None,
        cause: None,
        detail: None,
    };
    let engine = match Engine::connect(&place.resolved, Deadlines::default()).await {
        Ok(engine) => engine,
        Err(failure) => {
            let (cause, detail) = trouble(&failure.engine);
            attempt.cause = cause;
            attempt.detail = detail;
            return Visit {
                attempt,
                containers: Vec::new(),
            };
        }
    };
    attempt.version = Some(engine.version().to_owned());
    let containers = match tokio::time::timeout(ENGINE_DEADLINE, look(&engine)).await {
        Ok(Ok(containers)) => containers,
        Ok(Err(error)) => {
            attempt.cause = error.is_connection().then_some(Cause::EngineTimeout);
            attempt.detail = Some(error.to_string());
            Vec::new()
        }
        Err(_) => {
            attempt.cause = Some(Cause::EngineTimeout);
            attempt.detail = Some(format!("not listed within {} s", ENGINE_DEADLINE.as_secs()));
            Vec::new()
        }
    };
    Visit {
        attempt,
        containers,
    }
}

/// Every container in full: the command and the names of the environment decide what it is.
async fn look(engine: &Engine) -> Result<Vec<ContainerSnapshot>, DockerError> {
    let mut listed = engine.list().await?;
    listed.truncate(MAX_CONTAINERS);
    let inspected: Vec<_> = stream::iter(listed)
        .map(|container| async move { engine.inspect(&container.id).await })
        .buffered(INSPECTIONS)
        .collect()
        .await;
    let mut containers = Vec::new();
    for container in inspected {
        match container {
            // Gone between listing and looking.
            Ok(None) => {}
            Ok(Some(container)) => containers.push(container),
            Err(error) if error.is_connection() => return Err(error),
            // One that cannot be read must not hide the others.
            Err(error) => tracing::warn!(%error, "a container cannot be inspected"),
        }
    }
    containers.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(containers)
}

fn trouble(fact: &EngineFact) -> (Option<Cause>, Option<String>) {
    match fact {
        EngineFact::Answering { .. } => (None, None),
        EngineFact::Refused { reason, .. } => (Some(Cause::EngineRefused), Some(reason.clone())),
        EngineFact::TimedOut { deadline_ms, .. } => (
            Some(Cause::EngineTimeout),
            Some(format!("no answer within {deadline_ms} ms")),
        ),
        EngineFact::NotDocker { answer, .. } => {
            (Some(Cause::EngineNotDocker), Some(answer.clone()))
        }
        EngineFact::Denied { .. } => (Some(Cause::EngineDenied), None),
        EngineFact::Version { reason } => (Some(Cause::EngineVersion), Some(reason.clone())),
        EngineFact::NotFound { tried } => (Some(Cause::EngineNotFound), Some(tried.join("; "))),
    }
}

fn candidate(
    container: &ContainerSnapshot,
    place: &Place,
    host: &HostId,
    known: &[Known],
    names: &mut Names,
) -> Option<Candidate> {
    let (kind, recognition) = service::recognise(container)?;
    let means = |known: &&Known| {
        let (project, service) = (&container.compose_project, &container.compose_service);
        known.host == *host
            && follow::means(
                &known.container,
                &container.name,
                project.as_deref(),
                service.as_deref(),
            )
    };
    let known_as = known.iter().find(means).map(|known| known.id.clone());
    let id = match &known_as {
        Some(id) => id.clone(),
        None => names.service(container),
    };
    Some(Candidate {
        id,
        kind,
        host: host.clone(),
        endpoint: place.resolved.endpoint.to_string(),
        container: container.name.clone(),
        image: container.image.clone(),
        api: api_address(kind, container, &place.resolved.endpoint),
        gpu_device_ids: container.gpu_device_ids.clone(),
        compose_file: container.compose_file.clone(),
        running: container.state == RunState::Running,
        why: recognition.why,
        known_as,
    })
}

/// The published port of the kind's API, as seen from this machine.
fn api_address(kind: KindId, container: &ContainerSnapshot, endpoint: &Endpoint) -> Option<String> {
    service::kind(kind).api_ports().iter().find_map(|port| {
        container
            .ports
            .iter()
            .filter(|binding| binding.container_port == *port)
            .filter_map(|binding| {
                let (host, rank) = reachable(&binding.host_ip, endpoint)?;
                Some((
                    rank,
                    format!("http://{}:{}", bracketed(&host), binding.host_port),
                ))
            })
            .min()
            .map(|(_, address)| address)
    })
}

/// Name to use for a published address, and how good it is (lower is better).
fn reachable(host_ip: &str, endpoint: &Endpoint) -> Option<(String, u8)> {
    match host_ip {
        "" | "0.0.0.0" => Some((endpoint.published_host(), 0)),
        "::" => Some((endpoint.published_host(), 1)),
        // Only processes of the engine's own machine get there.
        "127.0.0.1" => endpoint.is_local().then(|| ("localhost".to_owned(), 0)),
        "::1" => endpoint.is_local().then(|| ("::1".to_owned(), 2)),
        specific => {
            let address: std::net::IpAddr = specific.parse().ok()?;
            Some((address.to_string(), 1))
        }
    }
}

/// Ids handed out so far.
struct Names {
    hosts: BTreeSet<HostId>,
    configured: BTreeSet<HostId>,
    services: BTreeSet<ServiceId>,
}

impl Names {
    fn new(hosts: &[(HostId, String)], known: &[Known]) -> Self {
        Self {
            hosts: BTreeSet::new(),
            configured: hosts.iter().map(|(id, _)| id.clone()).collect(),
            services: known.iter().map(|known| known.id.clone()).collect(),
        }
    }

    /// The configured host's own id for its first engine that answers, else a fresh one.
    fn host(&mut self, place: &Place) -> HostId {
        if let Some(host) = &place.host
            && self.hosts.insert(host.clone())
        {
            return host.clone();
        }
        let wish = match place.resolved.origin.strip_prefix("context ") {
            Some(context) if context != "default" => cleaned(context),
            _ if place.resolved.endpoint.is_local() => "local".to_owned(),
            _ => cleaned(&place.resolved.endpoint.published_host()),
        };
        let free = |id: &HostId| !self.hosts.contains(id) && !self.configured.contains(id);
        let id = numbered(&wish, |text| HostId::new(text).ok().filter(free));
        self.hosts.insert(id.clone());
        id
    }

    /// The compose project's name; with the service when the project has several.
    fn service(&mut self, container: &ContainerSnapshot) -> ServiceId {
        let name = cleaned(&container.name);
        let wishes = match (&container.compose_project, &container.compose_service) {
            (Some(project), Some(service)) => {
                vec![
                    cleaned(project),
                    cleaned(&format!("{project}-{service}")),
                    name,
                ]
            }
            (Some(project), None) => vec![cleaned(project), name],
            _ => vec![without_compose_parts(&name).to_owned(), name],
        };
        let free = |id: &ServiceId| !self.services.contains(id);
        let id = wishes
            .iter()
            .find_map(|wish| ServiceId::new(wish.as_str()).ok().filter(free))
            .unwrap_or_else(|| {
                let wish = wishes.last().map_or("service", String::as_str);
                numbered(wish, |text| ServiceId::new(text).ok().filter(free))
            });
        self.services.insert(id.clone());
        id
    }
}

/// `myia-supervisor-1` without labels still reads as project `myia`.
fn without_compose_parts(name: &str) -> &str {
    let Some(rest) = name.strip_suffix("-1").or_else(|| name.strip_suffix("_1")) else {
        return name;
    };
    ["-supervisor", "_supervisor"]
        .iter()
        .find_map(|part| rest.strip_suffix(part))
        .filter(|project| !project.is_empty())
        .unwrap_or(rest)
}

/// Only what an id may hold, and not too long to take a number.
fn cleaned(text: &str) -> String {
    let good = |c: char| {
        if c.is_ascii_alphanumeric() || "._-".contains(c) {
            c
        } else {
            '-'
        }
    };
    let text: String = text.chars().take(100).map(good).collect();
    if text.is_empty() {
        "unnamed".to_owned()
    } else {
        text
    }
}

/// The wish, or the wish with the first number that is free.
fn numbered<T>(wish: &str, accept: impl Fn(String) -> Option<T>) -> T {
    let mut number = 1_u64;
    loop {
        let text = if number == 1 {
            wish.to_owned()
        } else {
            format!("{wish}-{number}")
        };
        if let Some(id) = accept(text) {
            return id;
        }
        number += 1;
    }
}

#[cfg(test)]
mod tests;
