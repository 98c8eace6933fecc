//! Why there is no connection: hung, refused, foreign and unreachable told apart.

use std::time::Duration;

use forgekeeper_domain::facts::{EngineFact, HostFact};

use super::{
    endpoint::Endpoint,
    error::DockerError,
    probe::{self, Asked},
};

/// Why there is no connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConnectFailure {
    /// The engine rung's fact.
    pub engine: EngineFact,
    /// The host rung's fact.
    pub host: HostFact,
    /// Somebody took the connection: waiting until somebody does would be pointless.
    pub somebody_there: bool,
}

/// The transport cannot be used at all on this machine.
pub(super) fn not_found(endpoint: &Endpoint, words: &str) -> ConnectFailure {
    ConnectFailure {
        engine: EngineFact::NotFound {
            tried: vec![format!("{endpoint}: {words}")],
        },
        host: HostFact::Reachable,
        somebody_there: false,
    }
}

/// No API version is spoken by both sides.
pub(super) fn unfit(reason: String) -> ConnectFailure {
    ConnectFailure {
        engine: EngineFact::Version { reason },
        host: HostFact::Reachable,
        somebody_there: true,
    }
}

/// How a small question ended, when not well.
pub(super) fn failure(endpoint: &Endpoint, asked: Asked, deadline: Duration) -> ConnectFailure {
    let at = endpoint.to_string();
    let deadline_ms = u32::try_from(deadline.as_millis()).unwrap_or(u32::MAX);
    let mut host = HostFact::Reachable;
    let mut somebody_there = false;
    let engine = match asked {
        Asked::Answer {
            status: status @ 500..,
            body,
            ..
        } => {
            somebody_there = true;
            EngineFact::Refused {
                endpoint: at,
                reason: in_between(status, &probe::evidence(&body)),
            }
        }
        Asked::Answer {
            status,
            content_type,
            body,
        } => EngineFact::NotDocker {
            endpoint: at,
            answer: format!("HTTP {status} {content_type} {}", probe::evidence(&body)),
        },
        Asked::Foreign { what } => EngineFact::NotDocker {
            endpoint: at,
            answer: what,
        },
        Asked::Refused { reason } => EngineFact::Refused {
            endpoint: at,
            reason,
        },
        Asked::Denied => EngineFact::Denied { endpoint: at },
        Asked::Unreachable { reason } => {
            host = HostFact::Unreachable {
                reason: reason.clone(),
            };
            EngineFact::Refused {
                endpoint: at,
                reason,
            }
        }
        Asked::ConnectTimedOut => {
            if !endpoint.is_local() {
                let reason = format!("no connection within {deadline_ms} ms");
                host = HostFact::Unreachable { reason };
            }
            EngineFact::TimedOut {
                endpoint: at,
                deadline_ms,
            }
        }
        Asked::TimedOut => EngineFact::TimedOut {
            endpoint: at,
            deadline_ms,
        },
    };
    ConnectFailure {
        engine,
        host,
        somebody_there,
    }
}

/// Docker Desktop's proxy answers so while its engine is starting or stopped.
fn in_between(status: u16, words: &str) -> String {
    format!("the engine is starting or stopped (HTTP {status} {words})")
}

/// The same for transports that bollard speaks.
pub(super) fn failure_of(
    endpoint: &Endpoint,
    error: &DockerError,
    deadline: Duration,
) -> ConnectFailure {
    let asked = match error {
        DockerError::Timeout { .. } => Asked::TimedOut,
        DockerError::Denied(_) => Asked::Denied,
        DockerError::Unreachable(reason) => Asked::Unreachable {
            reason: reason.clone(),
        },
        DockerError::Connection(reason) if endpoint.is_ssh() => Asked::Unreachable {
            reason: reason.clone(),
        },
        DockerError::Connection(reason) => Asked::Refused {
            reason: reason.clone(),
        },
        DockerError::Refused {
            status: status @ 500..,
            message,
            ..
        } => Asked::Answer {
            status: *status,
            content_type: String::new(),
            body: message.clone().into_bytes(),
        },
        other => Asked::Foreign {
            what: other.to_string(),
        },
    };
    failure(endpoint, asked, deadline)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::docker::endpoint::Env;

    const SECOND: Duration = Duration::from_secs(1);

    fn endpoint(text: &str) -> Endpoint {
        Endpoint::parse(text, &Env::default()).expect("an endpoint")
    }

    #[test]
    fn an_engine_that_starts_or_stops_is_refused_and_not_foreign() {
        let answer = |status| Asked::Answer {
            status,
            content_type: "text/plain".into(),
            body: b"Docker Desktop is unable to start".to_vec(),
        };
        let tcp = endpoint("tcp://127.0.0.1:2375");
        let found = failure(&tcp, answer(500), SECOND);
        assert!(found.somebody_there);
        assert!(
            matches!(&found.engine, EngineFact::Refused { reason, .. }
                if reason.contains("starting or stopped") && reason.contains("unable to start")),
            "{found:?}"
        );
        let found = failure(&tcp, answer(404), SECOND);
        assert!(matches!(found.engine, EngineFact::NotDocker { .. }));
        let refused = DockerError::Refused {
            what: "ping",
            status: 503,
            message: "starting".into(),
        };
        let found = failure_of(&tcp, &refused, SECOND);
        assert!(matches!(found.engine, EngineFact::Refused { .. }));
    }

    #[test]
    fn broken_transports_are_told_apart() {
        let ssh = endpoint("ssh://me@box");
        let tcp = endpoint("tcp://127.0.0.1:2375");
        let of = |endpoint, error: DockerError| failure_of(endpoint, &error, SECOND);
        let lost = || DockerError::Connection("broken pipe".into());
        assert_eq!(of(&tcp, lost()).host, HostFact::Reachable);
        assert!(matches!(
            of(&ssh, lost()).host,
            HostFact::Unreachable { .. }
        ));
        let gone = of(&tcp, DockerError::Unreachable("no route".into()));
        assert!(matches!(gone.host, HostFact::Unreachable { .. }));
        let tls = of(&tcp, DockerError::Tls("certificate has expired".into()));
        assert!(
            matches!(&tls.engine, EngineFact::NotDocker { answer, .. } if answer.contains("expired")),
            "{tls:?}"
        );
    }
}
