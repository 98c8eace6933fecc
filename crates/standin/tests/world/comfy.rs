//! ComfyUI over HTTP and WebSocket.

use std::time::Duration;

use forgekeeper_standin::picture::Scene;
use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

use crate::site::{demo, get, http, post, until};

type Socket = WebSocketStream<MaybeTlsStream<tokio::net::TcpStream>>;

fn graph(seed: u64, steps: u64) -> Value {
    json!({
        "1": {"class_type": "CheckpointLoaderSimple", "inputs": {"ckpt_name": "sd_xl_turbo_1.0_fp16.safetensors"}},
        "2": {"class_type": "CLIPTextEncode", "inputs": {"text": "a lighthouse, caf\u{e9}", "clip": ["1", 1]}},
        "3": {"class_type": "CLIPTextEncode", "inputs": {"text": "blurry", "clip": ["1", 1]}},
        "4": {"class_type": "EmptyLatentImage", "inputs": {"width": 128, "height": 64, "batch_size": 1}},
        "5": {"class_type": "KSampler", "inputs": {"model": ["1", 0], "positive": ["2", 0],
              "negative": ["3", 0], "latent_image": ["4", 0], "seed": seed, "steps": steps, "cfg": 2.0,
              "sampler_name": "dpmpp_sde", "scheduler": "karras", "denoise": 1.0}},
        "6": {"class_type": "VAEDecode", "inputs": {"samples": ["5", 0], "vae": ["1", 2]}},
        "7": {"class_type": "SaveImage", "inputs": {"images": ["6", 0], "filename_prefix": "forgekeeper/test"}},
    })
}

async fn connect(api: &str, id: &str) -> Socket {
    let url = format!("{}/ws?clientId={id}", api.replace("http://", "ws://"));
    connect_async(url).await.unwrap().0
}

/// Frames until the job is over: names of text frames, and the binary ones.
async fn listen(socket: &mut Socket) -> (Vec<String>, Vec<Vec<u8>>) {
    let (mut names, mut pictures) = (Vec::new(), Vec::new());
    loop {
        let next = tokio::time::timeout(Duration::from_secs(20), socket.next())
            .await
            .unwrap();
        match next.unwrap().unwrap() {
            Message::Text(text) => {
                let frame: Value = serde_json::from_str(&text).unwrap();
                let kind = frame["type"].as_str().unwrap().to_owned();
                if kind != "progress_state" {
                    names.push(kind.clone());
                }
                if kind == "executing" && frame["data"]["node"].is_null() {
                    assert!(frame["data"].get("display_node").is_none());
                    return (names, pictures);
                }
            }
            Message::Binary(bytes) => {
                names.push("BINARY".into());
                pictures.push(bytes.to_vec());
            }
            _ => {}
        }
    }
}

#[tokio::test]
async fn a_run_tells_itself_in_order() {
    let demo = demo().await;
    let api = demo.api_url("comfyui").unwrap();
    let mut socket = connect(&api, "c1").await;
    let (code, answer) = post(
        &format!("{api}/prompt"),
        &json!({"prompt": graph(1, 2), "client_id": "c1"}),
    )
    .await;
    assert_eq!(
        (code, &answer["number"], &answer["node_errors"]),
        (200, &json!(0), &json!({}))
    );
    let (names, pictures) = listen(&mut socket).await;
    assert_eq!(
        names,
        [
            "status",
            "status",
            "status",
            "execution_start",
            "execution_cached",
            "executing",
            "executing",
            "executing",
            "executing",
            "executing",
            "progress",
            "BINARY",
            "progress",
            "BINARY",
            "executing",
            "executing",
            "executed",
            "execution_success",
            "status",
            "executing"
        ]
    );
    assert_eq!(pictures[0][..8], [0, 0, 0, 1, 0, 0, 0, 1]);
    assert_eq!(
        image::load_from_memory(&pictures[0][8..]).unwrap().width(),
        512
    );
    let id = answer["prompt_id"].as_str().unwrap();
    let (_, history) = get(&format!("{api}/api/history/{id}")).await;
    let file = &history[id]["outputs"]["7"]["images"][0];
    assert_eq!(
        file,
        &json!({"filename": "test_00001_.png", "subfolder": "forgekeeper", "type": "output"})
    );
    let url = format!("{api}/view?filename=test_00001_.png&subfolder=forgekeeper");
    let bytes = http()
        .get(&url)
        .send()
        .await
        .unwrap()
        .bytes()
        .await
        .unwrap();
    let decoded = image::load_from_memory(&bytes).unwrap();
    assert_eq!((decoded.width(), decoded.height()), (128, 64));
    assert!(
        bytes.windows(6).any(|w| w == b"\\u00e9"),
        "the prompt chunk is ASCII"
    );
    let small = http()
        .get(format!("{url}&preview=webp;80"))
        .send()
        .await
        .unwrap();
    assert_eq!(small.headers()["content-type"], "image/webp");
    // The same graph again makes no new picture.
    post(
        &format!("{api}/prompt"),
        &json!({"prompt": graph(1, 2), "client_id": "c1"}),
    )
    .await;
    let (names, _) = listen(&mut socket).await;
    assert_eq!(names.iter().filter(|n| *n == "executing").count(), 1);
    assert!(names.contains(&"executed".to_owned()));
    assert_eq!(
        http()
            .get(url.replace("00001", "00002"))
            .send()
            .await
            .unwrap()
            .status(),
        404
    );
}

#[tokio::test]
async fn previews_carry_metadata_after_negotiation() {
    let demo = demo().await;
    let api = demo.api_url("comfyui").unwrap();
    let mut socket = connect(&api, "c2").await;
    let flags = json!({"type": "feature_flags", "data": {"supports_preview_metadata": true}});
    socket.send(Message::text(flags.to_string())).await.unwrap();
    tokio::time::sleep(Duration::from_millis(100)).await;
    post(
        &format!("{api}/prompt"),
        &json!({"prompt": graph(2, 2), "client_id": "c2"}),
    )
    .await;
    let (names, pictures) = listen(&mut socket).await;
    assert_eq!(names[1], "feature_flags");
    let length = u32::from_be_bytes(pictures[0][4..8].try_into().unwrap()) as usize;
    assert_eq!(pictures[0][..4], [0, 0, 0, 4]);
    let about: Value = serde_json::from_slice(&pictures[0][8..8 + length]).unwrap();
    assert_eq!(
        (about["node_id"].as_str(), about["image_type"].as_str()),
        (Some("5"), Some("image/jpeg"))
    );
    let at = |name: &str| names.iter().position(|n| n == name).unwrap();
    assert!(
        at("BINARY") < at("progress"),
        "with metadata the picture comes first"
    );
}

#[tokio::test]
async fn an_older_socket_that_closes_silences_the_newer_one() {
    let demo = demo().await;
    let api = demo.api_url("comfyui").unwrap();
    let mut old = connect(&api, "same").await;
    let mut new = connect(&api, "same").await;
    assert!(
        new.next()
            .await
            .unwrap()
            .unwrap()
            .into_text()
            .unwrap()
            .contains("sid")
    );
    old.close(None).await.unwrap();
    tokio::time::sleep(Duration::from_millis(150)).await;
    post(
        &format!("{api}/prompt"),
        &json!({"prompt": graph(3, 1), "client_id": "same"}),
    )
    .await;
    let heard = tokio::time::timeout(Duration::from_millis(800), new.next()).await;
    assert!(heard.is_err(), "not even a status: {heard:?}");
}

#[tokio::test]
async fn refusals_as_observed() {
    let demo = demo().await;
    let api = demo.api_url("comfyui").unwrap();
    let url = format!("{api}/prompt");
    let sent = |prompt: Value| {
        let url = url.clone();
        async move { post(&url, &json!({ "prompt": prompt })).await }
    };
    let kind = |body: &Value| body["error"]["type"].as_str().unwrap_or("none").to_owned();
    let (code, body) = post(&url, &json!({"graph": {}})).await;
    assert_eq!((code, kind(&body).as_str()), (400, "no_prompt"));
    let (code, body) = sent(json!({})).await;
    assert_eq!((code, kind(&body).as_str()), (400, "prompt_no_outputs"));
    let (_, body) = sent(json!({"1": {"class_type": "NoSuchNode", "inputs": {}}})).await;
    assert_eq!(
        body["error"]["message"],
        "Cannot execute because node NoSuchNode does not exist."
    );
    let mut wrong = graph(1, 2);
    wrong["1"]["inputs"]["ckpt_name"] = json!("missing.safetensors");
    wrong["5"]["inputs"]["steps"] = json!(0);
    let (code, body) = sent(wrong).await;
    assert_eq!(
        (code, kind(&body).as_str()),
        (400, "prompt_outputs_failed_validation")
    );
    assert_eq!(
        body["node_errors"]["1"]["errors"][0]["type"],
        "value_not_in_list"
    );
    assert_eq!(
        body["node_errors"]["5"]["errors"][0]["message"],
        "Value 0 smaller than min of 1"
    );
    assert_eq!(body["node_errors"]["5"]["dependent_outputs"], json!(["7"]));
    let mut big = graph(1, 2);
    big["5"]["inputs"]["seed"] = serde_json::from_str("18446744073709551616").unwrap();
    assert_eq!(
        sent(big).await.1["node_errors"]["5"]["errors"][0]["type"],
        "value_bigger_than_max"
    );
    let mut crossed = graph(1, 2);
    crossed["5"]["inputs"]["positive"] = json!(["1", 0]);
    let details = sent(crossed).await.1["node_errors"]["5"]["errors"][0]["details"].clone();
    assert_eq!(
        details,
        "positive, received_type(MODEL) mismatch input_type(CONDITIONING)"
    );
    // Numeric text is taken, and one good output is enough.
    let mut half = graph(9, 1);
    half["5"]["inputs"]["steps"] = json!("2");
    half["8"] =
        json!({"class_type": "SaveImage", "inputs": {"images": ["99", 0], "filename_prefix": "x"}});
    let (code, body) = sent(half).await;
    assert_eq!(code, 200);
    assert_eq!(
        body["node_errors"]["8"]["errors"][0]["type"],
        "exception_during_validation"
    );
    let bad = http().post(&url).body("no json").send().await.unwrap();
    assert_eq!(
        (
            bad.status().as_u16(),
            bad.headers()["connection"].to_str().unwrap()
        ),
        (500, "close")
    );
}

/// Uploads a file; the answer.
async fn upload(api: &str, name: &str, content: &[u8]) -> Value {
    let mut body = format!(
        "--b0undary\r\nContent-Disposition: form-data; name=\"image\"; filename=\"{name}\"\r\n\
         Content-Type: image/png\r\n\r\n"
    )
    .into_bytes();
    body.extend_from_slice(content);
    body.extend_from_slice(b"\r\n--b0undary--\r\n");
    let answer = http()
        .post(format!("{api}/upload/image"))
        .header("content-type", "multipart/form-data; boundary=b0undary")
        .body(body)
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), 200);
    answer.json().await.unwrap()
}

/// Runs a graph to its end; its entry in the history.
async fn ran(api: &str, graph: &Value) -> Value {
    let (code, answer) = post(&format!("{api}/prompt"), &json!({ "prompt": graph })).await;
    assert_eq!(code, 200, "{answer}");
    let id = answer["prompt_id"].as_str().unwrap().to_owned();
    let url = format!("{api}/history/{id}");
    until("the end", || async { get(&url).await.1 != json!({}) }).await;
    get(&url).await.1[&id].clone()
}

#[tokio::test]
async fn pictures_are_uploaded_and_loaded() {
    let demo = demo().await;
    let api = demo.api_url("comfyui").unwrap();
    let copy = |name: &str| {
        json!({"1": {"class_type": "LoadImage", "inputs": {"image": name}},
               "2": {"class_type": "SaveImage", "inputs": {"images": ["1", 0], "filename_prefix": "copy"}}})
    };
    let red = Scene::of("red").draw(24, 16, 0.0).png(&[]).unwrap();
    let blue = Scene::of("blue").draw(24, 16, 0.0).png(&[]).unwrap();
    assert_eq!(
        upload(&api, "in.png", &red).await,
        json!({"name": "in.png", "subfolder": "", "type": "input"})
    );
    assert_eq!(upload(&api, "in.png", &red).await["name"], "in.png");
    assert_eq!(upload(&api, "in.png", &blue).await["name"], "in (1).png");
    let entry = ran(&api, &copy("in (1).png")).await;
    let file = &entry["outputs"]["2"]["images"][0]["filename"];
    let url = format!("{api}/view?filename={}", file.as_str().unwrap());
    let saved = http().get(url).send().await.unwrap().bytes().await.unwrap();
    assert_eq!(
        image::load_from_memory(&saved).unwrap(),
        image::load_from_memory(&blue).unwrap()
    );
    // Absent is refused at once, broken fails when it runs.
    let (code, body) = post(
        &format!("{api}/prompt"),
        &json!({"prompt": copy("absent.png")}),
    )
    .await;
    let fault = &body["node_errors"]["1"]["errors"][0];
    assert_eq!(
        (code, fault["type"].as_str(), fault["details"].as_str()),
        (
            400,
            Some("custom_validation_failed"),
            Some("image - Invalid image file: absent.png")
        )
    );
    assert_eq!(body["error"]["details"], "", "the fault lies upstream");
    upload(&api, "broken.png", b"no picture").await;
    let entry = ran(&api, &copy("broken.png")).await;
    assert_eq!(entry["outputs"], json!({}));
    let last = entry["status"]["messages"].as_array().unwrap().last();
    let (kind, data) = (&last.unwrap()[0], &last.unwrap()[1]);
    assert_eq!(
        (
            kind.as_str(),
            data["exception_type"].as_str(),
            &data["current_inputs"]
        ),
        (
            Some("execution_error"),
            Some("PIL.UnidentifiedImageError"),
            &json!({"image": ["broken.png"]})
        )
    );
    let bad = http()
        .post(format!("{api}/upload/image"))
        .body("x")
        .send()
        .await
        .unwrap();
    assert_eq!(bad.status(), 400);
}

#[tokio::test]
async fn faults_of_an_output_are_named_and_deep_graphs_refused() {
    let demo = demo().await;
    let api = demo.api_url("comfyui").unwrap();
    let url = format!("{api}/prompt");
    let orphan = json!({"1": {"class_type": "PreviewImage", "inputs": {"images": ["99", 0]}}});
    let (_, body) = post(&url, &json!({ "prompt": orphan })).await;
    assert_eq!(
        body["error"]["details"],
        "Exception when validating node: '99'"
    );
    let mut deep = graph(1, 1);
    for n in 0..20_000 {
        let from = if n == 19_999 {
            json!(["1", 1])
        } else {
            json!([format!("c{}", n + 1), 0])
        };
        deep[format!("c{n}")] = json!({"class_type": "CLIPSetLastLayer",
            "inputs": {"clip": from, "stop_at_clip_layer": -1}});
    }
    deep["2"]["inputs"]["clip"] = json!(["c0", 0]);
    let (code, body) = post(&url, &json!({ "prompt": deep })).await;
    assert_eq!(
        (code, body["error"]["type"].as_str()),
        (400, Some("prompt_outputs_failed_validation"))
    );
    let (code, _) = post(&url, &json!({"prompt": graph(1, 1)})).await;
    assert_eq!(code, 200, "the server lives");
}

#[tokio::test]
async fn an_interrupted_run_looks_like_a_failure() {
    let demo = demo().await;
    let api = demo.api_url("comfyui").unwrap();
    let (_, answer) = post(&format!("{api}/prompt"), &json!({"prompt": graph(4, 500)})).await;
    let id = answer["prompt_id"].as_str().unwrap().to_owned();
    post(
        &format!("{api}/prompt"),
        &json!({"prompt": graph(5, 1), "front": true}),
    )
    .await;
    let (_, queue) = get(&format!("{api}/queue")).await;
    assert_eq!(queue["queue_running"][0][1], id.as_str());
    assert_eq!(queue["queue_pending"][0][0], -1);
    assert_eq!(get(&format!("{api}/history/{id}")).await, (200, json!({})));
    tokio::time::sleep(Duration::from_millis(200)).await;
    post(
        &format!("{api}/interrupt"),
        &json!({"prompt_id": "another"}),
    )
    .await;
    assert_eq!(
        get(&format!("{api}/queue")).await.1["queue_running"][0][1],
        id.as_str()
    );
    post(&format!("{api}/interrupt"), &json!({})).await;
    until("the end", || async {
        get(&format!("{api}/history/{id}")).await.1 != json!({})
    })
    .await;
    let (_, history) = get(&format!("{api}/history/{id}")).await;
    let status = &history[id.as_str()]["status"];
    assert_eq!(
        (status["status_str"].as_str(), &status["completed"]),
        (Some("error"), &json!(false))
    );
    let last = status["messages"].as_array().unwrap().last().unwrap()[0].clone();
    assert_eq!(last, "execution_interrupted");
}

#[tokio::test]
async fn foreign_origins_and_odd_paths() {
    let demo = demo().await;
    let api = demo.api_url("comfyui").unwrap();
    let from = |origin: &'static str| {
        let url = format!("{api}/system_stats");
        async move {
            http()
                .get(url)
                .header("origin", origin)
                .send()
                .await
                .unwrap()
                .status()
                .as_u16()
        }
    };
    assert_eq!(from("tauri://localhost").await, 403);
    assert_eq!(from("null").await, 200);
    assert_eq!(
        get(&format!("{api}/object_info/Nothing")).await,
        (200, json!({}))
    );
    assert_eq!(
        http()
            .get(format!("{api}/models/unet"))
            .send()
            .await
            .unwrap()
            .status(),
        404
    );
    assert_eq!(
        http()
            .get(format!("{api}/view?filename=..%2Fx"))
            .send()
            .await
            .unwrap()
            .status(),
        400
    );
    let unknown = http().get(format!("{api}/api/jobs")).send().await.unwrap();
    assert_eq!(
        (
            unknown.status().as_u16(),
            unknown.headers()["content-type"].to_str().unwrap()
        ),
        (404, "application/octet-stream")
    );
    // The founding document's request answers 200 and does nothing.
    let old = http()
        .post(format!("{api}/api/queue"))
        .json(&json!({"workflow": {}}))
        .send()
        .await
        .unwrap();
    assert_eq!(
        (old.status().as_u16(), old.text().await.unwrap()),
        (200, String::new())
    );
    let smoke = json!({"1": {"class_type": "EmptyImage", "inputs": {"width": 64, "height": 64, "batch_size": 1, "color": 16_711_680}},
        "2": {"class_type": "SaveImage", "inputs": {"images": ["1", 0], "filename_prefix": "forgekeeper-smoke"}}});
    let (code, answer) = post(&format!("{api}/prompt"), &json!({ "prompt": smoke })).await;
    assert_eq!(code, 200);
    let id = answer["prompt_id"].as_str().unwrap().to_owned();
    until("the smoke test", || async {
        get(&format!("{api}/history/{id}")).await.1 != json!({})
    })
    .await;
}
