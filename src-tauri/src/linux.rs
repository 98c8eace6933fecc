//! Workarounds for WebKitGTK, set before any webview exists; each yields to the user's own setting.

/// One variable, set where its condition holds and the user did not set it.
#[cfg(target_os = "linux")]
struct Workaround {
    name: &'static str,
    value: &'static str,
    needed: fn() -> bool,
    why: &'static str,
}

/// What is known to be needed, and where.
#[cfg(target_os = "linux")]
const WORKAROUNDS: &[Workaround] = &[
    Workaround {
        name: "WEBKIT_DISABLE_DMABUF_RENDERER",
        value: "1",
        needed: nvidia_driver,
        why: "blank window with NVIDIA's driver (tauri-apps/tauri#9304)",
    },
    Workaround {
        name: "WEBKIT_DISABLE_COMPOSITING_MODE",
        value: "1",
        needed: no_render_node,
        why: "without a GPU each changed figure would redraw the whole window in software",
    },
];

/// Whether NVIDIA's own driver is loaded.
#[cfg(target_os = "linux")]
fn nvidia_driver() -> bool {
    std::path::Path::new("/proc/driver/nvidia").exists()
}

/// Whether no graphics device can draw: then Mesa's software rasteriser would have to.
#[cfg(target_os = "linux")]
fn no_render_node() -> bool {
    let Ok(devices) = std::fs::read_dir("/dev/dri") else {
        // WSL draws through a device of its own kind.
        return !std::path::Path::new("/dev/dxg").exists();
    };
    !devices
        .flatten()
        .any(|device| device.file_name().to_string_lossy().starts_with("renderD"))
}

/// Sets what this machine's WebKitGTK is known to need.
#[cfg(target_os = "linux")]
pub(crate) fn work_around_webkit() {
    for workaround in WORKAROUNDS {
        if std::env::var_os(workaround.name).is_none() && (workaround.needed)() {
            let Workaround {
                name, value, why, ..
            } = workaround;
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
