//! Runs a program to its end and reads what it says, within a deadline and a limit.

use std::{ffi::OsStr, io, process::Stdio, time::Duration};

use tokio::{
    io::{AsyncRead, AsyncReadExt as _},
    process::Command,
};

/// Most that is read of each of its two outputs.
const MAX_OUTPUT: u64 = 256 * 1024;

/// How a program ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Ended {
    /// Its exit code; `None` where a signal ended it.
    pub(crate) code: Option<i32>,
    /// What it said, errors last.
    pub(crate) words: String,
}

/// Runs a program without any input. One that does not end in time is ended.
#[expect(
    clippy::disallowed_methods,
    reason = "the one place that runs such a program"
)]
pub(crate) async fn run(
    program: &str,
    arguments: &[&OsStr],
    within: Duration,
) -> io::Result<Ended> {
    let mut command = Command::new(program);
    command
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    #[cfg(windows)]
    {
        const CREATE_NO_WINDOW: u32 = 0x0800_0000;
        command.creation_flags(CREATE_NO_WINDOW);
    }
    let mut child = command.spawn()?;
    let (out, err) = (child.stdout.take(), child.stderr.take());
    let ended = async { tokio::join!(child.wait(), text(out), text(err)) };
    let (status, out, err) = tokio::time::timeout(within, ended)
        .await
        .map_err(|_| io::Error::from(io::ErrorKind::TimedOut))?;
    Ok(Ended {
        code: status?.code(),
        words: format!("{out}{err}"),
    })
}

/// What a pipe says up to the limit; the rest is read and forgotten, for a full pipe would hold it up.
async fn text(pipe: Option<impl AsyncRead + Unpin>) -> String {
    let Some(mut pipe) = pipe else {
        return String::new();
    };
    let mut bytes = Vec::new();
    // What a broken pipe took along is not there to be told.
    let _ = (&mut pipe).take(MAX_OUTPUT).read_to_end(&mut bytes).await;
    let _ = tokio::io::copy(&mut pipe, &mut tokio::io::sink()).await;
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    async fn sh(script: &str, within: Duration) -> io::Result<Ended> {
        run("/bin/sh", &[OsStr::new("-c"), OsStr::new(script)], within).await
    }

    #[tokio::test]
    async fn its_words_and_its_end_are_told_within_limits() {
        let ended = sh("echo out; echo err >&2; exit 3", Duration::from_secs(10)).await;
        let ended = ended.unwrap();
        assert_eq!((ended.code, ended.words.as_str()), (Some(3), "out\nerr\n"));
        let much = sh("yes | head -c 2000000", Duration::from_secs(20)).await;
        assert_eq!(much.unwrap().words.len(), 256 * 1024);
        let late = sh("sleep 60", Duration::from_millis(200)).await;
        assert_eq!(late.unwrap_err().kind(), io::ErrorKind::TimedOut);
        let none = run("no-such-program-here", &[], Duration::from_secs(1)).await;
        assert_eq!(none.unwrap_err().kind(), io::ErrorKind::NotFound);
    }
}
