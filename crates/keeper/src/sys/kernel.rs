//! What this machine runs on.

/// The version of this machine's kernel, where the system tells. It does not change while the program
/// runs.
#[cfg(not(windows))]
pub(crate) fn version() -> Option<&'static str> {
    use std::{fs, sync::OnceLock};

    static VERSION: OnceLock<Option<String>> = OnceLock::new();
    let version = VERSION.get_or_init(|| fs::read_to_string("/proc/sys/kernel/osrelease").ok());
    version.as_deref()
}

/// The kernel of this machine.
#[cfg(windows)]
pub(crate) fn version() -> Option<&'static str> {
    Some("Windows")
}
