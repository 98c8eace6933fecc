//! Test generations and what they proved.

use forgekeeper_domain::{
    Timestamp,
    generation::GenerationRecord,
    ids::{JobId, ServiceId},
};
use rusqlite::{OptionalExtension as _, Transaction, params};

use super::{Store, StoreError, gallery, nanoseconds, picture_files};

/// Generations kept, of all services; pinned pictures keep theirs besides.
const KEPT_ROWS: i64 = 10_000;

/// What was removed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Removed {
    /// How many generations.
    pub generations: u32,
    /// Whose they were.
    pub services: Vec<ServiceId>,
    /// Hashes of the pictures that nothing holds any more.
    pub pictures: Vec<String>,
}

impl Store {
    /// Keeps a generation; one with the same job id is replaced. The oldest go when there are too
    /// many: returns the hashes of pictures that nothing holds any more.
    pub async fn insert_generation(
        &self,
        record: GenerationRecord,
    ) -> Result<Vec<String>, StoreError> {
        let at = nanoseconds(record.started_at)?;
        let text = serde_json::to_string(&record)?;
        self.run(move |connection| {
            let transaction = connection.transaction()?;
            let generation = transaction.query_row(
                "INSERT INTO generations (job, service, at_ns, record) VALUES (?, ?, ?, ?)
                 ON CONFLICT (job) DO UPDATE SET
                 service = excluded.service, at_ns = excluded.at_ns, record = excluded.record
                 RETURNING id",
                params![record.id.as_str(), record.service.as_str(), at, text],
                |row| row.get(0),
            )?;
            let mut let_go = picture_files::let_go(&transaction, generation)?;
            gallery::enter(&transaction, generation, &record)?;
            transaction
                .prepare_cached("DELETE FROM pending_generations WHERE job = ?")?
                .execute([record.id.as_str()])?;
            let too_many: Vec<i64> = transaction
                .prepare_cached(&format!(
                    "SELECT id FROM generations WHERE id <=
                     (SELECT id FROM generations ORDER BY id DESC LIMIT 1 OFFSET ?)
                     AND NOT {}",
                    picture_files::IS_PINNED
                ))?
                .query_map([KEPT_ROWS], |row| row.get(0))?
                .collect::<Result<_, _>>()?;
            let mut removed = Removed::default();
            for generation in too_many {
                let_go.extend(remove(&transaction, generation, &mut removed)?);
            }
            let free = picture_files::free(&transaction, let_go)?;
            transaction.commit()?;
            Ok(free)
        })
        .await
    }

    /// Removes generations; ids that are not known are no error.
    pub async fn forget_generations(&self, ids: Vec<JobId>) -> Result<Removed, StoreError> {
        self.run(move |connection| {
            let transaction = connection.transaction()?;
            let mut removed = Removed::default();
            let mut let_go = Vec::new();
            for id in ids {
                let generation = transaction
                    .prepare_cached("SELECT id FROM generations WHERE job = ?")?
                    .query_row([id.as_str()], |row| row.get(0))
                    .optional()?;
                if let Some(generation) = generation {
                    let_go.extend(remove(&transaction, generation, &mut removed)?);
                }
            }
            removed.pictures = picture_files::free(&transaction, let_go)?;
            transaction.commit()?;
            Ok(removed)
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

    /// Generations by their ids, in their order; those that are not known are left out.
    pub async fn generations_of(
        &self,
        ids: Vec<JobId>,
    ) -> Result<Vec<GenerationRecord>, StoreError> {
        self.run(move |connection| {
            let mut statement =
                connection.prepare_cached("SELECT record FROM generations WHERE job = ?")?;
            let mut rows = Vec::new();
            for id in ids {
                let row = statement.query_row([id.as_str()], |row| row.get::<_, String>(0));
                rows.extend(row.optional()?);
            }
            super::readable(rows.into_iter().map(Ok))
        })
        .await
    }

    /// The newest generation of one service.
    pub async fn newest_generation(
        &self,
        service: &ServiceId,
    ) -> Result<Option<GenerationRecord>, StoreError> {
        Ok(self.newest_generations(service, 1).await?.pop())
    }

    /// The newest generations of one service, newest first.
    pub async fn newest_generations(
        &self,
        service: &ServiceId,
        limit: u32,
    ) -> Result<Vec<GenerationRecord>, StoreError> {
        let service = service.clone();
        self.run(move |connection| {
            let mut statement = connection.prepare_cached(
                "SELECT record FROM generations WHERE service = ?
                 ORDER BY at_ns DESC, id DESC LIMIT ?",
            )?;
            let rows = statement.query_map(params![service.as_str(), limit], |row| {
                row.get::<_, String>(0)
            })?;
            super::readable(rows)
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

/// Removes a generation and everything that was entered for it. Returns the pictures it held.
pub(super) fn remove(
    transaction: &Transaction<'_>,
    generation: i64,
    removed: &mut Removed,
) -> Result<Vec<String>, StoreError> {
    let service: String = transaction
        .prepare_cached("DELETE FROM generations WHERE id = ? RETURNING service")?
        .query_row([generation], |row| row.get(0))?;
    transaction
        .prepare_cached("DELETE FROM gallery WHERE generation = ?")?
        .execute([generation])?;
    removed.generations += 1;
    // A name that is none any more has nothing to be told.
    if let Ok(service) = ServiceId::new(service)
        && !removed.services.contains(&service)
    {
        removed.services.push(service);
    }
    picture_files::let_go(transaction, generation)
}
