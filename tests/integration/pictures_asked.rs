//! What a request asks besides a picture: LoRAs, clip skip, modules, a second pass, Flux, workflows of
//! one's own; on a ComfyUI and on both commits of Forge.

use std::path::PathBuf;

use forgekeeper_domain::generation::{GenerationRequest, Hires, Variation};
use forgekeeper_keeper::{
    clients::{Http, Reach, comfyui::ComfyClient},
    keeper::KeeperHandle,
};
use forgekeeper_standin::{DemoOptions, DemoSite, forge::Build};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::{
    pictures::{end, generate},
    rig::{Kept, Place, SECOND, get, holds, id, post, site},
};

const COMFYUI: &str = "comfyui";
const FORGE: &str = "myia";

fn hires(upscaler: Option<&str>) -> Hires {
    Hires {
        scale: 1.5,
        steps: Some(3),
        denoise: 0.5,
        upscaler: upscaler.map(str::to_owned),
    }
}

/// One request for each shape that a graph may have.
fn shapes() -> Vec<(&'static str, GenerationRequest)> {
    let plain = GenerationRequest {
        prompt: "a fox".to_owned(),
        steps: 2,
        width: 520,
        height: 256,
        ..GenerationRequest::default()
    };
    let with = |change: &dyn Fn(&mut GenerationRequest)| {
        let mut request = plain.clone();
        change(&mut request);
        request
    };
    let flux = |r: &mut GenerationRequest| r.model = Some("flux1-dev-fp8.safetensors".to_owned());
    vec![
        ("plain", plain.clone()),
        (
            "lora",
            with(&|r| {
                r.prompt
                    .push_str("<lora:add-detail-xl:0.8:-0.5> x <lora:add-detail-xl>");
            }),
        ),
        ("clip skip", with(&|r| r.clip_skip = Some(12))),
        ("vae", with(&|r| r.modules = vec!["sdxl_vae".to_owned()])),
        ("latent", with(&|r| r.hires = Some(hires(None)))),
        (
            "own method",
            with(&|r| r.hires = Some(hires(Some("bislerp")))),
        ),
        ("pixels", with(&|r| r.hires = Some(hires(Some("Lanczos"))))),
        (
            "upscale model",
            with(&|r| r.hires = Some(hires(Some("4x-UltraSharp")))),
        ),
        ("flux", with(&flux)),
        (
            "flux with all",
            with(&|r| {
                flux(r);
                r.distilled_cfg = Some(3.5);
                r.prompt.push_str("<lora:add-detail-xl:1>");
                r.hires = Some(hires(Some("Latent (nearest-exact)")));
                r.modules = ["ae", "clip_l", "t5xxl_fp8_e4m3fn"]
                    .map(str::to_owned)
                    .to_vec();
            }),
        ),
        (
            "all",
            with(&|r| {
                r.prompt.push_str("<lora:add-detail-xl:1>");
                r.clip_skip = Some(2);
                r.modules = vec!["sdxl_vae".to_owned()];
                r.hires = Some(hires(Some("4x-UltraSharp")));
                r.batch = 2;
            }),
        ),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn every_graph_is_one_that_comfyui_takes_and_makes() {
    let site = site(60.0).await;
    let api = site.api_url(COMFYUI).expect("a service of it");
    let reach = Reach::new(Http::new().expect("a client"), &api, None).expect("an address");
    let client = ComfyClient::new(reach);
    let (_, known) = get(&format!("{api}/object_info")).await.expect("an answer");
    let known: Value = serde_json::from_str(&known).expect("JSON");
    for (what, request) in shapes() {
        let graph = client.graph(&request).await;
        let graph = graph.unwrap_or_else(|e| panic!("{what}: {e:?}"));
        for node in graph.as_object().expect("nodes").values() {
            let class = node["class_type"].as_str().expect("a class");
            let inputs = &known[class]["input"];
            for name in node["inputs"].as_object().expect("inputs").keys() {
                let is_known = ["required", "optional"]
                    .iter()
                    .any(|kind| inputs[kind].get(name).is_some());
                assert!(
                    is_known || name == "forgekeeper_run",
                    "{what}: {class}.{name}"
                );
            }
        }
        let prompt = format!("{}", json!({ "prompt": graph }));
        let (code, body) = post(&format!("{api}/prompt"), &prompt)
            .await
            .expect("an answer");
        assert_eq!(code, 200, "{what}: {body}");
        let body: Value = serde_json::from_str(&body).expect("JSON");
        assert_eq!(body["node_errors"], json!({}), "{what}");
        let cancel = CancellationToken::new();
        let outcome = client.txt2img(&request, &cancel, |_| ()).await;
        assert_eq!(outcome.failure, None, "{what}");
        let (width, height) = request.picture_size();
        assert_eq!(outcome.pictures.len(), request.batch as usize, "{what}");
        for picture in &outcome.pictures {
            let picture = image::load_from_memory(picture).expect("a picture");
            assert_eq!(
                (picture.width(), picture.height()),
                (width, height),
                "{what}"
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_are_told_for_everything_that_can_be_asked() {
    let kept = Kept::start(20.0).await;
    let handle = kept.handle();
    for (service, upscaler, module, lora) in [
        (COMFYUI, "bislerp", "clip_l.safetensors", "add-detail-xl"),
        (FORGE, "Latent (bicubic)", "ae.safetensors", "pixel-art-xl"),
    ] {
        let choices = handle.choices(&id(service)).await.expect("choices");
        let has = |list: &[String], name: &str| list.iter().any(|n| n == name);
        assert!(has(&choices.upscalers, upscaler), "{:?}", choices.upscalers);
        assert!(has(&choices.modules, module), "{:?}", choices.modules);
        assert!(has(&choices.loras, lora), "{:?}", choices.loras);
    }
    kept.end().await;
}

async fn options(site: &DemoSite) -> Value {
    let api = site.api_url(FORGE).expect("a service of it");
    let answer = get(&format!("{api}/sdapi/v1/options")).await;
    serde_json::from_str(&answer.expect("an answer").1).expect("JSON")
}

#[tokio::test(flavor = "multi_thread")]
async fn both_commits_of_forge_make_what_was_asked_and_keep_their_options() {
    for build in [Build::Image, Build::Head] {
        let site = DemoSite::start(DemoOptions {
            speed: 30.0,
            build,
            ..DemoOptions::default()
        })
        .await
        .expect("a demo host");
        let place = Place::with(&site.config_toml());
        let before = options(&site).await;
        let (ran, _) = generate(
            &place,
            FORGE,
            &[
                "--model",
                "dreamshaper_8.safetensors",
                "--clip-skip",
                "2",
                "--module",
                "sdxl_vae.safetensors",
                "--hires-scale",
                "1.5",
                "--hires-steps",
                "4",
                "--hires-denoise",
                "0.4",
                "--hires-upscaler",
                "Latent (bicubic)",
                "--subseed",
                "9",
                "--subseed-strength",
                "0.3",
                "--steps",
                "5",
            ],
        )
        .await;
        let record = end(&ran.ends_with(0))["job"]["record"].clone();
        assert_eq!(record["substitutions"], json!([]), "{build:?}: {record}");
        assert_eq!(record["model"], "dreamshaper_8", "{build:?}");
        assert_eq!(
            (
                &record["pictures"][0]["width"],
                &record["pictures"][0]["height"]
            ),
            (&json!(768), &json!(768))
        );
        let text = record["parameters"].as_str().unwrap_or_default();
        for words in [
            "Clip skip: 2",
            "Module 1: sdxl_vae",
            "Hires steps: 4",
            "Variation seed: 9",
        ] {
            assert!(text.contains(words), "{build:?}: {words}: {text}");
        }
        assert_eq!(options(&site).await, before, "{build:?}: put back");
        // SDXL is not distilled: the server passes over the guidance, and that is told.
        let (ran, _) = generate(&place, FORGE, &["--distilled-cfg", "2.5"]).await;
        let record = end(&ran.ends_with(0))["job"]["record"].clone();
        assert_eq!(
            record["substitutions"][0]["field"], "distilled_cfg",
            "{record}"
        );
        site.shutdown().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_service_would_pass_over_is_refused_with_words() {
    let site = site(30.0).await;
    let place = Place::with(&site.config_toml());
    for (service, wrong, words) in [
        (FORGE, &["--prompt", "<lora:gone:1>"][..], "no LoRA `gone`"),
        (
            FORGE,
            &["--module", "gone.pt"],
            "no VAE or text encoder `gone.pt`",
        ),
        (
            FORGE,
            &["--model", "gone.safetensors"],
            "no model `gone.safetensors`",
        ),
        (COMFYUI, &["--prompt", "<lora:gone:1>"], "no LoRA `gone`"),
        (COMFYUI, &["--subseed-strength", "0.5"], "variation"),
        (
            COMFYUI,
            &["--distilled-cfg", "3.5"],
            "no distilled guidance",
        ),
        (
            COMFYUI,
            &["--hires-scale", "2", "--hires-upscaler", "R-ESRGAN 4x+"],
            "no upscaler",
        ),
        (COMFYUI, &["--module", "clip_l"], "own text encoders"),
    ] {
        let mut arguments = vec!["generate", service, "--out", "out", "--json"];
        if !wrong.contains(&"--prompt") {
            arguments.extend(["--prompt", "a cat"]);
        }
        arguments.extend(wrong);
        let ran = place.ctl(&arguments).await.ends_with(2);
        let job = end(&ran)["job"].clone();
        assert_eq!(job["error"]["code"], "bad_request", "{wrong:?}: {job}");
        let said = job["error"]["message"].as_str().unwrap_or_default();
        assert!(said.contains(words), "{wrong:?}: {said}");
    }
    let api = site.api_url(COMFYUI).expect("a service of it");
    let (_, history) = get(&format!("{api}/history")).await.expect("an answer");
    assert_eq!(history.trim(), "{}", "nothing was queued");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_graph_is_printed_and_nothing_is_made() {
    let site = site(20.0).await;
    let place = Place::with(&site.config_toml());
    let ask = async |service: &str| {
        let arguments = [
            "generate",
            service,
            "--prompt",
            "<lora:add-detail-xl:0.5> a cat",
            "--seed",
            "7",
            "--clip-skip",
            "2",
            "--print-graph",
        ];
        place.ctl(&arguments).await
    };
    let graph = ask(COMFYUI).await.ends_with(0).json();
    assert_eq!(graph["5"]["inputs"]["seed"], 7);
    assert_eq!(graph["2"]["inputs"]["text"], "a cat");
    assert_eq!(graph["20"]["class_type"], "LoraLoader");
    let refused = ask(FORGE).await.ends_with(2);
    assert!(refused.stderr.contains("takes no graph"), "{refused:#?}");
    let api = site.api_url(COMFYUI).expect("a service of it");
    let (_, history) = get(&format!("{api}/history")).await.expect("an answer");
    assert_eq!(history.trim(), "{}");
}

pub(crate) fn own_workflow() -> Value {
    json!({
        "a": {"class_type": "CheckpointLoaderSimple", "inputs": {"ckpt_name": "%model%"}},
        "b": {"class_type": "CLIPTextEncode", "inputs": {"text": "drawn: %prompt%", "clip": ["a", 1]}},
        "c": {"class_type": "CLIPTextEncode", "inputs": {"text": "%negative%", "clip": ["a", 1]}},
        "d": {"class_type": "EmptyLatentImage", "inputs": {"width": "%width%", "height": "%height%", "batch_size": "%batch%"}},
        "e": {"class_type": "KSampler", "inputs": {"model": ["a", 0], "positive": ["b", 0], "negative": ["c", 0],
            "latent_image": ["d", 0], "seed": "%seed%", "steps": "%steps%", "cfg": "%cfg%",
            "sampler_name": "%sampler%", "scheduler": "%scheduler%", "denoise": 1.0}},
        "f": {"class_type": "LatentUpscaleBy", "inputs": {"samples": ["e", 0], "upscale_method": "bilinear", "scale_by": 2.0}},
        "g": {"class_type": "VAEDecode", "inputs": {"samples": ["f", 0], "vae": ["a", 2]}},
        "h": {"class_type": "SaveImage", "inputs": {"images": ["g", 0], "filename_prefix": "own/%seed%"}},
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_workflow_of_ones_own_is_filled_and_followed() {
    let site = site(10.0).await;
    let place = Place::with(&site.config_toml());
    let file = |name: &str, text: &str| -> PathBuf {
        let path = place.folder.path().join(name);
        std::fs::write(&path, text).expect("written");
        path
    };
    let good = file("good.json", &own_workflow().to_string());
    let good = good.to_string_lossy().into_owned();
    let asked = [
        "--workflow",
        &good,
        "--model",
        "sd_xl_base_1.0",
        "--sampler",
        "DPM++ 2M",
        "--seed",
        "18446744073709551615",
        "--steps",
        "6",
        "--batch",
        "2",
        "--width",
        "256",
        "--height",
        "256",
    ];
    for round in 1..=2 {
        let (ran, files) = generate(&place, COMFYUI, &asked).await;
        let ran = ran.ends_with(0);
        let record = end(&ran)["job"]["record"].clone();
        assert_eq!(
            record["verdict"], "proved",
            "the second, too, is computed: {ran:#?}"
        );
        assert_eq!(record["substitutions"], json!([]));
        assert_eq!(record["workflow"], "good");
        assert_eq!(record["pictures"][1]["width"], 512, "its own upscaling");
        assert_eq!(record["pictures"][0]["seed"], "18446744073709551615");
        assert_eq!(files.len(), 2 * round);
        let steps = ran.lines().iter().any(|l| l["progress"]["steps"] == 6);
        assert!(steps, "{ran:#?}");
    }
    let editor = json!({"nodes": [], "links": [], "version": 0.4}).to_string();
    let missing = own_workflow().to_string();
    for (name, text, service, words) in [
        ("editor.json", editor.as_str(), COMFYUI, "Export (API)"),
        ("torn.json", "{\"1\":", COMFYUI, "no JSON"),
        ("forge.json", missing.as_str(), FORGE, "takes no graph"),
        ("missing.json", missing.as_str(), COMFYUI, "`%model%`"),
    ] {
        let path = file(name, text);
        let path = path.to_string_lossy();
        let (ran, _) = generate(&place, service, &["--workflow", &path]).await;
        let ran = ran.ends_with(2);
        assert!(ran.stderr.contains(words), "{name}: {ran:#?}");
    }
    let (ran, _) = generate(&place, COMFYUI, &["--workflow", "nowhere.json"]).await;
    assert!(ran.ends_with(2).stderr.contains("nowhere.json"));
}

async fn lent(handle: &KeeperHandle, site: &DemoSite) -> Value {
    let before = options(site).await;
    let request = GenerationRequest {
        steps: 150,
        clip_skip: Some(2),
        variation: Some(Variation {
            seed: None,
            strength: 0.1,
        }),
        ..GenerationRequest::default()
    };
    handle
        .generate(&id(FORGE), request, false)
        .await
        .expect("begun");
    holds("the option is set", 10 * SECOND, async || {
        options(site).await["CLIP_stop_at_last_layers"] == 2
    })
    .await;
    before
}

#[tokio::test(flavor = "multi_thread")]
async fn options_that_a_forge_lends_go_back_when_the_keeper_ends() {
    let kept = Kept::start(2.0).await;
    let before = lent(&kept.handle(), &kept.site).await;
    let Kept { site, keeper, .. } = kept;
    assert_eq!(keeper.shutdown().await, [""; 0]);
    assert_eq!(options(&site).await, before);
    site.shutdown().await;
}
