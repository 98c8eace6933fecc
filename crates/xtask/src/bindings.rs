//! `cargo xtask bindings`: the shell's own test writes the file, since it alone knows the list.

use std::process::Command;

use crate::repo::Repo;

/// Regenerates `ui/src/backend/bindings.gen.ts`.
pub(crate) fn run(repo: &Repo) -> Result<bool, String> {
    let status = Command::new("cargo")
        .args([
            "test",
            "--quiet",
            "--package",
            "forgekeeper",
            "the_committed_bindings",
        ])
        .env("FORGEKEEPER_WRITE_BINDINGS", "1")
        .current_dir(&repo.root)
        .status()
        .map_err(|error| format!("cargo could not be started: {error}"))?;
    if status.success() {
        println!("ui/src/backend/bindings.gen.ts is written");
    }
    Ok(status.success())
}
