//! What a log holds: its newest lines, what waits to be told between them, and how lines that come
//! again are known.

use std::{
    collections::{HashMap, VecDeque},
    hash::{DefaultHasher, Hash as _, Hasher as _},
    sync::Arc,
};

use forgekeeper_domain::{
    Timestamp,
    logs::{
        LogLine, LogMeter, LogStream, Marker, Storage,
        delay::Delay,
        events::{Classifier, Mark},
        findings::Findings,
        prepare::{LinePreparer, PreparedLine},
        replay::{ReplayFold, Sifted},
        ring::LineRing,
        rules::RulesInForce,
    },
};
use tokio::time::Instant;

use super::archive::{Archive, Newest};
use crate::sys::clock;

mod beside;

use beside::Beside;

/// A log cannot invent more programs than this.
const MAX_PROGRAMS: usize = 64;
/// Marks that wait for the line after them.
const MAX_MARKS: usize = 64;

/// What the lock protects.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) preparer: LinePreparer,
    pub(super) ring: LineRing,
    pub(super) programs: Vec<String>,
    pub(super) last_line_at: Option<Timestamp>,
    pub(super) connected: bool,
    pub(super) error: Option<String>,
    pub(super) closed: bool,
    /// Line ends that came: as many as were asked for mean that the engine may hold more.
    pub(super) entries: u64,
    /// The stream ended in order and was not opened again since.
    pub(super) at_end: bool,
    pub(super) repetition: Option<Repetition>,
    pub(super) meter_published: Option<Instant>,
    pub(super) meter_stale: bool,
    /// Where every line is stored; `None` where nothing is.
    pub(super) archive: Option<Archive>,
    /// Why nothing is stored, while nothing is.
    pub(super) unstored: Storage,
    /// Whether what was stored before has been taken up.
    pub(super) ready: bool,
    /// What happened to the container, waiting for the first line after it.
    pub(super) marks: VecDeque<(Timestamp, Marker)>,
    /// The container that the newest line came from.
    pub(super) container: Option<String>,
    /// What lines are named by.
    pub(super) rules: Arc<RulesInForce>,
    /// Names each line.
    pub(super) classifier: Classifier,
    /// What was said since the program started.
    pub(super) findings: Findings,
    /// Finds lines that are sent again.
    pub(super) replay: ReplayFold,
    pub(super) replayed: u32,
    /// When lines last came, while some wait for the end of a burst.
    pub(super) waiting_since: Option<Instant>,
    /// How far behind the stream is.
    pub(super) delay: Delay,
    /// When lines of the past last came, while they do.
    pub(super) catching_up_since: Option<Instant>,
    /// How the multiplexer may call the service's own program.
    pub(super) own: Vec<String>,
    /// It does.
    own_named: bool,
    /// When the stream last said something of it, by our clock where it was heard live.
    pub(super) spoke_at: Option<Timestamp>,
    /// How often it did.
    pub(super) spoken: u64,
    /// The file that is read while the stream stands still.
    pub(super) beside: Option<Beside>,
    /// Why it cannot be read.
    pub(super) file_error: Option<String>,
}

/// What a reopened log is going to say again.
#[derive(Debug)]
pub(super) struct Repetition {
    pub(super) from: Timestamp,
    pub(super) newest: Timestamp,
    pub(super) lines: HashMap<(Timestamp, u8, u64), u32>,
}

impl Held {
    /// Nothing is held, and nothing is waited for.
    pub(super) fn new(ring: LineRing) -> Self {
        Self {
            preparer: LinePreparer::new(),
            ring,
            programs: Vec::new(),
            last_line_at: None,
            connected: false,
            error: None,
            closed: false,
            entries: 0,
            at_end: false,
            repetition: None,
            meter_published: None,
            meter_stale: false,
            archive: None,
            unstored: Storage::Opening,
            ready: true,
            marks: VecDeque::new(),
            container: None,
            rules: Arc::default(),
            classifier: Classifier::default(),
            findings: Findings::new(None),
            replay: ReplayFold::default(),
            replayed: 0,
            waiting_since: None,
            delay: Delay::default(),
            catching_up_since: None,
            own: Vec::new(),
            own_named: false,
            spoke_at: None,
            spoken: 0,
            beside: None,
            file_error: None,
        }
    }

    /// Takes up what was stored before, and stores from now on.
    pub(super) fn adopt(&mut self, archive: Result<Archive, Storage>, newest: Newest) {
        let (archive, unstored) = match archive {
            Ok(archive) => (Some(archive), Storage::Opening),
            Err(why) => (None, why),
        };
        if !self.ready {
            self.ring
                .begin_at(newest.lines.first().map_or(0, |line| line.seq));
            for line in newest.lines {
                self.recall(&line);
                self.hold(line);
            }
            if let Some(archive) = &archive {
                self.ring.begin_at(archive.next_number());
            }
        } else if let Some(archive) = &archive {
            archive.count_from(self.ring.next_seq());
        }
        self.container = newest.container.or(self.container.take());
        self.archive = archive;
        self.unstored = unstored;
        self.ready = true;
    }

    pub(super) fn meter(&self) -> LogMeter {
        LogMeter {
            connected: self.connected,
            // Whether it is, its program's deeds tell.
            silent: false,
            source: self.source(),
            file_error: self.file_error.clone(),
            behind_ms: self.delay.behind_ms(),
            catching_up: self.delay.catching_up(),
            held: u32::try_from(self.ring.len()).unwrap_or(u32::MAX),
            rotated: self.ring.rotated(),
            replayed: self.replayed,
            last_line_at: self.last_line_at,
            spoke_at: self.spoke_at,
            programs: self.programs.clone(),
            error: self.error.clone(),
            stored: match &self.archive {
                Some(archive) => Storage::Here(archive.kept()),
                None => self.unstored.clone(),
            },
            said: self
                .findings
                .current()
                .brief(|id| self.rules.is_silenced(id)),
            device: self.findings.current().device(),
        }
    }

    /// From now on lines are named by these rules; those that are held keep their names.
    pub(super) fn obey(&mut self, rules: Arc<RulesInForce>) {
        if !self.rules.names_like(&rules) {
            self.findings.rename(rules.signatures());
        }
        self.rules = rules;
    }

    /// Whether something was new.
    pub(super) fn keep(&mut self, lines: Vec<PreparedLine>) -> bool {
        // Once for all of them: the clock is not read for every line.
        let now = clock::now();
        let mut sifted = Vec::with_capacity(lines.len());
        let mut news = false;
        let mut newest = None;
        for line in lines {
            if self.closed || self.is_repeated(&line) {
                continue;
            }
            news = true;
            newest = line.at.or(newest);
            // What may be sent again has to be seen whole.
            if !line.headed && !self.replay.is_waiting() && self.is_from_file(&line) {
                self.speaks(&line, now);
                continue;
            }
            self.replay.take(line, &mut sifted);
        }
        self.measure(newest, now);
        self.take_sifted(sifted, now);
        self.waiting_since = self.replay.is_waiting().then(Instant::now);
        news
    }

    /// Nothing more of a burst is coming: what waits is old, or new after all.
    pub(super) fn settle(&mut self) -> bool {
        let mut sifted = Vec::new();
        self.replay.settle(&mut sifted);
        self.waiting_since = None;
        let news = !sifted.is_empty();
        self.take_sifted(sifted, clock::now());
        news
    }

    fn take_sifted(&mut self, sifted: Vec<Sifted>, now: Timestamp) {
        for sifted in sifted {
            match sifted {
                Sifted::Line(line) => {
                    self.speaks(&line, now);
                    if !self.is_from_file(&line) {
                        self.stream_gave(&line);
                        self.name(line);
                    }
                }
                Sifted::Folded { lines, at } => {
                    self.replayed = self.replayed.saturating_add(lines);
                    let at = at.or(self.last_line_at);
                    self.speaks_again(at, now);
                    self.mark_before(at);
                    // Without any time there is no place for it; the meter counts it all the same.
                    if let Some(at) = at {
                        self.take(Marker::Replayed { lines }.between_lines(at));
                    }
                }
            }
        }
    }

    /// Holds a line under its name.
    fn name(&mut self, line: PreparedLine) {
        self.mark_before(line.at);
        let signatures = self.rules.signatures();
        let mark = self.classifier.mark(signatures, &line);
        self.findings.fold(signatures, &line, mark);
        self.take(held_line(&self.rules, line, mark));
    }

    /// Measures how far behind the stream is.
    fn measure(&mut self, newest: Option<Timestamp>, now: Timestamp) {
        if let Some(at) = newest {
            self.delay.line(at, now);
            let catching_up = self.delay.catching_up();
            self.catching_up_since = catching_up.then(Instant::now);
        }
    }

    /// Nothing has come for a moment.
    pub(super) fn caught_up(&mut self) -> bool {
        self.catching_up_since = None;
        self.delay.paused(clock::now())
    }

    /// Counts a line that was stored by an earlier keeper.
    fn recall(&mut self, line: &LogLine) {
        if line.marker.is_some() {
            self.begin_run(line);
            return;
        }
        let line = PreparedLine {
            at: line.at,
            stream: line.stream,
            program: line.program.clone(),
            headed: false,
            level: line.level,
            text: line.text.clone(),
            spans: Vec::new(),
            cut_bytes: line.cut_bytes,
        };
        let signatures = self.rules.signatures();
        let mark = self.classifier.mark(signatures, &line);
        self.findings.fold(signatures, &line, mark);
        self.replay.learn(&line);
        if line.stream != LogStream::File {
            self.hear(&line, line.at);
        }
    }

    /// The start of a container makes history of what was said before.
    fn begin_run(&mut self, line: &LogLine) {
        if let Some(Marker::Started { .. }) = line.marker {
            self.findings.new_run(line.at);
        }
    }

    /// Holds a line and stores it.
    fn take(&mut self, line: LogLine) {
        if let Some(archive) = &self.archive {
            archive.add(&line);
        }
        self.hold(line);
    }

    fn hold(&mut self, line: LogLine) {
        self.last_line_at = line.at.or(self.last_line_at);
        if let Some(program) = &line.program
            && self.programs.len() < MAX_PROGRAMS
            && !self.programs.contains(program)
        {
            self.programs.push(program.clone());
        }
        self.ring.push(line);
    }

    /// Something happened to the container: told before the first line that came after it. What is
    /// held already is not told again.
    pub(super) fn mark(&mut self, at: Timestamp, marker: Marker) {
        let known = |line: &LogLine| line.at == Some(at) && line.marker.as_ref() == Some(&marker);
        if self.marks.len() < MAX_MARKS && !self.ring.iter().any(known) {
            self.marks.push_back((at, marker));
        }
    }

    /// Tells the marks from before a line; all of them when none is coming.
    pub(super) fn mark_before(&mut self, line: Option<Timestamp>) -> bool {
        let mut told = false;
        while let Some((at, _)) = self.marks.front()
            && line.is_none_or(|line| line >= *at)
            && let Some((at, marker)) = self.marks.pop_front()
        {
            told = true;
            let line = marker.between_lines(at);
            self.begin_run(&line);
            self.take(line);
        }
        told
    }

    fn is_repeated(&mut self, line: &PreparedLine) -> bool {
        let (Some(repetition), Some(at)) = (&mut self.repetition, line.at) else {
            return false;
        };
        if let Some(left) = repetition.lines.get_mut(&key(at, line.stream, &line.text))
            && *left > 0
        {
            *left -= 1;
            return true;
        }
        if at > repetition.newest {
            self.repetition = None;
            return false;
        }
        at < repetition.from
    }
}

fn held_line(rules: &RulesInForce, line: PreparedLine, mark: Mark) -> LogLine {
    let signature = mark
        .signature
        .and_then(|index| rules.signatures().get(index));
    LogLine {
        seq: 0,
        at: line.at,
        stream: line.stream,
        program: line.program,
        level: line.level,
        text: line.text,
        spans: line.spans,
        cut_bytes: line.cut_bytes,
        signature: signature.map(|signature| signature.id.clone()),
        trace: mark.trace,
        marker: None,
    }
}

pub(super) fn key(at: Timestamp, stream: LogStream, text: &str) -> (Timestamp, u8, u64) {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    (at, stream as u8, hasher.finish())
}
