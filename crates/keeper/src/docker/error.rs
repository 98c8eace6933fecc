//! What the engine refuses or fails to do, told apart by its own words.

use std::{io, time::Duration};

use forgekeeper_domain::{
    engine_words::{is_disk_full, is_gpu_runtime, port_clash},
    error::{ErrorCode, ErrorInfo},
};

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
    /// The machine cannot be reached: no such name, no route.
    #[error("the engine's machine cannot be reached: {0}")]
    Unreachable(String),
    /// The other side is not who it should be, or does not accept who we are.
    #[error("the engine cannot be talked to securely: {0}")]
    Tls(String),
    /// The same command, begun earlier, has not ended; Docker has no way to end it.
    #[error("an earlier `{command}` still runs in the container and does not answer")]
    StillRunning {
        /// The program and its first argument.
        command: String,
    },
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
            other if is_tls(other) => Self::Tls(chain(other)),
            other => match io_kind(other) {
                Some(io::ErrorKind::PermissionDenied) => Self::Denied(chain(other)),
                Some(
                    io::ErrorKind::HostUnreachable
                    | io::ErrorKind::NetworkUnreachable
                    | io::ErrorKind::TimedOut,
                ) => Self::Unreachable(chain(other)),
                _ => {
                    let words = chain(other);
                    // The resolver's error has no kind of its own.
                    if words.contains("dns error") || words.contains("failed to lookup address") {
                        Self::Unreachable(words)
                    } else {
                        Self::Connection(words)
                    }
                }
            },
        }
    }

    /// Whether the engine itself, not the request, is the trouble.
    pub fn is_connection(&self) -> bool {
        matches!(
            self,
            Self::Timeout { .. }
                | Self::Connection(_)
                | Self::Unreachable(_)
                | Self::Tls(_)
                | Self::Denied(_)
        )
    }

    /// Whether the engine said that there is no such container.
    pub fn is_missing(&self) -> bool {
        matches!(self, Self::Refused { status: 404, message, .. }
            if message.to_ascii_lowercase().contains("no such container"))
    }

    /// Whether the engine said that the container has no such path.
    pub fn is_no_file(&self) -> bool {
        matches!(self, Self::Refused { status: 404, .. }) && !self.is_missing()
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
            Self::StillRunning { .. } => info(
                ErrorCode::EngineTimeout,
                "The container does not end what was asked of it before.",
            )
            .hint("Restart the container."),
            Self::Unreachable(_) => {
                info(ErrorCode::Engine, "The engine's machine cannot be reached.")
                    .hint("Check the machine and the network; Forgekeeper reconnects by itself.")
            }
            Self::Tls(_) => info(
                ErrorCode::Engine,
                "The engine cannot be talked to securely.",
            )
            .hint("Check the certificates of the Docker context."),
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
    if is_disk_full(message) {
        return ErrorInfo::new(
            ErrorCode::EngineRefusedAction,
            "No space is left on a disk of the engine's machine.",
        )
        .hint("Free some space, then start again.")
        .detail(message);
    }
    ErrorInfo::new(ErrorCode::EngineRefusedAction, "The engine refused.").detail(message)
}

/// Whether the handshake failed: a peer that is not trusted, or that does not speak TLS.
fn is_tls(error: &(dyn std::error::Error + 'static)) -> bool {
    std::iter::successors(Some(error), |error| error.source()).any(|error| {
        error.is::<rustls::Error>()
            || error
                .downcast_ref::<io::Error>()
                .and_then(io::Error::get_ref)
                .is_some_and(<dyn std::error::Error + Send + Sync>::is::<rustls::Error>)
    })
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
    fn refused_starts_have_their_code_and_keep_the_words() {
        for (words, code) in [
            (
                "Ports are not available: exposing port TCP 0.0.0.0:7860 -> 0.0.0.0:0: listen tcp 0.0.0.0:7860: bind: An attempt was made to access a socket in a way forbidden by its access permissions.",
                ErrorCode::PortInUse,
            ),
            (
                "could not select device driver \"\" with capabilities: [[gpu]]",
                ErrorCode::GpuRuntime,
            ),
            (
                "mkdir /var/lib/docker/overlay2/x: no space left on device",
                ErrorCode::EngineRefusedAction,
            ),
        ] {
            let error = DockerError::Refused {
                what: "start",
                status: 500,
                message: words.to_owned(),
            };
            let info = error.to_info();
            assert_eq!(info.code, code, "{words}");
            assert_eq!(info.detail.as_deref(), Some(words));
            assert!(info.hint.is_some(), "{words}");
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
