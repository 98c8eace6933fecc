//! Log tails: a Channel with an owner who closes it.

use std::sync::Arc;

use forgekeeper_domain::{
    error::ErrorInfo,
    ids::ServiceId,
    logs::{
        LogBatch, LogQuery, LogSearchBatch,
        signature::{Signature, SignatureSet},
    },
};
use tauri::{State, ipc::Channel};

use crate::session::Session;

/// Opens a log; the first batch is what is held already.
#[tauri::command]
#[specta::specta]
pub(super) async fn logs_open(
    session: State<'_, Arc<Session>>,
    service: ServiceId,
    query: LogQuery,
    channel: Channel<LogBatch>,
) -> Result<u32, ErrorInfo> {
    let mut reader = session.keeper().await?.logs(&service, &query)?;
    let (id, stop) = session.add_reader();
    let session = Arc::clone(&session);
    tauri::async_runtime::spawn(async move {
        loop {
            let batch = tokio::select! {
                () = stop.cancelled() => break,
                batch = reader.next() => batch,
            };
            // No batch: the service was taken out. No receiver: the page is gone.
            if batch.is_none_or(|batch| channel.send(batch).is_err()) {
                break;
            }
        }
        session.end_reader(id);
    });
    Ok(id)
}

/// Searches what is stored of a log, newest first; closed like a log.
#[tauri::command]
#[specta::specta]
pub(super) async fn logs_search(
    session: State<'_, Arc<Session>>,
    service: ServiceId,
    query: LogQuery,
    before: Option<u32>,
    most: u32,
    channel: Channel<LogSearchBatch>,
) -> Result<u32, ErrorInfo> {
    let keeper = session.keeper().await?;
    let mut search = keeper.search_logs(&service, &query, before, most)?;
    let (id, stop) = session.add_reader();
    let session = Arc::clone(&session);
    tauri::async_runtime::spawn(async move {
        loop {
            let batch = tokio::select! {
                () = stop.cancelled() => break,
                batch = search.next() => batch,
            };
            // No batch: all was said. No receiver: the page is gone.
            if batch.is_none_or(|batch| channel.send(batch).is_err()) {
                break;
            }
        }
        session.end_reader(id);
    });
    Ok(id)
}

/// Closes a log or a search.
#[tauri::command]
#[specta::specta]
pub(super) fn logs_close(session: State<'_, Arc<Session>>, id: u32) {
    session.end_reader(id);
}

/// Every known message, with its words: what the ids on lines mean.
#[tauri::command]
#[specta::specta]
pub(super) fn log_signatures() -> Vec<Signature> {
    SignatureSet::built_in().iter().cloned().collect()
}
