//! Files that somebody asked to save.

use std::path::PathBuf;

use forgekeeper_domain::error::{ErrorCode, ErrorInfo};

use crate::sys::files;

/// Writes a file off the async threads.
pub(super) async fn save(path: PathBuf, bytes: Vec<u8>) -> Result<(), ErrorInfo> {
    let shown = path.display().to_string();
    let written = tokio::task::spawn_blocking(move || files::write_atomic(&path, &bytes)).await;
    let error = match written {
        Ok(Ok(())) => return Ok(()),
        Ok(Err(error)) => error.to_string(),
        Err(error) => error.to_string(),
    };
    Err(
        ErrorInfo::new(ErrorCode::Io, format!("`{shown}` cannot be written"))
            .hint("Choose another folder, or make room on the disk.")
            .detail(error),
    )
}
