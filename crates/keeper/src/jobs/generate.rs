//! One test generation as a job: progress while it runs, pictures kept, proof judged.

use std::time::{Duration, Instant};

use bytes::Bytes;
use forgekeeper_domain::{
    Timestamp,
    error::{ErrorCode, ErrorInfo},
    generation::{
        GenerationProgress, GenerationRecord, GenerationRequest, GenerationStage,
        GenerationVerdict, StageClock,
    },
    job::JobPhase,
    logs::{LogQuery, traceback::is_cause_line},
};
use tokio::sync::watch;

use super::JobRun;
use crate::{
    clients::{
        LiveProgress, Painter,
        failure::{Failure, told_by_log},
    },
    logs::ServiceLog,
    media::{pictures::PictureStore, preview::Previews, proof},
    sys::clock,
};

/// How long the log may take to say why a generation failed.
const LOG_PATIENCE: Duration = Duration::from_secs(3);

/// Runs a generation to its end; the record is what the history keeps.
pub(crate) async fn generate(
    mut run: JobRun,
    painter: Painter,
    request: GenerationRequest,
    pictures: PictureStore,
    previews: Previews,
    log: ServiceLog,
) -> GenerationRecord {
    let started_at = run.job.started_at;
    let mut clock = StageClock::default();
    clock.saw(0, GenerationStage::Waiting, None);
    let since = Instant::now();
    let id = run.job.id.clone();
    run.job.generation = Some(GenerationProgress {
        stage: GenerationStage::Waiting,
        fraction: None,
        step: None,
        steps: Some(request.steps),
        eta_s: None,
        preview: None,
        queue_ahead: None,
    });
    run.show().await;
    let (progress, mut live) = watch::channel(None::<LiveProgress>);
    let cancel = run.cancel.clone();
    let asked = request.clone();
    let task = painter.txt2img(&asked, &cancel, |seen| {
        progress.send_modify(|told| {
            // A step that comes right behind a picture must not take its place.
            let before = told.take().and_then(|told| told.preview);
            let preview = seen.preview.or(before);
            *told = Some(LiveProgress { preview, ..seen });
        });
    });
    tokio::pin!(task);
    let mut put: Option<Bytes> = None;
    let mut raw = loop {
        tokio::select! {
            raw = &mut task => break raw,
            Ok(()) = live.changed() => {
                let Some(live) = live.borrow_and_update().clone() else { continue };
                clock.saw(milliseconds(since.elapsed()), live.progress.stage, live.progress.step);
                let before = run.job.generation.take().and_then(|g| g.preview);
                let preview = match live.preview {
                    Some(bytes) if put.as_ref() != Some(&bytes) => {
                        put = Some(bytes.clone());
                        previews.put(&id, bytes).or(before)
                    }
                    Some(_) | None => before,
                };
                run.job.generation = Some(GenerationProgress { preview, ..live.progress });
                run.show().await;
            }
        }
    };
    raw.failure = match raw.failure {
        Some(failure) => Some(explained(failure, &log, started_at).await),
        None => None,
    };
    let ready = raw.ready.map(milliseconds);
    let proof = proof::prove(&request, raw, &pictures).await;
    previews.forget(&id);
    let made = !proof.pictures.is_empty();
    let record = GenerationRecord {
        id,
        service: run.job.service.clone(),
        request,
        started_at,
        took_ms: took_ms(started_at, clock::now()),
        verdict: proof.verdict,
        pictures: proof.pictures,
        substitutions: proof.substitutions,
        parameters: proof.parameters,
        model: proof.model,
        error: proof.error,
        timing: made.then(|| clock.end(ready, milliseconds(since.elapsed()))),
        card: None,
    };
    run.job.generation = None;
    run.job.record = Some(record.clone());
    let (phase, error) = ending(&record);
    run.end(phase, error).await;
    record
}

/// A failure, by the log's word where the server itself does not say why.
pub(super) async fn explained(failure: Failure, log: &ServiceLog, since: Timestamp) -> Failure {
    if says_nothing(&failure)
        && let Some(told) = reason_in_log(log, since).await
    {
        return told;
    }
    failure
}

/// Whether a failure is the plain sentence of a server that does not say why.
fn says_nothing((verdict, error): &Failure) -> bool {
    *verdict == GenerationVerdict::Failed
        && error
            .detail
            .as_deref()
            .is_some_and(|d| d.trim() == "Internal Server Error")
}

/// The last cause line written since the request was sent. Logs come a moment after the answer.
async fn reason_in_log(log: &ServiceLog, since: Timestamp) -> Option<Failure> {
    let query = LogQuery {
        since: Some(since),
        ..LogQuery::default()
    };
    let mut reader = log.read(&query).ok()?;
    let mut cause = None;
    let search = async {
        while let Some(batch) = reader.next().await {
            for line in batch.lines.iter().filter(|l| is_cause_line(&l.text)) {
                cause = Some(line.text.clone());
            }
            if cause.is_some() {
                return;
            }
        }
    };
    // Without a line in time the plain answer stands.
    let _ = tokio::time::timeout(LOG_PATIENCE, search).await;
    cause.map(|line| told_by_log(&line))
}

/// A generation that proved nothing is no success, whatever the server answered.
fn ending(record: &GenerationRecord) -> (JobPhase, Option<ErrorInfo>) {
    use forgekeeper_domain::generation::GenerationVerdict as Verdict;
    match record.verdict {
        Verdict::Proved => (JobPhase::Succeeded, None),
        Verdict::Interrupted => (JobPhase::Cancelled, record.error.clone()),
        _ => {
            let error = record.error.clone().unwrap_or_else(|| {
                ErrorInfo::new(
                    ErrorCode::Api,
                    "the generation ended without a usable picture",
                )
            });
            (JobPhase::Failed, Some(error))
        }
    }
}

fn milliseconds(time: Duration) -> u32 {
    u32::try_from(time.as_millis()).unwrap_or(u32::MAX)
}

fn took_ms(from: Timestamp, to: Timestamp) -> u32 {
    u32::try_from((to.as_millisecond() - from.as_millisecond()).max(0)).unwrap_or(u32::MAX)
}
