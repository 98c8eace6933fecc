//! Where an engine may be: parsing what people write, and what `auto` means.

use std::{
    fmt,
    path::{Path, PathBuf},
};

use super::context::{self, ContextError};

/// Plain TCP port of the Engine API.
const TCP_PORT: u16 = 2375;
/// TLS port of the Engine API.
const TLS_PORT: u16 = 2376;

/// A place where a Docker Engine may answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Endpoint {
    /// A Unix socket.
    Unix(PathBuf),
    /// A Windows named pipe, as `//./pipe/name`.
    NamedPipe(String),
    /// Plain TCP.
    Tcp {
        /// Host name or address, without brackets.
        host: String,
        /// Port.
        port: u16,
    },
    /// TCP with TLS and client certificates.
    Tls {
        /// Host name or address, without brackets.
        host: String,
        /// Port.
        port: u16,
        /// Where the certificates are.
        files: TlsFiles,
    },
    /// `docker system dial-stdio` on a machine reached by SSH.
    Ssh {
        /// `user@host:port`, as written.
        destination: String,
    },
}

/// Certificates of a TLS endpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// Authority that signed the engine's certificate.
    pub ca: PathBuf,
    /// Client certificate.
    pub cert: PathBuf,
    /// Client key.
    pub key: PathBuf,
}

impl TlsFiles {
    /// Docker's usual three names in one folder.
    pub fn in_folder(folder: &Path) -> Self {
        Self {
            ca: folder.join("ca.pem"),
            cert: folder.join("cert.pem"),
            key: folder.join("key.pem"),
        }
    }
}

/// Why a text names no usable endpoint.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EndpointError {
    /// Nothing written.
    #[error("no engine is named; write `auto`")]
    Empty,
    /// An unknown scheme.
    #[error(
        "`{0}` is no engine address; use `auto`, `unix://`, `npipe://`, `tcp://`, `ssh://` or `context:NAME`"
    )]
    Scheme(String),
    /// Something after the scheme is missing or malformed.
    #[error("`{0}` is no complete engine address: {1}")]
    Malformed(String, &'static str),
    /// Not built yet.
    #[error(
        "`{0}`: engines inside WSL distributions are not supported yet; use `auto` or `tcp://`"
    )]
    WslNotSupported(String),
    /// The other platform's transport.
    #[error("`{0}` exists on {1} only")]
    OtherPlatform(String, &'static str),
    /// TLS asked for without certificates.
    #[error("`{0}` asks for TLS, but there are no client certificates: {1}")]
    NoCertificates(String, String),
    /// A Docker context cannot be used.
    #[error(transparent)]
    Context(#[from] ContextError),
}

/// An endpoint and where it was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResolvedEndpoint {
    /// The endpoint.
    pub endpoint: Endpoint,
    /// `forgekeeper.toml`, `DOCKER_HOST`, `context NAME` or `default`.
    pub origin: String,
}

/// A place that was to be tried and cannot be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unusable {
    /// As in [`ResolvedEndpoint`].
    pub origin: String,
    /// Why not.
    pub error: EndpointError,
}

/// What an engine setting comes down to, best first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Resolution {
    /// Endpoints to try.
    pub candidates: Vec<ResolvedEndpoint>,
    /// Named, but not usable.
    pub unusable: Vec<Unusable>,
}

/// The parts of the process environment that Docker's own tools look at.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Env {
    /// `DOCKER_HOST`.
    pub docker_host: Option<String>,
    /// `DOCKER_CONTEXT`.
    pub docker_context: Option<String>,
    /// `DOCKER_CONFIG`: folder of Docker's own configuration.
    pub docker_config: Option<PathBuf>,
    /// `DOCKER_TLS_VERIFY` is set and not empty.
    pub docker_tls: bool,
    /// `DOCKER_CERT_PATH`.
    pub docker_cert_path: Option<PathBuf>,
    /// `XDG_RUNTIME_DIR`.
    pub runtime_dir: Option<PathBuf>,
    /// The user's home.
    pub home: Option<PathBuf>,
}

impl Env {
    /// As this process was started.
    pub fn of_process() -> Self {
        let text = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        Self {
            docker_host: text("DOCKER_HOST"),
            docker_context: text("DOCKER_CONTEXT"),
            docker_config: text("DOCKER_CONFIG").map(PathBuf::from),
            docker_tls: text("DOCKER_TLS_VERIFY").is_some(),
            docker_cert_path: text("DOCKER_CERT_PATH").map(PathBuf::from),
            runtime_dir: text("XDG_RUNTIME_DIR").map(PathBuf::from),
            home: directories::BaseDirs::new().map(|dirs| dirs.home_dir().to_path_buf()),
        }
    }

    /// Folder of Docker's own configuration.
    pub fn docker_folder(&self) -> Option<PathBuf> {
        self.docker_config
            .clone()
            .or_else(|| Some(self.home.as_ref()?.join(".docker")))
    }

    fn certificates(&self) -> Option<TlsFiles> {
        let folder = self
            .docker_cert_path
            .clone()
            .or_else(|| self.docker_folder())?;
        Some(TlsFiles::in_folder(&folder))
    }
}

impl Endpoint {
    /// Reads an engine address. `tcp://` becomes TLS when the environment asks for it, as in
    /// Docker's own tools; `https://` always is.
    pub fn parse(text: &str, env: &Env) -> Result<Self, EndpointError> {
        let text = text.trim();
        let malformed = |why| EndpointError::Malformed(text.to_owned(), why);
        if text.is_empty() {
            return Err(EndpointError::Empty);
        }
        if text
            .chars()
            .any(|c| c.is_control() || c.is_whitespace() && !text.starts_with("unix:"))
        {
            return Err(malformed("it contains blanks or control characters"));
        }
        let Some((scheme, rest)) = text.split_once("://") else {
            return Err(EndpointError::Scheme(text.to_owned()));
        };
        match scheme {
            "unix" => {
                if !rest.starts_with('/') {
                    return Err(malformed("write three slashes and the path of the socket"));
                }
                if cfg!(windows) {
                    return Err(EndpointError::OtherPlatform(
                        text.to_owned(),
                        "Linux and macOS",
                    ));
                }
                Ok(Endpoint::Unix(PathBuf::from(rest)))
            }
            "npipe" => {
                let pipe = rest.replace('\\', "/");
                let pipe = format!("//{}", pipe.trim_start_matches('/'));
                let name = pipe.strip_prefix("//./pipe/").unwrap_or_default();
                if name.is_empty() || name.contains('/') {
                    return Err(malformed("write `npipe:////./pipe/docker_engine`"));
                }
                Ok(Endpoint::NamedPipe(pipe))
            }
            "tcp" | "http" | "https" => {
                let tls = scheme == "https" || (scheme == "tcp" && env.docker_tls);
                let default = if tls { TLS_PORT } else { TCP_PORT };
                let (host, port) = host_and_port(rest, default).map_err(malformed)?;
                if !tls {
                    return Ok(Endpoint::Tcp { host, port });
                }
                let files = env.certificates().ok_or_else(|| {
                    EndpointError::NoCertificates(text.to_owned(), "no home folder".to_owned())
                })?;
                Ok(Endpoint::Tls { host, port, files })
            }
            "ssh" => {
                let destination = rest.trim_end_matches('/');
                let (user, address) = destination.rsplit_once('@').unwrap_or(("u", destination));
                let safe = |c: char| c.is_ascii_alphanumeric() || "._-@".contains(c);
                if user.is_empty() || user.starts_with('-') || !user.chars().all(safe) {
                    return Err(malformed("the user name is not usable"));
                }
                // A destination goes to a command line: it must never look like an option.
                if address.starts_with('-') {
                    return Err(malformed("the host name is not usable"));
                }
                host_and_port(address, 22).map_err(malformed)?;
                Ok(Endpoint::Ssh {
                    destination: destination.to_owned(),
                })
            }
            "wsl" => Err(EndpointError::WslNotSupported(text.to_owned())),
            _ => Err(EndpointError::Scheme(text.to_owned())),
        }
    }

    /// Whether the engine runs on the machine of this process, as far as the address tells.
    pub fn is_local(&self) -> bool {
        match self {
            Endpoint::Unix(_) | Endpoint::NamedPipe(_) => true,
            Endpoint::Tcp { host, .. } | Endpoint::Tls { host, .. } => is_loopback(host),
            Endpoint::Ssh { .. } => false,
        }
    }

    /// Whether questions may need a login of their own.
    pub fn is_ssh(&self) -> bool {
        matches!(self, Endpoint::Ssh { .. })
    }

    /// Name under which ports published by this engine's containers are reached from here.
    pub fn published_host(&self) -> String {
        match self {
            Endpoint::Unix(_) | Endpoint::NamedPipe(_) => "localhost".to_owned(),
            Endpoint::Tcp { host, .. } | Endpoint::Tls { host, .. } if is_loopback(host) => {
                "localhost".to_owned()
            }
            Endpoint::Tcp { host, .. } | Endpoint::Tls { host, .. } => host.clone(),
            Endpoint::Ssh { destination } => {
                let address = destination
                    .rsplit_once('@')
                    .map_or(&**destination, |(_, a)| a);
                host_and_port(address, 22).map_or_else(|_| address.to_owned(), |(host, _)| host)
            }
        }
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Endpoint::Unix(path) => write!(f, "unix://{}", path.display()),
            Endpoint::NamedPipe(pipe) => write!(f, "npipe://{pipe}"),
            Endpoint::Tcp { host, port } => write!(f, "tcp://{}:{port}", bracketed(host)),
            Endpoint::Tls { host, port, .. } => write!(f, "https://{}:{port}", bracketed(host)),
            Endpoint::Ssh { destination } => write!(f, "ssh://{destination}"),
        }
    }
}

/// IPv6 addresses need brackets before a port.
pub(crate) fn bracketed(host: &str) -> String {
    if host.contains(':') {
        format!("[{host}]")
    } else {
        host.to_owned()
    }
}

fn is_loopback(host: &str) -> bool {
    host.eq_ignore_ascii_case("localhost")
        || host
            .parse::<std::net::IpAddr>()
            .is_ok_and(|ip| ip.is_loopback())
}

fn host_and_port(text: &str, default: u16) -> Result<(String, u16), &'static str> {
    let text = text.trim_end_matches('/');
    let (host, port) = if let Some(rest) = text.strip_prefix('[') {
        let (host, after) = rest.split_once(']').ok_or("the bracket is not closed")?;
        match after.strip_prefix(':') {
            Some(port) => (host, Some(port)),
            None if after.is_empty() => (host, None),
            None => return Err("only a port may follow the bracket"),
        }
    } else {
        // More than one colon is an IPv6 address without brackets, and has no port.
        match text.split_once(':') {
            Some((host, port)) if !port.contains(':') => (host, Some(port)),
            _ => (text, None),
        }
    };
    let named = host
        .chars()
        .all(|c| c.is_ascii_alphanumeric() || ".-_".contains(c));
    let bare = host.split('%').next().unwrap_or_default();
    if host.is_empty() || !(named || bare.parse::<std::net::Ipv6Addr>().is_ok()) {
        return Err("the host name is missing or malformed");
    }
    let port = match port {
        None => default,
        Some(port) => port
            .parse()
            .ok()
            .filter(|p| *p != 0)
            .ok_or("the port is not usable")?,
    };
    Ok((host.to_owned(), port))
}

/// What an engine setting of `forgekeeper.toml` comes down to.
pub fn resolve(setting: &str, env: &Env) -> Resolution {
    let setting = setting.trim();
    let mut found = Resolution::default();
    if setting == "auto" {
        if let Some(host) = &env.docker_host {
            found.add("DOCKER_HOST", Endpoint::parse(host, env));
        }
        match context::current(env) {
            Ok(Some(name)) => {
                found.add(&format!("context {name}"), context::endpoint(&name, env));
            }
            Ok(None) => {}
            Err(error) => found.add("Docker's configuration", Err(error.into())),
        }
        for endpoint in defaults(env) {
            found.add("default", Ok(endpoint));
        }
    } else if let Some(name) = setting.strip_prefix("context:") {
        if name == "default" {
            for endpoint in defaults(env) {
                found.add("context default", Ok(endpoint));
            }
        } else {
            found.add(&format!("context {name}"), context::endpoint(name, env));
        }
    } else {
        found.add("forgekeeper.toml", Endpoint::parse(setting, env));
    }
    found
}

/// `auto`, and every other Docker context of this user: for discovery.
pub fn resolve_everything(env: &Env) -> Resolution {
    let mut found = resolve("auto", env);
    for name in context::names(env) {
        found.add(&format!("context {name}"), context::endpoint(&name, env));
    }
    found
}

impl Resolution {
    fn add(&mut self, origin: &str, endpoint: Result<Endpoint, EndpointError>) {
        match endpoint {
            Ok(endpoint) => {
                if !self
                    .candidates
                    .iter()
                    .any(|known| known.endpoint == endpoint)
                {
                    self.candidates.push(ResolvedEndpoint {
                        endpoint,
                        origin: origin.to_owned(),
                    });
                }
            }
            Err(error) => {
                let unusable = Unusable {
                    origin: origin.to_owned(),
                    error,
                };
                if !self.unusable.contains(&unusable) {
                    self.unusable.push(unusable);
                }
            }
        }
    }
}

#[cfg(windows)]
fn defaults(_env: &Env) -> Vec<Endpoint> {
    ["docker_engine", "dockerDesktopLinuxEngine"]
        .iter()
        .map(|name| Endpoint::NamedPipe(format!("//./pipe/{name}")))
        .collect()
}

#[cfg(not(windows))]
fn defaults(env: &Env) -> Vec<Endpoint> {
    let mut sockets = vec![PathBuf::from("/var/run/docker.sock")];
    if let Some(folder) = &env.runtime_dir {
        sockets.push(folder.join("docker.sock"));
    }
    if let Some(home) = &env.home {
        sockets.push(home.join(".docker/run/docker.sock"));
        sockets.push(home.join(".docker/desktop/docker.sock"));
    }
    sockets.into_iter().map(Endpoint::Unix).collect()
}

#[cfg(test)]
mod tests;
