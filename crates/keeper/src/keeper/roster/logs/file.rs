//! When the stream of a log stands still while its program works, the program's own file is read
//! inside the container.

use std::{sync::Arc, time::Duration};

use forgekeeper_domain::ids::ServiceId;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::Runs;
use crate::{
    docker::{DockerError, Engine, ExecOutput},
    logs::{BesideEnd, FileDoor, Renewal as _, ServiceLog, read_beside},
    state::KeeperState,
};

/// A file that could not be read, and one that was left, is not read again before this time.
const AGAIN: Duration = Duration::from_secs(30);
/// Between two looks: each starts a process in the container.
const EVERY: Duration = Duration::from_secs(1);
/// The same where each look may take a login.
const EVERY_SSH: Duration = Duration::from_secs(8);
/// How long a look may take; both commands read a few bytes.
const DEADLINE: Duration = Duration::from_secs(10);
/// The most that one look brings; the next one goes on behind it.
const LOOK_BYTES: usize = 4 << 20;

/// What the reading of a service's file needs.
pub(super) struct Beside {
    pub(super) service: ServiceId,
    pub(super) state: watch::Receiver<Arc<KeeperState>>,
    pub(super) engines: watch::Receiver<Option<Engine>>,
    pub(super) runs: Runs,
    pub(super) files: &'static [&'static str],
}

/// Reads the file whenever the log is silent, until `stop`.
pub(super) async fn follow(log: ServiceLog, mut of: Beside, stop: CancellationToken) {
    if of.files.is_empty() {
        return;
    }
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = is(&mut of.state, &of.service, true) => {}
        }
        tokio::select! {
            () = stop.cancelled() => {}
            () = of.read(&log) => {}
        }
        log.leave_file();
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(AGAIN) => {}
            () = is(&mut of.state, &of.service, false) => log.forget_file_error(),
        }
    }
}

/// Waits until a log is silent, or is not. Who cannot tell any more never does.
async fn is(state: &mut watch::Receiver<Arc<KeeperState>>, id: &ServiceId, silent: bool) {
    let so = |state: &Arc<KeeperState>| {
        let service = state.services.iter().find(|service| service.id == *id);
        service.is_some_and(|service| service.log.silent) == silent
    };
    if state.wait_for(so).await.is_err() {
        std::future::pending::<()>().await;
    }
}

impl Beside {
    /// Reads until the stream speaks, the container runs anew, or it does not work.
    async fn read(&mut self, log: &ServiceLog) {
        let run = self.runs.run();
        let Some(name) = self.runs.real_name() else {
            return;
        };
        let Some(engine) = self.engines.borrow_and_update().clone() else {
            return;
        };
        let door = ExecDoor {
            container: name,
            engine,
        };
        let renewed = async {
            while self.runs.run() == run {
                self.runs.changed().await;
            }
        };
        tokio::select! {
            end = read_beside(log, &door, self.files) => {
                if let BesideEnd::Failed(reason) = end {
                    tracing::warn!(service = %self.service, reason, "no file can be read instead of the silent log");
                }
            }
            () = renewed => {}
            () = door.engine.given_up().cancelled() => {}
        }
    }
}

/// Files as commands inside the container see them.
struct ExecDoor {
    engine: Engine,
    container: String,
}

impl ExecDoor {
    async fn run(&self, argv: &[&str]) -> Result<Option<ExecOutput>, String> {
        let told = self
            .engine
            .exec(&self.container, argv, DEADLINE, LOOK_BYTES);
        let output = told.await.map_err(|error: DockerError| error.to_string())?;
        match output.exit_code {
            Some(0) => Ok(Some(output)),
            None if output.truncated => Ok(Some(output)),
            Some(1) => Ok(None),
            _ => {
                let words = output.stderr_text() + &output.stdout_text();
                Err(format!("`{}`: {}", argv.join(" "), words.trim()))
            }
        }
    }
}

impl FileDoor for ExecDoor {
    async fn size(&self, path: &str) -> Result<Option<u64>, String> {
        let Some(output) = self.run(&["wc", "-c", path]).await? else {
            return Ok(None);
        };
        let text = output.stdout_text();
        let size = text.split_whitespace().next().and_then(|n| n.parse().ok());
        size.map(Some)
            .ok_or_else(|| format!("`wc -c {path}` does not tell a size"))
    }

    async fn read(&self, path: &str, from: u64) -> Result<Option<Vec<u8>>, String> {
        let place = format!("+{}", from.saturating_add(1));
        let output = self.run(&["tail", "-c", &place, path]).await?;
        Ok(output.map(|output| output.stdout))
    }

    fn every(&self) -> Duration {
        if self.engine.resolved().endpoint.is_ssh() {
            EVERY_SSH
        } else {
            EVERY
        }
    }
}
