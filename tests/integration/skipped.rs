//! A picture that is wanted as it is: Forge gives it, and the record says after how many steps.

use forgekeeper_domain::{
    error::ErrorCode,
    generation::{GenerationRequest, GenerationVerdict, Seed},
    ids::JobId,
    job::JobPhase,
};
use forgekeeper_keeper::keeper::KeeperHandle;

use crate::rig::{Kept, SECOND, id, until};

const STEPS: u32 = 140;

async fn begun(handle: &KeeperHandle, service: &str) -> JobId {
    until(handle, "an API", 20 * SECOND, |state| {
        let mut services = state.services.iter();
        services.any(|s| s.id.as_str() == service && s.models.is_some())
    })
    .await;
    let request = GenerationRequest {
        prompt: "a long way".to_owned(),
        steps: STEPS,
        seed: Some(Seed(5)),
        ..GenerationRequest::default()
    };
    let job = handle.generate(&id(service), request, false).await;
    job.expect("begun")
}

async fn samples(handle: &KeeperHandle, job: &JobId) {
    let mut follow = handle.follow_job(job).expect("known");
    let step = |job: &forgekeeper_domain::job::Job| job.generation.as_ref()?.step;
    let sampled = follow.wait_for(|job| step(job) > Some(3));
    let sampled = tokio::time::timeout(30 * SECOND, sampled).await;
    sampled.expect("in time").expect("a job");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_picture_of_forge_is_had_as_it_is_and_says_so() {
    let kept = Kept::start(2.0).await;
    let handle = kept.handle();
    let job = begun(&handle, "myia").await;
    assert_eq!(
        handle.skip(&job).map_err(|error| error.code),
        Err(ErrorCode::Refused),
        "nothing is there yet"
    );
    samples(&handle, &job).await;
    handle.skip(&job).expect("now it can be had");
    let ended = handle.wait(&job).await.expect("ended");
    assert_eq!(ended.phase, JobPhase::Succeeded, "{:?}", ended.error);
    assert!(!ended.skippable);
    let record = ended.record.expect("a record");
    assert_eq!(record.verdict, GenerationVerdict::Proved);
    assert_eq!(record.pictures.len(), 1);
    let steps = record
        .substitutions
        .iter()
        .find(|s| s.field == forgekeeper_domain::generation::Replaced::Steps);
    let steps = steps.expect("it says so");
    assert_eq!(steps.asked, STEPS.to_string());
    let used: u32 = steps.used.parse().expect("a number");
    assert!((4..STEPS).contains(&used), "{used}");
    assert!(handle.skip(&job).is_err(), "it is over");

    // ComfyUI has no such order: nothing is offered that could not be done.
    let job = begun(&handle, "comfyui").await;
    samples(&handle, &job).await;
    let refused = handle.skip(&job).expect_err("no such order");
    assert_eq!(refused.code, ErrorCode::Refused);
    handle.cancel(&job).expect("running");
    handle.wait(&job).await.expect("ended");
    assert_eq!(kept.end().await, Vec::<&str>::new());
}
