//! Workflows of one's own in the folder `workflows`, beside the settings: one file each, in ComfyUI's API
//! format, as it was exported. Whoever puts a file there keeps a workflow, too.

use std::{
    io,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
};

use forgekeeper_domain::{
    error::{ErrorCode, ErrorInfo},
    generation::workflow::{MAX_BYTES, OwnWorkflow, Workflow, WorkflowProblem},
};

use crate::{settings::text_of, sys::files};

/// Longest name in characters.
const MAX_NAME: usize = 64;
/// Most workflows.
const MOST: usize = 100;
/// Most entries of the folder that are looked at.
const MOST_ENTRIES: usize = 1000;
const ENDING: &str = ".json";
/// What a file without a usable name is called.
const NAMELESS: &str = "workflow";
/// Names that Windows keeps for devices, whatever their ending.
const DEVICES: [&str; 22] = [
    "con", "prn", "aux", "nul", "com1", "com2", "com3", "com4", "com5", "com6", "com7", "com8",
    "com9", "lpt1", "lpt2", "lpt3", "lpt4", "lpt5", "lpt6", "lpt7", "lpt8", "lpt9",
];

/// The folder; it need not exist.
#[derive(Debug, Clone)]
pub struct OwnWorkflows {
    folder: PathBuf,
    /// Held over choosing a name and writing: two never take the same.
    keeping: Arc<Mutex<()>>,
}

impl OwnWorkflows {
    /// A folder that need not exist. Nothing is read yet.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self {
            folder: folder.into(),
            keeping: Arc::default(),
        }
    }

    /// What the folder holds now, by name. Files whose names are not fit are none of ours.
    pub fn list(&self) -> Result<Vec<OwnWorkflow>, ErrorInfo> {
        let names = self.names()?.into_iter();
        let read = |name: String| {
            let read = self.read(&name);
            OwnWorkflow::of(name, &read)
        };
        Ok(names.map(read).collect())
    }

    /// The workflow of a name. `BadRequest` when there is none, and what is wrong with it when it is
    /// none any more.
    pub fn read(&self, name: &str) -> Result<Workflow, ErrorInfo> {
        let path = self.path(name)?;
        let most = u64::try_from(MAX_BYTES).unwrap_or(u64::MAX);
        let bytes = files::read_limited(&path, most).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => unknown(name),
            io::ErrorKind::FileTooLarge => WorkflowProblem::TooLarge.info(),
            _ => ErrorInfo::new(
                ErrorCode::Io,
                format!("`{}` cannot be read", path.display()),
            )
            .detail(error.to_string()),
        })?;
        let text = text_of(&bytes).map_err(|_| {
            let why = "it is no text in UTF-8".to_owned();
            WorkflowProblem::Json(why).info()
        })?;
        Workflow::parse(text).map_err(|problem| problem.info())
    }

    /// Keeps a workflow under the name of its file, made fit. The same one again stays one; another one
    /// of this name gets a number.
    pub fn keep(&self, name: &str, text: &str) -> Result<OwnWorkflow, ErrorInfo> {
        let workflow = Workflow::parse(text).map_err(|problem| problem.info())?;
        let _keeping = self.keeping.lock().unwrap_or_else(PoisonError::into_inner);
        let wanted = fit(name.strip_suffix(ENDING).unwrap_or(name));
        let taken = self.names()?;
        // A folder may not tell large letters from small ones.
        let found = |wanted: &str| {
            let wanted = wanted.to_lowercase();
            taken.iter().find(|name| name.to_lowercase() == wanted)
        };
        let mut name = wanted.clone();
        for number in 2..=MOST {
            match found(&name) {
                None => break,
                Some(same) if self.read(same).as_ref() == Ok(&workflow) => {
                    return Ok(OwnWorkflow::of(same.clone(), &Ok(workflow)));
                }
                Some(_) => name = numbered(&wanted, number),
            }
        }
        if taken.len() >= MOST || found(&name).is_some() {
            let message = format!("there are {MOST} workflows already");
            return Err(ErrorInfo::new(ErrorCode::BadRequest, message)
                .hint("Remove those that are not needed."));
        }
        let path = self.path(&name)?;
        files::write_atomic(&path, text.as_bytes()).map_err(|error| {
            let message = format!("`{}` cannot be written", path.display());
            ErrorInfo::new(ErrorCode::Io, message)
                .hint("Give this user the right to write there.")
                .detail(error.to_string())
        })?;
        Ok(OwnWorkflow::of(name, &Ok(workflow)))
    }

    /// Takes a workflow out. `BadRequest` when there is none of this name.
    pub fn remove(&self, name: &str) -> Result<(), ErrorInfo> {
        let path = self.path(name)?;
        if !self.names()?.iter().any(|known| known == name) {
            return Err(unknown(name));
        }
        files::remove(&path).map_err(|error| {
            let message = format!("`{}` cannot be removed", path.display());
            ErrorInfo::new(ErrorCode::Io, message).detail(error.to_string())
        })
    }

    fn names(&self) -> Result<Vec<String>, ErrorInfo> {
        let entries = files::names(&self.folder, MOST_ENTRIES).map_err(|error| {
            let message = format!("the folder `{}` cannot be read", self.folder.display());
            ErrorInfo::new(ErrorCode::Settings, message)
                .hint("Mend the folder, or move it away.")
                .detail(error.to_string())
        })?;
        let names = entries.into_iter().filter_map(|entry| {
            let name = entry.to_str()?.strip_suffix(ENDING)?;
            (fit(name) == name).then(|| name.to_owned())
        });
        let mut names: Vec<String> = names.collect();
        names.sort_by_key(|name| (name.to_lowercase(), name.clone()));
        names.truncate(MOST);
        Ok(names)
    }

    /// Where a workflow lies. What is no fit name names no file: nothing outside the folder is reached.
    fn path(&self, name: &str) -> Result<PathBuf, ErrorInfo> {
        if fit(name) != name {
            return Err(unknown(name));
        }
        Ok(self.folder.join(format!("{name}{ENDING}")))
    }
}

/// A name that is a file's on every system: letters, digits, blanks and a few signs.
fn fit(name: &str) -> String {
    let plain = |c: char| {
        let is_kept = c.is_alphanumeric() || " -_.,()+&'".contains(c);
        if is_kept { c } else { '-' }
    };
    let name: String = name.chars().map(plain).take(MAX_NAME).collect();
    let name = name.trim_matches([' ', '.']);
    let stem = name.split('.').next().unwrap_or_default().trim_end();
    if name.is_empty() {
        NAMELESS.to_owned()
    } else if DEVICES.contains(&stem.to_lowercase().as_str()) {
        format!("_{name}")
    } else {
        name.to_owned()
    }
}

/// The next name to try; a long one is cut for its number.
fn numbered(name: &str, number: usize) -> String {
    let end = format!(" {number}");
    let room = MAX_NAME - end.len();
    let start: String = name.chars().take(room).collect();
    fit(&format!("{}{end}", start.trim_end()))
}

fn unknown(name: &str) -> ErrorInfo {
    let short: String = name.chars().take(MAX_NAME).collect();
    ErrorInfo::new(
        ErrorCode::BadRequest,
        format!("there is no workflow `{}`", short.escape_debug()),
    )
}

#[cfg(test)]
mod tests {
    #![expect(clippy::disallowed_methods, reason = "tests write files as users do")]

    use forgekeeper_domain::generation::workflow::Placeholder;
    use serde_json::json;

    use super::*;

    fn graph(words: &str) -> String {
        json!({"1": {"class_type": "KSampler", "inputs": {"text": words, "seed": "%seed%"}}})
            .to_string()
    }

    #[test]
    fn workflows_come_back_by_name_with_what_finds_a_place_in_them() {
        let dir = tempfile::tempdir().unwrap();
        let kept = OwnWorkflows::new(dir.path().join("workflows"));
        assert_eq!(kept.list().unwrap(), []);
        let made = kept.keep("Portrait, été.json", &graph("%prompt%")).unwrap();
        assert_eq!(made.name, "Portrait, été");
        assert_eq!(made.takes, [Placeholder::Prompt, Placeholder::Seed]);
        assert_eq!(made.lacks.len(), Placeholder::ALL.len() - 2);
        assert_eq!(made.nodes, Some(1));
        // The same again is the same; another one of this name does not take its place.
        let again = kept.keep("portrait, été.json", &graph("%prompt%")).unwrap();
        assert_eq!(again, made);
        let other = kept.keep("Portrait, été", &graph("plain")).unwrap();
        assert_eq!(other.name, "Portrait, été 2");
        assert_eq!(kept.list().unwrap(), [made.clone(), other]);
        let text =
            std::fs::read_to_string(dir.path().join("workflows/Portrait, été.json")).unwrap();
        assert_eq!(text, graph("%prompt%"), "kept as it was exported");
        kept.remove(&made.name).unwrap();
        assert_eq!(kept.list().unwrap().len(), 1);
        let error = kept.remove(&made.name).unwrap_err();
        assert_eq!(error.code, ErrorCode::BadRequest);
    }

    #[test]
    fn no_name_reaches_out_of_the_folder() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("secret.json"), graph("x")).unwrap();
        let kept = OwnWorkflows::new(dir.path().join("workflows"));
        for name in [
            "../secret",
            "..",
            "",
            "/etc/passwd",
            "a\\b",
            "a:b",
            "a\0b",
            "nul",
            ".x",
        ] {
            assert_eq!(
                kept.read(name).unwrap_err().code,
                ErrorCode::BadRequest,
                "{name:?}"
            );
            assert_eq!(
                kept.remove(name).unwrap_err().code,
                ErrorCode::BadRequest,
                "{name:?}"
            );
            let made = kept.keep(name, &graph(name)).unwrap();
            assert!(kept.read(&made.name).is_ok(), "{name:?}: {made:?}");
        }
        assert!(dir.path().join("secret.json").exists());
        let long = kept.keep(&"é".repeat(500), &graph("1")).unwrap();
        let longer = kept.keep(&"é".repeat(501), &graph("2")).unwrap();
        assert_eq!(long.name.chars().count(), MAX_NAME);
        assert!(longer.name.ends_with("é 2") && longer.name.chars().count() == MAX_NAME);
    }

    #[test]
    fn what_is_no_workflow_is_not_kept_and_what_is_broken_says_so() {
        let dir = tempfile::tempdir().unwrap();
        let kept = OwnWorkflows::new(dir.path());
        let editor = json!({"nodes": [], "links": [], "version": 0.4}).to_string();
        for (text, code) in [
            (editor.as_str(), ErrorCode::EditorWorkflow),
            ("{", ErrorCode::BadWorkflow),
            (&" ".repeat(MAX_BYTES + 1), ErrorCode::BadWorkflow),
        ] {
            assert_eq!(kept.keep("x", text).unwrap_err().code, code);
        }
        assert_eq!(kept.list().unwrap(), []);
        std::fs::write(dir.path().join("torn.json"), b"\xff{").unwrap();
        std::fs::write(dir.path().join("large.json"), " ".repeat(MAX_BYTES + 1)).unwrap();
        std::fs::write(dir.path().join("notes.txt"), "x").unwrap();
        std::fs::create_dir(dir.path().join("folder.json")).unwrap();
        let found = kept.list().unwrap();
        let codes = found.iter().map(|one| one.problem.as_ref().map(|p| p.code));
        assert_eq!(
            codes.collect::<Vec<_>>(),
            [
                Some(ErrorCode::Io),
                Some(ErrorCode::BadWorkflow),
                Some(ErrorCode::BadWorkflow)
            ]
        );
        assert!(
            found
                .iter()
                .all(|one| one.nodes.is_none() && one.lacks.is_empty())
        );
    }
}
