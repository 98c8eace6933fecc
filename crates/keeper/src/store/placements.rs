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

#[cfg(test)]
mod tests {
    use forgekeeper_domain::{
        ids::GpuUuid,
        placement::{Basis, Confidence, Doubt, Found},
    };

    use super::*;

    fn proof(service: &str, second: i64, finding: Found) -> Measurement {
        Measurement {
            service: ServiceId::new(service).expect("an id"),
            at: Timestamp::new(1_800_000_000 + second, 123_456_789).expect("a time"),
            finding,
            confidence: Confidence::High,
            basis: Basis::default(),
            rounds: Vec::new(),
        }
    }

    fn clear() -> Found {
        Found::Card {
            uuid: GpuUuid::new("GPU-a").expect("an id"),
        }
    }

    fn doubt() -> Found {
        Found::Unclear {
            reason: Doubt::Unsteady,
        }
    }

    #[tokio::test]
    async fn what_was_found_last_comes_back_with_what_could_not_be_told_since() {
        let folder = tempfile::tempdir().expect("a folder");
        let (store, _) = Store::open(folder.path()).await.expect("open");
        let service = ServiceId::new("myia").expect("an id");
        let newest = async || store.newest_placements(&service).await.expect("read");
        assert_eq!(newest().await, []);
        for (second, finding) in [(1, doubt()), (2, Found::Cpu), (3, clear())] {
            let kept = store.insert_placement(proof("myia", second, finding)).await;
            kept.expect("kept");
        }
        let other = proof("other", 9, doubt());
        store.insert_placement(other).await.expect("kept");
        assert_eq!(newest().await, [proof("myia", 3, clear())]);
        for second in [4, 5] {
            let unclear = proof("myia", second, doubt());
            store.insert_placement(unclear).await.expect("kept");
        }
        let expected = [proof("myia", 3, clear()), proof("myia", 5, doubt())];
        assert_eq!(newest().await, expected);
    }
}
