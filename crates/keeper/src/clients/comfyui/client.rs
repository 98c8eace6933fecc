//! One picture on ComfyUI that is thrown away: queued once, followed, interrupted when asked, and
//! never anybody else's.

use std::time::{Duration, Instant};

use forgekeeper_domain::{
    error::{ErrorCode, ErrorInfo},
    generation::{GenerationRequest, GenerationStage, GenerationVerdict},
};
use serde_json::{Value, json};
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{
    super::{
        failure::{self, Failure},
        http::{Ask, Http, Target},
        judge,
        patience::Patience,
        probe::PROBE_DEADLINE,
    },
    errors,
    frames::Sign,
    graph,
    socket::Socket,
};
use crate::secrets::Credentials;

/// Queueing validates the whole graph, which reads folders of models.
const QUEUE_DEADLINE: Duration = Duration::from_secs(30);
/// So many refused questions on end mean that the server is gone.
const GONE_AFTER: u32 = 5;
/// So many looks that find a prompt neither queued nor in the history mean that it is lost: the two
/// are asked one after the other.
const LOST_AFTER: u32 = 3;

/// A ComfyUI service.
#[derive(Debug, Clone)]
pub struct ComfyClient {
    http: Http,
    target: Target,
    patience: Patience,
}

/// Where a prompt is.
#[derive(Debug)]
enum Place {
    /// In the history: over.
    Over(Result<(), Failure>),
    Running,
    Queued,
    /// Neither in the history nor in the queue.
    Nowhere,
}

impl ComfyClient {
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

    /// Makes a picture and throws it away, with the checkpoint that the service used last. Sampler
    /// and scheduler are ComfyUI's own usual ones; of the request the texts, the size, the steps and
    /// the guidance count. Queued once and never again.
    ///
    /// `on_stage` is called when the stage changes; without the WebSocket a prompt that runs is taken
    /// to sample.
    pub async fn paint(
        &self,
        request: &GenerationRequest,
        cancel: &CancellationToken,
        mut on_stage: impl FnMut(GenerationStage) + Send,
    ) -> Result<(), Failure> {
        let checkpoint = self.checkpoint().await?;
        let prompt = Uuid::new_v4();
        let seed = prompt.as_u64_pair().1 >> 1;
        let body = json!({
            "prompt": graph::tiny(request, &checkpoint, seed),
            "prompt_id": prompt.to_string(),
            "client_id": Uuid::new_v4().simple().to_string(),
        });
        let client = body["client_id"].as_str().unwrap_or_default();
        // Before the prompt: what is said earlier is not repeated.
        let socket = Socket::open(&self.target, client).await;
        if cancel.is_cancelled() {
            return Err(interrupted("The picture was cancelled before it was sent."));
        }
        on_stage(GenerationStage::Waiting);
        let prompt = self.queue(&body).await?;
        Following {
            client: self,
            prompt: &prompt,
            socket,
            stage: GenerationStage::Waiting,
            last_sign: Instant::now(),
            refused: 0,
            nowhere: 0,
            asked_to_stop: false,
        }
        .follow(cancel, &mut on_stage)
        .await
    }

    /// The checkpoint of the newest run that is still offered, else the first one offered.
    async fn checkpoint(&self) -> Result<String, Failure> {
        let offered = self.ask("/models/checkpoints").await?;
        let offered: Vec<&str> = offered
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .collect();
        let first = offered.first().ok_or_else(|| {
            let info = ErrorInfo::new(ErrorCode::Api, "ComfyUI offers no checkpoint.")
                .hint("Check whether its models folder is mounted and holds one.");
            (GenerationVerdict::Failed, info)
        })?;
        // Without a history any checkpoint will do.
        let history = self.ask("/history?max_items=1").await.unwrap_or_default();
        let entry = history.as_object().and_then(|all| all.values().next());
        let used = entry
            .and_then(|entry| graph::checkpoint_of(entry.get("prompt")?.get(2)?))
            .filter(|used| offered.contains(used));
        Ok(used.unwrap_or(first).to_string())
    }

    /// Queues a prompt; its id, which an old server may have chosen itself.
    async fn queue(&self, body: &Value) -> Result<String, Failure> {
        let ask = Ask::post("/prompt", body, QUEUE_DEADLINE);
        let answer = self
            .http
            .send(&self.target, &ask)
            .await
            .map_err(|error| failure::unanswered(&error))?;
        if answer.status != 200 {
            return Err(errors::refused(&answer, self.target.has_credentials()));
        }
        let accepted = judge::json(&answer).ok();
        let id = accepted.as_ref().and_then(|a| a.get("prompt_id")?.as_str());
        let id = id.ok_or_else(|| odd("/prompt", "no prompt_id"))?;
        Ok(id.to_owned())
    }

    /// A question with a JSON answer.
    async fn ask(&self, path: &str) -> Result<Value, Failure> {
        let ask = Ask::get(path, PROBE_DEADLINE);
        let answer = self
            .http
            .send(&self.target, &ask)
            .await
            .map_err(|error| failure::unanswered(&error))?;
        if answer.status != 200 {
            return Err(errors::refused(&answer, self.target.has_credentials()));
        }
        if answer.cut.is_some() {
            return Err(odd(path, "cut off or too large"));
        }
        judge::json(&answer).map_err(|what| odd(path, &what))
    }

    /// An order without an answer; whether the server took it.
    async fn order(&self, path: &str, body: &Value) -> bool {
        let ask = Ask::post(path, body, PROBE_DEADLINE);
        let answer = self.http.send(&self.target, &ask).await;
        answer.is_ok_and(|answer| answer.status == 200)
    }
}

/// A queued prompt.
struct Following<'a> {
    client: &'a ComfyClient,
    prompt: &'a str,
    socket: Socket,
    stage: GenerationStage,
    last_sign: Instant,
    /// Questions on end that nothing answered.
    refused: u32,
    /// Looks on end that found it nowhere.
    nowhere: u32,
    asked_to_stop: bool,
}

impl Following<'_> {
    async fn follow(
        mut self,
        cancel: &CancellationToken,
        on_stage: &mut (impl FnMut(GenerationStage) + Send),
    ) -> Result<(), Failure> {
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
                    if let Some(ending) = self.look(on_stage).await? {
                        return ending;
                    }
                    self.check_patience(patience)?;
                }
                sign = self.socket.sign(self.prompt) => {
                    self.last_sign = Instant::now();
                    if sign == Sign::Over {
                        // The history has it a moment later, if not yet.
                        tokio::time::sleep(patience.poll).await;
                        if let Some(ending) = self.look(on_stage).await? {
                            return ending;
                        }
                    } else {
                        self.move_to(stage_of(&sign), on_stage);
                    }
                }
            }
        }
    }

    /// Looks where it is. A server at work may answer late, and a dead one refuses.
    async fn look(
        &mut self,
        on_stage: &mut (impl FnMut(GenerationStage) + Send),
    ) -> Result<Option<Result<(), Failure>>, Failure> {
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
                self.move_to(GenerationStage::Sampling, on_stage);
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
            return Ok(Place::Over(errors::ending(entry)));
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
    async fn stop(&mut self) -> Result<Option<Result<(), Failure>>, Failure> {
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

    async fn interrupt(&self) -> Result<Option<Result<(), Failure>>, Failure> {
        let body = json!({"prompt_id": self.prompt});
        if self.client.order("/interrupt", &body).await {
            return Ok(None);
        }
        Err(interrupted(
            "Cancelled, but the server did not take the interrupt: it may still finish the picture.",
        ))
    }

    fn move_to(
        &mut self,
        stage: GenerationStage,
        on_stage: &mut (impl FnMut(GenerationStage) + Send),
    ) {
        if self.stage != stage {
            self.stage = stage;
            self.last_sign = Instant::now();
            on_stage(stage);
        }
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
            self.stage,
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

/// The stage that a sign speaks of.
fn stage_of(sign: &Sign) -> GenerationStage {
    match sign {
        Sign::Step { node, value } if node == graph::SAMPLER && *value > 0 => {
            GenerationStage::Sampling
        }
        // The sampler moves the model to the card before its first step.
        Sign::Node(node) if node == graph::SAMPLER || node == graph::LOADER => {
            GenerationStage::LoadingModel
        }
        Sign::Node(node) if node == graph::DECODER || node == graph::OUTPUT => {
            GenerationStage::Finishing
        }
        Sign::Step { .. } | Sign::Node(_) | Sign::Over => GenerationStage::Waiting,
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

fn odd(path: &str, what: &str) -> Failure {
    let info = ErrorInfo::new(ErrorCode::Api, "ComfyUI's answer is not usable.")
        .detail(format!("{path}: {what}"));
    (GenerationVerdict::Failed, info)
}
