//! The drill: the old service is started, makes a picture, and goes to rest again. Each part is timed.

use forgekeeper_domain::{
    action::Action,
    error::{ErrorCode, ErrorInfo},
    generation::GenerationRequest,
    ids::ServiceId,
    migration::{Deed, StepPreview, ending::Drill},
};

use super::{Memory, old, rest, words};
use crate::migration::{Site, StepRun};

pub(super) async fn preview(site: &Site, run: &StepRun) -> Result<StepPreview, ErrorInfo> {
    let from = old(site)?;
    let memory: Memory = run.remembered().unwrap_or_default();
    let preview = StepPreview::default();
    if memory.drilling.is_some() {
        return Ok(preview.does(words::puts_back(&from.id)));
    }
    let engine = rest::engine(site, &from.id)?;
    let mut preview = match rest::runs(&engine, &from.container).await? {
        Some(false) => preview,
        Some(true) => preview.refused(words::runs_already(&from.id)),
        None => preview.refused(words::container_gone(&from.container)),
    };
    if memory.begun.is_none() {
        preview = preview.refused(words::not_begun());
    }
    if let Some(words) = rest::refusal(site, &from.id, Action::Start) {
        preview = preview.refused(words);
    }
    Ok(preview
        .does(words::drill_starts(&from.id))
        .does(words::drill_paints())
        .does(words::drill_stops())
        .interrupts(words::drill_interrupts())
        .undone_by(words::drill_undone()))
}

pub(super) async fn drill(site: &Site, run: &StepRun) -> Result<Deed, ErrorInfo> {
    let from = old(site)?;
    rest::seen(site, &from.id).await;
    let mut memory: Memory = run.remembered().unwrap_or_default();
    if let Some(since) = memory.drilling {
        run.say(words::stopping(), None);
        rest::act(site, &from.id, Action::Stop, true).await?;
        memory.drilling = None;
        run.remember(&memory).await?;
        return Err(ErrorInfo::new(
            ErrorCode::NotProved,
            "the drill was cut short when the program ended",
        )
        .hint("The old service is at rest again; do the drill once more.")
        .detail(format!("begun {since}")));
    }
    let began = site.now();
    memory.drilling = Some(began);
    run.remember(&memory).await?;
    let mut drill = Drill {
        at: began,
        passed: false,
        start_ms: None,
        picture_ms: None,
        total_ms: 0,
        error: None,
    };
    let tried = tried(site, run, &from.id, &mut drill).await;
    // Whatever came of it: at rest it was, and at rest it is again.
    run.say(words::stopping(), None);
    let stopped = rest::act(site, &from.id, Action::Stop, true).await;
    if let (Err(error), true) = (&stopped, run.cancel.is_cancelled()) {
        // The program ends, and its actions with it: the next one stops the service.
        return Err(StepRun::cancelled().detail(error.message.clone()));
    }
    drill.total_ms = since(site, began);
    let result = tried.and(stopped.map(drop));
    drill.passed = result.is_ok();
    drill.error = result.as_ref().err().map(|error| error.message.clone());
    memory.drilling = None;
    // One that somebody ended says nothing of the way back.
    if !run.cancel.is_cancelled() {
        memory.drill = Some(drill.clone());
    }
    run.remember(&memory).await?;
    result?;
    let mut deed = Deed::default().before("running", false);
    for (name, value) in [
        ("start_ms", drill.start_ms),
        ("picture_ms", drill.picture_ms),
        ("total_ms", Some(drill.total_ms)),
    ] {
        if let Some(value) = value {
            deed = deed.after(name, value);
        }
    }
    Ok(deed.after("running", false))
}

async fn tried(
    site: &Site,
    run: &StepRun,
    id: &ServiceId,
    drill: &mut Drill,
) -> Result<(), ErrorInfo> {
    run.say(words::starting(), Some(10));
    rest::act(site, id, Action::Start, false).await?;
    drill.start_ms = Some(since(site, drill.at));
    run.go_on()?;
    run.say(words::painting(), Some(50));
    let keeper = site.keeper();
    let began = site.now();
    let job = Box::pin(keeper.generate(id, GenerationRequest::default(), false)).await?;
    let made = tokio::select! {
        made = keeper.wait(&job) => made?,
        () = run.cancel.cancelled() => {
            // One that has just ended needs no cancelling.
            let _ = keeper.cancel(&job);
            return Err(StepRun::cancelled());
        }
    };
    rest::ended(made)?;
    drill.picture_ms = Some(since(site, began));
    Ok(())
}

fn since(site: &Site, began: forgekeeper_domain::Timestamp) -> u64 {
    let millis = site.now().duration_since(began).as_millis();
    u64::try_from(millis).unwrap_or(0)
}
