//! The models on the disk: a thousand headers against a plain reader of the same headers.

use std::{fs, path::Path, process::Command, time::Instant};

use serde_json::Value;

use super::{Figure, build, median, screen::Scratch};
use crate::repo::Repo;

const FILES: u64 = 1_000;
const ROUNDS: usize = 5;
/// What anybody would write: the length, the header, its JSON, and what stands in it.
const PEER: &str = r#"
import json, os, struct, sys
count = tensors = 0
for folder, _, names in os.walk(sys.argv[1]):
    for name in names:
        if name.endswith(".safetensors"):
            with open(os.path.join(folder, name), "rb") as file:
                (length,) = struct.unpack("<Q", file.read(8))
                header = json.loads(file.read(length))
            count += 1
            tensors += len(header)
print(count)
"#;

/// First looks and later ones, the peer in turns with ours.
pub(super) fn run(repo: &Repo) -> Result<Vec<Figure>, String> {
    let ours = build::inventory_bench(repo)?;
    let scratch = Scratch::new()?;
    let models = scratch.0.join("models");
    let place = models.to_string_lossy().into_owned();
    ran(&ours, &["make", &place, &FILES.to_string()])?;
    let (mut first, mut again, mut peer) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..=ROUNDS {
        let memory = scratch.0.join(format!("memory-{round}"));
        fs::create_dir_all(&memory).map_err(|error| error.to_string())?;
        let new = looked(&ours, &place, &memory)?;
        let known = looked(&ours, &place, &memory)?;
        let theirs = python(&place)?;
        // The first round warms the caches of the system and is not counted.
        if round > 0 {
            first.push(new);
            again.push(known);
            peer.push(theirs);
        }
    }
    let (first, again, peer) = (median(&first), median(&again), median(&peer));
    let how = format!(
        "medians of {ROUNDS} rounds over {FILES} sparse files of 2 GB with 2 515 tensors each"
    );
    Ok(vec![
        Figure::share("inventory: 1 000 models of 2 GB", "ms", first, 3_000.0).how(&how),
        Figure::ratio("inventory: against a plain reader", "ms", first, peer, 1.0)
            .how("headers alone, read and parsed by Python, nothing named or compared"),
        Figure::share(
            "inventory: the same when nothing changed",
            "ms",
            again,
            1_000.0,
        )
        .how("what was read is remembered"),
    ])
}

/// Milliseconds of a look that knew every file.
fn looked(ours: &Path, models: &str, memory: &Path) -> Result<f64, String> {
    let answer = ran(ours, &["scan", models, &memory.to_string_lossy()])?;
    let answer: Value = serde_json::from_str(&answer).map_err(|error| error.to_string())?;
    let number = |key: &str| answer[key].as_u64();
    if number("files") != Some(FILES) || number("known") != Some(FILES) {
        return Err(format!("not every file was found and known: {answer}"));
    }
    answer["ms"]
        .as_f64()
        .ok_or_else(|| format!("no time in {answer}"))
}

fn python(models: &str) -> Result<f64, String> {
    let started = Instant::now();
    let told = ran(Path::new("python3"), &["-c", PEER, models])?;
    let ms = started.elapsed().as_secs_f64() * 1_000.0;
    if told.trim() == FILES.to_string() {
        Ok(ms)
    } else {
        Err(format!("Python found {told} files"))
    }
}

fn ran(program: &Path, args: &[&str]) -> Result<String, String> {
    let output = Command::new(program)
        .args(args)
        .output()
        .map_err(|error| format!("{}: {error}", program.display()))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let words = String::from_utf8_lossy(&output.stderr);
    Err(format!("{}: {}: {words}", program.display(), output.status))
}
