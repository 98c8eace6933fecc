//! A window program with folders of its own, ended when the value goes.

use std::{
    fs,
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{
        atomic::{AtomicU32, Ordering},
        mpsc::{Receiver, sync_channel},
    },
    time::{Duration, Instant},
};

use super::processes;

static NUMBER: AtomicU32 = AtomicU32::new(0);

/// A folder that goes with the value.
#[derive(Debug)]
pub(super) struct Scratch(pub(super) PathBuf);

impl Scratch {
    pub(super) fn new() -> Result<Self, String> {
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("fk-bench-{}-{number}", std::process::id()));
        fs::create_dir_all(&path).map_err(|error| format!("{}: {error}", path.display()))?;
        Ok(Self(path))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // Helpers of a window that just ended may still write their last file.
        for _ in 0..20 {
            if fs::remove_dir_all(&self.0).is_ok() || !self.0.exists() {
                return;
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        eprintln!("{} stays", self.0.display());
    }
}

/// A running program.
#[derive(Debug)]
pub(super) struct Program {
    pub(super) child: Child,
    lines: Receiver<(Instant, String)>,
    started: Instant,
    _folder: Scratch,
}

impl Program {
    /// Starts it; what it says on standard error is kept with the time it came.
    pub(super) fn start(binary: &Path, args: &[&str]) -> Result<Self, String> {
        let folder = Scratch::new()?;
        let mut command = Command::new(binary);
        command
            .args(args)
            .env("FORGEKEEPER_BENCH_MARK", "1")
            .env("XDG_CONFIG_HOME", folder.0.join("config"))
            .env("XDG_DATA_HOME", folder.0.join("data"))
            .env("XDG_CACHE_HOME", folder.0.join("cache"))
            .env_remove("FORGEKEEPER_CONFIG")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        let started = Instant::now();
        let mut child = command
            .spawn()
            .map_err(|error| format!("{}: {error}", binary.display()))?;
        let errors = child.stderr.take().ok_or("no standard error")?;
        // Far more than a program at rest says; a full channel only slows the reader thread.
        let (sender, lines) = sync_channel(10_000);
        std::thread::spawn(move || {
            for line in BufReader::new(errors).lines().map_while(Result::ok) {
                if sender.send((Instant::now(), line)).is_err() {
                    break;
                }
            }
        });
        Ok(Self {
            child,
            lines,
            started,
            _folder: folder,
        })
    }

    /// Milliseconds from the start until it said these words.
    pub(super) fn until(&self, words: &str, deadline: Duration) -> Result<f64, String> {
        let end = self.started + deadline;
        let mut said = String::new();
        loop {
            let left = end.saturating_duration_since(Instant::now());
            match self.lines.recv_timeout(left) {
                Ok((at, line)) if line.contains(words) => {
                    return Ok((at - self.started).as_secs_f64() * 1_000.0);
                }
                Ok((_, line)) => {
                    said.push_str(&line);
                    said.push('\n');
                }
                Err(_) => return Err(format!("never said `{words}`; it said:\n{said}")),
            }
        }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // Web processes outlive their window by a moment and would tax whatever starts next.
        let family = processes::family(self.child.id()).unwrap_or_default();
        // TERM, so that its own children go with it.
        let id = self.child.id().to_string();
        drop(Command::new("kill").arg(id).status());
        let end = Instant::now() + Duration::from_secs(5);
        while Instant::now() < end {
            let ended = matches!(self.child.try_wait(), Ok(Some(_)));
            if ended && family.iter().all(|id| !processes::runs(*id)) {
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        for id in family {
            drop(Command::new("kill").args(["-9", &id.to_string()]).status());
        }
        drop(self.child.wait());
    }
}
