//! What a request asks besides: as it is sent, on servers that take it in different ways, and what
//! they made of it.

use forgekeeper_domain::generation::{Hires, Variation};
use serde_json::Map;

use super::{super::offers::Dialect, *};

const LORAS: &str = "/sdapi/v1/loras";

fn hires() -> Hires {
    Hires {
        scale: 2.0,
        steps: Some(7),
        denoise: 0.4,
        upscaler: Some("Latent (bicubic)".to_owned()),
    }
}

fn with_all() -> GenerationRequest {
    GenerationRequest {
        model: Some("xl/beta.safetensors [b1e372b56c]".to_owned()),
        clip_skip: Some(2),
        modules: vec!["ae.safetensors".to_owned()],
        ..fox()
    }
}

/// A server that keeps its options as the real ones do.
struct Kept {
    dialect: Dialect,
    options: Value,
    /// Bodies of `POST /options`.
    written: Vec<Value>,
    /// What was sent, and the options at that moment.
    made: Vec<(Value, Value)>,
    /// From this write on they fail.
    breaks_at: usize,
    /// The answer to the order.
    answer: (u16, String),
    /// Whether it waits for an interrupt.
    waits: bool,
    interrupted: bool,
    busy: bool,
}

fn kept(dialect: Dialect) -> Kept {
    Kept {
        dialect,
        options: json!({"sd_model_checkpoint": "old.safetensors", "CLIP_stop_at_last_layers": 1.0,
            "forge_additional_modules": [], "sd_vae": "Automatic", "other": true}),
        written: Vec::new(),
        made: Vec::new(),
        breaks_at: usize::MAX,
        answer: (200, good_answer()),
        waits: false,
        interrupted: false,
        busy: false,
    }
}

fn serve(kept: Kept) -> (Server, Arc<Mutex<Kept>>) {
    let kept = Arc::new(Mutex::new(kept));
    let shared = Arc::clone(&kept);
    (Server::start(move |request| answer(&shared, request)), kept)
}

fn answer(kept: &Mutex<Kept>, request: &Request) -> Reply {
    let good = |value: &Value| Reply::Json(200, value.to_string());
    let absent = || Reply::Json(404, "{\"detail\":\"Not Found\"}".to_owned());
    let body: Value = serde_json::from_str(&request.body).unwrap_or_default();
    let path = request.path.split('?').next().unwrap_or_default();
    if path == "/sdapi/v1/txt2img" {
        let mut mine = kept.lock().expect("lock");
        let now = mine.options.clone();
        mine.made.push((body, now));
        let waits = mine.waits;
        let (status, text) = mine.answer.clone();
        drop(mine);
        while waits && !kept.lock().expect("lock").interrupted {
            thread::sleep(Duration::from_millis(5));
        }
        return Reply::Json(status, text);
    }
    let mut mine = kept.lock().expect("lock");
    let dialect = mine.dialect;
    match (request.method.as_str(), path) {
        ("GET", "/openapi.json") => {
            let fields = match dialect {
                Dialect::Head => json!({"hr_additional_modules": {}}),
                Dialect::Image | Dialect::A1111 => json!({"prompt": {}}),
            };
            let paths = match dialect {
                Dialect::A1111 => json!({"/sdapi/v1/sd-vae": {}}),
                Dialect::Image | Dialect::Head => json!({"/sdapi/v1/sd-modules": {}}),
            };
            good(&json!({"paths": paths, "components": {"schemas": {
                "StableDiffusionProcessingTxt2Img": {"properties": fields}}}}))
        }
        ("GET", "/sdapi/v1/sd-modules") if dialect == Dialect::A1111 => absent(),
        ("GET", "/sdapi/v1/sd-vae") if dialect != Dialect::A1111 => absent(),
        ("GET", "/sdapi/v1/sd-modules" | "/sdapi/v1/sd-vae") => good(&json!([
            {"model_name": "ae.safetensors", "filename": "/models/VAE/ae.safetensors"}, {"odd": 1}])),
        ("GET", "/sdapi/v1/sd-models") => good(&json!([
            {"title": "old.safetensors [0123456789]"}, {"title": "xl/beta.safetensors"}])),
        ("GET", "/sdapi/v1/options") => good(&mine.options),
        ("POST", "/sdapi/v1/options") => {
            mine.written.push(body.clone());
            if mine.written.len() > mine.breaks_at {
                return Reply::Text(500, "text/plain", "Internal Server Error".to_owned());
            }
            if dialect == Dialect::Image && body.get("sd_model_checkpoint").is_none() {
                mine.options["sd_model_checkpoint"] = Value::Null;
            }
            for (key, value) in body.as_object().into_iter().flatten() {
                mine.options[key] = value.clone();
            }
            good(&Value::Null)
        }
        ("POST", "/sdapi/v1/interrupt") => {
            mine.interrupted = true;
            good(&json!({}))
        }
        ("POST", "/internal/progress") => {
            let ours = mine.made.last().map(|(body, _)| &body["force_task_id"]);
            let active = ours == Some(&body["id_task"]);
            good(
                &json!({"active": active, "queued": false, "completed": false, "progress": 0.5,
                "live_preview": null, "id_live_preview": -1, "textinfo": null}),
            )
        }
        ("GET", "/sdapi/v1/progress") => good(&global(mine.busy, 9, None)),
        _ => absent(),
    }
}

async fn make(url: &str, request: &GenerationRequest) -> GenerationOutcomeRaw {
    let cancel = CancellationToken::new();
    client(url).txt2img(request, &cancel, |_| ()).await
}

#[tokio::test]
async fn on_the_images_forge_options_are_set_for_a_picture_and_put_back() {
    for (what, answer, waits) in [
        ("a picture", (200, good_answer()), false),
        ("a failure", (500, "{}".to_owned()), false),
        ("an end in the middle", (200, good_answer()), true),
    ] {
        let (server, state) = serve(Kept {
            answer,
            waits,
            ..kept(Dialect::Image)
        });
        let before = state.lock().expect("lock").options.clone();
        let cancel = CancellationToken::new();
        let request = with_all();
        let client = client(&server.url);
        let outcome = client
            .txt2img(&request, &cancel, |_| {
                if waits {
                    cancel.cancel();
                }
            })
            .await;
        assert_eq!(outcome.interrupted, waits, "{what}: {outcome:?}");
        let state = state.lock().expect("lock");
        let [(sent, during)] = state.made.as_slice() else {
            panic!("{what}: sent once: {:?}", state.made);
        };
        assert_eq!(sent.get("override_settings"), None, "it ignores them");
        assert_eq!(during["sd_model_checkpoint"], "xl/beta.safetensors");
        assert_eq!(during["CLIP_stop_at_last_layers"], 2);
        assert_eq!(
            during["forge_additional_modules"],
            json!(["/models/VAE/ae.safetensors"])
        );
        assert_eq!(state.options, before, "{what}: put back");
        assert_eq!(state.written.len(), 2);
    }
}

#[tokio::test]
async fn the_checkpoint_is_never_forgotten_and_nothing_is_written_without_need() {
    let (server, state) = serve(kept(Dialect::Image));
    let skip = |skip| GenerationRequest {
        clip_skip: Some(skip),
        ..fox()
    };
    make(&server.url, &skip(2)).await;
    for body in &state.lock().expect("lock").written {
        assert_eq!(body["sd_model_checkpoint"], "old.safetensors", "{body}");
        assert_eq!(body.as_object().map(Map::len), Some(2), "{body}");
    }
    make(&server.url, &skip(1)).await;
    make(&server.url, &fox()).await;
    let state = state.lock().expect("lock");
    assert_eq!((state.written.len(), state.made.len()), (2, 3));
}

#[tokio::test]
async fn options_that_cannot_be_put_back_are_told_of() {
    let (server, _) = serve(Kept {
        breaks_at: 1,
        ..kept(Dialect::Image)
    });
    let outcome = make(&server.url, &with_all()).await;
    assert_eq!(outcome.failure, None);
    let said = outcome
        .substitutions
        .iter()
        .find(|s| s.field.as_str() == "options_afterwards");
    let said = said.unwrap_or_else(|| panic!("{outcome:?}"));
    assert!(said.asked.contains("sd_model_checkpoint = old.safetensors"));
    assert!(
        said.used.contains("CLIP_stop_at_last_layers = 2"),
        "{said:?}"
    );

    let (server, state) = serve(Kept {
        breaks_at: 0,
        ..kept(Dialect::Image)
    });
    let outcome = make(&server.url, &with_all()).await;
    let (_, info) = outcome.failure.expect("no picture");
    let said = info.detail.unwrap_or_default();
    // What was refused was never lent: the options are as they were, and nothing is left behind.
    assert!(!said.contains("could not be put back"), "{said}");
    assert!(
        state.lock().expect("lock").made.is_empty(),
        "nothing was sent"
    );
}

#[tokio::test]
async fn while_somebody_elses_picture_is_made_no_option_is_touched() {
    let (server, state) = serve(Kept {
        busy: true,
        ..kept(Dialect::Image)
    });
    let outcome = make(&server.url, &with_all()).await;
    assert_eq!(failure(&outcome).1, ErrorCode::ServiceBusy);
    let state = state.lock().expect("lock");
    assert!(state.written.is_empty() && state.made.is_empty());
}

#[tokio::test]
async fn servers_that_know_overrides_get_them_with_the_request() {
    let request = GenerationRequest {
        hires: Some(hires()),
        ..with_all()
    };
    for (dialect, modules) in [
        (
            Dialect::Head,
            (
                "forge_additional_modules",
                json!(["/models/VAE/ae.safetensors"]),
            ),
        ),
        (Dialect::A1111, ("sd_vae", json!("ae.safetensors"))),
    ] {
        let (server, state) = serve(kept(dialect));
        make(&server.url, &request).await;
        let state = state.lock().expect("lock");
        assert!(state.written.is_empty(), "nothing is set for everybody");
        let sent = &state.made[0].0;
        let mut wanted = json!({"sd_model_checkpoint": "xl/beta.safetensors",
            "CLIP_stop_at_last_layers": 2});
        wanted[modules.0] = modules.1;
        assert_eq!(sent["override_settings"], wanted);
        assert_eq!(sent["override_settings_restore_afterwards"], true);
        let same = sent.get("hr_additional_modules").is_some();
        assert_eq!(same, dialect == Dialect::Head);
    }
}

#[tokio::test]
async fn what_the_server_would_pass_over_is_refused_before_it_is_sent() {
    let with = |change: &dyn Fn(&mut GenerationRequest)| {
        let mut request = fox();
        change(&mut request);
        request
    };
    let model = with(&|r| r.model = Some("gone.safetensors".to_owned()));
    let module = with(&|r| r.modules = vec!["gone.safetensors".to_owned()]);
    let two = with(&|r| r.modules = vec!["ae.safetensors".to_owned(); 2]);
    let weight = with(&|r| r.prompt = "a <lora:x:heavy> fox".to_owned());
    for (dialect, request, words) in [
        (Dialect::Image, &model, "no model `gone.safetensors`"),
        (
            Dialect::Image,
            &module,
            "no VAE or text encoder `gone.safetensors`",
        ),
        (
            Dialect::Head,
            &module,
            "no VAE or text encoder `gone.safetensors`",
        ),
        (Dialect::A1111, &two, "one VAE"),
        (Dialect::Head, &weight, "`heavy`"),
    ] {
        let (server, state) = serve(kept(dialect));
        let (_, code, message) = failure(&make(&server.url, request).await);
        assert_eq!(code, ErrorCode::BadRequest, "{message}");
        assert!(message.contains(words), "{message}");
        let state = state.lock().expect("lock");
        assert!(state.written.is_empty() && state.made.is_empty());
    }
}

#[tokio::test]
async fn a_lora_that_is_not_there_is_refused_and_one_that_is_goes_as_it_stands() {
    let server = Server::start(|request| match request.path.as_str() {
        LORAS => Reply::Json(
            200,
            json!([{"name": "pixel-art", "alias": "PA", "metadata": {"x": "y".repeat(9000)}}, 5])
                .to_string(),
        ),
        "/sdapi/v1/txt2img" => Reply::Json(200, good_answer()),
        _ => Reply::Json(404, "{}".to_owned()),
    });
    let asked = |prompt: &str| GenerationRequest {
        prompt: prompt.to_owned(),
        ..fox()
    };
    for prompt in ["a fox <lora:pixel-art:0.8>", "<lora:PA:1:0.5> a fox"] {
        let outcome = make(&server.url, &asked(prompt)).await;
        assert_eq!(outcome.failure, None, "{prompt}");
    }
    let (_, code, message) = failure(&make(&server.url, &asked("<lora:pixel:1>")).await);
    assert_eq!(code, ErrorCode::BadRequest);
    assert!(message.contains("no LoRA `pixel`"), "{message}");
    let seen = server.seen.lock().expect("the log");
    let sent: Vec<&Request> = seen
        .iter()
        .filter(|r| r.path.ends_with("txt2img"))
        .collect();
    assert_eq!(sent.len(), 2);
    assert!(sent[0].body.contains("a fox <lora:pixel-art:0.8>"));
}

#[tokio::test]
async fn lists_that_are_missing_cost_nothing_but_themselves() {
    let (server, _) = serve(kept(Dialect::A1111));
    let error = client(&server.url)
        .choices()
        .await
        .expect_err("no samplers");
    assert_eq!(error.code, ErrorCode::Api);
    let server = Server::start(|request| match request.path.as_str() {
        "/sdapi/v1/samplers" => Reply::Json(200, json!([{"name": "Euler"}]).to_string()),
        "/sdapi/v1/sd-models" => Reply::Json(200, "[]".to_owned()),
        "/sdapi/v1/latent-upscale-modes" => {
            Reply::Json(200, json!([{"name": "Latent"}]).to_string())
        }
        "/sdapi/v1/upscalers" => Reply::Json(
            200,
            json!([{"name": "None"}, {"name": "Lanczos"}]).to_string(),
        ),
        "/sdapi/v1/sd-vae" => Reply::Json(
            200,
            json!([{"model_name": "ae.pt", "filename": "/x/ae.pt"}]).to_string(),
        ),
        LORAS => Reply::Json(200, json!([{"name": "a"}, {"alias": "odd"}]).to_string()),
        _ => Reply::Json(404, "{}".to_owned()),
    });
    let choices = client(&server.url).choices().await.expect("choices");
    assert_eq!(choices.upscalers, ["Latent", "None", "Lanczos"]);
    assert_eq!(
        (choices.modules, choices.loras),
        (vec!["ae.pt".to_owned()], vec!["a".to_owned()])
    );
    let endless = Server::start(|request| match request.path.as_str() {
        "/sdapi/v1/samplers" | "/sdapi/v1/sd-models" => Reply::Json(200, "[]".to_owned()),
        LORAS => Reply::Endless,
        _ => Reply::Json(500, "{}".to_owned()),
    });
    // Schedulers are the service's own list: that it fails is told.
    assert!(client(&endless.url).choices().await.is_err());
    let endless = Server::start(|request| match request.path.as_str() {
        "/sdapi/v1/samplers" | "/sdapi/v1/sd-models" | "/sdapi/v1/schedulers" => {
            Reply::Json(200, "[]".to_owned())
        }
        LORAS => Reply::Endless,
        _ => Reply::Json(500, "{}".to_owned()),
    });
    let choices = client(&endless.url).choices().await.expect("choices");
    assert_eq!(
        choices,
        forgekeeper_domain::generation::GenerationChoices::default()
    );
}

#[test]
fn the_body_says_what_was_asked_and_nothing_else() {
    let plain = wire::txt2img(&fox(), "task(x)", None, &Map::new());
    assert_eq!(plain["seed"], json!(42));
    assert_eq!(plain["save_images"], json!(false));
    for absent in [
        "override_settings",
        "sampler_name",
        "scheduler",
        "enable_hr",
        "hr_cfg",
        "subseed",
        "distilled_cfg_scale",
        "denoising_strength",
    ] {
        assert_eq!(plain.get(absent), None, "{absent}");
    }
    let full = GenerationRequest {
        seed: None,
        sampler: Some("Euler".to_owned()),
        scheduler: Some("Karras".to_owned()),
        distilled_cfg: Some(2.5),
        variation: Some(Variation {
            seed: Some(Seed(9)),
            strength: 0.3,
        }),
        hires: Some(hires()),
        ..fox()
    };
    let body = wire::txt2img(&full, "task(x)", Some(Dialect::Image), &Map::new());
    for (key, value) in [
        ("seed", json!(-1)),
        ("sampler_name", json!("Euler")),
        ("scheduler", json!("Karras")),
        ("distilled_cfg_scale", json!(2.5)),
        ("subseed", json!(9)),
        ("subseed_strength", json!(0.3)),
        ("enable_hr", json!(true)),
        ("hr_scale", json!(2.0)),
        ("hr_second_pass_steps", json!(7)),
        ("hr_upscaler", json!("Latent (bicubic)")),
        ("denoising_strength", json!(0.4)),
        ("hr_cfg", json!(7.0)),
        ("hr_distilled_cfg", json!(2.5)),
    ] {
        assert_eq!(body[key], value, "{key}");
    }
    assert_eq!(body.get("hr_additional_modules"), None, "not known to it");
}

#[tokio::test]
async fn what_was_replaced_in_silence_is_told_once_for_each_field() {
    let request = GenerationRequest {
        clip_skip: Some(2),
        distilled_cfg: Some(2.5),
        variation: Some(Variation {
            seed: Some(Seed(9)),
            strength: 0.3,
        }),
        hires: Some(hires()),
        modules: vec!["ae.safetensors".to_owned()],
        ..fox()
    };
    let told = |text: &str, info: Value| {
        let mut all = json!({"seed": 42, "all_seeds": [42], "sampler_name": "Euler", "steps": 20,
            "infotexts": [format!("a fox\nSteps: 20, Sampler: Euler, CFG scale: 7.0, Seed: 42{text}, Version: f2")]});
        for (key, value) in info.as_object().into_iter().flatten() {
            all[key] = value.clone();
        }
        let body =
            json!({"images": [BASE64_STANDARD.encode(png(64, 64, 3))], "info": all.to_string()});
        (200, body.to_string())
    };
    let all_used = told(
        ", Distilled CFG Scale: 2.5, Denoising strength: 0.4, Clip skip: 2, Hires upscale: 2.0, \
         Hires steps: 7, Hires upscaler: Latent (bicubic), Module 1: ae",
        json!({"clip_skip": 2.0, "subseed": 9, "subseed_strength": 0.3}),
    );
    let none_used = told(
        "",
        json!({"clip_skip": 1, "subseed": 10, "subseed_strength": 0}),
    );
    for (answer, fields) in [
        (all_used, &[][..]),
        (
            none_used,
            &[
                "clip_skip",
                "variation_seed",
                "variation",
                "distilled_cfg",
                "hires_scale",
                "hires_denoise",
                "hires_steps",
                "hires_upscaler",
                "modules",
            ],
        ),
    ] {
        let (server, _) = serve(Kept {
            answer,
            ..kept(Dialect::Head)
        });
        let outcome = make(&server.url, &request).await;
        assert_eq!(outcome.failure, None);
        let told: Vec<&str> = outcome
            .substitutions
            .iter()
            .map(|s| s.field.as_str())
            .collect();
        assert_eq!(told, fields, "{:?}", outcome.substitutions);
    }
}
