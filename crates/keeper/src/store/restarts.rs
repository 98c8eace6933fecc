//! How long actions took, stage by stage: forecasts and counts come from here.

use forgekeeper_domain::{Timestamp, ids::ServiceId, job::JobKind, restart::StageTime};
use rusqlite::params;
use serde::{Deserialize, Serialize};

use super::{Store, StoreError, nanoseconds};

/// Entries kept for each service.
const KEPT_ROWS: i64 = 2_000;

/// One start, stop or restart.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
pub struct RestartEntry {
    /// Of which service.
    pub service: ServiceId,
    /// What was done.
    pub kind: JobKind,
    /// When it was asked for.
    #[cfg_attr(feature = "specta", specta(type = String))]
    pub at: Timestamp,
    /// Whether it ended with its proof; others are no base for a forecast.
    pub proved: bool,
    /// The stages reached, in order.
    pub stages: Vec<StageTime>,
}

impl Store {
    /// Adds an entry.
    pub async fn insert_restart(&self, entry: RestartEntry) -> Result<(), StoreError> {
        let at = nanoseconds(entry.at)?;
        let kind = serde_json::to_string(&entry.kind)?;
        let restart = matches!(entry.kind, JobKind::Restart { .. });
        let text = serde_json::to_string(&entry)?;
        self.run(move |connection| {
            connection.execute(
                "INSERT INTO restarts (service, kind, restart, at_ns, entry) VALUES (?, ?, ?, ?, ?)",
                params![entry.service.as_str(), kind, restart, at, text],
            )?;
            // Forecasts rest on twenty runs, counts on thirty days: what is far behind both goes.
            connection.execute(
                "DELETE FROM restarts WHERE service = ? AND id <=
                 (SELECT id FROM restarts WHERE service = ? ORDER BY id DESC LIMIT 1 OFFSET ?)",
                params![entry.service.as_str(), entry.service.as_str(), KEPT_ROWS],
            )?;
            Ok(())
        })
        .await
    }

    /// The newest entries of one kind on one service, newest first.
    pub async fn restarts(
        &self,
        service: &ServiceId,
        kind: JobKind,
        limit: u32,
    ) -> Result<Vec<RestartEntry>, StoreError> {
        let (service, kind) = (service.clone(), serde_json::to_string(&kind)?);
        self.run(move |connection| {
            let mut statement = connection.prepare_cached(
                "SELECT entry FROM restarts WHERE service = ? AND kind = ?
                 ORDER BY at_ns DESC, id DESC LIMIT ?",
            )?;
            let rows = statement.query_map(params![service.as_str(), kind, limit], |row| {
                row.get::<_, String>(0)
            })?;
            super::readable(rows)
        })
        .await
    }

    /// How often a service was restarted (container or program) since a moment.
    pub async fn count_restarts_since(
        &self,
        service: &ServiceId,
        since: Timestamp,
    ) -> Result<u32, StoreError> {
        let (service, since) = (service.clone(), nanoseconds(since)?);
        self.run(move |connection| {
            let count = connection.query_row(
                "SELECT count(*) FROM restarts WHERE service = ? AND restart = 1 AND at_ns >= ?",
                params![service.as_str(), since],
                |row| row.get(0),
            )?;
            Ok(count)
        })
        .await
    }

    /// Entries of all services that were asked for within a range, oldest first.
    pub async fn restarts_between(
        &self,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<Vec<RestartEntry>, StoreError> {
        let (from, to) = (nanoseconds(from)?, nanoseconds(to)?);
        self.run(move |connection| {
            let mut statement = connection.prepare_cached(
                "SELECT entry FROM restarts WHERE at_ns >= ? AND at_ns < ? ORDER BY at_ns",
            )?;
            let rows = statement.query_map([from, to], |row| row.get::<_, String>(0))?;
            super::readable(rows)
        })
        .await
    }
}
