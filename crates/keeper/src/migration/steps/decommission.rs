//! `decommission`: the old service's container goes, its models stay as they are, and a way back is kept.

mod deed;
mod folder;
mod plan;
mod proof;
mod words;

use std::time::Duration;

use forgekeeper_domain::{
    Timestamp,
    error::ErrorInfo,
    ids::ServiceId,
    migration::{AfterKill, Deed, Finding, StepPreview, Target},
};
use futures_util::future::BoxFuture;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{backup, rest};
use crate::{
    docker::parting::{NetworkHere, Recreation},
    migration::{RefusedBy, Site, StepRun, StepWork},
};

/// The step's name in the plan, by which its memory is kept.
pub(super) const STEP: &str = "decommission";
/// The engine may count for a while, and a registry be asked.
const DEADLINE: Duration = Duration::from_mins(2);

/// The step.
#[derive(Debug)]
pub(crate) struct Decommission;

/// What the step remembers before it removes anything: all it takes to prove it and to take it back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Memory {
    /// Whose container it was.
    service: ServiceId,
    /// When it was prepared.
    #[serde(default)]
    begun: Option<Timestamp>,
    /// What the container is made from.
    container: Recreation,
    /// Its network, if that goes, too.
    network: Option<NetworkHere>,
    /// Whether its image goes, too.
    image_goes: bool,
    /// What its image is called in its registry, by digest.
    digest: Option<String>,
    /// The last snapshot.
    snapshot: String,
    /// The models folder.
    models: String,
    /// The hash of the marks of its files.
    marks: String,
    /// Bytes on the engine's disk before and after.
    space_before: Option<u64>,
    space_after: Option<u64>,
}

impl StepWork for Decommission {
    fn check<'a>(&'a self, site: &'a Site) -> BoxFuture<'a, Finding> {
        Box::pin(async move { proof::look(site).await.unwrap_or_else(|finding| finding) })
    }

    fn deadline(&self) -> Duration {
        DEADLINE
    }

    fn can_run(&self) -> bool {
        true
    }

    fn can_undo(&self) -> bool {
        true
    }

    fn after_kill(&self) -> AfterKill {
        // What is gone already is passed over; what was remembered stays.
        AfterKill::Again
    }

    fn preview<'a>(&'a self, site: &'a Site) -> BoxFuture<'a, Result<StepPreview, ErrorInfo>> {
        Box::pin(plan::preview(site))
    }

    fn preview_undo<'a>(
        &'a self,
        site: &'a Site,
        run: &'a StepRun,
    ) -> BoxFuture<'a, Result<StepPreview, ErrorInfo>> {
        Box::pin(plan::preview_undo(site, run))
    }

    fn rests(&self, _target: &Target, memory: &Value) -> Option<(ServiceId, Timestamp)> {
        let memory: Memory = serde_json::from_value(memory.clone()).ok()?;
        Some((memory.service, memory.begun?))
    }

    fn run<'a>(
        &'a self,
        site: &'a Site,
        run: &'a StepRun,
    ) -> BoxFuture<'a, Result<Deed, ErrorInfo>> {
        Box::pin(deed::run(site, run))
    }

    fn undo<'a>(
        &'a self,
        site: &'a Site,
        run: &'a StepRun,
    ) -> BoxFuture<'a, Result<Deed, ErrorInfo>> {
        Box::pin(deed::undo(site, run))
    }
}

/// The models folder as the plan names it.
fn models(site: &Site) -> Result<std::path::PathBuf, RefusedBy> {
    let said = site.target().models.as_deref();
    let said = said.ok_or_else(|| RefusedBy(Finding::unset("target", "models")))?;
    Ok(site.path(said))
}
