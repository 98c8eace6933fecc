//! A container's log: lines with time, stream and origin, for late readers and followers.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use jiff::Timestamp;
use tokio::sync::broadcast;

use crate::faults::{Fault, FaultBoard};
use crate::lock::lock;

const KEPT: usize = 20_000;

/// Where a line was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stream {
    /// Standard output.
    Out,
    /// Standard error.
    Err,
}

/// One line of the log.
#[derive(Debug, Clone)]
pub struct Entry {
    /// Running number, from 0.
    pub number: u64,
    /// When it was written.
    pub at: Timestamp,
    /// Where.
    pub stream: Stream,
    /// The file inside the container it came from, if any.
    pub source: Option<Arc<str>>,
    /// The line with its line feed.
    pub bytes: Bytes,
    /// False for a line that only the file has, not the container's log.
    pub shown: bool,
    /// True for lines made by the tail program itself.
    pub header: bool,
}

#[derive(Debug, Default)]
struct Inner {
    entries: VecDeque<Entry>,
    next: u64,
    source: Option<Arc<str>>,
}

/// The log of one container.
#[derive(Debug)]
pub struct Logbook {
    service: String,
    faults: FaultBoard,
    inner: Mutex<Inner>,
    sender: broadcast::Sender<Entry>,
    print: bool,
    /// The program that shows the files does not run.
    muted: AtomicBool,
}

impl Logbook {
    /// An empty log of `service`.
    pub fn new(service: &str, faults: FaultBoard) -> Self {
        let (sender, _) = broadcast::channel(4_096);
        Self {
            service: service.to_owned(),
            faults,
            inner: Mutex::default(),
            sender,
            print: false,
            muted: AtomicBool::new(false),
        }
    }

    /// A log that prints its lines on this process' standard output, for use inside a container.
    pub fn printing(service: &str, faults: FaultBoard) -> Self {
        Self {
            print: true,
            ..Self::new(service, faults)
        }
    }

    /// A line of the container's own start-up, on standard output.
    pub fn plain(&self, text: &str) {
        self.write(Timestamp::now(), Stream::Out, None, text);
    }

    /// A line of a followed file; `tail -f` puts a header before it when the file changes.
    pub fn file(&self, source: &str, text: &str) {
        self.write(Timestamp::now(), Stream::Out, Some(source), text);
    }

    /// A line at a given time, for the time before the site was started.
    pub fn write(&self, at: Timestamp, stream: Stream, source: Option<&str>, text: &str) {
        if self.print {
            println!("{text}");
            return;
        }
        let silent = self.faults.is(Fault::LogSilent, &self.service);
        let shown = !silent && (source.is_none() || !self.muted.load(Ordering::SeqCst));
        let mut inner = lock(&self.inner);
        let source: Option<Arc<str>> = source.map(Arc::from);
        if shown {
            self.head(&mut inner, at, stream, source.clone());
        }
        let bytes = Bytes::from(format!("{text}\n"));
        self.push(&mut inner, at, stream, source, bytes, shown, false);
    }

    #[expect(
        clippy::too_many_arguments,
        reason = "one private place that fills an entry"
    )]
    fn push(
        &self,
        inner: &mut Inner,
        at: Timestamp,
        stream: Stream,
        source: Option<Arc<str>>,
        bytes: Bytes,
        shown: bool,
        header: bool,
    ) {
        let entry = Entry {
            number: inner.next,
            at,
            stream,
            source,
            bytes,
            shown,
            header,
        };
        inner.next += 1;
        if inner.entries.len() == KEPT {
            inner.entries.pop_front();
        }
        inner.entries.push_back(entry.clone());
        // No follower is no error.
        let _ = self.sender.send(entry);
    }

    /// Everything kept, and a receiver of what comes after it.
    pub fn open(&self) -> (Vec<Entry>, broadcast::Receiver<Entry>) {
        let inner = lock(&self.inner);
        (
            inner.entries.iter().cloned().collect(),
            self.sender.subscribe(),
        )
    }

    /// Stops showing what the followed files get, or goes on with it.
    pub fn mute(&self, muted: bool) {
        self.muted.store(muted, Ordering::SeqCst);
    }

    /// The container starts anew: its first file gets a header again.
    pub fn begin(&self) {
        self.mute(false);
        lock(&self.inner).source = None;
    }

    /// Shows the last `count` lines of every followed file once more, as a restarted tail does: file
    /// after file. The files keep theirs single.
    pub fn replay(&self, count: usize) {
        let mut inner = lock(&self.inner);
        let lines: Vec<Entry> = inner
            .entries
            .iter()
            .filter(|e| !e.header && e.source.is_some())
            .cloned()
            .collect();
        let mut files: Vec<&Arc<str>> = Vec::new();
        for source in lines.iter().filter_map(|e| e.source.as_ref()) {
            if !files.contains(&source) {
                files.push(source);
            }
        }
        let now = Timestamp::now();
        inner.source = None;
        for file in files {
            let of: Vec<&Entry> = lines
                .iter()
                .filter(|e| e.source.as_ref() == Some(file))
                .collect();
            self.head(&mut inner, now, of[0].stream, Some(Arc::clone(file)));
            for entry in &of[of.len().saturating_sub(count)..] {
                let bytes = entry.bytes.clone();
                self.push(&mut inner, now, entry.stream, None, bytes, true, false);
            }
        }
    }

    /// The header that `tail -f` puts before a line of another file than the last one.
    fn head(&self, inner: &mut Inner, at: Timestamp, stream: Stream, source: Option<Arc<str>>) {
        let Some(name) = &source else { return };
        if inner.source == source {
            return;
        }
        let header = Bytes::from(format!("==> {name} <==\n"));
        inner.source = source;
        self.push(
            inner,
            at,
            stream,
            None,
            Bytes::from_static(b"\n"),
            true,
            true,
        );
        self.push(inner, at, stream, None, header, true, true);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_of_file_is_announced_and_silence_keeps_the_file() {
        let faults = FaultBoard::default();
        let book = Logbook::new("a", faults.clone());
        book.file("/var/log/supervisor/forge.log", "one");
        book.file("/var/log/supervisor/forge.log", "two");
        book.file("/var/log/sync.log", "three");
        faults.raise(Fault::LogSilent, Some("a"));
        book.file("/var/log/sync.log", "four");
        let (entries, _) = book.open();
        let shown: String = entries
            .iter()
            .filter(|e| e.shown)
            .map(|e| String::from_utf8_lossy(&e.bytes).into_owned())
            .collect();
        assert_eq!(
            shown,
            "\n==> /var/log/supervisor/forge.log <==\none\ntwo\n\n==> /var/log/sync.log <==\nthree\n"
        );
        assert_eq!(entries.iter().filter(|e| !e.header).count(), 4);
    }

    #[test]
    fn a_replay_shows_lines_again_and_leaves_the_files_alone() {
        let faults = FaultBoard::default();
        let book = Logbook::new("a", faults.clone());
        book.file("/x.log", "one");
        book.mute(true);
        book.file("/x.log", "two");
        book.mute(false);
        book.replay(512);
        let (entries, _) = book.open();
        let texts = |of: &dyn Fn(&Entry) -> bool| -> Vec<String> {
            let hits = entries.iter().filter(|e| !e.header && of(e));
            hits.map(|e| String::from_utf8_lossy(&e.bytes).into_owned())
                .collect()
        };
        assert_eq!(texts(&|e| e.shown), ["one\n", "one\n", "two\n"]);
        assert_eq!(texts(&|e| e.source.is_some()), ["one\n", "two\n"]);
    }
}
