//! Test pictures: the command against the same request by hand, how soon a preview is on the screen,
//! and five hundred pictures scrolled.

use std::{
    fs,
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Instant,
};

use serde::{Deserialize, de::DeserializeOwned};
use serde_json::json;

use super::{Figure, build, median, screen::Scratch};
use crate::repo::Repo;

const ROUNDS: usize = 5;
const PREVIEWS: u32 = 9;
const SERVICE: &str = "myia";
const SIDE: u32 = 1024;
const STEPS: u32 = 20;
const PICTURES: &str = "500";

/// What the played host says when it is up.
#[derive(Debug, Deserialize)]
struct Site {
    config: String,
    services: Vec<Service>,
}

#[derive(Debug, Deserialize)]
struct Service {
    id: String,
    api: String,
}

/// A played host that ends with the value.
struct Played(Child, Site);

impl Played {
    fn start(programs: &Path) -> Result<Self, String> {
        let mut child = Command::new(programs.join("forgekeeper-standin"))
            .args(["site", "--json-endpoints"])
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| format!("forgekeeper-standin: {error}"))?;
        let mut line = String::new();
        let out = child.stdout.take().ok_or("no output")?;
        BufReader::new(out)
            .read_line(&mut line)
            .map_err(|error| error.to_string())?;
        let site = serde_json::from_str(&line).map_err(|error| format!("{error}: {line}"))?;
        Ok(Self(child, site))
    }
}

impl Drop for Played {
    fn drop(&mut self) {
        // Gone already is as good.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// All figures.
pub(super) fn run(repo: &Repo) -> Result<Vec<Figure>, String> {
    let programs = build::ours(repo)?;
    Ok(vec![
        command(&programs)?,
        preview(repo, &programs)?,
        gallery(repo, &programs)?,
    ])
}

/// The whole command against `curl`, decoding and writing.
fn command(programs: &Path) -> Result<Figure, String> {
    let site = Played::start(programs)?;
    let scratch = Scratch::new()?;
    let config = scratch.0.join("forgekeeper.toml");
    fs::write(&config, &site.1.config).map_err(|error| error.to_string())?;
    let api = site.1.services.iter().find(|s| s.id == SERVICE);
    let api = &api.ok_or("the played host has no such service")?.api;
    let (mut mine, mut theirs) = (Vec::new(), Vec::new());
    for round in 0..=ROUNDS {
        let ours = timed(|| ours(programs, &config, &scratch.0, round))?;
        let peer = timed(|| by_hand(api, &scratch.0, round))?;
        // The first round loads the model.
        if round > 0 {
            mine.push(ours);
            theirs.push(peer);
        }
    }
    Ok(Figure::ratio(
        "generate, the whole command",
        "ms",
        median(&mine),
        median(&theirs),
        1.03,
    )
    .how(format!(
        "medians of {ROUNDS} alternated pictures of {SIDE}², {STEPS} steps, against `curl`, decoding \
         and a file written"
    )))
}

fn timed(work: impl FnOnce() -> Result<PathBuf, String>) -> Result<f64, String> {
    let began = Instant::now();
    let file = work()?;
    let took = began.elapsed().as_secs_f64() * 1_000.0;
    let head = fs::read(&file).map_err(|error| format!("{}: {error}", file.display()))?;
    if !head.starts_with(b"\x89PNG") {
        return Err(format!("{} is no picture", file.display()));
    }
    Ok(took)
}

fn ours(programs: &Path, config: &Path, folder: &Path, round: usize) -> Result<PathBuf, String> {
    let (side, steps, seed) = (SIDE.to_string(), STEPS.to_string(), round.to_string());
    let out = folder.join(format!("ours-{round}"));
    let output = Command::new(programs.join("forgekeeperctl"))
        .arg("--config")
        .arg(config)
        .args(["generate", SERVICE, "--prompt", "a lighthouse"])
        .args(["--width", &side, "--height", &side])
        .args(["--steps", &steps, "--seed", &seed, "--out"])
        .arg(&out)
        .env("FORGEKEEPER_DATA", folder.join("data"))
        .output()
        .map_err(|error| format!("forgekeeperctl: {error}"))?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned());
    }
    Ok(out.join(format!("{SERVICE}-{seed}-1.png")))
}

/// What somebody would type instead.
fn by_hand(api: &str, folder: &Path, round: usize) -> Result<PathBuf, String> {
    let file = folder.join(format!("peer-{round}.png"));
    let body = json!({
        "prompt": "a lighthouse", "width": SIDE, "height": SIDE, "steps": STEPS, "cfg_scale": 7,
        "seed": round,
    });
    let script = "curl -sS --fail -H 'content-type: application/json' -d \"$1\" \"$2/sdapi/v1/txt2img\" \
                  | sed -E 's/.*\"images\": ?\\[\"([^\"]*)\".*/\\1/' | base64 -d > \"$3\"";
    let status = Command::new("bash")
        .args(["-c", script, "by-hand", &body.to_string(), api])
        .arg(&file)
        .status()
        .map_err(|error| format!("bash: {error}"))?;
    status
        .success()
        .then_some(file)
        .ok_or_else(|| "curl failed".to_owned())
}

/// From when the server has the first preview to when the window shows it.
fn preview(repo: &Repo, programs: &Path) -> Result<Figure, String> {
    #[derive(Deserialize)]
    struct Seen {
        delays: Vec<f64>,
    }
    let seen: Seen = driven(
        repo,
        programs,
        "previews.mjs",
        &[("PREVIEW_ROUNDS", PREVIEWS.to_string())],
    )?;
    let longest = seen.delays.iter().copied().fold(f64::MIN, f64::max);
    Ok(
        Figure::share("first preview on the screen", "ms", median(&seen.delays), 250.0).how(format!(
            "Forge, median of {} pictures, the longest {longest:.0} ms; the server is asked every 10 ms \
             whether it has one, the window says when the picture is loaded",
            seen.delays.len()
        )),
    )
}

/// Five hundred pictures in the window, from the first to the last and back.
fn gallery(repo: &Repo, programs: &Path) -> Result<Figure, String> {
    #[derive(Deserialize)]
    struct Scrolled {
        frames: u32,
        longest_ms: f64,
        /// At rest, around the engine's own look at its memory.
        engine_ms: f64,
        p99_ms: f64,
        shown: u32,
        /// Thumbnails that were made, or made anew, by scrolling a second time.
        made_again: u32,
    }
    let scratch = Scratch::new()?;
    let folder = scratch.0.join("demo");
    fs::create_dir_all(&folder).map_err(|error| error.to_string())?;
    let filler = build::gallery_bench(repo)?;
    let status = Command::new(filler)
        .arg(&folder)
        .arg(PICTURES)
        .status()
        .map_err(|error| format!("gallery_bench: {error}"))?;
    if !status.success() {
        return Err("the gallery could not be filled".to_owned());
    }
    let data = scratch.0.to_string_lossy().into_owned();
    let seen: Scrolled = driven(repo, programs, "scrolled.mjs", &[("GALLERY_DATA", data)])?;
    if seen.made_again > 0 {
        return Err(format!("{} thumbnails were made twice", seen.made_again));
    }
    Ok(
        Figure::share("gallery: longest frame gap", "ms", seen.longest_ms, 50.0).how(format!(
            "{PICTURES} pictures, {} seen; {} frames, 99th percentile {:.0} ms; no thumbnail made twice; \
             measured between two looks of the engine at its own memory, which take a page at rest {:.0} ms",
            seen.shown, seen.frames, seen.p99_ms, seen.engine_ms
        )),
    )
}

/// What a script that drives the window says.
fn driven<T: DeserializeOwned>(
    repo: &Repo,
    programs: &Path,
    script: &str,
    more: &[(&str, String)],
) -> Result<T, String> {
    let output = Command::new("node")
        .arg(repo.root.join("tests/e2e").join(script))
        .env("FORGEKEEPER_BIN", programs.join("forgekeeper"))
        .envs(more.iter().map(|(name, value)| (*name, value.as_str())))
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .map_err(|error| format!("node: {error}"))?;
    if !output.status.success() {
        return Err("the window could not be driven".to_owned());
    }
    let text = String::from_utf8_lossy(&output.stdout);
    serde_json::from_str(&text).map_err(|error| format!("{error}: {text}"))
}
