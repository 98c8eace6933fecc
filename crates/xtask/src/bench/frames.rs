//! The Logs page under a flood: how long the window stands still, and how its memory grows.

use std::process::{Command, Stdio};

use serde::Deserialize;

use super::{Figure, build, engine::Engine};
use crate::repo::Repo;

const CONTAINER: &str = "fk-bench-flood";
/// Lines a second, and for how long they are watched.
const RATE: u32 = 20_000;
const SECONDS: u32 = 30;
/// It is watched twice, then until a million lines are held; the window needs a while to open, and
/// the flood outlasts what is measured.
const FLOOD_SECONDS: u32 = 2 * SECONDS + 120;

/// With every filter the list begins anew.
const MOST_GROWTH_MIB: f64 = 80.0;
/// Here hundreds of thousands of lines are kept; as they came they would take hundreds.
const MOST_KEPT_MIB: f64 = 150.0;

/// What the script that drives the window saw.
#[derive(Debug, Deserialize)]
struct Runs {
    /// While the filter changed.
    filtered: Seen,
    /// While every line stayed and some were marked.
    kept: Seen,
    /// While somebody scrolled through the million lines that were there then.
    scrolled: Seen,
}

#[derive(Debug, Deserialize)]
struct Seen {
    /// Gaps between two frames in milliseconds: their number and 99th percentile, and the longest.
    frames: u32,
    p99_ms: f64,
    longest_ms: f64,
    /// Lines that came into the page, and lines it was told it had missed.
    arrived: u64,
    missed: u64,
    /// Resident memory of the program and its web processes, in the tenth second and in the last.
    early_mib: f64,
    late_mib: f64,
}

/// A container on a real engine writes, the real window shows, the filter changes all the while.
pub(super) fn run(repo: &Repo) -> Result<Vec<Figure>, String> {
    let program = build::ours(repo)?.join("forgekeeper");
    let engine = Engine::start(repo)?;
    let image = engine.standin_image(repo)?;
    let count = (RATE * FLOOD_SECONDS).to_string();
    engine.docker(&[
        "create",
        "--name",
        CONTAINER,
        "--log-driver",
        "json-file",
        "--entrypoint",
        "/bin/forgekeeper-standin",
        &image,
        "lines",
        "--rate",
        &RATE.to_string(),
        &count,
    ])?;
    let output = Command::new("node")
        .arg(repo.root.join("tests/e2e/frames.mjs"))
        .env("FORGEKEEPER_BIN", &program)
        .env("FLOOD_ENGINE", engine.address())
        .env("FLOOD_CONTAINER", CONTAINER)
        .env("FLOOD_SECONDS", SECONDS.to_string())
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .map_err(|error| format!("node: {error}"))?;
    if !output.status.success() {
        return Err("the window could not be driven".to_owned());
    }
    let text = String::from_utf8_lossy(&output.stdout);
    let Runs {
        filtered,
        kept,
        scrolled,
    } = serde_json::from_str(&text).map_err(|error| format!("{error}: {text}"))?;
    Ok(vec![
        // Both under so many lines a second; then it is quiet.
        filtered.gap("logs: frame gap, p99, the filter changes"),
        filtered.growth("logs: memory growth, the filter changes", MOST_GROWTH_MIB),
        kept.gap("logs: frame gap, p99, all lines stay"),
        kept.growth("logs: memory growth, all lines stay", MOST_KEPT_MIB),
        scrolled.gap("logs: frame gap, p99, scrolling in a million"),
    ])
}

impl Seen {
    fn gap(&self, what: &'static str) -> Figure {
        Figure::share(what, "ms", self.p99_ms, 100.0).how(format!(
            "{} lines have come into the page, {} passed it by; {} frames, the longest gap {:.0} ms",
            self.arrived, self.missed, self.frames, self.longest_ms
        ))
    }

    fn growth(&self, what: &'static str, limit: f64) -> Figure {
        Figure::share(what, "MiB", self.late_mib - self.early_mib, limit).how(format!(
            "all its processes: {:.0} MiB in the ninth second, {:.0} MiB in the last",
            self.early_mib, self.late_mib
        ))
    }
}
