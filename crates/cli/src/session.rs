//! One run of the command line: a keeper, over the demo host or the user's settings.

use std::time::Duration;

use forgekeeper_domain::{
    error::{ErrorCode, ErrorInfo},
    ids::ServiceId,
};
use forgekeeper_keeper::{
    keeper::{Keeper, KeeperHandle, KeeperOptions, Paths},
    state::{KeeperState, ServiceState},
};
use forgekeeper_standin::{DemoOptions, DemoSite};

use crate::args::Cli;

/// How long the first round of measurements may take: longer than every deadline within it.
pub(crate) const FIRST_ROUND: Duration = Duration::from_secs(20);

/// What runs while a command does its work.
pub(crate) struct Session {
    keeper: Keeper,
    demo: Option<DemoSite>,
    // Last, so that the demo's history goes when everything else has.
    _folder: Option<DemoFolder>,
}

/// The demo host's history leaves nothing behind.
struct DemoFolder(std::path::PathBuf);

impl Drop for DemoFolder {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_dir_all(&self.0) {
            tracing::warn!(%error, folder = %self.0.display(), "was left behind");
        }
    }
}

impl Session {
    /// Starts the keeper.
    pub(crate) async fn open(cli: &Cli) -> Result<Self, ErrorInfo> {
        let paths = Paths::default_for(cli.config.clone());
        if !cli.demo {
            if cli.config.is_some() && !paths.config_file.exists() {
                return Err(ErrorInfo::new(
                    ErrorCode::Settings,
                    format!("{} does not exist", paths.config_file.display()),
                )
                .hint("Check the path given with --config."));
            }
            let keeper = Keeper::start(KeeperOptions::for_file(paths)).await?;
            let session = Self {
                keeper,
                demo: None,
                _folder: None,
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
        let data_dir =
            std::env::temp_dir().join(format!("forgekeeper-demo-{}", std::process::id()));
        let folder = DemoFolder(data_dir.clone());
        let paths = Paths { data_dir, ..paths };
        let options = KeeperOptions::for_demo(paths, "demo host".to_owned(), site.config_toml());
        let keeper = Keeper::start(options).await?;
        Ok(Self {
            keeper,
            demo: Some(site),
            _folder: Some(folder),
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

    /// A service of the measured state.
    pub(crate) async fn service(&self, id: &ServiceId) -> Result<ServiceState, ErrorInfo> {
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
