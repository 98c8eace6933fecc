//! The program ends in the middle of a generation: the server goes on, and the next start finds the
//! result, or says what became of it.

use std::{path::Path, time::Duration};

use forgekeeper_domain::{
    error::ErrorCode,
    gallery::GalleryQuery,
    generation::{GenerationRecord, GenerationRequest, GenerationVerdict, Seed},
    job::{JobKind, JobPhase},
};
use forgekeeper_keeper::{
    keeper::{Keeper, KeeperHandle, KeeperOptions, LogKeeping, Paths},
    store::Store,
};
use forgekeeper_standin::DemoSite;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, BufReader};

use crate::rig::{Place, SECOND, get, holds, id, post, site, tell, until};

/// A keeper that stays, over the place's settings and a data folder.
pub(crate) async fn keeper(place: &Place, data: &str) -> Keeper {
    let options = KeeperOptions {
        secrets_in_memory: true,
        // Two of them stand side by side here, and logs have one writer.
        logs: LogKeeping::Read,
        ..KeeperOptions::for_file(Paths {
            data_dir: place.folder.path().join(data),
            ..place.paths()
        })
    };
    Keeper::start(options).await.expect("a keeper")
}

pub(crate) fn asked(steps: u32) -> GenerationRequest {
    GenerationRequest {
        prompt: "a long one".to_owned(),
        steps,
        seed: Some(Seed(4711)),
        ..GenerationRequest::default()
    }
}

pub(crate) async fn steps_are_made(handle: &KeeperHandle) {
    until(handle, "steps", 30 * SECOND, |s| {
        let live = s.jobs.iter().filter_map(|job| job.generation.as_ref());
        live.clone().any(|live| live.step > Some(2))
    })
    .await;
}

/// The one generation that is kept in the end.
pub(crate) async fn record(handle: &KeeperHandle, deadline: Duration) -> GenerationRecord {
    let kept = async || {
        let page = handle.gallery(GalleryQuery::default()).await;
        page.expect("a page").records.pop()
    };
    holds("a record", deadline, async || kept().await.is_some()).await;
    kept().await.expect("it is there")
}

pub(crate) async fn nothing_is_pending(data: &Path) {
    let (store, _) = Store::open(data).await.expect("a history");
    assert_eq!(store.pending_generations().await.expect("read"), []);
    store.close().await;
}

/// A command that is killed once the server works at its picture.
pub(crate) async fn killed(place: &Place, service: &str, steps: &str, more: &[&str]) {
    let mut arguments = vec![
        "generate",
        service,
        "--prompt",
        "a long one",
        "--seed",
        "4711",
        "--steps",
        steps,
        "--out",
        "out",
        "--json",
    ];
    arguments.extend(more);
    let mut child = place
        .command(&arguments)
        .spawn()
        .expect("forgekeeperctl starts");
    let mut lines = BufReader::new(child.stdout.take().expect("its output")).lines();
    let working = async {
        loop {
            let line = lines.next_line().await.expect("UTF-8").expect("a line");
            let line: Value = serde_json::from_str(&line).expect("JSON");
            if line["progress"]["step"].as_u64() > Some(2) {
                return;
            }
        }
    };
    let worked = tokio::time::timeout(60 * SECOND, working).await;
    worked.expect("it works");
    tell(&child, "-KILL");
    child.wait().await.expect("its end");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_picture_of_comfyui_is_found_after_a_kill() {
    let site = site(1.0).await;
    let place = Place::with(&site.config_toml());
    killed(&place, "comfyui", "100", &[]).await;
    let keeper = keeper(&place, "cli").await;
    let handle = keeper.handle();
    // As a job of this keeper, with its progress.
    steps_are_made(&handle).await;
    let job = handle.state().borrow().jobs[0].clone();
    assert_eq!(
        (job.kind, job.phase),
        (JobKind::Generate, JobPhase::Running)
    );
    let found = record(&handle, 90 * SECOND).await;
    assert_eq!(found.id, job.id);
    assert_eq!(found.verdict, GenerationVerdict::Proved, "{found:#?}");
    assert_eq!(found.pictures[0].seed, Some(Seed(4711)));
    assert_eq!(found.request.prompt, "a long one");
    let text = found.parameters.expect("a text");
    assert!(
        text.contains("Seed: 4711") && text.contains("Sampler: "),
        "{text}"
    );
    assert!(handle.picture(&found.pictures[0].hash).await.is_ok());
    let ended = handle.wait(&job.id).await.expect("it ended");
    assert_eq!(ended.phase, JobPhase::Succeeded);
    let api = site.api_url("comfyui").expect("a service of it");
    let (_, all) = get(&format!("{api}/history")).await.expect("an answer");
    let all: Value = serde_json::from_str(&all).expect("JSON");
    assert_eq!(
        all.as_object().map(serde_json::Map::len),
        Some(1),
        "sent once"
    );
    assert!(keeper.shutdown().await.is_empty());
    nothing_is_pending(&place.folder.path().join("cli")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_picture_that_comfyui_finished_meanwhile_took_as_long_as_it_took() {
    let site = site(2.0).await;
    let place = Place::with(&site.config_toml());
    killed(&place, "comfyui", "40", &[]).await;
    let api = site.api_url("comfyui").expect("a service of it");
    holds("it is finished", 60 * SECOND, async || {
        let answer = get(&format!("{api}/history")).await;
        answer.is_some_and(|(_, body)| body.contains("\"success\""))
    })
    .await;
    tokio::time::sleep(5 * SECOND).await;
    let keeper = keeper(&place, "cli").await;
    let found = record(&keeper.handle(), 30 * SECOND).await;
    assert_eq!(found.verdict, GenerationVerdict::Proved, "{found:#?}");
    let until_now = forgekeeper_keeper::sys::clock::now().duration_since(found.started_at);
    let took = i128::from(found.took_ms);
    assert!(
        took > 0 && took + 4_000 < until_now.as_millis(),
        "{found:#?}"
    );
    assert!(keeper.shutdown().await.is_empty());
}

pub(crate) async fn restart(site: &DemoSite, container: &str) {
    let engine = site.engine_url().replace("tcp://", "http://");
    let order = format!("{engine}/containers/{container}/restart?t=0");
    post(&order, "").await.expect("restarted");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_restart_of_the_server_lost_is_said() {
    for (service, container, words) in [
        (
            "comfyui",
            "comfyui-candidate",
            "does not know the picture any more",
        ),
        // Its courier was told so, as the program itself would have been.
        (
            "myia",
            "myia-supervisor-1",
            "closed the connection without an answer",
        ),
    ] {
        let site = site(5.0).await;
        let place = Place::with(&site.config_toml());
        killed(&place, service, "150", &[]).await;
        restart(&site, container).await;
        let keeper = keeper(&place, "cli").await;
        let found = record(&keeper.handle(), 120 * SECOND).await;
        assert_eq!(found.verdict, GenerationVerdict::Failed, "{found:#?}");
        let error = found.error.expect("a reason");
        assert_eq!(error.code, ErrorCode::Api);
        assert!(error.message.contains(words), "{error:?}");
        assert!(keeper.shutdown().await.is_empty());
        nothing_is_pending(&place.folder.path().join("cli")).await;
        site.shutdown().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_forge_without_a_courier_the_last_preview_is_left_and_the_record_says_so() {
    let site = site(1.0).await;
    let place = Place::with(&site.config_toml());
    let first = keeper(&place, "keeper").await;
    let handle = first.handle();
    until(&handle, "an API", 20 * SECOND, |s| {
        s.services
            .iter()
            .any(|s| s.id.as_str() == "myia" && s.models.is_some())
    })
    .await;
    let job = handle.generate(&id("myia"), asked(100), false).await;
    let job = job.expect("accepted");
    steps_are_made(&handle).await;
    drop((handle, first));

    let second = keeper(&place, "keeper").await;
    let handle = second.handle();
    steps_are_made(&handle).await;
    until(&handle, "a preview", 30 * SECOND, |s| {
        let live = s.jobs.iter().filter_map(|job| job.generation.as_ref());
        live.clone().any(|live| live.preview.is_some())
    })
    .await;
    let found = record(&handle, 90 * SECOND).await;
    assert_eq!(found.id, job);
    assert_eq!(found.verdict, GenerationVerdict::Interrupted, "{found:#?}");
    let error = found.error.expect("a reason");
    assert!(
        error
            .message
            .contains("finished while nobody was listening"),
        "{error:?}"
    );
    assert_eq!(found.pictures.len(), 1, "the last preview");
    assert!(handle.picture(&found.pictures[0].hash).await.is_ok());
    assert!(second.shutdown().await.is_empty());
    nothing_is_pending(&place.paths().data_dir).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_keeper_that_ends_in_order_leaves_it_to_the_next_and_one_beside_it_lets_it_be() {
    let site = site(1.0).await;
    let place = Place::with(&site.config_toml());
    let first = keeper(&place, "keeper").await;
    let handle = first.handle();
    until(&handle, "an API", 20 * SECOND, |s| {
        s.services
            .iter()
            .any(|s| s.id.as_str() == "comfyui" && s.models.is_some())
    })
    .await;
    let job = handle.generate(&id("comfyui"), asked(120), false).await;
    let job = job.expect("accepted");
    steps_are_made(&handle).await;
    let beside = keeper(&place, "keeper").await;
    until(&beside.handle(), "an API", 20 * SECOND, |s| {
        s.services
            .iter()
            .any(|s| s.id.as_str() == "comfyui" && s.models.is_some())
    })
    .await;
    tokio::time::sleep(2 * SECOND).await;
    assert_eq!(beside.handle().state().borrow().jobs, []);
    assert!(beside.shutdown().await.is_empty());
    assert!(first.shutdown().await.is_empty());
    drop(handle);

    let next = keeper(&place, "keeper").await;
    let found = record(&next.handle(), 90 * SECOND).await;
    assert_eq!((found.id, found.verdict), (job, GenerationVerdict::Proved));
    assert!(next.shutdown().await.is_empty());
}
