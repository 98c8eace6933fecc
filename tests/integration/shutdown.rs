//! The end of a keeper leaves no task behind, whatever it was doing.

use std::time::{Duration, Instant};

use forgekeeper_domain::{
    action::{Action, RestartTarget},
    generation::GenerationRequest,
    job::JobPhase,
};
use forgekeeper_standin::Fault;

use crate::rig::{Kept, SECOND, causes, id, until};

const NONE: [&str; 0] = [];
/// A shutdown waits five seconds for tasks that do not listen; it must not need that.
const QUICK: Duration = Duration::from_secs(4);

async fn ends_clean(kept: Kept) {
    let started = Instant::now();
    assert_eq!(kept.end().await, NONE);
    assert!(started.elapsed() < QUICK, "took {:?}", started.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn on_a_healthy_host() {
    ends_clean(Kept::start(20.0).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn on_a_hung_engine() {
    let kept = Kept::start(20.0).await;
    kept.site
        .inject(Fault::EngineHung, None)
        .expect("a fault of the host");
    until(&kept.handle(), "hung", 15 * SECOND, |s| {
        causes(s) == ["engine.timeout"]
    })
    .await;
    ends_clean(kept).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn during_a_restart() {
    let kept = Kept::start(1.0).await;
    let handle = kept.handle();
    let action = Action::Restart {
        target: RestartTarget::Container,
    };
    let job = handle
        .act(&id("myia"), action, false)
        .await
        .expect("accepted");
    until(&handle, "under way", 10 * SECOND, |s| {
        s.jobs.iter().any(|j| j.id == job && j.stages.len() >= 2)
    })
    .await;
    ends_clean(kept).await;
    let ended = handle.wait(&job).await.expect("a job that ended");
    assert_eq!(ended.phase, JobPhase::Cancelled);
}

#[tokio::test(flavor = "multi_thread")]
async fn during_a_generation() {
    let kept = Kept::start(1.0).await;
    let handle = kept.handle();
    let request = GenerationRequest {
        prompt: "a long one".to_owned(),
        steps: 150,
        width: 512,
        height: 512,
        ..GenerationRequest::default()
    };
    let job = handle
        .generate(&id("myia"), request)
        .await
        .expect("accepted");
    until(&handle, "steps", 15 * SECOND, |s| {
        s.jobs
            .iter()
            .any(|j| j.generation.as_ref().is_some_and(|g| g.step > Some(0)))
    })
    .await;
    ends_clean(kept).await;
    let ended = handle.wait(&job).await.expect("a job that ended");
    assert_eq!(ended.phase, JobPhase::Cancelled);
}
