//! What is in a backup: a line of JSON for each thing, readable without us. While a run is under way its
//! journal says what it has put where; a manifest is written when a run ends.

use std::{
    collections::BTreeMap,
    fs::{File, OpenOptions},
    io::{self, BufRead as _, BufReader, Read as _, Write as _},
    path::{Path, PathBuf},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::names::Name;
use crate::sys::files::Draft;

/// Things in one backup: each takes some two hundred bytes of memory.
pub(crate) const MAX_ENTRIES: usize = 2_000_000;
/// Longest line: a path of Linux as base64, and some.
const MAX_LINE: u64 = 64 * 1024;
const FORMAT: u32 = 1;

/// Seconds and nanoseconds since 1970.
pub(crate) type Stamp = (i64, u32);

/// One thing in a backup.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Entry {
    /// A file as it was at the source.
    File {
        size: u64,
        modified: Stamp,
        hash: [u8; 32],
    },
    /// A folder.
    Folder,
    /// A symbolic link: noted, not made.
    Link {
        /// Where it leads.
        to: String,
    },
}

/// An entry, and whether this run has met it at the source.
#[derive(Debug, Clone)]
pub(crate) struct Held {
    pub(crate) entry: Entry,
    pub(crate) seen: bool,
}

/// The entries of a backup by name.
pub(crate) type Entries = BTreeMap<Name, Held>;

/// The first line of a manifest.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Header {
    pub(crate) format: u32,
    pub(crate) source: String,
    pub(crate) finished: String,
    /// Things that are not as they should be.
    pub(crate) incomplete: u32,
}

impl Header {
    pub(crate) fn new(source: String, finished: String, incomplete: u32) -> Self {
        Self {
            format: FORMAT,
            source,
            finished,
            incomplete,
        }
    }
}

/// A line, as short as can be.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Line {
    /// Path, as text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    path: Option<String>,
    /// Path, as base64 of bytes that are no text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    path_base64: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    size: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    modified: Option<Stamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sha256: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    link: Option<String>,
    /// Of a journal: it was removed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    gone: bool,
}

/// The last line of a manifest.
#[derive(Debug, Serialize, Deserialize)]
struct Trailer {
    entries: u64,
    sha256_of_lines: String,
}

/// Why a manifest was not read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ManifestError {
    /// The file system refused.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// It is not as it was written.
    #[error("{} is damaged: {why}", .path.display())]
    Damaged { path: PathBuf, why: String },
    /// There is too much in it.
    #[error("there are more than {MAX_ENTRIES} files")]
    TooMany,
}

/// Reads a manifest; `None` when there is none.
pub(crate) fn read(path: &Path, into: &mut Entries) -> Result<Option<Header>, ManifestError> {
    let damaged = |why: &str| ManifestError::Damaged {
        path: path.to_owned(),
        why: why.to_owned(),
    };
    let Some(mut lines) = Lines::open(path)? else {
        return Ok(None);
    };
    let mut hash = Sha256::new();
    let first = lines.next_line()?.ok_or_else(|| damaged("it is empty"))?;
    hash.update(first);
    let header: Header = serde_json::from_slice(first).map_err(|e| damaged(&e.to_string()))?;
    if header.format != FORMAT {
        return Err(damaged("it is of another version of Forgekeeper"));
    }
    let mut count = 0_u64;
    loop {
        let line = lines
            .next_line()?
            .ok_or_else(|| damaged("its end is missing"))?;
        if let Ok(trailer) = serde_json::from_slice::<Trailer>(line) {
            let whole =
                trailer.entries == count && trailer.sha256_of_lines == hex::encode(hash.finalize());
            return if whole {
                Ok(Some(header))
            } else {
                Err(damaged("its lines are not those that were written"))
            };
        }
        hash.update(line);
        count += 1;
        let (name, entry) = parse(line).ok_or_else(|| damaged("a line of it is none"))?;
        put(into, name, entry)?;
    }
}

/// The first line of a manifest; the rest is not looked at.
pub(crate) fn header(path: &Path) -> Result<Option<Header>, ManifestError> {
    let Some(mut lines) = Lines::open(path)? else {
        return Ok(None);
    };
    let first = lines.next_line()?.unwrap_or_default();
    match serde_json::from_slice(first) {
        Ok(header) => Ok(Some(header)),
        Err(error) => Err(ManifestError::Damaged {
            path: path.to_owned(),
            why: error.to_string(),
        }),
    }
}

/// The last thing that a journal tells of, and what was known of it before: it may not have come to it.
#[derive(Debug, Default)]
pub(crate) struct Replayed {
    pub(crate) last: Option<(Name, Option<Held>)>,
}

/// Applies a journal to what a manifest said; `None` when there is none. What was cut off at its end never
/// took place.
pub(crate) fn replay(path: &Path, into: &mut Entries) -> Result<Option<Replayed>, ManifestError> {
    let Some(mut lines) = Lines::open(path)? else {
        return Ok(None);
    };
    let mut replayed = Replayed::default();
    while let Some(line) = lines.next_line()? {
        // A line that is none was being written when the power went: what follows it, too.
        let Some((name, entry)) = parse(line) else {
            break;
        };
        replayed.last = Some((name.clone(), into.get(&name).cloned()));
        put(into, name, entry)?;
    }
    Ok(Some(replayed))
}

fn put(into: &mut Entries, name: Name, entry: Option<Entry>) -> Result<(), ManifestError> {
    match entry {
        Some(entry) => {
            into.insert(name, Held { entry, seen: false });
        }
        None => {
            into.remove(&name);
        }
    }
    if into.len() > MAX_ENTRIES {
        return Err(ManifestError::TooMany);
    }
    Ok(())
}

/// Writes a manifest whole or not at all.
pub(crate) fn write(path: &Path, header: &Header, entries: &Entries) -> io::Result<()> {
    let mut draft = Draft::begin(path)?;
    let mut hash = Sha256::new();
    let mut line = serde_json::to_vec(header)?;
    line.push(b'\n');
    hash.update(&line);
    draft.write_all(&line)?;
    for (name, held) in entries {
        let line = written(name, Some(&held.entry))?;
        hash.update(&line);
        draft.write_all(&line)?;
    }
    let mut end = serde_json::to_vec(&Trailer {
        entries: entries.len() as u64,
        sha256_of_lines: hex::encode(hash.finalize()),
    })?;
    end.push(b'\n');
    draft.write_all(&end)?;
    draft.finish()
}

/// What a run has put where, line by line: first here, then there.
#[derive(Debug)]
pub(crate) struct Journal {
    file: File,
}

impl Journal {
    /// Goes on with a journal, or begins one.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        let mut file = OpenOptions::new()
            .create(true)
            .read(true)
            .append(true)
            .open(path)?;
        // What was cut off must not swallow the next line.
        let whole = whole_length(&mut file)?;
        file.set_len(whole)?;
        Ok(Self { file })
    }

    /// Notes what will be there, or what is no more.
    pub(crate) fn note(&mut self, name: &Name, entry: Option<&Entry>) -> io::Result<()> {
        // One call: a program that is killed leaves a line or none.
        self.file.write_all(&written(name, entry)?)
    }
}

/// Bytes up to the last line end.
fn whole_length(file: &mut File) -> io::Result<u64> {
    let mut reader = BufReader::new(file);
    let (mut whole, mut at) = (0, 0_u64);
    loop {
        let buffer = reader.fill_buf()?;
        if buffer.is_empty() {
            return Ok(whole);
        }
        if let Some(end) = memchr::memrchr(b'\n', buffer) {
            whole = at + end as u64 + 1;
        }
        let length = buffer.len();
        at += length as u64;
        reader.consume(length);
    }
}

fn written(name: &Name, entry: Option<&Entry>) -> io::Result<Vec<u8>> {
    let mut line = Line::default();
    match name.written() {
        Ok(text) => line.path = Some(text.to_owned()),
        Err(base64) => line.path_base64 = Some(base64),
    }
    match entry {
        None => line.gone = true,
        Some(Entry::Folder) => {}
        Some(Entry::Link { to }) => line.link = Some(to.clone()),
        Some(Entry::File {
            size,
            modified,
            hash,
        }) => {
            line.size = Some(*size);
            line.modified = Some(*modified);
            line.sha256 = Some(hex::encode(hash));
        }
    }
    let mut bytes = serde_json::to_vec(&line)?;
    bytes.push(b'\n');
    Ok(bytes)
}

fn parse(line: &[u8]) -> Option<(Name, Option<Entry>)> {
    let line: Line = serde_json::from_slice(line).ok()?;
    let name = match (line.path, line.path_base64) {
        (Some(text), None) => Name::from_bytes(text.into_bytes())?,
        (None, Some(base64)) => Name::from_base64(&base64)?,
        _ => return None,
    };
    let entry = match (line.gone, line.size, line.modified, line.sha256, line.link) {
        (true, None, None, None, None) => None,
        (false, None, None, None, None) => Some(Entry::Folder),
        (false, None, None, None, Some(to)) => Some(Entry::Link { to }),
        (false, Some(size), Some(modified), Some(hash), None) => Some(Entry::File {
            size,
            modified,
            hash: unhex(&hash)?,
        }),
        _ => return None,
    };
    Some((name, entry))
}

/// Lines of a file, each within a limit and with its end.
struct Lines {
    reader: BufReader<File>,
    line: Vec<u8>,
}

impl Lines {
    fn open(path: &Path) -> io::Result<Option<Self>> {
        match File::open(path) {
            Ok(file) => Ok(Some(Self {
                reader: BufReader::with_capacity(256 * 1024, file),
                line: Vec::new(),
            })),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The next whole line; one that is cut off is none.
    fn next_line(&mut self) -> io::Result<Option<&[u8]>> {
        self.line.clear();
        let mut limited = self.reader.by_ref().take(MAX_LINE);
        limited.read_until(b'\n', &mut self.line)?;
        Ok((self.line.last() == Some(&b'\n')).then_some(&self.line))
    }
}

/// The time of a file; before 1970 as well.
pub(crate) fn stamp(time: SystemTime) -> Stamp {
    match time.duration_since(UNIX_EPOCH) {
        Ok(since) => (seconds(since), since.subsec_nanos()),
        Err(before) => {
            let before = before.duration();
            match before.subsec_nanos() {
                0 => (-seconds(before), 0),
                nanos => (-seconds(before) - 1, 1_000_000_000 - nanos),
            }
        }
    }
}

fn seconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_secs()).unwrap_or(i64::MAX)
}

fn unhex(text: &str) -> Option<[u8; 32]> {
    let mut hash = [0; 32];
    hex::decode_to_slice(text, &mut hash).ok()?;
    Some(hash)
}
