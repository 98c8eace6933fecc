//! The public address turned to ComfyUI and back, through a played IIS that reads its `web.config` as IIS does.

use std::{
    path::PathBuf,
    time::{Duration, Instant},
};

use forgekeeper_domain::{
    error::ErrorCode,
    ids::StepId,
    migration::{Found, PreviewLine, RecordAction, RecordEntry, RecordOutcome, StepState},
};
use forgekeeper_keeper::{
    keeper::{Keeper, KeeperHandle, KeeperOptions, Paths},
    migration::StepEnd,
};
use forgekeeper_standin::{DemoSite, Fault};
use futures_util::StreamExt as _;

use crate::rig::{Place, SECOND, get, holds, site};

/// Steps of the plan that are not what is tried here.
const OTHERS: &[&str] = &[
    "backup",
    "maintenance-window",
    "training",
    "batch-equivalence",
    "quality",
];

struct Moving {
    site: DemoSite,
    keeper: Keeper,
    _folder: tempfile::TempDir,
    file: PathBuf,
    public: String,
    rehearsal: String,
}

fn step(name: &str) -> StepId {
    StepId::new(name).expect("a step")
}

/// A plan in which the steps of the public address can be done at once.
fn plan(site: &DemoSite) -> String {
    let skipped: String = OTHERS
        .iter()
        .map(|step| format!("[[change]]\nid = \"{step}\"\nskip = \"not tried here\"\n"))
        .collect();
    // The target is there already.
    let plan = site.plan_toml().replace("comfyui-next", "comfyui");
    format!("{plan}{skipped}")
}

impl Moving {
    async fn start() -> Self {
        let site = site(20.0).await;
        let folder = tempfile::tempdir().expect("a folder");
        let paths = Paths {
            config_file: folder.path().join("forgekeeper.toml"),
            data_dir: folder.path().join("data"),
        };
        let options = KeeperOptions::for_demo(paths, "test".to_owned(), site.config_toml())
            .with_plan(plan(&site));
        let keeper = Keeper::start(options).await.expect("a keeper");
        let urls = site.iis().urls();
        let moving = Self {
            file: site.iis().web_config().to_owned(),
            public: urls[0].clone(),
            rehearsal: urls[2].clone(),
            keeper,
            site,
            _folder: folder,
        };
        holds("Forge behind IIS", 20 * SECOND, || {
            moving.is_forge(&moving.public)
        })
        .await;
        moving
    }

    fn handle(&self) -> KeeperHandle {
        self.keeper.handle()
    }

    fn bytes(&self) -> Vec<u8> {
        std::fs::read(&self.file).expect("web.config")
    }

    async fn is_forge(&self, url: &str) -> bool {
        let answer = get(&format!("{url}/sdapi/v1/sd-models")).await;
        answer.is_some_and(|(code, body)| code == 200 && body.contains("model_name"))
    }

    async fn is_comfy(&self, url: &str) -> bool {
        let answer = get(&format!("{url}/system_stats")).await;
        answer.is_some_and(|(code, body)| code == 200 && body.contains("comfyui_version"))
    }

    async fn run(&self, name: &str) -> StepEnd {
        let (handle, id) = (self.handle(), step(name));
        handle.migration_run(&id, None).await.expect("it begins");
        handle.migration_wait(&id).await.expect("it ends")
    }

    async fn undo(&self, name: &str) -> StepEnd {
        let (handle, id) = (self.handle(), step(name));
        handle.migration_undo(&id, None).await.expect("it begins");
        handle.migration_wait(&id).await.expect("it ends")
    }

    /// What the flight recorder has of the last end of a deed.
    async fn recorded(&self, name: &str, action: RecordAction) -> RecordEntry {
        let entries = self.handle().migration_record(100).await.expect("a record");
        let id = step(name);
        let ended = |e: &&RecordEntry| {
            e.step.as_ref() == Some(&id) && e.action == action && e.outcome != RecordOutcome::Begun
        };
        entries
            .iter()
            .filter(ended)
            .max_by_key(|e| e.at)
            .cloned()
            .expect("an entry")
    }

    async fn end(self) {
        assert_eq!(self.keeper.shutdown().await, Vec::<&str>::new());
        self.site.shutdown().await;
    }
}

fn value(entry: &RecordEntry, name: &str) -> Option<String> {
    entry
        .after
        .iter()
        .find(|e| e.name == name)
        .map(|e| e.value.clone())
}

fn milliseconds(entry: &RecordEntry, name: &str) -> u32 {
    let told = value(entry, name).unwrap_or_else(|| panic!("{name}: {entry:#?}"));
    told.parse().expect("milliseconds")
}

#[tokio::test(flavor = "multi_thread")]
async fn rehearsed_turned_and_returned_byte_for_byte_with_every_time_measured() {
    let moving = Moving::start().await;
    let original = moving.bytes();

    let preview = moving
        .handle()
        .migration_preview(&step("proxy-rehearsal"), false)
        .await
        .expect("a preview");
    assert_eq!(preview.refused, []);
    let diff = preview.lines.iter().find_map(|line| match line {
        PreviewLine::Writes { diff, .. } => Some(diff.clone()),
        _ => None,
    });
    let diff = diff.expect("a file that is written");
    assert_eq!(
        diff.lines().filter(|l| l.starts_with(['-', '+'])).count(),
        2,
        "{diff}"
    );
    assert_eq!(moving.bytes(), original, "a preview writes nothing");

    let end = moving.run("proxy-rehearsal").await;
    assert_eq!(end.outcome, RecordOutcome::Done, "{end:#?}");
    let look = end.look.expect("a look");
    assert_eq!(look.finding.found, Found::Proved, "{look:#?}");
    let socket = look.finding.evidence.iter().find(|e| e.name == "websocket");
    assert!(
        socket.is_some_and(|e| e.value.starts_with("101")),
        "{look:#?}"
    );
    assert!(moving.is_comfy(&moving.rehearsal).await && moving.is_forge(&moving.public).await);
    let rehearsed = moving.bytes();
    assert_ne!(rehearsed, original);

    let end = moving.run("proxy-cutover").await;
    assert_eq!(end.outcome, RecordOutcome::Done, "{end:#?}");
    assert!(moving.is_comfy(&moving.public).await);
    let done = moving.recorded("proxy-cutover", RecordAction::Run).await;
    assert!(milliseconds(&done, "cutover_ms") < 30_000);
    assert!(
        done.before
            .iter()
            .any(|e| e.name == "public_answer" && e.value.starts_with("forge")),
        "{done:#?}"
    );
    assert!(value(&done, "public_answer").is_some_and(|v| v.starts_with("comfyui")));
    assert_eq!(value(&done, "same_service").as_deref(), Some("7/7"));
    let backup = value(&done, "backup_file").expect("a copy");
    assert_eq!(std::fs::read(&backup).expect("the copy"), rehearsed);
    let ws = format!("{}/ws?clientId=test", moving.public.replace("http", "ws"));
    let (mut socket, _) = tokio_tungstenite::connect_async(ws).await.expect("101");
    let first = socket.next().await.expect("a message").expect("a message");
    assert!(first.to_string().contains("status"));
    let view = moving.handle().migration().await.expect("a view");
    let state = &view.step(&step("proxy-cutover")).expect("the step").state;
    assert!(
        matches!(
            state,
            StepState::Proved {
                attested: false,
                ..
            }
        ),
        "{state:?}"
    );

    let end = moving.undo("proxy-cutover").await;
    assert_eq!(end.outcome, RecordOutcome::Done, "{end:#?}");
    assert_eq!(moving.bytes(), rehearsed);
    let back = moving.recorded("proxy-cutover", RecordAction::Undo).await;
    assert!(milliseconds(&back, "return_ms") < 30_000);
    assert_eq!(value(&back, "put_back").as_deref(), Some("exact_bytes"));
    assert!(moving.is_forge(&moving.public).await);
    // Once undone, it can be done again.
    assert_eq!(
        moving.run("proxy-cutover").await.outcome,
        RecordOutcome::Done
    );
    assert_eq!(
        moving.undo("proxy-cutover").await.outcome,
        RecordOutcome::Done
    );
    assert_eq!(
        moving.undo("proxy-rehearsal").await.outcome,
        RecordOutcome::Done
    );
    assert_eq!(moving.bytes(), original);
    assert!(moving.is_forge(&moving.rehearsal).await);
    moving.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_work_through_the_proxy_goes_back_by_itself() {
    let moving = Moving::start().await;
    let original = moving.bytes();
    for (fault, words) in [
        (Fault::IisWebsocketOff, "WebSockets do not come through"),
        (Fault::IisHostRewritten, "preserveHostHeader"),
    ] {
        moving.site.inject(fault, None).expect("a fault");
        let end = moving.run("proxy-rehearsal").await;
        assert_eq!(end.outcome, RecordOutcome::Failed, "{fault:?} {end:#?}");
        let error = end.error.expect("an error");
        assert_eq!(error.code, ErrorCode::NotProved);
        assert!(error.message.contains(words), "{error:#?}");
        let hint = error.hint.expect("what became of it");
        assert!(hint.contains("was put back after"), "{hint}");
        assert_eq!(moving.bytes(), original, "{fault:?}");
        holds("Forge again", 5 * SECOND, || {
            moving.is_forge(&moving.rehearsal)
        })
        .await;
        moving.site.clear(fault, None).expect("mended");
    }
    moving
        .site
        .inject(Fault::ApiRefused, Some("comfyui"))
        .expect("a fault");
    holds("no ComfyUI", 5 * SECOND, || async {
        !moving
            .is_comfy(&moving.site.api_url("comfyui").expect("it"))
            .await
    })
    .await;
    let preview = moving
        .handle()
        .migration_preview(&step("proxy-rehearsal"), false)
        .await
        .expect("a preview");
    assert!(
        preview
            .refused
            .iter()
            .any(|w| w.en.contains("does not answer at its own address")),
        "{preview:#?}"
    );
    let begun = moving
        .handle()
        .migration_run(&step("proxy-rehearsal"), None)
        .await;
    assert_eq!(
        begun.expect_err("nobody is sent to a closed door").code,
        ErrorCode::Refused
    );
    assert_eq!(moving.bytes(), original);
    moving.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_others_change_keeps_their_changes_and_a_broken_one_is_refused() {
    let moving = Moving::start().await;
    let original = moving.bytes();
    assert_eq!(
        moving.run("proxy-rehearsal").await.outcome,
        RecordOutcome::Done
    );
    // Somebody adds a comment meanwhile: it stays when the address is put back.
    let mut commented = moving.bytes();
    commented.extend_from_slice(b"<!-- mine -->\r\n");
    std::fs::write(&moving.file, &commented).expect("written");
    assert_eq!(
        moving.undo("proxy-rehearsal").await.outcome,
        RecordOutcome::Done
    );
    let back = moving.recorded("proxy-rehearsal", RecordAction::Undo).await;
    assert_eq!(value(&back, "put_back").as_deref(), Some("address_only"));
    assert_eq!(
        moving.bytes(),
        [&original[..], b"<!-- mine -->\r\n"].concat()
    );

    // Half of it, as a full disk leaves it: refused, shown, and not touched.
    let half = &original[..original.len() / 2];
    std::fs::write(&moving.file, half).expect("written");
    let broken = || async {
        get(&moving.public)
            .await
            .is_some_and(|(code, _)| code == 500)
    };
    holds("500.19", 5 * SECOND, broken).await;
    let id = step("proxy-rehearsal");
    let preview = moving
        .handle()
        .migration_preview(&id, false)
        .await
        .expect("a preview");
    assert!(
        preview.refused[0].en.contains("not well-formed XML"),
        "{preview:#?}"
    );
    assert!(preview.refused[0].fr.contains("bien formé"));
    let look = moving.handle().migration_check(&id).await.expect("a look");
    assert_eq!(look.finding.found, Found::Failed, "{look:#?}");
    assert!(moving.handle().migration_run(&id, None).await.is_err());
    assert_eq!(moving.bytes(), half);

    // Mended: it can be done again, and what half of a write leaves is put back whole.
    std::fs::write(&moving.file, &original).expect("written");
    tokio::time::sleep(Duration::from_millis(400)).await;
    assert_eq!(
        moving.run("proxy-rehearsal").await.outcome,
        RecordOutcome::Done
    );
    let turned = moving.bytes();
    std::fs::write(&moving.file, &turned[..turned.len() - 40]).expect("written");
    assert_eq!(
        moving.undo("proxy-rehearsal").await.outcome,
        RecordOutcome::Done
    );
    assert_eq!(moving.bytes(), original);
    moving.end().await;
}

/// Where a program is killed.
#[derive(Debug, Clone, Copy)]
enum Kill {
    /// The copy is there, the file is not written yet, or just now.
    AfterBackup,
    /// The file was written a moment ago, and nothing is proved.
    AfterWriting,
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_between_copy_and_writing_or_right_after_it_goes_on_and_comes_back() {
    let site = site(20.0).await;
    let place = Place::with(&site.config_toml());
    std::fs::write(place.folder.path().join("migration.toml"), plan(&site)).expect("written");
    let file = site.iis().web_config().to_owned();
    let read = || std::fs::read(&file).expect("web.config");
    let copies = || {
        let names = std::fs::read_dir(file.parent().expect("a folder")).expect("listed");
        names
            .filter(|entry| {
                entry
                    .as_ref()
                    .is_ok_and(|e| e.file_name().to_string_lossy().ends_with(".bak"))
            })
            .count()
    };
    let original = read();
    let run = ["migration", "run", "proxy-rehearsal", "--yes"];
    let undo = ["migration", "undo", "proxy-rehearsal", "--yes"];
    let mut turned = None;
    for (round, kill) in [Kill::AfterBackup, Kill::AfterWriting]
        .into_iter()
        .enumerate()
    {
        let before = copies();
        let mut child = place.command(&run).spawn().expect("it starts");
        let begun = Instant::now();
        loop {
            let reached = match kill {
                Kill::AfterBackup if round == 0 => copies() > before,
                _ => read() != original,
            };
            if reached {
                break;
            }
            assert!(begun.elapsed() < 60 * SECOND, "{kill:?} was not reached");
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        child.start_kill().expect("killed");
        child.wait().await.expect("its end");
        let left = read();
        // Whole, whichever of the two it is.
        if left != original {
            assert_eq!(
                *turned.get_or_insert_with(|| left.clone()),
                left,
                "{kill:?}"
            );
        }
        place.ctl(&run).await.ends_with(0);
        let now = read();
        assert_eq!(*turned.get_or_insert_with(|| now.clone()), now, "{kill:?}");
        assert_eq!(copies(), 1, "the same bytes are kept once");
        let rehearsal = site.iis().urls()[2].clone();
        let answer = get(&format!("{rehearsal}/system_stats")).await;
        assert!(answer.is_some_and(|(code, body)| code == 200 && body.contains("comfyui_version")));
        place.ctl(&undo).await.ends_with(0);
        assert_eq!(read(), original, "{kill:?}");
    }
    site.shutdown().await;
}
