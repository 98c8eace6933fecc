//! One run of the command line: a keeper, over the demo host or the user's settings.

use std::time::Duration;

use forgekeeper_domain::{
    error::{ErrorCode, ErrorInfo},
    ids::ServiceId,
};
use forgekeeper_keeper::{
    keeper::{Keeper, KeeperHandle, KeeperOptions, Paths},
    state::{KeeperState, ServiceState},
    sys::paths::CONFIG_VARIABLE,
};
use forgekeeper_standin::{DemoOptions, DemoSite};
use tempfile::TempDir;

use crate::args::{Cli, Command};

/// How long the first round of measurements may take: longer than every deadline within it.
pub(crate) const FIRST_ROUND: Duration = Duration::from_secs(20);
/// So long after the first round a source of cards is asked again that found nothing at first.
const SECOND_QUESTION: Duration = Duration::from_secs(3);

/// What runs while a command does its work.
pub(crate) struct Session {
    keeper: Keeper,
    demo: Option<DemoSite>,
    // Last, so that the demo's history goes when everything else has.
    folder: Option<TempDir>,
}

/// A folder for the demo host that nobody can have prepared, and that goes with it.
pub(crate) fn demo_folder() -> Result<TempDir, ErrorInfo> {
    tempfile::Builder::new()
        .prefix("forgekeeper-demo-")
        .tempdir()
        .map_err(|error| {
            ErrorInfo::new(
                ErrorCode::Io,
                "no folder could be made for the demo host's files",
            )
            .hint("Check that the folder for temporary files may be written to.")
            .detail(error.to_string())
        })
}

impl Session {
    /// Starts the keeper.
    pub(crate) async fn open(cli: &Cli) -> Result<Self, ErrorInfo> {
        let paths = Paths::default_for(cli.config.clone());
        if !cli.demo {
            refuse_missing_settings(cli, &paths)?;
            let options = KeeperOptions::for_file(paths).with_couriers(None);
            let keeper = Keeper::start(options.for_one_command()).await?;
            let session = Self {
                keeper,
                demo: None,
                folder: None,
            };
            session.refuse_broken_settings()?;
            return Ok(session);
        }
        let site = DemoSite::start(DemoOptions::default())
            .await
            .map_err(|error| {
                ErrorInfo::new(ErrorCode::Io, "the demo host could not be started")
                    .detail(error.to_string())
            })?;
        let folder = demo_folder()?;
        let paths = Paths {
            data_dir: folder.path().to_owned(),
            ..paths
        };
        let options = KeeperOptions::for_demo(paths, "demo host".to_owned(), site.config_toml())
            .with_plan(site.plan_toml());
        let keeper = Keeper::start(options).await?;
        Ok(Self {
            keeper,
            demo: Some(site),
            folder: Some(folder),
        })
    }

    /// The keeper's door.
    pub(crate) fn handle(&self) -> KeeperHandle {
        self.keeper.handle()
    }

    /// The state once everything was measured once, or as far as it could be.
    pub(crate) async fn measured(&self) -> KeeperState {
        let handle = self.handle();
        handle.settled(FIRST_ROUND).await;
        let state = handle.state();
        let state = std::sync::Arc::clone(&state.borrow());
        (*state).clone()
    }

    /// Waits until every service is measured and the cards of every host are read, or time is up.
    pub(crate) async fn cards_read(&self) {
        let handle = self.handle();
        // The first question may have come before any container was known to ask it in.
        handle.settled(FIRST_ROUND).await;
        let mut state = handle.state();
        let read = state.wait_for(|s| s.hosts.iter().all(|h| !h.gpus.cards.is_empty()));
        // Past the deadline they are said to be unknown; a closed channel means shutdown.
        let _ = tokio::time::timeout(SECOND_QUESTION, read).await;
    }

    /// An error unless the settings name this service; nothing is measured for it.
    pub(crate) fn known(&self, id: &ServiceId) -> Result<(), ErrorInfo> {
        let handle = self.handle();
        let settings = handle.settings().settings;
        if settings.services.iter().any(|s| s.id == *id) {
            return Ok(());
        }
        Err(handle.unknown_service(id))
    }

    /// A service of the measured state.
    pub(crate) async fn service(&self, id: &ServiceId) -> Result<ServiceState, ErrorInfo> {
        self.known(id)?;
        let mut services = self.measured().await.services.into_iter();
        services
            .find(|s| s.id == *id)
            .ok_or_else(|| self.handle().unknown_service(id))
    }

    /// Ends everything in order.
    pub(crate) async fn close(self) {
        let left = self.keeper.shutdown().await;
        if !left.is_empty() {
            tracing::warn!(tasks = ?left, "did not end in time");
        }
        if let Some(site) = self.demo {
            site.shutdown().await;
        }
        if let Some(Err(error)) = self.folder.map(TempDir::close) {
            tracing::warn!(%error, "the demo's folder was left behind");
        }
    }

    /// A one-shot command must not go on with settings other than those in the file.
    fn refuse_broken_settings(&self) -> Result<(), ErrorInfo> {
        let view = self.handle().settings();
        match view.problem {
            None => Ok(()),
            Some(problem) => Err(ErrorInfo::new(
                ErrorCode::Settings,
                format!("{}: {problem}", view.path),
            )
            .hint(problem.remedy)),
        }
    }
}

/// A file that somebody named must exist: without it, nothing would be watched and all be well.
fn refuse_missing_settings(cli: &Cli, paths: &Paths) -> Result<(), ErrorInfo> {
    if paths.config_file.exists() {
        return Ok(());
    }
    let hint = if cli.config.is_some() {
        "Check the path given with --config.".to_owned()
    } else if std::env::var_os(CONFIG_VARIABLE).is_none_or(|path| path.is_empty())
        // Before the first start there is none, and this looks for what will stand in it.
        || matches!(cli.command, Command::Discover)
    {
        return Ok(());
    } else {
        format!("Check the path in the variable {CONFIG_VARIABLE}, or unset it.")
    };
    Err(ErrorInfo::new(
        ErrorCode::Settings,
        format!("{} does not exist", paths.config_file.display()),
    )
    .hint(hint))
}
