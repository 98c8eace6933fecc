//! Test generations and what they proved.

use forgekeeper_domain::{Timestamp, generation::GenerationRecord, ids::ServiceId};
use rusqlite::params;

use super::{Store, StoreError, nanoseconds};

/// Generations kept, of all services. Their pictures are files of their own and stay.
const KEPT_ROWS: i64 = 10_000;

impl Store {
    /// Keeps a generation; one with the same job id is replaced.
    pub async fn insert_generation(&self, record: GenerationRecord) -> Result<(), StoreError> {
        let at = nanoseconds(record.started_at)?;
        let text = serde_json::to_string(&record)?;
        self.run(move |connection| {
            connection.execute(
                "INSERT OR REPLACE INTO generations (job, service, at_ns, record) VALUES (?, ?, ?, ?)",
                params![record.id.as_str(), record.service.as_str(), at, text],
            )?;
            connection.execute(
                "DELETE FROM generations WHERE id <=
                 (SELECT id FROM generations ORDER BY id DESC LIMIT 1 OFFSET ?)",
                [KEPT_ROWS],
            )?;
            Ok(())
        })
        .await
    }

    /// The newest generations of all services, newest first.
    pub async fn generations(&self, limit: u32) -> Result<Vec<GenerationRecord>, StoreError> {
        self.run(move |connection| {
            let mut statement = connection.prepare_cached(
                "SELECT record FROM generations ORDER BY at_ns DESC, id DESC LIMIT ?",
            )?;
            let rows = statement.query_map([limit], |row| row.get::<_, String>(0))?;
            super::readable(rows)
        })
        .await
    }

    /// The newest generation of one service.
    pub async fn newest_generation(
        &self,
        service: &ServiceId,
    ) -> Result<Option<GenerationRecord>, StoreError> {
        let service = service.clone();
        self.run(move |connection| {
            let mut statement = connection.prepare_cached(
                "SELECT record FROM generations WHERE service = ?
                 ORDER BY at_ns DESC, id DESC LIMIT 1",
            )?;
            let rows = statement.query_map([service.as_str()], |row| row.get::<_, String>(0))?;
            Ok(super::readable(rows)?.pop())
        })
        .await
    }

    /// Generations of all services that began within a range, oldest first.
    pub async fn generations_between(
        &self,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<Vec<GenerationRecord>, StoreError> {
        let (from, to) = (nanoseconds(from)?, nanoseconds(to)?);
        self.run(move |connection| {
            let mut statement = connection.prepare_cached(
                "SELECT record FROM generations WHERE at_ns >= ? AND at_ns < ? ORDER BY at_ns",
            )?;
            let rows = statement.query_map([from, to], |row| row.get::<_, String>(0))?;
            super::readable(rows)
        })
        .await
    }
}
