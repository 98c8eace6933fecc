//! `engine.ping`: the Docker API answers in time. Hung differs from refused.

use super::{Check, fresh};
use crate::{
    cause::Cause,
    facts::{EngineFact, Facts},
    ladder::Rung,
    outcome::Outcome,
};

pub(super) const CHECK: Check = Check {
    id: "engine.ping",
    rung: Rung::Engine,
    judge: |facts| Some(judge(facts)),
};

fn judge(facts: &Facts) -> Outcome {
    let engine = match fresh(facts.engine.as_ref(), facts.now) {
        Ok(engine) => engine,
        Err(outcome) => return outcome,
    };
    let failing = |cause| Outcome::failing(cause, engine.at);
    match &engine.value {
        EngineFact::Answering {
            version,
            api_version,
            ping_ms,
            ..
        } => Outcome::ok(engine.at)
            .with("version", version)
            .with("api_version", api_version)
            .with("latency_ms", ping_ms),
        EngineFact::Refused { endpoint, reason } => failing(Cause::EngineRefused)
            .with("endpoint", endpoint)
            .with("detail", reason),
        EngineFact::TimedOut {
            endpoint,
            deadline_ms,
        } => failing(Cause::EngineTimeout)
            .with("endpoint", endpoint)
            .with("deadline_ms", deadline_ms),
        EngineFact::NotDocker { endpoint, answer } => failing(Cause::EngineNotDocker)
            .with("endpoint", endpoint)
            .with("answer", answer),
        EngineFact::Denied { endpoint } => failing(Cause::EngineDenied).with("endpoint", endpoint),
        EngineFact::Version { reason } => failing(Cause::EngineVersion).with("detail", reason),
        EngineFact::NotFound { tried } => {
            failing(Cause::EngineNotFound).with("tried", tried.join(", "))
        }
    }
}
