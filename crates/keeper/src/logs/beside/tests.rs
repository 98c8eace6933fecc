use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use forgekeeper_domain::logs::{LogLine, LogSource, LogStream, Marker};

use super::*;

const PATH: &str = "/var/log/supervisor/forge.log";
const PATHS: &[&str] = &["/var/log/nowhere.log", PATH];

/// A container with files.
#[derive(Default, Clone)]
struct Files(Arc<Mutex<HashMap<String, Vec<u8>>>>);

impl Files {
    fn write(&self, text: &str) {
        let mut files = self.0.lock().unwrap();
        let file = files.entry(PATH.to_owned()).or_default();
        file.extend(text.as_bytes());
    }

    /// As supervisor does at 10 MB.
    fn rotate(&self) {
        let mut files = self.0.lock().unwrap();
        let old = files.remove(PATH).unwrap();
        files.insert(format!("{PATH}.1"), old);
    }

    fn remove(&self, path: &str) {
        self.0.lock().unwrap().remove(path);
    }
}

impl FileDoor for Files {
    async fn size(&self, path: &str) -> Result<Option<u64>, String> {
        let files = self.0.lock().unwrap();
        Ok(files.get(path).map(|file| file.len() as u64))
    }

    async fn read(&self, path: &str, from: u64) -> Result<Option<Vec<u8>>, String> {
        let files = self.0.lock().unwrap();
        let from = usize::try_from(from).unwrap();
        let file = files.get(path);
        Ok(file.map(|file| file.get(from..).unwrap_or_default().to_vec()))
    }

    fn every(&self) -> Duration {
        Duration::from_secs(1)
    }
}

/// A log whose stream has brought the beginning of a file, under the multiplexer's header.
fn followed(files: &Files, lines: &str) -> ServiceLog {
    let log = ServiceLog::new();
    log.own_is_called(vec!["forge".to_owned()]);
    log.connected();
    files.write(lines);
    stream(&log, &format!("==> {PATH} <==\n{lines}"));
    log
}

/// The engine's stream brings these lines now.
fn stream(log: &ServiceLog, lines: &str) {
    for line in lines.split_inclusive('\n') {
        let stamped = format!("{} {line}", clock::now());
        log.push(LogStream::Stdout, stamped.as_bytes());
    }
}

/// All lines held as text; what came from the file in brackets, markers in braces.
fn told(log: &ServiceLog) -> String {
    let told = |line: &LogLine| match (&line.marker, line.stream) {
        (Some(Marker::Source { file: Some(_) }), _) => "{file}".to_owned(),
        (Some(Marker::Source { file: None }), _) => "{stream}".to_owned(),
        (Some(_), _) => "{}".to_owned(),
        (None, LogStream::File) => format!("[{}]", line.text),
        (None, _) => line.text.clone(),
    };
    let lines: Vec<String> = log.look(|held| held.ring.iter().map(told).collect());
    lines.join(" ")
}

#[expect(
    clippy::disallowed_methods,
    reason = "its end is looked at; the test's runtime ends it otherwise"
)]
fn reading(log: &ServiceLog, files: &Files) -> tokio::task::JoinHandle<BesideEnd> {
    let (log, files) = (log.clone(), files.clone());
    tokio::spawn(async move { read_beside(&log, &files, PATHS).await })
}

async fn seconds(n: u64) {
    sleep(Duration::from_millis(n * 1000 + 10)).await;
}

#[tokio::test(start_paused = true)]
async fn the_file_goes_on_where_the_stream_stood_still_and_the_stream_after_it() {
    let files = Files::default();
    let log = followed(&files, "a\nb\n");
    files.write("c\nd\n");
    let reading = reading(&log, &files);
    seconds(0).await;
    assert_eq!(told(&log), "a b {file} [c] [d]");
    assert_eq!(
        log.meter().source,
        LogSource::File {
            path: PATH.to_owned()
        }
    );
    let spoke_at = log.meter().spoke_at;
    // A line that is not whole yet waits.
    files.write("e\nhal");
    seconds(2).await;
    files.write("f\n");
    seconds(2).await;
    assert_eq!(told(&log), "a b {file} [c] [d] [e] [half]");
    assert_eq!(
        log.meter().spoke_at,
        spoke_at,
        "the stream has said nothing"
    );
    let last = log.look(|held| held.ring.iter().last().cloned()).unwrap();
    assert_eq!(last.program.as_deref(), Some("forge"));
    assert!(last.at.is_some());

    // Written before the stream spoke again, and by both after it.
    files.write("g\nh\n");
    stream(&log, "h\n");
    assert_eq!(reading.await.unwrap(), BesideEnd::StreamSpeaks);
    assert_eq!(told(&log), "a b {file} [c] [d] [e] [half] {stream} h [g]");
    assert_eq!(log.meter().source, LogSource::Stream);
    assert!(log.meter().spoke_at > spoke_at);
    files.write("i\n");
    stream(&log, "i\n");
    assert!(told(&log).ends_with("{stream} h [g] i"));
}

#[tokio::test(start_paused = true)]
async fn what_the_file_gave_first_is_not_held_again_when_the_stream_gives_it() {
    let files = Files::default();
    let log = followed(&files, "a\n");
    let reading = reading(&log, &files);
    files.write("b\nc\n");
    seconds(2).await;
    files.write("d\n");
    stream(&log, "c\nd\n");
    assert_eq!(reading.await.unwrap(), BesideEnd::StreamSpeaks);
    assert_eq!(told(&log), "a {file} [b] [c] {stream} d");
    assert!(log.meter().spoke_at.is_some());
}

#[tokio::test(start_paused = true)]
async fn a_multiplexer_that_starts_anew_repeats_what_the_file_gave() {
    let files = Files::default();
    let many = |from: u32, to: u32| {
        let lines: Vec<String> = (from..to).map(|n| format!("line {n}\n")).collect();
        lines.concat()
    };
    let log = followed(&files, &many(0, 20));
    let reading = reading(&log, &files);
    files.write(&many(20, 40));
    seconds(2).await;
    let before = told(&log);
    assert!(before.ends_with("[line 39]"), "{before}");
    stream(&log, &format!("==> {PATH} <==\n{}", many(0, 40)));
    log.settle();
    assert_eq!(reading.await.unwrap(), BesideEnd::StreamSpeaks);
    assert_eq!(log.meter().replayed, 40);
    assert_eq!(told(&log), format!("{before} {{stream}} {{}}"));
    // What is said once more later is said once more.
    files.write("line 39\n");
    stream(&log, "line 39\n");
    assert!(told(&log).ends_with("{} line 39"), "{}", told(&log));
}

#[tokio::test(start_paused = true)]
async fn a_rotated_file_is_followed_to_its_successor() {
    let files = Files::default();
    let log = followed(&files, "a\n");
    let reading = reading(&log, &files);
    seconds(0).await;
    files.write("b\n");
    files.rotate();
    files.write("a new and longer beginning\n");
    seconds(2).await;
    assert_eq!(told(&log), "a {file} [b] [a new and longer beginning]");
    // Gone without a trace, and there again with a part of what was there.
    files.remove(&format!("{PATH}.1"));
    files.remove(PATH);
    seconds(3).await;
    files.write("a new and longer beginning\nnews\n");
    seconds(8).await;
    assert_eq!(
        told(&log),
        "a {file} [b] [a new and longer beginning] [news]"
    );
    reading.abort();
    drop(reading.await);
    log.leave_file();
    log.leave_file();
    assert!(told(&log).ends_with("[news] {stream}"), "told once");
    assert_eq!(log.meter().source, LogSource::Stream);
}

#[tokio::test(start_paused = true)]
async fn only_the_end_of_a_large_file_is_read_from_a_whole_line_on() {
    let files = Files::default();
    let log = ServiceLog::new();
    let filling = "x".repeat(99);
    for _ in 0..4_000 {
        files.write(&format!("{filling}\n"));
    }
    files.write("end\n");
    let reading = reading(&log, &files);
    seconds(0).await;
    let lines = log.look(|held| held.ring.iter().map(|l| l.text.clone()).collect::<Vec<_>>());
    assert_eq!(lines.len(), 1 + 2_621 + 1);
    assert!(
        lines[1..lines.len() - 1]
            .iter()
            .all(|line| *line == filling)
    );
    reading.abort();
}

#[tokio::test(start_paused = true)]
async fn without_a_file_the_meter_says_so() {
    let files = Files::default();
    let log = ServiceLog::new();
    let end = read_beside(&log, &files, PATHS).await;
    assert!(matches!(&end, BesideEnd::Failed(why) if why.contains(PATH)));
    let meter = log.meter();
    assert_eq!(meter.source, LogSource::Stream);
    assert!(meter.file_error.is_some_and(|why| why.contains(PATH)));
    log.forget_file_error();
    assert_eq!(log.meter().file_error, None);

    // One that goes away is given up after a while.
    let log = followed(&files, "a\n");
    let reading = reading(&log, &files);
    seconds(1).await;
    files.remove(PATH);
    assert!(matches!(reading.await.unwrap(), BesideEnd::Failed(_)));
    assert!(log.meter().file_error.is_some());
    assert_eq!(log.meter().source, LogSource::Stream);
}

#[tokio::test(start_paused = true)]
async fn other_programs_of_the_multiplexer_are_not_taken_for_this_one() {
    let files = Files::default();
    let log = followed(&files, "a\n");
    let spoke_at = log.meter().spoke_at;
    assert!(spoke_at.is_some());
    let reading = reading(&log, &files);
    seconds(0).await;
    stream(&log, "==> /var/log/supervisor/caddy.log <==\nb\n");
    files.write("b\n");
    seconds(3).await;
    assert!(!reading.is_finished());
    assert_eq!(log.meter().spoke_at, spoke_at);
    assert_eq!(told(&log), "a {file} b [b]");
    reading.abort();
}

#[tokio::test(start_paused = true)]
async fn a_log_that_is_opened_again_is_not_asked_from_the_times_of_the_file_on() {
    let files = Files::default();
    let log = followed(&files, "a\n");
    let of_stream = log.look(|held| held.ring.iter().last().and_then(|line| line.at));
    let reading = reading(&log, &files);
    files.write("b\n");
    seconds(2).await;
    let from = log.resume();
    assert!(from.is_some() && from < of_stream, "{from:?} {of_stream:?}");
    reading.abort();
}
