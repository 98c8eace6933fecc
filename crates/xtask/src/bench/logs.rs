//! Logs on a real engine: taking in a million lines against `docker logs | grep` and against the
//! bare socket, and searching ten millions against `zstdgrep`.

use std::{
    fs,
    io::{Read as _, Write as _},
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use serde_json::Value;

use super::{Figure, build, engine::Engine, median, screen::Scratch};
use crate::repo::Repo;

const LINES: &str = "1000000";
const STORED: &str = "10000000";
const CONTAINER: &str = "fk-bench-lines";
const ROUNDS: usize = 7;
/// Occurs a few times among the stored lines.
const WORD: &str = "needle";

/// All figures, each peer in turns with ours.
pub(super) fn run(repo: &Repo) -> Result<Vec<Figure>, String> {
    let standin = build::ours(repo)?.join("forgekeeper-standin");
    let ours = build::log_bench(repo)?;
    let scratch = Scratch::new()?;
    let mut figures = taking_in(repo, &ours, &scratch.0)?;
    figures.extend(searching(&standin, &ours, &scratch.0)?);
    Ok(figures)
}

fn taking_in(repo: &Repo, ours: &Path, folder: &Path) -> Result<Vec<Figure>, String> {
    let engine = Engine::start(repo)?;
    let image = engine.standin_image(repo)?;
    engine.docker(&[
        "run",
        "--name",
        CONTAINER,
        "--log-driver",
        "json-file",
        "--entrypoint",
        "/bin/forgekeeper-standin",
        &image,
        "lines",
        LINES,
    ])?;
    let (mut mine, mut grep, mut bare) = (Vec::new(), Vec::new(), Vec::new());
    let (mut memory, mut matched) = (0.0_f64, 0);
    for round in 0..=ROUNDS {
        let stored = folder.join(format!("round-{round}"));
        let place = stored.to_string_lossy();
        let args = ["ingest", &engine.address(), CONTAINER, &place];
        let ran = measured(ours, &args, None)?;
        fs::remove_dir_all(&stored).map_err(|error| error.to_string())?;
        let started = Instant::now();
        matched = docker_grep(&engine)?;
        let grepped = started.elapsed();
        if ran.matched != matched {
            return Err(format!(
                "grep found {matched} lines, we found {}",
                ran.matched
            ));
        }
        let started = Instant::now();
        bare_socket(&engine)?;
        // The first round warms the caches and is not counted.
        if round > 0 {
            mine.push(ran.ms);
            grep.push(millis(grepped));
            bare.push(millis(started.elapsed()));
            memory = memory.max(ran.peak_mib);
        }
    }
    let how = format!(
        "medians of {ROUNDS} rounds over {LINES} lines; {matched} of them match `fatal|critical`"
    );
    let (mine, grep, bare) = (median(&mine), median(&grep), median(&bare));
    Ok(vec![
        Figure::ratio("logs: take in, name, store, filter", "ms", mine, grep, 0.9)
            .how(format!("against `docker logs -t | grep -ciE`; {how}")),
        Figure::ratio("logs: against the bare socket", "ms", mine, bare, 1.3)
            .how("the same HTTP body read and thrown away"),
        Figure::share("logs: peak memory, taking in", "MiB", memory, 150.0)
            .how("the most of the rounds, resident"),
    ])
}

fn searching(standin: &Path, ours: &Path, folder: &Path) -> Result<Vec<Figure>, String> {
    let (stored, packed) = (folder.join("stored"), folder.join("lines.zst"));
    let place = stored.to_string_lossy();
    let mut writing = lines(standin)?;
    let input = writing.stdout.take().map(Stdio::from);
    measured(ours, &["fill", &place], input)?;
    writing.wait().map_err(|error| error.to_string())?;
    let mut writing = lines(standin)?;
    let zstd = Command::new("zstd")
        .args(["-q", "-1", "-f", "-o"])
        .arg(&packed)
        .stdin(writing.stdout.take().map_or_else(Stdio::null, Stdio::from))
        .status()
        .map_err(|error| format!("zstd: {error}; `scripts/packages.sh bench` installs it"))?;
    writing.wait().map_err(|error| error.to_string())?;
    if !zstd.success() {
        return Err("zstd failed".to_owned());
    }
    let (mut mine, mut theirs, mut memory) = (Vec::new(), Vec::new(), 0.0_f64);
    for round in 0..=ROUNDS {
        let ran = measured(ours, &["search", &place, WORD], None)?;
        let started = Instant::now();
        let output = Command::new("zstdgrep")
            .args(["-c", WORD])
            .arg(&packed)
            .output()
            .map_err(|error| format!("zstdgrep: {error}"))?;
        let took = millis(started.elapsed());
        let found = number(&output.stdout)?;
        if ran.matched != found || found == 0 {
            return Err(format!(
                "zstdgrep found {found} lines, we found {}",
                ran.matched
            ));
        }
        if round > 0 {
            mine.push(ran.ms);
            theirs.push(took);
            memory = memory.max(ran.peak_mib);
        }
    }
    let (mine, theirs) = (median(&mine), median(&theirs));
    Ok(vec![
        Figure::ratio("logs: search for a rare word", "ms", mine, theirs, 1.0).how(format!(
            "medians of {ROUNDS} rounds over {STORED} stored lines, against `zstdgrep` over the same"
        )),
        Figure::share("logs: peak memory, searching", "MiB", memory, 150.0)
            .how("the most of the rounds, resident"),
    ])
}

fn lines(standin: &Path) -> Result<Child, String> {
    Command::new(standin)
        .args(["lines", STORED])
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|error| format!("{}: {error}", standin.display()))
}

/// How a run of ours ended.
struct Ran {
    ms: f64,
    peak_mib: f64,
    matched: u64,
}

fn measured(ours: &Path, args: &[&str], input: Option<Stdio>) -> Result<Ran, String> {
    let failed = |error: std::io::Error| format!("{}: {error}", ours.display());
    let started = Instant::now();
    let mut child = Command::new(ours)
        .args(args)
        .stdin(input.unwrap_or_else(Stdio::null))
        .stdout(Stdio::piped())
        .spawn()
        .map_err(failed)?;
    let status_file = PathBuf::from(format!("/proc/{}/status", child.id()));
    let mut peak_mib = 0.0_f64;
    let status = loop {
        peak_mib = peak_of(&status_file).unwrap_or(0.0).max(peak_mib);
        match child.try_wait().map_err(failed)? {
            Some(status) => break status,
            None => std::thread::sleep(Duration::from_millis(5)),
        }
    };
    let ms = millis(started.elapsed());
    let mut text = String::new();
    if let Some(mut out) = child.stdout.take() {
        out.read_to_string(&mut text).map_err(failed)?;
    }
    if !status.success() {
        return Err(format!("{} {args:?}: {status}", ours.display()));
    }
    let answer: Value = serde_json::from_str(&text).map_err(|error| format!("{error}: {text}"))?;
    let matched = answer["matched"].as_u64();
    Ok(Ran {
        ms,
        peak_mib,
        matched: matched.ok_or_else(|| format!("no matches in {text}"))?,
    })
}

/// `VmHWM` of a process, while it is there.
fn peak_of(status: &Path) -> Option<f64> {
    let text = fs::read_to_string(status).ok()?;
    let line = text.lines().find_map(|l| l.strip_prefix("VmHWM:"))?;
    let kib: f64 = line.split_whitespace().next()?.parse().ok()?;
    Some(kib / 1024.0)
}

fn docker_grep(engine: &Engine<'_>) -> Result<u64, String> {
    let mut docker = Command::new("docker")
        .arg("--host")
        .arg(engine.address())
        .args(["logs", "-t", CONTAINER])
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|error| format!("docker: {error}"))?;
    let grep = Command::new("grep")
        .args(["-ciE", "fatal|critical"])
        .stdin(docker.stdout.take().map_or_else(Stdio::null, Stdio::from))
        .output()
        .map_err(|error| format!("grep: {error}"))?;
    docker.wait().map_err(|error| error.to_string())?;
    number(&grep.stdout)
}

fn number(output: &[u8]) -> Result<u64, String> {
    let text = String::from_utf8_lossy(output);
    let number = text.trim().parse();
    number.map_err(|error| format!("`{}` is no number: {error}", text.trim()))
}

fn bare_socket(engine: &Engine<'_>) -> Result<(), String> {
    let path = engine.folder.0.join("docker.sock");
    let failed = |error: std::io::Error| format!("{}: {error}", path.display());
    let mut socket = UnixStream::connect(&path).map_err(failed)?;
    let request = format!(
        "GET /containers/{CONTAINER}/logs?stdout=1&stderr=1&timestamps=1 HTTP/1.1\r\n\
         Host: docker\r\nConnection: close\r\n\r\n"
    );
    socket.write_all(request.as_bytes()).map_err(failed)?;
    let mut buffer = vec![0; 64 * 1024];
    let mut read = 0;
    loop {
        match socket.read(&mut buffer).map_err(failed)? {
            0 => break,
            bytes => read += bytes,
        }
    }
    // A million lines are more than this; less is an error page.
    if read < 50_000_000 {
        return Err(format!("the socket gave only {read} bytes"));
    }
    Ok(())
}

fn millis(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1_000.0
}
