//! A picture that an earlier run of this program asked for: followed to its end. A courier may carry
//! its answer, or have left it. Without one the answer went to a connection that is gone, and the server
//! keeps no copy: its last live preview is all there is.

use std::time::Instant;

use bytes::Bytes;
use forgekeeper_domain::{
    error::{ErrorCode, ErrorInfo},
    generation::{GenerationProgress, GenerationRequest, GenerationStage, GenerationVerdict},
};
use tokio_util::sync::CancellationToken;

use super::{
    super::{
        errand::{Again, Ticket},
        failure::{self, Failure},
        http::Ask,
        outcome::{GenerationOutcomeRaw, LiveProgress},
        probe::ASIDE_DEADLINE,
    },
    client::{ForgeClient, Life, left_alone, silence},
    errors,
    follow::{self, Follower, Whose},
    options::Borrowed,
    probe,
    progress::Progress,
    wire::{self, TaskProgress},
};

/// So many looks on end that say the same mean it: between two tasks nothing is told of either.
const SURE_AFTER: u32 = 3;

/// What the server says of the task.
enum Told {
    /// At work: its progress, and a new preview.
    Active(Progress, Option<Bytes>),
    /// It calls the task active and does nothing: one that failed stays so until the next begins.
    Stuck,
    Queued,
    Completed,
    /// It knows no such task.
    Nothing,
    /// No answer.
    Silence(Failure),
}

impl ForgeClient {
    /// Looks for a task; nothing is sent again.
    pub(super) async fn find(
        &self,
        again: &Again,
        request: &GenerationRequest,
        cancel: &CancellationToken,
        on_progress: &mut (impl FnMut(LiveProgress) + Send),
    ) -> GenerationOutcomeRaw {
        let started = Instant::now();
        let Ticket::Forge {
            task,
            borrowed,
            courier,
        } = &again.ticket
        else {
            return GenerationOutcomeRaw::failed(another_kind(), started.elapsed());
        };
        let carried = match courier {
            Some(name) => {
                let carried = self.carried((task, name), again, request, cancel, on_progress);
                Box::pin(carried).await
            }
            None => None,
        };
        let outcome = match carried {
            Some(outcome) => outcome,
            None => {
                self.unheard(task, request, started, cancel, on_progress)
                    .await
            }
        };
        match borrowed {
            Some(borrowed) => {
                Borrowed::kept(self, borrowed.clone())
                    .put_back(outcome)
                    .await
            }
            None => outcome,
        }
    }

    /// Follows a task whose answer a courier carries, as if it had been sent now; `None` where there is
    /// neither a courier nor an answer.
    async fn carried(
        &self,
        (task, name): (&str, &str),
        again: &Again,
        request: &GenerationRequest,
        cancel: &CancellationToken,
        on_progress: &mut (impl FnMut(LiveProgress) + Send),
    ) -> Option<GenerationOutcomeRaw> {
        // What it leaves goes with the record, also when it is of no use.
        let name = self.reach.carried_by.get_or_init(|| name.to_owned());
        let courier = self.reach.courier.as_ref().filter(|c| c.is_known(name))?;
        let give_up = CancellationToken::new();
        let answer = self.await_courier(courier, name, request, &again.ended_at, &give_up);
        let follower =
            Follower::start(&self.reach.http, &self.reach.target, task, request.steps).await;
        let waiting = (answer, give_up.clone());
        self.follow(request, waiting, follower, cancel, on_progress)
            .await
    }

    /// Follows a task whose answer is lost. Its last live preview is all there is.
    pub(super) async fn unheard(
        &self,
        task: &str,
        request: &GenerationRequest,
        started: Instant,
        cancel: &CancellationToken,
        on_progress: &mut (impl FnMut(LiveProgress) + Send),
    ) -> GenerationOutcomeRaw {
        let mut last_preview = None;
        let mut told = |live: LiveProgress| {
            if let Some(preview) = &live.preview {
                last_preview = Some(preview.clone());
            }
            on_progress(live);
        };
        let failure = Box::pin(self.follow_task(task, request, cancel, &mut told)).await;
        GenerationOutcomeRaw {
            pictures: last_preview.into_iter().collect(),
            ..GenerationOutcomeRaw::failed(failure, started.elapsed())
        }
    }

    /// Follows a task until it has ended; how it did.
    async fn follow_task(
        &self,
        task: &str,
        request: &GenerationRequest,
        cancel: &CancellationToken,
        on_progress: &mut (impl FnMut(LiveProgress) + Send),
    ) -> Failure {
        let mut follower =
            Follower::start(&self.reach.http, &self.reach.target, task, request.steps).await;
        let mut life = Life::new(self.reach.patience);
        let (mut known_preview, mut gone, mut stuck) = (-1, 0, 0);
        let mut interrupted = false;
        let mut silent_since = None;
        loop {
            let told = match self.ask_for(task, &mut known_preview).await {
                Ok(told) => told,
                Err(failure) => return failure,
            };
            let asked_to_stop = cancel.is_cancelled() && !interrupted;
            gone = if matches!(told, Told::Nothing) {
                gone + 1
            } else {
                0
            };
            stuck = if matches!(told, Told::Stuck) {
                stuck + 1
            } else {
                0
            };
            let look = match told {
                Told::Active(progress, preview) => {
                    if asked_to_stop {
                        if !self.interrupt().await {
                            return left_alone(Whose::Ours);
                        }
                        interrupted = true;
                        life.interrupted();
                    }
                    Some(follower.ours(&progress, preview))
                }
                Told::Queued if asked_to_stop => return left_alone(Whose::Queued),
                Told::Completed => return unheard(interrupted),
                Told::Nothing if gone >= SURE_AFTER => return unknown(),
                Told::Stuck if stuck >= SURE_AFTER => return failed_unheard(),
                Told::Queued | Told::Nothing | Told::Stuck => {
                    on_progress(LiveProgress {
                        progress: waiting(),
                        preview: None,
                    });
                    None
                }
                Told::Silence(failure) => {
                    if asked_to_stop {
                        return left_alone(Whose::Untold);
                    }
                    // A server that starts anew takes minutes until it answers again.
                    let since: Instant = *silent_since.get_or_insert_with(Instant::now);
                    if since.elapsed() > self.reach.patience.loading {
                        return failure;
                    }
                    self.pause(cancel, interrupted).await;
                    continue;
                }
            };
            silent_since = None;
            if let Some(look) = look {
                life.saw(look.sign, look.whose, look.live.progress.stage);
                on_progress(look.live);
                if let Some(silent) = life.too_long() {
                    return silence(silent, interrupted);
                }
            }
            self.pause(cancel, interrupted).await;
        }
    }

    /// Waits for the next look; who wants to end it does not wait.
    async fn pause(&self, cancel: &CancellationToken, interrupted: bool) {
        tokio::select! {
            () = tokio::time::sleep(self.reach.patience.poll) => {}
            () = cancel.cancelled(), if !interrupted => {}
        }
    }

    /// Asks once. An error is an answer after which asking again is useless.
    async fn ask_for(&self, task: &str, known_preview: &mut i64) -> Result<Told, Failure> {
        let question = wire::task_question(task, *known_preview);
        let ask = Ask::post("/internal/progress", &question, ASIDE_DEADLINE)
            .limit(2 * follow::PREVIEW_LIMIT);
        let answer = match self.reach.http.send(&self.reach.target, &ask).await {
            Ok(answer) => answer,
            Err(error) => return Ok(Told::Silence(failure::unanswered(&error))),
        };
        match answer.status {
            200 if answer.cut.is_none() => {}
            404 | 405 => return Err(untold()),
            // The page of a server that is starting, or of a proxy before it.
            _ => {
                return Ok(Told::Silence(errors::refused(
                    &answer,
                    self.reach.target.has_credentials(),
                )));
            }
        }
        let Ok(task) = serde_json::from_slice::<TaskProgress>(&answer.body) else {
            return Ok(Told::Silence(untold()));
        };
        if task.completed {
            return Ok(Told::Completed);
        }
        if !task.active {
            return Ok(if task.queued {
                Told::Queued
            } else {
                Told::Nothing
            });
        }
        let preview = task.live_preview.as_deref().and_then(follow::preview);
        if preview.is_some() {
            *known_preview = task.id_live_preview.unwrap_or(*known_preview);
        }
        // One lock per process: while ours is active, the global state is ours as well.
        Ok(
            match probe::progress(&self.reach.http, &self.reach.target).await {
                Some(global) if !global.is_running() => Told::Stuck,
                global => {
                    let global = global.unwrap_or_default();
                    let progress = Progress {
                        progress: task.progress.unwrap_or(global.progress),
                        ..global
                    };
                    Told::Active(progress, preview)
                }
            },
        )
    }
}

fn waiting() -> GenerationProgress {
    GenerationProgress {
        stage: GenerationStage::Waiting,
        fraction: None,
        step: None,
        steps: None,
        eta_s: None,
        preview: None,
        queue_ahead: None,
    }
}

fn told(verdict: GenerationVerdict, code: ErrorCode, message: &str, hint: &str) -> Failure {
    (verdict, ErrorInfo::new(code, message).hint(hint))
}

/// The server did its work: nothing is wrong with it, and the picture is not finished here.
fn unheard(interrupted: bool) -> Failure {
    if interrupted {
        return told(
            GenerationVerdict::Interrupted,
            ErrorCode::Cancelled,
            "The generation was interrupted on request.",
            "Its last live preview is kept, where one came.",
        );
    }
    told(
        GenerationVerdict::Interrupted,
        ErrorCode::NotProved,
        "The picture was finished while nobody was listening; this server keeps no copy.",
        "Its last live preview is kept, where one came. Ask for the picture again with its seed.",
    )
}

fn failed_unheard() -> Failure {
    told(
        GenerationVerdict::Failed,
        ErrorCode::Api,
        "The picture failed while nobody was listening.",
        "Read the server's log: its answer is lost.",
    )
}

fn unknown() -> Failure {
    told(
        GenerationVerdict::Failed,
        ErrorCode::Api,
        "The server does not know the picture any more: it was restarted, the picture failed, or many \
         others were made since.",
        "Read the server's log, or ask for the picture again.",
    )
}

fn untold() -> Failure {
    told(
        GenerationVerdict::Interrupted,
        ErrorCode::NotProved,
        "This server does not tell what became of the picture, and its answer is lost.",
        "Ask for the picture again.",
    )
}

fn another_kind() -> Failure {
    let info = ErrorInfo::new(
        ErrorCode::Refused,
        "The service is of another kind than when the picture was asked for.",
    );
    (GenerationVerdict::Interrupted, info)
}
