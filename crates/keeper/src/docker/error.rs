//! What the engine refuses or fails to do, told apart by its own words.

use std::{io, time::Duration};

use forgekeeper_domain::error::{ErrorCode, ErrorInfo};

/// Longest piece of the engine's words that travels on.
const MAX_WORDS: usize = 2000;

/// Why a question to the engine has no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DockerError {
    /// The name could not be a container's.
    #[error("`{0}` is no container name")]
    BadName(String),
    /// No answer in time; the engine may still do it.
    #[error("the engine did not answer `{what}` within {} s", deadline.as_secs_f32())]
    Timeout {
        /// What was asked.
        what: &'static str,
        /// For how long.
        deadline: Duration,
    },
    /// The connection broke or could not be made.
    #[error("the connection to the engine is lost: {0}")]
    Connection(String),
    /// This user may not open the socket.
    #[error("this user may not talk to the engine: {0}")]
    Denied(String),
    /// The engine answered with an error.
    #[error("the engine refused `{what}` ({status}): {message}")]
    Refused {
        /// What was asked.
        what: &'static str,
        /// HTTP status.
        status: u16,
        /// The engine's words.
        message: String,
    },
    /// The answer has not the expected shape.
    #[error("the engine's answer to `{what}` cannot be read: {reason}")]
    BadAnswer {
        /// What was asked.
        what: &'static str,
        /// The parser's words.
        reason: String,
    },
}

/// A start that failed because the host port is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PortClash {
    /// The port, when the engine named it.
    pub port: Option<u16>,
}

impl DockerError {
    pub(crate) fn from_bollard(what: &'static str, error: &bollard::errors::Error) -> Self {
        use bollard::errors::Error as B;
        match error {
            B::DockerResponseServerError {
                status_code,
                message,
            } => Self::Refused {
                what,
                status: *status_code,
                message: shortened(message),
            },
            B::DockerStreamError { error } => Self::Refused {
                what,
                status: 200,
                message: shortened(error),
            },
            B::RequestTimeoutError => Self::Timeout {
                what,
                deadline: Duration::ZERO,
            },
            B::JsonDataError { message, .. } => Self::BadAnswer {
                what,
                reason: shortened(message),
            },
            B::JsonSerdeError { err } => Self::BadAnswer {
                what,
                reason: err.to_string(),
            },
            other => match io_kind(other) {
                Some(io::ErrorKind::PermissionDenied) => Self::Denied(chain(other)),
                _ => Self::Connection(chain(other)),
            },
        }
    }

    /// Whether the engine itself, not the request, is the trouble.
    pub fn is_connection(&self) -> bool {
        matches!(
            self,
            Self::Timeout { .. } | Self::Connection(_) | Self::Denied(_)
        )
    }

    /// Whether the engine said that there is no such container.
    pub fn is_missing(&self) -> bool {
        matches!(self, Self::Refused { status: 404, message, .. }
            if message.to_ascii_lowercase().contains("no such container"))
    }

    /// As it leaves the keeper.
    pub fn to_info(&self) -> ErrorInfo {
        let info = |code, message: &str| ErrorInfo::new(code, message).detail(self.to_string());
        match self {
            Self::BadName(_) => ErrorInfo::new(ErrorCode::BadRequest, self.to_string())
                .hint("Correct the container name in the settings."),
            Self::Timeout { .. } => info(
                ErrorCode::EngineTimeout,
                "The engine did not answer in time.",
            )
            .hint("Hung is not down: if it stays so, restart Docker."),
            Self::Connection(_) => info(ErrorCode::Engine, "The engine cannot be reached.")
                .hint("Start Docker; Forgekeeper reconnects by itself."),
            Self::Denied(_) => info(
                ErrorCode::Engine,
                "This user may not open the engine's socket.",
            )
            .hint("Add the user to the group `docker`, or choose another engine."),
            Self::BadAnswer { .. } => info(
                ErrorCode::Engine,
                "The engine answered something that Forgekeeper cannot read.",
            ),
            Self::Refused { message, .. } => refused(self, message),
        }
    }
}

fn refused(error: &DockerError, message: &str) -> ErrorInfo {
    if error.is_missing() {
        return ErrorInfo::new(ErrorCode::ContainerMissing, "The container does not exist.")
            .hint("Recreate it, for example with `docker compose up -d`.")
            .detail(message);
    }
    if let Some(clash) = port_clash(message) {
        let sentence = match clash.port {
            Some(port) => format!("Port {port} of the host is already taken."),
            None => "A port of the host is already taken.".to_owned(),
        };
        return ErrorInfo::new(ErrorCode::PortInUse, sentence)
            .hint("Stop the process or container that holds the port, then start again.")
            .detail(message);
    }
    if is_gpu_runtime(message) {
        return ErrorInfo::new(
            ErrorCode::GpuRuntime,
            "The NVIDIA container runtime refused to start the container.",
        )
        .hint("Check the driver with `nvidia-smi` on the host, then start again.")
        .detail(message);
    }
    ErrorInfo::new(ErrorCode::EngineRefusedAction, "The engine refused.").detail(message)
}

/// Whether these words of the engine say that a host port is taken, and which.
pub fn port_clash(message: &str) -> Option<PortClash> {
    let lower = message.to_ascii_lowercase();
    let taken = [
        "port is already allocated",
        "address already in use",
        "ports are not available",
        "only one usage of each socket address",
        "eaddrinuse",
    ];
    if !taken.iter().any(|words| lower.contains(words)) {
        return None;
    }
    // The address follows one of these; the last of them stands nearest to the system call.
    let port = [
        "listen tcp4 ",
        "listen tcp6 ",
        "listen tcp ",
        "listen udp4 ",
        "listen udp ",
        "bind host port for ",
        "bind host port ",
        "bind port ",
        "bind for ",
        "exposing port tcp ",
        "exposing port udp ",
        "expose port ",
    ]
    .iter()
    .find_map(|words| {
        let at = lower.rfind(words)? + words.len();
        port_of_address(lower[at..].split_whitespace().next()?)
    });
    Some(PortClash { port })
}

/// `0.0.0.0:80`, `[::]:80/tcp`, `:::80:`, `0.0.0.0:80:172.17.0.2:8080/tcp`.
fn port_of_address(address: &str) -> Option<u16> {
    let rest = if let Some(bracketed) = address.strip_prefix('[') {
        bracketed.split_once("]:")?.1
    } else if let Some(any) = address.strip_prefix(":::") {
        any
    } else {
        address.split_once(':')?.1
    };
    let digits = rest.split(|c: char| !c.is_ascii_digit()).next()?;
    digits.parse().ok().filter(|port| *port != 0)
}

/// Whether these words of the engine come from the NVIDIA container runtime or its absence.
pub fn is_gpu_runtime(message: &str) -> bool {
    let lower = message.to_ascii_lowercase();
    [
        "nvidia-container-cli",
        "nvidia-container-runtime",
        "nvidia.com/gpu",
        "gpu vendor from cdi",
    ]
    .iter()
    .any(|words| lower.contains(words))
        || (lower.contains("could not select device driver")
            && ["gpu", "nvidia", "compute", "utility"]
                .iter()
                .any(|word| lower.contains(word)))
        || (lower.contains("runtime") && lower.contains("nvidia") && lower.contains("unknown"))
}

/// The innermost reason of the system, if there is one.
pub(crate) fn io_kind(error: &(dyn std::error::Error + 'static)) -> Option<io::ErrorKind> {
    let mut next = Some(error);
    let mut found = None;
    while let Some(error) = next {
        if let Some(io) = error.downcast_ref::<io::Error>() {
            found = Some(io.kind());
        }
        next = error.source();
    }
    found
}

/// An error with its reasons, in one line.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut words = error.to_string();
    let mut next = error.source();
    while let Some(error) = next {
        let more = error.to_string();
        if !words.contains(&more) {
            words = format!("{words}: {more}");
        }
        next = error.source();
    }
    shortened(&words)
}

/// At most so many characters, control characters replaced.
pub(crate) fn shortened(text: &str) -> String {
    let text = text.trim();
    let clean = |c: char| if c.is_control() && c != '\n' { ' ' } else { c };
    let mut words: String = text.chars().take(MAX_WORDS).map(clean).collect();
    if text.chars().nth(MAX_WORDS).is_some() {
        words.push('…');
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn taken_ports_are_recognised_in_the_words_of_many_engines() {
        for (words, port) in [
            // 20.10 to 27, port held by another container
            (
                "driver failed programming external connectivity on endpoint web (1f): Bind for 0.0.0.0:17860 failed: port is already allocated",
                Some(17860),
            ),
            // port held by a process
            (
                "driver failed programming external connectivity on endpoint web (1f): Error starting userland proxy: listen tcp4 0.0.0.0:8080: bind: address already in use",
                Some(8080),
            ),
            (
                "driver failed programming external connectivity on endpoint web (1f): Error starting userland proxy: listen tcp6 [::]:8080: bind: address already in use",
                Some(8080),
            ),
            // 28
            (
                "failed to set up container networking: driver failed programming external connectivity on endpoint web (1f): failed to bind host port for 0.0.0.0:8188:172.17.0.2:8188/tcp: address already in use",
                Some(8188),
            ),
            (
                "failed to set up container networking: driver failed programming external connectivity on endpoint web (1f): failed to bind host port 0.0.0.0:8188/tcp: address already in use",
                Some(8188),
            ),
            // Docker Desktop
            (
                "Ports are not available: exposing port TCP 0.0.0.0:7860 -> 127.0.0.1:0: listen tcp 0.0.0.0:7860: bind: Only one usage of each socket address (protocol/network address/port) is normally permitted.",
                Some(7860),
            ),
            (
                "Ports are not available: exposing port TCP 0.0.0.0:7860 -> 0.0.0.0:0: listen tcp 0.0.0.0:7860: bind: An attempt was made to access a socket in a way forbidden by its access permissions.",
                Some(7860),
            ),
            (
                "Error starting userland proxy: Bind for 0.0.0.0:80: unexpected error (Failure EADDRINUSE)",
                Some(80),
            ),
            ("port is already allocated", None),
        ] {
            assert_eq!(port_clash(words), Some(PortClash { port }), "{words}");
            let error = DockerError::Refused {
                what: "start",
                status: 500,
                message: words.to_owned(),
            };
            assert_eq!(error.to_info().code, ErrorCode::PortInUse, "{words}");
            assert_eq!(error.to_info().detail.as_deref(), Some(words));
        }
        assert_eq!(port_clash("No such container: web"), None);
        assert_eq!(port_clash("cannot assign requested address"), None);
    }

    #[test]
    fn the_nvidia_runtime_is_recognised_in_its_many_words() {
        for words in [
            "could not select device driver \"\" with capabilities: [[gpu]]",
            "could not select device driver \"nvidia\" with capabilities: [[compute utility]]",
            "OCI runtime create failed: container_linux.go:345: starting container process caused \"process_linux.go:430: container init caused \\\"error running hook: exit status 1, stdout: , stderr: nvidia-container-cli: initialization error: driver error: failed to process request\\\"\": unknown.",
            "failed to create task for container: failed to create shim task: OCI runtime create failed: runc create failed: unable to start container process: error during container init: error running prestart hook #0: exit status 1, stdout: , stderr: Auto-detected mode as 'legacy'\nnvidia-container-cli: initialization error: nvml error: driver not loaded: unknown",
            "CDI device injection failed: unresolvable CDI devices nvidia.com/gpu=0",
            "failed to discover GPU vendor from CDI: no known GPU vendor found",
            "unknown or invalid runtime name: nvidia",
        ] {
            assert!(is_gpu_runtime(words), "{words}");
        }
        for words in [
            "could not select device driver \"\" with capabilities: [[tpu]]",
            "OCI runtime create failed: exec: \"init.sh\": executable file not found in $PATH: unknown",
        ] {
            assert!(!is_gpu_runtime(words), "{words}");
        }
    }

    #[test]
    fn every_error_has_its_code() {
        let refused = |status, message: &str| DockerError::Refused {
            what: "start",
            status,
            message: message.to_owned(),
        };
        for (error, code) in [
            (DockerError::BadName("../x".into()), ErrorCode::BadRequest),
            (
                DockerError::Timeout {
                    what: "stop",
                    deadline: Duration::from_secs(3),
                },
                ErrorCode::EngineTimeout,
            ),
            (DockerError::Connection("gone".into()), ErrorCode::Engine),
            (DockerError::Denied("socket".into()), ErrorCode::Engine),
            (
                refused(404, "No such container: myia"),
                ErrorCode::ContainerMissing,
            ),
            (
                refused(404, "page not found"),
                ErrorCode::EngineRefusedAction,
            ),
            (
                refused(409, "container is paused"),
                ErrorCode::EngineRefusedAction,
            ),
        ] {
            assert_eq!(error.to_info().code, code, "{error}");
        }
    }

    #[test]
    fn hostile_words_are_cut_and_cleaned() {
        let long = "x".repeat(5000);
        assert_eq!(shortened(&long).chars().count(), MAX_WORDS + 1);
        assert_eq!(shortened("a\u{1b}[31mb"), "a [31mb");
    }
}
