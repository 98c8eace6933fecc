//! Generations under way: kept before they are sent, gone with their record. What is left of a program
//! that ended is found again by its ticket.

use forgekeeper_domain::{
    Timestamp,
    generation::GenerationRequest,
    ids::{JobId, ServiceId},
};
use rusqlite::params;
use serde::{Deserialize, Serialize};

use super::{Store, StoreError};
use crate::clients::errand::Ticket;

/// A generation without a record.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PendingGeneration {
    /// The job that makes it.
    pub job: JobId,
    /// On which service.
    pub service: ServiceId,
    /// As asked.
    pub request: GenerationRequest,
    /// The workflow of one's own that it was put into.
    #[serde(default)]
    pub workflow: Option<String>,
    /// When it was asked for.
    pub started_at: Timestamp,
    /// What it is found by.
    pub ticket: Ticket,
    /// The running program that follows it.
    pub owner: String,
}

impl Store {
    /// Keeps a generation that is about to be sent; one with the same job id is replaced.
    pub async fn put_pending(&self, pending: PendingGeneration) -> Result<(), StoreError> {
        let text = serde_json::to_string(&pending)?;
        self.run(move |connection| {
            connection
                .prepare_cached(
                    "INSERT OR REPLACE INTO pending_generations (job, owner, pending)
                     VALUES (?, ?, ?)",
                )?
                .execute(params![pending.job.as_str(), pending.owner, text])?;
            Ok(())
        })
        .await
    }

    /// Every generation without a record.
    pub async fn pending_generations(&self) -> Result<Vec<PendingGeneration>, StoreError> {
        self.run(|connection| {
            let mut statement =
                connection.prepare_cached("SELECT pending FROM pending_generations")?;
            let rows = statement.query_map([], |row| row.get::<_, String>(0))?;
            super::readable(rows)
        })
        .await
    }

    /// Takes a generation over from a program that ended; whether nobody else was faster.
    pub async fn take_pending(
        &self,
        mut pending: PendingGeneration,
        owner: &str,
    ) -> Result<bool, StoreError> {
        let before = std::mem::replace(&mut pending.owner, owner.to_owned());
        let text = serde_json::to_string(&pending)?;
        self.run(move |connection| {
            let taken = connection
                .prepare_cached(
                    "UPDATE pending_generations SET owner = ?, pending = ?
                     WHERE job = ? AND owner = ?",
                )?
                .execute(params![pending.owner, text, pending.job.as_str(), before])?;
            Ok(taken == 1)
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::gallery::tests::{job, made, open_at},
        *,
    };

    #[test]
    fn a_ticket_of_before_the_couriers_is_read() {
        let old = serde_json::json!({"kind": "forge", "task": "t", "borrowed": null});
        let ticket: Ticket = serde_json::from_value(old).unwrap();
        let expected = Ticket::Forge {
            task: "t".to_owned(),
            borrowed: None,
            courier: None,
        };
        assert_eq!(ticket, expected);
    }

    #[tokio::test]
    async fn a_pending_generation_is_taken_by_one_and_goes_with_its_record() {
        let dir = tempfile::tempdir().unwrap();
        let store = open_at(dir.path()).await;
        let record = made("j", 1, "x");
        let pending = PendingGeneration {
            job: job("j"),
            service: record.service.clone(),
            request: record.request.clone(),
            workflow: None,
            started_at: record.started_at,
            ticket: Ticket::Forge {
                task: "t".to_owned(),
                borrowed: None,
                courier: None,
            },
            owner: "dead".to_owned(),
        };
        store.put_pending(pending.clone()).await.unwrap();
        let again = PendingGeneration {
            ticket: Ticket::Comfyui {
                prompt: "p".to_owned(),
                client: "c".to_owned(),
                graph: serde_json::json!({"1": {"class_type": "X"}}),
                own: false,
                substitutions: Vec::new(),
            },
            ..pending
        };
        store.put_pending(again.clone()).await.unwrap();
        let kept = store.pending_generations().await.unwrap();
        assert_eq!(kept, std::slice::from_ref(&again));
        assert!(store.take_pending(again.clone(), "a").await.unwrap());
        assert!(!store.take_pending(again.clone(), "b").await.unwrap());
        assert_eq!(store.pending_generations().await.unwrap()[0].owner, "a");
        store.insert_generation(record).await.unwrap();
        assert_eq!(store.pending_generations().await.unwrap(), []);
    }
}
