//! The life of a step, with steps that are played over files.

#![allow(
    clippy::disallowed_methods,
    clippy::items_after_statements,
    reason = "a test writes its own files, and starts itself"
)]

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use forgekeeper_domain::{
    error::{ErrorCode, ErrorInfo},
    ids::StepId,
    migration::{
        AfterKill, CheckKind, Deed, Finding, Found, PlanEdit, RecordAction, RecordOutcome,
        StepPreview, StepState, Words,
    },
};
use futures_util::future::BoxFuture;
use serde::{Deserialize, Serialize};

use crate::{
    keeper::{Keeper, KeeperHandle, KeeperOptions, Paths},
    migration::{Site, StepRun, StepView, StepWork, Steps},
};

mod killed;

/// Writes a file, slowly.
struct Played {
    after_kill: AfterKill,
}

#[derive(Serialize, Deserialize)]
struct Memory {
    before: Option<String>,
}

fn words(text: &str) -> Words {
    Words::both(text, text)
}

fn file_of(site: &Site) -> PathBuf {
    site.path(site.target().compose_file.as_deref().unwrap_or("x"))
}

impl StepWork for Played {
    fn check<'a>(&'a self, site: &'a Site) -> BoxFuture<'a, Finding> {
        Box::pin(async {
            if site.target().compose_file.is_none() {
                return Finding::unset("target", "compose_file");
            }
            match std::fs::read_to_string(file_of(site)) {
                Ok(text) if text == "two" => Finding::proved().with("text", text),
                Ok(text) => Finding::failed(words("half")).with("text", text),
                Err(_) => Finding::failed(words("nothing")),
            }
        })
    }

    fn can_run(&self) -> bool {
        true
    }

    fn can_undo(&self) -> bool {
        true
    }

    fn after_kill(&self) -> AfterKill {
        self.after_kill
    }

    fn preview<'a>(&'a self, site: &'a Site) -> BoxFuture<'a, Result<StepPreview, ErrorInfo>> {
        let path = file_of(site).display().to_string();
        let preview = StepPreview::default().writes(path, "+two");
        Box::pin(async move {
            Ok(StepPreview {
                confirm: site.iis().rule.clone(),
                ..preview
            })
        })
    }

    fn run<'a>(
        &'a self,
        site: &'a Site,
        run: &'a StepRun,
    ) -> BoxFuture<'a, Result<Deed, ErrorInfo>> {
        Box::pin(async move {
            let path = file_of(site);
            // Done again after a kill: what was before stays what it was.
            if run.remembered::<Memory>().is_none() {
                let before = std::fs::read_to_string(&path).ok();
                run.remember(&Memory { before }).await?;
            }
            for step in 0..20 {
                run.say(words("writing"), Some(step * 5));
                std::fs::write(&path, "one").unwrap();
                tokio::select! {
                    () = run.cancel.cancelled() => return Err(StepRun::cancelled()),
                    () = tokio::time::sleep(Duration::from_millis(10)) => {}
                }
            }
            std::fs::write(&path, "two").unwrap();
            Ok(Deed::default().before("text", "-").after("text", "two"))
        })
    }

    fn undo<'a>(
        &'a self,
        site: &'a Site,
        run: &'a StepRun,
    ) -> BoxFuture<'a, Result<Deed, ErrorInfo>> {
        Box::pin(async move {
            match run.remembered::<Memory>().and_then(|memory| memory.before) {
                Some(before) => std::fs::write(file_of(site), before).unwrap(),
                None => drop(std::fs::remove_file(file_of(site))),
            }
            Ok(Deed::default())
        })
    }
}

fn played(check: CheckKind) -> Option<&'static dyn StepWork> {
    match check {
        CheckKind::ComposeBeside => Some(&Played {
            after_kill: AfterKill::Again,
        }),
        CheckKind::TargetImage => Some(&Played {
            after_kill: AfterKill::Tell,
        }),
        _ => None,
    }
}

const PLAN: &str = "\
# By hand.
[target]
compose_file = \"made.txt\"

[[change]]
id = \"gpu-plan\"
skip = \"played\"

[[change]]
id = \"disk-space\"
skip = \"played\"
";

fn id(text: &str) -> StepId {
    StepId::new(text).unwrap()
}

async fn keeper(folder: &Path) -> Keeper {
    let settings = folder.join("forgekeeper.toml");
    if !settings.exists() {
        std::fs::write(&settings, "").unwrap();
        std::fs::write(folder.join("migration.toml"), PLAN).unwrap();
    }
    let options = KeeperOptions {
        secrets_in_memory: true,
        steps: Steps(played),
        ..KeeperOptions::for_file(Paths {
            config_file: settings,
            data_dir: folder.join("data"),
        })
    };
    Keeper::start(options).await.unwrap()
}

async fn step(handle: &KeeperHandle, name: &str) -> StepView {
    let view = handle.migration().await.unwrap();
    view.step(&id(name)).unwrap().clone()
}

fn is_proved(step: &StepView) -> bool {
    matches!(
        step.state,
        StepState::Proved {
            attested: false,
            ..
        }
    )
}

async fn run(handle: &KeeperHandle, name: &str) -> RecordOutcome {
    handle.migration_run(&id(name), None).await.unwrap();
    handle.migration_wait(&id(name)).await.unwrap().outcome
}

#[tokio::test]
async fn a_step_lives_from_the_first_look_to_being_done_again() {
    let dir = tempfile::tempdir().unwrap();
    let keeper = keeper(dir.path()).await;
    let handle = keeper.handle();
    let made = dir.path().join("made.txt");
    let compose = id("compose-beside");

    // Blocked by the image, which nobody has looked at.
    let error = handle.migration_run(&compose, None).await.unwrap_err();
    assert_eq!(error.code, ErrorCode::Refused);
    assert!(
        error.message.contains("The target image exists"),
        "{error:?}"
    );
    assert!(!made.exists());

    let look = handle.migration_check(&id("target-image")).await.unwrap();
    assert_eq!(look.finding.found, Found::Failed);
    std::fs::write(&made, "two").unwrap();
    let look = handle.migration_check(&id("target-image")).await.unwrap();
    assert_eq!(look.finding.found, Found::Proved);
    std::fs::write(&made, "mine").unwrap();

    assert_eq!(
        step(&handle, "compose-beside").await.state,
        StepState::Ready
    );
    let preview = handle.migration_preview(&compose, false).await.unwrap();
    assert_eq!((preview.lines.len(), preview.refused.len()), (1, 0));
    assert_eq!(
        std::fs::read(&made).unwrap(),
        b"mine",
        "a preview changes nothing"
    );

    handle.migration_run(&compose, None).await.unwrap();
    let doing = step(&handle, "compose-beside").await;
    assert!(
        matches!(doing.state, StepState::Running { .. }),
        "{doing:?}"
    );
    assert!(
        doing
            .doing
            .is_some_and(|doing| doing.here && !doing.interrupted)
    );
    // One at a time.
    let second = handle.migration_run(&compose, None).await.unwrap_err();
    assert_eq!(second.code, ErrorCode::Refused);
    let end = handle.migration_wait(&compose).await.unwrap();
    assert_eq!(end.outcome, RecordOutcome::Done);
    let done = step(&handle, "compose-beside").await;
    assert!(is_proved(&done) && done.doing.is_none(), "{done:?}");
    assert!(done.holds_until.is_some());
    assert_eq!(done.proof.unwrap().evidence[0].value, "two");

    handle.migration_undo(&compose, None).await.unwrap();
    handle.migration_wait(&compose).await.unwrap();
    assert_eq!(std::fs::read(&made).unwrap(), b"mine");
    assert_eq!(
        step(&handle, "compose-beside").await.state,
        StepState::Ready
    );
    let nothing = handle.migration_undo(&compose, None).await.unwrap_err();
    assert!(nothing.message.contains("Nothing was done"), "{nothing:?}");

    assert_eq!(run(&handle, "compose-beside").await, RecordOutcome::Done);
    assert!(is_proved(&step(&handle, "compose-beside").await));

    // Everything stands in the recorder, in order.
    let record = handle.migration_record(100).await.unwrap();
    let told: Vec<_> = record
        .iter()
        .filter(|entry| entry.step.as_ref() == Some(&compose))
        .map(|entry| (entry.action, entry.outcome))
        .collect();
    use {RecordAction as A, RecordOutcome as O};
    let once = [(A::Run, O::Begun), (A::Run, O::Done), (A::Check, O::Proved)];
    let mut expected = vec![(A::Run, O::Refused), (A::Preview, O::Done)];
    expected.extend(once);
    expected.insert(3, (A::Run, O::Refused));
    expected.extend([
        (A::Undo, O::Begun),
        (A::Undo, O::Done),
        (A::Undo, O::Refused),
    ]);
    expected.extend(once);
    assert_eq!(told, expected);
    keeper.shutdown().await;
}

#[tokio::test]
async fn what_is_not_allowed_is_refused_and_changes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let keeper = keeper(dir.path()).await;
    let handle = keeper.handle();
    let refused = |error: ErrorInfo| (error.code == ErrorCode::Refused).then_some(error.message);
    // A machine can measure it: nobody's word counts.
    let error = handle.migration_attest(&id("backup"), "jesse", None).await;
    assert!(refused(error.unwrap_err()).unwrap().contains("measured"));
    // It waits for another.
    let error = handle
        .migration_attest(&id("training"), "jesse", None)
        .await;
    assert!(refused(error.unwrap_err()).unwrap().contains("come first"));
    // Nobody is nobody.
    let error = handle.migration_attest(&id("read-docs"), "  ", None).await;
    assert_eq!(error.unwrap_err().code, ErrorCode::BadRequest);
    // A person attests it.
    let error = handle.migration_check(&id("read-docs")).await.unwrap_err();
    assert!(refused(error).is_some());
    // Not built: that is unknown, and no proof.
    let look = handle.migration_check(&id("backup")).await.unwrap();
    assert_eq!(look.finding.found, Found::Unknown);
    let backup = step(&handle, "backup").await;
    assert!(!backup.built && backup.proof.is_none() && backup.state == StepState::Ready);
    assert!(refused(handle.migration_run(&id("backup"), None).await.unwrap_err()).is_some());
    // Skipped.
    assert!(
        refused(
            handle
                .migration_run(&id("gpu-plan"), None)
                .await
                .unwrap_err()
        )
        .is_some()
    );
    let error = handle.migration_check(&id("nothing")).await.unwrap_err();
    assert_eq!(error.code, ErrorCode::BadRequest);

    handle
        .migration_attest(&id("read-docs"), "jesse", Some("all"))
        .await
        .unwrap();
    let docs = step(&handle, "read-docs").await;
    assert!(
        matches!(docs.state, StepState::Proved { attested: true, .. }),
        "{docs:?}"
    );

    // What has to be confirmed is confirmed by its word.
    let plan = PLAN.replace(
        "[[change]]\nid = \"gpu",
        "[iis]\nrule = \"SURE\"\n\n[[change]]\nid = \"gpu",
    );
    std::fs::write(dir.path().join("migration.toml"), plan).unwrap();
    handle.inner.migration.file.load();
    let image = id("target-image");
    for word in [None, Some("sure")] {
        let error = handle.migration_run(&image, word).await.unwrap_err();
        assert!(error.hint.unwrap().contains("SURE"));
    }
    handle.migration_run(&image, Some("SURE")).await.unwrap();
    // Ended by somebody: by half, and measured as such.
    handle.migration_cancel(&image).unwrap();
    let end = handle.migration_wait(&image).await.unwrap();
    assert_eq!(end.outcome, RecordOutcome::Cancelled);
    assert!(matches!(
        step(&handle, "target-image").await.state,
        StepState::Failed { .. }
    ));
    keeper.shutdown().await;
}

#[tokio::test]
async fn a_plan_that_is_broken_by_hand_meanwhile_does_nothing_until_it_is_mended() {
    let dir = tempfile::tempdir().unwrap();
    let keeper = keeper(dir.path()).await;
    let handle = keeper.handle();
    let file = dir.path().join("migration.toml");
    let mut events = handle.events();
    std::fs::write(&file, format!("{PLAN}\n[target\n")).unwrap();
    let told = async {
        loop {
            let view = handle.migration().await.unwrap();
            if !view.file.problems.is_empty() {
                break view;
            }
            // News of services come here, too.
            let _ = events.recv().await;
        }
    };
    let view = tokio::time::timeout(Duration::from_secs(20), told)
        .await
        .unwrap();
    assert!(view.file.problems[0].line.is_some());
    // The last good plan is shown, and nothing is done by it.
    assert!(matches!(
        view.step(&id("gpu-plan")).unwrap().state,
        StepState::Skipped { .. }
    ));
    let error = handle
        .migration_run(&id("target-image"), None)
        .await
        .unwrap_err();
    assert!(error.message.contains("migration.toml"), "{error:?}");
    let note = PlanEdit::Note(id("backup"), Some("x".to_owned()));
    assert!(handle.migration_edit(note.clone()).await.is_err());
    std::fs::write(&file, PLAN).unwrap();
    handle.migration_edit(note).await.unwrap();
    let text = std::fs::read_to_string(&file).unwrap();
    assert!(text.starts_with("# By hand.\n[target]"), "{text}");
    assert_eq!(step(&handle, "backup").await.note.as_deref(), Some("x"));
    assert_eq!(run(&handle, "target-image").await, RecordOutcome::Done);
    keeper.shutdown().await;
}
