//! One small question to whatever listens at an endpoint, with a limit on the answer.
//!
//! bollard reads answers of any length, and its errors do not tell a socket that nobody holds
//! from one that nobody answers. So the first word, and every ping, is spoken here.

use std::{io, time::Duration};

use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    time::timeout,
};

use super::{endpoint::Endpoint, error::shortened};

/// `/version` of a Docker Engine is about 1 KiB.
const MAX_ANSWER: usize = 256 * 1024;
/// Characters of a foreign answer kept as evidence.
const MAX_EVIDENCE: usize = 160;

/// How a question ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Asked {
    /// An HTTP answer, whatever it says.
    Answer {
        status: u16,
        content_type: String,
        body: Vec<u8>,
    },
    /// Bytes that are no HTTP, or too many.
    Foreign { what: String },
    /// Nobody listens.
    Refused { reason: String },
    /// The user may not.
    Denied,
    /// The machine cannot be reached: no such name, no route.
    Unreachable { reason: String },
    /// No connection within the deadline.
    ConnectTimedOut,
    /// A connection, but no answer within the deadline.
    TimedOut,
}

/// Whether [`ask`] speaks this endpoint's transport.
pub(crate) fn can_ask(endpoint: &Endpoint) -> bool {
    match endpoint {
        Endpoint::Unix(_) => cfg!(unix),
        Endpoint::NamedPipe(_) => cfg!(windows),
        Endpoint::Tcp { .. } => true,
        Endpoint::Tls { .. } | Endpoint::Ssh { .. } => false,
    }
}

/// Sends `GET path` and waits for the whole answer, all within the deadline.
pub(crate) async fn ask(endpoint: &Endpoint, path: &str, deadline: Duration) -> Asked {
    let started = tokio::time::Instant::now();
    match endpoint {
        #[cfg(unix)]
        Endpoint::Unix(socket) => {
            match timeout(deadline, tokio::net::UnixStream::connect(socket)).await {
                Ok(Ok(stream)) => exchange(stream, path, left(started, deadline)).await,
                Ok(Err(error)) => failed(&error),
                Err(_) => Asked::TimedOut,
            }
        }
        Endpoint::Tcp { host, port } => {
            let target = (host.as_str(), *port);
            match timeout(deadline, tokio::net::TcpStream::connect(target)).await {
                Ok(Ok(stream)) => exchange(stream, path, left(started, deadline)).await,
                Ok(Err(error)) => failed(&error),
                Err(_) => Asked::ConnectTimedOut,
            }
        }
        #[cfg(windows)]
        Endpoint::NamedPipe(pipe) => match timeout(deadline, open_pipe(pipe)).await {
            Ok(Ok(stream)) => exchange(stream, path, left(started, deadline)).await,
            Ok(Err(error)) => failed(&error),
            Err(_) => Asked::TimedOut,
        },
        other => Asked::Refused {
            reason: format!("{other} does not exist on this platform"),
        },
    }
}

/// Whether somebody listens, without a word. For waiting at the door of a stopped engine.
pub(crate) async fn somebody_listens(endpoint: &Endpoint, deadline: Duration) -> bool {
    match endpoint {
        #[cfg(unix)]
        Endpoint::Unix(socket) => {
            matches!(
                timeout(deadline, tokio::net::UnixStream::connect(socket)).await,
                Ok(Ok(_))
            )
        }
        Endpoint::Tcp { host, port } => matches!(
            timeout(
                deadline,
                tokio::net::TcpStream::connect((host.as_str(), *port))
            )
            .await,
            Ok(Ok(_))
        ),
        #[cfg(windows)]
        Endpoint::NamedPipe(pipe) => matches!(timeout(deadline, open_pipe(pipe)).await, Ok(Ok(_))),
        _ => false,
    }
}

/// Opens a named pipe; all its instances may be busy for a moment.
#[cfg(windows)]
async fn open_pipe(pipe: &str) -> io::Result<tokio::net::windows::named_pipe::NamedPipeClient> {
    const ERROR_PIPE_BUSY: i32 = 231;
    let path = pipe.replace('/', "\\");
    loop {
        match tokio::net::windows::named_pipe::ClientOptions::new().open(&path) {
            Err(error) if error.raw_os_error() == Some(ERROR_PIPE_BUSY) => {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            other => return other,
        }
    }
}

fn left(started: tokio::time::Instant, deadline: Duration) -> Duration {
    deadline.saturating_sub(started.elapsed())
}

fn failed(error: &io::Error) -> Asked {
    match error.kind() {
        io::ErrorKind::PermissionDenied => Asked::Denied,
        io::ErrorKind::TimedOut => Asked::ConnectTimedOut,
        // A Unix socket whose queue is full: somebody holds it and takes no call.
        io::ErrorKind::WouldBlock => Asked::TimedOut,
        io::ErrorKind::ConnectionRefused
        | io::ErrorKind::ConnectionReset
        | io::ErrorKind::ConnectionAborted
        | io::ErrorKind::BrokenPipe
        | io::ErrorKind::UnexpectedEof
        | io::ErrorKind::NotFound => Asked::Refused {
            reason: error.to_string(),
        },
        // What remains of connecting: the name does not resolve, no route, no network.
        _ => Asked::Unreachable {
            reason: error.to_string(),
        },
    }
}

async fn exchange<S>(stream: S, path: &str, deadline: Duration) -> Asked
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    match timeout(deadline, talk(stream, path)).await {
        Ok(Ok(Some(bytes))) => read_answer(&bytes),
        Ok(Ok(None)) => Asked::Foreign {
            what: format!("more than {MAX_ANSWER} bytes"),
        },
        Ok(Err(error)) => failed(&error),
        Err(_) => Asked::TimedOut,
    }
}

/// HTTP/1.0, so that the answer is neither chunked nor kept open.
async fn talk<S>(mut stream: S, path: &str) -> io::Result<Option<Vec<u8>>>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let request = format!("GET {path} HTTP/1.0\r\nHost: docker\r\nUser-Agent: forgekeeper\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    stream.flush().await?;
    let mut bytes = Vec::with_capacity(2048);
    loop {
        if stream.read_buf(&mut bytes).await? == 0 {
            break;
        }
        if bytes.len() > MAX_ANSWER {
            return Ok(None);
        }
        if is_complete(&bytes) {
            break;
        }
    }
    if bytes.is_empty() {
        return Err(io::Error::new(
            io::ErrorKind::UnexpectedEof,
            "the connection was closed without a word",
        ));
    }
    Ok(Some(bytes))
}

/// Some servers keep the connection open in spite of HTTP/1.0; the length tells the end.
fn is_complete(bytes: &[u8]) -> bool {
    let Some((head, body)) = split_head(bytes) else {
        return false;
    };
    header(head, "content-length")
        .and_then(|length| length.parse::<usize>().ok())
        .is_some_and(|length| body.len() >= length)
}

fn split_head(bytes: &[u8]) -> Option<(&str, &[u8])> {
    let at = bytes
        .windows(4)
        .take(16 * 1024)
        .position(|four| four == b"\r\n\r\n")?;
    Some((std::str::from_utf8(&bytes[..at]).ok()?, &bytes[at + 4..]))
}

fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    head.lines().skip(1).find_map(|line| {
        let (key, value) = line.split_once(':')?;
        key.trim().eq_ignore_ascii_case(name).then(|| value.trim())
    })
}

fn read_answer(bytes: &[u8]) -> Asked {
    let foreign = || Asked::Foreign {
        what: evidence(bytes),
    };
    let Some((head, body)) = split_head(bytes) else {
        return foreign();
    };
    let mut words = head.lines().next().unwrap_or_default().split_whitespace();
    if !words
        .next()
        .is_some_and(|version| version.starts_with("HTTP/1."))
    {
        return foreign();
    }
    let Some(status) = words.next().and_then(|code| code.parse().ok()) else {
        return foreign();
    };
    Asked::Answer {
        status,
        content_type: header(head, "content-type").unwrap_or_default().to_owned(),
        body: body.to_vec(),
    }
}

/// The beginning of foreign bytes, fit to be shown.
pub(crate) fn evidence(bytes: &[u8]) -> String {
    let start = &bytes[..bytes.len().min(MAX_EVIDENCE * 4)];
    let words = shortened(&String::from_utf8_lossy(start)).replace('\n', " ");
    words.chars().take(MAX_EVIDENCE).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_read_and_foreign_bytes_are_kept_as_evidence() {
        assert_eq!(
            read_answer(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\nOK"),
            Asked::Answer {
                status: 200,
                content_type: "text/plain".into(),
                body: b"OK".to_vec()
            }
        );
        for bytes in [
            &b"SSH-2.0-OpenSSH_9.2\r\n"[..],
            b"\x15\x03\x01\x00\x02",
            b"HTTP/1.1 xx\r\n\r\n",
        ] {
            assert!(
                matches!(read_answer(bytes), Asked::Foreign { .. }),
                "{bytes:?}"
            );
        }
    }

    #[test]
    fn the_length_tells_the_end_of_a_connection_kept_open() {
        assert!(!is_complete(
            b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nOK"
        ));
        assert!(is_complete(
            b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nOK"
        ));
        assert!(!is_complete(b"HTTP/1.1 200 OK\r\n\r\nOK"));
    }
}
