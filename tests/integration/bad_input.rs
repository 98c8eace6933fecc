//! Bad input from everywhere: the settings, the arguments, the engine, the API.

use std::time::Duration;

use forgekeeper_domain::outcome::Status;
use forgekeeper_standin::Fault;
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    net::TcpListener,
};

use crate::rig::{Place, Ran, SECOND, end_of, end_of_child, interrupt, site, tell, until};

fn settings(engine: &str, api: &str) -> String {
    format!(
        "[[host]]\nid = \"there\"\nengine = \"{engine}\"\n\n[[service]]\nid = \"myia\"\n\
         kind = \"forge\"\nhost = \"there\"\ncontainer = \"myia-supervisor-1\"\napi = \"{api}\"\n"
    )
}

/// The message names the place, the reason and a remedy; nothing else was printed.
#[track_caller]
fn names(ran: Ran, words: &[&str]) {
    let ran = ran.ends_with(2);
    for word in words {
        assert!(ran.stderr.contains(word), "`{word}` is not said: {ran:#?}");
    }
    assert!(ran.stderr.lines().count() >= 2, "no remedy: {ran:#?}");
    assert_eq!(ran.stdout, "");
}

#[tokio::test]
async fn a_wrong_settings_file_is_named_with_line_reason_and_remedy() {
    let good = settings("auto", "http://localhost:1");
    for (text, words) in [
        (
            "[[service]]\nid = \"myia\"\nkind = \"for".to_owned(),
            &["line 3"][..],
        ),
        (
            good.replace("\"forge\"", "\"forgee\""),
            &["line 7", "forgee"],
        ),
        (good.replace("kind =", "knid ="), &["line 5", "kind"]),
        (
            good.replace("http://localhost:1", "localhost"),
            &["line 10"],
        ),
        (
            good.replace("host = \"there\"", "host = \"nowhere\""),
            &["line 8", "nowhere"],
        ),
        (
            format!("{good}\n{}", good.split_once("\n\n").map_or("", |(_, s)| s)),
            &["myia"],
        ),
    ] {
        let place = Place::with(&text);
        let ran = place.ctl(&["status"]).await;
        names(ran, words);
        let json = place.ctl(&["status", "--json"]).await.ends_with(2).json();
        assert_eq!(json["error"]["code"], "settings", "{json}");
        assert!(json["error"]["hint"].is_string(), "{json}");
    }
}

#[tokio::test]
async fn an_unreadable_settings_file_is_no_empty_one() {
    let place = Place::new();
    place.write([0xff, 0xfe, b'x', 0x00]);
    names(place.ctl(&["status"]).await, &["UTF-8"]);

    let place = Place::new();
    // Even root cannot read a folder as a file.
    std::fs::create_dir(place.config()).expect("a folder");
    names(place.ctl(&["status"]).await, &["forgekeeper.toml"]);

    let place = Place::new();
    place.write("#".repeat(2 * 1024 * 1024));
    names(place.ctl(&["status"]).await, &["forgekeeper.toml"]);

    let place = Place::new();
    let made = std::process::Command::new("mkfifo")
        .arg(place.config())
        .status();
    // Opening it would wait for a writer that never comes.
    if made.is_ok_and(|status| status.success()) {
        let ran = place.ctl(&["status"]).await;
        assert!(ran.took < 5 * SECOND, "{ran:#?}");
        names(ran, &["forgekeeper.toml", "not a file"]);
    }

    let missing = place.folder.path().join("missing.toml");
    let missing = missing.to_string_lossy();
    names(
        place.ctl(&["--config", &missing, "status"]).await,
        &["missing.toml"],
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_running_keeper_keeps_its_settings_until_the_file_is_whole_again() {
    let site = site(20.0).await;
    let good = site.config_toml();
    let place = Place::with(&good);
    let keeper = place.keeper().await;
    let handle = keeper.handle();
    let green = |s: &forgekeeper_keeper::state::KeeperState| {
        s.services.len() == 3 && s.services.iter().all(|v| v.status == Status::Ok)
    };
    until(&handle, "green", 20 * SECOND, green).await;

    // Half of the file, cut in the middle of a word.
    place.write(&good[..good.len() * 2 / 3]);
    until(&handle, "the problem", 5 * SECOND, |s| {
        let problem = s.settings.problem.as_ref();
        problem.is_some_and(|p| p.line.is_some() && !p.reason.is_empty() && !p.remedy.is_empty())
    })
    .await;
    tokio::time::sleep(6 * SECOND).await;
    assert!(green(&handle.state().borrow()), "still watched, still true");

    let fewer = good.split("\n[[service]]\nid = \"comfyui\"").next();
    place.write(fewer.expect("the rest"));
    until(&handle, "the new settings", 5 * SECOND, |s| {
        s.settings.problem.is_none() && s.services.len() == 2
    })
    .await;
    assert_eq!(keeper.shutdown().await, Vec::<&str>::new());
    site.shutdown().await;
}

#[cfg(unix)]
#[tokio::test]
async fn a_settings_file_without_the_right_to_read_it_is_named() {
    use std::os::unix::fs::PermissionsExt as _;
    let place = Place::with(&settings("auto", "http://localhost:1"));
    let none = std::fs::Permissions::from_mode(0o000);
    std::fs::set_permissions(place.config(), none).expect("taken away");
    let mut command = place.command(&["status"]);
    if std::fs::read(place.config()).is_ok() {
        // Root reads everything: somebody else asks, for whom this folder and the program are open.
        let open = std::fs::Permissions::from_mode(0o777);
        std::fs::set_permissions(place.folder.path(), open).expect("opened");
        let program = place.folder.path().join("forgekeeperctl");
        std::fs::copy(command.as_std().get_program(), &program).expect("copied");
        let mut as_nobody = tokio::process::Command::new("setpriv");
        as_nobody
            .args(["--reuid=65534", "--regid=65534", "--clear-groups"])
            .arg(&program)
            .arg("status")
            .current_dir(place.folder.path())
            .env("HOME", place.folder.path())
            .env("FORGEKEEPER_DATA", place.folder.path().join("nobody"))
            .env("FORGEKEEPER_CONFIG", place.config())
            .stdin(std::process::Stdio::null())
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::piped());
        command = as_nobody;
    }
    let ran = end_of(command).await;
    names(
        ran,
        &["forgekeeper.toml", "ermission denied", "right to read"],
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_running_keeper_does_not_believe_an_emptied_file() {
    let site = site(20.0).await;
    let good = site.config_toml();
    let place = Place::with(&good);
    let keeper = place.keeper().await;
    let handle = keeper.handle();
    let green = |s: &forgekeeper_keeper::state::KeeperState| {
        s.services.len() == 3 && s.services.iter().all(|v| v.status == Status::Ok)
    };
    until(&handle, "green", 20 * SECOND, green).await;
    // A full disk, or a writer that died in the middle.
    place.write("");
    // The settings page reads it at the worst moment.
    assert_eq!(handle.settings().settings.services.len(), 3);
    until(&handle, "the problem", 10 * SECOND, |s| {
        let problem = s.settings.problem.as_ref();
        problem.is_some_and(|p| p.reason.contains("empty") && !p.remedy.is_empty())
    })
    .await;
    assert!(green(&handle.state().borrow()), "still watched, still true");
    // An edit in the window writes what was there, and the edit.
    let mut service = handle.settings().settings.services.remove(0);
    service.declared_gpu = Some(7);
    handle.save_service(service).expect("written");
    until(&handle, "whole again", 20 * SECOND, |s| {
        green(s) && s.settings.problem.is_none() && s.services[0].declared_gpu == Some(7)
    })
    .await;
    assert_eq!(keeper.shutdown().await, Vec::<&str>::new());
    site.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_service_is_answered_with_the_known_ones() {
    let site = site(20.0).await;
    let place = Place::with(&site.config_toml());
    let out = place.folder.path().join("out");
    let out = out.to_string_lossy();
    for arguments in [
        &["status", "nobody"][..],
        &["restart", "nobody"],
        &["stop", "nobody"],
        &["logs", "nobody"],
        &["generate", "nobody", "--prompt", "x", "--out", &out],
    ] {
        let ran = place.ctl(arguments).await;
        names(ran, &["nobody", "`myia`", "`myia-turbo`", "`comfyui`"]);
    }
}

#[tokio::test]
async fn wrong_arguments_are_wrong_use() {
    let place = Place::new();
    for arguments in [
        &[][..],
        &["--no-such-option"],
        &["no-such-command"],
        &["restart"],
        &["restart", "a", "--program", "--container"],
        &["status", "a b/c"],
        &["generate", "myia"],
        &[
            "generate", "myia", "--prompt", "x", "--steps", "many", "--out", "o",
        ],
        &["demo", "--speed", "0"],
        &["demo", "--fault", "no-such-fault"],
        &["--demo", "logs", "myia", "--filter", "("],
        &["--demo", "logs", "myia", "--since", "yesterday"],
    ] {
        let ran = place.ctl(arguments).await;
        assert_eq!(ran.code, Some(2), "{arguments:?}: {ran:#?}");
        assert!(!ran.stderr.is_empty(), "{arguments:?}");
    }
}

#[tokio::test]
async fn an_engine_that_is_not_there_is_said_at_once() {
    let place = Place::with(&settings("tcp://127.0.0.1:9", "http://127.0.0.1:9"));
    let ran = place.ctl(&["status", "--json"]).await.ends_with(1);
    assert!(ran.took < 5 * SECOND, "{ran:#?}");
    let state = ran.json();
    assert_eq!(state["hosts"][0]["engine"]["cause"], "engine.refused");
    assert_eq!(state["incidents"][0]["cause"], "engine.refused");
    assert_eq!(
        state["services"][0]["ladder"]["rungs"][2]["outcome"]["status"],
        "unknown"
    );
    let found = place.ctl(&["discover", "--json"]).await.ends_with(3).json();
    assert_eq!(found["candidates"].as_array().map(Vec::len), Some(0));
    assert_eq!(found["engines"][0]["cause"], "engine.refused");
    // Nothing acts on what is not known, and that is no failure of the service.
    let ran = place.ctl(&["restart", "myia", "--json"]).await.ends_with(3);
    assert_eq!(ran.json()["error"]["code"], "refused", "{ran:#?}");
    // Nothing was measured.
    place.ctl(&["gpu", "--json"]).await.ends_with(3);
    let ran = place.ctl(&["logs", "myia"]).await.ends_with(3);
    assert!(ran.took < 5 * SECOND, "{ran:#?}");
    for word in ["`myia`", "cannot be read", "engine.refused", "status myia"] {
        assert!(ran.stderr.contains(word), "`{word}` is not said: {ran:#?}");
    }
    assert_eq!(ran.stdout, "");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_cannot_be_read_says_why_and_one_that_ended_was_read() {
    let site = site(20.0).await;
    site.inject(Fault::ContainerStopped, Some("comfyui"))
        .expect("a service of it");
    site.inject(Fault::ContainerGone, Some("myia"))
        .expect("a service of it");
    let place = Place::with(&site.config_toml());
    let ran = place.ctl(&["logs", "comfyui"]).await.ends_with(0);
    assert!(ran.took < 10 * SECOND, "{ran:#?}");
    assert!(ran.stdout.lines().count() > 1, "{ran:#?}");
    assert_eq!(ran.stderr, "");

    let ran = place.ctl(&["logs", "myia"]).await.ends_with(1);
    assert!(ran.took < 10 * SECOND, "{ran:#?}");
    for word in ["`myia`", "cannot be read", "container.missing"] {
        assert!(ran.stderr.contains(word), "`{word}` is not said: {ran:#?}");
    }
    // Who follows it is told, too, and it is not given up.
    let mut child = place
        .command(&["logs", "myia", "--follow"])
        .spawn()
        .expect("forgekeeperctl starts");
    let mut lines = BufReader::new(child.stderr.take().expect("its output")).lines();
    let told = tokio::time::timeout(15 * SECOND, lines.next_line()).await;
    let told = told.expect("a word").expect("UTF-8").expect("a line");
    assert!(told.contains("cannot be read"), "{told}");
    assert!(child.try_wait().expect("asked").is_none(), "it waits");
    interrupt(&child);
    end_of_child(child).await.ends_with(0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_never_rests_is_printed_at_once() {
    let site = site(20.0).await;
    let place = Place::with(&site.config_toml());
    // Sampling steps and access lines, many a second.
    let out = place.folder.path().join("out");
    let out = out.to_string_lossy();
    let mut busy = place
        .command(&[
            "generate", "myia", "--prompt", "x", "--steps", "150", "--batch", "8", "--width",
            "2048", "--height", "2048", "--out", &out,
        ])
        .spawn()
        .expect("forgekeeperctl starts");
    tokio::time::sleep(3 * SECOND).await;
    let ran = place
        .ctl(&["logs", "myia", "--tail", "3"])
        .await
        .ends_with(0);
    assert!(ran.took < 8 * SECOND, "{ran:#?}");
    assert_eq!(ran.stdout.lines().count(), 3, "{ran:#?}");
    busy.kill().await.expect("it ends");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_that_is_asked_to_end_leaves_nothing_behind() {
    let place = Place::new();
    let temporary = place.folder.path().join("tmp");
    std::fs::create_dir(&temporary).expect("a folder");
    for signal in ["-INT", "-TERM"] {
        for arguments in [&["demo"][..], &["--demo", "logs", "myia", "--follow"]] {
            let mut command = place.command(arguments);
            command.env("TMPDIR", &temporary);
            let mut child = command.spawn().expect("forgekeeperctl starts");
            let mut lines = BufReader::new(child.stdout.take().expect("its output")).lines();
            let first = tokio::time::timeout(20 * SECOND, lines.next_line()).await;
            assert!(matches!(first, Ok(Ok(Some(_)))), "{arguments:?}: {first:?}");
            let made = std::fs::read_dir(&temporary).expect("it is there").count();
            assert!((1..=3).contains(&made), "folders of its own: {made}");
            tell(&child, signal);
            end_of_child(child).await.ends_with(0);
            let left: Vec<_> = std::fs::read_dir(&temporary)
                .expect("it is there")
                .collect();
            assert!(left.is_empty(), "{arguments:?} {signal}: {left:?}");
        }
    }
}

#[tokio::test]
async fn an_engine_that_hangs_ends_in_bounded_time() {
    let silent = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = silent.local_addr().expect("an address").port();
    let holding = tokio::spawn(async move {
        let mut held = Vec::new();
        while let Ok((stream, _)) = silent.accept().await {
            held.push(stream);
        }
    });
    let place = Place::with(&settings(
        &format!("tcp://127.0.0.1:{port}"),
        "http://127.0.0.1:9",
    ));
    let (status, found) = tokio::join!(
        place.ctl(&["status", "--json"]),
        place.ctl(&["discover", "--json"])
    );
    assert!(status.took < 20 * SECOND && found.took < 20 * SECOND);
    let state = status.ends_with(1).json();
    assert_eq!(state["hosts"][0]["engine"]["cause"], "engine.timeout");
    let found = found.ends_with(3).json();
    assert_eq!(found["engines"][0]["cause"], "engine.timeout");
    holding.abort();
}

#[tokio::test(flavor = "multi_thread")]
async fn something_else_that_speaks_http_is_no_engine() {
    let site = site(20.0).await;
    let api = site.api_url("myia").expect("a service of it");
    // Forge itself in place of the engine, and the played page.
    site.inject(Fault::EngineNotDocker, None)
        .expect("a fault of the host");
    for engine in [api.replace("http://", "tcp://"), site.engine_url()] {
        let place = Place::with(&settings(&engine, &api));
        let state = place.ctl(&["status", "--json"]).await.ends_with(1).json();
        let cause = &state["hosts"][0]["engine"]["cause"];
        assert_eq!(cause, "engine.not_docker", "{engine}");
        let found = place.ctl(&["discover", "--json"]).await.ends_with(3).json();
        assert_eq!(found["engines"][0]["cause"], "engine.not_docker");
    }
}

/// Far below the 2 GB that are sent.
const MEMORY: u64 = 300 * 1024 * 1024;

#[tokio::test(flavor = "multi_thread")]
async fn an_api_that_answers_wrongly_is_named_and_memory_stays_bounded() {
    for (fault, cause) in [
        (Fault::ApiHtml, "api.bad_answer"),
        (Fault::ApiTruncated, "api.bad_answer"),
        (Fault::ApiHuge, "api.bad_answer"),
        (Fault::ApiHang, "api.timeout"),
        (Fault::ApiRefused, "api.refused"),
        (Fault::Api500, "api.server_error"),
    ] {
        let site = site(20.0).await;
        site.inject(fault, Some("myia")).expect("a service of it");
        let place = Place::with(&site.config_toml());
        let ran = place.ctl(&["status", "myia", "--json"]).await.ends_with(1);
        assert!(ran.took < 20 * SECOND, "{fault}: {:?}", ran.took);
        assert!(ran.peak_bytes > 0, "memory was measured");
        assert!(ran.peak_bytes < MEMORY, "{fault}: {} bytes", ran.peak_bytes);
        let state = ran.json();
        let api = &state["services"][0]["ladder"]["rungs"][4];
        assert_eq!(api["rung"], "api");
        assert_eq!(api["outcome"]["cause"], cause, "{fault}");
        site.shutdown().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_api_that_goes_silent_while_watched_is_not_held_for_good() {
    let site = site(20.0).await;
    let place = Place::with(&site.config_toml());
    let keeper = place.keeper().await;
    let handle = keeper.handle();
    until(&handle, "green", 20 * SECOND, |s| {
        s.services.len() == 3 && s.services.iter().all(|v| v.status == Status::Ok)
    })
    .await;
    site.inject(Fault::ApiHang, None).expect("a fault");
    until(&handle, "all three named", Duration::from_secs(15), |s| {
        s.services.iter().all(|v| v.status == Status::Failing)
    })
    .await;
    assert_eq!(keeper.shutdown().await, Vec::<&str>::new());
}
