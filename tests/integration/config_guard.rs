//! The configuration guard on the demo host: what is taken, what changed, and by whom.

use std::fs;

use forgekeeper_domain::{
    action::{Action, RestartTarget},
    config::{
        Certainty, Drift, ItemState, Origin, PartDrift, PartFinding, PartId, Reason, Snapshot,
    },
    job::JobPhase,
};
use forgekeeper_keeper::{
    config::{Stored, Verdict},
    keeper::SnapshotView,
};
use forgekeeper_standin::Fault;

use crate::rig::{Kept, SECOND, holds, id, post};

async fn take(kept: &Kept, service: &str) -> SnapshotView {
    let (handle, service) = (kept.handle(), id(service));
    let taken = handle.take_snapshot(&service, Reason::OnDemand).await;
    taken.expect("a snapshot")
}

async fn diff(kept: &Kept, before: &SnapshotView, after: &SnapshotView) -> Drift {
    let handle = kept.handle();
    let drift = handle.config_drift(&before.id, &after.id).await;
    drift.expect("a comparison")
}

fn part(drift: &Drift, part: PartId) -> &PartDrift {
    let found = drift.parts.iter().find(|found| found.part == part);
    found.unwrap_or_else(|| panic!("{part:?} is not in {drift:#?}"))
}

fn state(snapshot: &Snapshot, part: PartId) -> &ItemState {
    &snapshot
        .items
        .iter()
        .find(|item| item.part == part)
        .expect("an item")
        .state
}

/// Parts that changed, and the keys that changed in each.
fn keys(drift: &Drift) -> Vec<(PartId, Vec<String>)> {
    let changed = drift.parts.iter().filter(|part| part.changed());
    changed
        .map(|part| {
            let keys = part.changes.iter().map(|change| change.key.join("/"));
            (part.part, keys.collect())
        })
        .collect()
}

async fn set_options(kept: &Kept, service: &str, json: &str) {
    let api = kept.site.api_url(service).expect("an API");
    let answer = post(&format!("{api}/sdapi/v1/options"), json).await;
    assert_eq!(answer.expect("an answer").0, 200);
}

#[tokio::test]
async fn an_option_changed_through_the_api_is_the_one_thing_that_changed() {
    let kept = Kept::start(20.0).await;
    let before = take(&kept, "myia").await;
    assert_eq!(before.snapshot.healthy, Some(true));
    assert_eq!(before.snapshot.missed().count(), 0, "{before:#?}");
    let same = take(&kept, "myia").await;
    let drift = diff(&kept, &before, &same).await;
    assert!(!drift.changed() && keys(&drift).is_empty(), "{drift:#?}");

    let body = r#"{"sd_model_checkpoint":"sd_xl_base_1.0.safetensors","jpeg_quality":91}"#;
    set_options(&kept, "myia", body).await;
    let after = take(&kept, "myia").await;
    let drift = diff(&kept, &before, &after).await;
    let quality = || vec!["jpeg_quality".to_owned()];
    assert_eq!(
        keys(&drift),
        [
            (PartId::ForgeConfig, quality()),
            (PartId::ForgeOptions, quality())
        ]
    );
    let config = part(&drift, PartId::ForgeConfig);
    let change = &config.changes[0];
    assert_eq!(
        (change.old.as_deref(), change.new.as_deref()),
        (Some("80.0"), Some("91"))
    );
    // The log shows the request; it is read a little later than it is written.
    let told = || async {
        let drift = diff(&kept, &before, &after).await;
        let origin = part(&drift, PartId::ForgeConfig).changes[0].origin.clone();
        origin.by == Origin::ApiCall
            && origin
                .evidence
                .is_some_and(|line| line.contains("127.0.0.1"))
    };
    holds("the request", 10 * SECOND, told).await;
    assert!(
        config
            .written_at
            .is_some_and(|at| at >= before.snapshot.taken_at - SECOND)
    );
    let good = kept.handle().find_snapshot("good:myia").await;
    assert_eq!(good.expect("the last good one"), after.id);
    for wrong in ["", "2", "good:nobody", "bad:myia", "../x"] {
        assert!(kept.handle().find_snapshot(wrong).await.is_err(), "{wrong}");
    }
    // In whatever order they are named.
    let drift = diff(&kept, &before, &after).await;
    assert_eq!(diff(&kept, &after, &before).await, drift);
    assert_eq!(kept.end().await, [""; 0]);
}

#[tokio::test]
async fn a_checkpoint_emptied_by_a_partial_request_is_laid_to_the_api() {
    let kept = Kept::start(20.0).await;
    let before = take(&kept, "myia").await;
    set_options(&kept, "myia", r#"{"jpeg_quality":91}"#).await;
    let after = take(&kept, "myia").await;
    let drift = diff(&kept, &before, &after).await;
    let config = part(&drift, PartId::ForgeConfig);
    assert_eq!(config.changes.len(), 2);
    for change in &config.changes {
        assert_eq!(change.origin.by, Origin::ApiCall, "{change:#?}");
    }

    let kept_turbo = take(&kept, "myia-turbo").await;
    kept.site
        .inject(Fault::ConfigOptionsNulled, Some("myia-turbo"))
        .expect("a fault");
    let emptied = || async {
        let now = take(&kept, "myia-turbo").await;
        diff(&kept, &kept_turbo, &now).await.changed()
    };
    holds("emptied", 5 * SECOND, emptied).await;
    let now = take(&kept, "myia-turbo").await;
    let drift = diff(&kept, &kept_turbo, &now).await;
    let change = &part(&drift, PartId::ForgeConfig).changes[0];
    assert_eq!(change.key, ["sd_model_checkpoint"]);
    assert_eq!(change.new.as_deref(), Some("null"));
    assert_eq!(change.origin.by, Origin::ApiCall);
    assert_eq!(kept.end().await, [""; 0]);
}

#[tokio::test]
async fn settings_lost_in_a_crash_are_laid_to_it() {
    let kept = Kept::start(20.0).await;
    let before = take(&kept, "myia").await;
    kept.site
        .inject(Fault::ConfigReset, Some("myia"))
        .expect("a fault");
    let moved = || async {
        let now = take(&kept, "myia").await;
        matches!(
            state(&now.snapshot, PartId::ForgeConfigMoved),
            ItemState::Kept(_)
        ) && matches!(
            state(&now.snapshot, PartId::ForgeOptions),
            ItemState::Kept(_)
        )
    };
    holds("moved away, and up again", 20 * SECOND, moved).await;
    let after = take(&kept, "myia").await;
    let drift = diff(&kept, &before, &after).await;
    let config = part(&drift, PartId::ForgeConfig);
    assert_eq!(config.finding, PartFinding::Vanished);
    let origin = config.origin.as_ref().expect("an origin");
    assert_eq!(
        (origin.by, origin.certainty),
        (Origin::CrashReset, Certainty::Proved)
    );
    // The log is read a little later than it is written.
    let told = || async {
        let drift = diff(&kept, &before, &after).await;
        let origin = part(&drift, PartId::ForgeConfig).origin.clone();
        let evidence = origin.and_then(|origin| origin.evidence);
        evidence.is_some_and(|line| line.contains("likely corrupted"))
    };
    holds("the line of the log", 10 * SECOND, told).await;
    let options = part(&drift, PartId::ForgeOptions);
    let changed: Vec<String> = options.changes.iter().map(|c| c.key.join("/")).collect();
    assert!(changed.contains(&"forge_preset".to_owned()), "{changed:?}");
    assert!(
        options
            .changes
            .iter()
            .all(|c| c.origin.by == Origin::CrashReset)
    );
    // The bytes before are all there: they can be put back.
    assert!(matches!(
        state(&before.snapshot, PartId::ForgeConfig),
        ItemState::Kept(_)
    ));
    assert!(
        kept.handle()
            .verify_snapshot(&before.id)
            .await
            .expect("a check")
            .whole
    );
    assert_eq!(kept.end().await, [""; 0]);
}

#[tokio::test]
async fn a_workspace_that_is_not_mounted_and_one_with_two_writers_are_told_apart() {
    let kept = Kept::start(20.0).await;
    for (fault, by) in [
        (Fault::WorkspaceUnmounted, Origin::WorkspaceNotMounted),
        (Fault::ConfigSecondWriter, Origin::SecondWriter),
    ] {
        let service = if by == Origin::SecondWriter {
            "myia-turbo"
        } else {
            "myia"
        };
        let before = take(&kept, service).await;
        // So that the two have not the same settings from the first.
        let other = r#"{"sd_model_checkpoint":"sd_xl_base_1.0.safetensors","jpeg_quality":55}"#;
        if by == Origin::SecondWriter {
            kept.site
                .clear(Fault::WorkspaceUnmounted, None)
                .expect("mended");
            let back = || async {
                let now = take(&kept, "myia").await;
                now.snapshot
                    .container
                    .is_some_and(|c| c.workspace.is_some())
                    && matches!(
                        state(&take(&kept, "myia").await.snapshot, PartId::ForgeOptions),
                        ItemState::Kept(_)
                    )
            };
            holds("mounted again", 20 * SECOND, back).await;
            set_options(&kept, "myia", other).await;
        }
        kept.site.inject(fault, Some(service)).expect("a fault");
        let up = || async {
            let now = take(&kept, service).await.snapshot;
            let anew = now.container.as_ref().map(|c| &c.id);
            anew != before.snapshot.container.as_ref().map(|c| &c.id)
                && matches!(state(&now, PartId::ForgeOptions), ItemState::Kept(_))
        };
        holds("made anew", 20 * SECOND, up).await;
        let after = take(&kept, service).await;
        let drift = diff(&kept, &before, &after).await;
        let options = part(&drift, PartId::ForgeOptions);
        assert!(!options.changes.is_empty(), "{fault:?}");
        for change in &options.changes {
            assert_eq!(change.origin.by, by, "{fault:?}: {change:#?}");
        }
        let mounts = part(&drift, PartId::Container);
        assert!(
            mounts
                .changes
                .iter()
                .any(|c| c.key.first().is_some_and(|k| k == "mounts")),
            "{mounts:#?}"
        );
    }
    assert_eq!(kept.end().await, [""; 0]);
}

#[tokio::test]
async fn an_action_takes_one_before_it_and_the_journal_names_it() {
    let kept = Kept::start(20.0).await;
    let handle = kept.handle();
    let target = RestartTarget::Container;
    let job = handle
        .act(&id("myia"), Action::Restart { target }, false)
        .await
        .expect("a job");
    let ended = handle.wait(&job).await.expect("its end");
    assert_eq!(ended.phase, JobPhase::Succeeded, "{ended:#?}");
    let all = handle.snapshots(Some(&id("myia"))).await.expect("a list");
    let [one] = all.as_slice() else {
        panic!("{all:#?}");
    };
    let Stored::Whole { snapshot, .. } = &one.stored else {
        panic!("{one:#?}");
    };
    assert_eq!(snapshot.reason, Reason::BeforeAction);
    assert!(
        snapshot
            .note
            .as_ref()
            .is_some_and(|note| note.contains("docker restart")),
        "{snapshot:#?}"
    );
    assert_eq!(
        snapshot.missed().count(),
        0,
        "taken while everything answered"
    );
    assert_eq!(kept.end().await, [""; 0]);
}

#[tokio::test]
async fn an_engine_and_an_api_that_hang_do_not_hold_a_snapshot_up_for_ever() {
    let kept = Kept::start(20.0).await;
    kept.site
        .inject(Fault::ApiHang, Some("myia"))
        .expect("a fault");
    let handle = kept.handle();
    let target = RestartTarget::Container;
    let started = std::time::Instant::now();
    let job = handle
        .act(&id("myia"), Action::Restart { target }, true)
        .await
        .expect("a job");
    let taken = || async {
        let all = handle.snapshots(Some(&id("myia"))).await.expect("a list");
        !all.is_empty()
    };
    holds("a snapshot", 8 * SECOND, taken).await;
    assert!(started.elapsed() < 7 * SECOND, "{:?}", started.elapsed());
    let all = handle.snapshots(Some(&id("myia"))).await.expect("a list");
    let Stored::Whole { snapshot, .. } = &all[0].stored else {
        panic!("{all:#?}");
    };
    let missed: Vec<PartId> = snapshot.missed().map(|item| item.part).collect();
    assert_eq!(missed, [PartId::ForgeOptions], "everything else was read");
    handle.cancel(&job).expect("cancelled");
    handle.wait(&job).await.expect("its end");
    assert_eq!(kept.end().await, [""; 0]);
}

#[tokio::test]
async fn what_was_damaged_is_known_and_never_used() {
    let kept = Kept::start(20.0).await;
    let handle = kept.handle();
    let taken = take(&kept, "myia").await;
    let folder = handle.data_dir().join("config");
    let ItemState::Kept(content) = state(&taken.snapshot, PartId::ForgeConfig) else {
        panic!("{taken:#?}");
    };
    let hash = content
        .address
        .strip_prefix("sha256:")
        .expect("a plain address");
    let blob = folder
        .join("blobs")
        .join(&hash[..2])
        .join(format!("{hash}.zst"));
    let mut bytes = fs::read(&blob).expect("a blob");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&blob, &bytes).expect("damaged");
    let check = handle.verify_snapshot(&taken.id).await.expect("a check");
    assert!(!check.whole);
    let bad: Vec<PartId> = check
        .items
        .iter()
        .filter(|i| i.verdict.is_bad())
        .map(|i| i.part)
        .collect();
    assert_eq!(bad, [PartId::ForgeConfig]);
    // The next one that finds the same bytes mends it.
    let again = take(&kept, "myia").await;
    assert!(
        handle
            .verify_snapshot(&again.id)
            .await
            .expect("a check")
            .whole
    );
    fs::remove_file(&blob).expect("gone");
    let check = handle.verify_snapshot(&taken.id).await.expect("a check");
    assert!(
        check
            .items
            .iter()
            .any(|item| item.verdict == Verdict::Missing)
    );

    let manifest = folder
        .join("snapshots")
        .join(format!("{}.snapshot", taken.id));
    let text = fs::read_to_string(&manifest).expect("a manifest");
    fs::write(
        &manifest,
        text.replace("\"healthy\":true", "\"healthy\":null"),
    )
    .expect("damaged");
    assert!(handle.snapshot(&taken.id).await.is_err());
    assert!(handle.config_drift(&taken.id, &again.id).await.is_err());
    let all = handle.snapshots(Some(&id("myia"))).await.expect("a list");
    assert_eq!(all.len(), 2);
    assert!(matches!(&all[1].stored, Stored::Damaged { problem } if problem.contains("hash")));
    handle.remove_snapshot(&taken.id).await.expect("removed");
    assert_eq!(handle.snapshots(None).await.expect("a list").len(), 1);
    assert!(handle.remove_snapshot(&taken.id).await.is_err(), "once");
    assert_eq!(kept.end().await, [""; 0]);
}

#[tokio::test]
async fn no_secret_is_written_anywhere_without_a_keyring() {
    let kept = Kept::start(20.0).await;
    let taken = take(&kept, "myia").await;
    assert!(matches!(
        state(&taken.snapshot, PartId::Environment),
        ItemState::InMemory(_)
    ));
    let mut todo = vec![kept.handle().data_dir().to_owned()];
    let mut looked = 0;
    while let Some(path) = todo.pop() {
        if path.is_dir() {
            todo.extend(
                fs::read_dir(path)
                    .expect("a folder")
                    .map(|e| e.expect("an entry").path()),
            );
            continue;
        }
        let bytes = fs::read(&path).expect("a file");
        let plain = if path.extension().is_some_and(|e| e == "zst") {
            looked += 1;
            zstd::bulk::decompress(&bytes, 16 << 20).expect("packed")
        } else {
            bytes
        };
        let text = String::from_utf8_lossy(&plain);
        assert!(!text.contains("demo-password"), "{}", path.display());
    }
    assert!(looked >= 5, "{looked}");
    assert_eq!(kept.end().await, [""; 0]);
}

#[tokio::test]
async fn comfyuis_nodes_and_settings_are_kept_with_their_commits() {
    let kept = Kept::start(20.0).await;
    let before = take(&kept, "comfyui").await;
    assert_eq!(before.snapshot.missed().count(), 0, "{before:#?}");
    let service = kept
        .site
        .site()
        .service("comfyui")
        .expect("ComfyUI")
        .container
        .clone();
    let forgekeeper_standin::docker::Work::Comfy(comfy) = service.work() else {
        panic!("no ComfyUI");
    };
    let commit = "ffff5c7e9b2d4f6081a3c5e7f9b1d3e5f7091b3d\n";
    comfy
        .disk()
        .put("custom_nodes/ComfyUI-Manager/.git/refs/heads/main", commit);
    comfy.disk().put("custom_nodes/new-one/nodes.py", "");
    let after = take(&kept, "comfyui").await;
    let drift = diff(&kept, &before, &after).await;
    let nodes = part(&drift, PartId::ComfyNodes);
    let changed: Vec<String> = nodes.changes.iter().map(|c| c.key.join("/")).collect();
    assert!(
        changed.contains(&"ComfyUI-Manager/commit".to_owned()),
        "{changed:?}"
    );
    assert!(
        changed.contains(&"new-one/unknown".to_owned()),
        "{changed:?}"
    );
    assert_eq!(nodes.changes[0].origin.by, Origin::Updated);
    assert_eq!(kept.end().await, [""; 0]);
}
