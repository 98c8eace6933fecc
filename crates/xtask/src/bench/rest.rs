//! Memory and processor time while nothing happens, with three services watched.
//!
//! The played host runs as a program of its own, so that only what Forgekeeper itself needs is
//! counted.

use std::{
    fs,
    io::{BufRead as _, BufReader},
    path::PathBuf,
    process::{Child, Command, Stdio},
    time::Duration,
};

use super::{
    Figure, build, processes,
    screen::{Program, Scratch},
};
use crate::repo::Repo;

/// Long enough for every start-up cost to be over.
const SETTLE: Duration = Duration::from_secs(20);
const WATCHED: Duration = Duration::from_mins(1);
const DEADLINE: Duration = Duration::from_mins(1);

/// The played host with its three services.
struct Site {
    child: Child,
    config: PathBuf,
    _folder: Scratch,
}

impl Site {
    fn start(repo: &Repo) -> Result<Self, String> {
        let folder = Scratch::new()?;
        let mut child = Command::new(build::ours(repo)?.join("forgekeeper-standin"))
            .arg("site")
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| format!("forgekeeper-standin: {error}"))?;
        // It prints its configuration, and a comment at the end.
        let mut text = String::new();
        let output = child.stdout.take().ok_or("no standard output")?;
        for line in BufReader::new(output).lines() {
            let line = line.map_err(|error| error.to_string())?;
            text.push_str(&line);
            text.push('\n');
            if line.starts_with("# faults:") {
                break;
            }
        }
        let config = folder.0.join("forgekeeper.toml");
        fs::write(&config, &text).map_err(|error| error.to_string())?;
        if text.matches("[[service]]").count() != 3 {
            return Err(format!("the played host has not three services:\n{text}"));
        }
        Ok(Self {
            child,
            config,
            _folder: folder,
        })
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn open(repo: &Repo, site: &Site) -> Result<Program, String> {
    let binary = build::ours(repo)?.join("forgekeeper");
    let program = Program::start(&binary, &["--config", &site.config.to_string_lossy()])?;
    program.until("forgekeeper: first paint of data", DEADLINE)?;
    std::thread::sleep(SETTLE);
    Ok(program)
}

/// All processes of ours against all of an empty window.
pub(super) fn memory(repo: &Repo) -> Result<Vec<Figure>, String> {
    let peer_binary = build::peer(repo)?;
    let site = Site::start(repo)?;
    // Both at once: what they share is shared out between them, as it would be beside any other
    // program; one alone would carry it all.
    let ours = open(repo, &site)?;
    let peer = Program::start(&peer_binary, &[])?;
    peer.until("peer: first paint", DEADLINE)?;
    std::thread::sleep(SETTLE);
    let mine = processes::memory_mib(ours.child.id())?;
    let theirs = processes::memory_mib(peer.child.id())?;
    Ok(vec![
        Figure::ratio("memory at rest, all processes", "MiB", mine, theirs, 1.5)
            .how("proportional set size, both open at the same time, three services watched"),
    ])
}

/// Share of one core, window shown and window hidden.
pub(super) fn cpu(repo: &Repo) -> Result<Vec<Figure>, String> {
    let site = Site::start(repo)?;
    let ours = open(repo, &site)?;
    let visible = watch(&ours)?;
    hide(&ours)?;
    std::thread::sleep(SETTLE);
    let hidden = watch(&ours)?;
    let how = format!(
        "all processes over {} s, three services watched",
        WATCHED.as_secs()
    );
    Ok(vec![
        Figure::share("processor at rest, visible", "%", visible, 2.0).how(how.clone()),
        Figure::share("processor at rest, hidden", "%", hidden, 0.5).how(how),
    ])
}

/// Per cent of one core.
fn watch(program: &Program) -> Result<f64, String> {
    let before = processes::cpu_seconds(program.child.id())?;
    std::thread::sleep(WATCHED);
    let after = processes::cpu_seconds(program.child.id())?;
    Ok((after - before) / WATCHED.as_secs_f64() * 100.0)
}

/// Takes the window from the screen, as minimising does: GTK calls it iconified, the page hidden.
fn hide(program: &Program) -> Result<(), String> {
    let id = program.child.id().to_string();
    let found = Command::new("xdotool")
        .args(["search", "--onlyvisible", "--pid", &id])
        .output()
        .map_err(|error| format!("xdotool (scripts/packages.sh bench installs it): {error}"))?;
    let windows = String::from_utf8_lossy(&found.stdout).into_owned();
    let windows: Vec<&str> = windows.split_whitespace().collect();
    if windows.is_empty() {
        return Err("no visible window was found to hide".to_owned());
    }
    for window in windows {
        let status = Command::new("xdotool")
            .args(["windowunmap", window])
            .status()
            .map_err(|error| error.to_string())?;
        if !status.success() {
            return Err(format!("window {window} could not be hidden"));
        }
    }
    Ok(())
}
