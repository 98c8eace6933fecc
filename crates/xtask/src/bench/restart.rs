//! The container stage of a restart against `docker restart`, on a real engine of our own.

use std::{
    fs,
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    path::Path,
    process::Command,
    time::{Duration, Instant},
};

use serde_json::Value;

use super::{Figure, build, engine::Engine, median, screen::Scratch};
use crate::repo::Repo;

const PAIRS: usize = 9;
const CONTAINER: &str = "fk-bench-supervisor-1";
const DEADLINE: Duration = Duration::from_mins(1);

/// Pairs of restarts, one way and the other.
pub(super) fn run(repo: &Repo) -> Result<Vec<Figure>, String> {
    let ctl = build::ours(repo)?.join("forgekeeperctl");
    let engine = Engine::start(repo)?;
    let port = free_port()?;
    start_container(repo, &engine, port)?;
    let settings = Scratch::new()?;
    let config = settings.0.join("forgekeeper.toml");
    let text = format!(
        "[[host]]\nid = \"bench\"\nengine = \"{}\"\n\n[[service]]\nid = \"bench\"\nkind = \"forge\"\n\
         host = \"bench\"\ncontainer = \"{CONTAINER}\"\napi = \"http://127.0.0.1:{port}\"\n",
        engine.address()
    );
    fs::write(&config, text).map_err(|error| error.to_string())?;
    answers(port)?;
    let (mut mine, mut theirs) = (Vec::new(), Vec::new());
    for pair in 0..=PAIRS {
        let a = ours(&ctl, &config, &settings.0)?;
        answers(port)?;
        let started = Instant::now();
        engine.docker(&["restart", CONTAINER])?;
        let b = started.elapsed().as_secs_f64() * 1_000.0;
        answers(port)?;
        if pair > 0 {
            mine.push(a);
            theirs.push(b);
        }
    }
    Ok(vec![
        Figure::ratio(
            "restart, container stage",
            "ms",
            median(&mine),
            median(&theirs),
            1.10,
        )
        .how(format!(
            "medians of {PAIRS} alternated restarts against `docker restart`"
        )),
    ])
}

/// Milliseconds from "asked" to "container up", as the command line reports its stages.
fn ours(ctl: &Path, config: &Path, folder: &Path) -> Result<f64, String> {
    let output = Command::new(ctl)
        .arg("--config")
        .arg(config)
        .args(["restart", "bench", "--json"])
        .env("XDG_DATA_HOME", folder.join("data"))
        .env("XDG_CONFIG_HOME", folder.join("config"))
        .output()
        .map_err(|error| format!("{}: {error}", ctl.display()))?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    if !output.status.success() {
        let errors = String::from_utf8_lossy(&output.stderr);
        return Err(format!(
            "forgekeeperctl restart: {}\n{text}{errors}",
            output.status
        ));
    }
    let after = |stage: &str| {
        text.lines()
            .filter_map(|line| serde_json::from_str::<Value>(line).ok())
            .find(|event| event["stage"] == stage)
            .and_then(|event| event["after_ms"].as_f64())
    };
    let (asked, up) = (after("asked").unwrap_or(0.0), after("container_up"));
    Ok(up.ok_or_else(|| format!("no stage `container_up` in:\n{text}"))? - asked)
}

fn start_container(repo: &Repo, engine: &Engine<'_>, port: u16) -> Result<(), String> {
    let image = engine.standin_image(repo)?;
    let publish = format!("127.0.0.1:{port}:17860");
    let run = [
        "run",
        "-d",
        "--name",
        CONTAINER,
        "-p",
        &publish,
        "-e",
        "STANDIN_SPEED=20",
        &image,
    ];
    engine.docker(&run)?;
    Ok(())
}

fn free_port() -> Result<u16, String> {
    let listener = TcpListener::bind("127.0.0.1:0").map_err(|error| error.to_string())?;
    Ok(listener
        .local_addr()
        .map_err(|error| error.to_string())?
        .port())
}

/// Waits until the API lists models, so that every restart begins from the same state.
fn answers(port: u16) -> Result<(), String> {
    let end = Instant::now() + DEADLINE;
    while Instant::now() < end {
        if let Ok(text) = ask(port)
            && text.starts_with("HTTP/1.1 200")
            && text.contains("model_name")
        {
            return Ok(());
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    Err(format!(
        "the API on port {port} did not answer within {} s",
        DEADLINE.as_secs()
    ))
}

fn ask(port: u16) -> std::io::Result<String> {
    let address = SocketAddr::from(([127, 0, 0, 1], port));
    let mut stream = TcpStream::connect_timeout(&address, Duration::from_secs(1))?;
    stream.set_read_timeout(Some(Duration::from_secs(2)))?;
    stream.write_all(
        b"GET /sdapi/v1/sd-models HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
    )?;
    let mut text = String::new();
    stream.take(1 << 20).read_to_string(&mut text)?;
    Ok(text)
}
