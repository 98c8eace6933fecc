//! A snapshot of a large configuration against `tar` and `sha256sum` over the very same files.

use std::{fs, path::Path, process::Command, time::Instant};

use serde_json::Value;

use super::{Figure, build, median, screen::Scratch};
use crate::repo::Repo;

/// Extensions, each with three files that tell its commit and since when; with three others about 5 000.
const CHECKOUTS: &str = "1667";
const ROUNDS: usize = 7;

/// A first snapshot and one when nothing has changed, the peer in turns with ours.
pub(super) fn run(repo: &Repo) -> Result<Vec<Figure>, String> {
    let ours = build::snapshot_bench(repo)?;
    let scratch = Scratch::new()?;
    let place = scratch.0.to_string_lossy().into_owned();
    ran(Command::new(&ours).args(["make", &place, CHECKOUTS]))?;
    // What was written this very moment is looked at again each time.
    std::thread::sleep(std::time::Duration::from_secs(4));
    let (mut first, mut again, mut peer) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..=ROUNDS {
        let told = ran(Command::new(&ours).args(["take", &place]))?;
        let told: Value = serde_json::from_str(&told).map_err(|error| error.to_string())?;
        let theirs = packed(&scratch.0)?;
        // The first round warms the caches and is not counted.
        if round > 0 {
            first.extend(told["first_ms"].as_f64());
            again.extend(told["again_ms"].as_f64());
            peer.push(theirs);
        }
    }
    let files = fs::read_to_string(scratch.0.join("files")).map_err(|error| error.to_string())?;
    let how = format!(
        "medians of {ROUNDS} rounds; {} files",
        files.lines().count()
    );
    let (first, again, peer) = (median(&first), median(&again), median(&peer));
    Ok(vec![
        Figure::ratio("snapshot: the first", "ms", first, peer, 2.0).how(format!(
            "against `tar -c` and `sha256sum` of the same files; {how}"
        )),
        Figure::ratio("snapshot: when nothing changed", "ms", again, peer, 0.3).how(how),
    ])
}

/// Milliseconds of `tar -c`, then of hashing each file.
fn packed(folder: &Path) -> Result<f64, String> {
    let list = folder.join("files");
    let tar = folder.join("peer.tar");
    let started = Instant::now();
    ran(Command::new("tar")
        .arg("-cPf")
        .arg(&tar)
        .arg("-T")
        .arg(&list))?;
    let sums = ran(Command::new("xargs")
        .arg("-a")
        .arg(&list)
        .args(["-d", "\\n", "sha256sum"]))?;
    let ms = started.elapsed().as_secs_f64() * 1_000.0;
    fs::remove_file(&tar).map_err(|error| error.to_string())?;
    let wanted = fs::read_to_string(&list).map_err(|error| error.to_string())?;
    if sums.lines().count() == wanted.lines().count() {
        Ok(ms)
    } else {
        Err("not every file was hashed".to_owned())
    }
}

fn ran(command: &mut Command) -> Result<String, String> {
    let name = command.get_program().to_string_lossy().into_owned();
    let output = command
        .output()
        .map_err(|error| format!("{name}: {error}"))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let words = String::from_utf8_lossy(&output.stderr);
    Err(format!("{name}: {}: {words}", output.status))
}
