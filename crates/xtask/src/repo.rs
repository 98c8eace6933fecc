//! The checkout, as the rules see it: files by relative path, and cargo's dependency graph.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

/// Folders that are built, fetched or generated.
const SKIPPED: &[&str] = &[
    "target",
    "node_modules",
    "dist",
    "dist-fake",
    "paraglide",
    "gen",
    ".git",
    "coverage",
];

/// A checkout.
#[derive(Debug)]
pub(crate) struct Repo {
    /// Its top folder.
    pub(crate) root: PathBuf,
}

impl Repo {
    /// The checkout this program was built from.
    pub(crate) fn here() -> Result<Self, String> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"))
            .parent()
            .and_then(Path::parent)
            .ok_or("crates/xtask is not where it should be")?;
        Ok(Self {
            root: root.to_owned(),
        })
    }

    /// Every file below `folder` whose name ends with one of `endings`, as sorted relative paths
    /// with `/`. A folder that is not there has no files.
    pub(crate) fn files(&self, folder: &str, endings: &[&str]) -> Result<Vec<String>, String> {
        let mut found = Vec::new();
        let top = self.root.join(folder);
        if top.is_dir() {
            self.walk(&top, endings, &mut found)?;
        }
        found.sort();
        Ok(found)
    }

    fn walk(&self, folder: &Path, endings: &[&str], found: &mut Vec<String>) -> Result<(), String> {
        let entries = fs::read_dir(folder).map_err(|e| format!("{}: {e}", folder.display()))?;
        for entry in entries {
            let entry = entry.map_err(|e| format!("{}: {e}", folder.display()))?;
            let name = entry.file_name().to_string_lossy().into_owned();
            let kind = entry.file_type().map_err(|e| format!("{name}: {e}"))?;
            if kind.is_dir() {
                if !SKIPPED.contains(&name.as_str()) {
                    self.walk(&entry.path(), endings, found)?;
                }
            } else if kind.is_file() && endings.iter().any(|ending| name.ends_with(ending)) {
                let path = entry.path();
                let relative = path.strip_prefix(&self.root).unwrap_or(&path);
                found.push(relative.to_string_lossy().replace('\\', "/"));
            }
        }
        Ok(())
    }

    /// A text file.
    pub(crate) fn read(&self, path: &str) -> Result<String, String> {
        fs::read_to_string(self.root.join(path)).map_err(|error| format!("{path}: {error}"))
    }

    /// `cargo metadata` of the workspace.
    pub(crate) fn metadata(&self) -> Result<serde_json::Value, String> {
        let output = Command::new("cargo")
            .args(["metadata", "--format-version", "1", "--locked"])
            .current_dir(&self.root)
            .output()
            .map_err(|error| format!("cargo could not be started: {error}"))?;
        if !output.status.success() {
            return Err(format!(
                "cargo metadata: {}",
                String::from_utf8_lossy(&output.stderr)
            ));
        }
        serde_json::from_slice(&output.stdout).map_err(|error| format!("cargo metadata: {error}"))
    }
}

#[cfg(test)]
pub(crate) mod testing {
    use super::*;

    /// A throw-away checkout with these files.
    pub(crate) struct Scratch {
        pub(crate) repo: Repo,
        _folder: tempfile::TempDir,
    }

    pub(crate) fn scratch(files: &[(&str, &str)]) -> Scratch {
        let folder = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = folder.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        Scratch {
            repo: Repo {
                root: folder.path().to_owned(),
            },
            _folder: folder,
        }
    }

    #[test]
    fn built_and_fetched_files_are_not_seen() {
        let scratch = scratch(&[("a/b.rs", ""), ("a/target/c.rs", ""), ("a/d.ts", "")]);
        assert_eq!(scratch.repo.files("a", &[".rs"]).unwrap(), ["a/b.rs"]);
        assert!(scratch.repo.files("missing", &[".rs"]).unwrap().is_empty());
    }
}
