//! Ctrl+C and the system's request to end, heard from the first moment on: what a command has begun
//! is then ended in order. Who asks twice does not wait.

use forgekeeper_domain::error::{ErrorCode, ErrorInfo};
use forgekeeper_keeper::sys::tasks::Tasks;
use tokio::sync::watch;

use crate::exit;

/// Whether the end was asked for. Clones hear the same.
#[derive(Debug, Clone)]
pub(crate) struct Interrupt {
    asked: watch::Receiver<bool>,
}

impl Interrupt {
    /// Listens for as long as the program runs.
    pub(crate) fn listen(tasks: &Tasks) -> Self {
        let (tell, asked) = watch::channel(false);
        match Signals::open() {
            Ok(mut signals) => {
                tasks.spawn("interruption", async move {
                    loop {
                        signals.next().await;
                        if tell.send_replace(true) {
                            std::process::exit(i32::from(exit::NOT_OK));
                        }
                    }
                });
            }
            Err(error) => tracing::warn!(%error, "interruption cannot be heard"),
        }
        Self { asked }
    }

    /// Resolves once the end was asked for, and at once from then on.
    pub(crate) async fn asked(&mut self) {
        if self.asked.wait_for(|asked| *asked).await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// Work that may be dropped at any moment; an error when the end was asked for first.
    pub(crate) async fn unless<T>(
        &mut self,
        work: impl Future<Output = Result<T, ErrorInfo>>,
    ) -> Result<T, ErrorInfo> {
        tokio::select! {
            biased;
            () = self.asked() => Err(ErrorInfo::new(ErrorCode::Cancelled, "interrupted")),
            done = work => done,
        }
    }
}

#[cfg(unix)]
struct Signals {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Signals {
    fn open() -> std::io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
        })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

#[cfg(windows)]
struct Signals {
    interrupt: tokio::signal::windows::CtrlC,
    close: tokio::signal::windows::CtrlClose,
}

#[cfg(windows)]
impl Signals {
    fn open() -> std::io::Result<Self> {
        Ok(Self {
            interrupt: tokio::signal::windows::ctrl_c()?,
            close: tokio::signal::windows::ctrl_close()?,
        })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.close.recv() => {}
        }
    }
}
