//! Opening the file: brought up to date when it is old, put aside when it is damaged.

use std::{
    ffi::OsString,
    fs, io,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use forgekeeper_domain::Timestamp;
use rusqlite::{Connection, ErrorCode, TransactionBehavior};
use rusqlite_migration::MigrationDefinitionError;

use super::{StoreError, gallery, journal, schema::MIGRATIONS};
use crate::sys::files;

const FILE: &str = "history.sqlite";
const LOCK: &str = "history.lock";
/// The window and the command line write to the same file; each waits for the other.
const BUSY: Duration = Duration::from_secs(5);
/// Up to this size the whole file is checked at every start, which takes a few milliseconds.
const CHECKED_BYTES: u64 = 32 * 1024 * 1024;

pub(super) fn open(
    folder: &Path,
    now: Timestamp,
) -> Result<(Connection, Option<String>), StoreError> {
    files::ensure_dir(folder).map_err(|error| {
        StoreError::Folder(format!("`{}` cannot be made: {error}", folder.display()))
    })?;
    let _alone = alone(folder)?;
    let path = folder.join(FILE);
    match ready(&path, now) {
        Ok(connection) => Ok((connection, None)),
        Err(error) if damaged(&error) => {
            let aside = put_aside(folder, now)?;
            let note = format!(
                "The history was damaged and begins anew; the old file was kept as {}.",
                aside.display()
            );
            tracing::warn!(%error, aside = %aside.display(), "the history was damaged");
            Ok((ready(&path, now)?, Some(note)))
        }
        Err(error) => Err(error),
    }
}

/// Two programs that open a new history at once would both make its tables: one after the other.
/// The lock goes with the returned file.
fn alone(folder: &Path) -> Result<fs::File, StoreError> {
    let path = folder.join(LOCK);
    let unusable = |error: io::Error| {
        StoreError::Folder(format!("`{}` cannot be locked: {error}", path.display()))
    };
    let file = fs::OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&path)
        .map_err(unusable)?;
    let started = Instant::now();
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(fs::TryLockError::WouldBlock) if started.elapsed() < BUSY => {
                std::thread::sleep(Duration::from_millis(10));
            }
            Err(fs::TryLockError::WouldBlock) => {
                return Err(StoreError::Folder(format!(
                    "another Forgekeeper has been opening the history in `{}` for {} s",
                    folder.display(),
                    BUSY.as_secs()
                )));
            }
            // A file system without locks: the database's own must do.
            Err(fs::TryLockError::Error(error)) if error.kind() == io::ErrorKind::Unsupported => {
                return Ok(file);
            }
            Err(fs::TryLockError::Error(error)) => return Err(unusable(error)),
        }
    }
}

/// Closes, so that nothing stays in the write-ahead log.
pub(super) fn close(connection: Connection) {
    if let Err((_, error)) = connection.close() {
        tracing::warn!(%error, "the history did not close cleanly");
    }
}

fn ready(path: &Path, now: Timestamp) -> Result<Connection, StoreError> {
    let mut connection = Connection::open(path).map_err(StoreError::Open)?;
    connection.busy_timeout(BUSY).map_err(StoreError::Open)?;
    // Readers never wait for a writer, and a crash loses at most the last entries.
    connection
        .pragma_update(None, "journal_mode", "WAL")
        .map_err(StoreError::Open)?;
    connection.pragma_update(None, "synchronous", "NORMAL")?;
    connection.set_transaction_behavior(TransactionBehavior::Immediate);
    if fs::metadata(path).is_ok_and(|m| m.len() <= CHECKED_BYTES) {
        let verdict: String =
            connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
        if verdict != "ok" {
            return Err(StoreError::Open(rusqlite::Error::SqliteFailure(
                rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_CORRUPT),
                Some(verdict),
            )));
        }
    }
    MIGRATIONS
        .to_latest(&mut connection)
        .map_err(|error| match error {
            rusqlite_migration::Error::MigrationDefinition(
                MigrationDefinitionError::DatabaseTooFarAhead,
            ) => StoreError::Newer,
            rusqlite_migration::Error::RusqliteError { err, .. } => StoreError::Open(err),
            error => StoreError::Migration(error.to_string()),
        })?;
    journal::prune(&mut connection, now)?;
    gallery::enter_missing(&mut connection)?;
    Ok(connection)
}

fn damaged(error: &StoreError) -> bool {
    matches!(
        error,
        StoreError::Open(rusqlite::Error::SqliteFailure(error, _))
            | StoreError::Sql(rusqlite::Error::SqliteFailure(error, _))
            if matches!(error.code, ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt)
    )
}

fn put_aside(folder: &Path, now: Timestamp) -> Result<PathBuf, StoreError> {
    let aside = folder.join(format!("history.corrupt-{}.sqlite", now.as_second()));
    for suffix in ["", "-wal", "-shm"] {
        let with_suffix = |path: &Path| {
            let mut name: OsString = path.as_os_str().to_owned();
            name.push(suffix);
            PathBuf::from(name)
        };
        let from = with_suffix(&folder.join(FILE));
        match fs::rename(&from, with_suffix(&aside)) {
            Ok(()) => {}
            // Not every file has them; or another process was faster.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => {
                return Err(StoreError::Folder(format!(
                    "`{}` is damaged and cannot be moved: {error}",
                    from.display()
                )));
            }
        }
    }
    Ok(aside)
}
