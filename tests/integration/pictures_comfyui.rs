//! Test pictures on ComfyUI through the command line: made, refused, failed, cut off, and those of
//! others left alone.

use std::{sync::Arc, time::Duration};

use forgekeeper_standin::{DemoSite, Fault};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    net::{TcpListener, TcpStream},
    sync::Notify,
};

use crate::{
    pictures::{end, generate},
    rig::{Place, SECOND, end_of_child, get, holds, interrupt, post, site},
};

const SERVICE: &str = "comfyui";

async fn history(site: &DemoSite) -> Value {
    let api = site.api_url(SERVICE).expect("a service of it");
    let (_, body) = get(&format!("{api}/history")).await.expect("an answer");
    serde_json::from_str(&body).expect("JSON")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_picture_is_made_with_progress_and_its_parameters() {
    let site = site(1.5).await;
    let place = Place::with(&site.config_toml());
    let asked = [
        "--seed",
        "18446744073709551615",
        "--sampler",
        "DPM++ 2M",
        "--steps",
        "12",
    ];
    let (ran, files) = generate(&place, SERVICE, &asked).await;
    let ran = ran.ends_with(0);
    let record = &end(&ran)["job"]["record"];
    assert_eq!(record["verdict"], "proved", "{ran:#?}");
    assert_eq!(record["pictures"][0]["width"], 512);
    assert_eq!(
        record["pictures"][0]["seed"], "18446744073709551615",
        "exact beyond 2^53"
    );
    assert_eq!(record["substitutions"], json!([]));
    let text = record["parameters"].as_str().unwrap_or_default();
    for words in [
        "a cat\n",
        "Sampler: dpmpp_2m",
        "Schedule type: karras",
        "Steps: 12",
    ] {
        assert!(text.contains(words), "{words}: {text}");
    }
    let lines = ran.lines();
    let told = |of: &str| lines.iter().any(|line| !line["progress"][of].is_null());
    assert!(
        told("step") && told("fraction") && told("preview"),
        "{lines:#?}"
    );
    assert_eq!(files.len(), 1);
    let file = std::fs::read(&files[0]).expect("the picture");
    let has = |word: &[u8]| file.windows(word.len()).any(|part| part == word);
    assert!(
        has(b"tEXtparameters") || has(b"iTXtparameters"),
        "A1111's readers"
    );
    assert!(has(b"tEXtprompt"), "ComfyUI's readers");

    // The same request once more is a new run: ComfyUI by itself would show the old file.
    let (again, _) = generate(&place, SERVICE, &asked).await;
    assert_eq!(
        end(&again.ends_with(0))["job"]["record"]["verdict"],
        "proved"
    );
    let all = history(&site).await;
    let cached = all.as_object().expect("entries").values().map(|entry| {
        let messages = entry["status"]["messages"].as_array().expect("messages");
        let cached = messages.iter().find(|m| m[0] == "execution_cached");
        cached.expect("told")[1]["nodes"].clone()
    });
    let cached: Vec<Value> = cached.collect();
    assert_eq!(cached.len(), 2);
    for nodes in cached {
        let sampled = nodes.as_array().expect("nodes").contains(&json!("5"));
        assert!(!sampled, "{nodes}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_said_to_comfyui_is_refused_before_it_is_queued() {
    let site = site(20.0).await;
    let place = Place::with(&site.config_toml());
    for (wrong, words) in [
        (["--sampler", "PLMS"], "`PLMS` has no equivalent"),
        (["--sampler", "k_nonsense"], "no sampler or scheduler known"),
        (["--scheduler", "Turbo"], "`Turbo` has no equivalent"),
        (
            ["--model", "gone.safetensors"],
            "no checkpoint `gone.safetensors`",
        ),
    ] {
        let (ran, files) = generate(&place, SERVICE, &wrong).await;
        let job = end(&ran)["job"].clone();
        assert_eq!(job["error"]["code"], "bad_request", "{wrong:?}: {ran:#?}");
        let said = job["error"]["message"].as_str().unwrap_or_default();
        assert!(said.contains(words), "{wrong:?}: {said}");
        assert!(files.is_empty());
    }
    assert_eq!(history(&site).await, json!({}), "nothing was queued");
}

#[tokio::test(flavor = "multi_thread")]
async fn each_failure_is_told_in_its_own_words() {
    for (fault, verdict, code) in [
        (Fault::ImageOom, "out_of_memory", "out_of_memory"),
        (Fault::ImageBlack, "blank", "blank_picture"),
        (
            Fault::ImageCudaBroken,
            "cuda_context_lost",
            "cuda_context_lost",
        ),
        (Fault::Api401, "failed", "unauthorized"),
        (Fault::ApiHtml, "failed", "api"),
        (Fault::Api500, "failed", "api"),
        (Fault::ApiNoModels, "failed", "api"),
    ] {
        let site = site(20.0).await;
        site.inject(fault, Some(SERVICE)).expect("a service of it");
        let place = Place::with(&site.config_toml());
        let (ran, _) = generate(&place, SERVICE, &[]).await;
        let ran = ran.ends_with(1);
        let job = &end(&ran)["job"];
        assert_eq!(job["record"]["verdict"], verdict, "{fault}: {job}");
        assert_eq!(job["error"]["code"], code, "{fault}: {job}");
        let said = job["error"]["message"].as_str().unwrap_or_default();
        assert!(
            !said.is_empty() && ran.stderr.contains(said),
            "{fault}: {ran:#?}"
        );
        site.shutdown().await;
    }
}

/// Somebody else's prompt, straight at the API; their own client id would hear of it.
pub(crate) async fn somebody_queues(api: &str, steps: u32) {
    let graph = json!({
        "1": {"class_type": "CheckpointLoaderSimple", "inputs": {"ckpt_name": "sd_xl_turbo_1.0_fp16.safetensors"}},
        "2": {"class_type": "CLIPTextEncode", "inputs": {"text": "theirs", "clip": ["1", 1]}},
        "4": {"class_type": "EmptyLatentImage", "inputs": {"width": 512, "height": 512, "batch_size": 1}},
        "5": {"class_type": "KSampler", "inputs": {"model": ["1", 0], "positive": ["2", 0],
              "negative": ["2", 0], "latent_image": ["4", 0], "seed": 1, "steps": steps, "cfg": 2.0,
              "sampler_name": "euler", "scheduler": "normal", "denoise": 1.0}},
        "6": {"class_type": "VAEDecode", "inputs": {"samples": ["5", 0], "vae": ["1", 2]}},
        "7": {"class_type": "SaveImage", "inputs": {"images": ["6", 0], "filename_prefix": "theirs"}},
    });
    let body = json!({ "prompt": graph }).to_string();
    let sent = post(&format!("{api}/prompt"), &body).await;
    assert_eq!(sent.expect("an answer").0, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn behind_anothers_prompt_it_waits_and_an_end_takes_it_from_the_queue_alone() {
    let site = site(1.0).await;
    let place = Place::with(&site.config_toml());
    let api = site.api_url(SERVICE).expect("a service of it");
    somebody_queues(&api, 60).await;
    let arguments = [
        "generate", SERVICE, "--prompt", "ours", "--out", "out", "--json",
    ];
    let mut child = place
        .command(&arguments)
        .spawn()
        .expect("forgekeeperctl starts");
    let mut lines = BufReader::new(child.stdout.take().expect("its output")).lines();
    holds("both are in the queue", 20 * SECOND, async || {
        let (_, body) = get(&format!("{api}/queue")).await.expect("an answer");
        let queue: Value = serde_json::from_str(&body).expect("JSON");
        queue["queue_pending"]
            .as_array()
            .is_some_and(|pending| pending.len() == 1)
    })
    .await;
    let mut all = Vec::new();
    let told = async {
        while all
            .last()
            .is_none_or(|l: &Value| l["progress"]["queue_ahead"] != 1)
        {
            let line = lines.next_line().await.expect("UTF-8").expect("a line");
            all.push(serde_json::from_str(&line).expect("JSON"));
        }
    };
    let told = tokio::time::timeout(Duration::from_secs(10), told).await;
    told.expect("that one is before it is told");
    interrupt(&child);
    let reading = async {
        while let Ok(Some(line)) = lines.next_line().await {
            all.push(serde_json::from_str::<Value>(&line).expect("JSON"));
        }
    };
    let (ran, ()) = tokio::join!(end_of_child(child), reading);
    ran.ends_with(1);
    let last = all.pop().expect("an end");
    assert_eq!(last["job"]["phase"], "cancelled", "{last}");
    let shown = |line: &Value| {
        !line["progress"]["preview"].is_null() || !line["progress"]["step"].is_null()
    };
    assert!(
        !all.iter().any(shown),
        "theirs is not shown as ours: {all:#?}"
    );
    holds("theirs is finished", 30 * SECOND, async || {
        let all = history(&site).await;
        let all = all.as_object().expect("entries");
        all.len() == 1
            && all
                .values()
                .all(|entry| entry["status"]["status_str"] == "success")
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_ends_in_the_middle_is_told_in_time_and_nothing_is_sent_again() {
    let site = site(1.0).await;
    let place = Place::with(&site.config_toml());
    let arguments = [
        "generate", SERVICE, "--prompt", "ours", "--steps", "100", "--out", "out", "--json",
    ];
    let mut child = place
        .command(&arguments)
        .spawn()
        .expect("forgekeeperctl starts");
    let mut lines = BufReader::new(child.stdout.take().expect("its output")).lines();
    let mut last = Value::Null;
    let working = async {
        while last["progress"]["step"].as_u64() < Some(3) {
            let line = lines.next_line().await.expect("UTF-8").expect("a line");
            last = serde_json::from_str(&line).expect("JSON");
        }
    };
    let worked = tokio::time::timeout(Duration::from_secs(30), working).await;
    worked.expect("it works");
    let engine = site.engine_url().replace("tcp://", "http://");
    let order = format!("{engine}/containers/comfyui-candidate/restart?t=0");
    post(&order, "").await.expect("restarted");
    let reading = async {
        while let Ok(Some(line)) = lines.next_line().await {
            last = serde_json::from_str(&line).expect("JSON");
        }
    };
    let (ran, ()) = tokio::join!(end_of_child(child), reading);
    let ran = ran.ends_with(1);
    assert!(ran.took < 60 * SECOND, "{ran:#?}");
    assert_eq!(last["job"]["phase"], "failed", "{last}");
    assert_eq!(last["job"]["error"]["code"], "api", "{last}");
    let api = site.api_url(SERVICE).expect("a service of it");
    holds("the new one knows of no prompt", 60 * SECOND, async || {
        let answer = get(&format!("{api}/history")).await;
        answer.is_some_and(|(status, body)| status == 200 && body.trim() == "{}")
    })
    .await;
}

/// Passes everything on, and cuts it all when told to.
async fn cutting(to: &str) -> (String, Arc<Notify>) {
    let to = to.trim_start_matches("http://").to_owned();
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    let cut = Arc::new(Notify::new());
    let cuts = Arc::clone(&cut);
    tokio::spawn(async move {
        while let Ok((mut near, _)) = listener.accept().await {
            let (to, cuts) = (to.clone(), Arc::clone(&cuts));
            tokio::spawn(async move {
                let Ok(mut far) = TcpStream::connect(to).await else {
                    return;
                };
                tokio::select! {
                    _ = tokio::io::copy_bidirectional(&mut near, &mut far) => {}
                    () = cuts.notified() => {}
                }
            });
        }
    });
    (url, cut)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_socket_that_is_cut_loses_neither_progress_nor_result() {
    let site = site(1.0).await;
    let api = site.api_url(SERVICE).expect("a service of it");
    let (url, cut) = cutting(&api).await;
    let place = Place::with(&site.config_toml().replace(&api, &url));
    let arguments = [
        "generate", SERVICE, "--prompt", "ours", "--steps", "80", "--out", "out", "--json",
    ];
    let mut child = place
        .command(&arguments)
        .spawn()
        .expect("forgekeeperctl starts");
    let mut lines = BufReader::new(child.stdout.take().expect("its output")).lines();
    let (mut steps_before, mut steps_after, mut last) = (0, 0, Value::Null);
    let reading = async {
        let mut is_cut = false;
        while let Ok(Some(line)) = lines.next_line().await {
            last = serde_json::from_str(&line).expect("JSON");
            let Some(step) = last["progress"]["step"].as_u64() else {
                continue;
            };
            if is_cut {
                steps_after = step;
            } else if step >= 3 {
                steps_before = step;
                cut.notify_waiters();
                is_cut = true;
            }
        }
    };
    let (ran, ()) = tokio::join!(end_of_child(child), reading);
    ran.ends_with(0);
    assert_eq!(last["job"]["record"]["verdict"], "proved", "{last}");
    assert!(
        steps_after > steps_before + 10,
        "told again: {steps_before}, {steps_after}"
    );
}
