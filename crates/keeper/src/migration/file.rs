//! `migration.toml`: the owner's plan, re-read when it changes, edited with its comments kept. While it
//! is broken, the last good plan stays in force.

use std::{
    io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use forgekeeper_domain::{
    error::{ErrorCode, ErrorInfo},
    migration::{
        OwnPlan, PlanEdit, PlanEditError, PlanFault, PlanProblem, edit, text_diff as diff,
    },
};
use serde::Serialize;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::iis::file::hash;
use crate::{
    settings::{self, SettingsProblem},
    sys::{
        file_watch::{FileWatch, QUIET},
        files,
        tasks::Tasks,
    },
};

/// A file cut to be written anew may stay empty for so many readings; then it is meant.
const EMPTY_READINGS: u32 = 10;

/// The file as last read.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
pub struct PlanFile {
    /// Where it is.
    pub path: String,
    /// Whether it exists; without it the plan is the built-in one.
    pub exists: bool,
    /// What is wrong with it: then the plan in force is the one it said before.
    pub problems: Vec<PlanProblem>,
}

/// The owner's plan. Clones are the same file with the same memory of its last good plan.
#[derive(Debug, Clone)]
pub struct OwnPlanFile {
    path: PathBuf,
    /// Held over reading, editing and writing: two edits never lose one another.
    held: Arc<Mutex<Held>>,
    changed: watch::Sender<u32>,
}

#[derive(Debug, Default)]
struct Held {
    plan: Arc<OwnPlan>,
    problems: Vec<PlanProblem>,
    exists: bool,
}

/// The text of the file; `None` when there is no file.
type Read = Result<Option<String>, PlanProblem>;

impl OwnPlanFile {
    /// A file that need not exist. Nothing is read yet.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            held: Arc::default(),
            changed: watch::channel(0).0,
        }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Writes it where there is none yet. A plan that cannot be written is one that is not there.
    pub(crate) fn begin(&self, text: &str) {
        if !self.path.exists()
            && let Err(error) = files::write_atomic(&self.path, text.as_bytes())
        {
            tracing::warn!(path = %self.path.display(), %error, "no plan was written");
        }
    }

    /// The plan in force.
    pub fn plan(&self) -> Arc<OwnPlan> {
        self.with(|held| Arc::clone(&held.plan))
    }

    /// How the file is.
    pub fn status(&self) -> PlanFile {
        self.with(|held| PlanFile {
            path: self.path.display().to_string(),
            exists: held.exists,
            problems: held.problems.clone(),
        })
    }

    /// Reads it now.
    pub fn load(&self) {
        let changed = self.with(|held| held.take(read(&self.path)));
        if changed {
            self.changed
                .send_modify(|count| *count = count.wrapping_add(1));
        }
    }

    /// The text as it is now, by its stamp, and what it says.
    pub fn read_now(&self) -> Result<(String, OwnPlan), ErrorInfo> {
        let (text, plan) = self.with(|held| self.sound(held))?;
        Ok((stamp(text.as_deref()), plan))
    }

    /// What a change would change, as a unified diff, and the stamp of the text that it changes.
    pub fn diff(&self, change: &PlanEdit) -> Result<(String, String), ErrorInfo> {
        let (before, after, _) = self.with(|held| self.changed_by(held, change))?;
        let old = before.as_deref().unwrap_or_default();
        Ok((stamp(before.as_deref()), diff(old, &after)))
    }

    /// Makes one change in the file, or none.
    pub fn apply(&self, change: &PlanEdit) -> Result<OwnPlan, ErrorInfo> {
        self.apply_to(change, None)
    }

    /// The same for the text that was looked at: another is not changed. What the plan was before.
    pub fn apply_to(&self, change: &PlanEdit, seen: Option<&str>) -> Result<OwnPlan, ErrorInfo> {
        let plan = self.with(|held| {
            let (before, text, plan) = self.changed_by(held, change)?;
            if seen.is_some_and(|seen| seen != stamp(before.as_deref())) {
                return Err(changed_meanwhile());
            }
            // Somebody else may have written since; what is left is the time of a rename.
            if !matches!(read(&self.path), Ok(now) if now == before) {
                return Err(changed_meanwhile());
            }
            // The same again leaves the file, and its time, alone.
            if before.as_ref() != Some(&text) {
                files::write_atomic(&self.path, text.as_bytes())
                    .map_err(|error| cannot_write(&self.path, &error))?;
            }
            held.take(Ok(Some(text)));
            Ok(plan)
        })?;
        tracing::info!(path = %self.path.display(), "migration plan written");
        self.changed
            .send_modify(|count| *count = count.wrapping_add(1));
        Ok(plan)
    }

    /// The text and what it says. What it says now counts, not what was read of it before.
    fn sound(&self, held: &Held) -> Result<(Option<String>, OwnPlan), ErrorInfo> {
        let text = read(&self.path);
        if held.is_emptied_by(&text) {
            return Err(just_emptied());
        }
        let text = text.map_err(|problem| broken(&problem))?;
        let plan = OwnPlan::read(text.as_deref().unwrap_or_default())
            .map_err(|problems| problems.first().map_or_else(just_emptied, broken))?;
        Ok((text, plan))
    }

    /// The text before and after a change, and what it said before.
    fn changed_by(
        &self,
        held: &Held,
        change: &PlanEdit,
    ) -> Result<(Option<String>, String, OwnPlan), ErrorInfo> {
        let (before, plan) = self.sound(held)?;
        let text = edit(before.as_deref(), &plan, change).map_err(|error| refused(&error))?;
        // The last word on what may be written is the reader's.
        if let Err(problems) = OwnPlan::read(&text)
            && let Some(problem) = problems.into_iter().next()
        {
            return Err(ErrorInfo::new(ErrorCode::BadRequest, problem.reason).hint(problem.remedy));
        }
        Ok((before, text, plan))
    }

    /// Changes of the plan or of the state of its file.
    pub fn changes(&self) -> watch::Receiver<u32> {
        self.changed.subscribe()
    }

    /// Reads the file, and follows it from then on.
    pub(crate) fn follow(&self, tasks: &Tasks) {
        // Before the first reading, so that no change falls between the two.
        let changes = FileWatch::new(&self.path);
        self.load();
        tasks.spawn(
            "migration plan",
            follow(self.clone(), changes, tasks.token()),
        );
    }

    fn is_emptied(&self) -> bool {
        self.with(|held| held.is_emptied_by(&read(&self.path)))
    }

    fn with<T>(&self, f: impl FnOnce(&mut Held) -> T) -> T {
        f(&mut self.held.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

async fn follow(file: OwnPlanFile, mut changes: FileWatch, stop: CancellationToken) {
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = changes.changed() => {}
        }
        for _ in 0..EMPTY_READINGS {
            let reading = file.clone();
            match tokio::task::spawn_blocking(move || reading.is_emptied()).await {
                Ok(true) => tokio::time::sleep(QUIET).await,
                Ok(false) => break,
                Err(_) => return,
            }
        }
        let reading = file.clone();
        if tokio::task::spawn_blocking(move || reading.load())
            .await
            .is_err()
        {
            return;
        }
    }
}

impl Held {
    /// Whether anything is other than before.
    fn take(&mut self, read: Read) -> bool {
        let exists = !matches!(read, Ok(None));
        let (plan, problems) = match read.map(|text| OwnPlan::read(&text.unwrap_or_default())) {
            Ok(Ok(plan)) => (Some(plan), Vec::new()),
            Ok(Err(problems)) => (None, problems),
            Err(problem) => (None, vec![problem]),
        };
        let mut changed = exists != self.exists || problems != self.problems;
        self.exists = exists;
        self.problems = problems;
        if let Some(plan) = plan
            && plan != *self.plan
        {
            self.plan = Arc::new(plan);
            changed = true;
        }
        changed
    }

    fn is_emptied_by(&self, read: &Read) -> bool {
        let some = *self.plan != OwnPlan::default();
        some && matches!(read, Ok(Some(text)) if text.trim().is_empty())
    }
}

fn read(path: &Path) -> Read {
    let problem = |line, fault, reason, remedy: &str| PlanProblem {
        line,
        fault,
        reason,
        remedy: remedy.to_owned(),
    };
    match files::read_limited(path, settings::MAX_BYTES) {
        Ok(bytes) => match settings::text_of(&bytes) {
            Ok(text) => Ok(Some(text.to_owned())),
            Err(SettingsProblem {
                line,
                reason,
                remedy,
                ..
            }) => Err(problem(line, PlanFault::Syntax, reason, &remedy)),
        },
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => {
            let (fault, remedy) = match error.kind() {
                io::ErrorKind::FileTooLarge => (PlanFault::TooLarge, "put the right file there"),
                io::ErrorKind::InvalidInput => (PlanFault::Syntax, "put the right file there"),
                _ => (PlanFault::Syntax, "give this user the right to read it"),
            };
            let reason = format!("`{}` cannot be read: {error}", path.display());
            Err(problem(None, fault, reason, remedy))
        }
    }
}

/// What tells one text from another.
fn stamp(text: Option<&str>) -> String {
    // No hash looks like this.
    text.map_or_else(|| "none".to_owned(), |text| hash(text.as_bytes()))
}

fn changed_meanwhile() -> ErrorInfo {
    ErrorInfo::new(
        ErrorCode::Refused,
        "nothing was changed: migration.toml was changed by somebody else meanwhile",
    )
    .hint("Look at what it says now, and do it again.")
}

fn just_emptied() -> ErrorInfo {
    ErrorInfo::new(
        ErrorCode::Refused,
        "nothing was changed: the plan's file was just emptied, perhaps by a program that writes it",
    )
    .hint("Try again in a moment.")
}

fn broken(problem: &PlanProblem) -> ErrorInfo {
    ErrorInfo::new(
        ErrorCode::Settings,
        format!("nothing was changed: migration.toml has an error, fix it first ({problem})"),
    )
    .hint(problem.remedy.clone())
}

fn refused(error: &PlanEditError) -> ErrorInfo {
    let info = ErrorInfo::new(ErrorCode::BadRequest, error.to_string());
    match error {
        PlanEditError::NoStep(_) => info.hint("List the steps to see their names."),
        PlanEditError::NotToml(_) | PlanEditError::BuiltIn(_) | PlanEditError::OtherPhase(..) => {
            info
        }
    }
}

fn cannot_write(path: &Path, error: &io::Error) -> ErrorInfo {
    ErrorInfo::new(
        ErrorCode::Io,
        format!("`{}` cannot be written: {error}", path.display()),
    )
    .hint("Give this user the right to write there.")
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "somebody else writes the file")]
mod tests {
    use super::*;
    use forgekeeper_domain::{
        ids::StepId,
        migration::{PlanField, Setting},
    };

    fn file(dir: &tempfile::TempDir) -> OwnPlanFile {
        OwnPlanFile::new(dir.path().join("migration.toml"))
    }

    fn note(text: &str) -> PlanEdit {
        let step = StepId::new("training").unwrap();
        PlanEdit::Note(step, Some(text.to_owned()))
    }

    #[test]
    fn an_edit_by_hand_meanwhile_is_not_lost() {
        let dir = tempfile::tempdir().unwrap();
        let file = file(&dir);
        file.load();
        assert!(!file.status().exists);
        file.apply(&note("one")).unwrap();
        let text = std::fs::read_to_string(file.path()).unwrap();
        let by_hand = format!("{text}\n# mine\n[target]\nport = 8188\n");
        std::fs::write(file.path(), by_hand).unwrap();
        file.apply(&note("two")).unwrap();
        let text = std::fs::read_to_string(file.path()).unwrap();
        assert!(text.contains("# mine") && text.contains("two"), "{text}");
        assert_eq!(file.plan().target.port, Some(8188));
    }

    #[test]
    fn a_text_that_was_changed_since_it_was_looked_at_stays() {
        let dir = tempfile::tempdir().unwrap();
        let file = file(&dir);
        let port = |port: &str| {
            PlanEdit::Set(vec![Setting {
                field: PlanField::Port,
                value: Some(port.to_owned()),
            }])
        };
        let (none, diff) = file.diff(&port("8188")).unwrap();
        assert!(diff.contains("+port = 8188"), "{diff}");
        assert!(!file.path().exists(), "a diff writes nothing");
        file.apply_to(&port("8188"), Some(&none)).unwrap();
        let (seen, diff) = file.diff(&port("8189")).unwrap();
        assert!(diff.contains("-port = 8188\n+port = 8189"), "{diff}");
        let by_hand = "[target]\nport = 9000 # mine\n";
        std::fs::write(file.path(), by_hand).unwrap();
        for stamp in [&none, &seen] {
            let error = file.apply_to(&port("8189"), Some(stamp)).unwrap_err();
            assert_eq!(error.code, ErrorCode::Refused);
            assert_eq!(std::fs::read_to_string(file.path()).unwrap(), by_hand);
        }
        let (seen, _) = file.diff(&port("8189")).unwrap();
        let before = file.apply_to(&port("8189"), Some(&seen)).unwrap();
        assert_eq!(before.target.port, Some(9000));
        let text = std::fs::read_to_string(file.path()).unwrap();
        assert_eq!(text, "[target]\nport = 8189 # mine\n");
    }

    #[test]
    fn a_broken_or_hostile_file_changes_nothing_and_is_told_with_line_and_remedy() {
        let dir = tempfile::tempdir().unwrap();
        let file = file(&dir);
        file.apply(&note("good")).unwrap();
        let good = file.plan();
        let long = format!("a = \"{}\"", "x".repeat(2_000_000));
        for text in [
            b"[target]\nport = true\n".as_slice(),
            b"\xff\xfe[\0".as_slice(),
            b"[[change]]\nid = \"nothing\"\n".as_slice(),
            b"order = [[[[[[[[[[".as_slice(),
            long.as_bytes(),
        ] {
            std::fs::write(file.path(), text).unwrap();
            file.load();
            let status = file.status();
            assert!(status.exists && !status.problems.is_empty());
            assert!(status.problems.iter().all(|p| !p.remedy.is_empty()));
            assert_eq!(file.plan(), good);
            let error = file.apply(&note("more")).unwrap_err();
            assert_eq!(error.code, ErrorCode::Settings, "{error:?}");
            assert_eq!(std::fs::read(file.path()).unwrap(), text);
        }
        std::fs::write(file.path(), "").unwrap();
        assert_eq!(file.apply(&note("x")).unwrap_err().code, ErrorCode::Refused);
        std::fs::remove_file(file.path()).unwrap();
        file.load();
        assert_eq!(*file.plan(), OwnPlan::default());
    }
}
