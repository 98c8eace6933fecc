//! Faults of the configuration on demo hosts: what they say, what puts an end to them, and that
//! nothing is said when nothing happened. That each opens in time is in `faults.rs`.

use forgekeeper_domain::{
    config::Reason,
    generation::{GenerationRequest, Seed},
    incident::Incident,
    job::JobPhase,
    ladder::Rung,
    outcome::Status,
};
use forgekeeper_keeper::{event::KeeperEvent, keeper::SnapshotView};
use forgekeeper_standin::Fault;

use crate::rig::{Kept, SECOND, causes, get, id, post, rung, until};

const MODEL: &str = "sd_xl_base_1.0.safetensors";

async fn take(kept: &Kept, service: &str) -> SnapshotView {
    let taken = kept
        .handle()
        .take_snapshot(&id(service), Reason::Daily)
        .await;
    taken.expect("a snapshot")
}

async fn set_options(kept: &Kept, service: &str, json: &str) {
    let api = kept.site.api_url(service).expect("an API");
    let answer = post(&format!("{api}/sdapi/v1/options"), json).await;
    assert_eq!(answer.expect("an answer").0, 200);
}

/// Waits for the one incident, and for evidence of it.
async fn told(kept: &Kept, cause: &str, evidence: &str) -> Incident {
    let handle = kept.handle();
    until(&handle, cause, 60 * SECOND, |state| {
        causes(state) == [cause] && !all(&state.incidents[0], evidence).is_empty()
    })
    .await;
    let state = handle.state().borrow().clone();
    state.incidents[0].clone()
}

async fn gone(kept: &Kept, within: u32) {
    until(&kept.handle(), "gone", within * SECOND, |state| {
        state.incidents.is_empty()
    })
    .await;
}

fn all(incident: &Incident, name: &str) -> Vec<String> {
    let named = incident.evidence.iter().filter(|one| one.name == name);
    named.map(|one| one.value.clone()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn lost_settings_are_named_key_by_key_until_they_are_back() {
    let kept = Kept::start(20.0).await;
    let before = take(&kept, "myia").await;
    kept.site
        .inject(Fault::ConfigReset, Some("myia"))
        .expect("a service of it");
    let incident = told(&kept, "config.reset", "key").await;
    let keys = all(&incident, "key");
    assert!(
        keys.contains(&"forge_preset: \"all\" → \"xl\"".to_owned()),
        "{keys:#?}"
    );
    assert!(all(&incident, "moved_to")[0].ends_with("/tmp/config.json"));
    assert_eq!(all(&incident, "snapshot"), [before.id.to_string()]);
    // One key back is not all of them.
    let model = format!(r#""sd_model_checkpoint":"{MODEL}""#);
    let some = format!(r#"{{{model},"forge_preset":"all"}}"#);
    set_options(&kept, "myia", &some).await;
    until(&kept.handle(), "one less", 30 * SECOND, |state| {
        let keys = state.incidents.first().map(|incident| all(incident, "key"));
        keys.is_some_and(|keys| !keys.is_empty() && !keys.iter().any(|k| k.contains("preset")))
    })
    .await;
    let rest = format!(
        r#"{{{model},"samples_filename_pattern":"[datetime]-[seed]","forge_inference_memory":2048}}"#
    );
    set_options(&kept, "myia", &rest).await;
    gone(&kept, 30).await;
    assert_eq!(kept.end().await, [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn lost_settings_are_accepted_by_a_snapshot_that_is_kept_for_good() {
    let kept = Kept::start(20.0).await;
    take(&kept, "myia").await;
    kept.site
        .inject(Fault::ConfigReset, Some("myia"))
        .expect("a service of it");
    told(&kept, "config.reset", "key").await;
    let api = kept.site.api_url("myia").expect("an API");
    assert!(get(&format!("{api}/sdapi/v1/options")).await.is_some());
    set_options(
        &kept,
        "myia",
        &format!(r#"{{"sd_model_checkpoint":"{MODEL}"}}"#),
    )
    .await;
    // Only looking changes nothing.
    let looked = take(&kept, "myia").await;
    tokio::time::sleep(12 * SECOND).await;
    assert_eq!(causes(&kept.handle().state().borrow()), ["config.reset"]);
    let pinned = kept.handle().pin_snapshot(&looked.id, true).await;
    pinned.expect("pinned");
    gone(&kept, 60).await;
    assert_eq!(kept.end().await, [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_request_that_emptied_the_model_is_named_and_choosing_it_again_ends_it() {
    let kept = Kept::start(20.0).await;
    let before = take(&kept, "myia").await;
    kept.site
        .inject(Fault::ConfigOptionsNulled, Some("myia"))
        .expect("a service of it");
    let incident = told(&kept, "config.model_unset", "request").await;
    assert_eq!(all(&incident, "model_before"), [MODEL]);
    let request = &all(&incident, "request")[0];
    assert!(
        request.contains("POST /sdapi/v1/options 172.18.0.1"),
        "{request}"
    );
    assert_eq!(all(&incident, "snapshot"), [before.id.to_string()]);
    set_options(
        &kept,
        "myia",
        &format!(r#"{{"sd_model_checkpoint":"{MODEL}"}}"#),
    )
    .await;
    gone(&kept, 30).await;
    assert_eq!(kept.end().await, [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_writers_are_both_named_and_are_one_incident() {
    let kept = Kept::start(20.0).await;
    kept.site
        .inject(Fault::ConfigSecondWriter, Some("myia-turbo"))
        .expect("a service of it");
    let incident = told(&kept, "config.second_writer", "shared_with").await;
    assert_eq!(all(&incident, "shared_with"), ["myia"]);
    assert_eq!(all(&incident, "container"), ["myia-supervisor-1"]);
    assert!(all(&incident, "file")[0].ends_with("/stable-diffusion-webui-forge/config.json"));
    // The other one is not said to be well, and has no incident of its own.
    let degraded = (Status::Degraded, Some("config.second_writer"));
    until(&kept.handle(), "on both", 30 * SECOND, |state| {
        rung(state, "myia", Rung::Program) == Some(degraded)
            && rung(state, "myia-turbo", Rung::Program) == Some(degraded)
    })
    .await;
    let state = kept.handle().state().borrow().clone();
    assert_eq!(causes(&state), ["config.second_writer"]);
    assert_eq!(kept.end().await, [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_that_somebody_applies_and_options_that_are_lent_are_no_incident() {
    let kept = Kept::start(20.0).await;
    take(&kept, "myia").await;
    let handle = kept.handle();
    let mut events = handle.events();
    // As the page applies settings: all that it shows, the model among them.
    let page = r#"{"sd_model_checkpoint":"juggernautXL_v9.safetensors","forge_preset":"xl",
        "jpeg_quality":91,"samples_filename_pattern":"","forge_inference_memory":1024}"#;
    set_options(&kept, "myia", page).await;
    // The image's Forge takes no options for one picture: they are set for all, and put back.
    let request = GenerationRequest {
        prompt: "a lighthouse".to_owned(),
        steps: 4,
        width: 64,
        height: 64,
        seed: Some(Seed(7)),
        model: Some("dreamshaper_8.safetensors".to_owned()),
        clip_skip: Some(2),
        ..GenerationRequest::default()
    };
    let job = handle.generate(&id("myia"), request, false).await;
    let ended = handle.wait(&job.expect("begun")).await.expect("ended");
    assert_eq!(ended.phase, JobPhase::Succeeded, "{:?}", ended.error);
    tokio::time::sleep(25 * SECOND).await;
    let state = handle.state().borrow().clone();
    assert_eq!(state.incidents, []);
    let green = |name: &str| rung(&state, name, Rung::Program) == Some((Status::Ok, None));
    assert!(green("myia") && green("myia-turbo"));
    while let Ok(event) = events.try_recv() {
        assert!(
            !matches!(event, KeeperEvent::IncidentOpened(_)),
            "{event:?}"
        );
    }
    assert_eq!(kept.end().await, [""; 0]);
}
