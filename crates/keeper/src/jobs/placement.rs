//! A placement proof as a job: cards are read closely before, while and after the service makes a
//! tiny picture, until the domain can tell which card did the work, or that it cannot.

use std::{sync::Arc, time::Duration};

use forgekeeper_domain::{
    error::{ErrorCode, ErrorInfo},
    generation::{GenerationRequest, GenerationStage, GenerationVerdict},
    ids::{GpuUuid, ServiceId},
    job::{PlacementProgress, PlacementStage},
    placement::{
        Basis, Found, Measurement, Round,
        proof::{AGREEING, Doubt, FEWEST_READINGS, Look, LookPhase, judge, judge_round},
    },
};
use futures_util::future::BoxFuture;
use tokio::{
    sync::{Mutex, OwnedMutexGuard, watch},
    time::Instant,
};

use super::{JobRun, generate::explained};
use crate::{
    clients::{Painter, Patience},
    gpu::{CloseLook, GpuHandle, Reading},
    logs::ServiceLog,
    state::KeeperState,
    sys::clock,
};

/// Cards are read at rest for so long; each round a little longer than the one before, so that a
/// neighbour's rhythm does not fit twice.
const REST: Duration = Duration::from_millis(1800);
const REST_MORE: Duration = Duration::from_millis(650);
/// The driver's load is a mean over up to a second: so long after the picture it still shows it.
const SETTLE: Duration = Duration::from_millis(1300);
/// Readings after the picture.
const AFTER: Duration = Duration::from_millis(1200);
/// Slow sources (`nvidia-smi` over SSH) get longer for their few readings, and no longer than this.
const SLOW_SOURCE: Duration = Duration::from_secs(40);
/// Longer at work proves no more: it is interrupted then (a picture on a CPU takes minutes).
const LONG_ENOUGH: Duration = Duration::from_secs(8);
/// Work should take about so long: several of the driver's means.
const WORK_MS: u32 = 3_500;
/// Loading a model may take so long.
const LOADING: Duration = Duration::from_mins(10);
/// Steps of the first round; later ones follow from how long it took.
const FIRST_STEPS: u32 = 12;
const MOST_STEPS: u32 = 120;
/// Side of the picture in pixels: smaller ones leave a fast card idle between steps.
const PIXELS: u32 = 512;
/// What is painted; it is not kept.
const PROMPT: &str = "a grey sphere on a grey table";

/// Asks whether a proof may begin.
pub(crate) type Ready = Box<dyn Fn() -> BoxFuture<'static, Result<(), ErrorInfo>> + Send + Sync>;

/// What a proof works with.
pub(crate) struct Bench {
    pub(crate) painter: Painter,
    /// Says why a picture failed where the service does not.
    pub(crate) log: ServiceLog,
    pub(crate) gpus: GpuHandle,
    /// The service's container as the engine calls it.
    pub(crate) container: Option<String>,
    /// Whether a proof may begin; asked once more when its turn has come.
    pub(crate) ready: Ready,
    /// What the other services of the host do meanwhile.
    pub(crate) state: watch::Receiver<Arc<KeeperState>>,
    /// One proof at a time on a host.
    pub(crate) turn: Arc<Mutex<()>>,
    /// What the proof rests on.
    pub(crate) basis: Basis,
}

/// Proves; the measurement is there when the rounds could be made, clear or not. The job's end is
/// left to the caller, who compares the measurement with the others.
pub(crate) async fn prove(run: &mut JobRun, bench: Bench) -> Result<Measurement, ErrorInfo> {
    let _turn = wait_for_turn(run, &bench.turn).await?;
    // It may have waited for minutes behind others.
    (bench.ready)().await?;
    let mut look = bench.gpus.look_closely();
    let painter = bench.painter.with_patience(Patience {
        poll: Duration::from_millis(150),
        loading: LOADING,
        ..Patience::default()
    });
    let mut rounds: Vec<Round> = Vec::new();
    let mut steps = FIRST_STEPS;
    loop {
        let round = Try {
            run,
            look: &mut look,
            painter: &painter,
            log: &bench.log,
            state: &bench.state,
            container: bench.container.as_deref(),
            number: rounds.len(),
            looks: Vec::new(),
            cards: Vec::new(),
            lost: false,
            hidden: false,
            at_work: None,
            disturbed: false,
        }
        .make(steps)
        .await?;
        steps = next_steps(&round);
        rounds.push(round);
        if let Some((finding, confidence)) = judge(&rounds) {
            return Ok(Measurement {
                service: run.job.service.clone(),
                at: clock::now(),
                finding,
                confidence,
                basis: bench.basis,
                rounds,
            });
        }
    }
}

async fn wait_for_turn(
    run: &mut JobRun,
    turn: &Arc<Mutex<()>>,
) -> Result<OwnedMutexGuard<()>, ErrorInfo> {
    if let Ok(turn) = Arc::clone(turn).try_lock_owned() {
        return Ok(turn);
    }
    stage(run, PlacementStage::Waiting, 0).await;
    tokio::select! {
        turn = Arc::clone(turn).lock_owned() => Ok(turn),
        () = run.cancel.cancelled() => Err(cancelled()),
    }
}

/// Steps that take about [`WORK_MS`], by how long the last ones took. Where too few readings fell
/// within them, they were over too soon, however long the rest took: there are to be more.
fn next_steps(round: &Round) -> u32 {
    let working = |look: &&Look| look.phase == LookPhase::Working;
    if round.looks.iter().filter(working).count() < FEWEST_READINGS {
        return round.steps.saturating_mul(3).min(MOST_STEPS);
    }
    let first = round.looks.iter().find(working);
    let last = round.looks.iter().rev().find(working);
    let worked = match (first, last) {
        (Some(first), Some(last)) => (last.at_ms - first.at_ms).unsigned_abs().max(100),
        _ => round.took_ms.max(100),
    };
    let wanted = u64::from(round.steps) * u64::from(WORK_MS) / u64::from(worked);
    u32::try_from(wanted)
        .unwrap_or(MOST_STEPS)
        .clamp(4, MOST_STEPS)
}

/// One round under way.
struct Try<'a> {
    run: &'a mut JobRun,
    look: &'a mut CloseLook,
    painter: &'a Painter,
    log: &'a ServiceLog,
    state: &'a watch::Receiver<Arc<KeeperState>>,
    container: Option<&'a str>,
    number: usize,
    looks: Vec<(Instant, LookPhase, Arc<Reading>)>,
    cards: Vec<GpuUuid>,
    lost: bool,
    /// A card may be out of sight: one could not be opened, or the service's own container did not
    /// answer.
    hidden: bool,
    /// Other services that worked when the round began.
    at_work: Option<Vec<ServiceId>>,
    /// One of them began or ended meanwhile: a card may have moved with it.
    disturbed: bool,
}

impl Try<'_> {
    async fn make(mut self, steps: u32) -> Result<Round, ErrorInfo> {
        stage(self.run, PlacementStage::Resting, self.number).await;
        let more = u32::try_from(self.number).unwrap_or(0);
        self.watch(LookPhase::Before, REST + REST_MORE * more)
            .await?;
        stage(self.run, PlacementStage::Working, self.number).await;
        let (at, sent) = (clock::now(), Instant::now());
        self.work(steps).await?;
        let took = sent.elapsed();
        stage(self.run, PlacementStage::Settling, self.number).await;
        self.let_settle().await?;
        self.watch(LookPhase::After, AFTER).await?;

        let looks: Vec<Look> = self
            .looks
            .iter()
            .map(|look| self.told(look, sent))
            .collect();
        let cards = if self.lost { &[] } else { &self.cards[..] };
        let finding = if self.disturbed {
            Found::Unclear {
                reason: Doubt::Disturbed,
            }
        } else {
            judge_round(cards, &looks, !self.hidden)
        };
        Ok(Round {
            at,
            steps,
            pixels: PIXELS,
            took_ms: u32::try_from(took.as_millis()).unwrap_or(u32::MAX),
            cards: self.cards,
            looks,
            finding,
        })
    }

    /// Reads for so long, and on until there are readings enough.
    async fn watch(&mut self, phase: LookPhase, least: Duration) -> Result<(), ErrorInfo> {
        let began = Instant::now();
        let mut seen = 0;
        while began.elapsed() < least || seen < FEWEST_READINGS {
            let left = SLOW_SOURCE.saturating_sub(began.elapsed());
            if left.is_zero() {
                return Err(no_readings());
            }
            tokio::select! {
                reading = self.look.next() => self.saw(reading, phase)?,
                () = tokio::time::sleep(left) => return Err(no_readings()),
                () = self.run.cancel.cancelled() => return Err(cancelled()),
            }
            seen += 1;
        }
        Ok(())
    }

    /// Reads while the service makes the picture.
    async fn work(&mut self, steps: u32) -> Result<(), ErrorInfo> {
        let (progress, seen) = watch::channel(None::<GenerationStage>);
        let began = clock::now();
        let enough = self.run.cancel.child_token();
        let request = request(steps);
        let painter = self.painter.clone();
        let task = painter.paint(&request, &enough, |stage| {
            progress.send_replace(Some(stage));
        });
        tokio::pin!(task);
        let mut sampling_since: Option<Instant> = None;
        let mut unread = None;
        let painted = loop {
            if *seen.borrow() == Some(GenerationStage::Sampling) {
                sampling_since.get_or_insert_with(Instant::now);
            }
            let long = sampling_since.map(|since| since + LONG_ENOUGH);
            tokio::select! {
                painted = &mut task => break painted,
                reading = self.look.next(), if unread.is_none() => {
                    let phase = match sampling_since {
                        Some(_) => LookPhase::Working,
                        None => LookPhase::Between,
                    };
                    if let Err(error) = self.saw(reading, phase) {
                        // Nothing can be proved any more, and the picture is not left running.
                        enough.cancel();
                        unread = Some(error);
                    }
                }
                () = tokio::time::sleep_until(long.unwrap_or_else(far)), if long.is_some() && !enough.is_cancelled() => {
                    enough.cancel();
                }
            }
        };
        if self.run.cancel.is_cancelled() {
            return Err(cancelled());
        }
        if let Some(error) = unread {
            return Err(error);
        }
        match painted {
            Ok(()) => Ok(()),
            // Interrupted here, because it was long enough.
            Err((GenerationVerdict::Interrupted, _)) if enough.is_cancelled() => Ok(()),
            Err(failure) => Err(explained(failure, self.log, began).await.1),
        }
    }

    /// What is read now is of two phases.
    async fn let_settle(&mut self) -> Result<(), ErrorInfo> {
        let until = Instant::now() + SETTLE;
        loop {
            tokio::select! {
                () = tokio::time::sleep_until(until) => return Ok(()),
                reading = self.look.next() => self.saw(reading, LookPhase::Between)?,
                () = self.run.cancel.cancelled() => return Err(cancelled()),
            }
        }
    }

    fn saw(&mut self, reading: Option<Arc<Reading>>, phase: LookPhase) -> Result<(), ErrorInfo> {
        let reading = reading.ok_or_else(no_readings)?;
        self.lost |= !reading.lost.is_empty();
        let own = |silent: &String| Some(silent.as_str()) == self.container;
        self.hidden |= !reading.problems.is_empty() || reading.silent.iter().any(own);
        let others = self.others_at_work();
        self.disturbed |= *self.at_work.get_or_insert_with(|| others.clone()) != others;
        for sample in &reading.samples {
            if !self.cards.contains(&sample.uuid) {
                self.cards.push(sample.uuid.clone());
            }
        }
        self.looks.push((Instant::now(), phase, reading));
        Ok(())
    }

    /// Other services of the host that make a picture now.
    fn others_at_work(&self) -> Vec<ServiceId> {
        let state = self.state.borrow();
        let working = state.others_at_work(&self.run.job.service);
        working.map(|service| service.id.clone()).collect()
    }

    fn told(
        &self,
        (at, phase, reading): &(Instant, LookPhase, Arc<Reading>),
        sent: Instant,
    ) -> Look {
        let millis = |time: Duration| i32::try_from(time.as_millis()).unwrap_or(i32::MAX);
        let of = |uuid: &GpuUuid| reading.samples.iter().find(|s| s.uuid == *uuid);
        let mib = |bytes: u64| u32::try_from(bytes >> 20).unwrap_or(u32::MAX);
        Look {
            at_ms: match at.checked_duration_since(sent) {
                Some(after) => millis(after),
                None => -millis(sent.duration_since(*at)),
            },
            phase: *phase,
            load: self.cards.iter().map(|c| of(c)?.load_percent).collect(),
            memory_mib: self
                .cards
                .iter()
                .map(|c| of(c)?.memory_used.map(mib))
                .collect(),
        }
    }
}

fn far() -> Instant {
    Instant::now() + LOADING
}

async fn stage(run: &mut JobRun, stage: PlacementStage, number: usize) {
    let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    run.job.placement = Some(PlacementProgress {
        stage,
        round: count(number + 1),
        rounds: count(AGREEING.max(number + 1)),
    });
    run.show().await;
}

fn request(steps: u32) -> GenerationRequest {
    GenerationRequest {
        prompt: PROMPT.to_owned(),
        steps,
        width: PIXELS,
        height: PIXELS,
        ..GenerationRequest::default()
    }
}

fn cancelled() -> ErrorInfo {
    ErrorInfo::new(ErrorCode::Cancelled, "the placement proof was cancelled")
}

fn no_readings() -> ErrorInfo {
    ErrorInfo::new(
        ErrorCode::NotProved,
        "the cards cannot be read often enough to prove anything",
    )
    .hint("The GPU page says what was tried to read them.")
}
