//! What was written, on the disk and not only on its way there.

use std::path::Path;

/// Waits until the file system of a folder has everything on its disk, where the system can be asked for
/// that. Windows is asked for each file when it is written.
pub(crate) fn settle(folder: &Path) {
    #[cfg(target_os = "linux")]
    match std::fs::File::open(folder) {
        Ok(file) => {
            if let Err(error) = rustix::fs::syncfs(&file) {
                tracing::warn!(%error, "the target does not say when it has everything on its disk");
            }
        }
        Err(error) => tracing::warn!(%error, "the target cannot be asked to write everything"),
    }
    #[cfg(not(target_os = "linux"))]
    let _ = folder;
}
