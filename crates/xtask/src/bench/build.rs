//! The programs to measure, all built with the release profile.

use std::{
    path::PathBuf,
    process::Command,
    sync::atomic::{AtomicBool, Ordering},
};

use crate::repo::Repo;

/// Set by `--no-build`: what was built before is measured.
pub(super) static AS_BUILT: AtomicBool = AtomicBool::new(false);

/// Where cargo puts what it builds.
fn target(repo: &Repo) -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| repo.root.join("target"), PathBuf::from)
}

fn cargo(repo: &Repo, folder: &str, args: &[&str]) -> Result<(), String> {
    if AS_BUILT.load(Ordering::Relaxed) {
        return Ok(());
    }
    let status = Command::new("cargo")
        .args(["build", "--release", "--locked"])
        .args(args)
        .current_dir(repo.root.join(folder))
        // The peer is a workspace of its own; both go to one place.
        .env("CARGO_TARGET_DIR", target(repo))
        .status()
        .map_err(|error| format!("cargo could not be started: {error}"))?;
    if status.success() {
        Ok(())
    } else {
        Err(format!("cargo build in {folder:?} failed"))
    }
}

/// The window and the command line.
pub(super) fn ours(repo: &Repo) -> Result<PathBuf, String> {
    cargo(
        repo,
        "",
        &[
            "-p",
            "forgekeeper",
            "-p",
            "forgekeeper-cli",
            "-p",
            "forgekeeper-standin",
        ],
    )?;
    Ok(target(repo).join("release"))
}

/// The program that takes in and searches logs as the keeper does.
#[cfg(unix)]
pub(super) fn log_bench(repo: &Repo) -> Result<PathBuf, String> {
    cargo(
        repo,
        "",
        &["-p", "forgekeeper-keeper", "--example", "log_bench"],
    )?;
    Ok(target(repo).join("release/examples/log_bench"))
}

/// The program that fills a gallery.
pub(super) fn gallery_bench(repo: &Repo) -> Result<PathBuf, String> {
    let keeper = ["-p", "forgekeeper-keeper", "--example", "gallery_bench"];
    cargo(repo, "", &keeper)?;
    Ok(target(repo).join("release/examples/gallery_bench"))
}

/// The program that looks through models.
pub(super) fn inventory_bench(repo: &Repo) -> Result<PathBuf, String> {
    let keeper = ["-p", "forgekeeper-keeper", "--example", "inventory_bench"];
    cargo(repo, "", &keeper)?;
    Ok(target(repo).join("release/examples/inventory_bench"))
}

/// The program that takes snapshots over the demo host.
#[cfg(unix)]
pub(super) fn snapshot_bench(repo: &Repo) -> Result<PathBuf, String> {
    let tests = ["-p", "forgekeeper-tests", "--example", "snapshot_bench"];
    cargo(repo, "", &tests)?;
    Ok(target(repo).join("release/examples/snapshot_bench"))
}

/// The programs that read cards, and the library that they read.
#[cfg(unix)]
#[derive(Debug)]
pub(super) struct GpuBench {
    /// Reads as the keeper does.
    pub(super) ours: PathBuf,
    /// Calls the library's functions alone.
    pub(super) direct: PathBuf,
    /// The stand-in for the driver's library.
    pub(super) library: PathBuf,
}

#[cfg(unix)]
pub(super) fn gpu_bench(repo: &Repo) -> Result<GpuBench, String> {
    let keeper = ["-p", "forgekeeper-keeper", "--example", "gpu_bench"];
    cargo(repo, "", &keeper)?;
    let standin = [
        "-p",
        "forgekeeper-standin-nvml",
        "--lib",
        "--example",
        "direct",
    ];
    cargo(repo, "", &standin)?;
    let built = target(repo).join("release");
    Ok(GpuBench {
        ours: built.join("examples/gpu_bench"),
        direct: built.join("examples/direct"),
        library: built.join("libforgekeeper_standin_nvml.so"),
    })
}

/// The empty Tauri window.
pub(super) fn peer(repo: &Repo) -> Result<PathBuf, String> {
    cargo(repo, "tests/peer-tauri", &[])?;
    Ok(target(repo).join("release/peer-tauri"))
}
