//! What came of backups and their verifications.

use forgekeeper_domain::backup::{BackupEnd, BackupRecord, BackupTask};
use rusqlite::{Connection, OptionalExtension as _, params};

use super::{Store, StoreError, nanoseconds};

/// Records kept.
const KEPT_ROWS: i64 = 500;

/// The newest records that a status shows.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Backups {
    /// The last run.
    pub last: Option<BackupRecord>,
    /// The last run that was whole.
    pub last_whole: Option<BackupRecord>,
    /// The last verification.
    pub verified: Option<BackupRecord>,
}

impl Store {
    /// Keeps a record; one that was kept when it began is replaced.
    pub async fn put_backup(&self, record: BackupRecord) -> Result<(), StoreError> {
        let at = nanoseconds(record.started_at)?;
        let text = serde_json::to_string(&record)?;
        self.run(move |connection| {
            connection.execute(
                "INSERT INTO backups (job, task, whole, at_ns, record) VALUES (?, ?, ?, ?, ?)
                 ON CONFLICT (job) DO UPDATE SET whole = excluded.whole, record = excluded.record",
                params![
                    record.id,
                    word(record.task),
                    record.end == BackupEnd::Whole,
                    at,
                    text
                ],
            )?;
            // The last good one stays, however many were not since.
            connection.execute(
                "DELETE FROM backups WHERE id <=
                 (SELECT id FROM backups ORDER BY id DESC LIMIT 1 OFFSET ?)
                 AND id NOT IN (SELECT max(id) FROM backups WHERE whole GROUP BY task)",
                [KEPT_ROWS],
            )?;
            Ok(())
        })
        .await
    }

    /// The newest ones.
    pub async fn backups(&self) -> Result<Backups, StoreError> {
        self.run(|connection| {
            Ok(Backups {
                last: newest(connection, BackupTask::Run, false)?,
                last_whole: newest(connection, BackupTask::Run, true)?,
                verified: newest(connection, BackupTask::Verify, false)?,
            })
        })
        .await
    }
}

fn newest(
    connection: &Connection,
    task: BackupTask,
    whole: bool,
) -> Result<Option<BackupRecord>, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT record FROM backups WHERE task = ? AND (whole OR NOT ?) ORDER BY id DESC LIMIT 1",
    )?;
    let text: Option<String> = statement
        .query_row(params![word(task), whole], |row| row.get(0))
        .optional()?;
    Ok(text.map(|text| serde_json::from_str(&text)).transpose()?)
}

fn word(task: BackupTask) -> &'static str {
    match task {
        BackupTask::Run => "run",
        BackupTask::Verify => "verify",
    }
}

#[cfg(test)]
mod tests {
    use forgekeeper_domain::{
        Timestamp,
        backup::{BackupMode, BackupSettings, USUAL_KEEP},
    };

    use super::*;

    fn record(id: &str, task: BackupTask, end: BackupEnd) -> BackupRecord {
        let settings = BackupSettings {
            source: "/a".to_owned(),
            target: "/b".to_owned(),
            mode: BackupMode::Mirror,
            exclude: Vec::new(),
            keep: USUAL_KEEP,
        };
        let at = Timestamp::from_second(1_800_000_000).expect("a time");
        BackupRecord {
            end,
            ..BackupRecord::begun(id.to_owned(), task, &settings, at)
        }
    }

    #[tokio::test]
    async fn the_last_one_and_the_last_good_one_are_known() {
        let folder = tempfile::tempdir().expect("a folder");
        let (store, _) = Store::open(folder.path()).await.expect("open");
        assert_eq!(store.backups().await.expect("read"), Backups::default());
        for (id, task, end) in [
            ("1", BackupTask::Run, BackupEnd::Whole),
            ("2", BackupTask::Run, BackupEnd::Unfinished),
            ("3", BackupTask::Verify, BackupEnd::Incomplete),
            ("2", BackupTask::Run, BackupEnd::Incomplete),
        ] {
            store.put_backup(record(id, task, end)).await.expect("kept");
        }
        let known = store.backups().await.expect("read");
        let last = known.last.map(|last| (last.id, last.end));
        assert_eq!(last, Some(("2".to_owned(), BackupEnd::Incomplete)));
        assert_eq!(known.last_whole.map(|last| last.id).as_deref(), Some("1"));
        assert_eq!(known.verified.map(|last| last.id).as_deref(), Some("3"));
    }
}
