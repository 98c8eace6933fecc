//! Graphics cards: CPU for one reading against the library called directly, a day on the screen, and
//! thirty days on the disk.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use serde::{Deserialize, de::DeserializeOwned};

use super::{Figure, build, median, screen::Scratch};
use crate::repo::Repo;

/// Readings in one round, and rounds of each program in turns.
const READINGS: &str = "4000";
const ROUNDS: usize = 7;
/// What the stand-in keeps the processor busy for with each call, in microseconds: a real driver's
/// call is one into the kernel, and takes this and more. Without it the peer would measure nothing
/// but a lock.
const CALL_US: u32 = 5;
/// The name under which the library is asked for.
const LIBRARY: &str = "libnvidia-ml.so.1";
const DAYS: &str = "30";
const OPENINGS: u32 = 15;

/// What a program of one round says.
#[derive(Debug, Deserialize)]
struct Ran {
    cards: u64,
    cpu_ns: u64,
    #[serde(default)]
    bytes: u64,
}

/// What the script that drives the window saw.
#[derive(Debug, Deserialize)]
struct Opened {
    /// From the click to the screen, milliseconds, each time.
    took: Vec<f64>,
    /// Whether nothing was drawn.
    empty: bool,
}

/// All figures.
pub(super) fn run(repo: &Repo) -> Result<Vec<Figure>, String> {
    let programs = build::gpu_bench(repo)?;
    let scratch = Scratch::new()?;
    let mut figures = vec![
        reading(
            &programs,
            &scratch.0,
            CALL_US,
            "gpu: CPU for a reading",
            1.5,
        )?,
        reading(
            &programs,
            &scratch.0,
            0,
            "gpu: the same, a driver that costs nothing",
            3.0,
        )?,
    ];
    let data = scratch.0.join("data");
    let folder = data.join("demo");
    fs::create_dir_all(&folder).map_err(|error| error.to_string())?;
    let filled: Ran = ran(&programs.ours, &["fill", &folder.to_string_lossy(), DAYS])?;
    #[expect(clippy::cast_precision_loss, reason = "megabytes")]
    let mib = filled.bytes as f64 / (1024.0 * 1024.0);
    figures.push(
        Figure::share("gpu: 30 days of two cards", "MiB", mib, 25.0)
            .how("the whole history on disk, every minute of eight values"),
    );
    figures.push(opening(repo, &data)?);
    Ok(figures)
}

/// CPU of one reading of both cards, ours against the bare library.
fn reading(
    programs: &build::GpuBench,
    folder: &Path,
    call_us: u32,
    what: &'static str,
    limit: f64,
) -> Result<Figure, String> {
    let library = folder.join(LIBRARY);
    fs::copy(&programs.library, &library).map_err(|error| error.to_string())?;
    let script = format!("{{\"call_us\": {call_us}}}");
    fs::write(folder.join("nvml.json"), script).map_err(|error| error.to_string())?;
    let library = library.to_string_lossy();
    let (mut mine, mut bare) = (Vec::new(), Vec::new());
    for round in 0..=ROUNDS {
        let ours: Ran = ran(&programs.ours, &["sample", &library, READINGS])?;
        let peer: Ran = ran(&programs.direct, &[&library, READINGS])?;
        if ours.cards != peer.cards || ours.cards == 0 {
            return Err(format!(
                "{} cards were read, and {}",
                ours.cards, peer.cards
            ));
        }
        // The first round warms the caches and is not counted.
        if round > 0 {
            mine.push(micros(&ours));
            bare.push(micros(&peer));
        }
    }
    Ok(
        Figure::ratio(what, "us", median(&mine), median(&bare), limit).how(format!(
            "two cards, medians of {ROUNDS} rounds of {READINGS}; against the stand-in library's \
             functions called directly, each {call_us} us of work"
        )),
    )
}

/// Microseconds of CPU for one card.
#[expect(clippy::cast_precision_loss, reason = "nanoseconds of seconds")]
fn micros(ran: &Ran) -> f64 {
    ran.cpu_ns as f64 / 1000.0 / ran.cards as f64
}

/// A day of two cards in the real window, from the click to the screen.
fn opening(repo: &Repo, data: &Path) -> Result<Figure, String> {
    let program = build::ours(repo)?.join("forgekeeper");
    let output = Command::new("node")
        .arg(repo.root.join("tests/e2e/charts.mjs"))
        .env("FORGEKEEPER_BIN", &program)
        .env("CHARTS_DATA", data)
        .env("CHARTS_ROUNDS", OPENINGS.to_string())
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .map_err(|error| format!("node: {error}"))?;
    let Opened { took, empty } = answer(&output, "the window could not be driven")?;
    if empty {
        return Err("nothing was drawn".to_owned());
    }
    let longest = took.iter().copied().fold(0.0_f64, f64::max);
    Ok(
        Figure::share("gpu: a day opens", "ms", median(&took), 150.0).how(format!(
            "from the click to the screen, four charts of two cards, median of {OPENINGS}; longest \
             {longest:.0} ms"
        )),
    )
}

fn ran<T: DeserializeOwned>(program: &PathBuf, args: &[&str]) -> Result<T, String> {
    let output = Command::new(program)
        .args(args)
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .map_err(|error| format!("{}: {error}", program.display()))?;
    answer(&output, &format!("{} {args:?} failed", program.display()))
}

fn answer<T: DeserializeOwned>(output: &std::process::Output, failed: &str) -> Result<T, String> {
    if !output.status.success() {
        return Err(failed.to_owned());
    }
    let text = String::from_utf8_lossy(&output.stdout);
    serde_json::from_str(&text).map_err(|error| format!("{error}: {text}"))
}
