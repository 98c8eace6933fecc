use std::{ops::RangeInclusive, time::Duration};

use forgekeeper_domain::{
    error::{ErrorCode, ErrorInfo},
    logs::saved::{SaveFormat, SavedLog},
};

use super::*;
use crate::logs::ServiceLog;

fn id(service: &str) -> ServiceId {
    ServiceId::new(service).unwrap()
}

/// Stores lines of a service.
async fn store(folder: &Path, service: &str, lines: impl IntoIterator<Item = LogLine>) {
    let keeping = Keeping {
        days: 36_500,
        ..Keeping::default()
    };
    let archive = Archive::open(folder, &id(service), keeping).await.unwrap();
    let archive = archive.expect("nobody else writes it");
    for line in lines {
        archive.add(&line);
        archive.room().await;
    }
    archive.close().await;
}

fn saving(services: &[&str], query: &LogQuery, range: Option<RangeInclusive<u32>>) -> Saving {
    let log = |service: &&str| (id(service), ServiceLog::new());
    Saving {
        logs: services.iter().map(log).collect(),
        filter: LineFilter::compile(query).unwrap(),
        range,
        format: SaveFormat::Jsonl,
    }
}

async fn saved(saving: Saving, folder: &Path, file: &Path) -> Result<SavedLog, SaveError> {
    let (progress, outcome) = saving
        .start(file.to_owned(), folder, CancellationToken::new())
        .unwrap();
    let outcome = outcome.await.unwrap();
    if let Ok(saved) = &outcome {
        let told = *progress.borrow();
        assert_eq!((told.looked, told.lines), (told.all, saved.lines));
    }
    outcome
}

/// Service and number of each line of a file.
fn numbers(file: &Path) -> Vec<(String, u32)> {
    let text = std::fs::read_to_string(file).unwrap();
    let line = |line: &str| {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        let seq = line["seq"].as_u64().unwrap();
        let service = line["service"].as_str().unwrap();
        (service.to_owned(), u32::try_from(seq).unwrap())
    };
    text.lines().map(line).collect()
}

fn in_folder(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.collect()
}

#[tokio::test]
async fn all_is_saved_oldest_first_with_what_narrows_it() {
    let folder = tempfile::tempdir().unwrap();
    let lines =
        (0..60_000).map(|n| line(n, format!("{} {n:>80}", if n % 2 == 0 { "a" } else { "b" })));
    store(folder.path(), "myia", lines).await;
    let to = tempfile::tempdir().unwrap();
    let file = to.path().join("all.jsonl");
    let all = saved(saving(&["myia"], &text(""), None), folder.path(), &file);
    let all = all.await.unwrap();
    assert_eq!(all.lines, 60_000);
    assert_eq!(all.bytes, std::fs::metadata(&file).unwrap().len());
    assert_eq!(all.path, file.display().to_string());
    let read = numbers(&file);
    assert!(read.iter().map(|(_, seq)| *seq).eq(0..60_000));
    assert_eq!(in_folder(to.path()), ["all.jsonl"]);

    // The same name again: it is replaced.
    let range = saving(&["myia"], &text("a "), Some(101..=105));
    saved(range, folder.path(), &file).await.unwrap();
    let read: Vec<u32> = numbers(&file).into_iter().map(|(_, seq)| seq).collect();
    assert_eq!(read, [102, 104]);
    let past = LogQuery {
        until: line(2, String::new()).at,
        ..text("")
    };
    let past = saving(&["myia"], &past, None);
    assert_eq!(saved(past, folder.path(), &file).await.unwrap().lines, 3);
}

#[tokio::test]
async fn services_are_merged_by_time_and_each_keeps_its_order() {
    let folder = tempfile::tempdir().unwrap();
    let at = |seq: u32, second: Option<i64>| LogLine {
        at: second.map(|second| Timestamp::from_second(second).unwrap()),
        ..line(i64::from(seq), format!("line {seq}"))
    };
    // One without a time, and a clock that was set back.
    let a = [
        at(0, Some(10)),
        at(1, None),
        at(2, Some(30)),
        at(3, Some(5)),
        at(4, Some(50)),
    ];
    let b = [at(0, Some(9)), at(1, Some(20)), at(2, Some(40))];
    store(folder.path(), "a", a).await;
    store(folder.path(), "b", b).await;
    let file = folder.path().join("both");
    let both = saving(&["b", "a"], &text(""), None);
    saved(both, folder.path(), &file).await.unwrap();
    let order: Vec<String> = numbers(&file)
        .into_iter()
        .map(|(service, seq)| format!("{service}{seq}"))
        .collect();
    assert_eq!(order, ["b0", "a0", "a1", "b1", "a2", "a3", "b2", "a4"]);
}

#[tokio::test]
async fn what_is_held_is_saved_where_nothing_is_stored() {
    let folder = tempfile::tempdir().unwrap();
    let log = ServiceLog::new();
    log.push(
        LogStream::Stdout,
        b"2025-10-11T10:34:00.5Z one\n2025-10-11T10:34:01Z ERROR two\n",
    );
    log.finish();
    let saving = Saving {
        logs: vec![(id("myia"), log)],
        format: SaveFormat::Log,
        ..saving(&[], &text(""), None)
    };
    let file = folder.path().join("held.log");
    assert_eq!(saved(saving, folder.path(), &file).await.unwrap().lines, 2);
    assert_eq!(
        std::fs::read_to_string(&file).unwrap(),
        "2025-10-11T10:34:00.500Z [myia] - - one\n2025-10-11T10:34:01.000Z [myia] - ERROR ERROR two\n"
    );
}

#[tokio::test]
async fn a_cancelled_file_and_one_of_damaged_blocks_leave_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let lines = (0..60_000).map(|n| line(n, format!("line {n:>80}")));
    store(folder.path(), "myia", lines).await;
    let to = tempfile::tempdir().unwrap();
    let file = to.path().join("x.log");
    let stop = CancellationToken::new();
    let (_, outcome) = saving(&["myia"], &text(""), None)
        .start(file.clone(), folder.path(), stop.clone())
        .unwrap();
    // Whether it has begun or not.
    tokio::time::sleep(Duration::from_millis(20)).await;
    stop.cancel();
    let ended = outcome.await.unwrap();
    assert!(matches!(ended, Err(SaveError::Cancelled)), "{ended:?}");
    assert_eq!(in_folder(to.path()), [""; 0]);

    let connection = rusqlite::Connection::open(file::path(folder.path(), &service())).unwrap();
    let newest = "UPDATE block SET packed = x'00' WHERE first = (SELECT max(first) FROM block)";
    assert_eq!(connection.execute(newest, []).unwrap(), 1);
    let ended = saved(saving(&["myia"], &text(""), None), folder.path(), &file).await;
    let error = ErrorInfo::from(ended.unwrap_err());
    assert_eq!(error.code, ErrorCode::Store);
    assert_eq!(in_folder(to.path()), [""; 0]);
}

#[tokio::test]
async fn a_file_that_cannot_be_written_says_why_and_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    store(
        folder.path(),
        "myia",
        (0..9).map(|n| line(n, "x".to_owned())),
    )
    .await;
    // A file is no folder, whoever asks.
    let no_folder = folder.path().join("file");
    crate::sys::files::write_new(&no_folder, b"x").unwrap();
    let of_myia = || saving(&["myia"], &text(""), None);
    let ended = saved(of_myia(), folder.path(), &no_folder.join("a.log")).await;
    assert_eq!(ErrorInfo::from(ended.unwrap_err()).code, ErrorCode::Io);
    for (kind, code) in [
        (std::io::ErrorKind::StorageFull, ErrorCode::DiskFull),
        (std::io::ErrorKind::QuotaExceeded, ErrorCode::DiskFull),
        (std::io::ErrorKind::PermissionDenied, ErrorCode::NotAllowed),
        (
            std::io::ErrorKind::ReadOnlyFilesystem,
            ErrorCode::NotAllowed,
        ),
    ] {
        let error = ErrorInfo::from(SaveError::from(std::io::Error::from(kind)));
        assert_eq!(error.code, code, "{kind:?}");
        assert!(error.hint.is_some(), "{kind:?}");
    }
    #[cfg(target_os = "linux")]
    {
        // Has no room, ever.
        let mut full = std::fs::OpenOptions::new()
            .write(true)
            .open("/dev/full")
            .unwrap();
        let ended = of_myia().write(
            folder.path(),
            &mut full,
            &CancellationToken::new(),
            &tokio::sync::watch::Sender::default(),
        );
        assert_eq!(
            ErrorInfo::from(ended.unwrap_err()).code,
            ErrorCode::DiskFull
        );
    }
}
