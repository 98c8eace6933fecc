//! The history: one SQLite file, one thread that owns it, one handle for everybody else.

use std::{fmt, path::Path};

use forgekeeper_domain::error::{ErrorCode, ErrorInfo};
use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot};

use crate::sys::clock;

pub mod backups;
pub mod gallery;
pub mod generations;
mod golden;
pub(crate) mod gpu_minutes;
pub mod journal;
pub mod migration;
mod open;
pub mod pending;
pub mod picture_files;
pub(crate) mod placements;
pub mod restarts;
mod schema;
pub(crate) mod service_minutes;
#[cfg(test)]
mod tests;

pub use journal::JournalEntry;
pub use restarts::RestartEntry;

/// Statements that may wait; callers wait for a place.
const QUEUE: usize = 256;

/// Why the history failed.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Its folder cannot be made or its damaged file not moved.
    #[error("the history's folder cannot be used: {0}")]
    Folder(String),
    /// The file cannot be opened or created.
    #[error("the history cannot be opened: {0}")]
    Open(#[source] rusqlite::Error),
    /// A newer Forgekeeper has changed its form.
    #[error("the history was written by a newer version of Forgekeeper")]
    Newer,
    /// Its form cannot be brought up to date.
    #[error("the history cannot be brought up to date: {0}")]
    Migration(String),
    /// A statement failed.
    #[error("the history failed: {0}")]
    Sql(#[from] rusqlite::Error),
    /// A value has no form in the history.
    #[error("this cannot be kept in the history: {0}")]
    Value(String),
    /// It was closed, or its thread has ended.
    #[error("the history is closed")]
    Closed,
}

impl From<serde_json::Error> for StoreError {
    fn from(error: serde_json::Error) -> Self {
        StoreError::Value(error.to_string())
    }
}

impl From<StoreError> for ErrorInfo {
    fn from(error: StoreError) -> Self {
        let info = ErrorInfo::new(ErrorCode::Store, error.to_string());
        match error {
            StoreError::Newer => info.hint("Update this program, or choose another data folder."),
            StoreError::Folder(_) | StoreError::Open(_) => {
                info.hint("Give this user the right to write to the data folder, or choose another with FORGEKEEPER_DATA.")
            }
            _ => info,
        }
    }
}

type Work = Box<dyn FnOnce(&mut Connection) + Send>;

enum Message {
    Work(Work),
    Close(oneshot::Sender<()>),
}

/// The history. Clones use the same thread.
#[derive(Clone)]
pub struct Store {
    messages: mpsc::Sender<Message>,
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Store")
    }
}

impl Store {
    /// Opens the history of a data folder, making both where needed. A damaged file is put aside
    /// and a new one begun; the note says so.
    pub async fn open(data_dir: impl AsRef<Path>) -> Result<(Self, Option<String>), StoreError> {
        let folder = data_dir.as_ref().to_owned();
        let (messages, mut inbox) = mpsc::channel::<Message>(QUEUE);
        let (opened, outcome) = oneshot::channel();
        std::thread::Builder::new()
            .name("history".to_owned())
            .spawn(move || {
                let mut connection = match open::open(&folder, clock::now()) {
                    Ok((connection, note)) => {
                        if opened.send(Ok(note)).is_err() {
                            return;
                        }
                        connection
                    }
                    Err(error) => {
                        // Nobody listens: nobody wants the history any more.
                        let _ = opened.send(Err(error));
                        return;
                    }
                };
                while let Some(message) = inbox.blocking_recv() {
                    match message {
                        Message::Work(work) => work(&mut connection),
                        Message::Close(closed) => {
                            inbox.close();
                            // What was sent before is still done.
                            while let Some(Message::Work(work)) = inbox.blocking_recv() {
                                work(&mut connection);
                            }
                            open::close(connection);
                            let _ = closed.send(());
                            return;
                        }
                    }
                }
                open::close(connection);
            })
            .map_err(|error| StoreError::Folder(format!("no thread can be started: {error}")))?;
        let note = outcome.await.map_err(|_| StoreError::Closed)??;
        Ok((Self { messages }, note))
    }

    /// Does what was asked before, then closes the file. Every clone is closed with it.
    pub async fn close(&self) {
        let (closed, done) = oneshot::channel();
        if self.messages.send(Message::Close(closed)).await.is_ok() {
            // An error means that another clone has closed it.
            let _ = done.await;
        }
    }

    /// Runs work on the thread and waits for its result. Work whose caller has gone is done too:
    /// a cancelled job still belongs in the history.
    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (answer, answered) = oneshot::channel();
        let work: Work = Box::new(move |connection| {
            let _ = answer.send(work(connection));
        });
        self.messages
            .send(Message::Work(work))
            .await
            .map_err(|_| StoreError::Closed)?;
        answered.await.map_err(|_| StoreError::Closed)?
    }
}

/// Moments are kept as nanoseconds since 1970: sortable, and exactly what was measured.
fn nanoseconds(at: forgekeeper_domain::Timestamp) -> Result<i64, StoreError> {
    i64::try_from(at.as_nanosecond()).map_err(|_| StoreError::Value(format!("the moment {at}")))
}

/// Rows of JSON. One that this version cannot read is passed over, and said so.
fn readable<T: serde::de::DeserializeOwned>(
    rows: impl Iterator<Item = rusqlite::Result<String>>,
) -> Result<Vec<T>, StoreError> {
    let mut entries = Vec::new();
    for row in rows {
        match serde_json::from_str(&row?) {
            Ok(entry) => entries.push(entry),
            Err(error) => tracing::warn!(%error, "an entry of the history is not readable"),
        }
    }
    Ok(entries)
}
