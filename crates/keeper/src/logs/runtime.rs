//! A thread of their own for the streams of logs. On the runtime that everything else shares, a flood
//! of small frames wakes its workers again and again and costs four times as much.

use forgekeeper_domain::error::{ErrorCode, ErrorInfo};
use tokio::runtime::{Builder, Handle};

use crate::sys::tasks::Tasks;

/// Starts the thread; it ends when every task of the family has ended.
pub(crate) fn start(tasks: &Tasks) -> Result<Handle, ErrorInfo> {
    let failed = |error: std::io::Error| {
        ErrorInfo::new(ErrorCode::Internal, "no thread for the logs can be started")
            .detail(error.to_string())
    };
    let runtime = Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(failed)?;
    let handle = runtime.handle().clone();
    let tasks = tasks.clone();
    std::thread::Builder::new()
        .name("logs".to_owned())
        .spawn(move || runtime.block_on(tasks.ended()))
        .map_err(failed)?;
    Ok(handle)
}
