//! The program's own file beside a stream that stands still: which of its lines the stream gave
//! already, and which of the stream's lines the file gave.

use std::{
    collections::VecDeque,
    hash::{DefaultHasher, Hash as _, Hasher as _},
};

use forgekeeper_domain::{
    Timestamp,
    logs::{
        LogLine, LogSource, LogStream, Marker,
        overlap::known_lines,
        prepare::{LinePreparer, PreparedLine},
    },
};
use tokio::time::{Duration, Instant};

use super::Held;

/// Lines that are compared where the file is taken up.
const COMPARED: usize = 4_096;
/// Lines of one source that wait for their double from the other.
const MOST_WAITING: usize = 4_096;
/// A line that the file gave may come through the stream so long after the file was left.
const LATE: Duration = Duration::from_secs(10);

/// A file that is read.
#[derive(Debug)]
pub(in crate::logs) struct Beside {
    path: String,
    preparer: LinePreparer,
    at_line_start: bool,
    /// What it gave and the stream did not yet.
    only_file: VecDeque<u64>,
    /// What the stream gave and it did not yet.
    only_stream: VecDeque<u64>,
    /// The stream has spoken since: the file is left after one more look.
    spoke: bool,
    left_at: Option<Instant>,
}

impl Beside {
    fn new(path: &str) -> Self {
        let mut preparer = LinePreparer::new();
        // As the multiplexer names its files, so that the lines bear the program's name.
        preparer.push(LogStream::File, format!("==> {path} <==\n").as_bytes());
        Self {
            path: path.to_owned(),
            preparer,
            at_line_start: true,
            only_file: VecDeque::new(),
            only_stream: VecDeque::new(),
            spoke: false,
            left_at: None,
        }
    }

    /// Whole lines of the file, with the time of the reading for the engine's.
    fn prepare(&mut self, bytes: &[u8], now: Timestamp) -> Vec<PreparedLine> {
        let stamp = format!("{now} ");
        let mut lines = Vec::new();
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            if self.at_line_start {
                lines.extend(self.preparer.push(LogStream::File, stamp.as_bytes()));
            }
            lines.extend(self.preparer.push(LogStream::File, piece));
            self.at_line_start = piece.ends_with(b"\n");
        }
        lines
    }
}

impl Held {
    /// Where the newest lines come from.
    pub(super) fn source(&self) -> LogSource {
        let read = self.beside.as_ref();
        let read = read.filter(|beside| !beside.spoke && beside.left_at.is_none());
        read.map_or(LogSource::Stream, |beside| LogSource::File {
            path: beside.path.clone(),
        })
    }

    /// Takes up a file by its newest bytes; what is held of them already is not held twice.
    pub(in crate::logs) fn begin_beside(&mut self, path: &str, bytes: &[u8], now: Timestamp) {
        self.beside = Some(Beside::new(path));
        self.file_error = None;
        let file = Some(path.to_owned());
        self.take(Marker::Source { file }.between_lines(now));
        self.push_beside(bytes, true, now);
    }

    /// Takes what was written to the file since, or, of `another` file, all of it. Whether a line
    /// among it is new.
    pub(in crate::logs) fn push_beside(
        &mut self,
        bytes: &[u8],
        another: bool,
        now: Timestamp,
    ) -> bool {
        let Some(beside) = &mut self.beside else {
            return false;
        };
        let lines = beside.prepare(bytes, now);
        let known = if another { self.known(&lines) } else { 0 };
        self.take_file(lines.into_iter().skip(known))
    }

    /// How many of the first lines of a file are the last that are held.
    fn known(&self, lines: &[PreparedLine]) -> usize {
        let program = lines.first().and_then(|line| line.program.as_ref());
        let own = |line: &&LogLine| {
            line.marker.is_none() && (!self.own_named || line.program.as_ref() == program)
        };
        let newest = self.ring.iter().rev().filter(own).take(COMPARED);
        let mut held: Vec<u64> = newest.map(|line| hash(&line.text)).collect();
        held.reverse();
        let file: Vec<u64> = lines.iter().map(|line| hash(&line.text)).collect();
        known_lines(&held, &file)
    }

    /// The file is not read any more. Whether it was.
    pub(in crate::logs) fn leave_beside(&mut self, now: Timestamp) -> bool {
        let Some(beside) = &mut self.beside else {
            return false;
        };
        if beside.left_at.replace(Instant::now()).is_some() {
            return false;
        }
        if !std::mem::replace(&mut beside.spoke, true) {
            self.take(Marker::Source { file: None }.between_lines(now));
        }
        true
    }

    fn take_file(&mut self, lines: impl Iterator<Item = PreparedLine>) -> bool {
        let mut news = false;
        for line in lines {
            let Some(beside) = &mut self.beside else {
                break;
            };
            if self.closed || gave(&mut beside.only_stream, hash(&line.text)) {
                continue;
            }
            wait(&mut beside.only_file, hash(&line.text));
            news = true;
            // When the multiplexer starts anew it sends this, too.
            self.replay.learn(&line);
            self.name(line);
        }
        news
    }

    /// Whether the file gave this line of the stream already.
    pub(super) fn is_from_file(&mut self, line: &PreparedLine) -> bool {
        if !self.is_own(line.program.as_deref()) {
            return false;
        }
        let Some(beside) = &mut self.beside else {
            return false;
        };
        if beside.left_at.is_some_and(|left| left.elapsed() > LATE) {
            self.beside = None;
            return false;
        }
        gave(&mut beside.only_file, hash(&line.text))
    }

    /// The stream gave a line that the file did not give yet.
    pub(super) fn stream_gave(&mut self, line: &PreparedLine) {
        if self.is_own(line.program.as_deref())
            && let Some(beside) = &mut self.beside
        {
            wait(&mut beside.only_stream, hash(&line.text));
        }
    }

    /// The stream said something.
    pub(super) fn speaks(&mut self, line: &PreparedLine, now: Timestamp) {
        if self.hear(line, self.heard_at(line.at, now)) {
            self.spoke(line.at);
        }
    }

    /// When something was said that comes now. The engine's clock is another one than that by which
    /// the program's deeds are known.
    fn heard_at(&self, at: Option<Timestamp>, now: Timestamp) -> Option<Timestamp> {
        if self.delay.catching_up() {
            at
        } else {
            Some(now)
        }
    }

    /// The stream said again what it had said, and what the file gave meanwhile.
    pub(super) fn speaks_again(&mut self, at: Option<Timestamp>, now: Timestamp) {
        if let Some(beside) = &mut self.beside {
            beside.only_file.clear();
        }
        self.spoke_at = self.spoke_at.max(self.heard_at(at, now));
        self.spoke(at);
    }

    fn spoke(&mut self, at: Option<Timestamp>) {
        self.spoken += 1;
        if let Some(beside) = &mut self.beside
            && beside.left_at.is_none()
            && !std::mem::replace(&mut beside.spoke, true)
            && let Some(at) = at.or(self.last_line_at)
        {
            self.take(Marker::Source { file: None }.between_lines(at));
        }
    }

    /// Notes when the stream said something of the service's own program; whether it did.
    pub(super) fn hear(&mut self, line: &PreparedLine, at: Option<Timestamp>) -> bool {
        let program = line.program.as_ref();
        self.own_named |= program.is_some_and(|program| self.own.contains(program));
        let own = self.is_own(line.program.as_deref());
        if own {
            self.spoke_at = self.spoke_at.max(at);
        }
        own
    }

    /// Nothing that was said belongs to what comes.
    pub(in crate::logs) fn forget_speech(&mut self) {
        self.own_named = false;
        self.spoke_at = None;
        self.beside = None;
        self.file_error = None;
    }

    /// Whether a line of the stream is of the service's own program: any is, where no multiplexer
    /// names that.
    fn is_own(&self, program: Option<&str>) -> bool {
        !self.own_named || program.is_some_and(|program| self.own.iter().any(|own| own == program))
    }
}

/// Whether a source gave this line, and what came before it is not waited for any more.
fn gave(waiting: &mut VecDeque<u64>, line: u64) -> bool {
    let Some(place) = waiting.iter().position(|waiting| *waiting == line) else {
        return false;
    };
    waiting.drain(..=place);
    true
}

fn wait(waiting: &mut VecDeque<u64>, line: u64) {
    if waiting.len() == MOST_WAITING {
        waiting.pop_front();
    }
    waiting.push_back(line);
}

fn hash(text: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    hasher.finish()
}
