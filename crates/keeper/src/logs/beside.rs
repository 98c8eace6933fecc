//! Reading the program's own file inside the container while the stream of its log stands still
//! (`forge-container.md` §5: `tail -f` goes on following a file that was renamed).
//!
//! The file is read in short looks, each from where the last one ended, and never followed: a
//! command that follows would stay in the container when we are gone. Each look begins with the last
//! bytes already known; where they are missing, the file is another one.

use std::{future::Future, time::Duration};

use tokio::time::sleep;

use super::ServiceLog;
use crate::sys::clock;

/// How much of the end of a file is read at first.
const FIRST_BYTES: u64 = 256 * 1024;
/// Known bytes that each look begins with.
const ANCHOR_BYTES: usize = 64;
/// Looks that may fail one after the other.
const MOST_FAILURES: u32 = 5;

/// Answers questions about files inside a container.
pub trait FileDoor: Send + Sync {
    /// How large a file is; `None` when it cannot be read.
    fn size(&self, path: &str) -> impl Future<Output = Result<Option<u64>, String>> + Send;

    /// What is in it from a byte on, or the beginning of that; `None` when it cannot be read.
    fn read(
        &self,
        path: &str,
        from: u64,
    ) -> impl Future<Output = Result<Option<Vec<u8>>, String>> + Send;

    /// How long to wait between two looks after one that found something; after others it takes up
    /// to five times as long.
    fn every(&self) -> Duration;
}

/// Why a file is not read any more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BesideEnd {
    /// The stream speaks again.
    StreamSpeaks,
    /// It cannot be read.
    Failed(String),
}

/// Reads the first of the files that there is until the stream speaks again. Dropped before its
/// end, [`ServiceLog::leave_file`] has to be called.
pub async fn read_beside(log: &ServiceLog, door: &impl FileDoor, paths: &[&str]) -> BesideEnd {
    let spoken = log.spoken();
    let begun = match Tail::begin(door, paths).await {
        Ok(begun) => begun,
        Err(reason) => return fail(log, reason),
    };
    let (mut tail, bytes) = begun;
    if !log.begin_file(&tail.path, spoken, &bytes) {
        return BesideEnd::StreamSpeaks;
    }
    let (mut wait, mut failures) = (door.every(), 0);
    loop {
        let speaks = tokio::select! {
            () = log.speaks(spoken) => true,
            () = sleep(wait) => false,
        };
        match tail.more(door).await {
            Ok(look) => {
                failures = 0;
                let news = log.push_file(&look.bytes, look.another);
                wait = if news {
                    door.every()
                } else {
                    (wait * 3 / 2).min(door.every() * 5)
                };
            }
            Err(reason) => {
                failures += 1;
                wait = door.every() * 5;
                if failures >= MOST_FAILURES && !speaks {
                    log.leave_file();
                    return fail(log, reason);
                }
            }
        }
        if speaks {
            log.leave_file();
            return BesideEnd::StreamSpeaks;
        }
    }
}

fn fail(log: &ServiceLog, reason: String) -> BesideEnd {
    log.file_failed(&reason);
    BesideEnd::Failed(reason)
}

/// What a look found.
struct Look {
    bytes: Vec<u8>,
    /// They are all of another file, and some of them may be known.
    another: bool,
}

/// A place in a file.
struct Tail {
    path: String,
    /// Bytes before it.
    offset: u64,
    /// The last of them.
    anchor: Vec<u8>,
}

impl Tail {
    /// Finds the file, and reads its end.
    async fn begin(door: &impl FileDoor, paths: &[&str]) -> Result<(Self, Vec<u8>), String> {
        for path in paths {
            let Some(size) = door.size(path).await? else {
                continue;
            };
            let from = size.saturating_sub(FIRST_BYTES);
            let Some(mut bytes) = door.read(path, from).await? else {
                continue;
            };
            let mut tail = Self {
                path: (*path).to_owned(),
                offset: from,
                anchor: Vec::new(),
            };
            tail.advance(&bytes);
            if from > 0 {
                // The first line is cut off in front.
                let end = bytes.iter().position(|byte| *byte == b'\n');
                bytes.drain(..end.map_or(bytes.len(), |end| end + 1));
            }
            return Ok((tail, bytes));
        }
        let tried = paths.join("`, `");
        Err(format!("none of `{tried}` can be read in the container"))
    }

    /// What was written since the last look.
    async fn more(&mut self, door: &impl FileDoor) -> Result<Look, String> {
        let from = self.offset - self.anchor.len() as u64;
        let gone = || format!("`{}` cannot be read in the container any more", self.path);
        let found = door.read(&self.path, from).await?.ok_or_else(gone)?;
        if let Some(new) = found.strip_prefix(self.anchor.as_slice()) {
            let bytes = new.to_vec();
            self.advance(&bytes);
            return Ok(Look {
                bytes,
                another: false,
            });
        }
        // Another file is in its place. What was written to the old one last may have been kept.
        let old = door.read(&format!("{}.1", self.path), from).await?;
        let rest = old
            .as_deref()
            .and_then(|old| old.strip_prefix(self.anchor.as_slice()));
        let mut bytes = rest.unwrap_or_default().to_vec();
        if !bytes.is_empty() && !bytes.ends_with(b"\n") {
            bytes.push(b'\n');
        }
        let another = rest.is_none();
        let found = door.read(&self.path, 0).await?.ok_or_else(gone)?;
        (self.offset, self.anchor) = (0, Vec::new());
        self.advance(&found);
        bytes.extend(found);
        Ok(Look { bytes, another })
    }

    fn advance(&mut self, bytes: &[u8]) {
        self.offset += bytes.len() as u64;
        self.anchor
            .extend(&bytes[bytes.len().saturating_sub(ANCHOR_BYTES)..]);
        let too_long = self.anchor.len().saturating_sub(ANCHOR_BYTES);
        self.anchor.drain(..too_long);
    }
}

impl ServiceLog {
    /// How often the stream said something of the service's own program.
    fn spoken(&self) -> u64 {
        self.look(|held| held.spoken)
    }

    /// Ends when the stream has said something of it since.
    async fn speaks(&self, since: u64) {
        let mut version = self.shared.version.subscribe();
        // The sender lives in `self`.
        while self.spoken() == since && version.changed().await.is_ok() {}
    }

    /// Takes up a file by its newest bytes, unless the stream has spoken since they were asked for.
    fn begin_file(&self, path: &str, spoken: u64, bytes: &[u8]) -> bool {
        self.change(true, |held| {
            let silent = held.spoken == spoken && !held.closed;
            if silent {
                held.begin_beside(path, bytes, clock::now());
            }
            silent
        })
    }

    fn push_file(&self, bytes: &[u8], another: bool) -> bool {
        self.change(false, |held| held.push_beside(bytes, another, clock::now()))
    }

    /// The file beside the stream is not read any more.
    pub fn leave_file(&self) {
        self.change(true, |held| held.leave_beside(clock::now()));
    }

    /// The stream stands still, and the file beside it cannot be read.
    fn file_failed(&self, reason: &str) {
        self.change(true, |held| {
            let news = held.file_error.as_deref() != Some(reason);
            held.file_error = Some(reason.to_owned());
            news
        });
    }

    /// The stream does not stand still: that no file could be read is of the past.
    pub fn forget_file_error(&self) {
        self.change(true, |held| held.file_error.take().is_some());
    }
}

#[cfg(test)]
mod tests;
