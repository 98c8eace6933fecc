//! ComfyUI beside Forge: a compose file and what it describes, made through the engine.

mod deed;
mod latency;
mod plan;
mod preview;
mod take_back;
mod words;

use forgekeeper_domain::{
    error::ErrorInfo,
    migration::{AfterKill, Deed, Finding, StepPreview},
    outcome::Status,
};
use futures_util::future::BoxFuture;
use serde::{Deserialize, Serialize};

use crate::{
    migration::{Site, StepRun, StepWork},
    state::ServiceState,
};

/// The step.
#[derive(Debug)]
pub struct ComposeBeside;

/// A file that was written: what was there, and what it holds since.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Written {
    path: String,
    /// `None`: there was none.
    before: Option<String>,
    after: String,
}

/// What the step remembers: everything that is taken back.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Made {
    compose: Option<Written>,
    paths: Option<Written>,
    /// The container, with the network of its project; only what carries our label is removed.
    beside: Option<forgekeeper_domain::migration::compose::Beside>,
    /// The host it is on, as the settings name it.
    host: Option<String>,
    /// The service that was added to the settings.
    service: Option<String>,
    /// Forge's answer before and after, milliseconds.
    latency_before: Option<u32>,
    latency_after: Option<u32>,
}

impl StepWork for ComposeBeside {
    fn check<'a>(&'a self, site: &'a Site) -> BoxFuture<'a, Finding> {
        Box::pin(check(site))
    }

    fn can_run(&self) -> bool {
        true
    }

    fn can_undo(&self) -> bool {
        true
    }

    fn after_kill(&self) -> AfterKill {
        // Everything that is there already is taken as it is, or made anew.
        AfterKill::Again
    }

    fn preview<'a>(&'a self, site: &'a Site) -> BoxFuture<'a, Result<StepPreview, ErrorInfo>> {
        Box::pin(preview::preview(site))
    }

    fn preview_undo<'a>(
        &'a self,
        _site: &'a Site,
        run: &'a StepRun,
    ) -> BoxFuture<'a, Result<StepPreview, ErrorInfo>> {
        Box::pin(async { Ok(preview::undo(&run.remembered().unwrap_or_default())) })
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
        Box::pin(take_back::undo(site, run))
    }
}

/// The target runs, its ladder is green, it is on the card that was meant, and Forge is as it was.
async fn check(site: &Site) -> Finding {
    let from = match site.from() {
        Ok(service) => service,
        Err(finding) => return finding,
    };
    let to = match site.to() {
        Ok(service) => service,
        Err(finding) => return finding,
    };
    let state = site.state();
    let of = |id| state.services.iter().find(|service| service.id == id);
    let mut finding = match of(to.id.clone()) {
        None => Finding::unknown(words::not_seen_yet(to.id.as_str())),
        Some(service) => stands(service),
    };
    if let Some(service) = of(to.id.clone()) {
        finding = finding
            .with("service", &to.id)
            .with_some("api", to.api.as_ref())
            .with_some("latency_ms", service.api_latency_ms);
        if let Some(container) = &service.container {
            finding = finding.with("container", &container.name);
            finding = finding.with("image", &container.image);
        }
        if let (Some(wanted), Some(container)) = (&site.target().image, &service.container)
            && container.image != *wanted
        {
            finding = finding.and(Finding::failed(words::other_image(
                wanted,
                &container.image,
            )));
        }
        if let Some(card) = site.target().gpu.as_ref().filter(|gpu| plan::is_card(gpu)) {
            finding = finding.and(on_card(site, service, card));
        }
    }
    // Once it stands by, nobody asks how fast it is.
    if super::standby::has_begun(site).await {
        return finding.with("forge", "at rest");
    }
    finding = finding.and(match of(from.id.clone()) {
        None => Finding::unknown(words::not_seen_yet(from.id.as_str())),
        Some(service) => stands(service),
    });
    let now = latency::of(site, &from).await;
    let made: Option<Made> = site.memory("compose-beside").await;
    finding.and(latency::judge(
        made.and_then(|made| made.latency_before),
        now,
    ))
}

fn stands(service: &ServiceState) -> Finding {
    let id = service.id.as_str();
    match service.status {
        Status::Ok => Finding::proved(),
        Status::Degraded | Status::Failing => Finding::failed(words::not_green(id)),
        Status::Unknown | Status::Asleep | Status::NotConfigured => {
            Finding::unknown(words::not_measured(id))
        }
    }
}

/// Whether the container is declared on the card that the plan names.
fn on_card(
    site: &Site,
    service: &ServiceState,
    card: &forgekeeper_domain::ids::GpuUuid,
) -> Finding {
    let Some(container) = &service.container else {
        return Finding::unknown(words::not_seen_yet(service.id.as_str()));
    };
    let cards = plan::cards(site, &service.host);
    let declared = container
        .gpu_device_ids
        .iter()
        .filter_map(|id| crate::docker::make::card(id, &cards));
    let declared: Vec<_> = declared.collect();
    if declared.contains(card) {
        Finding::proved().with("card", card)
    } else {
        Finding::failed(words::other_card(card.as_str()))
    }
}
