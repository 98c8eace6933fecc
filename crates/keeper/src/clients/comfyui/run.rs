//! One queued prompt, followed to its end. The WebSocket tells how far it is; that it is over, and
//! how, is the history's word alone.

use std::time::{Duration, Instant};

use bytes::Bytes;
use forgekeeper_domain::{
    error::{ErrorCode, ErrorInfo},
    generation::{GenerationProgress, GenerationStage, GenerationVerdict},
};
use serde_json::{Value, json};
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use super::{
    super::{failure::Failure, outcome::LiveProgress},
    client::{ComfyClient, interrupted},
    course::Course,
    errors,
    frames::Sign,
    socket::Socket,
};

/// A server of which nothing is heard for so long is gone; one that is busy answers late.
const GONE_AFTER: Duration = Duration::from_secs(45);
/// So many looks on end that find a prompt neither queued nor in the history mean that it is lost:
/// the two are asked one after the other.
const LOST_AFTER: u32 = 3;
/// An order to stop is given again after so long: one that comes before the run has begun in earnest
/// is answered and forgotten.
const ORDER_AGAIN: Duration = Duration::from_secs(2);

/// Where a prompt is.
#[derive(Debug)]
enum Place {
    /// In the history: over. Its entry, when it made its pictures.
    Over(Result<Value, Failure>),
    Running,
    /// Waiting behind so many others, where that is told.
    Queued(Option<u32>),
    /// Neither in the history nor in the queue.
    Nowhere,
}

/// Somebody asked it to end.
#[derive(Debug)]
struct Stop {
    asked_at: Instant,
    ordered_at: Option<Instant>,
    /// Whether the server took the order to take it from its queue.
    taken: bool,
}

/// A queued prompt.
pub(super) struct Following<'a> {
    client: &'a ComfyClient,
    prompt: &'a str,
    socket: Socket<'a>,
    course: Course,
    progress: GenerationProgress,
    /// The first step of a sampler that was told, and when: its others take as long.
    first_step: Option<(u32, Instant)>,
    last_sign: Instant,
    /// Since when no question was answered.
    silent_since: Option<Instant>,
    /// Looks on end that found it nowhere.
    nowhere: u32,
    stop: Option<Stop>,
}

impl<'a> Following<'a> {
    /// A prompt that was queued just now.
    pub(super) fn new(
        client: &'a ComfyClient,
        prompt: &'a str,
        course: Course,
        socket: Socket<'a>,
    ) -> Self {
        Self {
            client,
            prompt,
            socket,
            progress: GenerationProgress {
                stage: GenerationStage::Waiting,
                fraction: None,
                step: None,
                steps: course.steps(),
                eta_s: None,
                preview: None,
                queue_ahead: None,
            },
            course,
            first_step: None,
            last_sign: Instant::now(),
            silent_since: None,
            nowhere: 0,
            stop: None,
        }
    }

    /// Follows it to its end: its entry in the history, or why there are no pictures.
    pub(super) async fn follow(
        mut self,
        cancel: &CancellationToken,
        on_progress: &mut (impl FnMut(LiveProgress) + Send),
    ) -> Result<Value, Failure> {
        self.tell(None, on_progress);
        let mut looks = tokio::time::interval(self.client.reach.patience.poll);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let look = tokio::select! {
                biased;
                () = cancel.cancelled(), if self.stop.is_none() => {
                    self.stop = Some(Stop {
                        asked_at: Instant::now(),
                        ordered_at: None,
                        taken: false,
                    });
                    true
                }
                _ = looks.tick() => true,
                sign = self.socket.sign(self.prompt, self.is_at_work()) => {
                    self.last_sign = Instant::now();
                    let over = sign == Sign::Over;
                    self.heard(sign, on_progress);
                    over
                }
            };
            if look {
                if let Some(ending) = self.look(on_progress).await? {
                    return ending;
                }
                self.check_patience()?;
            }
        }
    }

    /// Looks where it is, and does what follows from that.
    async fn look(
        &mut self,
        on_progress: &mut (impl FnMut(LiveProgress) + Send),
    ) -> Result<Option<Result<Value, Failure>>, Failure> {
        let place = match self.place().await {
            Ok(place) => place,
            Err(failure) => {
                let since = *self.silent_since.get_or_insert_with(Instant::now);
                return if since.elapsed() > GONE_AFTER {
                    Err(failure)
                } else {
                    Ok(None)
                };
            }
        };
        self.silent_since = None;
        self.nowhere = match place {
            Place::Nowhere => self.nowhere + 1,
            _ => 0,
        };
        match place {
            Place::Over(ending) => return Ok(Some(ending)),
            Place::Running => {
                self.socket.keep_open().await;
                if self.progress.queue_ahead.take().is_some() {
                    self.tell(None, on_progress);
                }
                if self.socket.is_silent() && self.progress.stage == GenerationStage::Waiting {
                    self.move_to(GenerationStage::AtWork, on_progress);
                }
                let order = json!({ "prompt_id": self.prompt });
                self.order("/interrupt", &order).await;
            }
            Place::Queued(ahead) => {
                self.last_sign = Instant::now();
                if self.progress.queue_ahead != ahead {
                    self.progress.queue_ahead = ahead;
                    self.tell(None, on_progress);
                }
                let order = json!({ "delete": [self.prompt] });
                let taken = self.order("/queue", &order).await;
                if let Some(stop) = &mut self.stop {
                    stop.taken |= taken;
                }
            }
            Place::Nowhere if self.nowhere < LOST_AFTER => {}
            Place::Nowhere if self.stop.as_ref().is_some_and(|stop| stop.taken) => {
                return Err(interrupted("Taken from the server's queue."));
            }
            Place::Nowhere => return Err(lost()),
        }
        Ok(None)
    }

    /// Gives an order, when it is to stop and the last order was a while ago; whether it was taken.
    async fn order(&mut self, path: &str, body: &Value) -> bool {
        let Some(stop) = &mut self.stop else {
            return false;
        };
        if stop.ordered_at.is_some_and(|at| at.elapsed() < ORDER_AGAIN) {
            return false;
        }
        stop.ordered_at = Some(Instant::now());
        self.client.order(path, body).await
    }

    async fn place(&self) -> Result<Place, Failure> {
        let path = format!("/history/{}", self.prompt);
        let history = self.client.ask(&path).await?;
        if let Some(entry) = history.get(self.prompt) {
            let ending = errors::ending(entry, &self.course).map(|()| entry.clone());
            return Ok(Place::Over(ending));
        }
        let queue = self.client.queue().await?;
        Ok(if queue.runs(self.prompt) {
            Place::Running
        } else if queue.holds(self.prompt) {
            Place::Queued(queue.ahead_of(self.prompt))
        } else {
            Place::Nowhere
        })
    }

    /// Takes in what the socket tells.
    fn heard(&mut self, sign: Sign, on_progress: &mut (impl FnMut(LiveProgress) + Send)) {
        match sign {
            Sign::Node(node) => {
                if let Some(stage) = self.course.stage_at(&node) {
                    self.move_to(stage, on_progress);
                }
            }
            Sign::Step { node, value, max } if value > 0 => {
                let begun = self.course.begun();
                if let Some((done, all)) = self.course.step(&node, value, max) {
                    if self.course.begun() > begun {
                        self.first_step = None;
                    }
                    self.step(done, all);
                    self.tell(None, on_progress);
                }
            }
            Sign::Preview(picture) => self.tell(Some(picture), on_progress),
            Sign::Step { .. } | Sign::Over => {}
        }
    }

    /// A step of a sampler is done. The first one may hold a model that is moved to the card, so
    /// what is left is told by those after it.
    fn step(&mut self, step: u32, steps: u32) {
        let progress = &mut self.progress;
        progress.steps = Some(steps);
        let (first, at) = *self.first_step.get_or_insert((step, Instant::now()));
        let made = step.saturating_sub(first);
        let each = (made > 0).then(|| at.elapsed().as_secs_f64() / f64::from(made));
        progress.stage = GenerationStage::Sampling;
        progress.queue_ahead = None;
        progress.step = Some(step);
        progress.fraction = Some(f64::from(step) / f64::from(steps));
        progress.eta_s = each.map(|each| each * f64::from(steps - step));
    }

    fn move_to(
        &mut self,
        stage: GenerationStage,
        on_progress: &mut (impl FnMut(LiveProgress) + Send),
    ) {
        if self.progress.stage != stage {
            self.progress.stage = stage;
            self.progress.queue_ahead = None;
            self.last_sign = Instant::now();
            self.tell(None, on_progress);
        }
    }

    fn tell(&self, preview: Option<Bytes>, on_progress: &mut (impl FnMut(LiveProgress) + Send)) {
        on_progress(LiveProgress {
            progress: self.progress.clone(),
            preview,
        });
    }

    fn is_at_work(&self) -> bool {
        self.progress.stage != GenerationStage::Waiting
    }

    fn check_patience(&self) -> Result<(), Failure> {
        let patience = self.client.reach.patience;
        if let Some(stop) = &self.stop {
            let waited = stop.asked_at.elapsed();
            if waited > patience.interrupt {
                return Err(interrupted(&format!(
                    "Cancelled, but the server still had it after {} s: it may finish the picture.",
                    waited.as_secs()
                )));
            }
        }
        let allowed = match self.progress.stage {
            GenerationStage::Sampling | GenerationStage::Finishing => patience.still,
            // Nothing is told while a model is loaded, which takes minutes.
            GenerationStage::Waiting | GenerationStage::AtWork | GenerationStage::LoadingModel => {
                patience.loading
            }
        };
        let silent = self.last_sign.elapsed();
        if silent <= allowed {
            return Ok(());
        }
        let info = ErrorInfo::new(
            ErrorCode::NotProved,
            format!(
                "The picture showed no sign of life for {} s.",
                silent.as_secs()
            ),
        )
        .hint("The server may still be working on it; see its log, or restart the program.");
        Err((GenerationVerdict::Failed, info))
    }
}

/// A queue and a history that do not know it any more are those of a new server.
fn lost() -> Failure {
    let info = ErrorInfo::new(
        ErrorCode::Api,
        "ComfyUI does not know the picture any more: it was restarted, or its queue was cleared.",
    );
    (GenerationVerdict::Failed, info)
}
