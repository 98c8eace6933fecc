//! The built library, as nvml-wrapper sees it.

#![cfg(unix)] // A copy of the library finds the script beside it on Unix only.
#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests fail the way tests fail"
)]

mod bad_libraries;
mod errors;
mod lives;
mod processes;
mod values;

use std::{fs::File, io::Write, path::PathBuf};

use forgekeeper_standin_nvml::{SCRIPT_FILE, Script, built};
use nvml_wrapper::{Nvml, error::NvmlError};
use tempfile::TempDir;

/// A copy of the library in a folder of its own.
struct World {
    folder: TempDir,
    library: PathBuf,
}

impl World {
    fn of(script: &Script) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let library = built::install(folder.path(), script).unwrap();
        Self { folder, library }
    }

    fn script_path(&self) -> PathBuf {
        self.folder.path().join(SCRIPT_FILE)
    }

    fn becomes(&self, script: &Script) {
        script.write(&self.script_path()).unwrap();
    }

    /// The script's text as it stands, right or wrong.
    fn says(&self, text: &str) {
        let new = self.folder.path().join("new");
        let mut file = File::create(&new).unwrap();
        file.write_all(text.as_bytes()).unwrap();
        std::fs::rename(new, self.script_path()).unwrap();
    }

    fn try_open(&self) -> Result<Nvml, NvmlError> {
        Nvml::builder().lib_path(self.library.as_os_str()).init()
    }

    fn open(&self) -> Nvml {
        self.try_open().unwrap()
    }
}
