//! Running a program: arguments as they are, a deadline, a limit on its output, no shell.

use std::{ffi::OsStr, process::Stdio, time::Duration};

use forgekeeper_domain::error::{ErrorCode, ErrorInfo};
use tokio::io::{AsyncRead, AsyncReadExt};

/// `CREATE_NO_WINDOW`: a console program must not flash a window over the application.
#[cfg(windows)]
const CREATE_NO_WINDOW: u32 = 0x0800_0000;

/// What a program left behind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProcessOutput {
    /// Exit code; `None` when a signal ended it.
    pub code: Option<i32>,
    /// Standard output, at most as many bytes as were allowed.
    pub stdout: Vec<u8>,
    /// Standard error, at most as many bytes as were allowed.
    pub stderr: Vec<u8>,
    /// Whether more came than was kept.
    pub truncated: bool,
}

impl ProcessOutput {
    /// Whether it ended with 0.
    pub fn success(&self) -> bool {
        self.code == Some(0)
    }
}

/// Why a program gave no output.
#[derive(Debug, thiserror::Error)]
pub enum ProcessError {
    /// There is no such program, or it may not be run.
    #[error("`{program}` cannot be started: {source}")]
    Start {
        /// As asked for.
        program: String,
        /// The system's words.
        source: std::io::Error,
    },
    /// It ran longer than allowed and was ended.
    #[error("`{program}` did not end within {} ms", deadline.as_millis())]
    Deadline {
        /// As asked for.
        program: String,
        /// The time allowed.
        deadline: Duration,
    },
    /// Its output could not be read.
    #[error("the output of `{program}` cannot be read: {source}")]
    Output {
        /// As asked for.
        program: String,
        /// The system's words.
        source: std::io::Error,
    },
}

impl ProcessError {
    /// Whether the program does not exist on this machine.
    pub fn is_missing(&self) -> bool {
        matches!(self, Self::Start { source, .. } if source.kind() == std::io::ErrorKind::NotFound)
    }
}

impl From<ProcessError> for ErrorInfo {
    fn from(error: ProcessError) -> Self {
        ErrorInfo::new(ErrorCode::Io, error.to_string())
    }
}

/// Runs a program to its end. It is killed at the deadline, and when the future is dropped.
pub async fn run(
    program: &str,
    args: &[impl AsRef<OsStr>],
    deadline: Duration,
    max_output: usize,
) -> Result<ProcessOutput, ProcessError> {
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place that starts programs"
    )]
    let mut command = tokio::process::Command::new(program);
    command
        .args(args)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    #[cfg(windows)]
    command.creation_flags(CREATE_NO_WINDOW);
    let mut child = command.spawn().map_err(|source| ProcessError::Start {
        program: program.to_owned(),
        source,
    })?;
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let ended = tokio::time::timeout(deadline, async {
        let (out, err) = tokio::try_join!(drain(stdout, max_output), drain(stderr, max_output))?;
        let status = child.wait().await?;
        Ok((out, err, status))
    })
    .await;
    match ended {
        Ok(Ok(((stdout, more_out), (stderr, more_err), status))) => Ok(ProcessOutput {
            code: status.code(),
            stdout,
            stderr,
            truncated: more_out || more_err,
        }),
        Ok(Err(source)) => Err(ProcessError::Output {
            program: program.to_owned(),
            source,
        }),
        Err(_) => Err(ProcessError::Deadline {
            program: program.to_owned(),
            deadline,
        }),
    }
}

/// Reads to the end, keeps at most `max` bytes: a full pipe would stop the program.
async fn drain(
    pipe: Option<impl AsyncRead + Unpin>,
    max: usize,
) -> Result<(Vec<u8>, bool), std::io::Error> {
    let mut kept = Vec::new();
    let mut truncated = false;
    let Some(mut pipe) = pipe else {
        return Ok((kept, truncated));
    };
    let mut buffer = vec![0_u8; 16 * 1024];
    loop {
        let read = pipe.read(&mut buffer).await?;
        if read == 0 {
            return Ok((kept, truncated));
        }
        let take = read.min(max - kept.len());
        truncated |= take < read;
        kept.extend_from_slice(&buffer[..take]);
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    const SOON: Duration = Duration::from_secs(10);

    #[tokio::test]
    async fn output_and_exit_code_come_back() {
        let out = run("sh", &["-c", "echo out; echo err >&2; exit 3"], SOON, 100)
            .await
            .unwrap();
        assert_eq!(
            (out.code, out.stdout.as_slice(), out.stderr.as_slice()),
            (Some(3), &b"out\n"[..], &b"err\n"[..])
        );
        assert!(!out.success() && !out.truncated);
    }

    #[tokio::test]
    async fn arguments_are_not_a_shell_line() {
        let out = run("echo", &["$HOME; true"], SOON, 100).await.unwrap();
        assert_eq!(out.stdout, b"$HOME; true\n");
    }

    #[tokio::test]
    async fn output_is_limited_without_blocking_the_program() {
        let out = run("sh", &["-c", "yes | head -c 1000000"], SOON, 1000)
            .await
            .unwrap();
        assert_eq!(
            (out.stdout.len(), out.truncated, out.code),
            (1000, true, Some(0))
        );
    }

    #[tokio::test]
    async fn a_deadline_ends_it_and_a_missing_program_is_named() {
        let error = run("sleep", &["60"], Duration::from_millis(50), 10)
            .await
            .unwrap_err();
        assert!(matches!(error, ProcessError::Deadline { .. }), "{error:?}");
        let error = run("no-such-program-here", &[""; 0], SOON, 10)
            .await
            .unwrap_err();
        assert!(error.is_missing(), "{error:?}");
        assert!(error.to_string().contains("no-such-program-here"));
    }
}
