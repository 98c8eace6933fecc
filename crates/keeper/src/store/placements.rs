//! Placement proofs with their evidence.

use forgekeeper_domain::{Timestamp, ids::ServiceId, placement::Measurement};
use rusqlite::params;

use super::{Store, StoreError, nanoseconds};

/// Proofs kept for each service.
const KEPT_ROWS: i64 = 50;

impl Store {
    /// Keeps a proof.
    pub async fn insert_placement(&self, measurement: Measurement) -> Result<(), StoreError> {
        let at = nanoseconds(measurement.at)?;
        let text = serde_json::to_string(&measurement)?;
        self.run(move |connection| {
            let service = measurement.service.as_str();
            connection.execute(
                "INSERT INTO placements (service, at_ns, measurement) VALUES (?, ?, ?)",
                params![service, at, text],
            )?;
            connection.execute(
                "DELETE FROM placements WHERE service = ? AND id <=
                 (SELECT id FROM placements WHERE service = ? ORDER BY id DESC LIMIT 1 OFFSET ?)",
                params![service, service, KEPT_ROWS],
            )?;
            Ok(())
        })
        .await
    }

    /// The newest proof of a service that found anything, and the newest of all where that is
    /// another one; the older one first.
    pub async fn newest_placements(
        &self,
        service: &ServiceId,
    ) -> Result<Vec<Measurement>, StoreError> {
        let service = service.clone();
        self.run(move |connection| {
            let mut statement = connection.prepare_cached(
                "SELECT measurement FROM placements WHERE id IN (
                   (SELECT id FROM placements WHERE service = ?1
                    AND json_extract(measurement, '$.finding.found') <> 'unclear'
                    ORDER BY id DESC LIMIT 1),
                   (SELECT id FROM placements WHERE service = ?1 ORDER BY id DESC LIMIT 1)
                 ) ORDER BY id",
            )?;
            let rows = statement.query_map([service.as_str()], |row| row.get::<_, String>(0))?;
            super::readable(rows)
        })
        .await
    }

    /// Proofs of all services within a range, oldest first.
    pub async fn placements_between(
        &self,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<Vec<Measurement>, StoreError> {
        let (from, to) = (nanoseconds(from)?, nanoseconds(to)?);
        self.run(move |connection| {
            let mut statement = connection.prepare_cached(
                "SELECT measurement FROM placements WHERE at_ns >= ? AND at_ns < ? ORDER BY at_ns",
            )?;
            let rows = statement.query_map([from, to], |row| row.get::<_, String>(0))?;
            super::readable(rows)
        })
        .await
    }
}
