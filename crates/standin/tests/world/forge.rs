//! Forge and its surprises.

use std::io::Read as _;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use forgekeeper_standin::forge::Build;
use forgekeeper_standin::{DemoOptions, DemoSite, Fault};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::site::{demo, get, http, post, until};

fn picture(body: &Value, index: usize) -> image::DynamicImage {
    let bytes = STANDARD
        .decode(body["images"][index].as_str().unwrap())
        .unwrap();
    image::load_from_memory(&bytes).unwrap()
}

fn info(body: &Value) -> Value {
    serde_json::from_str(body["info"].as_str().unwrap()).unwrap()
}

fn order(extra: &Value) -> Value {
    let mut order = json!({"prompt": "a fox", "negative_prompt": "blurry", "steps": 4, "width": 64,
        "height": 64, "seed": 5, "sampler_name": "Euler", "cfg_scale": 7});
    order
        .as_object_mut()
        .unwrap()
        .extend(extra.as_object().unwrap().clone());
    order
}

#[tokio::test]
async fn one_seed_one_picture() {
    let demo = demo().await;
    let url = format!("{}/sdapi/v1/txt2img", demo.api_url("myia").unwrap());
    let (code, first) = post(&url, &order(&json!({}))).await;
    assert_eq!(code, 200);
    let (_, again) = post(&url, &order(&json!({}))).await;
    let (_, other) = post(&url, &order(&json!({"seed": 6}))).await;
    let (_, third) = post(&url, &order(&json!({"prompt": "a hen"}))).await;
    assert_eq!(first["images"], again["images"]);
    assert_ne!(first["images"], other["images"]);
    assert_ne!(first["images"], third["images"]);
    let rgb = picture(&first, 0).to_rgb8();
    assert!(
        rgb.pixels().any(|p| p != rgb.get_pixel(0, 0)),
        "never blank"
    );
    let text = info(&first)["infotexts"][0].as_str().unwrap().to_owned();
    assert!(text.starts_with("a fox\nNegative prompt: blurry\nSteps: 4, Sampler: Euler, Schedule type: Automatic, CFG scale: 7.0, Seed: 5, Size: 64x64, "), "{text}");
    let asked = format!("{}/sdapi/v1/png-info", demo.api_url("myia").unwrap());
    let (_, read) = post(&asked, &json!({"image": first["images"][0]})).await;
    assert_eq!(read["info"], text);
    assert_eq!(read["parameters"]["Seed"], "5");
}

#[tokio::test]
async fn names_and_sizes_are_replaced_silently() {
    let demo = demo().await;
    let url = format!("{}/sdapi/v1/txt2img", demo.api_url("myia").unwrap());
    let body = order(
        &json!({"sampler_name": "Nonsense", "width": 66, "seed": -1, "n_iter": 2, "batch_size": 2}),
    );
    let (code, got) = post(&url, &body).await;
    assert_eq!(code, 200);
    let info = info(&got);
    assert_eq!(info["sampler_name"], "DPM++ 2M");
    assert!(info["seed"].as_i64().unwrap() >= 0);
    assert_eq!(got["parameters"]["seed"], -1);
    assert_eq!(
        (info["width"].as_u64(), picture(&got, 0).width()),
        (Some(66), 64)
    );
    assert_eq!(got["images"].as_array().unwrap().len(), 4);
    assert_eq!(info["all_seeds"].as_array().unwrap().len(), 4);
}

#[tokio::test]
async fn requests_are_served_one_by_one_and_progress_tells() {
    let demo = demo().await;
    let api = demo.api_url("myia-turbo").unwrap();
    let url = format!("{api}/sdapi/v1/txt2img");
    let long = order(&json!({"steps": 150, "width": 256, "height": 256, "force_task_id": "first"}));
    let (slow, quick) = (url.clone(), url.clone());
    let first = tokio::spawn(async move { post(&slow, &long).await });
    tokio::time::sleep(Duration::from_millis(80)).await;
    let second = tokio::spawn(async move { post(&quick, &order(&json!({}))).await });
    let mut preview = false;
    until("a preview", || async {
        let (_, now) = get(&format!("{api}/sdapi/v1/progress")).await;
        now["current_image"].is_string()
    })
    .await;
    let (_, pending) = get(&format!("{api}/internal/pending-tasks")).await;
    assert_eq!(pending["size"], 1);
    assert!(!second.is_finished(), "the second waits");
    let (_, bare) = get(&format!("{api}/sdapi/v1/progress?skip_current_image=true")).await;
    assert!(bare["current_image"].is_null() && bare["progress"].as_f64().unwrap() > 0.01);
    let (_, own) = post(
        &format!("{api}/internal/progress"),
        &json!({"id_task": "first", "id_live_preview": -1}),
    )
    .await;
    preview |= own["live_preview"]
        .as_str()
        .is_some_and(|p| p.starts_with("data:image/png;base64,"));
    assert!(own["active"].as_bool().unwrap() && preview);
    // An interrupt is answered 200 with the unfinished picture, and hits the running one only.
    let (code, answer) = post(&format!("{api}/sdapi/v1/interrupt"), &json!({})).await;
    assert_eq!((code, answer), (200, json!({})));
    let (code, cut) = first.await.unwrap();
    assert_eq!((code, cut["images"].as_array().unwrap().len()), (200, 1));
    assert_eq!(info(&cut)["steps"], 150);
    assert_eq!(second.await.unwrap().0, 200);
    let (_, idle) = get(&format!("{api}/sdapi/v1/progress")).await;
    assert_eq!(idle["state"]["job"], "");
    assert_ne!(idle["state"]["job_timestamp"], "0");
}

#[tokio::test]
async fn a_partial_options_request_forgets_the_checkpoint() {
    let demo = demo().await;
    let url = format!("{}/sdapi/v1/options", demo.api_url("myia").unwrap());
    assert_eq!(
        get(&url).await.1["sd_model_checkpoint"],
        "sd_xl_base_1.0.safetensors"
    );
    let (code, body) = post(&url, &json!({"jpeg_quality": 90})).await;
    assert_eq!((code, body), (200, Value::Null));
    assert!(get(&url).await.1["sd_model_checkpoint"].is_null());
    assert_eq!(
        post(&url, &json!({"sd_model_checkpoint": "slim"})).await.0,
        500
    );
    assert_eq!(
        post(&url, &json!({"sd_model_checkpoint": "dreamshaper_8"}))
            .await
            .0,
        200
    );
    assert_eq!(get(&url).await.1["sd_model_checkpoint"], "dreamshaper_8");
    // A wrong type is stored with 200 and breaks everything.
    assert_eq!(
        post(&url, &json!({"CLIP_stop_at_last_layers": "x"}))
            .await
            .0,
        200
    );
    assert_eq!(http().get(&url).send().await.unwrap().status(), 500);
}

#[tokio::test]
async fn errors_have_the_shapes_of_the_real_one() {
    let demo = demo().await;
    let api = demo.api_url("myia").unwrap();
    let url = format!("{api}/sdapi/v1/txt2img");
    let (code, body) = post(&url, &json!({"steps": "abc"})).await;
    assert_eq!(
        (code, body["detail"][0]["type"].as_str()),
        (422, Some("int_parsing"))
    );
    let (code, body) = post(&url, &json!({"script_name": "nosuch"})).await;
    assert_eq!(
        (code, body["detail"].as_str()),
        (422, Some("Script 'nosuch' not found"))
    );
    assert_eq!(
        get(&format!("{api}/sdapi/v1/sd-vae")).await,
        (404, json!({"detail": "Not Found"}))
    );
    assert_eq!(
        get(&url).await,
        (405, json!({"detail": "Method Not Allowed"}))
    );
    assert_eq!(
        http()
            .get(format!("{api}/sdapi/v1/samplers/"))
            .send()
            .await
            .unwrap()
            .status(),
        307
    );
    for broken in ["cmd-flags", "embeddings"] {
        let answer = http()
            .get(format!("{api}/sdapi/v1/{broken}"))
            .send()
            .await
            .unwrap();
        assert_eq!(answer.status(), 500);
        assert_eq!(answer.text().await.unwrap(), "Internal Server Error");
    }
}

#[tokio::test]
async fn the_connection_dies_unannounced_after_an_unhandled_error() {
    let demo = demo().await;
    let addr = demo.services()[0].api;
    let mut stream = tokio::net::TcpStream::connect(addr).await.unwrap();
    let ask = |path: &str| format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n");
    stream
        .write_all(ask("/sdapi/v1/samplers").as_bytes())
        .await
        .unwrap();
    let mut bytes = vec![0; 65_536];
    let got = stream.read(&mut bytes).await.unwrap();
    assert!(String::from_utf8_lossy(&bytes[..got]).starts_with("HTTP/1.1 200"));
    stream
        .write_all(ask("/sdapi/v1/cmd-flags").as_bytes())
        .await
        .unwrap();
    let mut rest = Vec::new();
    tokio::time::timeout(Duration::from_secs(2), stream.read_to_end(&mut rest))
        .await
        .unwrap()
        .unwrap();
    let text = String::from_utf8_lossy(&rest).to_lowercase();
    assert!(text.contains("500 internal server error"), "{text}");
    assert!(!text.contains("connection: close"), "{text}");
}

#[tokio::test]
async fn credentials_cover_what_they_cover() {
    let options = DemoOptions {
        speed: 40.0,
        auth: Some(("admin".into(), "word".into())),
        ..DemoOptions::default()
    };
    let demo = DemoSite::start(options).await.unwrap();
    let api = demo.api_url("myia").unwrap();
    let models = format!("{api}/sdapi/v1/sd-models");
    assert_eq!(
        get(&models).await,
        (401, json!({"detail": "Not authenticated"}))
    );
    let wrong = http()
        .get(&models)
        .basic_auth("admin", Some("x"))
        .send()
        .await
        .unwrap();
    assert_eq!(wrong.headers()["www-authenticate"], "Basic");
    assert_eq!(
        wrong.text().await.unwrap(),
        "{\"detail\":\"Incorrect username or password\"}"
    );
    let right = http()
        .get(&models)
        .basic_auth("admin", Some("word"))
        .send()
        .await
        .unwrap();
    assert_eq!(right.status(), 200);
    for open in ["/sdapi/v1/loras", "/internal/ping", "/openapi.json"] {
        assert_eq!(get(&format!("{api}{open}")).await.0, 200, "{open}");
    }
    assert_eq!(get(&format!("{api}/nowhere")).await.0, 404);
}

async fn head(args: Option<&str>) -> DemoSite {
    let _ = rustls::crypto::ring::default_provider().install_default();
    DemoSite::start(DemoOptions {
        speed: 40.0,
        build: Build::Head,
        forge_args: args.map(str::to_owned),
        ..DemoOptions::default()
    })
    .await
    .unwrap()
}

#[tokio::test]
async fn the_newer_commit_tells_its_errors_and_takes_overrides() {
    let demo = head(None).await;
    let api = demo.api_url("myia").unwrap();
    let url = format!("{api}/sdapi/v1/txt2img");
    let made = |extra: Value| {
        let url = url.clone();
        async move { post(&url, &order(&extra)).await }
    };
    let (code, body) = made(json!({"steps": 0})).await;
    assert_eq!(code, 500);
    assert_eq!(
        body,
        json!({"error": "ZeroDivisionError", "detail": "", "body": "",
               "message": "integer division or modulo by zero"})
    );
    let (_, body) = made(json!({"override_settings": {"nosuch_key": 1}})).await;
    assert_eq!(
        (&body["error"], &body["message"]),
        (&json!("KeyError"), &json!("'nosuch_key'"))
    );
    let (_, body) = made(json!({"enable_hr": true})).await;
    assert_eq!(
        body["message"],
        "argument of type 'NoneType' is not iterable"
    );
    let (_, body) = made(json!({"enable_hr": true, "hr_upscaler": "NoSuch"})).await;
    assert_eq!(body["message"], "could not find upscaler named NoSuch");
    let hires = json!({"enable_hr": true, "hr_additional_modules": ["Use same choices"]});
    let (code, body) = made(hires).await;
    assert_eq!((code, picture(&body, 0).width()), (200, 128));

    let options = format!("{api}/sdapi/v1/options");
    let selected = || async { get(&options).await.1["sd_model_checkpoint"].clone() };
    let before = selected().await;
    let wanted = json!({"sd_model_checkpoint": "dreamshaper_8", "CLIP_stop_at_last_layers": 2});
    let (_, body) = made(json!({ "override_settings": wanted })).await;
    let told = info(&body);
    assert_eq!(
        (&told["sd_model_name"], &told["clip_skip"]),
        (&json!("dreamshaper_8"), &json!(2))
    );
    assert_eq!(selected().await, before, "restored afterwards");
    let unknown = json!({"override_settings": {"sd_model_checkpoint": "nosuch"}});
    assert_eq!(
        info(&made(unknown).await.1)["sd_model_name"],
        "sd_xl_base_1.0",
        "replaced in silence"
    );
    let stays = json!({"override_settings": wanted, "override_settings_restore_afterwards": false});
    made(stays).await;
    assert_eq!(selected().await, "dreamshaper_8.safetensors");
    // A partial POST leaves the checkpoint alone, unlike the commit of the image.
    assert_eq!(post(&options, &json!({"jpeg_quality": 70})).await.0, 200);
    assert_eq!(selected().await, "dreamshaper_8.safetensors");
    let (code, body) = post(&options, &json!({"sd_model_checkpoint": "slim"})).await;
    assert_eq!(
        (code, &body["message"]),
        (500, &json!("model 'slim' not found"))
    );
    assert_eq!(get(&format!("{api}/sdapi/v1/embeddings")).await.0, 200);
    post(&format!("{api}/sdapi/v1/unload-checkpoint"), &json!({})).await;
    let memory = get(&format!("{api}/sdapi/v1/memory")).await.1;
    assert_eq!(memory["cuda"]["active"]["current"], 0);
}

#[tokio::test]
async fn the_image_ignores_overrides_and_knows_no_modules() {
    let demo = demo().await;
    let url = format!("{}/sdapi/v1/txt2img", demo.api_url("myia").unwrap());
    let body = order(&json!({"override_settings": {"nosuch_key": 1}, "enable_hr": true}));
    let (code, got) = post(&url, &body).await;
    assert_eq!((code, picture(&got, 0).width()), (200, 128));
    assert_eq!(info(&got)["sd_model_name"], "sd_xl_base_1.0");
}

#[tokio::test]
async fn the_command_line_decides_which_routes_there_are() {
    let bare = head(Some("--nowebui --api")).await;
    let api = bare.api_url("myia").unwrap();
    for (path, code) in [
        ("/", 404),
        ("/internal/ping", 404),
        ("/config", 404),
        ("/sdapi/v1/sd-models", 200),
    ] {
        assert_eq!(get(&format!("{api}{path}")).await.0, code, "{path}");
    }
    let no_api = head(Some("--listen --gradio-auth a:b")).await;
    let api = no_api.api_url("myia").unwrap();
    for (path, code) in [
        ("/", 200),
        ("/internal/ping", 200),
        ("/config", 401),
        ("/sdapi/v1/sd-models", 404),
    ] {
        assert_eq!(get(&format!("{api}{path}")).await.0, code, "{path}");
    }
}

#[tokio::test]
async fn scripts_are_known_or_refused() {
    let demo = demo().await;
    let api = demo.api_url("myia").unwrap();
    let url = format!("{api}/sdapi/v1/txt2img");
    let (_, known) = get(&format!("{api}/sdapi/v1/scripts")).await;
    for (extra, code) in [
        (json!({"script_name": "X/Y/Z plot"}), 200),
        (json!({"script_name": "controlnet"}), 422),
        (json!({"script_name": "nosuch"}), 422),
        (
            json!({"alwayson_scripts": {"ControlNet": {"args": []}}}),
            200,
        ),
        (json!({"alwayson_scripts": {"nosuch": {"args": []}}}), 422),
        (json!({"alwayson_scripts": {"x/y/z plot": {}}}), 422),
    ] {
        let (got, body) = post(&url, &order(&extra)).await;
        assert_eq!(got, code, "{extra}: {body}");
        if extra.to_string().contains("nosuch") {
            assert_eq!(body["detail"], "Script 'nosuch' not found");
        }
    }
    for name in ["x/y/z plot", "controlnet"] {
        assert!(known["txt2img"].as_array().unwrap().contains(&json!(name)));
    }
}

#[tokio::test]
async fn answers_are_packed_for_those_who_accept_it() {
    let demo = demo().await;
    let url = format!("{}/sdapi/v1/options", demo.api_url("myia").unwrap());
    // This client is to leave the packing to us.
    let raw = reqwest::Client::builder()
        .no_gzip()
        .no_proxy()
        .build()
        .unwrap();
    let plain = raw.get(&url).send().await.unwrap();
    assert!(plain.headers().get("content-encoding").is_none());
    let plain = plain.bytes().await.unwrap();
    let packed = raw
        .get(&url)
        .header("accept-encoding", "br, gzip")
        .send()
        .await
        .unwrap();
    assert_eq!(packed.headers()["content-encoding"], "gzip");
    let packed = packed.bytes().await.unwrap();
    assert!(packed.len() < plain.len() * 3 / 4);
    let mut text = Vec::new();
    flate2::read::GzDecoder::new(&packed[..])
        .read_to_end(&mut text)
        .unwrap();
    assert_eq!(text, plain);
}

#[tokio::test]
async fn seeds_sizes_and_previews_are_as_asked() {
    let demo = demo().await;
    let api = demo.api_url("myia").unwrap();
    let url = format!("{api}/sdapi/v1/txt2img");
    let made = |extra: Value| {
        let url = url.clone();
        async move { post(&url, &order(&extra)).await }
    };
    let (_, one) = made(json!({})).await;
    for extra in [
        json!({"scheduler": "Karras"}),
        json!({"width": 72}),
        json!({"subseed": 3, "subseed_strength": 0.5}),
    ] {
        assert_ne!(
            made(extra.clone()).await.1["images"],
            one["images"],
            "{extra}"
        );
    }
    let told = info(&made(json!({"n_iter": 3, "subseed": 7})).await.1);
    assert_eq!(told["all_subseeds"], json!([7, 8, 9]));
    assert_eq!(told["all_seeds"], json!([5, 6, 7]));
    let (code, _) = made(json!({"width": 4096, "height": 4096, "n_iter": 64})).await;
    assert_eq!(code, 500, "the sum of all pictures is bounded");
    // No preview while they are switched off.
    let options = format!("{api}/sdapi/v1/options");
    let with = json!({"sd_model_checkpoint": "sd_xl_base_1.0.safetensors",
                      "live_previews_enable": false, "show_progress_every_n_steps": 1});
    post(&options, &with).await;
    let long = tokio::spawn(made(json!({"steps": 400})));
    let progress = format!("{api}/sdapi/v1/progress");
    let running = || async { get(&progress).await.1["state"]["sampling_step"].as_u64() > Some(5) };
    until("some steps", running).await;
    assert!(get(&progress).await.1["current_image"].is_null());
    post(
        &options,
        &json!({"sd_model_checkpoint": "sd_xl_base_1.0.safetensors", "live_previews_enable": true}),
    )
    .await;
    post(&format!("{api}/sdapi/v1/interrupt"), &json!({})).await;
    long.await.unwrap();
}

#[tokio::test]
async fn hashes_appear_with_the_first_use_and_the_card_follows_the_work() {
    let demo = demo().await;
    let api = demo.api_url("myia").unwrap();
    let (_, list) = get(&format!("{api}/sdapi/v1/sd-models")).await;
    assert!(list[0]["hash"].is_string() && list[1]["hash"].is_null());
    assert!(
        list[0]["title"]
            .as_str()
            .unwrap()
            .ends_with(&format!("[{}]", list[0]["hash"].as_str().unwrap()))
    );
    let url = format!("{api}/sdapi/v1/txt2img");
    let work = tokio::spawn(async move { post(&url, &order(&json!({"steps": 900}))).await });
    let gpus = demo.site().gpus().clone();
    until("load on card 0", || {
        let load = gpus.read(0).unwrap().load;
        async move { load > 60.0 }
    })
    .await;
    assert!(gpus.read(1).unwrap().load < 10.0);
    post(&format!("{api}/sdapi/v1/interrupt"), &json!({})).await;
    work.await.unwrap();
    until("rest on card 0", || {
        let load = gpus.read(0).unwrap().load;
        async move { load < 15.0 }
    })
    .await;
    demo.inject(Fault::PlacementWrong, Some("myia")).unwrap();
    let url = format!("{api}/sdapi/v1/txt2img");
    let work = tokio::spawn(async move { post(&url, &order(&json!({"steps": 900}))).await });
    until("load on card 1", || {
        let load = gpus.read(1).unwrap().load;
        async move { load > 60.0 }
    })
    .await;
    assert!(
        gpus.read(0).unwrap().load < 10.0,
        "not on the declared card"
    );
    post(&format!("{api}/sdapi/v1/interrupt"), &json!({})).await;
    assert_eq!(work.await.unwrap().0, 200);
}
