//! Generations against a scripted server that remembers what runs, as Forge does.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    thread,
    time::Duration,
};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use forgekeeper_domain::{
    error::ErrorCode,
    generation::{GenerationRequest, GenerationStage, GenerationVerdict, Seed},
};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::{
    super::{
        http::Http,
        outcome::{GenerationOutcomeRaw, LiveProgress},
        patience::Patience,
        reach::Reach,
        scripted::{self, Reply, Request, Server},
    },
    *,
};

mod asked;

#[expect(clippy::cast_possible_truncation, reason = "patterns of test pictures")]
pub(super) fn png(width: u32, height: u32, level: u8) -> Vec<u8> {
    let mut bytes = Vec::new();
    let pixel = |x: u32, y: u32| image::Rgb([(x * 5 % 256) as u8, (y * 7 % 256) as u8, level]);
    image::DynamicImage::from(image::RgbImage::from_fn(width, height, pixel))
        .write_to(
            &mut std::io::Cursor::new(&mut bytes),
            image::ImageFormat::Png,
        )
        .expect("encodes");
    bytes
}

pub(super) fn good_answer() -> String {
    let info = json!({
        "seed": 42, "all_seeds": [42], "sampler_name": "Euler", "steps": 20, "sd_model_name": "beta",
        "sd_model_hash": "b1e372b56c", "index_of_first_image": 0,
        "infotexts": ["a fox\nSteps: 20, Sampler: Euler, Schedule type: Karras, CFG scale: 7.0, Seed: 42"],
    });
    json!({ "images": [BASE64_STANDARD.encode(png(64, 64, 3))], "parameters": {}, "info": info.to_string() })
        .to_string()
}

#[test]
fn the_largest_request_fits_its_answer_and_a_small_one_gets_no_more_than_it_needs() {
    let of = |side: u32, batch: u32| {
        client::answer_limit(&GenerationRequest {
            width: side,
            height: side,
            batch,
            ..GenerationRequest::default()
        })
    };
    // Noise does not compress: four bytes a pixel, four characters for three bytes.
    assert!(of(2048, 8) >= 8 * 2048 * 2048 * 4 / 3 * 4);
    assert!(of(512, 1) < 32 * 1024 * 1024);
}

/// A server whose generation waits, loads, samples and ends, or waits for an interrupt.
#[derive(Default)]
struct Play {
    posts: AtomicU32,
    interrupts: AtomicU32,
    running: AtomicBool,
    looks: AtomicU32,
    task: Mutex<String>,
}

fn play(with_page: bool, until_interrupt: bool, length: Duration) -> (Server, Arc<Play>) {
    let play = Arc::new(Play::default());
    let state = Arc::clone(&play);
    let server =
        Server::start(move |request| script(&state, request, with_page, until_interrupt, length));
    (server, play)
}

fn script(
    play: &Play,
    request: &Request,
    with_page: bool,
    until_interrupt: bool,
    length: Duration,
) -> Reply {
    let not_found = || Reply::Json(404, "{\"detail\":\"Not Found\"}".to_owned());
    match request.path.split('?').next().unwrap_or_default() {
        "/sdapi/v1/txt2img" => {
            play.posts.fetch_add(1, Ordering::SeqCst);
            let body: Value = serde_json::from_str(&request.body).expect("JSON");
            *play.task.lock().expect("lock") =
                body["force_task_id"].as_str().expect("an id").to_owned();
            thread::sleep(Duration::from_millis(60));
            play.running.store(true, Ordering::SeqCst);
            if until_interrupt {
                while play.interrupts.load(Ordering::SeqCst) == 0 {
                    thread::sleep(Duration::from_millis(10));
                }
            } else {
                thread::sleep(length);
            }
            play.running.store(false, Ordering::SeqCst);
            Reply::Json(200, good_answer())
        }
        "/sdapi/v1/interrupt" => {
            play.interrupts.fetch_add(1, Ordering::SeqCst);
            Reply::Json(200, "{}".to_owned())
        }
        "/sdapi/v1/progress" => {
            let running = play.running.load(Ordering::SeqCst);
            let look = if running {
                play.looks.fetch_add(1, Ordering::SeqCst)
            } else {
                0
            };
            let picture = request
                .path
                .contains("=false")
                .then(|| BASE64_STANDARD.encode(png(8, 8, 1)));
            Reply::Json(200, global(running, look, picture.as_deref()).to_string())
        }
        "/internal/progress" if with_page => {
            let body: Value = serde_json::from_str(&request.body).expect("JSON");
            let ours = body["id_task"] == json!(*play.task.lock().expect("lock"));
            let active = ours && play.running.load(Ordering::SeqCst);
            let preview = (active && body["id_live_preview"] == json!(-1)).then(|| {
                format!(
                    "data:image/png;base64,{}",
                    BASE64_STANDARD.encode(png(8, 8, 1))
                )
            });
            let progress =
                active.then(|| (f64::from(play.looks.load(Ordering::SeqCst)) / 20.0).max(0.01));
            Reply::Json(200, json!({"active": active, "queued": false, "completed": false, "progress": progress,
                "eta": 3.0, "live_preview": preview, "id_live_preview": 7, "textinfo": "Waiting..."}).to_string())
        }
        _ => not_found(),
    }
}

fn global(running: bool, look: u32, picture: Option<&str>) -> Value {
    let loading = running && look < 3;
    let step = if running { look } else { 20 };
    json!({
        "progress": if loading { 0.01 } else if running { f64::from(look) / 20.0 } else { 0.0 },
        "eta_relative": if loading { 806.0 } else { 2.5 },
        "state": {"job": if running { "scripts_txt2img" } else { "" },
            "job_count": if loading { -1 } else { i32::from(running) }, "job_no": 0,
            "job_timestamp": "20261123093744", "sampling_step": step, "sampling_steps": 20},
        "current_image": picture,
    })
}

fn client(url: &str) -> ForgeClient {
    let patience = Patience {
        poll: Duration::from_millis(30),
        still: Duration::from_millis(800),
        loading: Duration::from_secs(20),
        interrupt: Duration::from_secs(5),
    };
    let reach = Reach::new(Http::new().expect("a client"), url, None);
    ForgeClient::new(reach.expect("an address").with_patience(patience))
}

fn fox() -> GenerationRequest {
    GenerationRequest {
        prompt: "a fox".to_owned(),
        width: 64,
        height: 64,
        seed: Some(Seed(42)),
        ..GenerationRequest::default()
    }
}

async fn generate(
    url: &str,
    cancel: &CancellationToken,
) -> (GenerationOutcomeRaw, Vec<LiveProgress>) {
    let mut seen = Vec::new();
    let outcome = client(url)
        .txt2img(&fox(), cancel, |live| seen.push(live))
        .await;
    (outcome, seen)
}

fn failure(outcome: &GenerationOutcomeRaw) -> (GenerationVerdict, ErrorCode, String) {
    let (verdict, info) = outcome.failure.clone().expect("a failure");
    (verdict, info.code, info.message)
}

#[tokio::test]
async fn a_generation_is_followed_to_its_picture() {
    for with_page in [true, false] {
        let (server, play) = play(with_page, false, Duration::from_millis(700));
        let (outcome, seen) = generate(&server.url, &CancellationToken::new()).await;
        assert_eq!(outcome.failure, None, "page: {with_page}");
        assert_eq!(
            (outcome.pictures.len(), outcome.seeds.as_slice()),
            (1, [Seed(42)].as_slice())
        );
        assert_eq!(
            (outcome.model.as_deref(), outcome.substitutions.len()),
            (Some("beta"), 0)
        );
        assert!(!outcome.interrupted);
        assert_eq!(play.posts.load(Ordering::SeqCst), 1, "sent once");
        let stages: Vec<GenerationStage> = seen.iter().map(|live| live.progress.stage).collect();
        for stage in [
            GenerationStage::Waiting,
            GenerationStage::LoadingModel,
            GenerationStage::Sampling,
        ] {
            assert!(stages.contains(&stage), "page: {with_page}: {stages:?}");
        }
        for live in &seen {
            let at = &live.progress;
            match at.stage {
                GenerationStage::Waiting => {
                    assert_eq!((at.fraction, at.eta_s, at.step), (None, None, None));
                }
                GenerationStage::LoadingModel => {
                    assert_eq!(at.eta_s, None, "the estimate is nonsense: {at:?}");
                }
                _ => assert!(
                    at.fraction.is_none_or(|f| (0.0..=1.0).contains(&f)),
                    "{at:?}"
                ),
            }
        }
        let previews = seen.iter().filter(|live| live.preview.is_some()).count();
        assert!(previews >= 1, "page: {with_page}");
        assert!(
            !with_page || previews == 1,
            "the same preview is not sent twice"
        );
    }
}

#[tokio::test]
async fn cancelling_interrupts_what_is_ours() {
    for with_page in [true, false] {
        let (server, play) = play(with_page, true, Duration::ZERO);
        let cancel = CancellationToken::new();
        let stop = cancel.clone();
        let mut looks = 0;
        let client = client(&server.url);
        let request = fox();
        let outcome = client
            .txt2img(&request, &cancel, |live| {
                looks += 1;
                if live.progress.stage == GenerationStage::Sampling {
                    stop.cancel();
                }
            })
            .await;
        assert!(
            outcome.interrupted && outcome.failure.is_none(),
            "{outcome:?}"
        );
        assert_eq!(outcome.pictures.len(), 1, "the unfinished picture came");
        assert_eq!(play.interrupts.load(Ordering::SeqCst), 1);
    }
}

#[tokio::test]
async fn anothers_work_is_neither_shown_nor_interrupted() {
    // Busy before we ask, without the page's route: nothing tells whose picture runs.
    let server =
        Server::start(
            |request| match request.path.split('?').next().unwrap_or_default() {
                "/sdapi/v1/progress" => Reply::Json(200, global(true, 9, None).to_string()),
                "/sdapi/v1/txt2img" => Reply::Hang,
                _ => Reply::Json(404, "{}".to_owned()),
            },
        );
    let cancel = CancellationToken::new();
    let stop = cancel.clone();
    let request = fox();
    let mut seen = Vec::new();
    let outcome = client(&server.url)
        .txt2img(&request, &cancel, |live| {
            seen.push(live.progress);
            stop.cancel();
        })
        .await;
    let (verdict, code, message) = failure(&outcome);
    assert_eq!(
        (verdict, code),
        (GenerationVerdict::Interrupted, ErrorCode::Cancelled)
    );
    assert!(message.contains("may still make this one"), "{message}");
    assert!(
        seen.iter()
            .all(|at| at.stage == GenerationStage::Waiting && at.fraction.is_none()),
        "{seen:?}"
    );
    assert!(
        !server.asked().iter().any(|line| line.contains("interrupt")),
        "{:?}",
        server.asked()
    );
}

#[tokio::test]
async fn cancelling_in_the_queue_says_that_the_picture_will_be_made() {
    let server = Server::start(|request| {
        match request.path.split('?').next().unwrap_or_default() {
        "/sdapi/v1/progress" => Reply::Json(200, global(true, 9, None).to_string()),
        "/internal/progress" => Reply::Json(200,
            json!({"active": false, "queued": true, "completed": false, "textinfo": "In queue: 2/3"}).to_string()),
        "/sdapi/v1/txt2img" => Reply::Hang,
        _ => Reply::Json(404, "{}".to_owned()),
    }
    });
    let cancel = CancellationToken::new();
    let stop = cancel.clone();
    let request = fox();
    let mut ahead = None;
    let outcome = client(&server.url)
        .txt2img(&request, &cancel, |live| {
            ahead = live.progress.queue_ahead;
            stop.cancel();
        })
        .await;
    assert_eq!(ahead, Some(2), "one waits before it and one runs");
    assert!(
        failure(&outcome).2.contains("will still make the picture"),
        "{outcome:?}"
    );
    assert!(!server.asked().iter().any(|line| line.contains("interrupt")));
}

#[tokio::test]
async fn without_a_sign_of_life_it_ends_and_nothing_is_interrupted() {
    let server =
        Server::start(
            |request| match request.path.split('?').next().unwrap_or_default() {
                "/sdapi/v1/progress" => Reply::Json(500, "{}".to_owned()),
                "/sdapi/v1/txt2img" => Reply::Hang,
                _ => Reply::Json(404, "{}".to_owned()),
            },
        );
    let (outcome, _) = generate(&server.url, &CancellationToken::new()).await;
    let (verdict, code, message) = failure(&outcome);
    assert_eq!(
        (verdict, code),
        (GenerationVerdict::Failed, ErrorCode::NotProved)
    );
    assert!(message.contains("no sign of life"), "{message}");
    assert!(!server.asked().iter().any(|line| line.contains("interrupt")));
}

#[tokio::test]
async fn a_request_is_never_sent_twice_whatever_happens() {
    for reply in [true, false] {
        let server = Server::start(move |request| match request.path.as_str() {
            "/sdapi/v1/txt2img" if reply => {
                Reply::Text(500, "text/plain", "Internal Server Error".to_owned())
            }
            "/sdapi/v1/txt2img" => Reply::Reset,
            _ => Reply::Json(404, "{}".to_owned()),
        });
        let (outcome, _) = generate(&server.url, &CancellationToken::new()).await;
        let (verdict, code, _) = failure(&outcome);
        assert_eq!((verdict, code), (GenerationVerdict::Failed, ErrorCode::Api));
        let posts = server
            .asked()
            .iter()
            .filter(|line| line.contains("txt2img"))
            .count();
        assert_eq!(posts, 1);
    }
}

#[tokio::test]
async fn what_is_wrong_before_anything_is_sent_is_not_sent() {
    let (server, play) = play(true, false, Duration::ZERO);
    let cancel = CancellationToken::new();
    let odd = GenerationRequest { width: 66, ..fox() };
    let outcome = client(&server.url).txt2img(&odd, &cancel, |_| ()).await;
    assert_eq!(failure(&outcome).1, ErrorCode::BadRequest);
    cancel.cancel();
    let outcome = client(&server.url).txt2img(&fox(), &cancel, |_| ()).await;
    assert!(failure(&outcome).2.contains("before it was sent"));
    assert_eq!(play.posts.load(Ordering::SeqCst), 0);
    let outcome = client(&scripted::nobody())
        .txt2img(&fox(), &CancellationToken::new(), |_| ())
        .await;
    assert!(
        failure(&outcome).2.contains("Nothing answers"),
        "{outcome:?}"
    );
}

#[tokio::test]
async fn choices_come_from_the_server() {
    let server = Server::start(|request| match request.path.as_str() {
        "/sdapi/v1/samplers" => Reply::Json(
            200,
            json!([{"name": "Euler"}, {"name": "DPM++ 2M"}, {"odd": 1}]).to_string(),
        ),
        "/sdapi/v1/sd-models" => Reply::Json(
            200,
            json!([{"title": "beta.safetensors [b1e372b56c]"}]).to_string(),
        ),
        _ => Reply::Json(404, "{\"detail\":\"Not Found\"}".to_owned()),
    });
    let choices = client(&server.url).choices().await.expect("choices");
    assert_eq!(choices.samplers, ["Euler", "DPM++ 2M"]);
    assert_eq!(choices.models, ["beta.safetensors [b1e372b56c]"]);
    assert!(choices.schedulers.is_empty(), "an old server has none");
    let locked = Server::start(|_| Reply::Json(401, "{}".to_owned()));
    let error = client(&locked.url).choices().await.expect_err("refused");
    assert_eq!(error.code, ErrorCode::Unauthorized);
}
