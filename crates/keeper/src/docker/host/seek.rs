//! Finding the engine: which endpoints to try, and what to say when none answers.

use std::time::Duration;

use forgekeeper_domain::facts::{EngineFact, HostFact};

use super::actor::Actor;
use crate::docker::{
    endpoint::{self, ResolvedEndpoint},
    engine::{ConnectFailure, Engine},
    probe,
};

impl Actor {
    /// Tries the endpoint that answered before, else every candidate until one answers.
    pub(super) async fn connect(&mut self) -> Result<Engine, ConnectFailure> {
        let deadlines = self.timings().deadlines;
        if let Some(held) = self.held.clone() {
            return Engine::connect_as(&held, deadlines, &self.shared).await;
        }
        let resolution = endpoint::resolve(&self.config.engine, &self.config.env);
        let mut tried: Vec<String> = resolution
            .unusable
            .iter()
            .map(|unusable| format!("{}: {}", unusable.origin, unusable.error))
            .collect();
        let mut worst: Option<(ResolvedEndpoint, ConnectFailure)> = None;
        let only_one = resolution.candidates.len() == 1 && tried.is_empty();
        for candidate in resolution.candidates {
            match Engine::connect_as(&candidate, deadlines, &self.shared).await {
                Ok(engine) => return Ok(engine),
                Err(failure) => {
                    tried.push(describe(&candidate, &failure.engine));
                    // Something is there and in trouble: that says more than "nothing found".
                    let telling = only_one || !is_nothing_there(&candidate, &failure.engine);
                    if telling && worst.is_none() {
                        worst = Some((candidate, failure));
                    }
                }
            }
        }
        Err(match worst {
            Some((candidate, failure)) => {
                self.view.resolved = Some(candidate);
                failure
            }
            None => ConnectFailure {
                engine: EngineFact::NotFound { tried },
                host: HostFact::Reachable,
                somebody_there: false,
            },
        })
    }

    /// Local endpoints at which a returning engine would be heard.
    pub(super) fn doors(&self) -> Vec<ResolvedEndpoint> {
        let candidates = match &self.held {
            Some(held) => vec![held.clone()],
            None => endpoint::resolve(&self.config.engine, &self.config.env).candidates,
        };
        candidates
            .into_iter()
            .filter(|c| c.endpoint.is_local() && probe::can_ask(&c.endpoint))
            .collect()
    }
}

/// Ends when somebody listens at one of the doors that were closed.
pub(super) async fn opened(doors: &[ResolvedEndpoint], every: Duration) {
    loop {
        tokio::time::sleep(every).await;
        for door in doors {
            if probe::somebody_listens(&door.endpoint, every).await {
                return;
            }
        }
    }
}

fn describe(candidate: &ResolvedEndpoint, fact: &EngineFact) -> String {
    let words = match fact {
        EngineFact::Refused { reason, .. } | EngineFact::Version { reason } => reason.clone(),
        EngineFact::TimedOut { deadline_ms, .. } => format!("no answer within {deadline_ms} ms"),
        EngineFact::NotDocker { answer, .. } => format!("no Docker Engine: {answer}"),
        EngineFact::Denied { .. } => "permission denied".to_owned(),
        EngineFact::NotFound { tried } => return tried.join("; "),
        EngineFact::Answering { .. } => "answers".to_owned(),
    };
    format!("{} ({}): {words}", candidate.endpoint, candidate.origin)
}

/// Of the usual places, those that do not exist at all; what somebody named is always told.
fn is_nothing_there(candidate: &ResolvedEndpoint, fact: &EngineFact) -> bool {
    let exists = match &candidate.endpoint {
        endpoint::Endpoint::Unix(socket) => socket.exists(),
        _ => false,
    };
    candidate.origin == "default" && !exists && matches!(fact, EngineFact::Refused { .. })
}
