//! Test generations on Forge: one request, followed, interruptible, never repeated.

use std::time::{Duration, Instant};

use forgekeeper_domain::{
    error::{ErrorCode, ErrorInfo},
    generation::{GenerationChoices, GenerationRequest, GenerationVerdict},
};
use tokio_util::sync::CancellationToken;

use super::{
    super::{
        failure::{self, Failure},
        http::{Ask, Http, HttpAnswer, HttpError, Target},
        judge,
        outcome::{GenerationOutcomeRaw, LiveProgress},
        patience::Patience,
        probe::PROBE_DEADLINE,
    },
    answer, errors,
    follow::{Follower, Sign, Whose},
    wire,
};
use crate::secrets::Credentials;

/// Longest list of names offered.
const MAX_CHOICES: usize = 5000;
/// Room in an answer for what is no picture: parameters and texts.
const BESIDE_PICTURES: usize = 16 * 1024 * 1024;

/// Largest answer to a request: its pictures without any compression, in base64, and as much again
/// for a grid of them. More than that is none of what was asked for.
pub(super) fn answer_limit(request: &GenerationRequest) -> usize {
    let pixels = u64::from(request.width) * u64::from(request.height) * u64::from(request.batch);
    let base64 = pixels.saturating_mul(4).div_ceil(3).saturating_mul(4);
    usize::try_from(base64.saturating_mul(2))
        .unwrap_or(usize::MAX)
        .saturating_add(BESIDE_PICTURES)
}

/// A Forge service for test generations.
#[derive(Debug, Clone)]
pub struct ForgeClient {
    http: Http,
    target: Target,
    patience: Patience,
}

impl ForgeClient {
    /// The service at an address.
    pub fn new(
        http: Http,
        base_url: &str,
        credentials: Option<Credentials>,
    ) -> Result<Self, ErrorInfo> {
        let target =
            Target::new(base_url, credentials).map_err(|error| failure::unanswered(&error).1)?;
        Ok(Self {
            http,
            target,
            patience: Patience::default(),
        })
    }

    /// Sets other deadlines.
    #[must_use]
    pub fn with_patience(mut self, patience: Patience) -> Self {
        self.patience = patience;
        self
    }

    /// Names the service offers. Schedulers are missing on servers that do not know them.
    pub async fn choices(&self) -> Result<GenerationChoices, ErrorInfo> {
        let (samplers, schedulers, models) = tokio::join!(
            self.names("/sdapi/v1/samplers", "name"),
            self.names("/sdapi/v1/schedulers", "label"),
            self.names("/sdapi/v1/sd-models", "title"),
        );
        let schedulers = match schedulers {
            Err((404, _)) => Vec::new(),
            other => other.map_err(|(_, info)| info)?,
        };
        Ok(GenerationChoices {
            samplers: samplers.map_err(|(_, info)| info)?,
            schedulers,
            models: models.map_err(|(_, info)| info)?,
            ..GenerationChoices::default()
        })
    }

    async fn names(&self, path: &str, key: &str) -> Result<Vec<String>, (u16, ErrorInfo)> {
        let answer = self
            .http
            .send(&self.target, &Ask::get(path, PROBE_DEADLINE))
            .await;
        let answer = answer.map_err(|error| (0, failure::unanswered(&error).1))?;
        if answer.status != 200 {
            return Err((
                answer.status,
                errors::refused(&answer, self.target.has_credentials()).1,
            ));
        }
        let odd = |what: &str| {
            let info = ErrorInfo::new(ErrorCode::Api, "The service's list of names is not usable.");
            (answer.status, info.detail(format!("{path}: {what}")))
        };
        if answer.cut.is_some() {
            return Err(odd("cut off or too large"));
        }
        let body = judge::json(&answer).map_err(|what| odd(&what))?;
        let list = body.as_array().ok_or_else(|| odd("no list"))?;
        let names = list
            .iter()
            .filter_map(|entry| entry.get(key)?.as_str())
            .map(str::to_owned);
        Ok(names.take(MAX_CHOICES).collect())
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
        let started = Instant::now();
        if let Err(problem) = request.check() {
            let info = ErrorInfo::new(ErrorCode::BadRequest, problem.to_string());
            return GenerationOutcomeRaw::failed(
                (GenerationVerdict::Failed, info),
                started.elapsed(),
            );
        }
        let task = format!("task(forgekeeper-{})", uuid::Uuid::new_v4().simple());
        let body = wire::txt2img(request, &task);
        let mut follower = Follower::start(&self.http, &self.target, &task, request.steps).await;
        if cancel.is_cancelled() {
            return GenerationOutcomeRaw::failed(before_sent(), started.elapsed());
        }
        let ask = Ask::post("/sdapi/v1/txt2img", &body, Duration::ZERO)
            .limit(answer_limit(request))
            .patient();
        let work = self.http.send(&self.target, &ask);
        tokio::pin!(work);

        let mut asked_to_stop = false;
        let mut life = Life::new(self.patience);
        loop {
            tokio::select! {
                biased;
                answer = &mut work => {
                    return self.finish(request, answer, asked_to_stop, started.elapsed()).await;
                }
                () = cancel.cancelled(), if !asked_to_stop => {
                    match follower.is_ours_now().await {
                        Whose::Ours if self.interrupt().await => {
                            asked_to_stop = true;
                            life.interrupted();
                        }
                        whose => return GenerationOutcomeRaw::failed(left_alone(whose), started.elapsed()),
                    }
                }
                () = tokio::time::sleep(self.patience.poll) => {
                    if let Some(look) = follower.look().await {
                        life.saw(look.sign, look.whose, look.live.progress.stage);
                        on_progress(look.live);
                    }
                    if let Some(silent) = life.too_long() {
                        return GenerationOutcomeRaw::failed(silence(silent, asked_to_stop), started.elapsed());
                    }
                }
            }
        }
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
        let sent_credentials = self.target.has_credentials();
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
    async fn interrupt(&self) -> bool {
        let ask = Ask::post(
            "/sdapi/v1/interrupt",
            &serde_json::json!({}),
            PROBE_DEADLINE,
        );
        self.http
            .send(&self.target, &ask)
            .await
            .is_ok_and(|answer| answer.status == 200)
    }
}

/// Watches for signs of life.
#[derive(Debug)]
struct Life {
    patience: Patience,
    last: Instant,
    sign: Option<Sign>,
    allowed: Duration,
    interrupted: bool,
}

impl Life {
    fn new(patience: Patience) -> Self {
        Self {
            patience,
            last: Instant::now(),
            sign: None,
            allowed: patience.still,
            interrupted: false,
        }
    }

    fn interrupted(&mut self) {
        self.interrupted = true;
        self.last = Instant::now();
    }

    fn saw(
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

    fn too_long(&self) -> Option<Duration> {
        let allowed = if self.interrupted {
            self.patience.interrupt
        } else {
            self.allowed
        };
        let silent = self.last.elapsed();
        (silent > allowed).then_some(silent)
    }
}

fn before_sent() -> Failure {
    let info = ErrorInfo::new(
        ErrorCode::Cancelled,
        "The test picture was cancelled before it was sent.",
    );
    (GenerationVerdict::Interrupted, info)
}

/// Cancelled, and nothing could be interrupted without the risk of hitting another's work.
fn left_alone(whose: Whose) -> Failure {
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

fn silence(silent: Duration, interrupted: bool) -> Failure {
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
