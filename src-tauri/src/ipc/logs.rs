//! Logs: Channels with an owner who closes them, and files.

use std::{pin::pin, sync::Arc, time::Duration};

use forgekeeper_domain::{
    error::{ErrorCode, ErrorInfo},
    ids::ServiceId,
    logs::{
        LogBatch, LogGroupBatch, LogQuery, LogSearchBatch,
        saved::{SaveFormat, SavedLog, SavingLog},
        signature::Signature,
    },
};
use forgekeeper_keeper::logs::archive::SaveProgress;
use futures_util::{Stream, StreamExt as _, stream};
use tauri::{
    AppHandle, State,
    ipc::{Channel, IpcResponse},
};

use crate::{
    session::{PageReader, Session},
    windows,
};

/// How far a file is that is being saved is told this often.
const TELL_EVERY: Duration = Duration::from_millis(250);

/// Opens a log; the first batch is what is held already.
#[tauri::command]
#[specta::specta]
pub(super) async fn logs_open(
    session: State<'_, Arc<Session>>,
    service: ServiceId,
    query: LogQuery,
    channel: Channel<LogBatch>,
) -> Result<u32, ErrorInfo> {
    let reader = session.keeper().await?.logs(&service, &query)?;
    let batches = stream::unfold(reader, async |mut reader| {
        Some((reader.next().await?, reader))
    });
    Ok(hand_on(&session, batches, channel))
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
    let search = keeper.search_logs(&service, &query, before, most)?;
    let batches = stream::unfold(search, async |mut search| {
        Some((search.next().await?, search))
    });
    Ok(hand_on(&session, batches, channel))
}

/// Counts what is stored of a log by the shapes of its lines; closed like a log.
#[tauri::command]
#[specta::specta]
pub(super) async fn logs_groups(
    session: State<'_, Arc<Session>>,
    service: ServiceId,
    query: LogQuery,
    channel: Channel<LogGroupBatch>,
) -> Result<u32, ErrorInfo> {
    let groups = session.keeper().await?.group_logs(&service, &query)?;
    let batches = stream::unfold(groups, async |mut groups| {
        Some((groups.next().await?, groups))
    });
    Ok(hand_on(&session, batches, channel))
}

/// Saves what is stored of logs to a file that the system's own dialog asks for; `None` when that
/// was cancelled. The page names no path.
#[tauri::command]
#[specta::specta]
pub(super) async fn logs_save(
    app: AppHandle,
    session: State<'_, Arc<Session>>,
    services: Vec<ServiceId>,
    query: LogQuery,
    format: SaveFormat,
    channel: Channel<SavingLog>,
) -> Result<Option<SavedLog>, ErrorInfo> {
    let keeper = session.keeper().await?;
    let log = keeper.save_log(&services, &query, None, format)?;
    let Some(path) = windows::ask_where_to_save(&app, &log.name(), format.extension()).await?
    else {
        return Ok(None);
    };
    let save = log.write_to(path)?;
    // A page that is loaded anew, or another host, ends it.
    let (id, reader) = session.add_reader();
    let mut progress = save.progress();
    let tell = async {
        loop {
            let SaveProgress { looked, all, .. } = *progress.borrow_and_update();
            // The page is gone: what ends its readers ends this one, too.
            let _ = channel.send(SavingLog { id, looked, all });
            tokio::time::sleep(TELL_EVERY).await;
            if progress.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    };
    let saved = tokio::select! {
        () = tell => Err(ErrorInfo::new(ErrorCode::Internal, "the log was not saved")),
        () = reader.stop.cancelled() => Err(ErrorInfo::new(ErrorCode::Cancelled, "the log was not saved")),
        saved = save.done() => saved,
    };
    session.end_reader(id);
    saved.map(Some)
}

/// Hands batches on until their owner closes it by the id that is returned, and no faster than the
/// page takes them: a log that is not read meanwhile tells how much has passed by.
fn hand_on<T: IpcResponse + Send + 'static>(
    session: &Arc<Session>,
    batches: impl Stream<Item = T> + Send + 'static,
    channel: Channel<T>,
) -> u32 {
    let (id, PageReader { stop, room }) = session.add_reader();
    let session = Arc::clone(session);
    tauri::async_runtime::spawn(async move {
        let mut batches = pin!(batches);
        loop {
            let next = async {
                // Nobody closes it: it goes with its reader.
                if let Ok(permit) = room.acquire().await {
                    permit.forget();
                }
                batches.next().await
            };
            let batch = tokio::select! {
                () = stop.cancelled() => break,
                batch = next => batch,
            };
            // No batch: all was said, or the service was taken out. No receiver: the page is gone.
            if batch.is_none_or(|batch| channel.send(batch).is_err()) {
                break;
            }
        }
        session.end_reader(id);
    });
    id
}

/// The page has taken a batch: one more may come.
#[tauri::command]
#[specta::specta]
pub(super) fn logs_taken(session: State<'_, Arc<Session>>, id: u32) {
    session.batch_taken(id);
}

/// Closes a log, a search or a count.
#[tauri::command]
#[specta::specta]
pub(super) fn logs_close(session: State<'_, Arc<Session>>, id: u32) {
    session.end_reader(id);
}

/// Every known message, own rules among them, with its words: what the ids on lines mean.
#[tauri::command]
#[specta::specta]
pub(super) async fn log_signatures(
    session: State<'_, Arc<Session>>,
) -> Result<Vec<Signature>, ErrorInfo> {
    Ok(session.keeper().await?.signatures())
}
