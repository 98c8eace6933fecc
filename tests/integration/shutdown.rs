//! The end of a keeper leaves no task behind, whatever it was doing.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use forgekeeper_domain::{
    action::{Action, RestartTarget},
    generation::GenerationRequest,
    job::JobPhase,
};
use forgekeeper_keeper::store::{JournalEntry, Store};
use forgekeeper_standin::Fault;
use tokio::io::{AsyncBufReadExt as _, BufReader};

use crate::rig::{Kept, Place, SECOND, causes, end_of_child, id, interrupt, site, until};

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
    let data = handle.data_dir().to_owned();
    let Kept { site, keeper, .. } = kept;
    let started = Instant::now();
    assert_eq!(keeper.shutdown().await, NONE);
    assert!(started.elapsed() < QUICK, "took {:?}", started.elapsed());
    let ended = handle.wait(&job).await.expect("a job that ended");
    assert_eq!(ended.phase, JobPhase::Cancelled);
    let journal = journal(&data).await;
    assert_eq!(journal[0].kind, "action", "{journal:#?}");
    assert!(journal[0].text.contains("cancelled"), "{journal:#?}");
    // What the action may change was kept before it was sent.
    assert_eq!(journal[1].kind, "snapshot", "{journal:#?}");
    assert_eq!(journal[2].kind, "action_asked", "{journal:#?}");
    site.shutdown().await;
}

/// Newest first.
async fn journal(data: &Path) -> Vec<JournalEntry> {
    let (store, note) = Store::open(data).await.expect("a history");
    assert_eq!(note, None);
    let entries = store.journal(50).await.expect("its entries");
    store.close().await;
    entries
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_that_is_interrupted_says_what_goes_on_and_journals_it() {
    let site = site(1.0).await;
    let place = Place::with(&site.config_toml());
    // A look leaves nothing, an action leaves its beginning and its end.
    site.inject(Fault::ContainerStopped, Some("comfyui"))
        .expect("a service of it");
    tokio::time::sleep(2 * SECOND).await;
    place.ctl(&["status"]).await.ends_with(1);
    let mut child = place
        .command(&["restart", "myia", "--json"])
        .spawn()
        .expect("forgekeeperctl starts");
    let mut lines = BufReader::new(child.stdout.take().expect("its output")).lines();
    let begun = async {
        loop {
            let line = lines.next_line().await.expect("UTF-8").expect("a line");
            if line.contains("\"stopping\"") {
                return;
            }
        }
    };
    tokio::time::timeout(20 * SECOND, begun)
        .await
        .expect("it begins");
    interrupt(&child);
    let mut last = String::new();
    let reading = async {
        while let Ok(Some(line)) = lines.next_line().await {
            last = line;
        }
    };
    let (ran, ()) = tokio::join!(end_of_child(child), reading);
    let ran = ran.ends_with(1);
    assert!(ran.took < 5 * SECOND, "{ran:#?}");
    assert!(ran.stderr.contains("the engine goes on"), "{ran:#?}");
    let last: serde_json::Value = serde_json::from_str(&last).expect("JSON");
    assert_eq!(last["event"], "end", "{last}");
    assert_eq!(last["job"]["phase"], "cancelled", "{last}");
    let journal = journal(&place.folder.path().join("cli")).await;
    let kinds: Vec<&str> = journal.iter().map(|entry| entry.kind.as_str()).collect();
    let expected = ["action", "snapshot", "action_asked"];
    assert_eq!(kinds, expected, "{journal:#?}");
    assert_eq!(journal[2].subject.as_deref(), Some("myia"));
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
        .generate(&id("myia"), request, false)
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
