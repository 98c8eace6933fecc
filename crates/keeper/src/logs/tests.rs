use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use forgekeeper_domain::logs::LogLine;
use futures_util::{StreamExt as _, future::ready, stream};
use tokio_util::sync::CancellationToken;

use super::*;
use crate::sys::tasks::Tasks;

const OUT: LogStream = LogStream::Stdout;

/// One run for ever.
struct Never;

impl Renewal for Never {
    type Run = ();

    fn run(&mut self) {}

    async fn changed(&mut self) {
        std::future::pending::<()>().await;
    }
}

/// Runs as a test counts them.
struct Counted(watch::Receiver<u32>);

impl Renewal for Counted {
    type Run = u32;

    fn run(&mut self) -> u32 {
        *self.0.borrow_and_update()
    }

    async fn changed(&mut self) {
        if self.0.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

fn query(filter: &str, tail: Option<u32>) -> LogQuery {
    LogQuery {
        filter: filter.to_owned(),
        tail,
        ..LogQuery::default()
    }
}

fn texts(lines: &[LogLine]) -> Vec<&str> {
    lines.iter().map(|line| line.text.as_str()).collect()
}

fn held(log: &ServiceLog) -> Vec<String> {
    log.look(|held| held.ring.iter().map(|line| line.text.clone()).collect())
}

#[tokio::test(start_paused = true)]
async fn the_first_batch_comes_at_once_and_the_next_is_gathered() {
    let log = ServiceLog::new();
    let mut reader = log.read(&query("a", Some(2))).unwrap();
    let empty = reader.next().await.unwrap();
    assert_eq!((empty.lines.len(), empty.held, empty.matched), (0, 0, 0));

    log.push(OUT, b"a1\nb\na2\na3\n");
    let mut second = log.read(&query("a", Some(2))).unwrap();
    let first = second.next().await.unwrap();
    assert_eq!(texts(&first.lines), ["a2", "a3"]);
    assert_eq!((first.held, first.matched), (4, 3));

    let start = Instant::now();
    let later = log.clone();
    let (batch, ()) = tokio::join!(reader.next(), async move {
        tokio::time::sleep(Duration::from_millis(100)).await;
        later.push(OUT, b"a4\n");
    });
    assert_eq!(texts(&batch.unwrap().lines), ["a1", "a2", "a3", "a4"]);
    assert_eq!(start.elapsed().as_millis(), 250);
}

#[tokio::test(start_paused = true)]
async fn a_full_batch_does_not_wait_and_a_dropped_future_loses_nothing() {
    let log = ServiceLog::new();
    let mut reader = log.read(&LogQuery::default()).unwrap();
    reader.next().await.unwrap();
    log.push(OUT, "x\n".repeat(2_200).as_bytes());
    let start = Instant::now();
    assert_eq!(reader.next().await.unwrap().lines.len(), 2_000);
    assert_eq!(start.elapsed(), Duration::ZERO);
    let early = tokio::time::timeout(Duration::from_millis(10), reader.next()).await;
    assert!(early.is_err());
    assert_eq!(reader.next().await.unwrap().lines.len(), 200);
    assert_eq!(start.elapsed().as_millis(), 250);
}

#[tokio::test(start_paused = true)]
async fn a_slow_reader_learns_what_it_missed_and_the_counts_follow_the_ring() {
    let log = ServiceLog::with_limits(10, MAX_BYTES);
    let mut reader = log.read(&query("odd", None)).unwrap();
    reader.next().await.unwrap();
    for n in 0..25 {
        log.push(OUT, if n % 2 == 1 { b"odd\n" } else { b"even\n" });
    }
    let batch = reader.next().await.unwrap();
    assert_eq!(
        (batch.lines.len(), batch.held, batch.matched, batch.dropped),
        (5, 10, 5, 15)
    );
    log.push(OUT, b"even\neven\neven\neven\n");
    let batch = reader.next().await.unwrap();
    assert_eq!((batch.lines.len(), batch.matched, batch.dropped), (0, 3, 0));
    assert_eq!(log.meter().rotated, 19);
}

#[tokio::test(start_paused = true)]
async fn a_closed_log_ends_after_its_last_line() {
    let log = ServiceLog::new();
    let mut reader = log.read(&LogQuery::default()).unwrap();
    log.push(OUT, b"one\n");
    assert_eq!(reader.next().await.unwrap().lines.len(), 1);
    log.push(OUT, b"two\n");
    log.close();
    assert_eq!(texts(&reader.next().await.unwrap().lines), ["two"]);
    assert_eq!(reader.next().await, None);
    assert_eq!(reader.next().await, None);
}

#[test]
fn a_wrong_filter_is_refused() {
    let wrong = LogQuery {
        regex: true,
        ..query("a(", None)
    };
    let error = ServiceLog::new().read(&wrong).unwrap_err();
    assert_eq!(error.code, forgekeeper_domain::error::ErrorCode::BadFilter);
}

#[tokio::test(start_paused = true)]
async fn the_meter_tells_programs_and_connection_and_is_not_hasty() {
    let log = ServiceLog::new();
    let mut changes = log.meter_changes();
    log.connected();
    log.push(
        OUT,
        b"2026-01-01T00:00:01Z ==> /var/log/forge.log <==\n2026-01-01T00:00:02Z x\n",
    );
    assert_eq!(log.meter().programs, ["forge"]);
    assert_eq!(
        log.meter().last_line_at,
        Some("2026-01-01T00:00:02Z".parse().unwrap())
    );
    // Published when it connected, and not again within the half second.
    let meter = changes.borrow_and_update().clone();
    assert_eq!((meter.connected, meter.held), (true, 0));
    tokio::time::sleep(METER_EVERY).await;
    log.push(OUT, b"y\n");
    assert_eq!(changes.borrow_and_update().held, 2);
    log.disconnected("broken pipe");
    assert_eq!(
        changes.borrow_and_update().error.as_deref(),
        Some("broken pipe")
    );
    assert!(!log.meter().connected);
}

/// Entries `from..to`, two of which share each timestamp.
fn entries(from: usize, to: usize) -> Vec<Result<(LogStream, Bytes), &'static str>> {
    (from..to)
        .map(|n| {
            let text = format!("2026-01-01T00:00:{:02}.5Z line {n}\n", n / 2);
            Ok((OUT, Bytes::from(text)))
        })
        .collect()
}

#[tokio::test(start_paused = true)]
async fn a_broken_connection_neither_loses_nor_doubles() {
    let log = ServiceLog::new();
    let (tasks, opened) = (Tasks::new(), Arc::new(AtomicUsize::new(0)));
    let count = Arc::clone(&opened);
    let open = move |after: Option<Timestamp>| {
        let time = count.fetch_add(1, Ordering::SeqCst);
        let mut parts = match time {
            // Ends between two lines of one moment, in the middle of the second.
            0 => entries(0, 5),
            // Says everything again from the moment asked for, and breaks.
            1 => entries(4, 9),
            // Sends older entries than asked for.
            2 => entries(0, 9),
            _ => entries(8, 12),
        };
        match time {
            0 => parts.push(Ok((
                OUT,
                Bytes::from_static(b"2026-01-01T00:00:02.5Z line"),
            ))),
            1 => assert!(after.unwrap() < "2026-01-01T00:00:02.5Z".parse().unwrap()),
            _ => {}
        }
        if time < 3 {
            parts.push(Err("connection reset"));
        }
        let tail = if time < 3 {
            stream::empty().boxed()
        } else {
            stream::pending().boxed()
        };
        ready(if time == 2 {
            Err("refused")
        } else {
            Ok(stream::iter(parts).chain(tail))
        })
    };
    tasks.spawn("follow", follow(log.clone(), open, Never, tasks.token()));
    tokio::time::sleep(Duration::from_secs(30)).await;
    let expected: Vec<String> = (0..12).map(|n| format!("line {n}")).collect();
    assert_eq!(held(&log), expected);
    assert_eq!(opened.load(Ordering::SeqCst), 4);
    assert!(log.meter().connected);
    // The last numbers were published although nothing came any more.
    assert_eq!(log.meter_changes().borrow().held, 12);
    assert!(tasks.shutdown(Duration::from_secs(1)).await.is_empty());
    assert!(!log.meter().connected);
}

#[tokio::test(start_paused = true)]
async fn equal_lines_of_one_moment_are_counted() {
    let log = ServiceLog::new();
    let same = b"2026-01-01T00:00:01Z same\n2026-01-01T00:00:01Z same\n";
    log.push(OUT, same);
    assert!(log.resume().is_some());
    log.push(OUT, same);
    log.push(
        OUT,
        b"2026-01-01T00:00:01Z same\n2026-01-01T00:00:00Z older\n",
    );
    log.push(
        OUT,
        b"2026-01-01T00:00:03Z new\n2026-01-01T00:00:00Z clock went back\n",
    );
    assert_eq!(
        held(&log),
        ["same", "same", "same", "new", "clock went back"]
    );
}

/// What an engine sends whose clock jumps: entries in the order in which they were written, those
/// with a time after the one asked for alone.
fn sent(entries: &[(&str, &str)], after: Option<Timestamp>) -> Vec<u8> {
    let asked = |at: &str| after.is_none_or(|after| at.parse::<Timestamp>().unwrap() > after);
    let entries = entries.iter().filter(|(at, _)| asked(at));
    entries
        .flat_map(|(at, text)| format!("{at} {text}\n").into_bytes())
        .collect()
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_jumps_changes_no_order_and_loses_and_doubles_nothing() {
    let entries = [
        ("2026-01-01T00:00:01Z", "one"),
        ("2026-01-01T00:00:02Z", "two"),
        ("2999-01-01T00:00:00Z", "ahead"),
        ("2026-01-01T00:00:03Z", "set right"),
        ("2026-01-01T00:00:02.5Z", "set back a little"),
        ("2026-01-01T00:00:04Z", "four"),
    ];
    let expected: Vec<&str> = entries.iter().map(|(_, text)| *text).collect();
    // The connection breaks after each number of entries, and the engine is asked again.
    for broken_after in 1..entries.len() {
        let log = ServiceLog::new();
        log.push(OUT, &sent(&entries[..broken_after], None));
        let after = log.resume();
        assert!(after.is_some());
        log.push(OUT, &sent(&entries, after));
        if broken_after == 4 {
            // It was written before the moment that the engine was asked for; nobody can know.
            continue;
        }
        assert_eq!(held(&log), expected, "broken after {broken_after}");
        // Once more, with nothing new; then the clock goes far back, live.
        let after = log.resume();
        log.push(OUT, &sent(&entries, after));
        assert_eq!(held(&log), expected, "again after {broken_after}");
        log.push(
            OUT,
            b"2026-01-01T00:00:05Z five\n1999-01-01T00:00:00Z long ago\n",
        );
        let all = held(&log);
        assert_eq!(all[expected.len()..], ["five", "long ago"]);
    }
}

/// The log of a container that has ended: always the same lines, then the end.
#[tokio::test(start_paused = true)]
async fn the_log_of_a_stopped_container_is_asked_for_ever_but_rarely() {
    for lines in [0, 6] {
        let log = ServiceLog::new();
        let (tasks, opened) = (Tasks::new(), Arc::new(AtomicUsize::new(0)));
        let count = Arc::clone(&opened);
        let open = move |_| {
            count.fetch_add(1, Ordering::SeqCst);
            ready(Ok::<_, &str>(stream::iter(entries(0, lines))))
        };
        let mut changes = log.meter_changes();
        let published = tasks.spawn("count", async move {
            let mut times = 0;
            while let Ok(Ok(())) =
                tokio::time::timeout(Duration::from_mins(5), changes.changed()).await
            {
                changes.borrow_and_update();
                times += 1;
            }
            times
        });
        tasks.spawn("follow", follow(log.clone(), open, Never, tasks.token()));
        tokio::time::sleep(Duration::from_secs(605)).await;
        let times = opened.load(Ordering::SeqCst);
        assert!((14..=18).contains(&times), "{lines} lines: {times}");
        assert_eq!(held(&log).len(), lines);
        let meter = log.meter();
        assert_eq!(
            (meter.connected, meter.error.as_deref()),
            (false, Some("the log has ended"))
        );
        let published = published.await.unwrap();
        assert!(published <= 3, "{lines} lines: {published} meters");
        assert!(tasks.shutdown(Duration::from_secs(1)).await.is_empty());
    }
}

#[tokio::test(start_paused = true)]
async fn a_new_run_opens_the_log_at_once() {
    let log = ServiceLog::new();
    let (tasks, opened) = (Tasks::new(), Arc::new(AtomicUsize::new(0)));
    let (run, runs) = watch::channel(1);
    let count = Arc::clone(&opened);
    let open = move |_| {
        count.fetch_add(1, Ordering::SeqCst);
        ready(Ok::<_, &str>(stream::iter(entries(0, 2))))
    };
    tasks.spawn(
        "follow",
        follow(log.clone(), open, Counted(runs), tasks.token()),
    );
    tokio::time::sleep(Duration::from_secs(200)).await;
    let before = opened.load(Ordering::SeqCst);
    run.send_replace(2);
    tokio::time::sleep(Duration::from_millis(1)).await;
    assert_eq!(opened.load(Ordering::SeqCst), before + 1);
    assert!(tasks.shutdown(Duration::from_secs(1)).await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn stopping_does_not_wait_for_an_opener() {
    let (log, stop) = (ServiceLog::new(), CancellationToken::new());
    stop.cancel();
    let open = |_| {
        std::future::pending::<
            Result<stream::Empty<Result<(LogStream, Bytes), &'static str>>, &'static str>,
        >()
    };
    follow(log, open, Never, stop).await;
}

/// A log as the image's multiplexer writes it, a second for each line.
fn multiplexed(from_s: i64, gap_s: i64, lines: &[(&str, String)]) -> Vec<u8> {
    let mut written = String::new();
    let mut file = "";
    for ((program, text), n) in lines.iter().zip(0..) {
        let at = Timestamp::from_second(from_s + n * gap_s).unwrap();
        if *program != file {
            file = program;
            written.push_str(&format!(
                "{at} \n{at} ==> /var/log/supervisor/{file}.log <==\n"
            ));
        }
        written.push_str(&format!("{at} {text}\n"));
    }
    written.into_bytes()
}

#[tokio::test(start_paused = true)]
async fn a_replay_is_folded_counted_and_never_classified_twice() {
    let oom = "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB";
    let mut life: Vec<(&str, String)> = (0..40).map(|n| ("forge", format!("step {n}"))).collect();
    life.push(("forge", oom.to_owned()));
    life.push(("cron", "tick".to_owned()));
    let log = ServiceLog::new();
    log.push(OUT, &multiplexed(1_790_000_000, 5, &life));
    let before = log.meter();
    assert_eq!(before.said.findings.len(), 1, "{:?}", before.said);

    log.push(OUT, &multiplexed(1_790_001_000, 0, &life));
    log.push(
        OUT,
        &multiplexed(1_790_001_001, 0, &[("forge", "new".to_owned())]),
    );
    log.finish();
    let meter = log.meter();
    assert_eq!(meter.replayed, 42, "short files go with the others");
    assert_eq!(meter.said.findings[0].count, 1);
    let told = log.look(|held| held.ring.iter().rev().take(2).cloned().collect::<Vec<_>>());
    let told: Vec<_> = told.iter().map(|l| (l.text.as_str(), &l.marker)).collect();
    let folded = Some(Marker::Replayed { lines: 42 });
    assert_eq!(told, [("new", &None), ("", &folded)]);
}
