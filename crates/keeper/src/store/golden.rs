//! Golden prompts: sets, their runs, and votes between two runs.

use std::collections::BTreeMap;

use forgekeeper_domain::{
    generation::GenerationRecord,
    golden::{GoldenEntry, GoldenPrompt, GoldenRun, GoldenSet, Vote},
    ids::{JobId, ServiceId},
};
use rusqlite::{Connection, OptionalExtension as _, params};

use super::{Store, StoreError, nanoseconds};

/// Sets kept.
const MAX_SETS: i64 = 1_000;
/// Newest runs of a set that are listed.
const LISTED_RUNS: i64 = 100;

impl Store {
    /// Keeps a set; one of the same name is replaced, but for one that was run: what was made of it
    /// would be compared with what was made of something else. False for that one.
    pub async fn put_golden_set(&self, set: GoldenSet) -> Result<bool, StoreError> {
        let prompts = serde_json::to_string(&set.prompts)?;
        self.run(move |connection| {
            let sets: i64 =
                connection.query_row("SELECT count(*) FROM golden_sets", [], |row| row.get(0))?;
            if sets >= MAX_SETS {
                let text = format!("more than {MAX_SETS} golden sets");
                return Err(StoreError::Value(text));
            }
            let changed = connection.execute(
                "INSERT INTO golden_sets (name, prompts) VALUES (?1, ?2)
                 ON CONFLICT (name) DO UPDATE SET prompts = excluded.prompts
                 WHERE prompts = excluded.prompts
                    OR NOT EXISTS (SELECT 1 FROM golden_runs WHERE set_name = ?1)",
                params![set.name, prompts],
            )?;
            Ok(changed > 0)
        })
        .await
    }

    /// Removes a set, not its runs. False when there was none.
    pub async fn remove_golden_set(&self, name: String) -> Result<bool, StoreError> {
        self.run(move |connection| {
            let gone = connection.execute("DELETE FROM golden_sets WHERE name = ?", [name])?;
            Ok(gone > 0)
        })
        .await
    }

    /// All sets by name.
    pub async fn golden_sets(&self) -> Result<Vec<GoldenSet>, StoreError> {
        self.run(|connection| {
            let mut statement =
                connection.prepare_cached("SELECT name, prompts FROM golden_sets ORDER BY name")?;
            let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get::<_, String>(1)?)))?;
            let mut sets = Vec::new();
            for row in rows {
                let (name, prompts) = row?;
                // One written by a newer version does not hide the others.
                match serde_json::from_str::<Vec<GoldenPrompt>>(&prompts) {
                    Ok(prompts) => sets.push(GoldenSet { name, prompts }),
                    Err(error) => {
                        tracing::warn!(%name, %error, "a golden set cannot be read and is left out");
                    }
                }
            }
            Ok(sets)
        })
        .await
    }

    /// Keeps a run that begins; its entries are added one by one.
    pub async fn begin_golden_run(&self, run: GoldenRun) -> Result<(), StoreError> {
        let at = nanoseconds(run.started_at)?;
        self.run(move |connection| {
            connection.execute(
                "INSERT INTO golden_runs (job, set_name, service, at_ns, complete)
                 VALUES (?, ?, ?, ?, 0)",
                params![run.id.as_str(), run.set, run.service.as_str(), at],
            )?;
            Ok(())
        })
        .await
    }

    /// Adds what became of a run's next prompt.
    pub async fn add_golden_entry(&self, run: JobId, entry: GoldenEntry) -> Result<(), StoreError> {
        let record = serde_json::to_string(&entry.record)?;
        self.run(move |connection| {
            connection.execute(
                "INSERT INTO golden_entries (job, place, prompt, record)
                 SELECT ?1, count(*), ?2, ?3 FROM golden_entries WHERE job = ?1",
                params![run.as_str(), entry.prompt, record],
            )?;
            Ok(())
        })
        .await
    }

    /// Every prompt of a run was tried.
    pub async fn complete_golden_run(&self, run: JobId) -> Result<(), StoreError> {
        self.run(move |connection| {
            let sql = "UPDATE golden_runs SET complete = 1 WHERE job = ?";
            connection.execute(sql, [run.as_str()])?;
            Ok(())
        })
        .await
    }

    /// Removes a run with its entries and votes. False when there was none.
    pub async fn remove_golden_run(&self, run: JobId) -> Result<bool, StoreError> {
        self.run(move |connection| {
            let all = connection.transaction()?;
            let job = run.as_str();
            all.execute("DELETE FROM golden_entries WHERE job = ?", [job])?;
            all.execute(
                "DELETE FROM golden_votes WHERE reference = ?1 OR candidate = ?1",
                [job],
            )?;
            let gone = all.execute("DELETE FROM golden_runs WHERE job = ?", [job])?;
            all.commit()?;
            Ok(gone > 0)
        })
        .await
    }

    /// Runs of a set, newest first.
    pub async fn golden_runs(&self, set: String) -> Result<Vec<GoldenRun>, StoreError> {
        self.run(move |connection| {
            let mut statement = connection.prepare_cached(
                "SELECT job FROM golden_runs WHERE set_name = ?
                 ORDER BY at_ns DESC, rowid DESC LIMIT ?",
            )?;
            let jobs: Vec<String> = statement
                .query_map(params![set, LISTED_RUNS], |row| row.get(0))?
                .collect::<Result<_, _>>()?;
            let runs = jobs.iter().map(|job| read_run(connection, job));
            Ok(runs
                .collect::<Result<Vec<_>, _>>()?
                .into_iter()
                .flatten()
                .collect())
        })
        .await
    }

    /// One run.
    pub async fn golden_run(&self, run: &JobId) -> Result<Option<GoldenRun>, StoreError> {
        let run = run.clone();
        self.run(move |connection| read_run(connection, run.as_str()))
            .await
    }

    /// Keeps a vote between two runs; one given before is replaced.
    pub async fn put_golden_vote(
        &self,
        [reference, candidate]: [JobId; 2],
        prompt: String,
        vote: Vote,
    ) -> Result<(), StoreError> {
        let vote = serde_json::to_string(&vote)?;
        self.run(move |connection| {
            connection.execute(
                "INSERT INTO golden_votes (reference, candidate, prompt, vote) VALUES (?, ?, ?, ?)
                 ON CONFLICT (reference, candidate, prompt) DO UPDATE SET vote = excluded.vote",
                params![reference.as_str(), candidate.as_str(), prompt, vote],
            )?;
            Ok(())
        })
        .await
    }

    /// Votes between two runs, by prompt.
    pub async fn golden_votes(
        &self,
        [reference, candidate]: [&JobId; 2],
    ) -> Result<BTreeMap<String, Vote>, StoreError> {
        let runs = [reference.clone(), candidate.clone()];
        self.run(move |connection| {
            let mut statement = connection.prepare_cached(
                "SELECT prompt, vote FROM golden_votes WHERE reference = ? AND candidate = ?",
            )?;
            let rows = statement.query_map([runs[0].as_str(), runs[1].as_str()], |row| {
                Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?))
            })?;
            let mut votes = BTreeMap::new();
            for row in rows {
                let (prompt, vote) = row?;
                votes.insert(prompt, serde_json::from_str(&vote)?);
            }
            Ok(votes)
        })
        .await
    }
}

fn read_run(connection: &Connection, job: &str) -> Result<Option<GoldenRun>, StoreError> {
    let head = connection
        .prepare_cached("SELECT set_name, service, at_ns, complete FROM golden_runs WHERE job = ?")?
        .query_row([job], |row| {
            let head: (String, String, i64, bool) =
                (row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?);
            Ok(head)
        })
        .optional()?;
    let Some((set, service, at, complete)) = head else {
        return Ok(None);
    };
    let mut statement = connection
        .prepare_cached("SELECT prompt, record FROM golden_entries WHERE job = ? ORDER BY place")?;
    let rows = statement.query_map([job], |row| {
        Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?))
    })?;
    let mut entries = Vec::new();
    for row in rows {
        let (prompt, record) = row?;
        let record: GenerationRecord = serde_json::from_str(&record)?;
        entries.push(GoldenEntry { prompt, record });
    }
    let odd = |error: &dyn std::fmt::Display| StoreError::Value(error.to_string());
    Ok(Some(GoldenRun {
        id: JobId::new(job).map_err(|error| odd(&error))?,
        set,
        service: ServiceId::new(service).map_err(|error| odd(&error))?,
        started_at: forgekeeper_domain::Timestamp::from_nanosecond(i128::from(at))
            .map_err(|error| odd(&error))?,
        complete,
        entries,
    }))
}
