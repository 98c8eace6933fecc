//! Test generations on Forge: one request, followed, interruptible, never repeated.

use std::{
    sync::atomic::Ordering,
    time::{Duration, Instant},
};

use forgekeeper_domain::{
    error::{ErrorCode, ErrorInfo},
    generation::{GenerationRequest, GenerationVerdict, Replaced, Substitution, lora},
};
use serde_json::{Map, Value};
use tokio_util::sync::CancellationToken;

use super::{
    super::{
        errand::{Errand, Ticket},
        failure::{self, Failure},
        http::{Ask, HttpAnswer, HttpError},
        judge,
        outcome::{GenerationOutcomeRaw, LiveProgress},
        patience::Patience,
        probe::PROBE_DEADLINE,
        reach::Reach,
    },
    answer,
    follow::{Follower, Sign, Whose},
    offers::Dialect,
    options::{self, Borrowed},
    post::{Posted, Sent},
    wire,
};
use crate::media::decode::MAX_FILE_BYTES;

/// Room in an answer for what is no picture: parameters and texts.
const BESIDE_PICTURES: usize = 16 * 1024 * 1024;

/// Largest answer to a request: its pictures without any compression, in base64, and as much again
/// for a grid of them. More than that is none of what was asked for.
pub(super) fn answer_limit(request: &GenerationRequest) -> usize {
    let (width, height) = request.picture_size();
    let raw = (u64::from(width) * u64::from(height)).saturating_mul(4);
    // A larger file is no picture that is unpacked.
    let each = usize::try_from(raw).map_or(MAX_FILE_BYTES, |raw| raw.min(MAX_FILE_BYTES));
    let base64 = each.div_ceil(3).saturating_mul(4);
    let all = base64.saturating_mul(usize::try_from(request.batch).unwrap_or(1));
    all.saturating_mul(2).saturating_add(BESIDE_PICTURES)
}

/// A Forge service for test generations.
#[derive(Debug, Clone)]
pub struct ForgeClient {
    pub(in crate::clients) reach: Reach,
}

/// What has to be known before a request is sent.
#[derive(Debug, Default)]
struct Plan {
    /// Which server takes it, where that makes a difference.
    dialect: Option<Dialect>,
    /// Options that hold for this generation alone.
    options: Map<String, Value>,
}

impl ForgeClient {
    /// The service that is reached so.
    pub fn new(reach: Reach) -> Self {
        Self { reach }
    }

    /// Makes one test generation. Sends the request once and never again; cancelling interrupts it
    /// if it is certainly ours that runs, else it only stops waiting and says so.
    ///
    /// `on_progress` is called about twice a second.
    pub async fn txt2img(
        &self,
        request: &GenerationRequest,
        cancel: &CancellationToken,
        mut on_progress: impl FnMut(LiveProgress) + Send,
    ) -> GenerationOutcomeRaw {
        if let Errand::Again(again) = &self.reach.errand {
            return self.find(again, request, cancel, &mut on_progress).await;
        }
        let started = Instant::now();
        let failed = |failure| GenerationOutcomeRaw::failed(failure, started.elapsed());
        let plan = match self.plan(request).await {
            Ok(plan) => plan,
            Err(info) => return failed((GenerationVerdict::Failed, info)),
        };
        let task = format!("task(forgekeeper-{})", uuid::Uuid::new_v4().simple());
        let follower =
            Follower::start(&self.reach.http, &self.reach.target, &task, request.steps).await;
        if cancel.is_cancelled() {
            return failed(before_sent());
        }
        let body = wire::txt2img(request, &task, plan.dialect, &plan.options);
        let courier = self.courier_for_it();
        let sent = Sent {
            request,
            task: &task,
            body: &body,
            courier: courier.as_deref(),
            lent: None,
        };
        let ticket = |borrowed| Ticket::Forge {
            task: task.clone(),
            borrowed,
            courier: courier.clone(),
        };
        if plan.dialect != Some(Dialect::Image) || plan.options.is_empty() {
            self.reach.errand.keep(ticket(None)).await;
            return Box::pin(self.run(sent, follower, cancel, &mut on_progress)).await;
        }
        // Set for everybody, the options would spoil what another waits for.
        if follower.was_busy() {
            return failed(busy());
        }
        let borrowed = match self.borrow_options(plan.options).await {
            Ok(borrowed) => borrowed,
            Err(failure) => return failed(failure),
        };
        let lent = borrowed.as_ref().map(Borrowed::to_keep);
        self.reach.lends.store(lent.is_some(), Ordering::Relaxed);
        self.reach.errand.keep(ticket(lent.clone())).await;
        let outcome = if cancel.is_cancelled() {
            failed(before_sent())
        } else {
            let sent = Sent {
                lent: lent.as_ref(),
                ..sent
            };
            Box::pin(self.run(sent, follower, cancel, &mut on_progress)).await
        };
        let outcome = match borrowed {
            Some(borrowed) => borrowed.put_back(outcome).await,
            None => outcome,
        };
        self.reach.lends.store(false, Ordering::Relaxed);
        outcome
    }

    /// Refuses what the server would pass over in silence, and finds out how it takes the rest.
    async fn plan(&self, request: &GenerationRequest) -> Result<Plan, ErrorInfo> {
        let bad = |words: String| ErrorInfo::new(ErrorCode::BadRequest, words);
        request
            .check()
            .map_err(|problem| bad(problem.to_string()))?;
        let tagged = lora::parse(&request.prompt).map_err(|problem| bad(problem.to_string()))?;
        if !tagged.loras.is_empty()
            && let Some(offered) = self.loras().await
        {
            let is_offered = |name: &str| {
                offered
                    .iter()
                    .any(|lora| lora.name == name || lora.alias.as_deref() == Some(name))
            };
            if let Some(unknown) = tagged.loras.iter().find(|lora| !is_offered(&lora.name)) {
                let name = judge::shorten(&unknown.name);
                return Err(bad(format!("The service offers no LoRA `{name}`."))
                    .hint("Its name is that of its file without the ending; after a new one was added, refresh the list in the service's own window."));
            }
        }
        let overrides =
            request.model.is_some() || request.clip_skip.is_some() || !request.modules.is_empty();
        if !overrides && request.hires.is_none() {
            return Ok(Plan::default());
        }
        let dialect = self.dialect().await?;
        let modules = match request.modules.as_slice() {
            [] => None,
            _ => self.modules().await,
        };
        Ok(Plan {
            dialect: Some(dialect),
            options: options::of(request, dialect, modules.as_deref())?,
        })
    }

    /// Sends a request and follows it to its end.
    async fn run(
        &self,
        sent: Sent<'_>,
        follower: Follower<'_>,
        cancel: &CancellationToken,
        on_progress: &mut (impl FnMut(LiveProgress) + Send),
    ) -> GenerationOutcomeRaw {
        let started = Instant::now();
        let give_up = CancellationToken::new();
        let answer = self.post(&sent, &give_up);
        let request = sent.request;
        match Box::pin(self.follow(
            request,
            (answer, give_up.clone()),
            follower,
            cancel,
            on_progress,
        ))
        .await
        {
            Some(outcome) => outcome,
            // The server may be at it all the same.
            None => {
                self.unheard(sent.task, request, started, cancel, on_progress)
                    .await
            }
        }
    }

    /// Follows a request to its answer; `None` when it is lost. Who gives up says so to whoever waits
    /// for the answer, and the connection ends.
    pub(super) async fn follow(
        &self,
        request: &GenerationRequest,
        (answer, give_up): (impl Future<Output = Posted>, CancellationToken),
        mut follower: Follower<'_>,
        cancel: &CancellationToken,
        on_progress: &mut (impl FnMut(LiveProgress) + Send),
    ) -> Option<GenerationOutcomeRaw> {
        let started = Instant::now();
        tokio::pin!(answer);

        let mut asked_to_stop = false;
        let mut skipped = None;
        let mut life = Life::new(self.reach.patience);
        let failure = loop {
            tokio::select! {
                biased;
                posted = &mut answer => {
                    return match posted {
                        Posted::Told(answer) => {
                            let made = self.finish(request, answer, asked_to_stop, started.elapsed()).await;
                            Some(unfinished(made, request, skipped))
                        }
                        Posted::Lost => None,
                    };
                }
                () = cancel.cancelled(), if !asked_to_stop => {
                    match follower.is_ours_now().await {
                        Whose::Ours if self.interrupt().await => {
                            asked_to_stop = true;
                            life.interrupted();
                        }
                        whose => break left_alone(whose),
                    }
                }
                () = tokio::time::sleep(self.reach.patience.poll) => {
                    if let Some(look) = follower.look().await {
                        let step = look.live.progress.step;
                        if skipped.is_none()
                            && self.reach.skip.is_cancelled()
                            && look.whose == Whose::Ours
                            && step.is_some()
                            && self.order("/sdapi/v1/skip").await
                        {
                            skipped = step;
                        }
                        life.saw(look.sign, look.whose, look.live.progress.stage);
                        on_progress(look.live);
                    }
                    if let Some(silent) = life.too_long() {
                        break silence(silent, asked_to_stop);
                    }
                }
            }
        };
        give_up.cancel();
        // What it still says is not waited for any more.
        answer.await;
        Some(GenerationOutcomeRaw::failed(failure, started.elapsed()))
    }

    async fn finish(
        &self,
        request: &GenerationRequest,
        answer: Result<HttpAnswer, HttpError>,
        interrupted: bool,
        took: Duration,
    ) -> GenerationOutcomeRaw {
        let answer = match answer {
            Ok(answer) => answer,
            Err(error) => return GenerationOutcomeRaw::failed(failure::unanswered(&error), took),
        };
        let sent_credentials = self.reach.target.has_credentials();
        let request = request.clone();
        // Tens of megabytes of base64 and JSON would hold up the other tasks of this thread.
        let read = tokio::task::spawn_blocking(move || {
            answer::read(&request, &answer, sent_credentials, interrupted)
        });
        match read.await {
            Ok(outcome) => outcome,
            Err(error) => {
                let info =
                    ErrorInfo::new(ErrorCode::Internal, "Reading the service's answer failed.")
                        .detail(error.to_string());
                GenerationOutcomeRaw::failed((GenerationVerdict::Failed, info), took)
            }
        }
    }

    /// Asks the server to stop what runs now; whether it took the order.
    pub(super) async fn interrupt(&self) -> bool {
        self.order("/sdapi/v1/interrupt").await
    }

    /// Gives an order for what runs now; whether the server took it.
    async fn order(&self, path: &str) -> bool {
        let ask = Ask::post(path, &serde_json::json!({}), PROBE_DEADLINE);
        self.reach
            .http
            .send(&self.reach.target, &ask)
            .await
            .is_ok_and(|answer| answer.status == 200)
    }
}

/// Watches for signs of life.
#[derive(Debug)]
pub(super) struct Life {
    patience: Patience,
    last: Instant,
    sign: Option<Sign>,
    allowed: Duration,
    interrupted: bool,
}

impl Life {
    pub(super) fn new(patience: Patience) -> Self {
        Self {
            patience,
            last: Instant::now(),
            sign: None,
            allowed: patience.still,
            interrupted: false,
        }
    }

    pub(super) fn interrupted(&mut self) {
        self.interrupted = true;
        self.last = Instant::now();
    }

    pub(super) fn saw(
        &mut self,
        sign: Sign,
        whose: Whose,
        stage: forgekeeper_domain::generation::GenerationStage,
    ) {
        use forgekeeper_domain::generation::GenerationStage as Stage;
        let slow = whose == Whose::Queued || matches!(stage, Stage::LoadingModel | Stage::Waiting);
        self.allowed = if slow {
            self.patience.loading
        } else {
            self.patience.still
        };
        if self.sign.as_ref() != Some(&sign) {
            self.last = Instant::now();
            self.sign = Some(sign);
        }
    }

    pub(super) fn too_long(&self) -> Option<Duration> {
        let allowed = if self.interrupted {
            self.patience.interrupt
        } else {
            self.allowed
        };
        let silent = self.last.elapsed();
        (silent > allowed).then_some(silent)
    }
}

/// A picture that was asked for as it was has fewer steps than its parameters say.
fn unfinished(
    made: GenerationOutcomeRaw,
    request: &GenerationRequest,
    skipped: Option<u32>,
) -> GenerationOutcomeRaw {
    let mut made = made;
    if let Some(step) = skipped.filter(|step| *step < request.steps && !made.pictures.is_empty()) {
        made.substitutions.push(Substitution {
            field: Replaced::Steps,
            asked: request.steps.to_string(),
            used: step.to_string(),
        });
    }
    made
}

fn before_sent() -> Failure {
    let info = ErrorInfo::new(
        ErrorCode::Cancelled,
        "The test picture was cancelled before it was sent.",
    );
    (GenerationVerdict::Interrupted, info)
}

fn busy() -> Failure {
    let info = ErrorInfo::new(
        ErrorCode::ServiceBusy,
        "This Forge can change model, clip skip and modules for everybody only, and it works for somebody else.",
    )
    .hint("Wait until it rests, or ask with what is chosen in its own window.");
    (GenerationVerdict::Failed, info)
}

/// Cancelled, and nothing could be interrupted without the risk of hitting another's work.
pub(super) fn left_alone(whose: Whose) -> Failure {
    let message = match whose {
        Whose::Queued => {
            "Cancelled while the request waits in the server's queue: the server will still make the picture."
        }
        Whose::Ours => {
            "Cancelled, but the server did not take the interrupt: it may still finish the picture."
        }
        Whose::Untold => {
            "Cancelled without an interrupt, because the server does not tell whose picture it is working on: \
             it may still make this one."
        }
    };
    (
        GenerationVerdict::Interrupted,
        ErrorInfo::new(ErrorCode::Cancelled, message),
    )
}

pub(super) fn silence(silent: Duration, interrupted: bool) -> Failure {
    let seconds = silent.as_secs();
    let (code, message) = if interrupted {
        (
            ErrorCode::Cancelled,
            format!("The server took the interrupt and gave no answer for {seconds} s."),
        )
    } else {
        (
            ErrorCode::NotProved,
            format!("The generation showed no sign of life for {seconds} s."),
        )
    };
    let verdict = if interrupted {
        GenerationVerdict::Interrupted
    } else {
        GenerationVerdict::Failed
    };
    let hint = "The server may still be working on it; see its log, or restart the program.";
    (verdict, ErrorInfo::new(code, message).hint(hint))
}
