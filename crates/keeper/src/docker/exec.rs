//! Commands inside a container: argv in, output and exit code out, within a deadline and a limit.

use std::time::Duration;

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

impl Engine {
    /// Runs a command as the container's user. At the deadline the answer is given up; Docker has
    /// no way to end the command itself, so run only what ends by itself.
    pub async fn exec(
        &self,
        container: &str,
        argv: &[&str],
        deadline: Duration,
        max_output: usize,
    ) -> Result<ExecOutput, DockerError> {
        let container = container_name(container)?;
        tokio::select! {
            done = tokio::time::timeout(deadline, self.run(container, argv, max_output)) => {
                done.unwrap_or(Err(DockerError::Timeout { what: "exec", deadline }))
            }
            () = self.given_up().cancelled() => Err(connection_given_up()),
        }
    }

    async fn run(
        &self,
        container: &str,
        argv: &[&str],
        max_output: usize,
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
        let started = self
            .docker()
            .start_exec(&exec.id, None::<StartExecOptions>)
            .await
            .map_err(failed)?;
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
        found.exit_code = self.exit_code(&exec.id).await?;
        Ok(found)
    }

    /// The engine may call a command running for a moment after its output ended.
    async fn exit_code(&self, exec: &str) -> Result<Option<i64>, DockerError> {
        for _ in 0..EXIT_CODE_TRIES {
            let found = self
                .docker()
                .inspect_exec(exec)
                .await
                .map_err(|error| DockerError::from_bollard("exec", &error))?;
            if found.running != Some(true) {
                return Ok(found.exit_code);
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Ok(None)
    }
}
