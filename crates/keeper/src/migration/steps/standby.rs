//! `standby`: the old service at rest, its container kept, and the way back tried each week.

mod drill;
mod words;

use forgekeeper_domain::{
    Timestamp,
    action::Action,
    config::Reason,
    error::{ErrorCode, ErrorInfo},
    ids::ServiceId,
    migration::{
        AfterKill, CheckKind, Deed, Finding, StepPreview, Target,
        ending::{Drill, StandbyFacts, standby},
    },
};
use futures_util::future::BoxFuture;
use jiff::SignedDuration;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{rest, stability};
use crate::{
    migration::{RefusedBy, Site, StepRun, StepWork},
    settings::ServiceSettings,
};

/// The step's name in the plan, by which its memory is kept.
const STEP: &str = "standby";

/// The step.
#[derive(Debug)]
pub(crate) struct Standby;

/// What the step remembers.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Memory {
    /// When it was begun.
    begun: Option<Timestamp>,
    /// The snapshot of before.
    snapshot: Option<String>,
    /// The last drill.
    drill: Option<Drill>,
    /// Since when a drill is under way: the service may run because of it.
    drilling: Option<Timestamp>,
}

impl StepWork for Standby {
    fn check<'a>(&'a self, site: &'a Site) -> BoxFuture<'a, Finding> {
        Box::pin(async move {
            match facts(site).await {
                // What was proved of it before stays.
                Ok(facts) if facts.container == Some(false) && gone_since(site).await => {
                    Finding::unknown(words::decommissioned())
                }
                Ok(facts) => compared(site, standby(&facts)),
                Err(finding) => finding,
            }
        })
    }

    fn every(&self) -> SignedDuration {
        SignedDuration::from_hours(1)
    }

    fn waits(&self) -> bool {
        true
    }

    fn can_run(&self) -> bool {
        true
    }

    fn can_undo(&self) -> bool {
        true
    }

    fn can_drill(&self) -> bool {
        true
    }

    fn after_kill(&self) -> AfterKill {
        AfterKill::Again
    }

    fn preview<'a>(&'a self, site: &'a Site) -> BoxFuture<'a, Result<StepPreview, ErrorInfo>> {
        Box::pin(preview(site))
    }

    fn preview_undo<'a>(
        &'a self,
        site: &'a Site,
        _run: &'a StepRun,
    ) -> BoxFuture<'a, Result<StepPreview, ErrorInfo>> {
        Box::pin(async { preview_undo(site) })
    }

    fn rests(&self, target: &Target, memory: &Value) -> Option<(ServiceId, Timestamp)> {
        let memory: Memory = serde_json::from_value(memory.clone()).ok()?;
        Some((target.from.clone()?, memory.begun?))
    }

    fn run<'a>(
        &'a self,
        site: &'a Site,
        run: &'a StepRun,
    ) -> BoxFuture<'a, Result<Deed, ErrorInfo>> {
        Box::pin(begin(site, run))
    }

    fn undo<'a>(
        &'a self,
        site: &'a Site,
        run: &'a StepRun,
    ) -> BoxFuture<'a, Result<Deed, ErrorInfo>> {
        Box::pin(undo(site, run))
    }

    fn preview_drill<'a>(
        &'a self,
        site: &'a Site,
        run: &'a StepRun,
    ) -> BoxFuture<'a, Result<StepPreview, ErrorInfo>> {
        Box::pin(drill::preview(site, run))
    }

    fn drill<'a>(
        &'a self,
        site: &'a Site,
        run: &'a StepRun,
    ) -> BoxFuture<'a, Result<Deed, ErrorInfo>> {
        Box::pin(drill::drill(site, run))
    }
}

/// Whether the old service is at rest because of this step: others do not miss it then.
pub(super) async fn has_begun(site: &Site) -> bool {
    let memory: Option<Memory> = site.memory(STEP).await;
    memory.is_some_and(|memory| memory.begun.is_some())
}

/// Whether the last step has taken the container away.
async fn gone_since(site: &Site) -> bool {
    let memory: Option<Value> = site.memory(super::decommission::STEP).await;
    memory.is_some()
}

fn old(site: &Site) -> Result<ServiceSettings, ErrorInfo> {
    Ok(site.from().map_err(RefusedBy)?)
}

async fn facts(site: &Site) -> Result<StandbyFacts, Finding> {
    let from = site.from()?;
    let memory: Memory = site.memory(STEP).await.unwrap_or_default();
    let carried = stability::carried(site).await.map_err(stability::unread)?;
    let mut facts = StandbyFacts {
        now: site.now(),
        begun: memory.begun,
        carried,
        needed: site.target().standby_days(),
        drill: memory.drill,
        container: None,
        at_rest: None,
        image: None,
    };
    if let Ok(engine) = rest::engine(site, &from.id)
        && let Ok(runs) = rest::runs(&engine, &from.container).await
    {
        facts.container = Some(runs.is_some());
        facts.at_rest = runs.map(|runs| !runs);
        if let Ok(Some(recipe)) = engine.recipe(&from.container).await {
            facts.image = engine.has_image(&recipe.image_id).await.ok();
        }
    }
    Ok(facts)
}

/// How fast both were with the same batch, where that was measured.
fn compared(site: &Site, finding: Finding) -> Finding {
    let steps = site.plan().steps();
    let batch = steps
        .iter()
        .find(|planned| planned.step.check == Some(CheckKind::BatchEquivalence));
    let proofs = batch.and_then(|planned| site.proofs().get(&planned.step.id));
    let value = |name: &str| {
        let proof = proofs?.last()?;
        let found = proof.evidence.iter().find(|piece| piece.name == name)?;
        Some(found.value.clone())
    };
    finding
        .with_some("forge_batch_median_ms", value("reference_median_ms"))
        .with_some("target_batch_median_ms", value("candidate_median_ms"))
}

async fn preview(site: &Site) -> Result<StepPreview, ErrorInfo> {
    let from = old(site)?;
    let days = site.target().standby_days();
    let mut preview = StepPreview::default()
        .does(words::snapshot(&from.id))
        .does(words::stops(&from.id, &from.container));
    let plan = site.keeper().plan(&from.id, Action::Stop)?;
    for command in &plan.runs {
        preview = preview.runs(command);
    }
    if stability::carried(site).await?.is_none() {
        preview = preview.looks(words::not_carried());
    }
    let recipe = match rest::engine(site, &from.id) {
        Ok(engine) => engine.recipe(&from.container).await.ok().flatten(),
        Err(_) => None,
    };
    if recipe.and_then(|recipe| recipe.restart_policy).as_deref() == Some("always") {
        preview = preview.looks(words::starts_by_itself());
    }
    if let Some(words) = rest::refusal(site, &from.id, Action::Stop) {
        preview = preview.refused(words);
    }
    Ok(preview
        .does(words::counts(days))
        .interrupts(words::interrupts(&from.id))
        .undone_by(words::undone_by()))
}

async fn begin(site: &Site, run: &StepRun) -> Result<Deed, ErrorInfo> {
    let from = old(site)?;
    rest::seen(site, &from.id).await;
    let engine = rest::engine(site, &from.id)?;
    let running = rest::runs(&engine, &from.container).await?.ok_or_else(|| {
        ErrorInfo::new(
            ErrorCode::Refused,
            format!("the container `{}` is gone", from.container),
        )
    })?;
    let mut memory: Memory = run.remembered().unwrap_or_default();
    run.say(words::taking_snapshot(), None);
    let taken = site
        .keeper()
        .take_snapshot(&from.id, Reason::BeforeAction)
        .await?;
    site.keeper().pin_snapshot(&taken.id, true).await?;
    memory.snapshot = Some(taken.id.to_string());
    // One that runs was not at rest: what was counted before says nothing.
    if running || memory.begun.is_none() {
        memory.begun = Some(site.now());
        memory.drill = None;
    }
    run.remember(&memory).await?;
    run.go_on()?;
    run.say(words::stopping(), None);
    rest::act(site, &from.id, Action::Stop, false).await?;
    Ok(Deed::default()
        .before("running", running)
        .after("running", false)
        .after("container", &from.container)
        .after("snapshot", taken.id)
        .after("days", site.target().standby_days()))
}

fn preview_undo(site: &Site) -> Result<StepPreview, ErrorInfo> {
    let from = old(site)?;
    let mut preview = StepPreview::default().does(words::starts(&from.id));
    for command in site.keeper().plan(&from.id, Action::Start)?.runs {
        preview = preview.runs(command);
    }
    if let Some(words) = rest::refusal(site, &from.id, Action::Start) {
        preview = preview.refused(words);
    }
    Ok(preview.undone_by(words::again()))
}

async fn undo(site: &Site, run: &StepRun) -> Result<Deed, ErrorInfo> {
    let from = old(site)?;
    rest::seen(site, &from.id).await;
    run.say(words::starting(), None);
    let engine = rest::engine(site, &from.id)?;
    let running = rest::runs(&engine, &from.container).await?;
    let began = site.now();
    rest::act(site, &from.id, Action::Start, false).await?;
    Ok(Deed::default()
        .before("running", running == Some(true))
        .after("running", true)
        .after("took_ms", site.now().duration_since(began).as_millis()))
}
