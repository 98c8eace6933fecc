//! The old service put to rest and woken again, for the steps that need that.

use std::time::Duration;

use forgekeeper_domain::{
    action::{Action, Refusal},
    container::RunState,
    error::{ErrorCode, ErrorInfo},
    ids::ServiceId,
    job::{Job, JobPhase},
    migration::Words,
};

use crate::{docker::engine::Engine, migration::Site};

/// After a start of this program, until the engine has told of the service.
const SEEN: Duration = Duration::from_mins(1);

/// The engine that a service runs on.
pub(super) fn engine(site: &Site, id: &ServiceId) -> Result<Engine, ErrorInfo> {
    let engine = site.watch(id)?.host.engine();
    engine.ok_or_else(|| {
        ErrorInfo::new(ErrorCode::Engine, "the engine does not answer")
            .hint("Start Docker, then try again.")
    })
}

/// Waits until the engine has told how the container of a service is. A step that goes on after a kill
/// comes before that.
pub(super) async fn seen(site: &Site, id: &ServiceId) {
    known(site, id, &[Refusal::StateUnknown]).await;
}

/// Waits until the container of a service, just made, is followed.
pub(super) async fn present(site: &Site, id: &ServiceId) {
    known(
        site,
        id,
        &[Refusal::StateUnknown, Refusal::ContainerMissing],
    )
    .await;
}

async fn known(site: &Site, id: &ServiceId, not: &[Refusal]) {
    let known = async {
        while engine(site, id).is_err() || refuses(site, id, not) {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    // What is not known by then is refused with its own words.
    let _ = tokio::time::timeout(SEEN, known).await;
}

fn refuses(site: &Site, id: &ServiceId, not: &[Refusal]) -> bool {
    let plan = site.keeper().plan(id, Action::Stop);
    plan.is_ok_and(|plan| plan.refusals.iter().any(|refusal| not.contains(refusal)))
}

/// Whether a container runs; `None`: there is none.
pub(super) async fn runs(engine: &Engine, container: &str) -> Result<Option<bool>, ErrorInfo> {
    let found = engine.inspect(container).await;
    let found = found.map_err(|error| error.to_info())?;
    Ok(found.map(|found| {
        matches!(
            found.state,
            RunState::Running | RunState::Restarting | RunState::Paused
        )
    }))
}

/// Does an action on a service, and waits for its proof. One that has nothing to do is as good.
pub(super) async fn act(
    site: &Site,
    id: &ServiceId,
    action: Action,
    force: bool,
) -> Result<Option<Job>, ErrorInfo> {
    let keeper = site.keeper();
    let plan = keeper.plan(id, action)?;
    if matches!(
        plan.refused(force),
        Some(Refusal::AlreadyStopped | Refusal::AlreadyRunning)
    ) {
        return Ok(None);
    }
    let job = Box::pin(keeper.act(id, action, force)).await?;
    ended(keeper.wait(&job).await?).map(Some)
}

/// A job as its success, or as the error that it ended with.
pub(super) fn ended(job: Job) -> Result<Job, ErrorInfo> {
    if job.phase == JobPhase::Succeeded {
        return Ok(job);
    }
    let code = match job.phase {
        JobPhase::Cancelled => ErrorCode::Cancelled,
        _ => ErrorCode::NotProved,
    };
    Err(job.error.unwrap_or_else(|| {
        ErrorInfo::new(
            code,
            format!("`{}` did not do what it was asked for", job.service),
        )
    }))
}

/// Why an action would be refused; nothing where it has nothing to do.
pub(super) fn refusal(site: &Site, id: &ServiceId, action: Action) -> Option<Words> {
    let plan = match site.keeper().plan(id, action) {
        Ok(plan) => plan,
        Err(error) => return Some(Words::both(error.message.clone(), error.message)),
    };
    let (en, fr) = match plan.refused(false)? {
        Refusal::AlreadyStopped | Refusal::AlreadyRunning => return None,
        Refusal::EngineNotAnswering => ("the engine does not answer", "le moteur ne répond pas"),
        Refusal::ContainerMissing => ("its container is gone", "son conteneur a disparu"),
        Refusal::GenerationRunning => (
            "a generation is running on it",
            "une génération y est en cours",
        ),
        Refusal::AlreadyActing => (
            "another action on it is under way",
            "une autre action y est en cours",
        ),
        _ => (
            "its state does not allow it now",
            "son état ne le permet pas actuellement",
        ),
    };
    Some(Words::both(
        format!("`{id}` is left alone: {en}."),
        format!("«\u{202f}{id}\u{202f}» n’est pas touché\u{202f}: {fr}."),
    ))
}
