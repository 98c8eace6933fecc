use forgekeeper_domain::logs::{LineFilter, LogLevel, LogQuery, LogSearchBatch, LogStream, Marker};
use tokio_util::sync::CancellationToken;

use super::*;

mod groups;
mod save;

fn service() -> ServiceId {
    ServiceId::new("myia").unwrap()
}

/// A line of a log that began in 2026, one second for each.
fn line(number: i64, text: String) -> LogLine {
    LogLine {
        seq: super::number(number),
        at: Timestamp::from_second(1_790_000_000 + number).ok(),
        stream: LogStream::Stdout,
        program: Some("forge".to_owned()),
        level: LogLevel::Info,
        text,
        spans: Vec::new(),
        cut_bytes: 0,
        signature: None,
        trace: None,
        marker: None,
    }
}

async fn open(folder: &Path) -> Archive {
    let keeping = Keeping {
        days: 36_500,
        ..Keeping::default()
    };
    Archive::open(folder, &service(), keeping)
        .await
        .unwrap()
        .expect("nobody else writes it")
}

async fn found(folder: &Path, query: &LogQuery, most: usize) -> Vec<LogSearchBatch> {
    let search = Search {
        filter: LineFilter::compile(query).unwrap(),
        before: None,
        most,
        written_by: None,
    };
    let mut batches = search
        .start(folder, &service(), CancellationToken::new())
        .unwrap();
    let mut all = Vec::new();
    while let Some(batch) = batches.recv().await {
        all.push(batch.unwrap());
    }
    all
}

fn texts(batches: &[LogSearchBatch]) -> Vec<&str> {
    let lines = batches.iter().flat_map(|batch| &batch.lines);
    lines.map(|line| line.text.as_str()).collect()
}

fn text(text: &str) -> LogQuery {
    LogQuery {
        filter: text.to_owned(),
        ..LogQuery::default()
    }
}

#[tokio::test]
async fn lines_are_there_again_after_a_restart_with_their_numbers() {
    let folder = tempfile::tempdir().unwrap();
    let mut written = Vec::new();
    for round in 0..3 {
        let archive = open(folder.path()).await;
        assert_eq!(archive.next_number(), round * 100);
        for number in 0..100 {
            let number = i64::from(round * 100 + number);
            let line = LogLine {
                marker: (number % 50 == 0).then_some(Marker::Stopped { exit_code: Some(1) }),
                ..line(number, format!("line {number}"))
            };
            archive.add(&line);
            written.push(line);
        }
        archive.close().await;
    }
    assert_eq!(
        newest(folder.path(), &service(), 1000).unwrap().lines,
        written
    );
    assert_eq!(
        newest(folder.path(), &service(), 7).unwrap().lines,
        written[293..]
    );
}

#[tokio::test]
async fn a_line_is_on_the_disk_within_a_second_and_pieces_become_blocks() {
    let folder = tempfile::tempdir().unwrap();
    let archive = open(folder.path()).await;
    let mut number = 0;
    for _ in 0..3 {
        archive.add(&line(number, format!("line {number}")));
        number += 1;
        let begun = Instant::now();
        while newest(folder.path(), &service(), 9).unwrap().lines.len()
            < usize::try_from(number).unwrap()
        {
            assert!(begun.elapsed() < Duration::from_secs(20), "never written");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
    let rows = || {
        let path = file::path(folder.path(), &service());
        file::rows(&file::open_to_read(&path).unwrap().unwrap()).unwrap()
    };
    assert_eq!(rows().iter().filter(|row| !row.sealed).count(), 3);
    for _ in 0..40_000 {
        archive.add(&line(number, format!("line {number}")));
        number += 1;
        archive.room().await;
    }
    archive.close().await;
    let rows = rows();
    assert!(rows.iter().all(|row| row.sealed), "{rows:?}");
    assert_eq!(
        rows.iter().map(|row| i64::from(row.lines)).sum::<i64>(),
        number
    );
    let numbers = newest(folder.path(), &service(), usize::MAX).unwrap().lines;
    assert!(numbers.iter().zip(0..).all(|(line, n)| line.seq == n));
}

#[tokio::test]
async fn what_a_killed_process_left_is_taken_up() {
    let folder = tempfile::tempdir().unwrap();
    let path = file::path(folder.path(), &service());
    {
        // As the writer leaves it when it is killed: pieces that were never joined.
        let mut connection = file::open(&path).unwrap();
        for (first, texts, from) in [(0, &["a", "b"][..], "c1"), (2, &["c"], "c2")] {
            let mut block = Block::default();
            for (text, number) in texts.iter().zip(first..) {
                block.push(&line(number, (*text).to_owned()));
            }
            file::write(&mut connection, first, &block, Some(from), false).unwrap();
        }
    }
    let archive = open(folder.path()).await;
    assert_eq!(archive.next_number(), 3);
    archive.add(&line(3, "d".to_owned()));
    archive.close().await;
    let kept = newest(folder.path(), &service(), 9).unwrap();
    assert_eq!(kept.container.as_deref(), Some("c2"));
    let kept: String = kept.lines.into_iter().map(|line| line.text).collect();
    assert_eq!(kept, "abcd");
}

#[tokio::test]
async fn only_one_writes() {
    let folder = tempfile::tempdir().unwrap();
    let archive = open(folder.path()).await;
    let other = Archive::open(folder.path(), &service(), Keeping::default()).await;
    assert!(other.unwrap().is_none());
    archive.close().await;
}

#[tokio::test]
async fn the_oldest_give_way_by_age_and_by_size() {
    let folder = tempfile::tempdir().unwrap();
    let now = crate::sys::clock::now().as_second();
    let keeping = Keeping {
        days: 1,
        bytes: 500_000,
    };
    let archive = Archive::open(folder.path(), &service(), keeping)
        .await
        .unwrap()
        .unwrap();
    let mut number = 0;
    for (age_s, lines) in [(3 * 86_400, 20_000), (60, 200_000)] {
        for _ in 0..lines {
            let at = Timestamp::from_second(now - age_s).ok();
            archive.add(&LogLine {
                at,
                // Hardly to be compressed.
                ..line(
                    number,
                    format!("{:x}", number.wrapping_mul(0x9e37_79b9_7f4a)),
                )
            });
            number += 1;
            archive.room().await;
        }
    }
    archive.close().await;
    let kept = newest(folder.path(), &service(), usize::MAX).unwrap().lines;
    assert!(!kept.is_empty() && kept.len() < 100_000, "{}", kept.len());
    let oldest = kept.iter().filter_map(|line| line.at).min().unwrap();
    assert!(now - oldest.as_second() < 86_400);
    assert_eq!(kept.last().unwrap().seq, super::number(number - 1));
    let size = std::fs::metadata(file::path(folder.path(), &service()))
        .unwrap()
        .len();
    assert!(size < 2_000_000, "{size} bytes are left");
}

#[tokio::test]
async fn a_search_finds_all_newest_first_and_tells_how_far_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let archive = open(folder.path()).await;
    for number in 0..300_000 {
        let text = if number % 100_000 == 7 {
            format!("needle {number}")
        } else {
            format!("hay {number:>100}")
        };
        archive.add(&line(number, text));
        archive.room().await;
    }
    archive.close().await;
    let batches = found(folder.path(), &text("NEEDLE"), 10).await;
    assert_eq!(
        texts(&batches),
        ["needle 200007", "needle 100007", "needle 7"]
    );
    assert!(batches.len() > 2, "it came in {} reports", batches.len());
    assert!(batches.is_sorted_by(|a, b| a.looked < b.looked || b.done));
    let last = batches.last().unwrap();
    assert_eq!((last.looked, last.all, last.done), (300_000, 300_000, true));

    let enough = found(folder.path(), &text("needle"), 2).await;
    assert_eq!(texts(&enough), ["needle 200007", "needle 100007"]);
    let last = enough.last().unwrap();
    assert!(last.done && last.looked < last.all);

    let until = LogQuery {
        until: Timestamp::from_second(1_790_000_000 + 150_000).ok(),
        ..text("needle")
    };
    let early = found(folder.path(), &until, 10).await;
    assert_eq!(texts(&early), ["needle 100007", "needle 7"]);

    let marked = LogQuery {
        mark: true,
        ..text("needle")
    };
    let all = found(folder.path(), &marked, 100_000).await;
    assert_eq!(texts(&all).len(), 100_000, "what does not match comes too");
    let hits: Vec<u32> = all.iter().flat_map(|batch| batch.hits.clone()).collect();
    assert_eq!(hits, [200_007]);
}

#[tokio::test]
async fn a_search_ends_when_nobody_wants_it_and_over_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let nothing = found(folder.path(), &text("x"), 10).await;
    assert!(nothing.len() == 1 && nothing[0].done && nothing[0].all == 0);

    let archive = open(folder.path()).await;
    for number in 0..200_000 {
        archive.add(&line(number, format!("hay {number:>100}")));
        archive.room().await;
    }
    archive.close().await;
    let stop = CancellationToken::new();
    let search = Search {
        filter: LineFilter::compile(&text("hay")).unwrap(),
        before: None,
        most: usize::MAX,
        written_by: None,
    };
    let mut batches = search
        .start(folder.path(), &service(), stop.clone())
        .unwrap();
    assert!(batches.recv().await.is_some());
    stop.cancel();
    let mut last = None;
    while let Some(batch) = batches.recv().await {
        last = Some(batch.unwrap());
    }
    assert!(last.is_none_or(|last| !last.done), "it did not stop");
}

#[tokio::test]
async fn a_file_that_is_none_is_put_aside() {
    let folder = tempfile::tempdir().unwrap();
    let path = file::path(folder.path(), &service());
    let nonsense = b"no database at all, but long enough to be looked at";
    crate::sys::files::write_new(&path, nonsense).unwrap();
    let archive = open(folder.path()).await;
    archive.add(&line(0, "a".to_owned()));
    archive.close().await;
    assert_eq!(newest(folder.path(), &service(), 9).unwrap().lines.len(), 1);
    let mut aside = path.into_os_string();
    aside.push(".damaged");
    assert!(Path::new(&aside).exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_search_finds_what_came_a_moment_ago() {
    let folder = tempfile::tempdir().unwrap();
    let archive = open(folder.path()).await;
    assert!(archive.flush(Duration::ZERO), "nothing waits");
    for round in 0..20 {
        archive.add(&line(round, format!("needle {round}")));
        let search = Search {
            filter: LineFilter::compile(&text("needle")).unwrap(),
            before: None,
            most: usize::MAX,
            written_by: Some(archive.clone()),
        };
        let mut batches = search
            .start(folder.path(), &service(), CancellationToken::new())
            .unwrap();
        let mut found = 0;
        while let Some(batch) = batches.recv().await {
            found += batch.unwrap().lines.len();
        }
        assert_eq!(found, usize::try_from(round).unwrap() + 1);
    }
    // One that is closed has nobody who writes; that is no reason to wait.
    archive.close().await;
    assert!(archive.flush(Duration::from_mins(1)));
}
