#![expect(
    clippy::disallowed_methods,
    reason = "tests write damaged and half files on purpose"
)]

use std::fs;

use forgekeeper_domain::{
    Timestamp,
    action::RestartTarget,
    generation::{GenerationRecord, GenerationRequest, GenerationVerdict, Seed},
    ids::{JobId, ServiceId},
    job::JobKind,
    restart::{Stage, StageTime},
};

use super::*;

const RESTART: JobKind = JobKind::Restart {
    target: RestartTarget::Container,
};

/// A moment with nanoseconds, so that a rounded one is noticed.
fn moment(second: i64) -> Timestamp {
    Timestamp::new(1_795_000_000 + second, 123_456_789).unwrap()
}

fn id(text: &str) -> ServiceId {
    ServiceId::new(text).unwrap()
}

fn restart(service: &str, kind: JobKind, second: i64) -> RestartEntry {
    RestartEntry {
        service: id(service),
        kind,
        at: moment(second),
        proved: second % 2 == 0,
        stages: vec![StageTime {
            stage: Stage::ApiAnswers,
            at: moment(second + 40),
            after_ms: 40_000,
        }],
    }
}

fn note(second: i64, text: &str) -> JournalEntry {
    JournalEntry {
        at: moment(second),
        kind: "action".to_owned(),
        subject: Some("myia".to_owned()),
        text: text.to_owned(),
        detail: Some(serde_json::json!({"stages": [1, 2.5, "x"]})),
    }
}

fn generation(job: &str, service: &str, second: i64) -> GenerationRecord {
    GenerationRecord {
        id: JobId::new(job).unwrap(),
        service: id(service),
        request: GenerationRequest {
            seed: Some(Seed(u64::MAX - 3)),
            ..GenerationRequest::default()
        },
        started_at: moment(second),
        took_ms: 2_500,
        verdict: GenerationVerdict::Proved,
        pictures: Vec::new(),
        substitutions: Vec::new(),
        parameters: Some("a castle\nSteps: 20".to_owned()),
        model: None,
        error: None,
        timing: None,
        card: None,
        on_cpu: false,
        workflow: None,
    }
}

async fn open_at(folder: &Path) -> Store {
    let (store, note) = Store::open(folder).await.unwrap();
    assert_eq!(note, None);
    store
}

#[tokio::test]
async fn what_is_kept_comes_back_after_reopening() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("made/for it");
    let store = open_at(&folder).await;
    for second in 0..5 {
        store
            .insert_restart(restart("myia", RESTART, second))
            .await
            .unwrap();
        store
            .insert_restart(restart("turbo", RESTART, second))
            .await
            .unwrap();
    }
    let program = JobKind::Restart {
        target: RestartTarget::Program,
    };
    store
        .insert_restart(restart("myia", program, 9))
        .await
        .unwrap();
    store
        .insert_restart(restart("myia", JobKind::Start, 10))
        .await
        .unwrap();
    store.append_journal(note(1, "first")).await.unwrap();
    store.append_journal(note(2, "second")).await.unwrap();
    store
        .insert_generation(generation("j1", "myia", 1))
        .await
        .unwrap();
    store
        .insert_generation(generation("j2", "turbo", 2))
        .await
        .unwrap();
    store.close().await;
    assert!(
        !folder.join("history.sqlite-wal").exists(),
        "closed cleanly"
    );

    let store = open_at(&folder).await;
    assert_eq!(
        store.restarts(&id("myia"), RESTART, 3).await.unwrap(),
        [
            restart("myia", RESTART, 4),
            restart("myia", RESTART, 3),
            restart("myia", RESTART, 2)
        ]
    );
    assert_eq!(store.restarts(&id("other"), RESTART, 3).await.unwrap(), []);
    assert_eq!(
        store
            .count_restarts_since(&id("myia"), moment(3))
            .await
            .unwrap(),
        3
    );
    assert_eq!(
        store
            .count_restarts_since(&id("myia"), moment(10))
            .await
            .unwrap(),
        0
    );
    assert_eq!(
        store.journal(9).await.unwrap(),
        [note(2, "second"), note(1, "first")]
    );
    assert_eq!(store.journal(1).await.unwrap(), [note(2, "second")]);
    let (newer, older) = (generation("j2", "turbo", 2), generation("j1", "myia", 1));
    assert_eq!(store.generations(9).await.unwrap(), [newer, older.clone()]);
    assert_eq!(
        store.newest_generation(&id("myia")).await.unwrap(),
        Some(older)
    );
    assert_eq!(store.newest_generation(&id("other")).await.unwrap(), None);
    // The same job again, with its end.
    let ended = GenerationRecord {
        took_ms: 9,
        ..generation("j1", "myia", 1)
    };
    store.insert_generation(ended.clone()).await.unwrap();
    assert_eq!(
        store.newest_generation(&id("myia")).await.unwrap(),
        Some(ended)
    );
    assert_eq!(store.generations(9).await.unwrap().len(), 2);
}

#[tokio::test]
async fn a_damaged_file_is_put_aside_and_said_so() {
    let junk: Vec<u8> = (0..50_000_u32)
        .map(|n| u8::try_from(n * 31 % 251).unwrap())
        .collect();
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("history.sqlite");
    // Nothing like a database; then one whose middle was overwritten.
    let store = open_at(dir.path()).await;
    for second in 0..2_000 {
        store
            .insert_restart(restart("myia", RESTART, second))
            .await
            .unwrap();
    }
    store.close().await;
    let mut torn = fs::read(&file).unwrap();
    let middle = torn.len() / 2;
    torn[4096..middle].fill(0xa5);
    for bytes in [junk, torn] {
        fs::write(&file, &bytes).unwrap();
        let (store, told) = Store::open(dir.path()).await.unwrap();
        let said = told.expect("a note");
        assert!(said.contains("history.corrupt-"), "{said}");
        store.append_journal(note(1, "works")).await.unwrap();
        assert_eq!(store.journal(5).await.unwrap().len(), 1);
        store.close().await;
        let aside = fs::read_dir(dir.path())
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .find(|path| path.to_string_lossy().contains("corrupt"))
            .expect("the old file is kept");
        assert_eq!(fs::read(&aside).unwrap(), bytes);
        fs::remove_file(aside).unwrap();
    }
}

#[tokio::test]
async fn a_folder_that_cannot_be_used_is_an_error_and_nothing_is_moved() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("a file");
    fs::write(&file, "x").unwrap();
    let below_a_file = Store::open(file.join("data")).await.unwrap_err();
    assert!(
        matches!(below_a_file, StoreError::Folder(_)),
        "{below_a_file}"
    );
    let info = ErrorInfo::from(below_a_file);
    assert_eq!(info.code, ErrorCode::Store);
    assert!(info.hint.is_some());
    // A folder where the file should be.
    fs::create_dir_all(dir.path().join("data/history.sqlite/x")).unwrap();
    let taken = Store::open(dir.path().join("data")).await.unwrap_err();
    assert!(matches!(taken, StoreError::Open(_)), "{taken}");
    assert!(dir.path().join("data/history.sqlite/x").exists());
}

/// `/proc` refuses new files to everybody, `root` too.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_read_only_folder_is_an_error() {
    for folder in ["/proc/forgekeeper", "/proc/self"] {
        let error = Store::open(folder).await.unwrap_err();
        assert!(
            matches!(error, StoreError::Folder(_) | StoreError::Open(_)),
            "{error}"
        );
    }
}

#[tokio::test]
async fn a_newer_history_is_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    open_at(dir.path()).await.close().await;
    let file = dir.path().join("history.sqlite");
    Connection::open(&file)
        .unwrap()
        .pragma_update(None, "user_version", 99)
        .unwrap();
    let error = Store::open(dir.path()).await.unwrap_err();
    assert!(matches!(error, StoreError::Newer), "{error}");
    assert!(file.exists());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_new_history_is_opened_by_many_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let opened = (0..8).map(|_| Store::open(dir.path()));
    for one in futures_util::future::join_all(opened).await {
        assert_eq!(one.map(|(_, note)| note).unwrap(), None);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_handles_write_to_one_file() {
    let dir = tempfile::tempdir().unwrap();
    // As the window and the command line do.
    let (one, two) = (open_at(dir.path()).await, open_at(dir.path()).await);
    let write = async |store: &Store, offset: i64| {
        for n in 0..50 {
            store.append_journal(note(offset + n, "x")).await.unwrap();
            store
                .insert_restart(restart("myia", RESTART, offset + n))
                .await
                .unwrap();
        }
    };
    let third = one.clone();
    tokio::join!(write(&one, 0), write(&two, 100), write(&third, 200));
    assert_eq!(two.journal(1_000).await.unwrap().len(), 150);
    assert_eq!(
        one.count_restarts_since(&id("myia"), moment(0))
            .await
            .unwrap(),
        150
    );
}

#[tokio::test]
async fn closing_finishes_what_was_asked_and_refuses_what_comes() {
    let dir = tempfile::tempdir().unwrap();
    let store = open_at(dir.path()).await;
    let waiting: Vec<_> = (0..20)
        .map(|n| store.append_journal(note(n, "x")))
        .collect();
    let (results, ()) = tokio::join!(futures_util::future::join_all(waiting), store.close());
    assert!(
        results.iter().all(Result::is_ok),
        "asked before the end: {results:?}"
    );
    let late = store.append_journal(note(99, "late")).await.unwrap_err();
    assert!(matches!(late, StoreError::Closed));
    store.clone().close().await;
    assert_eq!(
        open_at(dir.path()).await.journal(99).await.unwrap().len(),
        20
    );
}

#[tokio::test]
async fn one_unreadable_row_does_not_hide_the_others() {
    let dir = tempfile::tempdir().unwrap();
    let store = open_at(dir.path()).await;
    store
        .insert_generation(generation("j1", "myia", 1))
        .await
        .unwrap();
    store.append_journal(note(1, "x")).await.unwrap();
    store
        .run(|connection| {
            connection.execute_batch(
                "INSERT INTO generations (job, service, at_ns, record) VALUES ('j', 'myia', 9, '{');
                 INSERT INTO journal (at_ns, kind, text, detail) VALUES (9, 'action', 'y', '{');",
            )?;
            Ok(())
        })
        .await
        .unwrap();
    assert_eq!(store.generations(9).await.unwrap().len(), 1);
    assert_eq!(store.journal(9).await.unwrap().len(), 1);
}

#[tokio::test]
async fn the_history_does_not_grow_for_ever() {
    let dir = tempfile::tempdir().unwrap();
    let store = open_at(dir.path()).await;
    let (restarts, generations) = (2_010, 10_010);
    // Filled in one go; what is added the usual way then clears up.
    let (one, made) = (restart("myia", RESTART, 0), generation("j", "myia", 0));
    store
        .run(move |connection| {
            let entry = serde_json::to_string(&one)?;
            let record = serde_json::to_string(&made)?;
            let work = connection.transaction()?;
            for n in 0..restarts {
                work.execute(
                    "INSERT INTO restarts (service, kind, restart, at_ns, entry)
                     VALUES ('myia', 'x', 1, ?, ?)",
                    rusqlite::params![n, entry],
                )?;
            }
            for n in 0..generations {
                work.execute(
                    "INSERT INTO generations (job, service, at_ns, record)
                     VALUES (?, 'myia', ?, ?)",
                    rusqlite::params![n.to_string(), n, record],
                )?;
            }
            work.commit()?;
            Ok(())
        })
        .await
        .unwrap();
    store
        .insert_restart(restart("other", RESTART, 1))
        .await
        .unwrap();
    store
        .insert_restart(restart("myia", RESTART, 1))
        .await
        .unwrap();
    store
        .insert_generation(generation("new", "myia", 1))
        .await
        .unwrap();
    let count = async |table: &'static str| {
        store
            .run(move |connection| {
                let text = format!("SELECT count(*) FROM {table}");
                Ok(connection.query_row(&text, [], |row| row.get::<_, i64>(0))?)
            })
            .await
            .unwrap()
    };
    assert_eq!(count("restarts").await, 2_001, "each service by itself");
    assert_eq!(count("generations").await, 10_000);
    assert_eq!(
        store.restarts(&id("myia"), RESTART, 1).await.unwrap().len(),
        1
    );
    assert_eq!(store.generations(1).await.unwrap()[0].id.as_str(), "new");
}

#[tokio::test]
async fn long_texts_are_cut() {
    let dir = tempfile::tempdir().unwrap();
    let store = open_at(dir.path()).await;
    let entry = JournalEntry {
        text: "é".repeat(100_000),
        detail: Some(serde_json::Value::String("x".repeat(100_000))),
        ..note(1, "")
    };
    store.append_journal(entry).await.unwrap();
    let kept = store.journal(1).await.unwrap().remove(0);
    assert!(kept.text.len() < 17_000 && kept.text.ends_with('…'));
    assert_eq!(kept.detail, None);
}
