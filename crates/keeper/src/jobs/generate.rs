//! One test generation as a job: progress while it runs, pictures kept, proof judged.

use std::time::{Duration, Instant};

use bytes::Bytes;
use forgekeeper_domain::{
    Timestamp,
    error::{ErrorCode, ErrorInfo},
    generation::{
        CardUse, CardWatch, GenerationProgress, GenerationRecord, GenerationRequest,
        GenerationStage, GenerationVerdict, Moment, Replaced, StageClock, Whereabouts,
        workflow::Workflow,
    },
    ids::{HostId, JobId},
    job::{JobKind, JobPhase},
    logs::{LogQuery, traceback::is_cause_line},
};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::JobRun;
use crate::{
    clients::{
        LiveProgress, Painter,
        errand::Errand,
        failure::{Failure, told_by_log},
    },
    gpu::{CloseLook, GpuHandle},
    logs::ServiceLog,
    media::{pictures::PictureStore, preview::Previews, proof},
    sys::clock,
};

/// How long the log may take to say why a generation failed.
const LOG_PATIENCE: Duration = Duration::from_secs(3);

/// What is to be made.
#[derive(Debug)]
pub(crate) struct Order {
    /// As asked.
    pub(crate) request: GenerationRequest,
    /// A workflow of one's own in which the request is put, instead of the usual graph.
    pub(crate) own: Option<OwnGraph>,
}

/// A workflow of one's own.
#[derive(Debug)]
pub(crate) struct OwnGraph {
    /// As the record calls it.
    pub(crate) name: String,
    /// Its graph; `None` for one that an earlier program queued, which is only looked for.
    pub(crate) graph: Option<Workflow>,
}

impl Order {
    /// A request in the usual way.
    pub(crate) fn plain(request: GenerationRequest) -> Self {
        Self { request, own: None }
    }
}

/// What a generation works with.
pub(crate) struct Easel {
    pub(crate) painter: Painter,
    pub(crate) pictures: PictureStore,
    pub(crate) previews: Previews,
    /// Says why a picture failed where the service does not.
    pub(crate) log: ServiceLog,
    /// The cards of the service's host.
    pub(crate) cards: Option<(HostId, GpuHandle)>,
    /// Where the service computes, as far as it is known when a picture is there.
    pub(crate) whereabouts: Box<dyn Fn() -> Whereabouts + Send + Sync>,
}

impl Easel {
    /// The same, listening for the wish to have a picture as it is.
    #[must_use]
    pub(crate) fn with_skip(self, skip: CancellationToken) -> Self {
        Self {
            painter: self.painter.with_skip(skip),
            ..self
        }
    }

    /// The same, with another way to begin.
    #[must_use]
    pub(crate) fn with_errand(self, errand: Errand) -> Self {
        Self {
            painter: self.painter.with_errand(errand),
            ..self
        }
    }
}

/// Runs a generation to its end; the record is what the history keeps.
pub(crate) async fn generate(mut run: JobRun, easel: &Easel, order: Order) -> GenerationRecord {
    let id = run.job.id.clone();
    let started_at = run.job.started_at;
    let record = make(&mut run, easel, (id, started_at), order).await;
    run.job.generation = None;
    run.job.record = Some(record.clone());
    let (phase, error) = ending(&record);
    run.end(phase, error).await;
    record
}

/// Makes the pictures of one request within a job, and tells how far it is. The record gets the id
/// and the time of its beginning.
pub(super) async fn make(
    run: &mut JobRun,
    easel: &Easel,
    (id, started_at): (JobId, Timestamp),
    Order { request, own }: Order,
) -> GenerationRecord {
    let painter = &easel.painter;
    let since = Instant::now();
    let mut stages = StageClock::default();
    stages.saw(0, GenerationStage::Waiting, None);
    run.job.generation = Some(GenerationProgress {
        stage: GenerationStage::Waiting,
        fraction: None,
        step: None,
        steps: own.is_none().then_some(request.steps),
        eta_s: None,
        preview: None,
        queue_ahead: None,
    });
    run.show().await;
    let (progress, mut live) = watch::channel(None::<LiveProgress>);
    let cancel = run.cancel.clone();
    let asked = request.clone();
    let tell = |seen: LiveProgress| {
        progress.send_modify(|told| {
            // A step that comes right behind a picture must not take its place.
            let before = told.take().and_then(|told| told.preview);
            let preview = seen.preview.or(before);
            *told = Some(LiveProgress { preview, ..seen });
        });
    };
    let task = async {
        match own.as_ref().and_then(|own| own.graph.as_ref()) {
            Some(workflow) => painter.run_workflow(workflow, &asked, &cancel, tell).await,
            None => painter.txt2img(&asked, &cancel, tell).await,
        }
    };
    tokio::pin!(task);
    let mut cards = Cards::look_at(easel.cards.as_ref());
    cards.watch.held_before(&(easel.whereabouts)());
    let mut put: Option<Bytes> = None;
    let mut raw = loop {
        tokio::select! {
            raw = &mut task => break raw,
            () = cards.read() => {}
            Ok(()) = live.changed() => {
                let Some(live) = live.borrow_and_update().clone() else { continue };
                let LiveProgress { progress, preview } = live;
                stages.saw(milliseconds(since.elapsed()), progress.stage, progress.step);
                cards.tell(progress.stage);
                run.job.skippable = run.job.kind == JobKind::Generate
                    && painter.skips()
                    && progress.stage == GenerationStage::Sampling
                    && progress.step.is_some()
                    && !run.skip.is_cancelled();
                let before = run.job.generation.take().and_then(|g| g.preview);
                let preview = match preview {
                    Some(bytes) if put.as_ref() != Some(&bytes) => {
                        put = Some(bytes.clone());
                        easel.previews.put(&id, bytes).or(before)
                    }
                    Some(_) | None => before,
                };
                run.job.generation = Some(GenerationProgress { preview, ..progress });
                run.show().await;
            }
        }
    };
    run.job.skippable = false;
    raw.failure = match raw.failure {
        Some(failure) => Some(explained(failure, &easel.log, started_at).await),
        None => None,
    };
    let ready = raw.ready.map(milliseconds);
    let mut proof = proof::prove(&request, raw, &easel.pictures).await;
    if own.is_some() {
        // It may enlarge its pictures, or have a size of its own.
        proof
            .substitutions
            .retain(|s| !matches!(s.field, Replaced::Width | Replaced::Height));
    }
    easel.previews.forget(&id);
    let here = milliseconds(since.elapsed());
    let known = (easel.whereabouts)();
    // Without pictures nothing is known to have been computed, and of one that was found again the
    // beginning was not seen.
    let seen = !proof.pictures.is_empty() && !painter.finds();
    let on_cpu = seen && (known.on_cpu() || cards.watch.all_idle(&known, cards.worked_ms()));
    GenerationRecord {
        id,
        service: run.job.service.clone(),
        request,
        started_at,
        took_ms: if painter.finds() {
            found_ms(started_at, painter.ended_at())
        } else {
            here
        },
        verdict: proof.verdict,
        pictures: proof.pictures,
        substitutions: proof.substitutions,
        parameters: proof.parameters,
        model: proof.model,
        error: proof.error,
        timing: seen.then(|| stages.end(ready, here)),
        card: cards.made_by(&known).filter(|_| seen && !on_cpu),
        on_cpu,
        workflow: own.as_ref().map(|own| own.name.clone()),
    }
}

/// One that was found again may have ended long before; the server's clock may be ahead.
fn found_ms(started_at: Timestamp, ended_at: Option<Timestamp>) -> u32 {
    let now = clock::now();
    let ended_at = ended_at.map_or(now, |at| at.min(now));
    let took = (ended_at.as_millisecond() - started_at.as_millisecond()).max(0);
    u32::try_from(took).unwrap_or(u32::MAX)
}

/// The cards of a host while a picture is made; nothing where none are read.
struct Cards {
    host: Option<HostId>,
    look: Option<CloseLook>,
    watch: CardWatch,
    /// Sampling was seen since then: what comes before keeps no card busy.
    sampling: Option<Instant>,
}

impl Cards {
    fn look_at(cards: Option<&(HostId, GpuHandle)>) -> Self {
        let mut watch = CardWatch::default();
        if let Some((_, gpus)) = cards {
            let view = gpus.view();
            for card in view.borrow().cards.iter().filter(|card| card.current) {
                watch.saw(&card.latest, Moment::Before);
            }
        }
        Self {
            host: cards.map(|(host, _)| host.clone()),
            look: cards.map(|(_, gpus)| gpus.look_closely()),
            watch,
            sampling: None,
        }
    }

    /// Takes the next reading in; waits for ever when none will come.
    async fn read(&mut self) {
        let reading = match &mut self.look {
            Some(look) => look.next().await,
            None => std::future::pending().await,
        };
        match reading {
            Some(reading) => {
                let moment = match self.sampling {
                    Some(_) => Moment::Sampling,
                    None => Moment::Underway,
                };
                for sample in &reading.samples {
                    self.watch.saw(sample, moment);
                }
            }
            None => self.look = None,
        }
    }

    fn tell(&mut self, stage: GenerationStage) {
        if stage == GenerationStage::Sampling {
            self.sampling.get_or_insert_with(Instant::now);
        }
    }

    fn worked_ms(&self) -> u32 {
        self.sampling
            .map_or(0, |since| milliseconds(since.elapsed()))
    }

    fn made_by(&self, known: &Whereabouts) -> Option<CardUse> {
        self.watch.made_by(self.host.as_ref()?, known)
    }
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
