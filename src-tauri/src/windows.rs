//! The one window: opened, shown again, and its failure explained.

use tauri::{App, AppHandle, Manager as _, WebviewUrl, WebviewWindowBuilder};

const MAIN: &str = "main";

/// Opens the window. Its background is that of the dark theme, so that nothing flashes white.
pub(crate) fn open_main(app: &App) -> tauri::Result<()> {
    WebviewWindowBuilder::new(app, MAIN, WebviewUrl::default())
        .title("Forgekeeper")
        .inner_size(1280.0, 900.0)
        .min_inner_size(1024.0, 640.0)
        .background_color(tauri::window::Color(0x14, 0x16, 0x1a, 0xff))
        .build()?;
    Ok(())
}

/// Brings the window to the front: a second start of the program ends here.
pub(crate) fn show_main(app: &AppHandle) {
    if let Some(window) = app.get_webview_window(MAIN) {
        for step in [window.unminimize(), window.show(), window.set_focus()] {
            if let Err(error) = step {
                tracing::warn!(%error, "the window could not be brought to the front");
            }
        }
    }
}

/// Says why there is no window, in words and with the remedy.
pub(crate) fn explain_failure(error: &tauri::Error) {
    eprintln!("forgekeeper: the window could not be opened: {error}");
    let words = error.to_string().to_ascii_lowercase();
    let remedy = if cfg!(windows) && words.contains("webview") {
        "Install the Microsoft Edge WebView2 runtime, then start Forgekeeper again."
    } else if cfg!(target_os = "linux")
        && std::env::var_os("DISPLAY").is_none()
        && std::env::var_os("WAYLAND_DISPLAY").is_none()
    {
        "There is no display here. Use forgekeeperctl, or start it within a desktop session."
    } else {
        "forgekeeperctl works without a window."
    };
    eprintln!("{remedy}");
}
