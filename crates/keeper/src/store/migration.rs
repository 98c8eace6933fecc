//! The migration: what was found of its steps, what is being done, and everything that was done.

use std::collections::BTreeMap;

use forgekeeper_domain::{
    Timestamp,
    ids::StepId,
    migration::{Finding, Proof, Proofs, RecordAction, RecordEntry},
};
use rusqlite::{Connection, OptionalExtension as _, params};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Store, StoreError, nanoseconds};

/// Proofs kept of each step; only the latest counts.
const PROOFS_KEPT: i64 = 50;
/// Entries of the recorder; the oldest go beyond them.
const ENTRIES_KEPT: i64 = 20_000;

/// The last look at a step, whatever it found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
pub struct StepLook {
    /// When.
    #[cfg_attr(feature = "specta", specta(type = String))]
    pub at: Timestamp,
    /// What was found.
    pub finding: Finding,
}

/// What is being done to a step: kept before it begins, gone when it has ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepAction {
    /// Of which step.
    pub step: StepId,
    /// Done, or taken back.
    pub action: RecordAction,
    /// Since when.
    pub since: Timestamp,
    /// The running program that does it.
    pub owner: String,
    /// Whether its end without an end was told.
    pub told: bool,
}

impl Store {
    /// Everything found so far.
    pub async fn migration_proofs(&self) -> Result<Proofs, StoreError> {
        self.run(|connection| {
            let mut proofs = Proofs::new();
            for (step, proof) in rows::<Proof>(
                connection,
                "SELECT step, proof FROM migration_proofs ORDER BY id",
            )? {
                proofs.entry(step).or_default().push(proof);
            }
            Ok(proofs)
        })
        .await
    }

    /// Adds something found of a step.
    pub async fn add_migration_proof(&self, step: StepId, proof: Proof) -> Result<(), StoreError> {
        let text = serde_json::to_string(&proof)?;
        self.run(move |connection| {
            let all = connection.transaction()?;
            all.execute(
                "INSERT INTO migration_proofs (step, proof) VALUES (?, ?)",
                params![step.as_str(), text],
            )?;
            all.execute(
                "DELETE FROM migration_proofs WHERE step = ?1 AND id NOT IN
                 (SELECT id FROM migration_proofs WHERE step = ?1 ORDER BY id DESC LIMIT ?2)",
                params![step.as_str(), PROOFS_KEPT],
            )?;
            Ok(all.commit()?)
        })
        .await
    }

    /// The last look at each step.
    pub async fn migration_looks(&self) -> Result<BTreeMap<StepId, StepLook>, StoreError> {
        self.run(|connection| {
            let looks = rows(connection, "SELECT step, look FROM migration_looks")?;
            Ok(looks.into_iter().collect())
        })
        .await
    }

    /// Keeps the last look at a step.
    pub async fn put_migration_look(&self, step: StepId, look: StepLook) -> Result<(), StoreError> {
        let text = serde_json::to_string(&look)?;
        self.run(move |connection| {
            connection.execute(
                "INSERT OR REPLACE INTO migration_looks (step, look) VALUES (?, ?)",
                params![step.as_str(), text],
            )?;
            Ok(())
        })
        .await
    }

    /// What is being done, or was when its program ended.
    pub async fn migration_actions(&self) -> Result<Vec<StepAction>, StoreError> {
        self.run(|connection| {
            let actions = rows(
                connection,
                "SELECT step, action FROM migration_actions ORDER BY step",
            )?;
            Ok(actions.into_iter().map(|(_, action)| action).collect())
        })
        .await
    }

    /// Keeps what is about to be done; false when `instead_of` is not what is there. One action at a
    /// time is for the database to see to: two programs may ask at once.
    pub async fn begin_migration_action(
        &self,
        action: StepAction,
        instead_of: Option<StepAction>,
    ) -> Result<bool, StoreError> {
        let text = serde_json::to_string(&action)?;
        let old = instead_of
            .map(|old| serde_json::to_string(&old))
            .transpose()?;
        self.run(move |connection| {
            let all = connection.transaction()?;
            let there: Option<String> = all
                .query_row(
                    "SELECT action FROM migration_actions WHERE step = ?",
                    [action.step.as_str()],
                    |row| row.get(0),
                )
                .optional()?;
            if there != old {
                return Ok(false);
            }
            all.execute(
                "INSERT OR REPLACE INTO migration_actions (step, action) VALUES (?, ?)",
                params![action.step.as_str(), text],
            )?;
            all.commit()?;
            Ok(true)
        })
        .await
    }

    /// What was done has ended.
    pub async fn end_migration_action(&self, step: StepId) -> Result<(), StoreError> {
        self.run(move |connection| {
            let sql = "DELETE FROM migration_actions WHERE step = ?";
            connection.execute(sql, [step.as_str()])?;
            Ok(())
        })
        .await
    }

    /// What a step remembers of what it did.
    pub async fn migration_memory(&self, step: StepId) -> Result<Option<Value>, StoreError> {
        self.run(move |connection| {
            let sql = "SELECT memory FROM migration_memory WHERE step = ?";
            let text: Option<String> = connection
                .query_row(sql, [step.as_str()], |row| row.get(0))
                .optional()?;
            Ok(text.map(|text| serde_json::from_str(&text)).transpose()?)
        })
        .await
    }

    /// Keeps it; `None` forgets.
    pub async fn put_migration_memory(
        &self,
        step: StepId,
        memory: Option<Value>,
    ) -> Result<(), StoreError> {
        self.run(move |connection| {
            match memory {
                Some(memory) => connection.execute(
                    "INSERT OR REPLACE INTO migration_memory (step, memory) VALUES (?, ?)",
                    params![step.as_str(), memory.to_string()],
                )?,
                None => connection.execute(
                    "DELETE FROM migration_memory WHERE step = ?",
                    [step.as_str()],
                )?,
            };
            Ok(())
        })
        .await
    }

    /// Adds to the flight recorder.
    pub async fn record_migration(&self, entry: RecordEntry) -> Result<(), StoreError> {
        let at = nanoseconds(entry.at)?;
        let text = serde_json::to_string(&entry.bounded())?;
        self.run(move |connection| {
            let all = connection.transaction()?;
            all.execute(
                "INSERT INTO migration_record (at_ns, entry) VALUES (?, ?)",
                params![at, text],
            )?;
            all.execute(
                "DELETE FROM migration_record
                 WHERE id <= (SELECT max(id) FROM migration_record) - ?",
                [ENTRIES_KEPT],
            )?;
            Ok(all.commit()?)
        })
        .await
    }

    /// The newest entries of the recorder, oldest first.
    pub async fn migration_record(&self, limit: u32) -> Result<Vec<RecordEntry>, StoreError> {
        self.run(move |connection| {
            let mut statement = connection
                .prepare_cached("SELECT entry FROM migration_record ORDER BY id DESC LIMIT ?")?;
            let found = statement.query_map([limit], |row| row.get::<_, String>(0))?;
            let mut entries: Vec<RecordEntry> = super::readable(found)?;
            entries.reverse();
            Ok(entries)
        })
        .await
    }
}

/// Rows of a step's name and JSON. One that this version cannot read is passed over, and said so.
fn rows<T: serde::de::DeserializeOwned>(
    connection: &Connection,
    sql: &str,
) -> Result<Vec<(StepId, T)>, StoreError> {
    let mut statement = connection.prepare_cached(sql)?;
    let found = statement.query_map([], |row| {
        Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?))
    })?;
    let mut rows = Vec::new();
    for row in found {
        let (step, text) = row?;
        match (StepId::new(step), serde_json::from_str(&text)) {
            (Ok(step), Ok(value)) => rows.push((step, value)),
            (_, Err(error)) => tracing::warn!(%error, "an entry of the migration is not readable"),
            (Err(error), _) => tracing::warn!(%error, "an entry of the migration has no step"),
        }
    }
    Ok(rows)
}

#[cfg(test)]
mod tests {
    use forgekeeper_domain::migration::{Basis, RecordOutcome, Verdict};

    use super::{super::gallery::tests::open_at, *};

    fn step() -> StepId {
        StepId::new("backup").unwrap()
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[tokio::test]
    async fn proofs_come_back_in_order_and_have_a_bound() {
        let dir = tempfile::tempdir().unwrap();
        let store = open_at(dir.path()).await;
        for second in 0..60 {
            let proof = Proof {
                at: at(second),
                verdict: Verdict::Passed,
                evidence: Vec::new(),
                basis: Basis::Measured,
            };
            store.add_migration_proof(step(), proof).await.unwrap();
        }
        let proofs = store.migration_proofs().await.unwrap();
        let times: Vec<i64> = proofs[&step()].iter().map(|p| p.at.as_second()).collect();
        assert_eq!(times, (10..60).collect::<Vec<_>>());
    }

    #[tokio::test]
    async fn one_action_at_a_time_is_begun() {
        let dir = tempfile::tempdir().unwrap();
        let store = open_at(dir.path()).await;
        let action = |owner: &str| StepAction {
            step: step(),
            action: RecordAction::Run,
            since: at(5),
            owner: owner.to_owned(),
            told: false,
        };
        let begin = |new: &str, old: Option<&str>| {
            store.begin_migration_action(action(new), old.map(action))
        };
        assert!(begin("a", None).await.unwrap());
        assert!(!begin("b", None).await.unwrap());
        assert!(begin("b", Some("a")).await.unwrap());
        assert!(!begin("c", Some("a")).await.unwrap());
        assert_eq!(store.migration_actions().await.unwrap(), [action("b")]);
        store.end_migration_action(step()).await.unwrap();
        assert_eq!(store.migration_actions().await.unwrap(), []);
    }

    #[tokio::test]
    async fn the_record_and_what_is_remembered_are_kept() {
        let dir = tempfile::tempdir().unwrap();
        let store = open_at(dir.path()).await;
        for second in 0..3 {
            let entry = RecordEntry::new(
                at(second),
                Some(step()),
                RecordAction::Check,
                RecordOutcome::Unknown,
            );
            store.record_migration(entry).await.unwrap();
        }
        let record = store.migration_record(2).await.unwrap();
        let times: Vec<i64> = record.iter().map(|entry| entry.at.as_second()).collect();
        assert_eq!(times, [1, 2]);
        let memory = serde_json::json!({"a": 1});
        store
            .put_migration_memory(step(), Some(memory.clone()))
            .await
            .unwrap();
        assert_eq!(store.migration_memory(step()).await.unwrap(), Some(memory));
        store.put_migration_memory(step(), None).await.unwrap();
        assert_eq!(store.migration_memory(step()).await.unwrap(), None);
    }
}
