//! The file itself: loading it with the last good settings kept, and editing it.

use std::{
    io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use forgekeeper_domain::{
    error::{ErrorCode, ErrorInfo},
    ids::ServiceId,
};
use tokio::sync::{Notify, watch};

use super::{
    GallerySettings, HostSettings, LOCAL_HOST, MAX_BYTES, ServiceSettings, Settings, SettingsEdit,
    SettingsProblem, SettingsSnapshot, SettingsView, edit, parse::parse, text::text_of,
    watch as watching,
};
use crate::sys::{files, tasks::Tasks};

/// What the file begins with when it is first written.
const TEMPLATE: &str = include_str!("template.toml");

/// A settings file. Clones are the same file with the same memory of its last good settings.
#[derive(Debug, Clone)]
pub struct SettingsFile {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    path: PathBuf,
    /// Held over reading, editing and writing: two edits never lose one another.
    in_force: Mutex<Option<Arc<Settings>>>,
    edited: Notify,
}

impl SettingsFile {
    /// A file that need not exist.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        let (in_force, edited) = (Mutex::new(None), Notify::new());
        Self {
            shared: Arc::new(Shared {
                path: path.into(),
                in_force,
                edited,
            }),
        }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.shared.path
    }

    /// Reads it now. While it is broken, emptied or gone, the last good settings stay in force.
    pub fn load(&self) -> SettingsSnapshot {
        self.with(|in_force| snapshot(&read(&self.shared.path), in_force))
    }

    /// Reads it, unless it is empty while services are in force: most likely a program has cut it
    /// to write it anew, and is not done yet.
    pub(super) fn load_unless_emptied(&self) -> Option<SettingsSnapshot> {
        self.with(|in_force| {
            let read = read(&self.shared.path);
            let emptied = matches!(&read, Ok(Some(text)) if is_emptied(text, in_force.as_deref()));
            (!emptied).then(|| snapshot(&read, in_force))
        })
    }

    /// Reads it for the settings page.
    pub fn view(&self) -> SettingsView {
        self.with(|in_force| {
            let read = read(&self.shared.path);
            let SettingsSnapshot {
                settings, problem, ..
            } = snapshot(&read, in_force);
            SettingsView {
                path: self.shared.path.display().to_string(),
                text: read.ok().flatten().unwrap_or_default(),
                settings: Settings::clone(&settings),
                problem,
            }
        })
    }

    /// Adds a service or changes the one with its id. Returns the file's new text.
    pub fn upsert_service(&self, service: &ServiceSettings) -> Result<String, ErrorInfo> {
        self.apply(&[SettingsEdit::UpsertService(service.clone())])
    }

    /// Takes a service out. Returns the file's new text.
    pub fn remove_service(&self, id: &ServiceId) -> Result<String, ErrorInfo> {
        self.apply(&[SettingsEdit::RemoveService(id.clone())])
    }

    /// Adds a host or changes the one with its id. Returns the file's new text.
    pub fn upsert_host(&self, host: &HostSettings) -> Result<String, ErrorInfo> {
        self.apply(&[SettingsEdit::UpsertHost(host.clone())])
    }

    /// Makes all edits in one write, or none. Returns the file's new text.
    pub fn apply(&self, edits: &[SettingsEdit]) -> Result<String, ErrorInfo> {
        let path = &self.shared.path;
        let (text, settings) = self.with(|in_force| {
            let mut text = match read(path).map_err(|problem| cannot_edit(&problem))? {
                Some(text) if !is_emptied(&text, in_force.as_deref()) => {
                    parse(&text).map_err(|problem| cannot_edit(&problem))?;
                    text
                }
                _ => written_anew(in_force.as_deref())?,
            };
            for change in edits {
                text = edit::edit(&text, change)?;
            }
            // The last word on what may be written is the reader's.
            let settings = Arc::new(parse(&text).map_err(|problem| {
                ErrorInfo::new(ErrorCode::BadRequest, problem.reason).hint(problem.remedy)
            })?);
            files::write_atomic(path, text.as_bytes())
                .map_err(|error| cannot_write(path, &error))?;
            *in_force = Some(Arc::clone(&settings));
            Ok::<_, ErrorInfo>((text, settings))
        })?;
        tracing::info!(services = settings.services.len(), "settings written");
        self.shared.edited.notify_one();
        Ok(text)
    }

    /// Follows the file. The receiver starts with what the file says now.
    pub fn watch(&self, tasks: &Tasks) -> watch::Receiver<SettingsSnapshot> {
        watching::start(self.clone(), tasks)
    }

    /// Resolves after an edit through this program.
    pub(super) async fn edited(&self) {
        self.shared.edited.notified().await;
    }

    fn with<T>(&self, f: impl FnOnce(&mut Option<Arc<Settings>>) -> T) -> T {
        f(&mut self
            .shared
            .in_force
            .lock()
            .unwrap_or_else(PoisonError::into_inner))
    }
}

/// The text, `None` when there is no file.
fn read(path: &Path) -> Result<Option<String>, SettingsProblem> {
    match files::read_limited(path, MAX_BYTES) {
        Ok(bytes) => text_of(&bytes).map(|text| Some(text.to_owned())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => {
            let remedy = match error.kind() {
                io::ErrorKind::FileTooLarge | io::ErrorKind::InvalidInput => {
                    "put the right file there, or choose another with --config"
                }
                _ => "give this user the right to read it, or choose another file with --config",
            };
            Err(SettingsProblem {
                line: None,
                column: None,
                reason: format!("`{}` cannot be read: {error}", path.display()),
                remedy: remedy.to_owned(),
            })
        }
    }
}

fn snapshot(
    read: &Result<Option<String>, SettingsProblem>,
    in_force: &mut Option<Arc<Settings>>,
) -> SettingsSnapshot {
    let exists = !matches!(read, Ok(None));
    let parsed = match read {
        Ok(Some(text)) if is_emptied(text, in_force.as_deref()) => Err(lost(
            "empty",
            "write it again (a comment alone is enough, where nothing is to be watched), or change \
             a setting here: it is then written anew",
        )),
        Ok(Some(text)) => parse(text),
        Ok(None) if has_services(in_force.as_deref()) => Err(lost(
            "gone",
            "put it back, or change a setting here: it is then written anew",
        )),
        Ok(None) => parse(""),
        Err(problem) => Err(problem.clone()),
    };
    let problem = match parsed {
        Ok(settings) => {
            if in_force.as_deref() != Some(&settings) {
                *in_force = Some(Arc::new(settings));
            }
            None
        }
        Err(problem) => Some(problem),
    };
    SettingsSnapshot {
        settings: in_force.clone().unwrap_or_default(),
        problem,
        exists,
    }
}

fn has_services(in_force: Option<&Settings>) -> bool {
    in_force.is_some_and(|settings| !settings.services.is_empty())
}

/// Without a single character where services are in force: a full disk or a writer that died in
/// the middle leave such a file, an admin does not. Believing it would stop watching everything.
fn is_emptied(text: &str, in_force: Option<&Settings>) -> bool {
    text.trim().is_empty() && has_services(in_force)
}

fn lost(how: &str, remedy: &str) -> SettingsProblem {
    SettingsProblem {
        line: None,
        column: None,
        reason: format!("the settings file is {how}; what it said stays in force"),
        remedy: remedy.to_owned(),
    }
}

fn cannot_edit(problem: &SettingsProblem) -> ErrorInfo {
    ErrorInfo::new(
        ErrorCode::Settings,
        format!("nothing was changed: the settings file has an error, fix it first ({problem})"),
    )
    .hint(problem.remedy.clone())
}

fn cannot_write(path: &Path, error: &io::Error) -> ErrorInfo {
    ErrorInfo::new(
        ErrorCode::Io,
        format!(
            "the settings file `{}` cannot be written: {error}",
            path.display()
        ),
    )
    .hint("Give this user the right to write there, or choose another file with --config.")
}

/// The text for a file that does not exist: the template, and what is in force from one that
/// existed before.
fn written_anew(in_force: Option<&Settings>) -> Result<String, ErrorInfo> {
    let mut text = TEMPLATE.to_owned();
    let Some(settings) = in_force else {
        return Ok(text);
    };
    for host in settings
        .hosts
        .iter()
        .filter(|host| host.id.as_str() != LOCAL_HOST)
    {
        text = edit::edit(&text, &SettingsEdit::UpsertHost(host.clone()))?;
    }
    for service in &settings.services {
        text = edit::edit(&text, &SettingsEdit::UpsertService(service.clone()))?;
    }
    if settings.gallery != GallerySettings::default() {
        let mib = settings.gallery.budget_mib;
        text = format!("{text}\n[gallery]\nbudget = \"{mib} MiB\"\n");
    }
    if let Some(backup) = &settings.backup {
        text = format!("{text}\n{}", edit::backup_section(backup));
    }
    Ok(text)
}
