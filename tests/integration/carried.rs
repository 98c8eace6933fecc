//! The answer of a Forge, which keeps none, outlives the program that asked for it: a courier carries it.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    process::Command,
};

use forgekeeper_domain::{
    generation::{GenerationRecord, GenerationRequest, GenerationVerdict, Seed},
    ids::JobId,
    job::JobPhase,
};
use forgekeeper_keeper::{
    clients::courier::CARRY,
    keeper::{Keeper, KeeperHandle, KeeperOptions, LogKeeping, Paths},
    secrets::{Credentials, Sensitive},
};
use forgekeeper_standin::{DemoOptions, DemoSite, Fault};
use serde_json::Value;

use crate::{
    found_again::{asked, keeper, killed, nothing_is_pending, record, restart, steps_are_made},
    rig::{Place, SECOND, ctl, get, holds, id, post, site, until},
};

const FORGE: &str = "myia";

/// A keeper that stays, and whose couriers are this program.
async fn sending(place: &Place, program: &Path) -> Keeper {
    let options = KeeperOptions {
        secrets_in_memory: true,
        logs: LogKeeping::Read,
        courier: Some(program.to_owned()),
        ..KeeperOptions::for_file(Paths {
            data_dir: place.folder.path().join("cli"),
            ..place.paths()
        })
    };
    let keeper = Keeper::start(options).await.expect("a keeper");
    until(&keeper.handle(), "an API", 20 * SECOND, |s| {
        s.services
            .iter()
            .any(|s| s.id.as_str() == FORGE && s.models.is_some())
    })
    .await;
    keeper
}

fn folder(place: &Place) -> PathBuf {
    place.folder.path().join("cli/courier")
}

/// The couriers at work in a place.
fn couriers(place: &Place) -> BTreeSet<u32> {
    let folder = folder(place).canonicalize().unwrap_or_default();
    let all = std::fs::read_dir("/proc").expect("processes").flatten();
    all.filter_map(|entry| {
        let pid = entry.file_name().to_str()?.parse().ok()?;
        let line = std::fs::read(entry.path().join("cmdline")).ok()?;
        let is_one = line.split(|b| *b == 0).any(|word| word == CARRY.as_bytes());
        let here = std::fs::read_link(entry.path().join("cwd")).ok()?;
        (is_one && here == folder).then_some(pid)
    })
    .collect()
}

/// No courier is left, and no file of one.
#[track_caller]
fn nothing_lingers(place: &Place) -> impl Future<Output = ()> {
    holds("nothing of a courier", 5 * SECOND, async || {
        let left = std::fs::read_dir(folder(place)).map_or(0, Iterator::count);
        couriers(place).is_empty() && left == 0
    })
}

async fn a_courier_works(place: &Place) -> u32 {
    holds("a courier", 10 * SECOND, async || {
        !couriers(place).is_empty()
    })
    .await;
    let all = couriers(place);
    assert_eq!(all.len(), 1);
    all.into_iter().next().expect("one")
}

fn is_whole(found: &GenerationRecord) {
    assert_eq!(found.verdict, GenerationVerdict::Proved, "{found:#?}");
    assert_eq!(found.pictures.len(), 1);
    assert_eq!(found.pictures[0].seed, Some(Seed(4711)));
    assert_eq!(found.request.prompt, "a long one");
    assert_eq!(found.substitutions, []);
    assert!(found.model.is_some(), "{found:#?}");
    let text = found.parameters.as_deref().expect("a text");
    assert!(
        text.contains("Seed: 4711") && text.contains("Sampler: "),
        "{text}"
    );
}

async fn ended(handle: &KeeperHandle, job: &JobId) -> GenerationRecord {
    let ended = tokio::time::timeout(60 * SECOND, handle.wait(job)).await;
    let ended = ended.expect("its end").expect("a job");
    ended.record.expect("a record")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_picture_of_forge_is_found_whole_after_a_kill() {
    let site = site(1.0).await;
    let place = Place::with(&site.config_toml());
    killed(&place, FORGE, "100", &[]).await;
    a_courier_works(&place).await;
    let keeper = keeper(&place, "cli").await;
    let handle = keeper.handle();
    steps_are_made(&handle).await;
    until(&handle, "a preview", 30 * SECOND, |s| {
        let live = s.jobs.iter().filter_map(|job| job.generation.as_ref());
        live.clone().any(|live| live.preview.is_some())
    })
    .await;
    let job = handle.state().borrow().jobs[0].clone();
    assert_eq!(job.phase, JobPhase::Running);
    let found = record(&handle, 90 * SECOND).await;
    assert_eq!(found.id, job.id);
    is_whole(&found);
    assert!(handle.picture(&found.pictures[0].hash).await.is_ok());
    let ended = handle.wait(&job.id).await.expect("it ended");
    assert_eq!(ended.phase, JobPhase::Succeeded);
    nothing_lingers(&place).await;
    assert!(keeper.shutdown().await.is_empty());
    nothing_is_pending(&place.folder.path().join("cli")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_was_finished_meanwhile_is_there_though_its_server_is_gone() {
    let site = site(2.0).await;
    let place = Place::with(&site.config_toml());
    killed(&place, FORGE, "40", &[]).await;
    holds("an answer", 60 * SECOND, async || {
        let files = std::fs::read_dir(folder(&place)).expect("a folder");
        let mut names = files.map(|file| file.expect("a file").path());
        names.any(|name| name.extension().is_some_and(|e| e == "answer"))
            && couriers(&place).is_empty()
    })
    .await;
    let engine = site.engine_url().replace("tcp://", "http://");
    let order = format!("{engine}/containers/myia-supervisor-1/stop?t=0");
    post(&order, "").await.expect("stopped");
    tokio::time::sleep(5 * SECOND).await;
    let keeper = keeper(&place, "cli").await;
    let found = record(&keeper.handle(), 30 * SECOND).await;
    is_whole(&found);
    let until_now = forgekeeper_keeper::sys::clock::now().duration_since(found.started_at);
    let took = i128::from(found.took_ms);
    assert!(
        took > 0 && took + 4_000 < until_now.as_millis(),
        "{found:#?}"
    );
    nothing_lingers(&place).await;
    assert!(keeper.shutdown().await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_keeper_that_ends_in_order_leaves_its_courier_at_work() {
    let site = site(1.0).await;
    let place = Place::with(&site.config_toml());
    let first = sending(&place, &ctl()).await;
    let handle = first.handle();
    let job = handle.generate(&id(FORGE), asked(80), false).await;
    let job = job.expect("accepted");
    steps_are_made(&handle).await;
    assert!(first.shutdown().await.is_empty());
    drop(handle);
    a_courier_works(&place).await;
    let next = keeper(&place, "cli").await;
    let found = record(&next.handle(), 90 * SECOND).await;
    assert_eq!(found.id, job);
    is_whole(&found);
    nothing_lingers(&place).await;
    assert!(next.shutdown().await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_was_found_again_can_be_cancelled() {
    let site = site(1.0).await;
    let place = Place::with(&site.config_toml());
    killed(&place, FORGE, "150", &[]).await;
    let keeper = keeper(&place, "cli").await;
    let handle = keeper.handle();
    steps_are_made(&handle).await;
    let job = handle.state().borrow().jobs[0].id.clone();
    handle.cancel(&job).expect("cancelled");
    let found = record(&handle, 10 * SECOND).await;
    assert_eq!(found.verdict, GenerationVerdict::Interrupted, "{found:#?}");
    assert_eq!(found.pictures.len(), 1, "as far as it came");
    nothing_lingers(&place).await;
    assert!(keeper.shutdown().await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn no_courier_lingers_whatever_becomes_of_its_picture() {
    let site = site(2.0).await;
    let place = Place::with(&site.config_toml());
    let keeper = sending(&place, &ctl()).await;
    let handle = keeper.handle();
    let begin = async |steps| {
        let job = handle.generate(&id(FORGE), asked(steps), false).await;
        job.expect("accepted")
    };

    let job = begin(10).await;
    a_courier_works(&place).await;
    is_whole(&ended(&handle, &job).await);
    nothing_lingers(&place).await;

    let job = begin(150).await;
    steps_are_made(&handle).await;
    handle.cancel(&job).expect("cancelled");
    let record = ended(&handle, &job).await;
    assert_eq!(record.verdict, GenerationVerdict::Interrupted);
    nothing_lingers(&place).await;

    // Behind another's: it is left alone, and nobody waits for it any more.
    let api = site.api_url(FORGE).expect("a service of it");
    let other = tokio::spawn(async move {
        let body = r#"{"prompt": "another's", "steps": 60}"#;
        post(&format!("{api}/sdapi/v1/txt2img"), body).await
    });
    tokio::time::sleep(SECOND).await;
    let job = begin(20).await;
    a_courier_works(&place).await;
    tokio::time::sleep(SECOND).await;
    handle.cancel(&job).expect("cancelled");
    let record = ended(&handle, &job).await;
    let error = record.error.expect("a reason");
    assert!(error.message.contains("will still make"), "{error:?}");
    nothing_lingers(&place).await;
    other.abort();

    holds("it rests", 60 * SECOND, async || {
        let api = site.api_url(FORGE).expect("a service of it");
        let answer = get(&format!("{api}/sdapi/v1/progress?skip_current_image=true")).await;
        answer.is_some_and(|(_, body)| body.contains("\"progress\":0.0"))
    })
    .await;
    let job = begin(150).await;
    steps_are_made(&handle).await;
    restart(&site, "myia-supervisor-1").await;
    let record = ended(&handle, &job).await;
    assert_eq!(record.verdict, GenerationVerdict::Failed);
    let error = record.error.expect("a reason");
    let words = "closed the connection without an answer";
    assert!(error.message.contains(words), "{error:?}");
    nothing_lingers(&place).await;
    assert!(keeper.shutdown().await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn why_a_server_refused_is_told_as_without_a_courier() {
    let site = site(20.0).await;
    site.inject(Fault::ImageOom, Some(FORGE))
        .expect("a service of it");
    let place = Place::with(&site.config_toml());
    let keeper = sending(&place, &ctl()).await;
    let handle = keeper.handle();
    let job = handle.generate(&id(FORGE), asked(10), false).await;
    let record = ended(&handle, &job.expect("accepted")).await;
    assert_eq!(record.verdict, GenerationVerdict::OutOfMemory, "{record:?}");
    nothing_lingers(&place).await;
    assert!(keeper.shutdown().await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_courier_shows_its_credentials_to_nobody() {
    let secret = "correct-horse-battery";
    let site = DemoSite::start(DemoOptions {
        speed: 1.0,
        auth: Some(("anna".to_owned(), secret.to_owned())),
        ..DemoOptions::default()
    })
    .await
    .expect("a demo host");
    let place = Place::with(&site.config_toml());
    let options = KeeperOptions {
        secrets_in_memory: true,
        logs: LogKeeping::Read,
        courier: Some(ctl()),
        ..KeeperOptions::for_file(Paths {
            data_dir: place.folder.path().join("cli"),
            ..place.paths()
        })
    };
    let keeper = Keeper::start(options).await.expect("a keeper");
    let handle = keeper.handle();
    let credentials = Credentials::Basic {
        user: "anna".to_owned(),
        password: Sensitive::new(secret.to_owned()),
    };
    let set = handle.set_credentials(&id(FORGE), credentials).await;
    set.expect("kept");
    let job = handle.generate(&id(FORGE), asked(20), false).await;
    let job = job.expect("accepted");
    let pid = a_courier_works(&place).await;
    steps_are_made(&handle).await;
    let sealed = "YW5uYTpjb3JyZWN0LWhvcnNlLWJhdHRlcnk=";
    let mut shown = Vec::new();
    for file in ["cmdline", "environ"] {
        shown.push(std::fs::read(format!("/proc/{pid}/{file}")).expect("its own"));
    }
    assert!(!shown[0].is_empty());
    for entry in std::fs::read_dir(folder(&place)).expect("a folder") {
        let path = entry.expect("a file").path();
        let mode = std::os::unix::fs::PermissionsExt::mode(
            &path.metadata().expect("a file").permissions(),
        );
        assert_eq!(mode & 0o777, 0o600, "{}", path.display());
        shown.push(std::fs::read(path).expect("its own"));
    }
    assert!(shown.len() >= 4, "a lock and a mark");
    let mode = folder(&place).metadata().expect("a folder").permissions();
    assert_eq!(
        std::os::unix::fs::PermissionsExt::mode(&mode) & 0o777,
        0o700
    );
    for text in shown {
        let text = String::from_utf8_lossy(&text);
        assert!(!text.contains(secret) && !text.contains(sealed), "{text}");
    }
    is_whole(&ended(&handle, &job).await);
    nothing_lingers(&place).await;
    assert!(keeper.shutdown().await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn without_its_courier_a_picture_is_made_all_the_same() {
    let site = site(10.0).await;
    let place = Place::with(&site.config_toml());
    for program in ["/nowhere/forgekeeper", "/bin/true", "/bin/false"] {
        let keeper = sending(&place, Path::new(program)).await;
        let handle = keeper.handle();
        let job = handle.generate(&id(FORGE), asked(5), false).await;
        is_whole(&ended(&handle, &job.expect("accepted")).await);
        nothing_lingers(&place).await;
        assert!(keeper.shutdown().await.is_empty());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_courier_that_is_killed_leaves_what_the_server_shows() {
    let site = site(1.0).await;
    let place = Place::with(&site.config_toml());
    let keeper = sending(&place, &ctl()).await;
    let handle = keeper.handle();
    let job = handle.generate(&id(FORGE), asked(60), false).await;
    let job = job.expect("accepted");
    steps_are_made(&handle).await;
    let pid = a_courier_works(&place).await;
    kill(pid);
    let record = ended(&handle, &job).await;
    assert_eq!(record.verdict, GenerationVerdict::Interrupted);
    let error = record.error.expect("a reason");
    let words = "finished while nobody was listening";
    assert!(error.message.contains(words), "{error:?}");
    assert_eq!(record.pictures.len(), 1, "the last preview");
    nothing_lingers(&place).await;
    assert!(keeper.shutdown().await.is_empty());
}

fn kill(pid: u32) {
    let told = Command::new("kill")
        .args(["-KILL", &pid.to_string()])
        .status();
    assert!(told.expect("kill").success());
}

async fn options(site: &DemoSite) -> Value {
    let api = site.api_url(FORGE).expect("a service of it");
    let answer = get(&format!("{api}/sdapi/v1/options")).await;
    serde_json::from_str(&answer.expect("an answer").1).expect("JSON")
}

#[tokio::test(flavor = "multi_thread")]
async fn options_that_a_forge_lends_go_back_after_a_kill_with_a_courier_or_without() {
    for its_courier_too in [false, true] {
        let site = site(2.0).await;
        let place = Place::with(&site.config_toml());
        let before = options(&site).await;
        killed(&place, FORGE, "60", &["--clip-skip", "2"]).await;
        assert_eq!(options(&site).await["CLIP_stop_at_last_layers"], 2);
        if its_courier_too {
            kill(a_courier_works(&place).await);
        }
        let keeper = keeper(&place, "cli").await;
        let found = record(&keeper.handle(), 60 * SECOND).await;
        if its_courier_too {
            assert_eq!(found.verdict, GenerationVerdict::Interrupted, "{found:#?}");
        } else {
            is_whole(&found);
            let text = found.parameters.expect("a text");
            assert!(text.contains("Clip skip: 2"), "{text}");
        }
        assert_eq!(options(&site).await, before);
        nothing_lingers(&place).await;
        assert!(keeper.shutdown().await.is_empty());
        site.shutdown().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_forge_lends_goes_back_though_no_program_starts_again() {
    for is_killed in [true, false] {
        let site = site(2.0).await;
        let place = Place::with(&site.config_toml());
        let before = options(&site).await;
        if is_killed {
            killed(&place, FORGE, "80", &["--clip-skip", "2"]).await;
        } else {
            let keeper = sending(&place, &ctl()).await;
            let request = GenerationRequest {
                clip_skip: Some(2),
                ..asked(80)
            };
            let job = keeper.handle().generate(&id(FORGE), request, false).await;
            job.expect("accepted");
            a_courier_works(&place).await;
            steps_are_made(&keeper.handle()).await;
            assert!(keeper.shutdown().await.is_empty());
        }
        // Closing interrupted nothing.
        a_courier_works(&place).await;
        assert_eq!(options(&site).await["CLIP_stop_at_last_layers"], 2);
        holds("the options are back", 90 * SECOND, async || {
            options(&site).await == before
        })
        .await;
        let keeper = keeper(&place, "cli").await;
        is_whole(&record(&keeper.handle(), 60 * SECOND).await);
        assert_eq!(options(&site).await, before);
        nothing_lingers(&place).await;
        assert!(keeper.shutdown().await.is_empty());
        site.shutdown().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_courier_is_no_command_for_people() {
    let place = Place::new();
    let help = place.ctl(&["--help"]).await.ends_with(0);
    let script = place.ctl(&["completions", "bash"]).await.ends_with(0);
    for text in [help.stdout, script.stdout] {
        assert!(!text.contains("carry"), "{text}");
    }
    place.ctl(&[CARRY, "more"]).await.ends_with(2);
    place.ctl(&["--json", CARRY]).await.ends_with(2);
    let idle = place.ctl(&[CARRY]).await.ends_with(1);
    assert_eq!((idle.stdout, idle.stderr), (String::new(), String::new()));
    let files = std::fs::read_dir(place.folder.path()).expect("a folder");
    assert_eq!(files.count(), 0);
}
