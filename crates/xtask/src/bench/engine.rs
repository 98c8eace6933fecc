//! A real Docker Engine of our own, for the measures that need one.

use std::{
    fs,
    process::{Command, Output, Stdio},
};

use super::screen::Scratch;
use crate::repo::Repo;

/// An engine of our own that goes with the value.
pub(super) struct Engine<'a> {
    repo: &'a Repo,
    pub(super) folder: Scratch,
}

impl<'a> Engine<'a> {
    pub(super) fn start(repo: &'a Repo) -> Result<Self, String> {
        let engine = Self {
            repo,
            folder: Scratch::new()?,
        };
        engine.control("start")?;
        Ok(engine)
    }

    fn control(&self, verb: &str) -> Result<(), String> {
        let status = Command::new(self.repo.root.join("scripts/engine.sh"))
            .arg(verb)
            .arg(&self.folder.0)
            .status()
            .map_err(|error| format!("scripts/engine.sh: {error}"))?;
        if status.success() {
            Ok(())
        } else {
            Err(format!("scripts/engine.sh {verb} failed"))
        }
    }

    pub(super) fn address(&self) -> String {
        format!("unix://{}", self.folder.0.join("docker.sock").display())
    }

    pub(super) fn docker(&self, args: &[&str]) -> Result<Output, String> {
        let output = Command::new("docker")
            .arg("--host")
            .arg(self.address())
            .args(args)
            .stdin(Stdio::null())
            .output()
            .map_err(|error| format!("docker: {error}"))?;
        if output.status.success() {
            return Ok(output);
        }
        Err(format!(
            "docker {args:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        ))
    }

    /// Imports the static stand-in as an image; gives its name.
    pub(super) fn standin_image(&self, repo: &Repo) -> Result<String, String> {
        let script = repo.root.join("scripts/static-standin.sh");
        let built = Command::new(&script)
            .status()
            .map_err(|error| error.to_string())?;
        if !built.success() {
            return Err("the static stand-in could not be built".to_owned());
        }
        let path = Command::new(&script)
            .arg("--path")
            .output()
            .map_err(|error| error.to_string())?;
        let standin = String::from_utf8_lossy(&path.stdout).trim().to_owned();
        let archive = self.folder.0.join("rootfs.tar");
        let tar = Command::new(&standin)
            .arg("rootfs")
            .output()
            .map_err(|error| error.to_string())?;
        fs::write(&archive, &tar.stdout).map_err(|error| error.to_string())?;
        let image = "forgekeeper-bench/stable-diffusion-webui-forge:1".to_owned();
        self.docker(&[
            "import",
            "--change",
            r#"ENTRYPOINT ["/bin/forgekeeper-standin","supervisor"]"#,
            "--change",
            "ENV PATH=/bin:/usr/bin",
            "--change",
            "EXPOSE 17860",
            &archive.to_string_lossy(),
            &image,
        ])?;
        Ok(image)
    }
}

impl Drop for Engine<'_> {
    fn drop(&mut self) {
        if let Err(why) = self.control("remove") {
            eprintln!("{why}");
        }
        // The folder's own end expects it to be there.
        drop(fs::create_dir_all(&self.folder.0));
    }
}
