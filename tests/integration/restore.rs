//! Configuration put back on the demo host: the exact bytes, and back again; and everything that has to
//! keep a restore from being done.

use std::{fs, process::Stdio, sync::Arc, time::Duration};

use forgekeeper_domain::{
    action::{Action, Refusal, RestartTarget},
    config::{Deed, DrillVerdict, FileName, ItemState, PartId, Reason, RestoreScope, WhyLeft},
    error::{ErrorCode, ErrorInfo},
    ids::SnapshotId,
    job::{Job, JobPhase},
};
use forgekeeper_keeper::{
    config::Stored,
    keeper::{Keeper, KeeperHandle, KeeperOptions, Paths, RestoreView, SnapshotView},
    store::Store,
};
use forgekeeper_standin::{DemoSite, Fault, disk::Disk};

use crate::rig::{Kept, Place, SECOND, holds, id, post, site};

const SERVICE: &str = "myia";
const CONFIG: &str = "config.json";

fn disk(site: &DemoSite, service: &str) -> Arc<Disk> {
    let service = site.site().service(service).expect("a service");
    match service.container.work() {
        forgekeeper_standin::docker::Work::Forge(forge) => forge.disk(),
        _ => panic!("no Forge"),
    }
}

fn bytes(site: &DemoSite, file: &str) -> Option<Vec<u8>> {
    disk(site, SERVICE).get(file).map(|file| file.bytes)
}

async fn take(handle: &KeeperHandle) -> SnapshotView {
    let taken = handle.take_snapshot(&id(SERVICE), Reason::OnDemand).await;
    taken.expect("a snapshot")
}

fn of_config() -> FileName {
    FileName {
        part: PartId::ForgeConfig,
        path: None,
    }
}

fn config() -> RestoreScope {
    RestoreScope::Files {
        files: vec![of_config()],
    }
}

fn key(name: &str) -> RestoreScope {
    RestoreScope::Key {
        file: of_config(),
        key: vec![name.to_owned()],
    }
}

async fn plan(handle: &KeeperHandle, from: &SnapshotId, scope: &RestoreScope) -> RestoreView {
    handle.restore_plan(from, scope).await.expect("a plan")
}

/// Does what a plan shows, to its end.
async fn restore(handle: &KeeperHandle, from: &SnapshotId, scope: &RestoreScope) -> Job {
    let view = plan(handle, from, scope).await;
    let job = handle.restore(from, scope, &view.token, false).await;
    handle.wait(&job.expect("begun")).await.expect("its end")
}

async fn undo(handle: &KeeperHandle) -> Job {
    let view = handle
        .restore_undo_plan(&id(SERVICE))
        .await
        .expect("a plan");
    let job = handle.restore_undo(&id(SERVICE), &view.token, false).await;
    handle.wait(&job.expect("begun")).await.expect("its end")
}

async fn set_options(site: &DemoSite, json: &str) {
    let api = site.api_url(SERVICE).expect("an API");
    let answer = post(&format!("{api}/sdapi/v1/options"), json).await;
    assert_eq!(answer.expect("an answer").0, 200);
}

async fn journal(handle: &KeeperHandle, kind: &str) -> Vec<String> {
    let (store, _) = Store::open(handle.data_dir()).await.expect("a store");
    let all = store.journal(100).await.expect("the journal");
    store.close().await;
    let of = all.into_iter().filter(|entry| entry.kind == kind);
    of.map(|entry| entry.text).collect()
}

fn code(found: Result<forgekeeper_domain::ids::JobId, ErrorInfo>) -> ErrorCode {
    found.expect_err("refused").code
}

#[tokio::test]
async fn one_key_goes_back_is_proved_and_is_taken_back_to_the_byte() {
    let kept = Kept::start(20.0).await;
    let handle = kept.handle();
    let good = take(&handle).await;
    let first = bytes(&kept.site, CONFIG).expect("settings");
    // A partial request empties the checkpoint, and another option was meant to change.
    set_options(&kept.site, r#"{"jpeg_quality":91}"#).await;
    let emptied = bytes(&kept.site, CONFIG).expect("settings");
    let view = plan(&handle, &good.id, &key("sd_model_checkpoint")).await;
    assert_eq!(view.stops, Some(RestartTarget::Program));
    assert_eq!((view.refusals.len(), view.interrupts_known), (0, true));
    let [file] = view.plan.files.as_slice() else {
        panic!("{view:#?}");
    };
    assert_eq!((file.deed, file.values.len()), (Deed::Replace, 1));
    assert_eq!(file.values[0].now.as_deref(), Some("null"));
    assert_eq!(
        bytes(&kept.site, CONFIG),
        Some(emptied.clone()),
        "only shown"
    );

    let job = restore(&handle, &good.id, &key("sd_model_checkpoint")).await;
    assert_eq!(job.phase, JobPhase::Succeeded, "{job:#?}");
    let report = job.restored.expect("a report");
    assert!(
        report.verified() && report.started == Some(true),
        "{report:#?}"
    );
    assert_eq!(report.files[0].still, Some(true));
    let text = String::from_utf8(first.clone()).expect("text");
    let expected = text.replace("\"jpeg_quality\": 80.0", "\"jpeg_quality\": 91");
    assert_ne!(text, expected);
    assert_eq!(bytes(&kept.site, CONFIG), Some(expected.into_bytes()));
    // The program runs with it.
    let api = kept.site.api_url(SERVICE).expect("an API");
    let told = crate::rig::get(&format!("{api}/sdapi/v1/options")).await;
    assert!(told.expect("an answer").1.contains("sd_xl_base"));
    // A way back was kept before, and stays.
    let all = handle.snapshots(Some(&id(SERVICE))).await.expect("a list");
    let before = all.iter().find(|one| one.id == report.before);
    let Some(Stored::Whole { snapshot, pinned }) = before.map(|one| &one.stored) else {
        panic!("{all:#?}");
    };
    assert_eq!((snapshot.reason, pinned), (Reason::BeforeAction, &true));
    assert!(journal(&handle, "restore").await[0].contains("put back"));

    let trace = handle.restore_trace(&id(SERVICE)).expect("a trace");
    let last = trace.last.expect("the last one");
    assert_eq!((&last.before, last.undo), (&report.before, false));
    assert!(!last.interrupted && trace.open.is_none());
    let job = undo(&handle).await;
    assert_eq!(job.phase, JobPhase::Succeeded, "{job:#?}");
    assert_eq!(bytes(&kept.site, CONFIG), Some(emptied));
    // And the whole file, whatever was done to it.
    let job = restore(&handle, &good.id, &config()).await;
    assert_eq!(job.phase, JobPhase::Succeeded, "{job:#?}");
    assert_eq!(bytes(&kept.site, CONFIG), Some(first));
    let view = plan(&handle, &good.id, &config()).await;
    assert_eq!((view.plan.files.len(), view.plan.unchanged), (0, 1));
    let refused = handle
        .restore(&good.id, &config(), &view.token, false)
        .await;
    assert_eq!(code(refused), ErrorCode::Refused, "nothing to do");
    assert_eq!(kept.end().await, [""; 0]);
}

#[tokio::test]
async fn lost_settings_come_back_and_an_undo_takes_the_file_away_again() {
    let kept = Kept::start(20.0).await;
    let handle = kept.handle();
    let good = take(&handle).await;
    let first = bytes(&kept.site, CONFIG).expect("settings");
    kept.site
        .inject(Fault::ConfigReset, Some(SERVICE))
        .expect("a fault");
    let lost = || async {
        let up = handle.state().borrow().services.iter().any(|service| {
            service.id == id(SERVICE) && service.status == forgekeeper_domain::outcome::Status::Ok
        });
        bytes(&kept.site, CONFIG).is_none() && up
    };
    holds("settings moved away, and up again", 30 * SECOND, lost).await;
    let view = plan(&handle, &good.id, &RestoreScope::All).await;
    let deeds: Vec<_> = view.plan.files.iter().map(|f| (f.part, f.deed)).collect();
    assert_eq!(deeds, [(PartId::ForgeConfig, Deed::Create)], "{view:#?}");
    let why: Vec<WhyLeft> = view.plan.left.iter().map(|left| left.why).collect();
    assert!(
        why.contains(&WhyLeft::MovedAway),
        "what was moved stays: {why:?}"
    );
    let job = restore(&handle, &good.id, &RestoreScope::All).await;
    assert_eq!(job.phase, JobPhase::Succeeded, "{job:#?}");
    assert_eq!(bytes(&kept.site, CONFIG), Some(first));
    let job = undo(&handle).await;
    assert_eq!(job.phase, JobPhase::Succeeded, "{job:#?}");
    assert_eq!(bytes(&kept.site, CONFIG), None);
    assert_eq!(kept.end().await, [""; 0]);
}

#[tokio::test]
async fn what_is_damaged_and_what_changed_meanwhile_is_never_put_back() {
    let kept = Kept::start(20.0).await;
    let handle = kept.handle();
    let good = take(&handle).await;
    let other = r#"{"sd_model_checkpoint":"sd_xl_base_1.0.safetensors","jpeg_quality":55}"#;
    set_options(&kept.site, other).await;
    let shown = plan(&handle, &good.id, &config()).await;
    set_options(&kept.site, &other.replace("55", "56")).await;
    let now = bytes(&kept.site, CONFIG);
    let refused = handle
        .restore(&good.id, &config(), &shown.token, true)
        .await;
    assert_eq!(code(refused), ErrorCode::ChangedMeanwhile);
    let refused = handle
        .restore(&good.id, &key("jpeg_quality"), &shown.token, true)
        .await;
    assert_eq!(
        code(refused),
        ErrorCode::ChangedMeanwhile,
        "of another plan"
    );
    let undo = handle.restore_undo_plan(&id(SERVICE)).await;
    assert_eq!(
        undo.expect_err("nothing to undo").code,
        ErrorCode::BadRequest
    );

    let item = good
        .snapshot
        .items
        .iter()
        .find(|i| i.part == PartId::ForgeConfig);
    let ItemState::Kept(content) = &item.expect("an item").state else {
        panic!("{good:#?}");
    };
    let hash = content.address.strip_prefix("sha256:").expect("plain");
    let blobs = handle.data_dir().join("config/blobs").join(&hash[..2]);
    let blob = blobs.join(format!("{hash}.zst"));
    let whole = fs::read(&blob).expect("a blob");
    let mut bad = whole.clone();
    let middle = bad.len() / 2;
    bad[middle] ^= 1;
    // Damaged, cut off, replaced by what another file holds, gone.
    let swapped = zstd::bulk::compress(b"{\"evil\": true}", 1).expect("packed");
    for wrong in [Some(bad), Some(whole[..9].to_vec()), Some(swapped), None] {
        match &wrong {
            Some(bytes) => fs::write(&blob, bytes).expect("damaged"),
            None => fs::remove_file(&blob).expect("gone"),
        }
        for scope in [config(), key("jpeg_quality"), RestoreScope::All] {
            let view = plan(&handle, &good.id, &scope).await;
            let touched = view
                .plan
                .files
                .iter()
                .any(|f| f.part == PartId::ForgeConfig);
            assert!(!touched, "{view:#?}");
            let left = view
                .plan
                .left
                .iter()
                .find(|l| l.part == PartId::ForgeConfig);
            let why = left.expect("said").why;
            let expected = [WhyLeft::Damaged, WhyLeft::Gone][usize::from(wrong.is_none())];
            assert_eq!(why, expected);
            let refused = handle.restore(&good.id, &scope, &view.token, true).await;
            assert_eq!(code(refused), ErrorCode::Refused);
        }
        let drill = handle.drill(&id(SERVICE)).await.expect("a drill");
        let found = drill.items.iter().find(|i| i.part == PartId::ForgeConfig);
        let verdict = found.expect("an item").verdict;
        assert!(!drill.proved && verdict.is_bad(), "{drill:#?}");
    }
    assert_eq!(bytes(&kept.site, CONFIG), now);
    assert!(
        journal(&handle, "restore").await.is_empty(),
        "nothing was begun"
    );
    assert_eq!(kept.end().await, [""; 0]);
}

#[tokio::test]
async fn two_at_once_are_refused_and_so_is_lost_work() {
    // Slower, so that one is under way for a while.
    let kept = Kept::start(4.0).await;
    let handle = kept.handle();
    let good = take(&handle).await;
    let other = r#"{"sd_model_checkpoint":"sd_xl_base_1.0.safetensors","jpeg_quality":55}"#;
    set_options(&kept.site, other).await;
    let view = plan(&handle, &good.id, &config()).await;
    let job = handle
        .restore(&good.id, &config(), &view.token, false)
        .await
        .expect("begun");
    let again = handle.restore(&good.id, &config(), &view.token, true).await;
    assert_eq!(code(again), ErrorCode::Refused);
    let stop = handle.act(&id(SERVICE), Action::Stop, true).await;
    assert_eq!(code(stop), ErrorCode::Refused);
    let cancelled = handle.cancel(&job).expect_err("not in the middle");
    assert_eq!(cancelled.code, ErrorCode::Refused);
    let view = plan(&handle, &good.id, &config()).await;
    assert!(view.refusals.contains(&Refusal::AlreadyActing) || view.plan.files.is_empty());
    let ended = handle.wait(&job).await.expect("its end");
    assert_eq!(ended.phase, JobPhase::Succeeded, "{ended:#?}");
    assert_eq!(kept.end().await, [""; 0]);
}

#[tokio::test]
async fn a_container_that_rests_goes_on_resting() {
    let kept = Kept::start(20.0).await;
    let handle = kept.handle();
    let good = take(&handle).await;
    let first = bytes(&kept.site, CONFIG);
    let other = r#"{"sd_model_checkpoint":"sd_xl_base_1.0.safetensors","jpeg_quality":55}"#;
    set_options(&kept.site, other).await;
    let job = handle
        .act(&id(SERVICE), Action::Stop, true)
        .await
        .expect("a job");
    handle.wait(&job).await.expect("its end");
    let view = plan(&handle, &good.id, &config()).await;
    assert_eq!(view.stops, None, "{view:#?}");
    let job = restore(&handle, &good.id, &config()).await;
    assert_eq!(job.phase, JobPhase::Succeeded, "{job:#?}");
    assert_eq!(job.restored.and_then(|report| report.started), None);
    assert_eq!(bytes(&kept.site, CONFIG), first);
    let resting = handle.plan(&id(SERVICE), Action::Stop).expect("a plan");
    assert_eq!(resting.refusals, [Refusal::AlreadyStopped]);
    assert_eq!(kept.end().await, [""; 0]);
}

#[tokio::test]
async fn a_drill_restores_elsewhere_and_leaves_nothing() {
    let kept = Kept::start(20.0).await;
    let handle = kept.handle();
    assert_eq!(
        handle.last_drill(&id(SERVICE)),
        Ok(None),
        "never run is not known"
    );
    assert!(
        handle.drill(&id(SERVICE)).await.is_err(),
        "nothing to restore yet"
    );
    let taken = take(&handle).await;
    let before = disk(&kept.site, SERVICE).all();
    let report = handle.drill(&id(SERVICE)).await.expect("a drill");
    assert_eq!(report.snapshot, taken.id);
    // Without a keyring the environment is in memory only, and that is said.
    for item in &report.items {
        let expected = match item.part {
            PartId::Environment => DrillVerdict::NotKept,
            _ => DrillVerdict::Restored,
        };
        assert_eq!(item.verdict, expected, "{item:?}");
    }
    assert!(report.bytes > 100 && !report.proved);
    assert_eq!(handle.last_drill(&id(SERVICE)), Ok(Some(report)));
    assert_eq!(
        disk(&kept.site, SERVICE).all(),
        before,
        "no service is touched"
    );
    let scratch = handle.data_dir().join("config/drill");
    assert_eq!(fs::read_dir(scratch).expect("a folder").count(), 0);
    let trace = handle.restore_trace(&id(SERVICE)).expect("a trace");
    assert!(trace.drill.is_some() && trace.drill_broken.is_none());
    // One whose program ended in the middle left its mark, and is told until the next one.
    let mark = handle.data_dir().join("config/drilling/myia.json");
    let left = r#"{"owner":"0123abcd","at":"2099-01-01T00:00:00Z"}"#;
    fs::write(&mark, left).expect("written");
    let trace = handle.restore_trace(&id(SERVICE)).expect("a trace");
    assert!(trace.drill_broken.is_some(), "{trace:#?}");
    handle.drill(&id(SERVICE)).await.expect("a drill");
    let trace = handle.restore_trace(&id(SERVICE)).expect("a trace");
    assert!(trace.drill_broken.is_none(), "{trace:#?}");
    // What cannot be read is not "never".
    let stored = handle.data_dir().join("config/drills/myia.json");
    fs::write(stored, "{").expect("written");
    assert!(handle.restore_trace(&id(SERVICE)).is_err());
    assert_eq!(journal(&handle, "drill").await.len(), 2);
    assert_eq!(kept.end().await, [""; 0]);
}

/// A place with the settings of a demo host, and a keeper on the data of the command line.
async fn keeper_of(place: &Place) -> Keeper {
    let options = KeeperOptions {
        secrets_in_memory: true,
        ..KeeperOptions::for_file(Paths {
            config_file: place.config(),
            data_dir: place.folder.path().join("cli"),
        })
    };
    Keeper::start(options).await.expect("a keeper")
}

#[tokio::test]
async fn killed_in_the_middle_it_leaves_one_or_the_other_and_the_program_runs_again() {
    let site = site(6.0).await;
    let text = site.config_toml().replace("demo = true\n", "");
    let place = Place::with(&text);
    let first = bytes(&site, CONFIG).expect("settings");
    place.ctl(&["snapshot", "take", SERVICE]).await;
    let other = r#"{"sd_model_checkpoint":"sd_xl_base_1.0.safetensors","jpeg_quality":55}"#;
    for wait in [0, 150, 400, 800, 1_600] {
        set_options(&site, other).await;
        let changed = bytes(&site, CONFIG).expect("settings");
        let newest = place
            .ctl(&["--json", "snapshot", "list", SERVICE])
            .await
            .json();
        let all = newest["snapshots"].as_array().expect("a list");
        let oldest = all.last().expect("one")["id"]
            .as_str()
            .expect("an id")
            .to_owned();
        let arguments = [
            "--json",
            "snapshot",
            "restore",
            &oldest,
            "--part",
            "forge_config",
            "--yes",
        ];
        let mut command = place.command(&arguments);
        let mut child = command.stdout(Stdio::null()).spawn().expect("it starts");
        let marks = place.folder.path().join("cli/config/under-way");
        let begun = || async { fs::read_dir(&marks).is_ok_and(|mut all| all.next().is_some()) };
        holds("under way", 30 * SECOND, begun).await;
        tokio::time::sleep(Duration::from_millis(wait)).await;
        child.kill().await.expect("killed");
        let now = bytes(&site, CONFIG);
        assert!(
            [Some(&first), Some(&changed)].contains(&now.as_ref()),
            "after {wait} ms"
        );

        let keeper = keeper_of(&place).await;
        let handle = keeper.handle();
        let settled = || async { fs::read_dir(&marks).is_ok_and(|mut all| all.next().is_none()) };
        holds("settled", 30 * SECOND, settled).await;
        if Some(&first) == now.as_ref() {
            let told = journal(&handle, "restore").await;
            let trace = handle.restore_trace(&id(SERVICE)).expect("a trace");
            let interrupted = trace.last.map(|last| last.interrupted);
            assert_eq!(interrupted, Some(told[0].contains("was interrupted")));
        }
        let up = || async {
            let state = handle.state().borrow().clone();
            let mut all = state.services.iter();
            all.any(|s| s.id == id(SERVICE) && s.status == forgekeeper_domain::outcome::Status::Ok)
        };
        holds("up again", 30 * SECOND, up).await;
        let told = journal(&handle, "restore").await;
        let last = told.first().expect("told");
        assert!(
            last.contains("was interrupted") || last.contains("put back"),
            "{told:?}"
        );
        assert_eq!(bytes(&site, CONFIG), now, "nothing is written by that");
        assert_eq!(keeper.shutdown().await, [""; 0]);
    }
    site.shutdown().await;
}

#[tokio::test]
async fn the_command_line_shows_restores_takes_back_and_drills() {
    let site = site(20.0).await;
    let place = Place::with(&site.config_toml().replace("demo = true\n", ""));
    let first = bytes(&site, CONFIG).expect("settings");
    place.ctl(&["snapshot", "take", SERVICE]).await;
    let good = format!("good:{SERVICE}");
    let restore = async |more: &[&str], code: i32| {
        let mut all = vec!["snapshot", "restore", &good];
        all.extend(more);
        place.ctl(&all).await.ends_with(code)
    };
    restore(&["--part", "forge_config"], 0).await;
    set_options(&site, r#"{"jpeg_quality":91}"#).await;
    let changed = bytes(&site, CONFIG).expect("settings");
    let told = restore(&["--key", "sd_model_checkpoint", "--dry-run"], 1).await;
    assert!(
        told.stdout.contains("sd_model_checkpoint: null → "),
        "{told:#?}"
    );
    let told = restore(&[], 1).await;
    assert!(told.stderr.contains("--yes does it"), "{told:#?}");
    assert_eq!(bytes(&site, CONFIG), Some(changed.clone()));
    for wrong in [
        &["--part", "nothing"][..],
        &["--path", "x"],
        &["--yes", "--dry-run"],
    ] {
        restore(wrong, 2).await;
    }
    // The file is as it was: there is nothing to do, and nothing wrong.
    restore(&["--part", "forge_styles", "--key", "x"], 0).await;
    restore(&["--yes"], 0).await;
    assert_eq!(bytes(&site, CONFIG), Some(first));
    place.ctl(&["snapshot", "undo", SERVICE]).await.ends_with(1);
    let told = place
        .ctl(&["--json", "snapshot", "undo", SERVICE, "--yes"])
        .await;
    let lines = told.ends_with(0).lines();
    let end = &lines.last().expect("an end")["job"]["restored"];
    assert_eq!(
        (&end["undo"], &end["files"][0]["verified"]),
        (&true.into(), &true.into())
    );
    assert_eq!(bytes(&site, CONFIG), Some(changed));
    let drill = place
        .ctl(&["--json", "snapshot", "drill", SERVICE])
        .await
        .json();
    assert_eq!(drill["drills"][0]["service"], SERVICE);
    place
        .ctl(&["snapshot", "drill", "nobody"])
        .await
        .ends_with(2);
    site.shutdown().await;
}
