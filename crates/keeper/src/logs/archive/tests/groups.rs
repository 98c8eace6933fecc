use forgekeeper_domain::logs::LogGroupBatch;

use super::*;

async fn counted(folder: &Path, query: &LogQuery, held: Vec<LogLine>) -> Vec<LogGroupBatch> {
    let counting = Counting {
        filter: LineFilter::compile(query).unwrap(),
        written_by: None,
    };
    let mut batches = counting
        .start(folder, &service(), move || held, CancellationToken::new())
        .unwrap();
    let mut all = Vec::new();
    while let Some(batch) = batches.recv().await {
        all.push(batch);
    }
    all
}

fn told(batch: &LogGroupBatch) -> Vec<(&str, u32)> {
    let groups = batch.groups.iter();
    groups.map(|g| (g.shape.as_str(), g.count)).collect()
}

/// So many lines of which each thousandth has failed.
async fn fill(folder: &Path, lines: i64) {
    let archive = open(folder).await;
    for number in 0..lines {
        let failed = number % 1_000 == 7;
        archive.add(&LogLine {
            level: if failed {
                LogLevel::Error
            } else {
                LogLevel::Info
            },
            signature: failed.then(|| "a.b".to_owned()),
            ..line(
                number,
                if failed {
                    format!("step {number} failed")
                } else {
                    format!("step {number} took {number}.5 s at /data/{number:060}.png")
                },
            )
        });
        archive.room().await;
    }
    archive.close().await;
}

#[tokio::test]
async fn all_that_is_stored_is_counted_and_what_is_held_is_not_counted_twice() {
    let folder = tempfile::tempdir().unwrap();
    fill(folder.path(), 200_000).await;
    let held = vec![line(199_999, "held as well".to_owned())];
    let batches = counted(folder.path(), &LogQuery::default(), held).await;
    let last = batches.last().unwrap();
    let long = "step <n> took <time> at <path>";
    assert_eq!(told(last), [(long, 199_800), ("step <n> failed", 200)]);
    assert_eq!((last.looked, last.all, last.done), (200_000, 200_000, true));
    assert_eq!(last.back_to, line(0, String::new()).at);
    assert!(batches.iter().rev().skip(1).all(|batch| !batch.done));
    let failed = &last.groups[1];
    assert_eq!(failed.signature.as_deref(), Some("a.b"));
    assert_eq!(failed.level, LogLevel::Error);
    assert_eq!(failed.last_seq, 199_007);
    assert_eq!(failed.first, line(7, String::new()).at);
    assert_eq!(failed.last, line(199_007, String::new()).at);
    assert_eq!(failed.sample, "step 199007 failed");

    // The expression of a group finds as many lines as it counts.
    let lines = LogQuery {
        filter: failed.finder.clone(),
        regex: true,
        ..LogQuery::default()
    };
    assert_eq!(
        texts(&found(folder.path(), &lines, usize::MAX).await).len(),
        200
    );

    // A filter and a time narrow it.
    let query = LogQuery {
        until: line(1_999, String::new()).at,
        ..text("FAILED")
    };
    let narrow = counted(folder.path(), &query, Vec::new()).await;
    let last = narrow.last().unwrap();
    assert_eq!(told(last), [("step <n> failed", 2)]);
    assert!(
        last.done && last.all < 200_000,
        "{} of {}",
        last.looked,
        last.all
    );
}

#[tokio::test]
async fn what_is_held_is_counted_where_nothing_is_stored() {
    let folder = tempfile::tempdir().unwrap();
    let held: Vec<LogLine> = (0..2_500).map(|n| line(n, format!("step {n}"))).collect();
    let batches = counted(folder.path(), &text("step"), held).await;
    assert_eq!(batches.len(), 1);
    assert_eq!(told(&batches[0]), [("step <n>", 2_500)]);
    let batch = &batches[0];
    assert!(batch.done && batch.looked == 2_500 && batch.all == 2_500);
    assert_eq!(batch.back_to, line(0, String::new()).at);
    let nothing = counted(folder.path(), &text("step"), Vec::new()).await;
    assert!(nothing[0].done && nothing[0].groups.is_empty() && nothing[0].all == 0);
}

#[tokio::test]
async fn damage_ends_a_count_with_its_reason_and_what_was_counted() {
    let folder = tempfile::tempdir().unwrap();
    fill(folder.path(), 200_000).await;
    let path = file::path(folder.path(), &service());
    let connection = rusqlite::Connection::open(path).unwrap();
    let oldest = "UPDATE block SET packed = x'00' WHERE first = 0";
    assert_eq!(connection.execute(oldest, []).unwrap(), 1);
    let batches = counted(folder.path(), &LogQuery::default(), Vec::new()).await;
    let last = batches.last().unwrap();
    assert!(last.done && last.error.as_ref().unwrap().contains("damaged"));
    assert!(last.looked < last.all && !last.groups.is_empty());
}

#[tokio::test]
async fn a_count_ends_when_nobody_wants_it() {
    let folder = tempfile::tempdir().unwrap();
    fill(folder.path(), 50_000).await;
    let stop = CancellationToken::new();
    stop.cancel();
    let counting = Counting {
        filter: LineFilter::compile(&LogQuery::default()).unwrap(),
        written_by: None,
    };
    let mut batches = counting
        .start(folder.path(), &service(), Vec::new, stop)
        .unwrap();
    assert_eq!(batches.recv().await, None);
}

#[tokio::test]
async fn what_came_a_moment_ago_is_counted() {
    let folder = tempfile::tempdir().unwrap();
    let archive = open(folder.path()).await;
    for round in 1..=3 {
        archive.add(&line(round - 1, format!("step {round}")));
        let counting = Counting {
            filter: LineFilter::compile(&LogQuery::default()).unwrap(),
            written_by: Some(archive.clone()),
        };
        let mut batches = counting
            .start(
                folder.path(),
                &service(),
                Vec::new,
                CancellationToken::new(),
            )
            .unwrap();
        let counted = batches.recv().await.unwrap();
        assert_eq!(i64::from(counted.groups[0].count), round);
    }
    archive.close().await;
}
