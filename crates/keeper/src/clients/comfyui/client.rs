//! A ComfyUI service: what it offers, and pictures from a text. Queued once, followed, interrupted
//! when asked, and never anybody else's.

use std::time::{Duration, Instant};

use bytes::Bytes;
use forgekeeper_domain::{
    error::{ErrorCode, ErrorInfo},
    generation::{
        GenerationChoices, GenerationRequest, GenerationStage, GenerationVerdict, Seed,
        Substitution, infotext,
    },
};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{
    super::{
        errand::{Errand, Ticket},
        failure::{self, Failure},
        http::{Ask, HttpAnswer, HttpError},
        judge,
        outcome::{GenerationOutcomeRaw, LiveProgress},
        probe::PROBE_DEADLINE,
        reach::Reach,
    },
    choose,
    course::Course,
    errors,
    files::{self, File},
    graph::{self, Choice},
    offers::{self, Offers},
    queue::{self, Queue},
    run::Following,
    socket::Socket,
};

/// Queueing validates the whole graph, which reads folders of models.
const QUEUE_DEADLINE: Duration = Duration::from_secs(30);
/// A picture of some megabytes over a slow line.
const FILE_DEADLINE: Duration = Duration::from_mins(2);

/// A ComfyUI service.
#[derive(Debug, Clone)]
pub struct ComfyClient {
    pub(in crate::clients) reach: Reach,
}

/// What is to be queued.
pub(super) struct Queued<'a> {
    pub graph: &'a Value,
    /// Its id.
    pub prompt: String,
    /// One's own workflow.
    pub own: bool,
    /// What is used in place of what was asked for.
    pub substitutions: &'a [Substitution],
}

impl ComfyClient {
    /// The service that is reached so.
    pub fn new(reach: Reach) -> Self {
        Self { reach }
    }

    /// Names the service offers: models, what its `KSampler` takes, and what stands beside a model.
    pub async fn choices(&self) -> Result<GenerationChoices, ErrorInfo> {
        Ok(self.offers().await?.choices())
    }

    /// What the service offers. Only checkpoints and `KSampler` must be told: the other lists are
    /// those of newer servers.
    pub(super) async fn offers(&self) -> Result<Offers, ErrorInfo> {
        let list = async |folder: &str| {
            let list = self.ask(&format!("/models/{folder}")).await;
            list.map_or_else(|_| Vec::new(), |list| offers::names(&list))
        };
        let (checkpoints, sampler, upscale, others) = tokio::join!(
            self.ask("/models/checkpoints"),
            self.ask("/object_info/KSampler"),
            self.ask("/object_info/LatentUpscale"),
            async {
                tokio::join!(
                    list("diffusion_models"),
                    list("loras"),
                    list("vae"),
                    list("text_encoders"),
                    list("upscale_models"),
                )
            },
        );
        let sampler = sampler.map_err(|(_, info)| info)?;
        let upscale = upscale.unwrap_or_default();
        let (diffusion_models, loras, vaes, text_encoders, upscale_models) = others;
        Ok(Offers {
            checkpoints: offers::names(&checkpoints.map_err(|(_, info)| info)?),
            samplers: offers::inputs(&sampler, "KSampler", "sampler_name"),
            schedulers: offers::inputs(&sampler, "KSampler", "scheduler"),
            latent_methods: offers::inputs(&upscale, "LatentUpscale", "upscale_method"),
            diffusion_models,
            loras,
            vaes,
            text_encoders,
            upscale_models,
        })
    }

    /// What the server says of one class of nodes; `None` when it has none of that name.
    pub(crate) async fn node(&self, class: &str) -> Result<Option<(String, Value)>, ErrorInfo> {
        // It stands in a path. The nodes of our own graphs have plain names.
        if !class.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
            return Ok(None);
        }
        let answer = self.ask(&format!("/object_info/{class}")).await;
        let answer = answer.map_err(|(_, info)| info)?;
        let told = answer.get(class).cloned();
        Ok(told.map(|told| (class.to_owned(), told)))
    }

    /// The graph of a request as it would be queued, a seed drawn where none was asked for.
    pub async fn graph(&self, request: &GenerationRequest) -> Result<Value, ErrorInfo> {
        let prepared = self.prepare(request).await.map_err(|(_, info)| info)?;
        Ok(prepared.graph)
    }

    /// Makes one test generation. The graph is queued once and never again; what has no equivalent is
    /// refused before that. Cancelling interrupts this prompt, or takes it from the queue.
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
        match self.make(request, cancel, started, &mut on_progress).await {
            Ok(outcome) => GenerationOutcomeRaw {
                took: started.elapsed(),
                ..outcome
            },
            Err(failure) => GenerationOutcomeRaw::failed(failure, started.elapsed()),
        }
    }

    async fn make(
        &self,
        request: &GenerationRequest,
        cancel: &CancellationToken,
        started: Instant,
        on_progress: &mut (impl FnMut(LiveProgress) + Send),
    ) -> Result<GenerationOutcomeRaw, Failure> {
        let Prepared {
            choice,
            substitutions,
            graph,
            prompt,
        } = self.prepare(request).await?;
        let queued = Queued {
            graph: &graph,
            prompt,
            own: false,
            substitutions: &substitutions,
        };
        let entry = self.run(queued, cancel, on_progress).await?;
        let ready = started.elapsed();
        let most = usize::try_from(request.batch).unwrap_or(1);
        let files = files::of(&entry, Some(graph::OUTPUT), most);
        let limit = files::limit(request);
        let pictures = self.fetched(&files, limit, cancel).await?;
        // One generator fills the whole batch: only its first picture has a seed of its own.
        let seed = Seed(choice.seed);
        let seeds = [Some(seed)].into_iter().chain(std::iter::repeat(None));
        Ok(GenerationOutcomeRaw {
            seeds: vec![seed],
            infotexts: pictures
                .iter()
                .zip(seeds)
                .map(|(_, seed)| infotext::compose(request, seed, &choice.names()))
                .collect(),
            pictures,
            model: Some(judge::shorten(choice.model.name())),
            substitutions,
            interrupted: false,
            failure: None,
            took: Duration::ZERO,
            ready: Some(ready),
        })
    }

    /// The same without fetching what was made.
    pub async fn paint(
        &self,
        request: &GenerationRequest,
        cancel: &CancellationToken,
        mut on_stage: impl FnMut(GenerationStage) + Send,
    ) -> Result<(), Failure> {
        let mut told = |live: LiveProgress| on_stage(live.progress.stage);
        let prepared = self.prepare(request).await?;
        let queued = Queued {
            graph: &prepared.graph,
            prompt: prepared.prompt,
            own: false,
            substitutions: &prepared.substitutions,
        };
        self.run(queued, cancel, &mut told).await.map(|_| ())
    }

    /// Chooses what a request leaves open, and makes its graph.
    async fn prepare(&self, request: &GenerationRequest) -> Result<Prepared, Failure> {
        request.check().map_err(|problem| {
            failed(ErrorInfo::new(ErrorCode::BadRequest, problem.to_string()))
        })?;
        let offers = self.offers().await.map_err(failed)?;
        // Without a history any checkpoint will do.
        let history = self.ask("/history?max_items=1").await.unwrap_or_default();
        let newest = history.as_object().and_then(|all| all.values().next());
        let used = newest.and_then(|entry| graph::checkpoint_of(entry.get("prompt")?.get(2)?));
        let (choice, substitutions) = choose::choose(request, &offers, used).map_err(failed)?;
        let prompt = Uuid::new_v4().to_string();
        Ok(Prepared {
            graph: graph::text_to_image(request, &choice, &prompt),
            choice,
            substitutions,
            prompt,
        })
    }

    /// Queues a graph under an id and follows it to its good end: its entry in the history.
    pub(super) async fn run(
        &self,
        Queued {
            graph,
            prompt,
            own,
            substitutions,
        }: Queued<'_>,
        cancel: &CancellationToken,
        on_progress: &mut (impl FnMut(LiveProgress) + Send),
    ) -> Result<Value, Failure> {
        let client = Uuid::new_v4().simple().to_string();
        let body = json!({ "prompt": graph, "prompt_id": prompt, "client_id": client });
        // Before the prompt: what is said earlier is not repeated.
        let socket = Socket::open(&self.reach.target, &client).await;
        if cancel.is_cancelled() {
            return Err(interrupted("The picture was cancelled before it was sent."));
        }
        let ticket = |prompt: &str| Ticket::Comfyui {
            prompt: prompt.to_owned(),
            client: client.clone(),
            graph: graph.clone(),
            own,
            substitutions: substitutions.to_vec(),
        };
        self.reach.errand.keep(ticket(&prompt)).await;
        let prompt = match self.send(&body).await? {
            Some(own) if own != prompt => {
                self.reach.errand.keep(ticket(&own)).await;
                own
            }
            _ => prompt,
        };
        let following = Following::new(self, &prompt, Course::of(graph), socket);
        following.follow(cancel, on_progress).await
    }

    /// Queues a prompt; its id where the server tells one, which an old one may have chosen itself.
    /// An answer that did not come whole leaves open whether it was queued: the queue will tell.
    async fn send(&self, body: &Value) -> Result<Option<String>, Failure> {
        let ask = Ask::post("/prompt", body, QUEUE_DEADLINE);
        let answer = match self.reach.http.send(&self.reach.target, &ask).await {
            Ok(answer) => answer,
            Err(HttpError::TimedOut { .. } | HttpError::Reset(_)) => return Ok(None),
            Err(error) => return Err(failure::unanswered(&error)),
        };
        if answer.status != 200 {
            return Err(errors::refused(
                &answer,
                self.reach.target.has_credentials(),
            ));
        }
        let accepted = judge::json(&answer).ok();
        let id = accepted.as_ref().and_then(|a| a.get("prompt_id")?.as_str());
        Ok(id.map(str::to_owned))
    }

    /// What the server works on and what waits.
    pub(super) async fn queue(&self) -> Result<Queue, Failure> {
        let path = "/queue";
        let answer = self
            .good(&Ask::get(path, PROBE_DEADLINE).limit(queue::LIMIT))
            .await?;
        if answer.cut.is_some() {
            return Err(odd(path, "cut off or too large"));
        }
        serde_json::from_slice(&answer.body).map_err(|error| odd(path, &error.to_string()))
    }

    /// Fetches the files of a run in their order, unless somebody asks it to end.
    pub(super) async fn fetched(
        &self,
        files: &[File],
        limit: usize,
        cancel: &CancellationToken,
    ) -> Result<Vec<Bytes>, Failure> {
        tokio::select! {
            pictures = self.pictures(files, limit) => pictures,
            () = cancel.cancelled() => {
                Err(interrupted("Cancelled while the finished picture was fetched."))
            }
        }
    }

    async fn pictures(&self, files: &[File], limit: usize) -> Result<Vec<Bytes>, Failure> {
        let mut pictures = Vec::new();
        for file in files {
            let path = file.path();
            let ask = Ask::get(&path, FILE_DEADLINE).limit(limit);
            let answer = self.good(&ask).await?;
            if answer.cut.is_some() {
                return Err(odd("/view", "cut off or too large"));
            }
            pictures.push(answer.body);
        }
        if pictures.is_empty() {
            return Err(odd("/history", "no picture in it"));
        }
        Ok(pictures)
    }

    /// A question with a JSON answer.
    pub(super) async fn ask(&self, path: &str) -> Result<Value, Failure> {
        let answer = self.good(&Ask::get(path, PROBE_DEADLINE)).await?;
        if answer.cut.is_some() {
            return Err(odd(path, "cut off or too large"));
        }
        judge::json(&answer).map_err(|what| odd(path, &what))
    }

    /// An order without an answer; whether the server took it.
    pub(super) async fn order(&self, path: &str, body: &Value) -> bool {
        self.good(&Ask::post(path, body, PROBE_DEADLINE))
            .await
            .is_ok()
    }

    /// Sends, and takes nothing but a 200.
    async fn good(&self, ask: &Ask<'_>) -> Result<HttpAnswer, Failure> {
        let answer = self.reach.http.send(&self.reach.target, ask).await;
        let answer = answer.map_err(|error| failure::unanswered(&error))?;
        if answer.status == 200 {
            return Ok(answer);
        }
        let sent_credentials = self.reach.target.has_credentials();
        Err(errors::unwell(ask.path(), &answer, sent_credentials))
    }
}

/// A request that is ready to be queued.
struct Prepared {
    choice: Choice,
    /// What is used in place of what was asked for.
    substitutions: Vec<Substitution>,
    graph: Value,
    /// The id it is to be known by.
    prompt: String,
}

/// A generation that failed before it was queued.
pub(super) fn failed(info: ErrorInfo) -> Failure {
    (GenerationVerdict::Failed, info)
}

/// The end of a generation that somebody asked to end.
pub(super) fn interrupted(message: &str) -> Failure {
    let info = ErrorInfo::new(ErrorCode::Cancelled, message);
    (GenerationVerdict::Interrupted, info)
}

fn odd(path: &str, what: &str) -> Failure {
    let info = ErrorInfo::new(ErrorCode::Api, "ComfyUI's answer is not usable.")
        .detail(format!("{path}: {what}"));
    (GenerationVerdict::Failed, info)
}
