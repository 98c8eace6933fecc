//! A program that is killed in the middle of a step.

use std::{
    path::Path,
    process::{Command, Stdio},
    time::Duration,
};

use forgekeeper_domain::migration::{RecordOutcome, StepState};

use super::{PLAN, id, is_proved, keeper, run, step};
use crate::{keeper::KeeperHandle, migration::StepView};

async fn until(handle: &KeeperHandle, name: &str, what: impl Fn(&StepView) -> bool) -> StepView {
    for _ in 0..500 {
        let now = step(handle, name).await;
        if what(&now) {
            return now;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("never: {:?}", step(handle, name).await);
}

const CHILD: &str = "FORGEKEEPER_TEST_MIGRATION_CHILD";

/// Not a test of its own: the program that is killed.
#[tokio::test]
async fn child_that_is_killed() {
    let Some(folder) = std::env::var_os(CHILD) else {
        return;
    };
    let keeper = keeper(Path::new(&folder)).await;
    let handle = keeper.handle();
    let name = std::env::var("STEP").unwrap();
    println!("ready");
    let _ = handle.migration_run(&id(&name), None).await;
    let _ = handle.migration_wait(&id(&name)).await;
    println!("done");
    std::future::pending::<()>().await;
}

async fn killed_after(folder: &Path, name: &str, wait: Duration) {
    use std::io::BufRead as _;
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["child_that_is_killed", "--nocapture", "--test-threads=1"])
        .env(CHILD, folder)
        .env("STEP", name)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let out = child.stdout.take().unwrap();
    let ready = tokio::task::spawn_blocking(move || {
        let mut lines = std::io::BufReader::new(out).lines();
        lines.any(|line| line.unwrap().contains("ready"))
    });
    assert!(ready.await.unwrap());
    tokio::time::sleep(wait).await;
    child.kill().unwrap();
    child.wait().unwrap();
}

#[tokio::test]
async fn a_step_killed_at_any_moment_goes_on_and_can_be_taken_back() {
    let mut seed = std::process::id();
    for round in 0..6 {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("made.txt"), "mine").unwrap();
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let wait = Duration::from_millis(u64::from(seed >> 16) % 300);
        // What it waits for is skipped: it is about the kill.
        std::fs::write(dir.path().join("forgekeeper.toml"), "").unwrap();
        let plan = format!("{PLAN}\n[[change]]\nid = \"target-image\"\nskip = \"played\"\n");
        std::fs::write(dir.path().join("migration.toml"), plan).unwrap();
        killed_after(dir.path(), "compose-beside", wait).await;
        let keeper = keeper(dir.path()).await;
        let handle = keeper.handle();
        // Killed before it was begun, nothing is known of it; else it goes on by itself.
        let now = until(&handle, "compose-beside", |step| {
            is_proved(step) && step.doing.is_none() || step.state == StepState::Ready
        })
        .await;
        if now.state == StepState::Ready {
            assert_eq!(std::fs::read(dir.path().join("made.txt")).unwrap(), b"mine");
            assert_eq!(run(&handle, "compose-beside").await, RecordOutcome::Done);
        }
        handle
            .migration_undo(&id("compose-beside"), None)
            .await
            .unwrap();
        handle.migration_wait(&id("compose-beside")).await.unwrap();
        let text = std::fs::read_to_string(dir.path().join("made.txt")).unwrap();
        assert_eq!(text, "mine", "round {round}, killed after {wait:?}");
        keeper.shutdown().await;
    }
}

#[tokio::test]
async fn a_step_that_may_not_go_on_by_itself_is_told_with_what_to_do() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("made.txt"), "mine").unwrap();
    // In the middle, or it is tried again: a loaded machine may be slow to begin.
    let (mut wait, mut tries) = (100, 0);
    loop {
        killed_after(dir.path(), "target-image", Duration::from_millis(wait)).await;
        if std::fs::read(dir.path().join("made.txt")).unwrap() == b"one" {
            break;
        }
        wait = wait % 900 + 70;
        tries += 1;
        assert!(tries < 30, "never killed in the middle");
        std::fs::write(dir.path().join("made.txt"), "mine").unwrap();
    }
    let keeper = keeper(dir.path()).await;
    let handle = keeper.handle();
    let told = || async {
        let record = handle.migration_record(100).await.unwrap();
        record
            .iter()
            .any(|entry| entry.outcome == RecordOutcome::Interrupted)
    };
    for _ in 0..200 {
        if told().await {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(told().await);
    let left = step(&handle, "target-image").await;
    assert!(matches!(left.state, StepState::Failed { .. }), "{left:?}");
    assert!(
        left.doing
            .as_ref()
            .is_some_and(|doing| doing.interrupted && !doing.here)
    );
    assert_eq!(std::fs::read(dir.path().join("made.txt")).unwrap(), b"one");
    assert_eq!(run(&handle, "target-image").await, RecordOutcome::Done);
    assert!(is_proved(&step(&handle, "target-image").await));
    handle
        .migration_undo(&id("target-image"), None)
        .await
        .unwrap();
    handle.migration_wait(&id("target-image")).await.unwrap();
    assert_eq!(std::fs::read(dir.path().join("made.txt")).unwrap(), b"mine");
    keeper.shutdown().await;
}
