//! One queued prompt, followed to its end. The WebSocket tells how far it is; that it is over, and
//! how, is the history's word alone.

use std::time::Instant;

use bytes::Bytes;
use forgekeeper_domain::{
    error::{ErrorCode, ErrorInfo},
    generation::{GenerationProgress, GenerationStage, GenerationVerdict},
};
use serde_json::{Value, json};
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use super::{
    super::{failure::Failure, outcome::LiveProgress, patience::Patience},
    client::ComfyClient,
    errors,
    frames::Sign,
    graph,
    socket::Socket,
};

/// So many refused questions on end mean that the server is gone.
const GONE_AFTER: u32 = 5;
/// So many looks that find a prompt neither queued nor in the history mean that it is lost: the two
/// are asked one after the other.
const LOST_AFTER: u32 = 3;

/// Where a prompt is.
#[derive(Debug)]
enum Place {
    /// In the history: over. Its entry, when it made its pictures.
    Over(Result<Value, Failure>),
    Running,
    Queued,
    /// Neither in the history nor in the queue.
    Nowhere,
}

/// A queued prompt.
pub(super) struct Following<'a> {
    client: &'a ComfyClient,
    prompt: &'a str,
    socket: Socket<'a>,
    progress: GenerationProgress,
    /// The first step that was told, and when: the others take as long.
    first_step: Option<(u32, Instant)>,
    last_sign: Instant,
    /// Questions on end that nothing answered.
    refused: u32,
    /// Looks on end that found it nowhere.
    nowhere: u32,
    asked_to_stop: bool,
}

impl<'a> Following<'a> {
    /// A prompt that was queued just now, of so many steps.
    pub(super) fn new(
        client: &'a ComfyClient,
        prompt: &'a str,
        steps: u32,
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
                steps: Some(steps),
                eta_s: None,
                preview: None,
            },
            first_step: None,
            last_sign: Instant::now(),
            refused: 0,
            nowhere: 0,
            asked_to_stop: false,
        }
    }

    /// Follows it to its end: its entry in the history, or why there are no pictures.
    pub(super) async fn follow(
        mut self,
        cancel: &CancellationToken,
        on_progress: &mut (impl FnMut(LiveProgress) + Send),
    ) -> Result<Value, Failure> {
        self.tell(None, on_progress);
        let patience = self.client.patience;
        let mut looks = tokio::time::interval(patience.poll);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                biased;
                () = cancel.cancelled(), if !self.asked_to_stop => {
                    if let Some(ending) = self.stop().await? {
                        return ending;
                    }
                }
                _ = looks.tick() => {
                    if let Some(ending) = self.look(on_progress).await? {
                        return ending;
                    }
                    self.check_patience(patience)?;
                }
                sign = self.socket.sign(self.prompt, self.is_at_work()) => {
                    self.last_sign = Instant::now();
                    if sign != Sign::Over {
                        self.heard(sign, on_progress);
                    } else if let Some(ending) = self.look(on_progress).await? {
                        return ending;
                    }
                }
            }
        }
    }

    /// Looks where it is. A server at work may answer late, and a dead one refuses.
    async fn look(
        &mut self,
        on_progress: &mut (impl FnMut(LiveProgress) + Send),
    ) -> Result<Option<Result<Value, Failure>>, Failure> {
        let place = match self.place().await {
            Ok(place) => place,
            Err(failure) => {
                self.refused += 1;
                return if self.refused >= GONE_AFTER {
                    Err(failure)
                } else {
                    Ok(None)
                };
            }
        };
        self.refused = 0;
        self.nowhere = if matches!(place, Place::Nowhere) {
            self.nowhere + 1
        } else {
            0
        };
        match place {
            Place::Over(ending) => return Ok(Some(ending)),
            Place::Running if self.socket.is_silent() => {
                // Nothing tells what it is at; most of the time is sampled.
                self.move_to(GenerationStage::Sampling, on_progress);
                self.socket.reopen().await;
            }
            Place::Queued => self.last_sign = Instant::now(),
            Place::Nowhere if self.nowhere >= LOST_AFTER => return Err(lost()),
            Place::Running | Place::Nowhere => {}
        }
        Ok(None)
    }

    async fn place(&self) -> Result<Place, Failure> {
        let history = self
            .client
            .ask(&format!("/history/{}", self.prompt))
            .await?;
        if let Some(entry) = history.get(self.prompt) {
            let ending = errors::ending(entry).map(|()| entry.clone());
            return Ok(Place::Over(ending));
        }
        let queue = self.client.ask("/queue").await?;
        let holds = |part: &str| {
            let items = queue.get(part).and_then(Value::as_array);
            let id = |item: &Value| item.get(1).and_then(Value::as_str) == Some(self.prompt);
            items.into_iter().flatten().any(id)
        };
        Ok(if holds("queue_running") {
            Place::Running
        } else if holds("queue_pending") {
            Place::Queued
        } else {
            Place::Nowhere
        })
    }

    /// Stops this prompt and no other: taken from the queue while it waits, interrupted by its id
    /// while it runs. `Some` when that is the end of it.
    async fn stop(&mut self) -> Result<Option<Result<Value, Failure>>, Failure> {
        self.asked_to_stop = true;
        self.last_sign = Instant::now();
        let id = self.prompt;
        match self.place().await? {
            Place::Over(ending) => Ok(Some(ending)),
            Place::Queued => {
                self.client.order("/queue", &json!({"delete": [id]})).await;
                // It may have begun at this very moment.
                match self.place().await? {
                    Place::Over(ending) => Ok(Some(ending)),
                    Place::Running => self.interrupt().await,
                    Place::Queued => Err(interrupted(
                        "Cancelled, but the server did not take it from its queue: it will still make the picture.",
                    )),
                    Place::Nowhere => Err(interrupted("Taken from the server's queue.")),
                }
            }
            Place::Running => self.interrupt().await,
            Place::Nowhere => Err(lost()),
        }
    }

    async fn interrupt(&self) -> Result<Option<Result<Value, Failure>>, Failure> {
        let body = json!({"prompt_id": self.prompt});
        if self.client.order("/interrupt", &body).await {
            return Ok(None);
        }
        Err(interrupted(
            "Cancelled, but the server did not take the interrupt: it may still finish the picture.",
        ))
    }

    /// Takes in what the socket tells.
    fn heard(&mut self, sign: Sign, on_progress: &mut (impl FnMut(LiveProgress) + Send)) {
        match sign {
            Sign::Node(node) => {
                if let Some(stage) = stage_at(&node) {
                    self.move_to(stage, on_progress);
                }
            }
            Sign::Step { node, value } if node == graph::SAMPLER && value > 0 => {
                self.step(value);
                self.tell(None, on_progress);
            }
            Sign::Preview(picture) => self.tell(Some(picture), on_progress),
            Sign::Step { .. } | Sign::Over => {}
        }
    }

    /// A step of the sampler is done. The first one may hold a model that is moved to the card, so
    /// what is left is told by those after it.
    fn step(&mut self, step: u32) {
        let progress = &mut self.progress;
        let steps = progress.steps.unwrap_or(step).max(step);
        let (first, at) = *self.first_step.get_or_insert((step, Instant::now()));
        let made = step.saturating_sub(first);
        let each = (made > 0).then(|| at.elapsed().as_secs_f64() / f64::from(made));
        progress.stage = GenerationStage::Sampling;
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

    fn check_patience(&self, patience: Patience) -> Result<(), Failure> {
        let silent = self.last_sign.elapsed();
        let seconds = silent.as_secs();
        if self.asked_to_stop && silent > patience.interrupt {
            return Err(interrupted(&format!(
                "The server took the interrupt and gave no answer for {seconds} s."
            )));
        }
        let slow = matches!(
            self.progress.stage,
            GenerationStage::LoadingModel | GenerationStage::Waiting
        );
        let allowed = if slow {
            patience.loading
        } else {
            patience.still
        };
        if silent <= allowed {
            return Ok(());
        }
        let info = ErrorInfo::new(
            ErrorCode::NotProved,
            format!("The picture showed no sign of life for {seconds} s."),
        )
        .hint("The server may still be working on it; see its log, or restart the program.");
        Err((GenerationVerdict::Failed, info))
    }
}

/// The stage that begins with a node; the others change nothing.
fn stage_at(node: &str) -> Option<GenerationStage> {
    match node {
        // The sampler moves the model to the card before its first step.
        graph::LOADER | graph::SAMPLER => Some(GenerationStage::LoadingModel),
        graph::DECODER | graph::OUTPUT => Some(GenerationStage::Finishing),
        _ => None,
    }
}

fn interrupted(message: &str) -> Failure {
    let info = ErrorInfo::new(ErrorCode::Cancelled, message);
    (GenerationVerdict::Interrupted, info)
}

/// A queue and a history that do not know it any more are those of a new server.
fn lost() -> Failure {
    let info = ErrorInfo::new(
        ErrorCode::Api,
        "ComfyUI does not know the picture any more: it was restarted, or its queue was cleared.",
    );
    (GenerationVerdict::Failed, info)
}
