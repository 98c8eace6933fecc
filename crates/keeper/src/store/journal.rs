//! The journal: what was done and what happened, newest first.

use forgekeeper_domain::Timestamp;
use rusqlite::{Connection, params};
use serde::{Deserialize, Serialize};

use super::{Store, StoreError, nanoseconds};

/// Entries older than this go.
const KEPT_DAYS: i64 = 400;
/// More entries than this push the oldest out.
const KEPT_ROWS: i64 = 200_000;
/// Entries between two prunings.
const PRUNE_EVERY: i64 = 1_000;
/// Longest text of an entry, bytes; longer ones are cut.
const MAX_TEXT_BYTES: usize = 16 * 1024;
/// Longest detail, bytes of JSON; longer ones are left out, since half of it is none.
const MAX_DETAIL_BYTES: usize = 64 * 1024;

/// One entry.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct JournalEntry {
    /// When.
    pub at: Timestamp,
    /// What it is about: `action_asked`, `action` (its end), `incident_opened`,
    /// `incident_closed`, `note`, `snapshot`, `restore`, `drill`, `backup`, `start`.
    pub kind: String,
    /// Id of the service or host, if it is about one.
    pub subject: Option<String>,
    /// One sentence.
    pub text: String,
    /// More, for who asks; without it when it is longer than 64 KiB.
    pub detail: Option<serde_json::Value>,
}

impl Store {
    /// Adds an entry.
    pub async fn append_journal(&self, entry: JournalEntry) -> Result<(), StoreError> {
        let at = nanoseconds(entry.at)?;
        let detail = match &entry.detail {
            Some(detail) => {
                Some(serde_json::to_string(detail)?).filter(|text| text.len() <= MAX_DETAIL_BYTES)
            }
            None => None,
        };
        self.run(move |connection| {
            connection.execute(
                "INSERT INTO journal (at_ns, kind, subject, text, detail) VALUES (?, ?, ?, ?, ?)",
                params![at, entry.kind, entry.subject, cut(entry.text), detail],
            )?;
            if connection.last_insert_rowid() % PRUNE_EVERY == 0 {
                prune(connection, entry.at)?;
            }
            Ok(())
        })
        .await
    }

    /// The newest entries, newest first.
    pub async fn journal(&self, limit: u32) -> Result<Vec<JournalEntry>, StoreError> {
        self.run(move |connection| {
            let mut statement = connection.prepare_cached(
                "SELECT at_ns, kind, subject, text, detail FROM journal
                 ORDER BY at_ns DESC, id DESC LIMIT ?",
            )?;
            let rows = statement.query_map([limit], |row| {
                let (at, detail): (i64, Option<String>) = (row.get(0)?, row.get(4)?);
                Ok((at, row.get(1)?, row.get(2)?, row.get(3)?, detail))
            })?;
            let mut entries = Vec::new();
            for row in rows {
                let (at, kind, subject, text, detail) = row?;
                let at = Timestamp::from_nanosecond(i128::from(at));
                let detail = detail.map(|text| serde_json::from_str(&text)).transpose();
                if let (Ok(at), Ok(detail)) = (at, detail) {
                    entries.push(JournalEntry {
                        at,
                        kind,
                        subject,
                        text,
                        detail,
                    });
                } else {
                    tracing::warn!("an entry of the journal is not readable");
                }
            }
            Ok(entries)
        })
        .await
    }
}

/// Takes out what is too old or too much.
pub(super) fn prune(connection: &mut Connection, now: Timestamp) -> Result<(), StoreError> {
    prune_to(connection, now, KEPT_ROWS)
}

fn prune_to(connection: &mut Connection, now: Timestamp, rows: i64) -> Result<(), StoreError> {
    let oldest = nanoseconds(now)?.saturating_sub(KEPT_DAYS * 24 * 3600 * 1_000_000_000);
    connection.execute("DELETE FROM journal WHERE at_ns < ?", [oldest])?;
    connection.execute(
        "DELETE FROM journal WHERE id <= (SELECT id FROM journal ORDER BY id DESC LIMIT 1 OFFSET ?)",
        [rows],
    )?;
    Ok(())
}

fn cut(mut text: String) -> String {
    if text.len() > MAX_TEXT_BYTES {
        let mut end = MAX_TEXT_BYTES;
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        text.truncate(end);
        text.push('…');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_and_superfluous_entries_go() {
        let mut connection = Connection::open_in_memory().unwrap();
        crate::store::schema::MIGRATIONS
            .to_latest(&mut connection)
            .unwrap();
        let now = Timestamp::from_second(1_795_000_000).unwrap();
        for day in 0..500_i64 {
            let at = nanoseconds(now).unwrap() - day * 24 * 3600 * 1_000_000_000;
            connection
                .execute(
                    "INSERT INTO journal (at_ns, kind, text) VALUES (?, 'x', ?)",
                    params![at, day.to_string()],
                )
                .unwrap();
        }
        let rows = |connection: &Connection| -> i64 {
            connection
                .query_row("SELECT count(*) FROM journal", [], |row| row.get(0))
                .unwrap()
        };
        prune(&mut connection, now).unwrap();
        assert_eq!(rows(&connection), KEPT_DAYS + 1);
        prune_to(&mut connection, now, 10).unwrap();
        assert_eq!(rows(&connection), 10);
        let oldest: String = connection
            .query_row("SELECT min(text) FROM journal", [], |row| row.get(0))
            .unwrap();
        assert_eq!(oldest, "391", "the last ten that were written stay");
    }
}
