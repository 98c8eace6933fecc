//! Follows one's own generation among those of others, and says what is known of it.

use bytes::Bytes;
use forgekeeper_domain::generation::{GenerationProgress, GenerationStage};

use super::{
    super::{
        http::{Ask, Http, Target},
        outcome::LiveProgress,
        probe::ASIDE_DEADLINE,
    },
    probe,
    progress::Progress,
    wire::{self, TaskProgress},
};
use crate::media::decode;

/// Largest preview in bytes.
pub(super) const PREVIEW_LIMIT: usize = 8 * 1024 * 1024;
/// Without the page's route a preview is fetched with every second look.
const PREVIEW_EVERY: u32 = 2;

/// What is known about where the generation is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Whose {
    /// Ours is being worked on.
    Ours,
    /// Ours is in the server's queue.
    Queued,
    /// The server works, or not, and nothing tells for whom.
    Untold,
}

/// How the server can be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Route {
    /// Not known yet.
    New,
    /// By our own id.
    ById,
    /// Only the global state; whether the server was idle when we asked.
    Global { idle_before: bool },
}

/// The follower of one generation.
#[derive(Debug)]
pub(super) struct Follower<'a> {
    http: &'a Http,
    target: &'a Target,
    task: &'a str,
    steps: u32,
    /// What ran before our request was sent.
    before: Option<Progress>,
    route: Route,
    known_preview: i64,
    looks: u32,
    seen_running: bool,
}

/// A look with everything the patience of the caller needs.
#[derive(Debug)]
pub(super) struct Look {
    pub whose: Whose,
    pub live: LiveProgress,
    /// Differs whenever anything moved.
    pub sign: Sign,
}

/// What is compared to find out whether anything moves.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Sign {
    stage: GenerationStage,
    progress: Option<f64>,
    step: i64,
    job: String,
}

impl<'a> Follower<'a> {
    /// Notes what runs before the request is sent.
    pub(super) async fn start(
        http: &'a Http,
        target: &'a Target,
        task: &'a str,
        steps: u32,
    ) -> Self {
        let before = probe::progress(http, target).await;
        Self {
            http,
            target,
            task,
            steps,
            before,
            route: Route::New,
            known_preview: -1,
            looks: 0,
            seen_running: false,
        }
    }

    /// Whether something ran before the request was sent.
    pub(super) fn was_busy(&self) -> bool {
        self.before.as_ref().is_some_and(Progress::is_running)
    }

    /// Asks the server once; `None` when it does not answer.
    pub(super) async fn look(&mut self) -> Option<Look> {
        self.looks = self.looks.wrapping_add(1);
        if self.route == Route::New {
            self.route = self.find_route().await?;
        }
        match self.route {
            Route::ById => self.by_id().await,
            Route::Global { idle_before } => self.global(idle_before).await,
            Route::New => None,
        }
    }

    /// Whether the task may be interrupted without hitting another's: asked again, right now.
    pub(super) async fn is_ours_now(&mut self) -> Whose {
        self.look().await.map_or(Whose::Untold, |look| look.whose)
    }

    async fn find_route(&self) -> Option<Route> {
        let question = wire::task_question(self.task, -1);
        let answer = self
            .http
            .send(
                self.target,
                &Ask::post("/internal/progress", &question, ASIDE_DEADLINE),
            )
            .await
            .ok()?;
        let by_id = answer.status == 200
            && answer.is_json()
            && serde_json::from_slice::<TaskProgress>(&answer.body).is_ok();
        let idle_before = self
            .before
            .as_ref()
            .is_some_and(|before| !before.is_running());
        Some(if by_id {
            Route::ById
        } else {
            Route::Global { idle_before }
        })
    }

    async fn by_id(&mut self) -> Option<Look> {
        let question = wire::task_question(self.task, self.known_preview);
        let ask =
            Ask::post("/internal/progress", &question, ASIDE_DEADLINE).limit(2 * PREVIEW_LIMIT);
        let answer = self.http.send(self.target, &ask).await.ok()?;
        if answer.status != 200 || answer.cut.is_some() {
            return None;
        }
        let task: TaskProgress = serde_json::from_slice(&answer.body).ok()?;
        if !task.active {
            let stage = if task.completed {
                GenerationStage::Finishing
            } else {
                GenerationStage::Waiting
            };
            let whose = if task.completed {
                Whose::Ours
            } else if task.queued {
                Whose::Queued
            } else {
                Whose::Untold
            };
            let mut look = waiting(whose, stage);
            if whose == Whose::Queued {
                look.live.progress.queue_ahead = task.ahead();
            }
            return Some(look);
        }
        // One lock per process: while ours is active, the global state is ours as well.
        let global = probe::progress(self.http, self.target)
            .await
            .unwrap_or_default();
        let preview = task.live_preview.as_deref().and_then(preview);
        if preview.is_some() {
            self.known_preview = task.id_live_preview.unwrap_or(self.known_preview);
        }
        let progress = Progress {
            progress: task.progress.unwrap_or(global.progress),
            ..global
        };
        Some(self.ours(&progress, preview))
    }

    async fn global(&mut self, idle_before: bool) -> Option<Look> {
        let with_preview = self.seen_running && self.looks.is_multiple_of(PREVIEW_EVERY);
        let path = if with_preview {
            "/sdapi/v1/progress?skip_current_image=false"
        } else {
            probe::PROGRESS
        };
        let ask = Ask::get(path, ASIDE_DEADLINE).limit(2 * PREVIEW_LIMIT);
        let answer = self.http.send(self.target, &ask).await.ok()?;
        let progress = probe::read_progress(&answer)?;
        // The server was busy with another's work, or could not be asked: what runs now, and what
        // runs after it, may be anybody's.
        if !idle_before {
            let mut look = waiting(Whose::Untold, GenerationStage::Waiting);
            look.sign.progress = Some(progress.progress);
            look.sign.step = progress.state.sampling_step;
            look.sign.job = progress.state.job_timestamp;
            return Some(look);
        }
        if !progress.is_running() {
            // Idle while our request is open: not begun yet, or already packing the pictures.
            let stage = if self.seen_running {
                GenerationStage::Finishing
            } else {
                GenerationStage::Waiting
            };
            return Some(waiting(Whose::Untold, stage));
        }
        let preview = progress.current_image.as_deref().and_then(preview);
        Some(self.ours(&progress, preview))
    }

    pub(super) fn ours(&mut self, progress: &Progress, preview: Option<Bytes>) -> Look {
        self.seen_running = true;
        let step = (progress.has_steps() && progress.state.sampling_steps > 0)
            .then(|| u32::try_from(progress.state.sampling_step).ok())
            .flatten()
            .map(|step| step.min(self.steps));
        let last = progress.state.job_no + 1 >= progress.state.job_count;
        let stage = if progress.is_loading() {
            GenerationStage::LoadingModel
        } else if last && step == Some(self.steps) {
            GenerationStage::Finishing
        } else {
            GenerationStage::Sampling
        };
        let shown = GenerationProgress {
            stage,
            fraction: progress.fraction(),
            step,
            steps: Some(self.steps),
            eta_s: progress.eta_s(),
            preview: None,
            queue_ahead: None,
        };
        Look {
            whose: Whose::Ours,
            live: LiveProgress {
                progress: shown,
                preview,
            },
            sign: Sign {
                stage,
                progress: Some(progress.progress),
                step: progress.state.sampling_step,
                job: progress.state.job.clone(),
            },
        }
    }
}

fn waiting(whose: Whose, stage: GenerationStage) -> Look {
    let progress = GenerationProgress {
        stage,
        fraction: None,
        step: None,
        steps: None,
        eta_s: None,
        preview: None,
        queue_ahead: None,
    };
    Look {
        whose,
        live: LiveProgress {
            progress,
            preview: None,
        },
        sign: Sign {
            stage,
            progress: None,
            step: 0,
            job: String::new(),
        },
    }
}

/// A preview as it comes: bare base64 or a `data:` address. An unreadable one is left out.
pub(super) fn preview(text: &str) -> Option<Bytes> {
    if text.is_empty() || text.len() > 2 * PREVIEW_LIMIT {
        return None;
    }
    let bytes = decode::base64(text)
        .ok()
        .filter(|bytes| bytes.len() <= PREVIEW_LIMIT)?;
    decode::header(&bytes).ok().map(|_| bytes)
}
