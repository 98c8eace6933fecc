//! Start, stop, restart, kill. Each answers when the engine has done it, or says why not.

use std::time::Duration;

use bollard::query_parameters::{
    KillContainerOptions, RestartContainerOptions, StopContainerOptions,
};

use super::{
    engine::{Engine, container_name},
    error::DockerError,
};

impl Engine {
    /// Starts a container; one that runs already is left as it is.
    pub async fn start(&self, container: &str) -> Result<(), DockerError> {
        let container = container_name(container)?;
        let asked = self.docker().start_container(container, None);
        self.ask("start", self.deadlines().action, asked).await
    }

    /// Asks PID 1 to end, and kills it after so many seconds.
    pub async fn stop(&self, container: &str, grace_s: u32) -> Result<(), DockerError> {
        let container = container_name(container)?;
        let options = StopContainerOptions {
            signal: None,
            t: Some(seconds(grace_s)),
        };
        let asked = self.docker().stop_container(container, Some(options));
        self.ask("stop", self.deadline_after(grace_s), asked).await
    }

    /// Stops and starts.
    pub async fn restart(&self, container: &str, grace_s: u32) -> Result<(), DockerError> {
        let container = container_name(container)?;
        let options = RestartContainerOptions {
            signal: None,
            t: Some(seconds(grace_s)),
        };
        let asked = self.docker().restart_container(container, Some(options));
        self.ask("restart", self.deadline_after(grace_s), asked)
            .await
    }

    /// Kills PID 1 at once, without a chance to save anything.
    pub async fn kill(&self, container: &str) -> Result<(), DockerError> {
        let container = container_name(container)?;
        let options = KillContainerOptions {
            signal: "SIGKILL".to_owned(),
        };
        let asked = self.docker().kill_container(container, Some(options));
        self.ask("kill", self.deadlines().action, asked).await
    }

    fn deadline_after(&self, grace_s: u32) -> Duration {
        self.deadlines().action + Duration::from_secs(u64::from(grace_s))
    }
}

fn seconds(grace_s: u32) -> i32 {
    i32::try_from(grace_s).unwrap_or(i32::MAX)
}
