//! The stored timeline of one service: every line that came, compressed, bounded by age and size, of
//! which a crash loses the last second at most.

use std::{
    path::{Path, PathBuf},
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use forgekeeper_domain::{
    Timestamp,
    ids::ServiceId,
    logs::{LogLine, Marker, StoredLog},
};
use tokio::sync::{Notify, oneshot};

mod block;
mod file;
mod forward;
mod groups;
mod rounds;
mod save;
mod search;
mod writer;

pub use block::BlockError;
pub use groups::Counting;
pub use save::{Outcome, SaveError, SaveProgress, Saving};
pub use search::Search;

use block::Block;

/// Lines that wait to be written, in bytes: from here on whoever brings more waits.
const CROWDED_BYTES: usize = 4 << 20;
/// The most that waits while nothing can be written; then the oldest are given up, and counted.
const MOST_BYTES: usize = 16 << 20;

/// Why a timeline cannot be kept or read.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// Its folder or file cannot be used.
    #[error("the stored log's folder cannot be used: {0}")]
    Folder(String),
    /// A newer Forgekeeper has changed its form.
    #[error("the stored log cannot be read by this version: {0}")]
    Newer(String),
    /// The database failed: a full disk, for one.
    #[error("the stored log failed: {0}")]
    Sql(#[from] rusqlite::Error),
    /// A block is damaged.
    #[error("the stored log is damaged: {0}")]
    Block(#[from] BlockError),
    /// The thread that writes cannot be started, or has ended.
    #[error("the stored log is closed: {0}")]
    Closed(String),
}

/// How much of a timeline is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Keeping {
    /// Lines older than so many days give way.
    pub days: u32,
    /// So do the oldest when more bytes are kept than these.
    pub bytes: u64,
}

impl Default for Keeping {
    fn default() -> Self {
        Self {
            days: 14,
            bytes: 1 << 30,
        }
    }
}

/// The stored timeline of a service. Clones are the same.
#[derive(Debug, Clone)]
pub struct Archive {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    path: PathBuf,
    pending: Mutex<Pending>,
    /// Wakes the writer.
    wake: Condvar,
    /// Wakes those who wait for what waits to be written.
    written: Condvar,
    /// Wakes those who wait for room.
    room: Notify,
    kept: Mutex<StoredLog>,
    failing: AtomicBool,
    ended: Notify,
}

/// Lines that are not written yet.
#[derive(Debug, Default)]
struct Pending {
    block: Block,
    /// Number of the first of them; with none, of the next line.
    first: i64,
    /// Number of the first line that is being written, while one is.
    in_hand: Option<i64>,
    /// Somebody waits: what there is is written at once.
    hurry: bool,
    /// Where they come from.
    container: Option<String>,
    closed: bool,
    ended: bool,
    /// Given back when all is written.
    lock: Option<file::Lock>,
}

impl Archive {
    /// Opens a service's timeline in a folder; `None` when another process writes it. Its newest
    /// lines are read by [`Archive::newest`].
    pub async fn open(
        folder: &Path,
        service: &ServiceId,
        keeping: Keeping,
    ) -> Result<Option<Self>, ArchiveError> {
        crate::sys::files::ensure_dir(folder)
            .map_err(|error| ArchiveError::Folder(format!("`{}`: {error}", folder.display())))?;
        let path = file::path(folder, service);
        let Some(lock) = file::lock(&path)? else {
            return Ok(None);
        };
        let shared = Arc::new(Shared {
            path: path.clone(),
            pending: Mutex::new(Pending {
                lock: Some(lock),
                ..Pending::default()
            }),
            wake: Condvar::new(),
            written: Condvar::new(),
            room: Notify::new(),
            kept: Mutex::default(),
            failing: AtomicBool::new(false),
            ended: Notify::new(),
        });
        let (told, opened) = oneshot::channel();
        let of_thread = Arc::clone(&shared);
        std::thread::Builder::new()
            .name("stored log".to_owned())
            .spawn(move || {
                // Nobody listens: nobody wants the timeline any more.
                let ready: writer::Ready = Box::new(move |outcome| drop(told.send(outcome)));
                writer::run(&of_thread, &path, keeping, Some(ready));
                of_thread.end();
            })
            .map_err(|error| ArchiveError::Closed(error.to_string()))?;
        opened
            .await
            .map_err(|_| ArchiveError::Closed("its thread has ended".to_owned()))??;
        Ok(Some(Self { shared }))
    }

    /// The number that the next line will have.
    pub fn next_number(&self) -> u32 {
        let pending = self.shared.lock();
        number(pending.first + i64::try_from(pending.block.len()).unwrap_or(0))
    }

    /// Takes a line; it is on the disk within a second. Never waits: see [`Archive::room`].
    pub fn add(&self, line: &LogLine) {
        let mut pending = self.shared.lock();
        if pending.closed {
            return;
        }
        if pending.block.bytes() >= MOST_BYTES {
            self.give_up(&mut pending, line.at);
        }
        let first = pending.block.is_empty();
        pending.block.push(line);
        if first || pending.block.bytes() >= block::FULL_BYTES {
            drop(pending);
            self.shared.wake.notify_one();
        }
    }

    /// The next line has this number at least.
    pub fn count_from(&self, seq: u32) {
        let mut pending = self.shared.lock();
        if pending.block.is_empty() {
            pending.first = pending.first.max(i64::from(seq));
        }
    }

    /// From now on the lines come from this container.
    pub fn comes_from(&self, container: &str) {
        self.shared.lock().container = Some(container.to_owned());
    }

    /// Nothing can be written for long: what waits is given up, and said in its place.
    fn give_up(&self, pending: &mut Pending, at: Option<Timestamp>) {
        let lines = u32::try_from(pending.block.len()).unwrap_or(u32::MAX);
        let mut kept = self.shared.kept();
        kept.lost = kept.lost.saturating_add(lines);
        let at = at.or(kept.oldest).unwrap_or(Timestamp::UNIX_EPOCH);
        // The mark takes the number of the last of them.
        pending.first += i64::from(lines) - 1;
        pending.block = Block::default();
        pending
            .block
            .push(&Marker::Lost { lines }.between_lines(at));
    }

    /// Has everything written that came until now, and waits for that on this thread, but not
    /// longer than `patience`, and not for a disk that takes nothing. Whether all is written.
    pub fn flush(&self, patience: Duration) -> bool {
        let begun = Instant::now();
        let mut pending = self.shared.lock();
        let target = pending.first + i64::try_from(pending.block.len()).unwrap_or(0);
        loop {
            let in_hand = pending.in_hand.is_some_and(|first| first < target);
            if pending.first >= target && !in_hand {
                return true;
            }
            let left = patience.saturating_sub(begun.elapsed());
            if left.is_zero() || pending.ended || self.shared.failing.load(Ordering::Relaxed) {
                return false;
            }
            pending.hurry = true;
            self.shared.wake.notify_one();
            (pending, _) = self
                .shared
                .written
                .wait_timeout(pending, left)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Waits while too much waits to be written. A disk that is full does not hold up what is live.
    pub async fn room(&self) {
        loop {
            let woken = self.shared.room.notified();
            let crowded = self.shared.lock().block.bytes() >= CROWDED_BYTES;
            if !crowded || self.shared.failing.load(Ordering::Relaxed) {
                return;
            }
            woken.await;
        }
    }

    /// What is on the disk at this moment.
    pub fn kept(&self) -> StoredLog {
        self.shared.kept().clone()
    }

    /// Writes what waits and closes the file. Every clone is closed with it.
    pub async fn close(&self) {
        self.shared.lock().closed = true;
        self.shared.wake.notify_all();
        loop {
            let ended = self.shared.ended.notified();
            if self.shared.lock().ended {
                return;
            }
            ended.await;
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Pending> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn kept(&self) -> MutexGuard<'_, StoredLog> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn number_from(&self, next: i64) {
        let mut pending = self.lock();
        // After a failure the lines that wait have their numbers already.
        if pending.block.is_empty() {
            pending.first = pending.first.max(next);
        }
    }

    fn set_error(&self, error: Option<String>) {
        if let Some(error) = &error {
            tracing::warn!(error, path = %self.path.display(), "the stored log cannot be written");
        }
        self.failing.store(error.is_some(), Ordering::Relaxed);
        self.kept().error = error;
        self.room.notify_waiters();
        self.written.notify_all();
    }

    fn written(&self, bytes: i64, oldest: Option<i64>) {
        let mut kept = self.kept();
        kept.bytes = u64::try_from(bytes).unwrap_or(0);
        kept.oldest = oldest.and_then(|ns| Timestamp::from_nanosecond(ns.into()).ok());
        drop(kept);
        self.lock().in_hand = None;
        self.written.notify_all();
    }

    fn end(&self) {
        let mut pending = self.lock();
        pending.ended = true;
        pending.closed = true;
        pending.lock = None;
        let lost = pending.block.len();
        drop(pending);
        if lost > 0 {
            tracing::warn!(lost, path = %self.path.display(), "lines of the log were not stored");
        }
        self.ended.notify_waiters();
        self.room.notify_waiters();
        self.written.notify_all();
    }
}

/// The end of a service's timeline.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Newest {
    /// Its newest lines, oldest first.
    pub lines: Vec<LogLine>,
    /// The container that the last of them came from, by its full id.
    pub container: Option<String>,
}

/// Reads the end of a service's timeline, whoever writes it.
pub fn newest(folder: &Path, service: &ServiceId, lines: usize) -> Result<Newest, ArchiveError> {
    let Some(connection) = file::open_to_read(&file::path(folder, service))? else {
        return Ok(Newest::default());
    };
    let container = file::container(&connection)?;
    let rows = file::rows(&connection)?;
    let mut held = 0;
    let mut from = rows.len();
    while from > 0 && held < lines {
        from -= 1;
        held += rows[from].lines as usize;
    }
    let mut found = Vec::with_capacity(held);
    for row in &rows[from..] {
        if let Some(packed) = file::content(&connection, row.first)? {
            found.extend(Block::unpack(&packed)?.lines(number(row.first))?);
        }
    }
    found.drain(..found.len().saturating_sub(lines));
    Ok(Newest {
        lines: found,
        container,
    })
}

/// Numbers on the wire have 32 bits; they wrap after four billions of lines.
fn number(no: i64) -> u32 {
    u32::try_from(no & i64::from(u32::MAX)).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests;
