//! Test pictures through the command line: requests refused before they are sent, pictures that
//! prove nothing, and an end asked for in the middle.

use std::{path::PathBuf, time::Duration};

use forgekeeper_standin::{DemoSite, Fault};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, BufReader};

use crate::rig::{Place, Ran, SECOND, end_of_child, get, holds, interrupt, site};

pub(crate) async fn generate(place: &Place, service: &str, more: &[&str]) -> (Ran, Vec<PathBuf>) {
    let folder = place.folder.path().join("out");
    let out = folder.to_string_lossy();
    let mut arguments = vec![
        "generate", service, "--prompt", "a cat", "--out", &out, "--json",
    ];
    arguments.extend(more);
    let ran = place.ctl(&arguments).await;
    let files = std::fs::read_dir(&folder).map_or_else(
        |_| Vec::new(),
        |all| all.map(|file| file.expect("a file").path()).collect(),
    );
    (ran, files)
}

pub(crate) fn end(ran: &Ran) -> Value {
    let last = ran.lines().pop().expect("a line");
    assert_eq!(last["event"], "end", "{ran:#?}");
    last
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_out_of_range_is_refused_before_it_is_sent() {
    let site = site(20.0).await;
    let place = Place::with(&site.config_toml());
    for (wrong, field) in [
        (&["--width", "513"][..], "width"),
        (&["--height", "0"], "height"),
        (&["--width", "100000"], "width"),
        (&["--steps", "0"], "steps"),
        (&["--cfg", "99"], "cfg"),
        (&["--batch", "99"], "batch"),
    ] {
        let (ran, files) = generate(&place, "myia", wrong).await;
        let ran = ran.ends_with(2);
        let error = &ran.json()["error"];
        assert_eq!(error["code"], "bad_request", "{wrong:?}");
        let said = error["message"].as_str().unwrap_or_default();
        assert!(said.contains(field), "{wrong:?}: {said}");
        assert_eq!(files, Vec::<PathBuf>::new());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_prompt_as_long_as_a_book_is_refused_with_a_remedy() {
    let site = site(20.0).await;
    let place = Place::with(&site.config_toml());
    let book = "a cat, ".repeat(15_000);
    for (prompt, negative, field) in [(&*book, "x", "prompt"), ("x", &*book, "negative")] {
        let arguments = [
            "generate",
            "myia",
            "--prompt",
            prompt,
            "--negative",
            negative,
            "--out",
            "out",
            "--json",
        ];
        let ran = place.ctl(&arguments).await.ends_with(2);
        assert!(ran.stdout.len() < 4_000, "it is not told back");
        let error = &ran.json()["error"];
        assert_eq!(error["code"], "bad_request", "{error}");
        let said = |key: &str| error[key].as_str().unwrap_or_default().to_owned();
        assert!(said("message").contains(field), "{error}");
        assert!(said("hint").contains("to 20000 characters"), "{error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_preset_of_ones_own_is_used_and_what_is_given_counts_more() {
    let site = site(20.0).await;
    let place = Place::with(&site.config_toml());
    let presets = "[Quick]\nprompt = \"theirs\"\nsteps = 3\nwidth = 128\nheight = 64\n\
                   cfg_scale = 2.0\nseed = \"7\"\n";
    std::fs::write(place.folder.path().join("presets.toml"), presets).expect("written");
    let (ran, _) = generate(&place, "myia", &["--preset", "Quick", "--steps", "2"]).await;
    let record = end(&ran.ends_with(0))["job"]["record"].clone();
    let request = &record["request"];
    for (field, value) in [("steps", 2), ("width", 128), ("height", 64), ("batch", 1)] {
        assert_eq!(request[field], value, "{record}");
    }
    assert_eq!(
        (&request["prompt"], &request["seed"]),
        (&"a cat".into(), &"7".into())
    );
    let (ran, _) = generate(&place, "myia", &["--preset", "quick"]).await;
    let error = &ran.ends_with(2).json()["error"];
    let hint = error["hint"].as_str().unwrap_or_default();
    assert!(
        hint.contains("`smoke`") && hint.contains("`Quick`"),
        "{error}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_good_picture_is_proved_and_kept_and_nothing_is_overwritten() {
    let site = site(3.0).await;
    let place = Place::with(&site.config_toml());
    for number in 1..=2 {
        let (ran, files) = generate(&place, "myia", &["--seed", "7", "--steps", "15"]).await;
        let ran = ran.ends_with(0);
        assert_eq!(end(&ran)["job"]["record"]["verdict"], "proved", "{ran:#?}");
        assert_eq!(files.len(), number, "{files:?}");
        let record = &end(&ran)["job"]["record"];
        let timing = &record["timing"];
        assert!(timing["sampling_ms"].as_f64() > Some(100.0), "{timing}");
        assert!(timing["steps_per_second"].as_f64() > Some(1.0), "{timing}");
        assert!(timing["transfer_ms"].is_number(), "{timing}");
        let card = &record["card"];
        assert_eq!(card["name"], "NVIDIA GeForce RTX 3080", "{record}");
        assert!(card["memory_peak_bytes"].as_f64() > Some(1e9), "{card}");
        assert_eq!(
            (&card["proved"], &record["on_cpu"]),
            (&false.into(), &false.into())
        );
        let steps = ran
            .lines()
            .iter()
            .any(|l| l["progress"]["step"].is_number());
        assert!(steps, "progress was told: {ran:#?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_picture_that_proves_nothing_is_no_success() {
    for (fault, verdict, code) in [
        (Fault::ImageOom, "out_of_memory", "out_of_memory"),
        (Fault::ImageBlack, "blank", "blank_picture"),
        (Fault::ImageNan, "blank", "blank_picture"),
        (Fault::ImageCorrupt, "undecodable", "bad_picture"),
        (Fault::ImageBomb, "undecodable", "bad_picture"),
        // Every answer, that to the order among them, is a body of 2 GB.
        (Fault::ApiHuge, "failed", "api"),
        (
            Fault::ImageCudaBroken,
            "cuda_context_lost",
            "cuda_context_lost",
        ),
    ] {
        let site = site(20.0).await;
        site.inject(fault, Some("myia")).expect("a service of it");
        let place = Place::with(&site.config_toml());
        let (ran, _) = generate(&place, "myia", &[]).await;
        let ran = ran.ends_with(1);
        let job = &end(&ran)["job"];
        assert_eq!(job["record"]["verdict"], verdict, "{fault}: {job}");
        assert_eq!(job["error"]["code"], code, "{fault}: {job}");
        assert_eq!(job["phase"], "failed", "{fault}");
        let said = job["error"]["message"].as_str().unwrap_or_default();
        assert!(
            !said.is_empty() && ran.stderr.contains(said),
            "{fault}: {ran:#?}"
        );
        assert!(
            ran.peak_bytes < 400 * 1024 * 1024,
            "{fault}: {}",
            ran.peak_bytes
        );
        site.shutdown().await;
    }
}

async fn progress(site: &DemoSite) -> Value {
    let api = site.api_url("myia").expect("a service of it");
    let answer = get(&format!("{api}/sdapi/v1/progress?skip_current_image=true")).await;
    let (_, body) = answer.expect("an answer");
    serde_json::from_str(&body).expect("JSON")
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interruption_reaches_the_server() {
    let site = site(1.0).await;
    let place = Place::with(&site.config_toml());
    let mut command = place.command(&[
        "generate",
        "myia",
        "--prompt",
        "a long one",
        "--steps",
        "150",
        "--out",
        "out",
        "--json",
    ]);
    let mut child = command.spawn().expect("forgekeeperctl starts");
    let mut lines = BufReader::new(child.stdout.take().expect("its output")).lines();
    let working = async {
        loop {
            let line = lines.next_line().await.expect("UTF-8").expect("a line");
            let line: Value = serde_json::from_str(&line).expect("JSON");
            if line["progress"]["step"].as_u64() >= Some(2) {
                return;
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(20), working)
        .await
        .expect("it works");
    assert!(progress(&site).await["state"]["job_count"].as_i64() > Some(0));
    interrupt(&child);
    let mut last = String::new();
    let reading = async {
        while let Ok(Some(line)) = lines.next_line().await {
            last = line;
        }
    };
    let (ran, ()) = tokio::join!(end_of_child(child), reading);
    let ran = ran.ends_with(1);
    assert!(ran.took < 10 * SECOND, "{ran:#?}");
    let last: Value = serde_json::from_str(&last).expect("JSON");
    assert_eq!(last["job"]["phase"], "cancelled", "{last}");
    assert_eq!(last["job"]["record"]["verdict"], "interrupted", "{last}");
    // 150 steps would have taken twenty seconds more.
    holds("the server rests", 4 * SECOND, async || {
        progress(&site).await["progress"] == 0.0
    })
    .await;
}
