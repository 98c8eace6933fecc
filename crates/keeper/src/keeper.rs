//! Builds and owns every actor, hands out handles, shuts them down in order.

use std::{path::PathBuf, sync::Arc, time::Duration};

use forgekeeper_domain::{
    Timestamp,
    error::{ErrorCode, ErrorInfo},
    incident::Incident,
};
use tokio::sync::{broadcast, mpsc, watch};

use crate::{
    clients::{courier::Courier, http::Http},
    config::Vaults,
    event::KeeperEvent,
    jobs::Jobs,
    logs::{archive::Keeping, runtime},
    media::{pictures::PictureStore, preview::Previews},
    migration::{Migration, OwnPlanFile, Steps},
    presets::OwnPresets,
    rules::OwnRules,
    secrets::Secrets,
    settings::{SettingsFile, SettingsSnapshot},
    state::{KeeperState, RulesStatus, SettingsStatus},
    store::{Store, journal::JournalEntry},
    sys::{clock, presence::Presence, tasks::Tasks},
    watch::{
        config::Claims,
        facts::Report,
        overseer::{Outlets, Overseer},
    },
    workflows::OwnWorkflows,
};

mod availability;
mod backup;
mod clients;
mod config;
mod contact_sheet;
mod doors;
mod gallery;
mod generations;
mod golden;
mod gpu_past;
mod handle;
mod history;
mod log_groups;
mod log_rules;
mod log_save;
mod log_search;
mod migration;
mod models;
mod parts;
mod placement;
mod room;
mod roster;
mod save;
mod workflows;

pub use crate::sys::paths::{MIGRATION_FILE, PRESETS_FILE, Paths, RULES_FILE, WORKFLOWS_FOLDER};
pub use backup::{BackupNow, BackupWish};
pub use config::{
    DamagedSnapshot, ItemCheck, LastRestore, OpenRestore, RestoreTrace, RestoreView, SnapshotCheck,
    SnapshotEntry, SnapshotPage, SnapshotView, TracedFile,
};
pub use handle::KeeperHandle;
pub use log_groups::LogGroups;
pub use log_save::{LogSave, LogToSave};
pub use log_search::LogSearch;
pub use models::InventoryOf;

use backup::Backups;
use handle::Inner;
use roster::{Roster, StoredLogs, Surroundings};

/// Reports on their way to the overseer.
const REPORTS_BOUND: usize = 1024;
/// Announcements a slow listener may be behind; the snapshot repeats what it missed.
const EVENTS_BOUND: usize = 256;
/// How long tasks may take to end.
const SHUTDOWN_DEADLINE: Duration = Duration::from_secs(5);

/// Where the settings come from.
#[derive(Debug, Clone)]
pub enum SettingsSource {
    /// `forgekeeper.toml`, re-read when it changes.
    File(PathBuf),
    /// A text that does not change: the demo host's.
    Text {
        /// Shown instead of a path.
        label: String,
        /// TOML.
        text: String,
    },
}

/// How a keeper is to run.
#[derive(Debug, Clone)]
pub struct KeeperOptions {
    /// Folders.
    pub paths: Paths,
    /// Settings.
    pub settings: SettingsSource,
    /// Whether somebody looks: sampling is slower when nobody does.
    pub visible: bool,
    /// Keep secrets in memory only: the demo host never touches the user's keyring.
    pub secrets_in_memory: bool,
    /// Whether its start and the incidents it sees belong in the journal. A single look sees the
    /// same incidents open each time, and would tell them each time.
    pub keeps_journal: bool,
    /// What becomes of the services' logs.
    pub logs: LogKeeping,
    /// A program that calls [`carry_if_asked`](crate::clients::courier::carry_if_asked) first of all:
    /// it carries what must be answered even when this program ends. Without one this program does so
    /// itself, and the answer is lost with it.
    pub courier: Option<PathBuf>,
    /// What the steps of the migration can do.
    pub steps: Steps,
    /// What the owner's plan says where there is none yet.
    pub plan: Option<String>,
}

/// What a keeper does with the logs that it follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogKeeping {
    /// Every line is stored, behind what was stored before.
    Stored(Keeping),
    /// The same, and the folder is emptied first: the demo host's containers are new each time.
    StoredAnew(Keeping),
    /// What was stored is read; nothing is added. A single command is no chronicler.
    Read,
}

impl KeeperOptions {
    /// The usual run over the settings file.
    pub fn for_file(paths: Paths) -> Self {
        let settings = SettingsSource::File(paths.config_file.clone());
        Self {
            paths,
            settings,
            visible: true,
            secrets_in_memory: false,
            keeps_journal: true,
            logs: LogKeeping::Stored(Keeping::default()),
            courier: None,
            steps: Steps::built(),
            plan: None,
        }
    }

    /// The same for one command: actions are journalled, what is seen on the way is not.
    #[must_use]
    pub fn for_one_command(self) -> Self {
        Self {
            keeps_journal: false,
            logs: LogKeeping::Read,
            ..self
        }
    }

    /// The same with couriers: this very program, whose `main` lets them through first of all, or one of
    /// this name beside it that does so, too, and is faster at it.
    #[must_use]
    pub fn with_couriers(self, rather: Option<&str>) -> Self {
        let courier = match std::env::current_exe() {
            Ok(program) => {
                let name = rather.map(|name| format!("{name}{}", std::env::consts::EXE_SUFFIX));
                let beside = name.map(|name| program.with_file_name(name));
                beside.filter(|path| path.is_file()).or(Some(program))
            }
            Err(error) => {
                tracing::warn!(%error, "this program does not find itself: it sends no couriers");
                None
            }
        };
        Self { courier, ..self }
    }

    /// The same with a plan for the migration where there is none yet.
    #[must_use]
    pub fn with_plan(self, text: String) -> Self {
        Self {
            plan: Some(text),
            ..self
        }
    }

    /// A run over the demo host's settings, with its history in a folder of its own.
    pub fn for_demo(mut paths: Paths, label: String, text: String) -> Self {
        paths.data_dir = paths.data_dir.join("demo");
        Self {
            paths,
            settings: SettingsSource::Text { label, text },
            visible: true,
            secrets_in_memory: true,
            keeps_journal: true,
            logs: LogKeeping::StoredAnew(Keeping::default()),
            // The demo host ends with this program: nothing could be carried on.
            courier: None,
            steps: Steps::built(),
            plan: None,
        }
    }
}

/// A running keeper. Dropping it cancels its tasks; [`Keeper::shutdown`] also waits for them.
#[derive(Debug)]
pub struct Keeper {
    tasks: Tasks,
    handle: KeeperHandle,
}

impl Keeper {
    /// Starts every actor. Nothing is measured yet when this returns.
    pub async fn start(options: KeeperOptions) -> Result<Keeper, ErrorInfo> {
        let tasks = Tasks::new();
        // Also when the caller does not wait for the end of the start.
        let abandoned = tasks.token().drop_guard();
        let started = Self::start_in(tasks.clone(), options).await;
        if started.is_err() {
            tasks.shutdown(SHUTDOWN_DEADLINE).await;
        } else {
            abandoned.disarm();
        }
        started
    }

    async fn start_in(tasks: Tasks, options: KeeperOptions) -> Result<Keeper, ErrorInfo> {
        let (store, note) = Store::open(&options.paths.data_dir).await?;
        let pictures = PictureStore::open(options.paths.data_dir.join("pictures")).await?;
        let http = Http::new().map_err(|e| {
            ErrorInfo::new(ErrorCode::Internal, "no HTTP client could be made")
                .detail(e.to_string())
        })?;
        let secrets = Secrets::open(options.secrets_in_memory);
        let OpenSettings {
            file: settings_file,
            fixed: fixed_settings,
            settings,
            label,
        } = open_settings(&options.settings, &tasks)?;
        let first = settings.borrow().clone();
        let own_rules = OwnRules::new(beside_settings(&options, RULES_FILE));
        let own_presets = OwnPresets::new(beside_settings(&options, PRESETS_FILE));
        let own_workflows = OwnWorkflows::new(beside_settings(&options, WORKFLOWS_FOLDER));
        let plan_file = OwnPlanFile::new(beside_settings(&options, MIGRATION_FILE));
        if let Some(text) = &options.plan {
            plan_file.begin(text);
        }
        plan_file.follow(&tasks);
        let rules = own_rules.watch(&tasks, clock::now);
        let rules_status = rules.borrow().status.clone();

        let (publish, state) =
            watch::channel(Arc::new(empty_state(&first, &label, rules_status.clone())));
        let (events, _) = broadcast::channel(EVENTS_BOUND);
        let (reports, inbox) = mpsc::channel(REPORTS_BOUND);
        let (visible, _) = watch::channel(options.visible);
        let (journal, journalled) = mpsc::unbounded_channel();
        let outlets = Outlets {
            state: publish,
            events: events.clone(),
            journal,
        };
        let overseer = Overseer::new(first, label, rules_status, outlets, visible.subscribe());
        tasks.spawn("overseer", overseer.run(inbox, tasks.token()));

        let vaults = Vaults::new(&options.paths.data_dir, secrets.clone());
        let stored_logs = StoredLogs::new(&options.paths.data_dir, options.logs);
        let roster = Roster::new(Surroundings {
            tasks: tasks.child(),
            reports: reports.clone(),
            http: http.clone(),
            secrets: secrets.clone(),
            store: store.clone(),
            visible: visible.subscribe(),
            state: state.clone(),
            log_runtime: runtime::start(&tasks)?,
            stored_logs,
            rules: rules.clone(),
            vaults: vaults.clone(),
            claims: Claims::default(),
            keeps_history: options.keeps_journal,
        });
        tasks.spawn(
            "roster",
            roster::follow(roster.clone(), settings.clone(), tasks.token()),
        );
        if options.keeps_journal {
            tasks.spawn(
                "history",
                history::journal_incidents(store.clone(), journalled, tasks.token()),
            );
            tasks.spawn(
                "minutes of services",
                availability::keep(store.clone(), state.clone(), tasks.token()),
            );
        }
        log_rules::tell(&tasks, rules, reports.clone());
        {
            let (secrets, reports) = (secrets.clone(), reports.clone());
            tasks.spawn("keyring", async move {
                let available = secrets.keyring_available().await;
                // A closed channel means shutdown.
                let _ = reports.send(Report::Keyring(available)).await;
            });
        }
        let presence = Arc::new(Presence::new(options.paths.data_dir.join("running")));
        let handle = KeeperHandle::new(Inner {
            tasks: tasks.clone(),
            state,
            events,
            reports,
            visible,
            roster,
            jobs: Jobs::default(),
            http,
            secrets,
            store: store.clone(),
            pictures,
            previews: Previews::default(),
            settings_file,
            fixed_text: match options.settings {
                SettingsSource::Text { text, .. } => text,
                SettingsSource::File(_) => String::new(),
            },
            settings,
            fixed_settings,
            own_rules,
            own_presets,
            own_workflows,
            backups: Backups::default(),
            config: vaults,
            migration: Migration::new(plan_file, options.steps),
            courier: Courier::new(
                &options.paths.data_dir.join("courier"),
                options.courier.as_deref(),
                Arc::clone(&presence),
            ),
            presence,
            data_dir: options.paths.data_dir,
        });
        tasks.spawn(
            "services at rest",
            handle.clone().keep_resting(tasks.token()),
        );
        // One command does not tidy up after others.
        if options.keeps_journal {
            handle.mend_gallery();
            handle.take_up_generations();
            let daily = handle.clone().keep_daily(tasks.token());
            tasks.spawn("daily snapshots", daily);
            let settling = handle.clone().settle_interrupted(tasks.token());
            tasks.spawn("interrupted restores", settling);
            let migration = handle.clone().keep_migration(tasks.token());
            tasks.spawn("migration", Box::pin(migration));
        }
        let started = options
            .keeps_journal
            .then(|| "Forgekeeper started".to_owned());
        if let Some(text) = note.or(started) {
            let opening = JournalEntry {
                at: clock::now(),
                kind: "start".to_owned(),
                subject: None,
                text,
                detail: None,
            };
            // A full disk must not forbid watching.
            if let Err(error) = store.append_journal(opening).await {
                tracing::error!(%error, "the journal cannot be written");
            }
        }
        Ok(Keeper { tasks, handle })
    }

    /// The door for the window, the command line and the tests.
    pub fn handle(&self) -> KeeperHandle {
        self.handle.clone()
    }

    /// Ends every task, then closes the store. Tasks that did not end in time are named.
    pub async fn shutdown(self) -> Vec<&'static str> {
        let left = self.tasks.shutdown(SHUTDOWN_DEADLINE).await;
        self.handle.close_store().await;
        generations::leave(&self.handle.inner);
        left
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        self.tasks.cancel();
        generations::leave(&self.handle.inner);
    }
}

struct OpenSettings {
    file: Option<SettingsFile>,
    /// Where there is no file.
    fixed: Option<watch::Sender<SettingsSnapshot>>,
    settings: watch::Receiver<SettingsSnapshot>,
    label: String,
}

fn open_settings(source: &SettingsSource, tasks: &Tasks) -> Result<OpenSettings, ErrorInfo> {
    match source {
        SettingsSource::File(path) => {
            let file = SettingsFile::new(path.clone());
            let settings = file.watch(tasks);
            Ok(OpenSettings {
                file: Some(file),
                fixed: None,
                settings,
                label: path.display().to_string(),
            })
        }
        SettingsSource::Text { label, text } => {
            let settings = crate::settings::parse(text).map_err(|problem| {
                ErrorInfo::new(ErrorCode::Settings, problem.to_string()).hint(problem.remedy)
            })?;
            let snapshot = SettingsSnapshot {
                settings: Arc::new(settings),
                problem: None,
                exists: true,
            };
            let (fixed, settings) = watch::channel(snapshot);
            Ok(OpenSettings {
                file: None,
                fixed: Some(fixed),
                settings,
                label: label.clone(),
            })
        }
    }
}

/// The other files of the user are beside the settings; those of the demo host are beside its history.
fn beside_settings(options: &KeeperOptions, name: &str) -> PathBuf {
    match &options.settings {
        SettingsSource::File(path) => path.with_file_name(name),
        SettingsSource::Text { .. } => options.paths.data_dir.join(name),
    }
}

fn empty_state(settings: &SettingsSnapshot, path: &str, rules: RulesStatus) -> KeeperState {
    KeeperState {
        revision: 0,
        at: Timestamp::UNIX_EPOCH,
        demo: settings.settings.demo,
        hosts: Vec::new(),
        services: Vec::new(),
        incidents: Vec::<Incident>::new(),
        jobs: Vec::new(),
        settings: SettingsStatus {
            path: path.to_owned(),
            exists: settings.exists,
            problem: settings.problem.clone(),
            keyring_available: None,
        },
        rules,
    }
}

/// The kind of announcements, for those who only follow changes.
pub type Events = broadcast::Receiver<KeeperEvent>;
