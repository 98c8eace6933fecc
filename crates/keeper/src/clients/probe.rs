//! The request behind the `api` rung: asked as the kind requires, judged by pure functions.

use std::time::Duration;

use forgekeeper_domain::{Timestamp, facts::ApiFact, service::KindId};

use super::{
    comfyui, forge,
    http::{Http, Target},
    judge,
};
use crate::{secrets::Credentials, sys::clock};

/// How long the proving request may take before the service counts as hung.
pub(crate) const PROBE_DEADLINE: Duration = Duration::from_secs(5);
/// How long a question beside it may take.
pub(crate) const ASIDE_DEADLINE: Duration = Duration::from_secs(2);

/// What one probe tells the next one of the same service. Start afresh after an address change.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ProbeMemory {
    /// Since when the page answers and the API path does not exist.
    pub(crate) without_api_since: Option<Timestamp>,
    /// The progress seen last, to tell a moving generation from a hung one.
    pub(crate) progress: Option<forge::progress::Mark>,
    /// Since when a server that answers nothing else says that it loads a model.
    pub(crate) loading_since: Option<Timestamp>,
}

/// Asks a service once whether its API works. Never fails: how it ended is the fact.
pub async fn probe(
    http: &Http,
    kind: KindId,
    base_url: &str,
    credentials: Option<&Credentials>,
    memory: &mut ProbeMemory,
) -> ApiFact {
    let target = match Target::new(base_url, credentials.cloned()) {
        Ok(target) => target,
        Err(error) => return judge::failed(error),
    };
    match kind {
        KindId::Forge => forge::probe::probe(http, &target, memory, clock::now()).await,
        KindId::Comfyui => comfyui::probe::probe(http, &target).await,
    }
}

#[cfg(test)]
mod tests;
