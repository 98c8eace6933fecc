//! Golden prompts for those outside: sets, runs, comparisons, votes.

use std::{collections::BTreeMap, path::PathBuf, sync::Arc};

use forgekeeper_domain::{
    error::{ErrorCode, ErrorInfo},
    generation::GenerationRecord,
    golden::{
        self, GoldenComparison, GoldenProgress, GoldenRun, GoldenRuns, GoldenSet, Likeness, Vote,
    },
    ids::{JobId, ServiceId},
    job::{Job, JobKind},
};

use super::{
    doors::remember_generation,
    gallery::remove_pictures,
    generations::in_order,
    handle::{KeeperHandle, new_job},
    save::save,
};
use crate::{
    jobs::golden::{Keep, Made, run_set},
    media::likeness::likeness,
    sys::clock,
};

impl KeeperHandle {
    /// All sets by name.
    pub async fn golden_sets(&self) -> Result<Vec<GoldenSet>, ErrorInfo> {
        Ok(self.inner.store.golden_sets().await?)
    }

    /// Keeps a set. Refused for one that was run already and would change.
    pub async fn save_golden_set(&self, set: GoldenSet) -> Result<(), ErrorInfo> {
        set.check()
            .map_err(|problem| ErrorInfo::new(ErrorCode::BadRequest, problem.to_string()))?;
        let name = set.name.clone();
        if self.inner.store.put_golden_set(set).await? {
            return Ok(());
        }
        Err(ErrorInfo::new(
            ErrorCode::Refused,
            format!("the golden set `{name}` was run already and stays as it is"),
        )
        .hint("Keep the new one under another name."))
    }

    /// Removes a set with its runs and votes; pictures that the history still has stay there.
    pub async fn remove_golden_set(&self, name: String) -> Result<(), ErrorInfo> {
        loop {
            // They are listed a part at a time.
            let runs = self.inner.store.golden_runs(name.clone()).await?;
            if runs.is_empty() {
                break;
            }
            for run in runs {
                self.remove_golden_run(run.id).await?;
            }
        }
        let unknown = no_set(&name);
        let gone = self.inner.store.remove_golden_set(name).await?;
        if gone { Ok(()) } else { Err(unknown) }
    }

    /// Runs a set on a service; the job's id is that of the run. `GpuMemoryLow` when the card has too
    /// little room for one of its prompts, which `force` passes over.
    pub async fn run_golden(
        &self,
        set: &str,
        service: &ServiceId,
        force: bool,
    ) -> Result<JobId, ErrorInfo> {
        let sets = self.inner.store.golden_sets().await?;
        let found = sets.into_iter().find(|known| known.name == set);
        let set = found.ok_or_else(|| no_set(set))?;
        if !force {
            for prompt in &set.prompts {
                self.has_room(service, &prompt.request).await?;
            }
        }
        let easel = self.easel(service).await?;
        let run = self.inner.jobs.begin(
            Job {
                cancellable: true,
                golden: set.prompts.first().map(|first| GoldenProgress {
                    set: set.name.clone(),
                    prompt: first.name.clone(),
                    done: 0,
                    of: u32::try_from(set.prompts.len()).unwrap_or(u32::MAX),
                }),
                ..new_job(JobKind::Golden, service.clone(), None)?
            },
            self.inner.reports.clone(),
        )?;
        let id = run.job.id.clone();
        let begun = GoldenRun {
            id: id.clone(),
            set: set.name.clone(),
            service: service.clone(),
            started_at: run.job.started_at,
            complete: false,
            entries: Vec::new(),
        };
        self.inner.store.begin_golden_run(begun).await?;
        run.show().await;
        let keep = self.keep_entries(id.clone());
        let stop = self.inner.tasks.token();
        self.inner.tasks.spawn("golden set", async move {
            let cancel = run.cancel.clone();
            let work = Box::pin(run_set(run, &easel, set, keep));
            // What was made before is kept.
            in_order(&stop, &cancel, &easel, work).await;
        });
        Ok(id)
    }

    /// Keeps each picture in the history, too, where every other one is.
    fn keep_entries(&self, run: JobId) -> Keep {
        let inner = Arc::clone(&self.inner);
        Box::new(move |made| {
            let (inner, run) = (Arc::clone(&inner), run.clone());
            Box::pin(async move {
                match made {
                    Made::Entry(entry) => {
                        let pictures = entry.record.pictures.iter();
                        let hashes = pictures.map(|picture| picture.hash.clone()).collect();
                        // Before the history may let the oldest go.
                        inner.store.pin_pictures(&pin(&run), hashes).await?;
                        remember_generation(&inner, entry.record.clone()).await;
                        inner.store.add_golden_entry(run, *entry).await?;
                    }
                    Made::All => inner.store.complete_golden_run(run).await?,
                }
                Ok(())
            })
        })
    }

    /// Runs of a set, newest first.
    pub async fn golden_runs(&self, set: String) -> Result<Vec<GoldenRun>, ErrorInfo> {
        Ok(self.inner.store.golden_runs(set).await?)
    }

    /// The same, with the two that a comparison begins with, and whether the set may still change.
    pub async fn golden_record(&self, set: String) -> Result<GoldenRuns, ErrorInfo> {
        let runs = self.golden_runs(set).await?;
        let [reference, candidate] = golden::to_compare(&runs).map(|run| Some(run?.id.clone()));
        Ok(GoldenRuns {
            reference,
            candidate,
            frozen: !runs.is_empty(),
            runs,
        })
    }

    /// Removes a run with its votes; pictures that the history still has stay there.
    pub async fn remove_golden_run(&self, run: JobId) -> Result<(), ErrorInfo> {
        if !self.inner.store.remove_golden_run(run.clone()).await? {
            return Err(no_run(&run));
        }
        let free = self.inner.store.unpin_pictures(&pin(&run)).await?;
        remove_pictures(&self.inner, free).await;
        Ok(())
    }

    /// Compares two runs of one set, prompt by prompt.
    pub async fn compare_golden(
        &self,
        reference: &JobId,
        candidate: &JobId,
    ) -> Result<GoldenComparison, ErrorInfo> {
        let store = &self.inner.store;
        let find = async |id: &JobId| store.golden_run(id).await?.ok_or_else(|| no_run(id));
        let (old, new) = (find(reference).await?, find(candidate).await?);
        if old.set != new.set {
            return Err(ErrorInfo::new(
                ErrorCode::BadRequest,
                format!(
                    "runs of `{}` and of `{}` have nothing to compare",
                    old.set, new.set
                ),
            ));
        }
        let votes = store.golden_votes([reference, candidate]).await?;
        let mut seen = BTreeMap::new();
        for entry in &old.entries {
            let other = new.entries.iter().find(|e| e.prompt == entry.prompt);
            if let Some(other) = other
                && let Some(likeness) = self.likeness_of(&entry.record, &other.record).await
            {
                seen.insert(entry.prompt.clone(), likeness);
            }
        }
        Ok(golden::compare(&old, &new, &votes, &seen))
    }

    /// How alike the first pictures of two records are; `None` where one is missing or broken.
    async fn likeness_of(&self, a: &GenerationRecord, b: &GenerationRecord) -> Option<Likeness> {
        let (a, b) = (a.pictures.first()?, b.pictures.first()?);
        let pictures = &self.inner.pictures;
        let (a, b) = (pictures.get(&a.hash).await, pictures.get(&b.hash).await);
        let (a, b) = match (a, b) {
            (Ok(a), Ok(b)) => (a.bytes, b.bytes),
            (Err(error), _) | (_, Err(error)) => {
                tracing::warn!(error = error.message, "a golden picture is gone");
                return None;
            }
        };
        let compared = tokio::task::spawn_blocking(move || likeness(&a, &b)).await;
        compared.ok()?.ok()
    }

    /// Keeps a vote on a prompt between two runs.
    pub async fn vote_golden(
        &self,
        reference: JobId,
        candidate: JobId,
        prompt: String,
        vote: Vote,
    ) -> Result<(), ErrorInfo> {
        for run in [&reference, &candidate] {
            let known = self.inner.store.golden_run(run).await?;
            let known = known.ok_or_else(|| no_run(run))?;
            if !known.entries.iter().any(|entry| entry.prompt == prompt) {
                let text = format!("the run has no prompt `{prompt}`");
                return Err(ErrorInfo::new(ErrorCode::BadRequest, text));
            }
        }
        let runs = [reference, candidate];
        Ok(self.inner.store.put_golden_vote(runs, prompt, vote).await?)
    }

    /// A name for the file of a comparison, with the time on this machine.
    pub fn golden_file_name(&self) -> String {
        // No colon: Windows takes none.
        format!("golden-{}.csv", clock::local().strftime("%Y-%m-%dT%H%M"))
    }

    /// A comparison as a table for other programs (CSV), written to a file.
    pub async fn save_golden_table(
        &self,
        reference: &JobId,
        candidate: &JobId,
        path: PathBuf,
    ) -> Result<(), ErrorInfo> {
        let comparison = self.compare_golden(reference, candidate).await?;
        save(path, golden::csv(&comparison).into_bytes()).await
    }
}

/// The name under which a run holds its pictures.
fn pin(run: &JobId) -> String {
    format!("golden/{run}")
}

fn no_set(name: &str) -> ErrorInfo {
    ErrorInfo::new(
        ErrorCode::BadRequest,
        format!("there is no golden set `{name}`"),
    )
}

fn no_run(id: &JobId) -> ErrorInfo {
    ErrorInfo::new(
        ErrorCode::BadRequest,
        format!("there is no golden run `{id}`"),
    )
}
