//! A bounded memory of the newest lines, by count and by bytes.

use std::collections::VecDeque;

use super::LogLine;

/// What a line costs beside its text: struct, allocation and its place in the queue, in bytes.
const LINE_OVERHEAD: usize = 160;

/// The newest lines of one log; the oldest give way.
#[derive(Debug)]
pub struct LineRing {
    lines: VecDeque<LogLine>,
    max_lines: usize,
    max_bytes: usize,
    bytes: usize,
    next_seq: u32,
    rotated: u32,
}

impl LineRing {
    /// A ring for at most so many lines and so many bytes (both at least one line).
    pub fn new(max_lines: usize, max_bytes: usize) -> Self {
        Self {
            lines: VecDeque::new(),
            max_lines: max_lines.max(1),
            max_bytes,
            bytes: 0,
            next_seq: 0,
            rotated: 0,
        }
    }

    /// Keeps a line, gives it its number, and lets the oldest go where there is no room.
    pub fn push(&mut self, mut line: LogLine) -> u32 {
        let seq = self.next_seq;
        line.seq = seq;
        self.next_seq = self.next_seq.wrapping_add(1);
        self.bytes += cost(&line);
        self.lines.push_back(line);
        while self.lines.len() > self.max_lines
            || (self.bytes > self.max_bytes && self.lines.len() > 1)
        {
            if let Some(old) = self.lines.pop_front() {
                self.bytes -= cost(&old);
                self.rotated = self.rotated.saturating_add(1);
            }
        }
        seq
    }

    /// The next line gets this number; for a ring that holds nothing yet.
    pub fn begin_at(&mut self, seq: u32) {
        if self.is_empty() {
            self.next_seq = seq;
        }
    }

    /// Lets all lines go; the numbers go on.
    pub fn clear(&mut self) {
        let gone = u32::try_from(self.lines.len()).unwrap_or(u32::MAX);
        self.rotated = self.rotated.saturating_add(gone);
        self.lines.clear();
        self.bytes = 0;
    }

    /// Lines held.
    pub fn len(&self) -> usize {
        self.lines.len()
    }

    /// Whether nothing is held.
    pub fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    /// Bytes held, with what each line costs beside its text.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Lines that gave way since the start.
    pub fn rotated(&self) -> u32 {
        self.rotated
    }

    /// Number the next line will have.
    pub fn next_seq(&self) -> u32 {
        self.next_seq
    }

    /// Number of the oldest line held; that of the next one when nothing is held.
    pub fn first_seq(&self) -> u32 {
        self.lines.front().map_or(self.next_seq, |line| line.seq)
    }

    /// The newest line.
    pub fn last(&self) -> Option<&LogLine> {
        self.lines.back()
    }

    /// Lines held, oldest first.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &LogLine> + ExactSizeIterator {
        self.lines.iter()
    }

    /// How many lines from number `seq` on are no longer held, and those that are, oldest first.
    pub fn since(&self, seq: u32) -> (u32, impl Iterator<Item = &LogLine>) {
        let first = self.first_seq();
        // Distances, not order: the numbers wrap after four billions of lines.
        let held = self.lines.len();
        let behind = self.next_seq.wrapping_sub(seq) as usize;
        let (missed, skip) = if behind > held {
            (first.wrapping_sub(seq), 0)
        } else {
            (0, held - behind)
        };
        (missed, self.lines.range(skip..))
    }
}

fn cost(line: &LogLine) -> usize {
    line.text.len() + line.program.as_ref().map_or(0, String::len) + LINE_OVERHEAD
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::logs::{LogLevel, LogStream};

    fn line(text: &str) -> LogLine {
        LogLine {
            seq: 0,
            at: None,
            stream: LogStream::Stdout,
            program: None,
            level: LogLevel::Unknown,
            text: text.to_owned(),
            spans: Vec::new(),
            cut_bytes: 0,
            signature: None,
            trace: None,
            marker: None,
        }
    }

    #[test]
    fn the_oldest_lines_give_way_and_are_counted() {
        let mut ring = LineRing::new(3, usize::MAX);
        for text in ["a", "b", "c", "d", "e"] {
            ring.push(line(text));
        }
        assert_eq!(
            ring.iter().map(|l| l.text.as_str()).collect::<String>(),
            "cde"
        );
        assert_eq!(
            (ring.rotated(), ring.first_seq(), ring.next_seq()),
            (2, 2, 5)
        );
    }

    #[test]
    fn bytes_bound_it_too_and_one_line_always_stays() {
        let mut ring = LineRing::new(1000, 4 * (100 + LINE_OVERHEAD));
        for _ in 0..50 {
            ring.push(line(&"x".repeat(100)));
        }
        assert_eq!(ring.len(), 4);
        ring.push(line(&"y".repeat(1_000_000)));
        assert_eq!(ring.len(), 1);
        assert_eq!(ring.bytes(), 1_000_000 + LINE_OVERHEAD);
    }

    #[test]
    fn a_late_reader_learns_how_many_it_missed() {
        let mut ring = LineRing::new(3, usize::MAX);
        for text in ["a", "b", "c", "d", "e"] {
            ring.push(line(text));
        }
        for (seq, missed, rest) in [(0, 2, "cde"), (2, 0, "cde"), (4, 0, "e"), (5, 0, "")] {
            let (got, lines) = ring.since(seq);
            assert_eq!(got, missed, "from {seq}");
            assert_eq!(
                lines.map(|l| l.text.as_str()).collect::<String>(),
                rest,
                "from {seq}"
            );
        }
    }

    #[test]
    fn a_cleared_ring_goes_on_counting() {
        let mut ring = LineRing::new(3, usize::MAX);
        for text in ["a", "b", "c", "d"] {
            ring.push(line(text));
        }
        ring.clear();
        assert_eq!((ring.len(), ring.bytes(), ring.rotated()), (0, 0, 4));
        assert_eq!(ring.push(line("e")), 4);
        assert_eq!(ring.since(4).0, 0, "who had read all missed nothing");
        assert_eq!(ring.since(2).0, 2);
    }

    #[test]
    fn numbers_may_wrap() {
        let mut ring = LineRing::new(3, usize::MAX);
        ring.next_seq = u32::MAX - 1;
        for text in ["a", "b", "c", "d"] {
            ring.push(line(text));
        }
        let (missed, lines) = ring.since(u32::MAX - 1);
        assert_eq!(missed, 1);
        assert_eq!(lines.map(|l| l.text.as_str()).collect::<String>(), "bcd");
    }
}
