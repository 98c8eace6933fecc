//! How lines are kept: their texts one after the other, so that a search reads plain text, and
//! everything else in columns behind; both compressed together.

use std::io;

use forgekeeper_domain::{
    Timestamp,
    logs::{LogLevel, LogLine, LogStream, Marker, TracePart, prepare::Span},
};
use serde::{Deserialize, Serialize};

/// A block is written for good from this much text on, in bytes.
pub(super) const FULL_BYTES: usize = 256 * 1024;
/// Or from so many lines on: empty lines cost, too.
pub(super) const FULL_LINES: usize = 16 * 1024;
/// What a line costs beside its text, in bytes; an estimate for the bounds of memory.
const LINE_OVERHEAD: usize = 24;
/// A block that claims to be larger than this is damaged.
const LARGEST_BYTES: usize = 64 << 20;
/// Compression that keeps up with a flood.
const LEVEL: i32 = 1;

/// Why a block cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum BlockError {
    /// It does not unpack.
    #[error("a block does not unpack: {0}")]
    Packing(#[from] io::Error),
    /// Its columns do not fit together.
    #[error("a block is damaged: {0}")]
    Damaged(String),
}

/// Lines that are kept together.
#[derive(Debug, Default, Clone)]
pub(super) struct Block {
    texts: String,
    columns: Columns,
}

/// One entry for each line, except where said otherwise.
#[derive(Debug, Default, Clone, Serialize, Deserialize)]
struct Columns {
    /// Nanoseconds since 1970 of the first line with a time, then since the one before.
    at: Vec<Option<i64>>,
    stream: Vec<u8>,
    level: Vec<u8>,
    trace: Vec<u8>,
    /// Places in `words`, from 1; 0 is none.
    program: Vec<u32>,
    signature: Vec<u32>,
    /// Bytes that did not fit.
    cut: Vec<u32>,
    /// Lines that are markers, by their place.
    markers: Vec<(u32, Marker)>,
    /// Lines with colours, by their place.
    spans: Vec<(u32, Vec<Span>)>,
    /// Names of programs and signatures, each once.
    words: Vec<String>,
    /// The time before the next one.
    #[serde(skip)]
    last_at: i64,
}

impl Block {
    pub(super) fn len(&self) -> usize {
        self.columns.at.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.columns.at.is_empty()
    }

    /// About what it holds in memory.
    pub(super) fn bytes(&self) -> usize {
        self.texts.len() + self.len() * LINE_OVERHEAD
    }

    pub(super) fn is_full(&self) -> bool {
        self.texts.len() >= FULL_BYTES || self.len() >= FULL_LINES
    }

    pub(super) fn push(&mut self, line: &LogLine) {
        if !self.is_empty() {
            self.texts.push('\n');
        }
        // A prepared text has no line end; one that came from elsewhere must not become two.
        if line.text.contains('\n') {
            self.texts.push_str(&line.text.replace('\n', " "));
        } else {
            self.texts.push_str(&line.text);
        }
        let columns = &mut self.columns;
        let place = u32::try_from(columns.at.len()).unwrap_or(u32::MAX);
        if let Some(marker) = &line.marker {
            columns.markers.push((place, marker.clone()));
        }
        if !line.spans.is_empty() {
            columns.spans.push((place, line.spans.clone()));
        }
        let at = line
            .at
            .and_then(|at| i64::try_from(at.as_nanosecond()).ok())
            .map(|at| {
                let since = at.wrapping_sub(columns.last_at);
                columns.last_at = at;
                since
            });
        columns.at.push(at);
        columns.stream.push(line.stream as u8);
        columns.level.push(line.level as u8);
        columns
            .trace
            .push(line.trace.map_or(0, |part| part as u8 + 1));
        columns.cut.push(line.cut_bytes);
        let program = columns.word(line.program.as_deref());
        columns.program.push(program);
        let signature = columns.word(line.signature.as_deref());
        columns.signature.push(signature);
    }

    /// Adds the lines of another block behind its own.
    pub(super) fn append(&mut self, other: &Block) {
        if other.is_empty() {
            return;
        }
        if self.is_empty() {
            self.clone_from(other);
            return;
        }
        self.texts.push('\n');
        self.texts.push_str(&other.texts);
        let (columns, more) = (&mut self.columns, &other.columns);
        let behind = u32::try_from(columns.at.len()).unwrap_or(u32::MAX);
        // The other's first time counts from 1970; here it follows the last one.
        let mut first = true;
        columns.at.extend(more.at.iter().map(|since| {
            let since = (*since)?;
            let from = if std::mem::take(&mut first) {
                columns.last_at
            } else {
                0
            };
            Some(since.wrapping_sub(from))
        }));
        if !first {
            columns.last_at = more.last_at;
        }
        columns.stream.extend_from_slice(&more.stream);
        columns.level.extend_from_slice(&more.level);
        columns.trace.extend_from_slice(&more.trace);
        columns.cut.extend_from_slice(&more.cut);
        let markers = more.markers.iter().cloned();
        columns
            .markers
            .extend(markers.map(|(place, marker)| (place.saturating_add(behind), marker)));
        let spans = more.spans.iter().cloned();
        columns
            .spans
            .extend(spans.map(|(place, spans)| (place.saturating_add(behind), spans)));
        let words: Vec<u32> = more
            .words
            .iter()
            .map(|word| columns.word(Some(word)))
            .collect();
        let here = |place: &u32| {
            let place = (*place as usize).checked_sub(1);
            place
                .and_then(|place| words.get(place))
                .copied()
                .unwrap_or(0)
        };
        columns.program.extend(more.program.iter().map(here));
        columns.signature.extend(more.signature.iter().map(here));
    }

    /// Earliest and latest time among the lines, in nanoseconds since 1970.
    pub(super) fn span(&self) -> Option<(i64, i64)> {
        let mut at = 0i64;
        let times = self.columns.at.iter().flatten().map(|since| {
            at = at.wrapping_add(*since);
            at
        });
        times.fold(None, |span, at| {
            let (first, last) = span.unwrap_or((at, at));
            Some((at.min(first), at.max(last)))
        })
    }

    pub(super) fn pack(&self) -> Result<Vec<u8>, BlockError> {
        let length = u32::try_from(self.texts.len())
            .map_err(|_| BlockError::Damaged("it is too large".to_owned()))?;
        let mut raw = Vec::with_capacity(self.bytes());
        raw.extend_from_slice(&length.to_le_bytes());
        raw.extend_from_slice(self.texts.as_bytes());
        let raw = postcard::to_extend(&self.columns, raw)
            .map_err(|error| BlockError::Damaged(error.to_string()))?;
        let mut packer = zstd::bulk::Compressor::new(LEVEL)?;
        // The database does not notice a flipped bit; this does.
        packer.include_checksum(true)?;
        Ok(packer.compress(&raw)?)
    }

    pub(super) fn unpack(packed: &[u8]) -> Result<Unpacked, BlockError> {
        let claimed = zstd::zstd_safe::get_frame_content_size(packed)
            .ok()
            .flatten()
            .and_then(|bytes| usize::try_from(bytes).ok())
            .filter(|bytes| *bytes <= LARGEST_BYTES)
            .ok_or_else(|| BlockError::Damaged("it does not tell its size".to_owned()))?;
        let raw = zstd::bulk::decompress(packed, claimed)?;
        let (length, _) = raw
            .split_first_chunk::<4>()
            .ok_or_else(|| BlockError::Damaged("it is too short".to_owned()))?;
        let end = (u32::from_le_bytes(*length) as usize).saturating_add(4);
        if raw
            .get(4..end)
            .is_none_or(|texts| std::str::from_utf8(texts).is_err())
        {
            return Err(BlockError::Damaged("its text is cut off".to_owned()));
        }
        Ok(Unpacked { raw, end })
    }
}

impl Columns {
    fn word(&mut self, word: Option<&str>) -> u32 {
        let Some(word) = word else {
            return 0;
        };
        // A block knows a handful of words; the newest is the likeliest.
        let known = self.words.iter().rposition(|known| known == word);
        let place = known.unwrap_or_else(|| {
            self.words.push(word.to_owned());
            self.words.len() - 1
        });
        u32::try_from(place + 1).unwrap_or(0)
    }
}

/// A block as read: its text can be searched before its columns are looked at.
#[derive(Debug)]
pub(super) struct Unpacked {
    raw: Vec<u8>,
    /// Where the texts end and the columns begin.
    end: usize,
}

impl Unpacked {
    /// All texts, a line end between two.
    pub(super) fn texts(&self) -> &str {
        // Checked when it was unpacked.
        std::str::from_utf8(&self.raw[4..self.end]).unwrap_or_default()
    }

    /// All lines, numbered from `first` on.
    pub(super) fn lines(&self, first: u32) -> Result<Vec<LogLine>, BlockError> {
        let columns: Columns = postcard::from_bytes(&self.raw[self.end..])
            .map_err(|error| BlockError::Damaged(error.to_string()))?;
        let count = columns.at.len();
        let damaged = |what: &str| BlockError::Damaged(what.to_owned());
        let fit = [
            columns.stream.len(),
            columns.level.len(),
            columns.trace.len(),
            columns.program.len(),
            columns.signature.len(),
            columns.cut.len(),
        ];
        if fit.iter().any(|length| *length != count) {
            return Err(damaged("its columns differ in length"));
        }
        let mut texts = self.texts().split('\n');
        let mut markers = columns.markers.into_iter().peekable();
        let mut spans = columns.spans.into_iter().peekable();
        let mut lines = Vec::with_capacity(count);
        let mut last_at = 0i64;
        for place in 0..count {
            let number = u32::try_from(place).unwrap_or(u32::MAX);
            let text = texts.next().ok_or_else(|| damaged("texts are missing"))?;
            let at = columns.at[place].and_then(|since| {
                last_at = last_at.wrapping_add(since);
                Timestamp::from_nanosecond(last_at.into()).ok()
            });
            let word = |place: u32| {
                let place = (place as usize).checked_sub(1)?;
                columns.words.get(place).cloned()
            };
            lines.push(LogLine {
                seq: first.wrapping_add(number),
                at,
                stream: stream(columns.stream[place]),
                program: word(columns.program[place]),
                level: level(columns.level[place]),
                text: text.to_owned(),
                spans: spans
                    .next_if(|(place, _)| *place == number)
                    .map(|(_, spans)| spans)
                    .unwrap_or_default(),
                cut_bytes: columns.cut[place],
                signature: word(columns.signature[place]),
                trace: trace(columns.trace[place]),
                marker: markers
                    .next_if(|(place, _)| *place == number)
                    .map(|(_, marker)| marker),
            });
        }
        Ok(lines)
    }
}

fn stream(kept: u8) -> LogStream {
    [LogStream::Stdout, LogStream::Stderr, LogStream::File]
        .into_iter()
        .find(|stream| *stream as u8 == kept)
        .unwrap_or(LogStream::Console)
}

fn level(kept: u8) -> LogLevel {
    use LogLevel::{Debug, Error, Fatal, Info, Warning};
    [Debug, Info, Warning, Error, Fatal]
        .into_iter()
        .find(|level| *level as u8 == kept)
        .unwrap_or(LogLevel::Unknown)
}

fn trace(kept: u8) -> Option<TracePart> {
    use TracePart::{Body, Cause, Head, LaterCause};
    [Head, Body, Cause, LaterCause]
        .into_iter()
        .find(|part| *part as u8 + 1 == kept)
}

#[cfg(test)]
mod tests {
    use forgekeeper_domain::logs::prepare::Colour;

    use super::*;

    fn line(seq: u32, text: &str) -> LogLine {
        LogLine {
            seq,
            at: Timestamp::from_nanosecond(1_760_000_000_123_456_789 + i128::from(seq)).ok(),
            stream: LogStream::Stderr,
            program: Some("forge".to_owned()),
            level: LogLevel::Warning,
            text: text.to_owned(),
            spans: Vec::new(),
            cut_bytes: 0,
            signature: None,
            trace: None,
            marker: None,
        }
    }

    #[test]
    fn what_is_packed_comes_back() {
        let lines = [
            line(7, "first"),
            LogLine {
                at: None,
                program: None,
                cut_bytes: 12,
                signature: Some("cuda.illegal".to_owned()),
                ..line(8, "")
            },
            LogLine {
                level: LogLevel::Fatal,
                stream: LogStream::Console,
                trace: Some(TracePart::LaterCause),
                spans: vec![Span {
                    start: 0,
                    end: 4,
                    colour: Some(Colour::Red),
                    bold: true,
                }],
                ..line(9, "last é █")
            },
            LogLine {
                text: String::new(),
                marker: Some(Marker::Lost { lines: 3 }),
                // A clock that was set back.
                at: Timestamp::from_second(5).ok(),
                ..line(10, "")
            },
        ];
        let mut block = Block::default();
        for line in &lines {
            block.push(line);
        }
        let unpacked = Block::unpack(&block.pack().unwrap()).unwrap();
        assert_eq!(unpacked.texts(), "first\n\nlast é █\n");
        assert_eq!(unpacked.lines(7).unwrap(), lines);
        let span = block.span().unwrap();
        assert_eq!(span, (5_000_000_000, 1_760_000_000_123_456_798));
    }

    #[test]
    fn joined_blocks_hold_the_lines_of_both() {
        let mark = |seq| LogLine {
            marker: Some(Marker::Lost { lines: seq }),
            ..line(seq, "")
        };
        let other = |seq| LogLine {
            program: Some("caddy".to_owned()),
            signature: Some(format!("id.{seq}")),
            ..line(seq, "other")
        };
        let timeless = LogLine {
            at: None,
            ..line(2, "no time")
        };
        let parts = [
            vec![line(0, "a"), mark(1)],
            vec![timeless, other(3), mark(4), line(5, "b")],
            vec![],
            vec![other(6), line(7, "")],
        ];
        let mut joined = Block::default();
        for part in &parts {
            let mut block = Block::default();
            for line in part {
                block.push(line);
            }
            joined.append(&block);
        }
        joined.push(&line(8, "last"));
        let mut expected = parts.concat();
        expected.push(line(8, "last"));
        let read = Block::unpack(&joined.pack().unwrap()).unwrap().lines(0);
        assert_eq!(read.unwrap(), expected);
    }

    #[test]
    fn a_line_end_inside_a_text_does_not_make_two_lines() {
        let mut block = Block::default();
        block.push(&line(0, "a\nb"));
        block.push(&line(1, "c"));
        let lines = Block::unpack(&block.pack().unwrap()).unwrap().lines(0);
        let texts: Vec<String> = lines.unwrap().into_iter().map(|l| l.text).collect();
        assert_eq!(texts, ["a b", "c"]);
    }

    #[test]
    fn damage_is_told_and_never_a_panic() {
        let mut block = Block::default();
        for seq in 0..50 {
            block.push(&line(seq, "text of a line"));
        }
        let packed = block.pack().unwrap();
        for cut in [0, 1, 5, packed.len() / 2, packed.len() - 1] {
            assert!(Block::unpack(&packed[..cut]).is_err(), "cut at {cut}");
        }
        for at in 0..packed.len() {
            let mut flipped = packed.clone();
            flipped[at] ^= 0x55;
            let read = Block::unpack(&flipped).and_then(|unpacked| unpacked.lines(0));
            // Bits of the frame's head that mean nothing may flip; no line may.
            if let Ok(lines) = read {
                let texts = lines.iter().all(|line| line.text == "text of a line");
                assert!(texts && lines.len() == 50, "flipped at {at}");
            }
        }
        let bomb = zstd::bulk::compress(&vec![0; LARGEST_BYTES + 1], 1).unwrap();
        assert!(Block::unpack(&bomb).is_err());
    }
}
