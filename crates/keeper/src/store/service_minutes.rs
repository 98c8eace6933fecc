//! Minutes of services: in which they worked, in which they did not, and how fast they answered. A
//! minute in which nobody looked has no row.

use forgekeeper_domain::{Timestamp, ids::ServiceId, migration::ending::Watched};
use rusqlite::params;

use super::{Store, StoreError, nanoseconds};

/// Minutes older than this go.
const KEPT_DAYS: i64 = 120;
/// Minutes between two prunings.
const PRUNE_EVERY: i64 = 60;

/// How a service was at one look.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceLook {
    /// Which.
    pub service: ServiceId,
    /// Whether it worked.
    pub good: bool,
    /// How long it took to answer, milliseconds.
    pub latency_ms: Option<u32>,
}

fn minute(at: Timestamp) -> i64 {
    at.as_second().div_euclid(60)
}

impl Store {
    /// Enters looks of one moment. A minute with one bad look in it is bad, whoever looked.
    pub async fn insert_service_looks(
        &self,
        at: Timestamp,
        looks: Vec<ServiceLook>,
    ) -> Result<(), StoreError> {
        let minute = minute(at);
        self.run(move |connection| {
            let all = connection.transaction()?;
            for look in &looks {
                all.prepare_cached(
                    "INSERT INTO service_minutes (service, minute, good, latency_ms)
                     VALUES (?1, ?2, ?3, ?4)
                     ON CONFLICT (service, minute) DO UPDATE SET good = min(good, ?3),
                     latency_ms = coalesce(?4, latency_ms)",
                )?
                .execute(params![
                    look.service.as_str(),
                    minute,
                    look.good,
                    look.latency_ms
                ])?;
                if minute % PRUNE_EVERY == 0 {
                    all.execute(
                        "DELETE FROM service_minutes WHERE service = ? AND minute < ?",
                        params![look.service.as_str(), minute - KEPT_DAYS * 24 * 60],
                    )?;
                }
            }
            Ok(all.commit()?)
        })
        .await
    }

    /// What was seen of a service from one moment to before another.
    pub async fn watched(
        &self,
        service: &ServiceId,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<Watched, StoreError> {
        let (service, from, to) = (service.clone(), minute(from), minute(to));
        self.run(move |connection| {
            let mut watched = Watched::default();
            let mut took = Vec::new();
            let mut statement = connection.prepare_cached(
                "SELECT good, latency_ms FROM service_minutes
                 WHERE service = ? AND minute >= ? AND minute < ?",
            )?;
            let mut rows = statement.query(params![service.as_str(), from, to])?;
            while let Some(row) = rows.next()? {
                if row.get(0)? {
                    watched.good += 1;
                } else {
                    watched.bad += 1;
                }
                took.extend(row.get::<_, Option<u32>>(1)?);
            }
            took.sort_unstable();
            watched.latency_ms = took.get(took.len() / 2).copied();
            Ok(watched)
        })
        .await
    }

    /// Causes of incidents that were opened since, with their subjects, in the order of time.
    pub async fn incidents_since(
        &self,
        since: Timestamp,
    ) -> Result<Vec<(Timestamp, Option<String>, String)>, StoreError> {
        let since = nanoseconds(since)?;
        self.run(move |connection| {
            let mut statement = connection.prepare_cached(
                "SELECT at_ns, subject, text FROM journal
                 WHERE kind = 'incident_opened' AND at_ns >= ? ORDER BY at_ns, id",
            )?;
            let rows = statement.query_map([since], |row| {
                Ok((row.get::<_, i64>(0)?, row.get(1)?, row.get(2)?))
            })?;
            let mut found = Vec::new();
            for row in rows {
                let (at, subject, cause) = row?;
                let at = Timestamp::from_nanosecond(i128::from(at))
                    .map_err(|error| StoreError::Value(error.to_string()))?;
                found.push((at, subject, cause));
            }
            Ok(found)
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use super::{super::gallery::tests::open_at, *};

    #[tokio::test]
    async fn minutes_are_counted_once_and_a_bad_look_makes_a_bad_minute() {
        let dir = tempfile::tempdir().unwrap();
        let store = open_at(dir.path()).await;
        let service = ServiceId::new("comfyui").unwrap();
        let at = |second: i64| Timestamp::from_second(1_795_000_020 + second).unwrap();
        for (second, good, latency_ms) in [
            (0, true, Some(9)),
            (20, true, Some(11)),
            (40, true, None),
            (60, true, Some(30)),
            (80, false, None),
            (600, true, Some(12)),
        ] {
            let look = ServiceLook {
                service: service.clone(),
                good,
                latency_ms,
            };
            store
                .insert_service_looks(at(second), vec![look])
                .await
                .unwrap();
        }
        let watched = store.watched(&service, at(0), at(660)).await.unwrap();
        assert_eq!((watched.good, watched.bad), (2, 1), "eight nobody watched");
        assert_eq!(watched.latency_ms, Some(12));
        let other = ServiceId::new("myia").unwrap();
        let nothing = store.watched(&other, at(0), at(660)).await.unwrap();
        assert_eq!(nothing.permille(), None);
    }
}
