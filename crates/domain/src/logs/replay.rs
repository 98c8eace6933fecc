//! Old lines that are sent again. When the image's log multiplexer starts anew it repeats the last
//! 512 lines of every file (`forge-container.md` §5), with new times: told once more they would look
//! like new trouble.
//!
//! A repetition is a burst in which a program says again, in order and up to its very last word,
//! what it said before. Lines of a burst that begins like one wait until it has ended; nothing is
//! folded that was not recognised to the end.

use std::{
    collections::{HashSet, VecDeque},
    hash::{DefaultHasher, Hash as _, Hasher as _},
};

use jiff::Timestamp;

use super::prepare::PreparedLine;

/// Lines of a program that are remembered: what is repeated, and what was said since.
const REMEMBERED: usize = 1_024;
/// Programs that are remembered; the one longest unheard gives way.
const MAX_PROGRAMS: usize = 64;
/// A repetition is at least so long, over all programs; shorter ones happen in every log.
const LEAST_LINES: usize = 16;
/// And has at least so many different lines: a program may well say one thing a hundred times.
const LEAST_DIFFERENT: usize = 8;
/// A log without a pause settles after so many lines.
const LONGEST_UNSETTLED: usize = 256;
/// Lines further apart than this are not of one burst, milliseconds.
const BURST_GAP_MS: i128 = 1_000;
/// And a burst is over after so many: a lively log must not wait.
const LONGEST_BURST_MS: i128 = 3_000;
/// The most that waits; 512 lines of sixteen files.
const MAX_WAITING: usize = 8_192;

/// What comes out of a log without its repetitions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sifted {
    /// A line.
    Line(PreparedLine),
    /// So many lines were said again at this time, and are folded.
    Folded {
        /// How many.
        lines: u32,
        /// When the first of them came again.
        at: Option<Timestamp>,
    },
}

/// Finds the repetitions of one log.
#[derive(Debug, Default)]
pub struct ReplayFold {
    /// The one heard last is last.
    voices: Vec<Voice>,
    waiting: Vec<PreparedLine>,
    /// Time of the first line that waits.
    burst_from: Option<Timestamp>,
    last_at: Option<Timestamp>,
}

/// What one program said.
#[derive(Debug)]
struct Voice {
    program: String,
    said: VecDeque<u64>,
    /// As many of them are older than the burst; what came in it is no end to reach.
    settled: usize,
    /// Places in `said` that the burst may have come to.
    places: Vec<usize>,
    /// Waiting lines that agree with one of these places, and what they say.
    agreeing: Vec<(usize, u64)>,
    /// As many of them reach to the end of what was said.
    complete: usize,
}

impl ReplayFold {
    /// Remembers a line from before.
    pub fn learn(&mut self, line: &PreparedLine) {
        if let Some(program) = &line.program {
            let hash = hash(line);
            let voice = self.voice(program);
            voice.remember(hash);
            voice.settled = voice.said.len();
        }
    }

    /// Whether lines wait for the end of a burst: then [`ReplayFold::settle`] has to be called when
    /// nothing has come for a moment.
    pub fn is_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Takes the next line; gives what is certain.
    pub fn take(&mut self, line: PreparedLine, out: &mut Vec<Sifted>) {
        let apart = |before: Option<Timestamp>, limit_ms: i128| {
            let times = before.zip(line.at);
            times.is_some_and(|(before, now)| now.duration_since(before).as_millis() > limit_ms)
        };
        let over = apart(self.last_at, BURST_GAP_MS) || apart(self.burst_from, LONGEST_BURST_MS);
        if over || self.waiting.len() >= MAX_WAITING {
            self.settle(out);
        }
        if over {
            for voice in &mut self.voices {
                voice.settled = voice.said.len();
            }
        }
        self.last_at = line.at.or(self.last_at);
        let Some(program) = line.program.clone() else {
            self.pass(line, out);
            return;
        };
        let hash = hash(&line);
        let place = self.waiting.len();
        let holding = self.is_waiting();
        let headed = line.headed;
        let voice = self.voice(&program);
        if holding {
            voice.follow(place, hash);
            self.waiting.push(line);
        } else if headed && voice.begins(hash) {
            // Who repeats names the file first.
            self.burst_from = line.at;
            let voice = self.voice(&program);
            voice.follow(place, hash);
            self.waiting.push(line);
        } else {
            voice.remember(hash);
            out.push(Sifted::Line(line));
        }
    }

    /// The burst is over: what waits is old, or new after all.
    pub fn settle(&mut self, out: &mut Vec<Sifted>) {
        if self.waiting.is_empty() {
            return;
        }
        let repeated = self.voices.iter().flat_map(|voice| {
            let complete = voice.agreeing.iter().take(voice.complete);
            complete.copied()
        });
        let repeated: Vec<(usize, u64)> = repeated.collect();
        let different: HashSet<u64> = repeated.iter().map(|(_, hash)| *hash).collect();
        let is_repetition = repeated.len() >= LEAST_LINES && different.len() >= LEAST_DIFFERENT;
        let folded: HashSet<usize> = repeated
            .into_iter()
            .filter(|_| is_repetition)
            .map(|(place, _)| place)
            .collect();
        self.end_burst();
        let mut told = false;
        for (place, line) in std::mem::take(&mut self.waiting).into_iter().enumerate() {
            if !folded.contains(&place) {
                self.learn(&line);
                out.push(Sifted::Line(line));
            } else if !std::mem::replace(&mut told, true) {
                out.push(Sifted::Folded {
                    lines: u32::try_from(folded.len()).unwrap_or(u32::MAX),
                    at: line.at,
                });
            }
        }
    }

    /// The connection broke: forgets what waits, because it will be sent again.
    pub fn interrupt(&mut self) {
        self.waiting.clear();
        self.end_burst();
    }

    fn end_burst(&mut self) {
        self.burst_from = None;
        for voice in &mut self.voices {
            voice.places.clear();
            voice.agreeing.clear();
            voice.complete = 0;
        }
    }

    /// A line of no program: it waits behind the others.
    fn pass(&mut self, line: PreparedLine, out: &mut Vec<Sifted>) {
        if self.is_waiting() {
            self.waiting.push(line);
        } else {
            out.push(Sifted::Line(line));
        }
    }

    fn voice(&mut self, program: &str) -> &mut Voice {
        let known = self.voices.iter().position(|v| v.program == program);
        let voice = match known {
            Some(at) => self.voices.remove(at),
            None => Voice {
                program: program.to_owned(),
                said: VecDeque::new(),
                settled: 0,
                places: Vec::new(),
                agreeing: Vec::new(),
                complete: 0,
            },
        };
        if self.voices.len() == MAX_PROGRAMS {
            self.voices.remove(0);
        }
        let at = self.voices.len();
        self.voices.push(voice);
        &mut self.voices[at]
    }
}

impl Voice {
    fn remember(&mut self, hash: u64) {
        if self.said.len() == REMEMBERED {
            self.said.pop_front();
            self.settled = self.settled.saturating_sub(1);
        }
        self.said.push_back(hash);
        if self.said.len() - self.settled > LONGEST_UNSETTLED {
            self.settled = self.said.len();
        }
    }

    fn settled(&self) -> impl Iterator<Item = (usize, u64)> {
        self.said.iter().copied().enumerate().take(self.settled)
    }

    fn begins(&self, hash: u64) -> bool {
        self.settled().any(|(_, said)| said == hash)
    }

    /// The line at this place among those that wait.
    fn follow(&mut self, place: usize, hash: u64) {
        if self.complete > 0 && self.places.is_empty() {
            // What comes after the last word is new.
            return;
        }
        let end = self.settled.saturating_sub(1);
        let goes_on = self.places.iter().map(|at| at + 1);
        let mut places: Vec<usize> = goes_on
            .filter(|at| *at <= end && self.said.get(*at) == Some(&hash))
            .collect();
        if places.is_empty() && self.complete == 0 {
            // Lines from before what is remembered come first.
            self.agreeing.clear();
            let same = |(at, said): (usize, u64)| (said == hash).then_some(at);
            places = self.settled().filter_map(same).collect();
        }
        if !places.is_empty() {
            self.agreeing.push((place, hash));
        }
        if places.contains(&end) {
            self.complete = self.agreeing.len();
            places.retain(|at| *at != end);
        }
        self.places = places;
    }
}

fn hash(line: &PreparedLine) -> u64 {
    let mut hasher = DefaultHasher::new();
    line.text.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::logs::{LogLevel, LogStream};

    fn line(ms: i64, program: &str, text: &str) -> PreparedLine {
        PreparedLine {
            at: Timestamp::from_millisecond(ms).ok(),
            stream: LogStream::Stdout,
            program: (!program.is_empty()).then(|| program.to_owned()),
            level: LogLevel::Info,
            text: text.to_owned(),
            headed: false,
            spans: Vec::new(),
            cut_bytes: 0,
        }
    }

    /// What comes out, as `text` or `<n>` for folded lines.
    fn sift(lines: &[PreparedLine]) -> Vec<String> {
        let mut fold = ReplayFold::default();
        let mut out = Vec::new();
        for line in lines {
            fold.take(line.clone(), &mut out);
        }
        fold.settle(&mut out);
        assert!(!fold.is_waiting());
        out.into_iter()
            .map(|sifted| match sifted {
                Sifted::Line(line) => line.text,
                Sifted::Folded { lines, .. } => format!("<{lines}>"),
            })
            .collect()
    }

    /// A life of two programs, a line each second.
    fn life() -> Vec<PreparedLine> {
        (0..30)
            .map(|n| match n % 3 {
                2 => line(n * 2_000, "sync", &format!("sync {n}")),
                _ => line(n * 2_000, "forge", &format!("step {n}")),
            })
            .collect()
    }

    fn texts(lines: &[PreparedLine]) -> Vec<String> {
        lines.iter().map(|line| line.text.clone()).collect()
    }

    /// The same lines again, file after file, in one burst.
    fn again(lines: &[PreparedLine]) -> Vec<PreparedLine> {
        let mut burst: Vec<PreparedLine> = Vec::new();
        for program in ["sync", "forge"] {
            let first = burst.len();
            let of = |line: &&PreparedLine| line.program.as_deref() == Some(program);
            let said = lines.iter().filter(of);
            burst.extend(said.map(|l| line(100_000, program, &l.text)));
            burst[first].headed = true;
        }
        burst
    }

    #[test]
    fn a_repetition_is_folded_and_counted_and_what_is_new_stays() {
        let mut lines = life();
        let mut expected = texts(&lines);
        lines.extend(again(&life()));
        lines.push(line(100_001, "forge", "Launching Web UI"));
        lines.push(line(200_000, "forge", "Startup time: 5s"));
        expected.extend(["<30>", "Launching Web UI", "Startup time: 5s"].map(String::from));
        assert_eq!(sift(&lines), expected);
    }

    #[test]
    fn lines_from_before_what_is_remembered_are_new() {
        let mut lines = life();
        let mut expected = texts(&lines);
        let mut burst = again(&life());
        let of_forge = burst.iter().position(|l| l.text == "step 0").unwrap();
        burst.insert(
            of_forge,
            line(100_000, "forge", "older than all that is held"),
        );
        lines.extend(burst);
        expected.extend(["<30>", "older than all that is held"].map(String::from));
        assert_eq!(sift(&lines), expected);
    }

    #[test]
    fn a_second_start_is_not_taken_for_a_repetition_of_the_first() {
        // The same words up to a point, then others: told in full.
        let start = |from: i64, end: &str| {
            let mut lines: Vec<PreparedLine> = (0..40)
                .map(|n| line(from + n, "forge", &format!("start {n}")))
                .collect();
            lines.push(line(from + 50, "forge", end));
            lines[0].headed = true;
            lines
        };
        let mut lines = start(0, "Startup time: 11.4s");
        lines.push(line(5_000, "sync", "sync"));
        lines.extend(start(10_000, "Startup time: 12.1s"));
        assert_eq!(sift(&lines), texts(&lines));
    }

    #[test]
    fn one_thing_said_often_is_no_repetition() {
        let mut lines = vec![line(0, "sync", "sync")];
        for round in 0..3 {
            let tick = |n| PreparedLine {
                headed: n == 0,
                ..line(round * 300 + n, "forge", "tick")
            };
            lines.extend((0..200).map(tick));
            lines.push(line(round * 300 + 250, "sync", "sync"));
        }
        assert_eq!(sift(&lines), texts(&lines));
    }

    #[test]
    fn a_short_or_slow_one_is_told() {
        let short: Vec<PreparedLine> = life().into_iter().take(9).collect();
        let mut lines = short.clone();
        lines.extend(again(&short));
        assert_eq!(sift(&lines), texts(&lines));

        let mut slow = life();
        slow.extend(
            life()
                .into_iter()
                .zip(0i64..)
                .map(|(l, n)| line(100_000 + n * 2_000, l.program.as_deref().unwrap(), &l.text)),
        );
        assert_eq!(sift(&slow), texts(&slow));
    }

    #[test]
    fn nothing_waits_without_an_end() {
        let mut fold = ReplayFold::default();
        let mut out = Vec::new();
        for n in 0..3 * MAX_WAITING {
            let program = if n % 2 == 0 { "forge" } else { "sync" };
            let tick = PreparedLine {
                headed: true,
                ..line(0, program, "tick")
            };
            fold.take(tick, &mut out);
        }
        assert!(out.len() >= 2 * MAX_WAITING, "{}", out.len());
        let mut plain = Vec::new();
        ReplayFold::default().take(line(0, "", "no program"), &mut plain);
        assert_eq!(plain.len(), 1);
    }
}
