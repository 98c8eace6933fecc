//! `forge` and `comfyui` as single programs, on a port of their own.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use std::path::Path;

use super::{FAULT_FILE, GPU_FILE, faults};
use crate::comfyui::{Comfy, ComfySpec};
use crate::faults::{Fault, FaultBoard};
use crate::forge::{Build, Forge, ForgeSpec};
use crate::gpu::{Card, GpuBoard, founding_cards, smi};
use crate::logbook::Logbook;
use crate::pace::Pace;
use crate::tasks::Tasks;

/// How a single program is started.
#[derive(Debug, Clone)]
pub struct ProgramOptions {
    /// Where it listens.
    pub addr: SocketAddr,
    /// Service name.
    pub name: String,
    /// Speed factor.
    pub speed: f64,
    /// Faults from the start.
    pub faults: Vec<Fault>,
    /// `--api-auth`.
    pub auth: Option<(String, String)>,
    /// Which of the two cards is visible.
    pub card: usize,
    /// Which Forge is played.
    pub build: Build,
    /// Command line of Forge.
    pub args: String,
}

/// The one card that is visible.
pub fn visible_card(index: usize) -> Vec<Card> {
    let mut cards = founding_cards();
    let mut card = cards.swap_remove(index.min(1));
    card.index = 0;
    vec![card]
}

fn board(options: &ProgramOptions) -> FaultBoard {
    let board = FaultBoard::default();
    let stored = faults::stored(Path::new(FAULT_FILE));
    for fault in options.faults.iter().copied().chain(stored) {
        board.raise(fault, None);
    }
    board
}

/// Runs Forge until the process is ended. A fault `program-fatal` ends it at once.
pub async fn forge(options: ProgramOptions) -> std::io::Result<()> {
    let board = board(&options);
    if board.any(Fault::ProgramFatal) {
        return Err(std::io::Error::other(
            "RuntimeError: Found no NVIDIA driver on your system.",
        ));
    }
    let tasks = Tasks::new();
    let followed = board.clone();
    let (nulled, asked) = (Arc::new(tokio::sync::Notify::new()), board.clone());
    let notify = Arc::clone(&nulled);
    tasks.spawn(async move {
        let raised = |fault| match fault {
            // Supervisor starts it again, and the fault shows in the new start.
            Fault::ProgramFatal
            | Fault::ProgramLoop
            | Fault::ProgramStarting
            | Fault::ConfigReset => {
                eprintln!("RuntimeError: CUDA error: unknown error");
                std::process::exit(1);
            }
            Fault::ConfigOptionsNulled => notify.notify_one(),
            _ => {}
        };
        faults::follow(Path::new(FAULT_FILE), &followed, raised).await;
    });
    let gpus = GpuBoard::new(visible_card(options.card), board.clone());
    let log = Arc::new(Logbook::printing(&options.name, board.clone()));
    let spec = ForgeSpec {
        build: options.build,
        args: options.args.clone(),
        auth: options.auth.clone(),
        ..ForgeSpec::plain(&options.name)
    };
    let forge = Forge::new(
        spec,
        Pace::new(options.speed),
        board.clone(),
        gpus,
        log,
        tasks.clone(),
    );
    forge.serve(options.addr)?;
    if board.any(Fault::ProgramLoop) {
        // Dies after it counted as running, so that supervisor starts it again for ever.
        tasks.spawn(async {
            tokio::time::sleep(Duration::from_secs(8)).await;
            eprintln!("RuntimeError: CUDA error: unknown error");
            std::process::exit(1);
        });
    }
    let changed = Arc::clone(&forge);
    tasks.spawn(async move {
        loop {
            if asked.any(Fault::ConfigOptionsNulled) {
                changed.careless_request();
            }
            nulled.notified().await;
        }
    });
    let watched = Arc::clone(&forge);
    tasks.spawn(async move {
        let mut last = String::new();
        loop {
            let now = format!("{} {}", u8::from(watched.busy()), watched.held_mib());
            // Outside a container there is no such folder; then nobody asks either.
            if now != last && std::fs::write(GPU_FILE, &now).is_ok() {
                last = now;
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    });
    Arc::clone(&forge).launch().await;
    wait_for_end().await;
    tasks.shutdown().await;
    Ok(())
}

/// Runs ComfyUI until the process is ended.
pub async fn comfyui(options: ProgramOptions) -> std::io::Result<()> {
    let board = board(&options);
    let tasks = Tasks::new();
    let followed = board.clone();
    tasks.spawn(async move { faults::follow(Path::new(FAULT_FILE), &followed, |_| {}).await });
    let gpus = GpuBoard::new(visible_card(options.card), board.clone());
    let log = Arc::new(Logbook::printing(&options.name, board.clone()));
    let spec = ComfySpec::plain(&options.name);
    let comfy = Comfy::new(
        spec,
        Pace::new(options.speed),
        board.clone(),
        gpus,
        log,
        tasks.clone(),
    );
    comfy.serve(options.addr)?;
    Arc::clone(&comfy).launch().await;
    wait_for_end().await;
    tasks.shutdown().await;
    Ok(())
}

/// `nvidia-smi`: the text and the exit status.
pub fn nvidia_smi(card: usize, args: &[String]) -> smi::SmiAnswer {
    let active = FaultBoard::default();
    for fault in faults::stored(Path::new(FAULT_FILE)) {
        active.raise(fault, None);
    }
    let board = GpuBoard::new(visible_card(card), active);
    let text = std::fs::read_to_string(GPU_FILE).unwrap_or_default();
    let mut words = text.split_whitespace();
    let busy = words.next() == Some("1");
    let held_mib = words.next().and_then(|n| n.parse().ok()).unwrap_or(0);
    board.set(0, "forge", crate::gpu::Activity { busy, held_mib });
    if busy {
        // A fresh board needs a moment to follow the work.
        std::thread::sleep(Duration::from_millis(600));
    }
    smi::answer(&board, &[0], args)
}

/// Ends with Ctrl+C or SIGTERM.
pub async fn wait_for_end() {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        if let Ok(mut term) = signal(SignalKind::terminate()) {
            tokio::select! {
                _ = term.recv() => {}
                _ = tokio::signal::ctrl_c() => {}
            }
            return;
        }
    }
    let _ = tokio::signal::ctrl_c().await;
}
