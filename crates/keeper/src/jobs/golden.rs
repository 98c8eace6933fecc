//! A golden set as a job: its pictures, one after the other, whatever becomes of each.

use forgekeeper_domain::{
    error::{ErrorCode, ErrorInfo},
    generation::GenerationVerdict,
    golden::{GoldenEntry, GoldenProgress, GoldenSet},
    job::JobPhase,
};
use futures_util::future::BoxFuture;

use crate::sys::clock;

use super::{
    JobRun,
    generate::{Easel, Order, make},
    new_id,
};

/// What a run leaves behind.
pub(crate) enum Made {
    /// What became of the next prompt.
    Entry(Box<GoldenEntry>),
    /// Every prompt was tried.
    All,
}

/// Keeps it; an error ends the run.
pub(crate) type Keep = Box<dyn Fn(Made) -> BoxFuture<'static, Result<(), ErrorInfo>> + Send + Sync>;

/// Runs a set to its end. A prompt that fails is kept as such and the next one is made, but for a
/// service that does not answer any more: every other prompt would fail in the same way.
pub(crate) async fn run_set(mut run: JobRun, easel: &Easel, set: GoldenSet, keep: Keep) {
    match try_set(&mut run, easel, &set, &keep).await {
        Ok(()) => {
            if let Some(golden) = &mut run.job.golden {
                // It stays: an ended job still says which set it was.
                golden.done = golden.of;
            }
            run.end(JobPhase::Succeeded, None).await;
        }
        Err(error) => {
            let phase = match error.code {
                ErrorCode::Cancelled => JobPhase::Cancelled,
                _ => JobPhase::Failed,
            };
            run.job.generation = None;
            run.end(phase, Some(error)).await;
        }
    }
}

async fn try_set(
    run: &mut JobRun,
    easel: &Easel,
    set: &GoldenSet,
    keep: &Keep,
) -> Result<(), ErrorInfo> {
    let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    for (done, prompt) in set.prompts.iter().enumerate() {
        if run.cancel.is_cancelled() {
            return Err(cancelled());
        }
        run.job.golden = Some(GoldenProgress {
            set: set.name.clone(),
            prompt: prompt.name.clone(),
            done: count(done),
            of: count(set.prompts.len()),
        });
        let record = make(
            run,
            easel,
            (new_id()?, clock::now()),
            Order::plain(prompt.request.clone()),
        )
        .await;
        run.job.generation = None;
        if run.cancel.is_cancelled() && record.verdict == GenerationVerdict::Interrupted {
            return Err(cancelled());
        }
        let failed = record.verdict == GenerationVerdict::Failed;
        let entry = GoldenEntry {
            prompt: prompt.name.clone(),
            record,
        };
        keep(Made::Entry(Box::new(entry))).await?;
        if failed {
            // Whoever does not even say what it offers makes none of the other pictures.
            easel.painter.choices().await?;
        }
    }
    keep(Made::All).await
}

fn cancelled() -> ErrorInfo {
    ErrorInfo::new(
        ErrorCode::Cancelled,
        "The golden set was stopped; what was made before is kept.",
    )
}
