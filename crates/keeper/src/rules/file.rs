//! The file itself: loading it with the last good rules kept, and editing it.

use std::{
    io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use forgekeeper_domain::{
    Timestamp,
    error::{ErrorCode, ErrorInfo},
    logs::rules::{
        DraftFault, EditError, RuleDraft, RuleProblem, RulesEdit, RulesFile, RulesInForce, edit,
        parse,
    },
};
use tokio::sync::{Notify, watch};

use super::{OwnRule, RulesSnapshot, RulesStatus, RulesView, SilenceView, follow};
use crate::{
    settings::{self, SettingsProblem},
    sys::{files, tasks::Tasks},
};

/// The user's own rules. Clones are the same file with the same memory of its last good rules.
#[derive(Debug, Clone)]
pub struct OwnRules {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    path: PathBuf,
    /// Held over reading, editing and writing: two edits never lose one another.
    held: Mutex<Held>,
    edited: Notify,
}

/// What the file said last.
#[derive(Debug, Default)]
struct Held {
    /// In force: the last good ones.
    file: RulesFile,
    in_force: Arc<RulesInForce>,
    problems: Vec<RuleProblem>,
    exists: bool,
    version: u32,
}

impl OwnRules {
    /// A file that need not exist. Nothing is read yet.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self {
            shared: Arc::new(Shared {
                path: path.into(),
                held: Mutex::default(),
                edited: Notify::new(),
            }),
        }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.shared.path
    }

    /// Reads it now.
    pub fn load(&self, now: Timestamp) {
        self.with(|held| held.take(read(&self.shared.path), now));
    }

    /// Whether the file is empty while rules of it are in force: most likely a program has cut it
    /// to write it anew, and is not done yet.
    pub(super) fn is_emptied(&self) -> bool {
        self.with(|held| held.is_emptied_by(&read(&self.shared.path)))
    }

    /// What was read last, at a moment.
    pub fn snapshot(&self, now: Timestamp) -> RulesSnapshot {
        self.with(|held| {
            if *held.in_force.silenced() != held.file.silenced_at(now) {
                held.in_force = Arc::new(held.in_force.at(&held.file, now));
            }
            let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
            RulesSnapshot {
                in_force: Arc::clone(&held.in_force),
                status: RulesStatus {
                    path: self.shared.path.display().to_string(),
                    exists: held.exists,
                    version: held.version,
                    own: count(held.file.rules.len()),
                    silenced: count(held.in_force.silenced().len()),
                    problems: held.problems.clone(),
                },
            }
        })
    }

    /// When the next silence ends.
    pub(super) fn next_end(&self, now: Timestamp) -> Option<Timestamp> {
        self.with(|held| held.file.next_end(now))
    }

    /// What was read last, for people.
    pub fn view(&self, now: Timestamp) -> RulesView {
        self.with(|held| {
            let rules = held.file.rules.iter().map(|rule| OwnRule {
                signature: rule.clone(),
                sample: held.file.samples.get(&rule.id).cloned().unwrap_or_default(),
            });
            let silences = held.file.silences.iter().map(|silence| SilenceView {
                id: silence.id.clone(),
                until: silence.until,
                lasts: now < silence.until,
            });
            RulesView {
                path: self.shared.path.display().to_string(),
                exists: held.exists,
                rules: rules.collect(),
                silences: silences.collect(),
                problems: held.problems.clone(),
                notes: held.file.notes.clone(),
            }
        })
    }

    /// What keeps a draft from being a rule beside those in force.
    pub fn faults(&self, draft: &RuleDraft, replaces: Option<&str>) -> Vec<DraftFault> {
        self.with(|held| draft.faults(&held.file, replaces))
    }

    /// Whether an own rule has this id.
    pub fn has(&self, id: &str) -> bool {
        self.with(|held| held.file.rules.iter().any(|rule| rule.id == id))
    }

    /// Makes one change in the file, or none.
    pub fn apply(&self, change: &RulesEdit, now: Timestamp) -> Result<(), ErrorInfo> {
        let path = &self.shared.path;
        self.with(|held| {
            let before = read(path);
            if held.is_emptied_by(&before) {
                return Err(just_emptied());
            }
            let before = before.map_err(|problem| cannot_edit(&problem))?;
            let broken = before.as_deref().and_then(|text| parse(text).err());
            if let Some(problem) = broken.iter().flatten().next() {
                return Err(cannot_edit(problem));
            }
            let text = edit(before.as_deref(), change).map_err(|error| refused(&error))?;
            // The last word on what may be written is the reader's.
            if let Some(problem) = parse(&text).err().iter().flatten().next() {
                let reason = problem.reason.clone();
                return Err(
                    ErrorInfo::new(ErrorCode::BadRequest, reason).hint(problem.remedy.clone())
                );
            }
            files::write_atomic(path, text.as_bytes())
                .map_err(|error| cannot_write(path, &error))?;
            held.take(Ok(Some(text)), now);
            Ok(())
        })?;
        tracing::info!(path = %path.display(), "rules written");
        self.shared.edited.notify_one();
        Ok(())
    }

    /// Follows the file and the clock. The receiver starts with what is true now.
    pub fn watch(
        &self,
        tasks: &Tasks,
        clock: impl Fn() -> Timestamp + Send + 'static,
    ) -> watch::Receiver<RulesSnapshot> {
        follow::start(self.clone(), tasks, clock)
    }

    /// Resolves after an edit through this program.
    pub(super) async fn edited(&self) {
        self.shared.edited.notified().await;
    }

    fn with<T>(&self, f: impl FnOnce(&mut Held) -> T) -> T {
        f(&mut self
            .shared
            .held
            .lock()
            .unwrap_or_else(PoisonError::into_inner))
    }
}

/// The text of the file; `None` when there is no file.
type Read = Result<Option<String>, RuleProblem>;

impl Held {
    fn take(&mut self, read: Read, now: Timestamp) {
        self.exists = !matches!(read, Ok(None));
        let parsed = match read {
            Ok(text) => parse(text.as_deref().unwrap_or_default()),
            Err(problem) => Err(vec![problem]),
        };
        let file = match parsed {
            Ok(file) => file,
            Err(problems) => {
                self.problems = problems;
                return;
            }
        };
        self.problems.clear();
        if file == self.file {
            return;
        }
        self.in_force = Arc::new(if file.rules == self.file.rules {
            self.in_force.at(&file, now)
        } else {
            RulesInForce::of(&file, now)
        });
        self.file = file;
        self.version = self.version.wrapping_add(1);
    }

    fn is_emptied_by(&self, read: &Read) -> bool {
        let some = !self.file.rules.is_empty() || !self.file.silences.is_empty();
        some && matches!(read, Ok(Some(text)) if text.trim().is_empty())
    }
}

fn read(path: &Path) -> Read {
    match files::read_limited(path, settings::MAX_BYTES) {
        Ok(bytes) => match settings::text_of(&bytes) {
            Ok(text) => Ok(Some(text.to_owned())),
            Err(SettingsProblem {
                line,
                reason,
                remedy,
                ..
            }) => Err(RuleProblem {
                line,
                reason,
                remedy,
            }),
        },
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => {
            let remedy = match error.kind() {
                io::ErrorKind::FileTooLarge | io::ErrorKind::InvalidInput => {
                    "put the right file there"
                }
                _ => "give this user the right to read it",
            };
            Err(RuleProblem {
                line: None,
                reason: format!("`{}` cannot be read: {error}", path.display()),
                remedy: remedy.to_owned(),
            })
        }
    }
}

fn just_emptied() -> ErrorInfo {
    ErrorInfo::new(
        ErrorCode::Refused,
        "nothing was changed: the rules file was just emptied, perhaps by a program that writes it",
    )
    .hint("Try again in a moment.")
}

fn cannot_edit(problem: &RuleProblem) -> ErrorInfo {
    ErrorInfo::new(
        ErrorCode::Settings,
        format!("nothing was changed: the rules file has an error, fix it first ({problem})"),
    )
    .hint(problem.remedy.clone())
}

fn refused(error: &EditError) -> ErrorInfo {
    let hint = match error {
        EditError::NotToml(_) => "Correct the file first.",
        EditError::NoRule(_) | EditError::NoSilence(_) => {
            "It may have been removed meanwhile; look again."
        }
        EditError::BadTime(_) => "Choose a time before the year 10000.",
    };
    ErrorInfo::new(ErrorCode::BadRequest, error.to_string()).hint(hint)
}

fn cannot_write(path: &Path, error: &io::Error) -> ErrorInfo {
    ErrorInfo::new(
        ErrorCode::Io,
        format!(
            "the rules file `{}` cannot be written: {error}",
            path.display()
        ),
    )
    .hint("Give this user the right to write there.")
}
