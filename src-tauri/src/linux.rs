//! Workarounds for WebKitGTK, set before any webview exists; each yields to the user's own setting.

/// Variables that are set unless the user did.
#[cfg(target_os = "linux")]
const WORKAROUNDS: &[(&str, &str, &str)] = &[(
    "WEBKIT_DISABLE_DMABUF_RENDERER",
    "1",
    "blank window with NVIDIA's driver (tauri-apps/tauri#9304)",
)];

/// Sets what this machine's WebKitGTK is known to need.
#[cfg(target_os = "linux")]
pub(crate) fn work_around_webkit() {
    let nvidia = std::path::Path::new("/proc/driver/nvidia").exists();
    for (name, value, why) in WORKAROUNDS {
        if nvidia && std::env::var_os(name).is_none() {
            tracing::info!(name, value, why, "set for WebKitGTK");
            set(name, value);
        }
    }
}

#[cfg(target_os = "linux")]
#[expect(
    unsafe_code,
    clippy::disallowed_methods,
    reason = "no other thread exists yet: this runs before the runtime starts"
)]
fn set(name: &str, value: &str) {
    // SAFETY: called from `main` before any thread is started, so nobody reads the environment.
    unsafe { std::env::set_var(name, value) };
}

/// Other systems have another webview.
#[cfg(not(target_os = "linux"))]
pub(crate) fn work_around_webkit() {}
