//! One connected engine. Every question has a deadline; every stream ends when the connection is
//! given up.

use std::{future::Future, sync::Arc, time::Duration};

use bollard::{API_DEFAULT_VERSION, Docker, query_parameters::ListContainersOptions};
use forgekeeper_domain::{
    container::{ContainerSnapshot, RunState},
    facts::EngineFact,
};
use serde::Deserialize;
use tokio_util::sync::CancellationToken;

use super::{
    endpoint::{Endpoint, ResolvedEndpoint, TlsFiles, bracketed},
    error::{DockerError, chain},
    exec::HungExecs,
    failure::{failure, failure_of, not_found, unfit},
    inspect,
    probe::{self, Asked},
};

pub use super::failure::ConnectFailure;

/// Oldest API version whose answers are understood: Docker Engine 20.10.
const OLDEST_API: (usize, usize) = (1, 41);
/// bollard's own timeout would end quiet streams; deadlines are set around each question.
const NO_TIMEOUT_S: u64 = 24 * 3600;

/// How long each kind of question may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deadlines {
    /// Connecting and pinging.
    pub ping: Duration,
    /// The same over SSH, where keys are exchanged first, and every question there that may need
    /// a login of its own.
    pub ssh: Duration,
    /// List, inspect, stats.
    pub question: Duration,
    /// Start, and what stop and restart may take beyond their own grace period.
    pub action: Duration,
}

impl Default for Deadlines {
    fn default() -> Self {
        Self {
            ping: Duration::from_secs(3),
            ssh: Duration::from_secs(15),
            question: Duration::from_secs(5),
            action: Duration::from_mins(1),
        }
    }
}

/// A container as listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// Full id.
    pub id: String,
    /// Names without the leading slash; links make more than one.
    pub names: Vec<String>,
    /// Image reference.
    pub image: String,
    /// Whether PID 1 runs.
    pub state: Option<RunState>,
    /// `com.docker.compose.project`.
    pub compose_project: Option<String>,
    /// `com.docker.compose.service`.
    pub compose_service: Option<String>,
}

/// A connected engine; clones share the connection.
#[derive(Debug, Clone)]
pub struct Engine {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    docker: Docker,
    resolved: ResolvedEndpoint,
    version: String,
    api_version: String,
    kernel: Option<String>,
    deadlines: Deadlines,
    given_up: CancellationToken,
    hung: Arc<HungExecs>,
}

/// What outlives single connections to one engine.
#[derive(Debug, Clone, Default)]
pub(crate) struct Shared {
    /// Connections are given up with it.
    pub(crate) cancel: CancellationToken,
    /// Commands in containers that did not end in time.
    pub(crate) hung: Arc<HungExecs>,
}

#[derive(Deserialize)]
struct VersionBody {
    #[serde(rename = "Version")]
    version: Option<String>,
    #[serde(rename = "ApiVersion")]
    api_version: Option<String>,
    #[serde(rename = "MinAPIVersion")]
    min_api_version: Option<String>,
    #[serde(rename = "KernelVersion")]
    kernel: Option<String>,
}

impl Engine {
    /// Asks who is there and agrees on an API version.
    pub async fn connect(
        resolved: &ResolvedEndpoint,
        deadlines: Deadlines,
    ) -> Result<Self, ConnectFailure> {
        Self::connect_as(resolved, deadlines, &Shared::default()).await
    }

    /// As [`Engine::connect`], as one of several connections to the same engine.
    pub(crate) async fn connect_as(
        resolved: &ResolvedEndpoint,
        mut deadlines: Deadlines,
        shared: &Shared,
    ) -> Result<Self, ConnectFailure> {
        let endpoint = &resolved.endpoint;
        if endpoint.is_ssh() {
            deadlines.ping = deadlines.ping.max(deadlines.ssh);
            deadlines.question = deadlines.question.max(deadlines.ssh);
        }
        let (docker, body) = if probe::can_ask(endpoint) {
            let asked = probe::ask(endpoint, "/version", deadlines.ping).await;
            let body = version_body(endpoint, asked, deadlines.ping)?;
            (
                open(endpoint).map_err(|words| not_found(endpoint, &words))?,
                body,
            )
        } else {
            let docker = open(endpoint).map_err(|words| not_found(endpoint, &words))?;
            let answer = within("version", deadlines.ping, docker.version()).await;
            let found = answer.map_err(|error| failure_of(endpoint, &error, deadlines.ping))?;
            let body = VersionBody {
                version: found.version,
                api_version: found.api_version,
                min_api_version: found.min_api_version,
                kernel: found.kernel_version,
            };
            (docker, body)
        };
        let negotiated = negotiate(&body).map_err(unfit)?;
        let prefix = format!("/v{}.{}", negotiated.0, negotiated.1);
        let docker = docker.with_request_modifier(move |request| versioned(request, &prefix));
        Ok(Self {
            inner: Arc::new(Inner {
                docker,
                resolved: resolved.clone(),
                version: body.version.unwrap_or_else(|| "unknown".to_owned()),
                api_version: format!("{}.{}", negotiated.0, negotiated.1),
                kernel: body.kernel,
                deadlines,
                given_up: shared.cancel.child_token(),
                hung: Arc::clone(&shared.hung),
            }),
        })
    }

    /// Where it is.
    pub fn resolved(&self) -> &ResolvedEndpoint {
        &self.inner.resolved
    }

    /// Engine version, such as `28.3.0`.
    pub fn version(&self) -> &str {
        &self.inner.version
    }

    /// Negotiated API version, such as `1.43`.
    pub fn api_version(&self) -> &str {
        &self.inner.api_version
    }

    /// The engine rung's fact after an answered ping.
    pub fn answering(&self, ping: Duration) -> EngineFact {
        EngineFact::Answering {
            version: self.inner.version.clone(),
            api_version: self.inner.api_version.clone(),
            kernel: self.inner.kernel.clone(),
            ping_ms: u32::try_from(ping.as_millis()).unwrap_or(u32::MAX),
        }
    }

    /// Asks for a sign of life; the round trip, or what is wrong. Over SSH, where the answer may
    /// take a login, the deadline is that of connecting.
    pub async fn ping(&self, deadline: Duration) -> Result<Duration, ConnectFailure> {
        let started = tokio::time::Instant::now();
        let endpoint = &self.inner.resolved.endpoint;
        let deadline = if endpoint.is_ssh() {
            self.inner.deadlines.ping
        } else {
            deadline
        };
        if probe::can_ask(endpoint) {
            let asked = probe::ask(endpoint, "/_ping", deadline).await;
            match asked {
                Asked::Answer {
                    status: 200,
                    ref body,
                    ..
                } if body.starts_with(b"OK") => {}
                other => return Err(failure(endpoint, other, deadline)),
            }
        } else {
            within("ping", deadline, self.inner.docker.ping())
                .await
                .map_err(|error| failure_of(endpoint, &error, deadline))?;
        }
        Ok(started.elapsed())
    }

    /// Gives the connection up: every stream and question on it ends now.
    pub fn give_up(&self) {
        self.inner.given_up.cancel();
    }

    /// Cancelled once the connection is given up.
    pub fn given_up(&self) -> &CancellationToken {
        &self.inner.given_up
    }

    /// All containers, running or not.
    pub async fn list(&self) -> Result<Vec<Listed>, DockerError> {
        let options = ListContainersOptions {
            all: true,
            ..ListContainersOptions::default()
        };
        let found = self
            .ask(
                "list",
                self.deadlines().question,
                self.docker().list_containers(Some(options)),
            )
            .await?;
        Ok(found.into_iter().map(inspect::listed).collect())
    }

    /// One container by name or id; `None` when there is none.
    pub async fn inspect(&self, name: &str) -> Result<Option<ContainerSnapshot>, DockerError> {
        let name = container_name(name)?;
        let asked = self.docker().inspect_container(name, None);
        match self.ask("inspect", self.deadlines().question, asked).await {
            Ok(found) => inspect::snapshot(found).map(Some),
            Err(error) if error.is_missing() => Ok(None),
            Err(error) => Err(error),
        }
    }

    pub(crate) fn docker(&self) -> &Docker {
        &self.inner.docker
    }

    pub(crate) fn hung(&self) -> &HungExecs {
        &self.inner.hung
    }

    pub(crate) fn deadlines(&self) -> Deadlines {
        self.inner.deadlines
    }

    /// A question with a deadline, ended early when the connection is given up.
    pub(crate) async fn ask<T>(
        &self,
        what: &'static str,
        deadline: Duration,
        question: impl Future<Output = Result<T, bollard::errors::Error>>,
    ) -> Result<T, DockerError> {
        tokio::select! {
            answer = within(what, deadline, question) => answer,
            () = self.inner.given_up.cancelled() => Err(connection_given_up()),
        }
    }
}

pub(crate) fn connection_given_up() -> DockerError {
    DockerError::Connection("the engine stopped answering".to_owned())
}

/// Docker's rule for names, which also keeps a name from being a path.
pub(crate) fn container_name(name: &str) -> Result<&str, DockerError> {
    let mut chars = name.chars();
    let good = name.len() <= 256
        && chars.next().is_some_and(|c| c.is_ascii_alphanumeric())
        && chars.all(|c| c.is_ascii_alphanumeric() || "_.-".contains(c));
    if good {
        Ok(name)
    } else {
        Err(DockerError::BadName(name.to_owned()))
    }
}

async fn within<T>(
    what: &'static str,
    deadline: Duration,
    question: impl Future<Output = Result<T, bollard::errors::Error>>,
) -> Result<T, DockerError> {
    match tokio::time::timeout(deadline, question).await {
        Ok(answer) => answer.map_err(|error| DockerError::from_bollard(what, &error)),
        Err(_) => Err(DockerError::Timeout { what, deadline }),
    }
}

/// bollard asks without a version, which means the engine's newest; pin the one agreed on.
fn versioned(mut request: bollard::BollardRequest, prefix: &str) -> bollard::BollardRequest {
    let uri = request.uri();
    if let (Some(scheme), Some(authority), Some(path)) =
        (uri.scheme_str(), uri.authority(), uri.path_and_query())
        && !path.as_str().starts_with("/v1.")
        && let Ok(pinned) = format!("{scheme}://{authority}{prefix}{path}").parse()
    {
        *request.uri_mut() = pinned;
    }
    request
}

fn open(endpoint: &Endpoint) -> Result<Docker, String> {
    let version = API_DEFAULT_VERSION;
    let opened = match endpoint {
        #[cfg(unix)]
        Endpoint::Unix(socket) => {
            Docker::connect_with_unix(&socket.to_string_lossy(), NO_TIMEOUT_S, version)
        }
        #[cfg(windows)]
        Endpoint::NamedPipe(pipe) => Docker::connect_with_named_pipe(pipe, NO_TIMEOUT_S, version),
        Endpoint::Tcp { host, port } => {
            let address = format!("tcp://{}:{port}", bracketed(host));
            Docker::connect_with_http(&address, NO_TIMEOUT_S, version)
        }
        Endpoint::Tls { host, port, files } => {
            check_certificates(files)?;
            // The first one installed stays; bollard panics when there is none.
            let _already_installed = rustls::crypto::ring::default_provider().install_default();
            let address = format!("https://{}:{port}", bracketed(host));
            Docker::connect_with_ssl(
                &address,
                &files.key,
                &files.cert,
                &files.ca,
                NO_TIMEOUT_S,
                version,
            )
        }
        #[cfg(unix)]
        Endpoint::Ssh { destination } => {
            let address = format!("ssh://{destination}");
            Docker::connect_with_ssh(&address, NO_TIMEOUT_S, version, None)
        }
        #[allow(
            unreachable_patterns,
            reason = "every transport exists on one platform only"
        )]
        other => return Err(format!("{other} does not exist on this platform")),
    };
    opened.map_err(|error| chain(&error))
}

fn check_certificates(files: &TlsFiles) -> Result<(), String> {
    for path in [&files.ca, &files.cert, &files.key] {
        if !path.is_file() {
            return Err(format!("there is no file `{}`", path.display()));
        }
    }
    Ok(())
}

fn version_body(
    endpoint: &Endpoint,
    asked: Asked,
    deadline: Duration,
) -> Result<VersionBody, ConnectFailure> {
    if let Asked::Answer {
        status: 200,
        ref body,
        ..
    } = asked
        && let Ok(found) = serde_json::from_slice::<VersionBody>(body)
        && found.api_version.is_some()
    {
        return Ok(found);
    }
    Err(failure(endpoint, asked, deadline))
}

/// The version both sides speak.
fn negotiate(body: &VersionBody) -> Result<(usize, usize), String> {
    let ours = (
        API_DEFAULT_VERSION.major_version,
        API_DEFAULT_VERSION.minor_version,
    );
    let told = body.api_version.as_deref().unwrap_or_default();
    let theirs = parse_version(told).ok_or_else(|| {
        format!(
            "the engine names no API version that can be read: `{}`",
            super::error::shortened(told)
        )
    })?;
    let oldest = body.min_api_version.as_deref().and_then(parse_version);
    if theirs < OLDEST_API {
        return Err(format!(
            "the engine speaks API up to {told}, Forgekeeper needs {}.{} or newer",
            OLDEST_API.0, OLDEST_API.1
        ));
    }
    if let Some(oldest) = oldest
        && oldest > ours
    {
        return Err(format!(
            "the engine needs API {}.{} or newer, Forgekeeper speaks up to {}.{}",
            oldest.0, oldest.1, ours.0, ours.1
        ));
    }
    Ok(theirs.min(ours))
}

fn parse_version(text: &str) -> Option<(usize, usize)> {
    let (major, minor) = text.split_once('.')?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(api: &str, min: Option<&str>) -> VersionBody {
        VersionBody {
            version: None,
            api_version: Some(api.to_owned()),
            min_api_version: min.map(str::to_owned),
            kernel: None,
        }
    }

    #[test]
    fn versions_are_agreed_on_or_refused_with_a_reason() {
        assert_eq!(negotiate(&body("1.41", Some("1.12"))), Ok((1, 41)));
        let ours = (
            API_DEFAULT_VERSION.major_version,
            API_DEFAULT_VERSION.minor_version,
        );
        assert_eq!(negotiate(&body("1.99", Some("1.44"))), Ok(ours));
        assert!(negotiate(&body("1.40", None)).is_err_and(|e| e.contains("1.41 or newer")));
        assert!(negotiate(&body("2.10", Some("2.0"))).is_err_and(|e| e.contains("2.0 or newer")));
        assert!(negotiate(&body("soon", None)).is_err());
    }

    #[test]
    fn names_that_could_be_paths_are_refused() {
        for name in ["", "../x", "a/b", "-a", "a b", "a?x=1", "a%2f"] {
            assert_eq!(
                container_name(name),
                Err(DockerError::BadName(name.to_owned()))
            );
        }
        assert_eq!(
            container_name("myia-supervisor_1.x"),
            Ok("myia-supervisor_1.x")
        );
    }
}
