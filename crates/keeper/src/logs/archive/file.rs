//! The file of one service's timeline: one table of blocks in a SQLite database, which survives
//! a crash of the program and of the machine.

use std::{
    fs, io,
    path::{Path, PathBuf},
    time::Duration,
};

use forgekeeper_domain::ids::ServiceId;
use rusqlite::{Connection, OpenFlags, TransactionBehavior, params};
use rusqlite_migration::{M, Migrations};
use sha2::{Digest as _, Sha256};

use super::{ArchiveError, block::Block};
use crate::sys::files;

const MIGRATIONS: Migrations<'static> = Migrations::from_slice(STEPS);

const STEPS: &[M<'static>] = &[M::up(
    "CREATE TABLE block (
        first INTEGER PRIMARY KEY,
        lines INTEGER NOT NULL,
        from_ns INTEGER,
        to_ns INTEGER,
        sealed INTEGER NOT NULL,
        container TEXT,
        packed BLOB NOT NULL
    ) STRICT;",
)];

/// A reader waits this long for the writer's moment of change.
const BUSY: Duration = Duration::from_secs(2);

/// One row without its content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Row {
    /// Number of its first line.
    pub(super) first: i64,
    pub(super) lines: u32,
    /// Earliest and latest time in it, nanoseconds since 1970.
    pub(super) span: Option<(i64, i64)>,
    /// Bytes as kept.
    pub(super) bytes: i64,
    /// Whether nothing is added any more.
    pub(super) sealed: bool,
}

/// Where a service's timeline is kept. Two ids that differ in case alone are two files, also where
/// the file system does not tell case.
pub(super) fn path(folder: &Path, service: &ServiceId) -> PathBuf {
    let digest = Sha256::digest(service.as_str().as_bytes());
    let [a, b, c, d, ..] = digest.0;
    folder.join(format!(
        "log-{}-{:08x}.sqlite",
        service.as_str().to_ascii_lowercase(),
        u32::from_be_bytes([a, b, c, d])
    ))
}

/// Held by the one process that writes a timeline.
#[derive(Debug)]
pub(super) struct Lock {
    _file: fs::File,
}

/// `None` when another process writes it.
pub(super) fn lock(path: &Path) -> Result<Option<Lock>, ArchiveError> {
    let path = path.with_extension("lock");
    let file = fs::OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&path)
        .map_err(|error| ArchiveError::Folder(format!("`{}`: {error}", path.display())))?;
    match file.try_lock() {
        Ok(()) => Ok(Some(Lock { _file: file })),
        Err(fs::TryLockError::WouldBlock) => Ok(None),
        // A file system without locks: the database's own must do.
        Err(fs::TryLockError::Error(error)) if error.kind() == io::ErrorKind::Unsupported => {
            Ok(Some(Lock { _file: file }))
        }
        Err(fs::TryLockError::Error(error)) => Err(ArchiveError::Folder(format!(
            "`{}`: {error}",
            path.display()
        ))),
    }
}

/// Opens for writing, making the file where needed. A damaged one is put aside.
pub(super) fn open(path: &Path) -> Result<Connection, ArchiveError> {
    if let Some(folder) = path.parent() {
        files::ensure_dir(folder)
            .map_err(|error| ArchiveError::Folder(format!("`{}`: {error}", folder.display())))?;
    }
    match ready(path) {
        Err(ArchiveError::Sql(error)) if damaged(&error) => {
            tracing::warn!(%error, path = %path.display(), "a stored log was damaged and is put aside");
            for suffix in ["", "-wal", "-shm"] {
                let mut from = path.as_os_str().to_owned();
                from.push(suffix);
                let mut to = path.as_os_str().to_owned();
                to.push(format!(".damaged{suffix}"));
                if let Err(error) = fs::rename(&from, &to)
                    && error.kind() != io::ErrorKind::NotFound
                {
                    return Err(ArchiveError::Folder(format!(
                        "`{}` is damaged and cannot be moved: {error}",
                        path.display()
                    )));
                }
            }
            ready(path)
        }
        other => other,
    }
}

fn ready(path: &Path) -> Result<Connection, ArchiveError> {
    let mut connection = Connection::open(path)?;
    connection.busy_timeout(BUSY)?;
    // Before the first table; later it has no effect.
    connection.pragma_update(None, "auto_vacuum", "INCREMENTAL")?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "NORMAL")?;
    connection.set_transaction_behavior(TransactionBehavior::Immediate);
    MIGRATIONS
        .to_latest(&mut connection)
        .map_err(|error| match error {
            rusqlite_migration::Error::RusqliteError { err, .. } => ArchiveError::Sql(err),
            error => ArchiveError::Newer(error.to_string()),
        })?;
    Ok(connection)
}

fn damaged(error: &rusqlite::Error) -> bool {
    use rusqlite::ErrorCode::{DatabaseCorrupt, NotADatabase};
    matches!(error, rusqlite::Error::SqliteFailure(error, _)
        if matches!(error.code, NotADatabase | DatabaseCorrupt))
}

/// Opens for reading; `None` when nothing was ever kept.
pub(super) fn open_to_read(path: &Path) -> Result<Option<Connection>, ArchiveError> {
    if !path.exists() {
        return Ok(None);
    }
    // Not read-only: a reader of a write-ahead log needs its index beside it.
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(BUSY)?;
    connection.pragma_update(None, "query_only", true)?;
    Ok(Some(connection))
}

/// From the first look on, shows what the file holds at that moment, whatever is written meanwhile.
pub(super) fn hold_still(connection: &Connection) -> Result<(), ArchiveError> {
    // Ends with the connection.
    Ok(connection.execute_batch("BEGIN DEFERRED")?)
}

/// All rows, oldest first, without their content.
pub(super) fn rows(connection: &Connection) -> Result<Vec<Row>, ArchiveError> {
    let mut statement = connection.prepare(
        "SELECT first, lines, from_ns, to_ns, length(packed), sealed FROM block ORDER BY first",
    )?;
    let rows = statement.query_map([], |row| {
        let span: (Option<i64>, Option<i64>) = (row.get(2)?, row.get(3)?);
        Ok(Row {
            first: row.get(0)?,
            lines: row.get(1)?,
            span: span.0.zip(span.1),
            bytes: row.get(4)?,
            sealed: row.get(5)?,
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// The content of a row; `None` when it has given way meanwhile.
pub(super) fn content(
    connection: &Connection,
    first: i64,
) -> Result<Option<Vec<u8>>, ArchiveError> {
    let mut statement = connection.prepare_cached("SELECT packed FROM block WHERE first = ?1")?;
    let mut rows = statement.query([first])?;
    Ok(rows.next()?.map(|row| row.get(0)).transpose()?)
}

/// The container that the newest line came from, by its full id.
pub(super) fn container(connection: &Connection) -> Result<Option<String>, ArchiveError> {
    let mut statement =
        connection.prepare("SELECT container FROM block ORDER BY first DESC LIMIT 1")?;
    let mut rows = statement.query([])?;
    Ok(rows.next()?.map(|row| row.get(0)).transpose()?.flatten())
}

/// Writes a block whose last line came from `container`; a sealed one replaces the pieces of it
/// that were written before.
pub(super) fn write(
    connection: &mut Connection,
    first: i64,
    block: &Block,
    container: Option<&str>,
    sealed: bool,
) -> Result<i64, ArchiveError> {
    let packed = block.pack()?;
    let bytes = i64::try_from(packed.len()).unwrap_or(i64::MAX);
    let span = block.span();
    let transaction = connection.transaction()?;
    if sealed {
        transaction.execute("DELETE FROM block WHERE first >= ?1", [first])?;
    }
    transaction.execute(
        "INSERT INTO block (first, lines, from_ns, to_ns, sealed, container, packed)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        params![
            first,
            i64::try_from(block.len()).unwrap_or(i64::MAX),
            span.map(|s| s.0),
            span.map(|s| s.1),
            sealed,
            container,
            packed
        ],
    )?;
    transaction.commit()?;
    Ok(bytes)
}

/// Lets the oldest rows go and gives their space back.
pub(super) fn forget(connection: &mut Connection, firsts: &[i64]) -> Result<(), ArchiveError> {
    if firsts.is_empty() {
        return Ok(());
    }
    let transaction = connection.transaction()?;
    for first in firsts {
        transaction.execute("DELETE FROM block WHERE first = ?1", [first])?;
    }
    transaction.commit()?;
    let mut vacuum = connection.prepare("PRAGMA incremental_vacuum")?;
    let mut freed = vacuum.query([])?;
    while freed.next()?.is_some() {}
    Ok(())
}
