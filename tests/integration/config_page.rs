//! The configuration guard as the window asks it: page by page, in few words, as text, and told of what
//! is new.

use std::fs;

use forgekeeper_domain::{
    config::{LineSide, Origin, PartId, Reason},
    error::ErrorCode,
};
use forgekeeper_keeper::{event::KeeperEvent, keeper::SnapshotView};

use crate::rig::{Kept, Place, SECOND, id, post, site};

async fn take(kept: &Kept) -> SnapshotView {
    let (handle, myia) = (kept.handle(), id("myia"));
    let taken = handle.take_snapshot(&myia, Reason::OnDemand).await;
    taken.expect("a snapshot")
}

async fn set_options(kept: &Kept, json: &str) {
    let api = kept.site.api_url("myia").expect("an API");
    let answer = post(&format!("{api}/sdapi/v1/options"), json).await;
    assert_eq!(answer.expect("an answer").0, 200);
}

#[tokio::test]
async fn snapshots_come_page_by_page_and_each_knows_what_stood_before_it() {
    let kept = Kept::start(20.0).await;
    let handle = kept.handle();
    let myia = id("myia");
    let none = handle.snapshot_page(&myia, None, 10).await.expect("a page");
    assert!(none.entries.is_empty() && !none.more && none.total == 0);
    let mut all = Vec::new();
    for _ in 0..5 {
        all.push(take(&kept).await.id);
    }
    let first = handle.snapshot_page(&myia, None, 2).await.expect("a page");
    assert_eq!((first.total, first.more, first.entries.len()), (5, true, 2));
    let newest = &first.entries[0];
    assert_eq!(newest.id, all[4]);
    assert_eq!(newest.previous.as_ref(), Some(&all[3]));
    assert_eq!(newest.good_before.as_ref(), Some(&all[3]));
    assert!(
        newest.good && newest.missed == 0 && newest.kept > 3,
        "{newest:?}"
    );
    // The one that was named last may be gone: those before it are still found.
    handle.remove_snapshot(&all[3]).await.expect("removed");
    let rest = handle.snapshot_page(&myia, Some(&all[3]), 10).await;
    let rest = rest.expect("a page");
    assert_eq!((rest.total, rest.more, rest.entries.len()), (4, false, 3));
    assert_eq!(rest.entries[2].previous, None);

    // One that is damaged is nobody's, and is told apart.
    let manifest = handle
        .data_dir()
        .join(format!("config/snapshots/{}.snapshot", all[0]));
    fs::write(&manifest, "no longer what it was").expect("written");
    let page = handle.snapshot_page(&myia, None, 10).await.expect("a page");
    assert_eq!((page.total, page.damaged_total), (3, 1));
    assert_eq!(page.damaged[0].id, all[0]);
    assert!(page.damaged[0].taken_at.is_some());
    let unknown = handle.snapshot_page(&id("nobody"), None, 10).await;
    assert_eq!(
        unknown.expect_err("no such service").code,
        ErrorCode::UnknownService
    );
    assert_eq!(kept.end().await, [""; 0]);
}

#[tokio::test]
async fn a_change_is_told_in_few_words_and_looked_at_as_text() {
    let kept = Kept::start(20.0).await;
    let handle = kept.handle();
    let before = take(&kept).await;
    set_options(&kept, r#"{"jpeg_quality":91}"#).await;
    let after = take(&kept).await;
    let digest = handle.config_digest(&before.id, &after.id).await;
    let digest = digest.expect("a digest");
    assert_eq!(
        digest.changes, 2,
        "the checkpoint went with it: {digest:#?}"
    );
    let both = [PartId::ForgeConfig, PartId::ForgeOptions];
    assert!(
        digest.named.iter().all(|one| one.parts == both),
        "{digest:#?}"
    );
    assert_eq!(digest.origins.len(), 1);
    assert_eq!(digest.origins[0].origin.by, Origin::ApiCall);

    let item = after.snapshot.items.iter();
    let path = item
        .filter(|item| item.part == PartId::ForgeConfig)
        .map(|item| item.path.clone())
        .next()
        .expect("a path");
    let text = handle.snapshot_text(&after.id, PartId::ForgeConfig, &path);
    let text = text.await.expect("a text");
    assert!(text.text.contains("\"jpeg_quality\": 91"), "{}", text.text);
    let secret = handle.snapshot_text(&after.id, PartId::Environment, "");
    let secret = secret.await.expect("a text");
    assert!(!secret.text.contains("password\""), "{}", secret.text);

    let both = [&before.id, &after.id];
    let diff = handle.snapshot_text_diff(both, PartId::ForgeConfig, &path);
    let diff = diff.await.expect("a comparison");
    let gone = diff.groups.iter().flatten();
    let gone = gone.filter(|line| line.side == LineSide::Before);
    assert!(
        gone.clone().any(|line| line.text.contains("jpeg_quality")),
        "{diff:#?}"
    );

    // What was not there is empty; what was never looked for is no part of it.
    let moved = handle.snapshot_text(&after.id, PartId::ForgeConfigMoved, "");
    assert_eq!(moved.await.expect("nothing").text, "");
    let foreign = handle
        .snapshot_text(&after.id, PartId::ComfyPaths, "")
        .await;
    assert_eq!(
        foreign.expect_err("no such part").code,
        ErrorCode::BadRequest
    );
    assert_eq!(kept.end().await, [""; 0]);
}

#[tokio::test]
async fn who_looks_is_told_of_new_snapshots() {
    let kept = Kept::start(20.0).await;
    let handle = kept.handle();
    let mut events = handle.events();
    let mut told = async || {
        loop {
            let event = tokio::time::timeout(5 * SECOND, events.recv()).await;
            if let Ok(Ok(KeeperEvent::SnapshotsChanged(service))) = &event {
                return service.clone();
            }
            assert!(event.is_ok(), "nothing was announced");
        }
    };
    let taken = take(&kept).await;
    assert_eq!(told().await, id("myia"));
    handle.pin_snapshot(&taken.id, true).await.expect("pinned");
    assert_eq!(told().await, id("myia"));
    handle.remove_snapshot(&taken.id).await.expect("removed");
    assert_eq!(told().await, id("myia"));
    assert_eq!(kept.end().await, [""; 0]);
}

#[tokio::test]
async fn the_command_line_keeps_one_for_good_and_removes_one_when_told_twice() {
    let site = site(20.0).await;
    let place = Place::with(&site.config_toml().replace("demo = true\n", ""));
    let taken = place.ctl(&["--json", "snapshot", "take", "myia"]).await;
    let taken = taken.json()["id"].as_str().expect("an id").to_owned();
    let listed = async || {
        let told = place.ctl(&["snapshot", "list", "myia"]).await.ends_with(0);
        (told.stdout.contains(&taken), told.stdout.contains("pinned"))
    };
    place.ctl(&["snapshot", "pin", &taken]).await.ends_with(0);
    assert_eq!(listed().await, (true, true));
    place.ctl(&["snapshot", "unpin", &taken]).await.ends_with(0);
    assert_eq!(listed().await, (true, false));
    let told = place
        .ctl(&["snapshot", "remove", &taken])
        .await
        .ends_with(1);
    assert!(told.stdout.contains("add --yes"), "{told:#?}");
    assert_eq!(listed().await, (true, false));
    let gone = place
        .ctl(&["--json", "snapshot", "remove", &taken, "--yes"])
        .await
        .ends_with(0);
    assert_eq!(gone.json()["removed"], true);
    assert_eq!(listed().await, (false, false));
    for verb in ["pin", "unpin", "remove"] {
        place.ctl(&["snapshot", verb, &taken]).await.ends_with(2);
    }
    site.shutdown().await;
}
