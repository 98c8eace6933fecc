//! Commands inside a container: argv in, output and exit code out, within a deadline and a limit.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use bollard::{
    container::LogOutput,
    exec::{CreateExecOptions, StartExecOptions, StartExecResults},
};
use futures_util::StreamExt as _;

use super::{
    engine::{Engine, connection_given_up, container_name},
    error::DockerError,
};

/// How often the exit code is asked for while the engine still calls the command running.
const EXIT_CODE_TRIES: u32 = 20;

/// What a command left behind.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ExecOutput {
    /// Standard output.
    pub stdout: Vec<u8>,
    /// Standard error.
    pub stderr: Vec<u8>,
    /// Exit code; `None` when the output was cut before the command ended.
    pub exit_code: Option<i64>,
    /// Output beyond the limit was thrown away.
    pub truncated: bool,
}

impl ExecOutput {
    /// Standard output as text.
    pub fn stdout_text(&self) -> String {
        String::from_utf8_lossy(&self.stdout).into_owned()
    }

    /// Standard error as text.
    pub fn stderr_text(&self) -> String {
        String::from_utf8_lossy(&self.stderr).into_owned()
    }
}

/// Commands given up while they ran, by container and argv. Docker cannot end them, so each is
/// remembered and never started a second time beside itself.
#[derive(Debug, Default)]
pub(crate) struct HungExecs {
    ids: Mutex<HashMap<String, String>>,
}

impl HungExecs {
    fn with<T>(&self, f: impl FnOnce(&mut HashMap<String, String>) -> T) -> T {
        f(&mut self.ids.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// A command that was started; forgotten before its end, however that comes, it counts as hung.
struct Begun {
    engine: Engine,
    key: String,
    id: String,
    ended: bool,
}

impl Drop for Begun {
    fn drop(&mut self) {
        if !self.ended {
            let (key, id) = (std::mem::take(&mut self.key), std::mem::take(&mut self.id));
            self.engine.hung().with(|ids| ids.insert(key, id));
        }
    }
}

impl Engine {
    /// Runs a command as the container's user. At the deadline the answer is given up; Docker has
    /// no way to end the command itself, so run only what ends by itself. While one that was given
    /// up still runs, the same one is not started again.
    pub async fn exec(
        &self,
        container: &str,
        argv: &[&str],
        deadline: Duration,
        max_output: usize,
    ) -> Result<ExecOutput, DockerError> {
        let container = container_name(container)?;
        let key = format!("{container}\0{}", argv.join("\0"));
        self.refuse_while_running(&key, argv).await?;
        tokio::select! {
            done = tokio::time::timeout(deadline, self.run(container, argv, max_output, key)) => {
                done.unwrap_or(Err(DockerError::Timeout { what: "exec", deadline }))
            }
            () = self.given_up().cancelled() => Err(connection_given_up()),
        }
    }

    async fn refuse_while_running(&self, key: &str, argv: &[&str]) -> Result<(), DockerError> {
        let Some(id) = self.hung().with(|ids| ids.get(key).cloned()) else {
            return Ok(());
        };
        let asked = self.docker().inspect_exec(&id);
        match self.ask("exec", self.deadlines().question, asked).await {
            Ok(found) if found.running == Some(true) => Err(DockerError::StillRunning {
                command: argv.iter().copied().take(2).collect::<Vec<_>>().join(" "),
            }),
            Err(error) if error.is_connection() => Err(error),
            // It ended, or went with its container.
            Ok(_) | Err(_) => {
                self.hung().with(|ids| ids.remove(key));
                Ok(())
            }
        }
    }

    async fn run(
        &self,
        container: &str,
        argv: &[&str],
        max_output: usize,
        key: String,
    ) -> Result<ExecOutput, DockerError> {
        let failed = |error| DockerError::from_bollard("exec", &error);
        let options = CreateExecOptions {
            attach_stdout: Some(true),
            attach_stderr: Some(true),
            cmd: Some(argv.to_vec()),
            ..CreateExecOptions::default()
        };
        let exec = self
            .docker()
            .create_exec(container, options)
            .await
            .map_err(failed)?;
        let mut begun = Begun {
            engine: self.clone(),
            key,
            id: exec.id,
            ended: false,
        };
        let started = self
            .docker()
            .start_exec(&begun.id, None::<StartExecOptions>)
            .await
            .map_err(failed)
            .inspect_err(|error| begun.ended = !error.is_connection())?;
        let mut found = ExecOutput::default();
        if let StartExecResults::Attached { mut output, input } = started {
            // A command that reads finds the end at once.
            drop(input);
            while let Some(piece) = output.next().await {
                let (target, bytes) = match piece.map_err(failed)? {
                    LogOutput::StdErr { message } => (&mut found.stderr, message),
                    LogOutput::StdOut { message } | LogOutput::Console { message } => {
                        (&mut found.stdout, message)
                    }
                    LogOutput::StdIn { .. } => continue,
                };
                let room = max_output.saturating_sub(target.len());
                target.extend_from_slice(&bytes[..bytes.len().min(room)]);
                if bytes.len() > room {
                    found.truncated = true;
                    return Ok(found);
                }
            }
        }
        (begun.ended, found.exit_code) = self.end_of(&begun.id).await?;
        Ok(found)
    }

    /// Whether a command ended, and its exit code. The engine may call it running for a moment
    /// after its output ended.
    async fn end_of(&self, exec: &str) -> Result<(bool, Option<i64>), DockerError> {
        for _ in 0..EXIT_CODE_TRIES {
            let found = self
                .docker()
                .inspect_exec(exec)
                .await
                .map_err(|error| DockerError::from_bollard("exec", &error))?;
            if found.running != Some(true) {
                return Ok((true, found.exit_code));
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Ok((false, None))
    }
}
