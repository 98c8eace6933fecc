//! A listening address that can be shut and opened again, and the HTTP/1 connections behind it.
//!
//! A shut TCP door keeps its port bound without listening, so clients are refused and no other
//! program can slip into the port meanwhile.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use axum::Extension;
use axum::Router;
use axum::extract::Request;
use axum::middleware::{Next, from_fn};
use axum::response::Response;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpSocket};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::tasks::Tasks;

/// Given to every request: the end of its connection.
#[derive(Debug, Clone)]
pub(crate) struct Line {
    /// Cancelled when the door shuts; upgraded streams end with it.
    pub cut: CancellationToken,
    end: CancellationToken,
}

/// Put on a response whose connection must die a few milliseconds after the body, unannounced.
#[derive(Debug, Clone, Copy)]
pub(crate) struct CloseAfter;

/// Wait after a connection that could not be taken.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// A door of the played world.
#[derive(Debug)]
pub(crate) struct Door {
    addr: Option<SocketAddr>,
    wish: watch::Sender<bool>,
    state: watch::Receiver<bool>,
}

enum Held {
    Shut(TcpSocket),
    Open(TcpListener),
}

fn hold(addr: SocketAddr) -> io::Result<TcpSocket> {
    let socket = if addr.is_ipv4() {
        TcpSocket::new_v4()?
    } else {
        TcpSocket::new_v6()?
    };
    // On Windows the flag would let a second program steal the port.
    #[cfg(unix)]
    socket.set_reuseaddr(true)?;
    socket.bind(addr)?;
    Ok(socket)
}

async fn hold_again(addr: SocketAddr) -> TcpSocket {
    loop {
        match hold(addr) {
            Ok(socket) => return socket,
            // The old listener may take a moment to leave the port.
            Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
        }
    }
}

/// Takes the socket's file away with the door.
#[cfg(unix)]
struct SocketFile(std::path::PathBuf);

#[cfg(unix)]
impl Drop for SocketFile {
    fn drop(&mut self) {
        // Gone already is as good.
        let _ = std::fs::remove_file(&self.0);
    }
}

impl Door {
    /// Binds `addr` (port 0 for any) and stays shut until [`Door::set`].
    /// A connection that asks nothing for `idle` is closed.
    pub(crate) fn tcp(
        addr: SocketAddr,
        router: Router,
        tasks: &Tasks,
        idle: Option<Duration>,
    ) -> io::Result<Self> {
        let socket = hold(addr)?;
        let addr = socket.local_addr()?;
        let (wish, mut wishes) = watch::channel(false);
        let (tell, state) = watch::channel(false);
        let group = tasks.clone();
        tasks.spawn(async move {
            let mut held = Held::Shut(socket);
            loop {
                held = match held {
                    Held::Shut(socket) => {
                        if wishes.wait_for(|open| *open).await.is_err() {
                            return;
                        }
                        match socket.listen(512) {
                            Ok(listener) => {
                                tell.send_replace(true);
                                Held::Open(listener)
                            }
                            Err(_) => Held::Shut(hold_again(addr).await),
                        }
                    }
                    Held::Open(listener) => {
                        let cut = group.token().child_token();
                        loop {
                            tokio::select! {
                                end = async { wishes.wait_for(|open| !*open).await.map(drop) } => {
                                    if end.is_err() { return; }
                                    break;
                                }
                                got = listener.accept() => {
                                    let Ok((stream, _)) = got else {
                                        // Out of file descriptors, usually: it passes.
                                        tokio::time::sleep(ACCEPT_PAUSE).await;
                                        continue;
                                    };
                                    // A lost TCP_NODELAY only costs latency.
                                    let _ = stream.set_nodelay(true);
                                    group.spawn(serve(stream, router.clone(), cut.clone(), idle));
                                }
                            }
                        }
                        drop(listener);
                        cut.cancel();
                        let socket = hold_again(addr).await;
                        tell.send_replace(false);
                        Held::Shut(socket)
                    }
                };
            }
        });
        Ok(Self {
            addr: Some(addr),
            wish,
            state,
        })
    }

    /// The same on a Unix socket; a shut door leaves the file and refuses.
    #[cfg(unix)]
    pub(crate) fn unix(
        path: std::path::PathBuf,
        router: Router,
        tasks: &Tasks,
    ) -> io::Result<Self> {
        use std::os::unix::fs::FileTypeExt as _;

        use tokio::net::UnixListener;

        // Somebody answers there: a real engine, perhaps. It keeps its place.
        if std::os::unix::net::UnixStream::connect(&path).is_ok() {
            return Err(io::Error::from(io::ErrorKind::AddrInUse));
        }
        if path
            .symlink_metadata()
            .is_ok_and(|about| !about.file_type().is_socket())
        {
            return Err(io::Error::from(io::ErrorKind::AlreadyExists));
        }
        // Fails early when the folder is missing or not writable.
        drop(UnixListener::bind(&path).or_else(|_| {
            std::fs::remove_file(&path)?;
            UnixListener::bind(&path)
        })?);
        let file = SocketFile(path.clone());
        let (wish, mut wishes) = watch::channel(false);
        let (tell, state) = watch::channel(false);
        let group = tasks.clone();
        tasks.spawn(async move {
            let _file = file;
            loop {
                if wishes.wait_for(|open| *open).await.is_err() {
                    return;
                }
                // The stale file of the last opening has to go before the next bind.
                let _ = std::fs::remove_file(&path);
                let Ok(listener) = UnixListener::bind(&path) else {
                    tokio::time::sleep(Duration::from_millis(50)).await;
                    continue;
                };
                tell.send_replace(true);
                let cut = group.token().child_token();
                loop {
                    tokio::select! {
                        end = async { wishes.wait_for(|open| !*open).await.map(drop) } => {
                            if end.is_err() { return; }
                            break;
                        }
                        got = listener.accept() => {
                            let Ok((stream, _)) = got else {
                                tokio::time::sleep(ACCEPT_PAUSE).await;
                                continue;
                            };
                            group.spawn(serve(stream, router.clone(), cut.clone(), None));
                        }
                    }
                }
                drop(listener);
                cut.cancel();
                tell.send_replace(false);
            }
        });
        Ok(Self {
            addr: None,
            wish,
            state,
        })
    }

    /// The TCP address, none for a Unix socket.
    pub(crate) fn addr(&self) -> Option<SocketAddr> {
        self.addr
    }

    /// Opens or shuts, and returns when that is done. Shutting cuts all connections.
    pub(crate) async fn set(&self, open: bool) {
        self.wish.send_replace(open);
        let mut state = self.state.clone();
        // Ends with an error only when the whole site is going down.
        let _ = state.wait_for(|now| *now == open).await;
    }
}

async fn close_after(Extension(line): Extension<Line>, request: Request, next: Next) -> Response {
    let response = next.run(request).await;
    if response.extensions().get::<CloseAfter>().is_some() {
        line.end.cancel();
    }
    response
}

async fn serve<S>(stream: S, router: Router, cut: CancellationToken, idle: Option<Duration>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let line = Line {
        cut: cut.clone(),
        end: CancellationToken::new(),
    };
    let end = line.end.clone();
    let app = router.layer(from_fn(close_after)).layer(Extension(line));
    let connection = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .keep_alive(true)
        // Also counts the wait for the next request of a kept connection.
        .header_read_timeout(idle)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(app))
        .with_upgrades();
    tokio::select! {
        // A broken connection is the client's affair.
        _ = connection => {}
        () = cut.cancelled() => {}
        () = async { end.cancelled().await; tokio::time::sleep(Duration::from_millis(5)).await; } => {}
    }
}
