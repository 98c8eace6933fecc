//! From raw bytes to lines: the engine's timestamps cut, streams put together, progress bars
//! reduced to their last state, control sequences removed, secrets masked, nothing unbounded.

mod clean;
mod mask;
mod scan;

pub use clean::{Colour, Span};

use clean::Cleaned;
use memchr::memchr;
use scan::Scan;

use super::{LogLevel, LogStream, level};
use crate::Timestamp;

/// Longest text of a line in bytes.
pub const MAX_LINE_BYTES: usize = 64 * 1024;
/// Docker cuts a longer line into entries of exactly this many bytes and gives each the
/// timestamp of the first.
const ENTRY_BYTES: usize = 16 * 1024;
/// Longest timestamp: `2006-01-02T15:04:05.000000000+07:00`.
const MAX_STAMP_BYTES: usize = 35;
/// Longest accepted name of a program.
const MAX_PROGRAM_CHARS: usize = 64;

/// One line, before it has a number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PreparedLine {
    /// The engine's timestamp, when the line had one.
    pub at: Option<Timestamp>,
    /// Which stream.
    pub stream: LogStream,
    /// Program of the image's log multiplexer.
    pub program: Option<String>,
    /// Whether the multiplexer named the program's file just before it.
    pub headed: bool,
    /// Guessed severity.
    pub level: LogLevel,
    /// Text without control sequences and secrets, at most [`MAX_LINE_BYTES`].
    pub text: String,
    /// What of the text the program coloured, in rising order, at most 64.
    pub spans: Vec<Span>,
    /// Bytes that did not fit.
    pub cut_bytes: u32,
}

/// Turns the pieces of a log into lines, however they are cut.
#[derive(Debug)]
pub struct LinePreparer {
    streams: [Assembly; 4],
}

impl Default for LinePreparer {
    fn default() -> Self {
        Self::new()
    }
}

impl LinePreparer {
    /// At the start of a log.
    pub fn new() -> Self {
        use LogStream::{Console, File, Stderr, Stdout};
        Self {
            streams: [Stdout, Stderr, Console, File].map(Assembly::new),
        }
    }

    /// Takes the next bytes of a stream; gives the lines they complete.
    pub fn push(&mut self, stream: LogStream, bytes: &[u8]) -> Vec<PreparedLine> {
        let mut lines = Vec::new();
        self.streams[stream as usize].push(bytes, &mut lines);
        lines
    }

    /// The log has ended: gives what has no line end yet.
    pub fn finish(&mut self) -> Vec<PreparedLine> {
        let mut lines = Vec::new();
        for stream in &mut self.streams {
            stream.finish(&mut lines);
        }
        lines
    }

    /// The earliest timestamp among what is not given out yet.
    pub fn pending_since(&self) -> Option<Timestamp> {
        self.streams
            .iter()
            .flat_map(|stream| [stream.at, stream.blank.as_ref().and_then(|line| line.at)])
            .flatten()
            .min()
    }

    /// The connection broke: forgets what has no line end yet, because it will be sent again. The
    /// current program stays known.
    pub fn interrupt(&mut self) {
        for stream in &mut self.streams {
            stream.interrupt();
        }
    }
}

/// Where in a physical line the next byte is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// At its head: the timestamp, if there is one.
    Stamp,
    /// In its text.
    Text,
    /// So many bytes into what may be the timestamp of Docker's next entry for the same line.
    Repeated(usize),
}

/// Bytes between two carriage returns, as many as are kept.
#[derive(Debug, Default)]
struct Piece {
    bytes: Vec<u8>,
    cut: usize,
}

impl Piece {
    fn extend(&mut self, bytes: &[u8]) {
        let room = MAX_LINE_BYTES
            .saturating_sub(self.bytes.len())
            .min(bytes.len());
        self.bytes.extend_from_slice(&bytes[..room]);
        self.cut = self.cut.saturating_add(bytes.len() - room);
    }

    /// What fitted, without a character that was cut in two.
    fn decode(mut self) -> (Cleaned, usize) {
        if clean::is_plain(&self.bytes) {
            let text = String::from_utf8(self.bytes).unwrap_or_default();
            return (Cleaned::plain(text), self.cut);
        }
        if self.cut > 0
            && let Err(error) = std::str::from_utf8(&self.bytes)
            && error.error_len().is_none()
        {
            self.cut += self.bytes.len() - error.valid_up_to();
            self.bytes.truncate(error.valid_up_to());
        }
        (
            clean::clean(&String::from_utf8_lossy(&self.bytes)),
            self.cut,
        )
    }

    fn is_visible(&self) -> bool {
        // Only an escape sequence can take a letter away.
        if !self.bytes.contains(&0x1b) && self.bytes.iter().any(u8::is_ascii_graphic) {
            return true;
        }
        clean::clean(&String::from_utf8_lossy(&self.bytes))
            .text
            .chars()
            .any(|c| !c.is_whitespace())
    }
}

/// One stream.
#[derive(Debug)]
struct Assembly {
    stream: LogStream,
    program: Option<String>,
    /// A file was named, and no line of it has come yet.
    headed: bool,
    place: Place,
    /// The timestamp as it came, for recognising its repetitions.
    stamp: Vec<u8>,
    at: Option<Timestamp>,
    /// Bytes of text of this physical line so far.
    text_bytes: usize,
    piece: Piece,
    /// The last piece before a carriage return that showed something.
    last: Option<Piece>,
    /// An empty line that belongs to the header after it, if one comes.
    blank: Option<PreparedLine>,
    /// Indent of the traceback's head while inside of one.
    traceback: Option<usize>,
}

impl Assembly {
    fn new(stream: LogStream) -> Self {
        Self {
            stream,
            program: None,
            headed: false,
            place: Place::Stamp,
            stamp: Vec::new(),
            at: None,
            text_bytes: 0,
            piece: Piece::default(),
            last: None,
            blank: None,
            traceback: None,
        }
    }

    fn interrupt(&mut self) {
        *self = Self {
            program: self.program.take(),
            ..Self::new(self.stream)
        };
    }

    fn push(&mut self, mut bytes: &[u8], lines: &mut Vec<PreparedLine>) {
        while let Some(&first) = bytes.first() {
            match self.place {
                Place::Stamp if is_stamp_byte(first) && self.stamp.len() < MAX_STAMP_BYTES => {
                    let room = bytes.len().min(MAX_STAMP_BYTES - self.stamp.len());
                    let end = bytes[..room]
                        .iter()
                        .position(|byte| !is_stamp_byte(*byte))
                        .unwrap_or(room);
                    self.stamp.extend_from_slice(&bytes[..end]);
                    bytes = &bytes[end..];
                }
                Place::Stamp => {
                    if self.end_stamp() && first == b' ' {
                        bytes = &bytes[1..];
                    }
                }
                Place::Repeated(so_far) => {
                    let expected = self.stamp.get(so_far).copied().unwrap_or(b' ');
                    if first == expected {
                        bytes = &bytes[1..];
                        self.place = if so_far == self.stamp.len() {
                            Place::Text
                        } else {
                            Place::Repeated(so_far + 1)
                        };
                    } else {
                        self.place = Place::Text;
                        let text = self.stamp[..so_far].to_vec();
                        self.text(&text);
                    }
                }
                Place::Text if first == b'\n' => {
                    bytes = &bytes[1..];
                    self.end_line(lines);
                }
                Place::Text => {
                    let to_entry_end = ENTRY_BYTES - self.text_bytes % ENTRY_BYTES;
                    let window = &bytes[..bytes.len().min(to_entry_end)];
                    let end = memchr(b'\n', window).unwrap_or(window.len());
                    let (text, rest) = bytes.split_at(end);
                    bytes = rest;
                    self.text(text);
                    if self.text_bytes.is_multiple_of(ENTRY_BYTES) && self.at.is_some() {
                        self.place = Place::Repeated(0);
                    }
                }
            }
        }
    }

    /// Whether the head was a timestamp; otherwise it is text.
    fn end_stamp(&mut self) -> bool {
        self.place = Place::Text;
        self.at = (self.stamp.get(10) == Some(&b'T'))
            .then(|| std::str::from_utf8(&self.stamp).ok()?.parse().ok())
            .flatten();
        if self.at.is_none() {
            let text = std::mem::take(&mut self.stamp);
            self.text(&text);
        }
        self.at.is_some()
    }

    fn text(&mut self, mut text: &[u8]) {
        self.text_bytes = self.text_bytes.saturating_add(text.len());
        while let Some(end) = memchr(b'\r', text) {
            self.piece.extend(&text[..end]);
            text = &text[end + 1..];
            let piece = std::mem::take(&mut self.piece);
            if piece.is_visible() {
                self.last = Some(piece);
            }
        }
        self.piece.extend(text);
    }

    fn end_line(&mut self, lines: &mut Vec<PreparedLine>) {
        let piece = std::mem::take(&mut self.piece);
        let piece = match self.last.take() {
            Some(last) if !piece.is_visible() => last,
            _ => piece,
        };
        let at = self.at.take();
        self.stamp.clear();
        self.text_bytes = 0;
        self.place = Place::Stamp;

        let (Cleaned { text, mut spans }, mut cut) = piece.decode();
        if let Some(program) = header(&text) {
            self.program = Some(program);
            self.headed = true;
            self.blank = None;
            self.traceback = None;
            return;
        }
        lines.extend(self.blank.take());
        let mut scan = Scan::of(&text);
        let (mut text, masked) = mask::mask(text, scan.secrets());
        if masked {
            spans.clear();
            scan = Scan::of(&text);
        }
        if text.len() > MAX_LINE_BYTES {
            let end = text.floor_char_boundary(MAX_LINE_BYTES);
            cut = cut.saturating_add(text.len() - end);
            text.truncate(end);
            clean::cut(&mut spans, end);
        }
        let line = PreparedLine {
            at,
            stream: self.stream,
            program: self.program.clone(),
            headed: std::mem::take(&mut self.headed),
            level: self.level(&text, &scan),
            text,
            spans,
            cut_bytes: u32::try_from(cut).unwrap_or(u32::MAX),
        };
        if line.text.is_empty() {
            self.blank = Some(line);
        } else {
            lines.push(line);
        }
    }

    /// Frames and source text of a traceback hold words such as `error` that mean nothing.
    fn level(&mut self, text: &str, scan: &Scan) -> LogLevel {
        let whole = text;
        let text = level::behind_level(text).unwrap_or(text);
        let indent = text.len() - text.trim_start().len();
        if text
            .trim_start()
            .starts_with("Traceback (most recent call last)")
        {
            self.traceback = Some(indent);
        } else if let Some(head) = self.traceback {
            if indent > head {
                return LogLevel::Unknown;
            }
            if !text.is_empty() {
                self.traceback = None;
            }
        }
        level::guess_among(whole, scan.levels())
    }

    fn finish(&mut self, lines: &mut Vec<PreparedLine>) {
        match self.place {
            Place::Stamp => {
                if !self.stamp.is_empty() {
                    self.end_stamp();
                }
            }
            Place::Repeated(so_far) => {
                // A whole repetition is an entry of its own without text.
                if so_far < self.stamp.len() {
                    let text = self.stamp[..so_far].to_vec();
                    self.text(&text);
                }
            }
            Place::Text => {}
        }
        if !self.piece.bytes.is_empty() || self.last.is_some() {
            self.end_line(lines);
        }
        lines.extend(self.blank.take());
        self.interrupt();
    }
}

fn is_stamp_byte(byte: u8) -> bool {
    byte.is_ascii_digit() || matches!(byte, b'-' | b'T' | b':' | b'.' | b'Z' | b'+')
}

/// The name in `==> /var/log/supervisor/forge.log <==`, which `tail` writes between files.
fn header(text: &str) -> Option<String> {
    let path = text.trim().strip_prefix("==> ")?.strip_suffix(" <==")?;
    let file = path
        .starts_with('/')
        .then(|| path.rsplit('/').next())
        .flatten()?;
    let name = file.strip_suffix(".log").unwrap_or(file);
    let fits = !name.is_empty()
        && name.chars().count() <= MAX_PROGRAM_CHARS
        && name
            .chars()
            .all(|c| c.is_alphanumeric() || "._-".contains(c));
    fits.then(|| name.to_owned())
}

/// A text of one line with its secrets masked, as a line of a log would be.
pub fn masked(text: &str) -> String {
    let scan = Scan::of(text);
    mask::mask(text.to_owned(), scan.secrets()).0
}

#[cfg(test)]
mod tests;
