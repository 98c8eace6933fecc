//! Is Forge's API up: `/sdapi/v1/sd-models` proves it, `/progress` says whether it works or hangs.

use std::time::Duration;

use forgekeeper_domain::{
    Timestamp,
    facts::{Activity, ApiFact},
    service::{KindId, kind},
};

use super::{
    super::{
        http::{Ask, Http, HttpAnswer, HttpError, Target},
        judge::{self, Judged},
        probe::{ASIDE_DEADLINE, PROBE_DEADLINE, ProbeMemory},
    },
    memory,
    progress::Progress,
};

pub(crate) const PROGRESS: &str = "/sdapi/v1/progress?skip_current_image=true";
const PING: &str = "/internal/ping";
/// For so long the page may answer before the API exists; starts with many extensions take seconds.
const API_APPEARS_S: i64 = 60;
/// Between two looks at the progress of a server that answers nothing else.
const MOVE_PAUSE: Duration = Duration::from_millis(1200);
/// Loading a model shows no progress. The largest checkpoints (24 GB) from a slow disk (30 MB/s)
/// take a quarter of an hour; who has not finished then hangs. Seconds.
const LOADING_BELIEVED_S: i64 = 900;

pub(crate) async fn probe(
    http: &Http,
    target: &Target,
    seen: &mut ProbeMemory,
    now: Timestamp,
) -> ApiFact {
    let models = kind(KindId::Forge).api_probe_path();
    let answer = match http.send(target, &Ask::get(models, PROBE_DEADLINE)).await {
        Ok(answer) => answer,
        Err(HttpError::TimedOut { deadline_ms }) => {
            seen.without_api_since = None;
            let progress_moves = moves(http, target, seen, now).await;
            return ApiFact::TimedOut {
                deadline_ms,
                progress_moves,
            };
        }
        Err(error) => {
            *seen = ProbeMemory::default();
            return judge::failed(error);
        }
    };
    let fact = match classify(&answer, target.has_credentials()) {
        Judged::Fact(fact) => fact,
        Judged::Page => {
            let placeholder =
                judge::is_preparing(&answer.body) || refuses_posts(http, target).await;
            judge::page(&answer, placeholder)
        }
    };
    match fact {
        ApiFact::Starting { what } if answer.status == 404 => {
            let since = ping(http, target)
                .await
                .then(|| seen.without_api_since.unwrap_or(now));
            *seen = ProbeMemory {
                without_api_since: since,
                ..ProbeMemory::default()
            };
            absent(what, since, now)
        }
        ApiFact::Answered {
            models,
            latency_ms,
            version,
            ..
        } => {
            let (progress, device) =
                tokio::join!(progress(http, target), memory::ask(http, target));
            let activity = match &progress {
                Some(progress) => progress.busy().map_or(Activity::Idle, Activity::Busy),
                None => Activity::Unknown,
            };
            *seen = ProbeMemory {
                progress: progress.map(|p| p.mark()),
                ..ProbeMemory::default()
            };
            ApiFact::Answered {
                models,
                latency_ms,
                activity,
                version,
                device,
            }
        }
        fact => {
            *seen = ProbeMemory::default();
            fact
        }
    }
}

/// Judges the answer to the list of models.
fn classify(answer: &HttpAnswer, sent_credentials: bool) -> Judged {
    judge::judge(answer, sent_credentials, models, |models| {
        ApiFact::Answered {
            models: Some(models),
            latency_ms: answer.took_ms(),
            activity: Activity::Unknown,
            version: None,
            device: None,
        }
    })
}

/// The API path does not exist: not yet, or never, when the page has answered long enough.
fn absent(what: String, page_since: Option<Timestamp>, now: Timestamp) -> ApiFact {
    match page_since {
        Some(since) if now.as_second() - since.as_second() > API_APPEARS_S => ApiFact::Disabled,
        _ => ApiFact::Starting { what },
    }
}

fn models(answer: &HttpAnswer) -> Result<u32, String> {
    let body = judge::json(answer)?;
    let list = body.as_array().ok_or("JSON that is no list of models")?;
    if !list
        .iter()
        .all(|model| model.get("title").is_some_and(serde_json::Value::is_string))
    {
        return Err("a list whose entries are no models".to_owned());
    }
    u32::try_from(list.len()).map_err(|_| "a list of models beyond counting".to_owned())
}

pub(crate) async fn progress(http: &Http, target: &Target) -> Option<Progress> {
    let answer = http
        .send(target, &Ask::get(PROGRESS, ASIDE_DEADLINE))
        .await
        .ok()?;
    read_progress(&answer)
}

pub(crate) fn read_progress(answer: &HttpAnswer) -> Option<Progress> {
    if answer.status != 200 || answer.cut.is_some() || !answer.is_json() {
        return None;
    }
    serde_json::from_slice(&answer.body).ok()
}

/// Whether a generation moves on a server that answers nothing else in time.
async fn moves(http: &Http, target: &Target, memory: &mut ProbeMemory, now: Timestamp) -> bool {
    let before = memory.progress.take();
    let loading_since = memory.loading_since.take();
    let Some(first) = progress(http, target).await else {
        return false;
    };
    memory.progress = Some(first.mark());
    if !first.is_running() {
        return false;
    }
    let moved = before.is_some_and(|before| before != first.mark());
    if first.is_loading() {
        let since = loading_since.filter(|_| !moved).unwrap_or(now);
        memory.loading_since = Some(since);
        if is_still_loading(since, now) {
            return true;
        }
    }
    if moved {
        return true;
    }
    tokio::time::sleep(MOVE_PAUSE).await;
    let Some(second) = progress(http, target).await else {
        return false;
    };
    memory.progress = Some(second.mark());
    second.mark() != first.mark()
}

/// For so long a load without any progress is believed.
fn is_still_loading(since: Timestamp, now: Timestamp) -> bool {
    (now.as_second() - since.as_second()).abs() <= LOADING_BELIEVED_S
}

/// The page of the program itself answers.
async fn ping(http: &Http, target: &Target) -> bool {
    let answer = http.send(target, &Ask::get(PING, ASIDE_DEADLINE)).await;
    answer.is_ok_and(|answer| answer.status == 200 && answer.is_json())
}

/// The container's placeholder answers every GET with its page and refuses every other method;
/// the address used here has no effect on any server.
async fn refuses_posts(http: &Http, target: &Target) -> bool {
    let ask = Ask::post(PING, &serde_json::Value::Null, ASIDE_DEADLINE);
    http.send(target, &ask)
        .await
        .is_ok_and(|answer| answer.status == 405)
}
