//! Every fault does what its row says, at start or at run time, and can be lifted.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use forgekeeper_standin::{DemoSite, FAULTS, Fault};
use serde_json::{Value, json};

use crate::site::{demo, get, http, post, status, until, with};

const FIRST: &str = "myia-supervisor-1";

async fn inspect(demo: &DemoSite) -> Value {
    let url = demo.engine_url().replace("tcp://", "http://");
    get(&format!("{url}/containers/{FIRST}/json")).await.1
}

fn models(demo: &DemoSite) -> String {
    format!("{}/sdapi/v1/sd-models", demo.api_url("myia").unwrap())
}

/// A JSON list, not the placeholder that answers 200 to everything.
async fn ready(demo: &DemoSite) -> bool {
    match http()
        .get(models(demo))
        .timeout(Duration::from_secs(1))
        .send()
        .await
    {
        Ok(answer) => answer
            .json::<Value>()
            .await
            .is_ok_and(|body| body.is_array()),
        Err(_) => false,
    }
}

#[tokio::test]
async fn every_container_fault_changes_the_state_and_heals() {
    for (fault, code, oom) in [
        (Fault::ContainerStopped, 0, false),
        (Fault::ContainerOom, 137, true),
        (Fault::ContainerKilled, 137, false),
    ] {
        let demo = demo().await;
        demo.inject(fault, Some(FIRST)).unwrap();
        until("the end of the container", || async {
            inspect(&demo).await["State"]["Status"] == "exited"
        })
        .await;
        let state = inspect(&demo).await["State"].clone();
        assert_eq!(
            (state["ExitCode"].as_i64(), state["OOMKilled"].as_bool()),
            (Some(code), Some(oom)),
            "{fault}"
        );
        assert_eq!(status(&models(&demo)).await, None);
        demo.clear(fault, Some("myia")).unwrap();
        until("the API again", || ready(&demo)).await;
    }
}

#[tokio::test]
async fn removal_recreation_and_crash_loop() {
    let demo = demo().await;
    let before = inspect(&demo).await["Id"].clone();
    demo.inject(Fault::ContainerGone, Some("myia")).unwrap();
    until("removal", || async {
        inspect(&demo).await["message"].is_string()
    })
    .await;
    demo.clear(Fault::ContainerGone, None).unwrap();
    until("return", || async {
        inspect(&demo).await["State"]["Status"] == "running"
    })
    .await;
    let second = inspect(&demo).await["Id"].clone();
    assert_ne!(before, second);
    demo.inject(Fault::ContainerRecreated, Some("myia"))
        .unwrap();
    until("another id", || async {
        let id = inspect(&demo).await["Id"].clone();
        id.is_string() && id != second
    })
    .await;
    demo.inject(Fault::CrashLoop, Some("myia")).unwrap();
    until("three restarts", || async {
        inspect(&demo).await["RestartCount"].as_u64() >= Some(3)
    })
    .await;
    demo.clear(Fault::CrashLoop, None).unwrap();
    until("the API again", || ready(&demo)).await;
    let state = inspect(&demo).await;
    assert_eq!(
        (&state["State"]["Status"], &state["RestartCount"]),
        (&json!("running"), &json!(0)),
        "healed, not left marked as exited"
    );
}

#[tokio::test]
async fn a_stop_ends_a_crash_loop_and_a_start_begins_it_again() {
    let demo = demo().await;
    let engine = demo.engine_url().replace("tcp://", "http://");
    let act = |what: &'static str| {
        let url = format!("{engine}/containers/{FIRST}/{what}");
        async move { http().post(url).send().await.unwrap().status().as_u16() }
    };
    demo.inject(Fault::CrashLoop, Some("myia")).unwrap();
    until("a restart", || async {
        inspect(&demo).await["RestartCount"].as_u64() >= Some(1)
    })
    .await;
    assert_eq!(act("stop").await, 204);
    for _ in 0..20 {
        assert_eq!(inspect(&demo).await["State"]["Status"], "exited");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(act("start").await, 204);
    until("a restart", || async {
        inspect(&demo).await["RestartCount"].as_u64() >= Some(1)
    })
    .await;
    assert_eq!(act("stop").await, 204);
    demo.clear(Fault::CrashLoop, None).unwrap();
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(
        inspect(&demo).await["State"]["Status"],
        "exited",
        "what somebody stopped stays stopped"
    );
}

/// `nvidia-smi` and `supervisorctl` as run inside a container.
async fn exec(demo: &DemoSite, container: &str, argv: &[&str]) -> (String, i64) {
    let engine = demo.engine_url().replace("tcp://", "http://");
    let order = json!({"Cmd": argv, "Tty": true, "AttachStdout": true});
    let (_, made) = post(&format!("{engine}/containers/{container}/exec"), &order).await;
    let id = made["Id"].as_str().unwrap();
    let run = http()
        .post(format!("{engine}/exec/{id}/start"))
        .json(&json!({"Tty": true}))
        .send()
        .await
        .unwrap();
    let text = run.text().await.unwrap();
    let (_, about) = get(&format!("{engine}/exec/{id}/json")).await;
    (text, about["ExitCode"].as_i64().unwrap())
}

#[tokio::test]
async fn gpu_faults_act_on_the_card_of_their_service() {
    const TURBO: &str = "myia-turbo-supervisor-1";
    const TEMPERATURE: &[&str] = &["nvidia-smi", "-q", "-d", "TEMPERATURE"];
    let demo = demo().await;
    let (text, code) = exec(&demo, TURBO, TEMPERATURE).await;
    assert!(
        text.contains("GPU 00000000:02:00.0\n") && code == 0,
        "{text}"
    );
    assert!(text.contains("GPU Slowdown Temp                 : 95 C"));
    let hot = [
        "nvidia-smi",
        "--query-gpu=temperature.gpu",
        "--format=csv,noheader",
    ];
    demo.inject(Fault::GpuHot, Some("myia-turbo")).unwrap();
    let degrees = |text: &str| text.trim().parse::<f64>().unwrap();
    assert!(degrees(&exec(&demo, TURBO, &hot).await.0) >= 95.0);
    assert!(degrees(&exec(&demo, FIRST, &hot).await.0) < 60.0);
    demo.inject(Fault::GpuLost, Some("myia-turbo")).unwrap();
    let (text, code) = exec(&demo, TURBO, &hot).await;
    assert!(text.contains("GPU0000:02:00.0: GPU is lost"), "{text}");
    assert_eq!(code, 15);
    assert_eq!(exec(&demo, FIRST, &hot).await.1, 0, "the other card lives");
}

#[tokio::test]
async fn supervisorctl_does_what_it_says() {
    let demo = demo().await;
    let ctl = |words: &'static [&'static str]| {
        let demo = &demo;
        async move {
            let argv: Vec<&str> = ["supervisorctl"].iter().chain(words).copied().collect();
            exec(demo, FIRST, &argv).await
        }
    };
    let (text, code) = ctl(&["stop", "all"]).await;
    assert!(
        text.contains("forge: stopped") && text.contains("caddy: stopped"),
        "{text}"
    );
    assert_eq!(code, 1, "one of them did not run");
    assert!(ctl(&["status", "caddy"]).await.0.contains("STOPPED"));
    assert_eq!(status(&models(&demo)).await, None);
    assert_eq!(
        ctl(&["start", "caddy"]).await,
        ("caddy: started\n".into(), 0)
    );
    assert_eq!(ctl(&["start", "caddy"]).await.1, 1);
    assert_eq!(ctl(&["start", "forge"]).await.1, 0);
    // A program that dies again and again: one loop, which a stop ends.
    // At this speed its states pass in moments; the process number tells a round that was missed.
    let pid = || async {
        let (text, _) = ctl(&["status", "forge"]).await;
        let words = text.split_once("pid ")?.1;
        Some(words.split(',').next()?.to_owned())
    };
    let first = pid().await;
    assert!(first.is_some(), "it runs");
    demo.inject(Fault::ProgramLoop, Some("myia")).unwrap();
    until("another run of it", || async {
        pid().await.is_some_and(|now| Some(now) != first)
    })
    .await;
    assert!(ctl(&["restart", "forge"]).await.1 == 0);
    assert!(ctl(&["stop", "forge"]).await.1 == 0);
    for _ in 0..20 {
        assert!(ctl(&["status", "forge"]).await.0.contains("STOPPED"));
    }
}

#[tokio::test]
async fn settings_are_lost_as_named_and_come_back() {
    let demo = demo().await;
    let options = models(&demo).replace("sd-models", "options");
    let pattern = || async {
        // The program may be on its way down.
        let answer = http().get(&options).send().await.ok()?;
        let body: Value = answer.json().await.ok()?;
        body["samples_filename_pattern"].as_str().map(str::to_owned)
    };
    let own = pattern().await;
    assert_eq!(own.as_deref(), Some("[datetime]-[seed]"));
    demo.inject(Fault::ConfigReset, Some("myia")).unwrap();
    until("defaults", || async {
        ready(&demo).await && pattern().await.as_deref() == Some("")
    })
    .await;
    let (log, _) = exec(
        &demo,
        FIRST,
        &["tail", "-n", "60", "/var/log/supervisor/forge.log"],
    )
    .await;
    assert!(log.contains("is likely corrupted"), "{log}");
    demo.clear(Fault::ConfigReset, None).unwrap();
    until("the old settings", || async { pattern().await == own }).await;

    let mounts = || async {
        let about = inspect(&demo).await;
        let list = about["Mounts"].as_array().cloned().unwrap_or_default();
        let workspaces = list.iter().filter(|m| m["Destination"] == "/workspace");
        let sources = workspaces.filter_map(|m| m["Source"].as_str());
        sources.map(str::to_owned).collect::<Vec<_>>()
    };
    let before = mounts().await;
    demo.inject(Fault::WorkspaceUnmounted, Some("myia"))
        .unwrap();
    until("no mount", || async {
        mounts().await.is_empty() && inspect(&demo).await["State"]["Status"] == "running"
    })
    .await;
    until("defaults", || async {
        ready(&demo).await && pattern().await.as_deref() == Some("")
    })
    .await;
    demo.clear(Fault::WorkspaceUnmounted, None).unwrap();
    until("the mount", || async { mounts().await == before }).await;
    until("the old settings", || async {
        ready(&demo).await && pattern().await == own
    })
    .await;

    demo.inject(Fault::ConfigSecondWriter, Some("myia"))
        .unwrap();
    until("a shared workspace", || async {
        let url = demo.engine_url().replace("tcp://", "http://");
        let other = get(&format!("{url}/containers/myia-turbo-supervisor-1/json")).await;
        let list = other.1["Mounts"].as_array().cloned().unwrap_or_default();
        let workspace = list.iter().find(|m| m["Destination"] == "/workspace");
        let theirs = workspace
            .and_then(|m| m["Source"].as_str())
            .map(str::to_owned);
        theirs.is_some() && mounts().await == [theirs.unwrap_or_default()]
    })
    .await;
    demo.clear(Fault::ConfigSecondWriter, None).unwrap();
    until("a workspace of its own", || async {
        mounts().await == before
    })
    .await;

    until("the API", || ready(&demo)).await;
    demo.inject(Fault::DiskFull, Some("myia")).unwrap();
    let url = demo.engine_url().replace("tcp://", "http://");
    let act = |what: &str| {
        http()
            .post(format!("{url}/containers/{FIRST}/{what}"))
            .send()
    };
    act("stop").await.unwrap();
    let refused = act("start").await.unwrap();
    assert_eq!(refused.status(), 500);
    assert!(
        refused
            .text()
            .await
            .unwrap()
            .contains("no space left on device")
    );
}

#[tokio::test]
async fn api_faults_answer_as_named() {
    let demo = demo().await;
    let url = models(&demo);
    let ask = || http().get(&url).timeout(Duration::from_secs(3)).send();
    for (fault, code, kind) in [
        (Fault::Api401, 401, "application/json"),
        (Fault::Api500, 500, "text/plain; charset=utf-8"),
        (Fault::ApiHtml, 200, "text/html; charset=utf-8"),
        (Fault::ApiPlaceholder, 200, "text/html; charset=utf-8"),
    ] {
        demo.inject(fault, Some("myia")).unwrap();
        let answer = ask().await.unwrap();
        assert_eq!(
            (
                answer.status().as_u16(),
                answer.headers()["content-type"].to_str().unwrap()
            ),
            (code, kind),
            "{fault}"
        );
        demo.clear(fault, None).unwrap();
    }
    demo.inject(Fault::ApiLoginPage, Some("myia")).unwrap();
    assert_eq!(ask().await.unwrap().status(), 302);
    demo.clear(Fault::ApiLoginPage, None).unwrap();
    demo.inject(Fault::ApiNoModels, Some("myia")).unwrap();
    assert_eq!(get(&url).await, (200, json!([])));
    demo.clear(Fault::ApiNoModels, None).unwrap();
    demo.inject(Fault::ApiTruncated, Some("myia")).unwrap();
    let cut = ask().await.unwrap();
    assert!(cut.status().is_success() && cut.bytes().await.is_err());
    demo.clear(Fault::ApiTruncated, None).unwrap();
    demo.inject(Fault::ApiHang, Some("myia")).unwrap();
    assert!(
        http()
            .get(&url)
            .timeout(Duration::from_millis(300))
            .send()
            .await
            .unwrap_err()
            .is_timeout()
    );
    demo.clear(Fault::ApiHang, None).unwrap();
    demo.inject(Fault::ApiHuge, Some("myia")).unwrap();
    let mut huge = ask().await.unwrap();
    let mut read = 0;
    while read < 4 * 1024 * 1024 {
        read += huge.chunk().await.unwrap().unwrap().len();
    }
    drop(huge);
    demo.clear(Fault::ApiHuge, None).unwrap();
    assert_eq!(status(&url).await, Some(200));
    assert_eq!(status(&demo.api_url("comfyui").unwrap()).await, Some(200));
}

#[tokio::test]
async fn image_faults_spoil_pictures_as_named() {
    let demo = demo().await;
    let api = demo.api_url("myia").unwrap();
    let url = format!("{api}/sdapi/v1/txt2img");
    let order = json!({"prompt": "x", "steps": 2, "width": 64, "height": 64});
    demo.inject(Fault::ImageBlack, Some("myia")).unwrap();
    let (_, body) = post(&url, &order).await;
    let bytes = STANDARD
        .decode(body["images"][0].as_str().unwrap())
        .unwrap();
    assert!(
        image::load_from_memory(&bytes)
            .unwrap()
            .to_rgb8()
            .iter()
            .all(|v| *v == 0)
    );
    demo.clear(Fault::ImageBlack, None).unwrap();
    demo.inject(Fault::ImageBomb, Some("myia")).unwrap();
    let (_, body) = post(&url, &order).await;
    let bytes = STANDARD
        .decode(body["images"][0].as_str().unwrap())
        .unwrap();
    assert_eq!(bytes[16..24], [0, 0, 0xC3, 0x50, 0, 0, 0xC3, 0x50]);
    assert!(bytes.len() < 10_000);
    demo.clear(Fault::ImageBomb, None).unwrap();
    demo.inject(Fault::ImageCorrupt, Some("myia")).unwrap();
    let (_, body) = post(&url, &order).await;
    assert!(
        STANDARD
            .decode(body["images"][0].as_str().unwrap())
            .is_err()
    );
    demo.clear(Fault::ImageCorrupt, None).unwrap();
    demo.inject(Fault::ImageOom, Some("myia")).unwrap();
    assert_eq!(
        http()
            .post(&url)
            .json(&order)
            .send()
            .await
            .unwrap()
            .status(),
        500
    );
    assert_eq!(
        get(&format!("{api}/sdapi/v1/memory")).await.1["cuda"]["events"]["oom"],
        1
    );
    demo.clear(Fault::ImageOom, None).unwrap();
    // A broken CUDA context outlives its cause until the program is restarted.
    demo.inject(Fault::ImageCudaBroken, Some("myia")).unwrap();
    assert_eq!(
        http()
            .post(&url)
            .json(&order)
            .send()
            .await
            .unwrap()
            .status(),
        500
    );
    assert!(demo.active_faults().is_empty(), "the fault is spent");
    assert_eq!(
        http()
            .post(&url)
            .json(&order)
            .send()
            .await
            .unwrap()
            .status(),
        500
    );
    let engine = demo.engine_url().replace("tcp://", "http://");
    http()
        .post(format!("{engine}/containers/{FIRST}/restart"))
        .send()
        .await
        .unwrap();
    until("the API again", || ready(&demo)).await;
    assert_eq!(post(&url, &order).await.0, 200);
}

#[tokio::test]
async fn program_and_log_faults() {
    let demo = with(vec![(Fault::ProgramFatal, Some("myia".into()))]).await;
    until("the dead program", || async {
        status(&models(&demo)).await.is_none()
    })
    .await;
    assert_eq!(
        inspect(&demo).await["State"]["Status"],
        "running",
        "the container stays up"
    );
    demo.clear(Fault::ProgramFatal, None).unwrap();
    until("the API again", || ready(&demo)).await;
    demo.inject(Fault::ConfigOptionsNulled, Some("myia"))
        .unwrap();
    let options = models(&demo).replace("sd-models", "options");
    until("no checkpoint", || async {
        get(&options).await.1["sd_model_checkpoint"].is_null()
    })
    .await;
    demo.inject(Fault::ProgramLoop, Some("myia")).unwrap();
    until("an end of the program", || async {
        status(&models(&demo)).await.is_none()
    })
    .await;
    assert_eq!(inspect(&demo).await["RestartCount"], 0);
    demo.clear(Fault::ProgramLoop, None).unwrap();
    until("the API again", || ready(&demo)).await;
    let times = async |words: &str| {
        let engine = demo.engine_url().replace("tcp://", "http://");
        let url = format!("{engine}/containers/{FIRST}/logs?stdout=1&stderr=1");
        let bytes = http().get(url).send().await.unwrap().bytes().await.unwrap();
        String::from_utf8_lossy(&bytes).matches(words).count()
    };
    let shown = || times("Startup time");
    let before = shown().await;
    demo.inject(Fault::LogSilent, Some("myia")).unwrap();
    exec(&demo, FIRST, &["supervisorctl", "restart", "forge"]).await;
    until("the API again", || ready(&demo)).await;
    assert_eq!(shown().await, before, "the log says nothing of the start");
    let file = ["tail", "-n", "3", "/var/log/supervisor/forge.log"];
    assert!(exec(&demo, FIRST, &file).await.0.contains("Startup time"));
    demo.clear(Fault::LogSilent, None).unwrap();
    demo.inject(Fault::LogReplay, Some("myia")).unwrap();
    until("the old lines again", || async { shown().await > before }).await;
    let before = times("handled request").await;
    demo.inject(Fault::LogFlood, Some("myia")).unwrap();
    until("the flood", async || {
        times("handled request").await == before + 20
    })
    .await;
}

#[tokio::test]
async fn the_control_endpoint_speaks_http() {
    let demo = demo().await;
    let url = format!("{}/faults", demo.control_url());
    let (code, list) = get(&url).await;
    assert_eq!(
        (code, list["known"].as_array().unwrap().len()),
        (200, FAULTS.len())
    );
    assert_eq!(post(&url, &json!({"name": "nonsense"})).await.0, 404);
    assert_eq!(
        post(&url, &json!({"name": "api-hang", "service": "nobody"}))
            .await
            .0,
        404
    );
    assert_eq!(
        post(&url, &json!({"name": "api-no-models", "service": "myia"})).await,
        (200, json!({"changed": true}))
    );
    assert_eq!(get(&models(&demo)).await.1, json!([]));
    assert_eq!(
        get(&url).await.1["active"],
        json!([{"name": "api-no-models", "service": "myia"}])
    );
    let lifted = http()
        .delete(format!("{url}/api-no-models?service=myia"))
        .send()
        .await
        .unwrap();
    assert_eq!(
        lifted.json::<Value>().await.unwrap(),
        json!({"changed": true})
    );
    assert!(demo.active_faults().is_empty());
}
