//! The one window: opened, shown again, and its failure explained.

use std::{fmt::Display, path::PathBuf, sync::Arc, time::Duration};

use forgekeeper_domain::error::{ErrorCode, ErrorInfo};
use tauri::{
    App, AppHandle, Manager as _, Theme, WebviewUrl, WebviewWindow, WebviewWindowBuilder,
    webview::PageLoadEvent, window::Color,
};
use tauri_plugin_dialog::{DialogExt as _, FilePath};
use tauri_plugin_store::StoreExt as _;
use tokio::sync::oneshot;

use crate::session::Session;

const MAIN: &str = "main";
/// Where the page keeps what one person prefers; `ui/src/backend/tauri.ts` names it too.
const PREFERENCES: &str = "preferences.json";

// `--bg` of `ui/src/app.css`: nothing flashes in another colour before the page is there.
const DARK: Color = Color(0x14, 0x16, 0x1a, 0xff);
const LIGHT: Color = Color(0xf5, 0xf6, 0xf8, 0xff);

/// The longest that a window stays unseen while its page loads.
const SHOWN_AFTER: Duration = Duration::from_secs(2);

/// Asks with the system's own dialog where a file shall stand; `None` when it was cancelled.
pub(crate) async fn ask_where_to_save(
    app: &AppHandle,
    name: &str,
    extension: &str,
) -> Result<Option<PathBuf>, ErrorInfo> {
    let (answer, answered) = oneshot::channel();
    let mut dialog = app
        .dialog()
        .file()
        // The same in every language.
        .set_title("Forgekeeper")
        .set_file_name(name)
        .add_filter(format!("*.{extension}"), &[extension]);
    if let Some(window) = app.get_webview_window(MAIN) {
        dialog = dialog.set_parent(&window);
    }
    dialog.save_file(move |path| {
        // The page that asked is gone: nobody wants to know.
        let _ = answer.send(path);
    });
    let chosen = answered.await.ok().flatten();
    chosen
        .map(FilePath::into_path)
        .transpose()
        .map_err(|error| {
            ErrorInfo::new(ErrorCode::Io, "no file can be written there").detail(error.to_string())
        })
}

/// Opens the window, with what its person prefers already in it.
pub(crate) fn open_main(app: &App) -> tauri::Result<()> {
    // Without a readable file nothing is preferred yet.
    let store = app.store(PREFERENCES).ok();
    let preferred = store
        .and_then(|store| store.get("preferences"))
        .unwrap_or_default();
    let theme = preferred["theme"].as_str().unwrap_or_default();
    let background = if theme == "light" { LIGHT } else { DARK };
    let mut window = WebviewWindowBuilder::new(app, MAIN, WebviewUrl::default())
        // The page takes dropped files itself, as bytes: no path of theirs is needed.
        .disable_drag_drop_handler()
        .title("Forgekeeper")
        .inner_size(1280.0, 900.0)
        .min_inner_size(1024.0, 640.0)
        .background_color(background)
        // WebKitGTK's first draw waits up to half a second for a page that in turn waits for its
        // files from here: it is shown once it has them.
        .visible(false)
        .on_page_load(|window, page| match page.event() {
            // A page that is loaded anew knows nothing of the readers of the one before.
            PageLoadEvent::Started => window.state::<Arc<Session>>().end_readers(),
            PageLoadEvent::Finished => show(&window),
        });
    if preferred.is_object() {
        window = window
            .initialization_script(format!("window.__FORGEKEEPER_PREFERENCES__ = {preferred};"));
    }
    let window = window.build()?;
    let by_system = theme != "light" && theme != "dark";
    if by_system && window.theme().is_ok_and(|theme| theme == Theme::Light) {
        window.set_background_color(Some(LIGHT))?;
    }
    // A page that does not load is no reason to stay unseen.
    tauri::async_runtime::spawn(async move {
        tokio::time::sleep(SHOWN_AFTER).await;
        show(&window);
    });
    Ok(())
}

fn show(window: &WebviewWindow) {
    if let Err(error) = window.show() {
        tracing::warn!(%error, "the window could not be shown");
    }
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

/// Whether a window could appear at all; without a display GTK ends the program by itself.
pub(crate) fn display_is_there() -> bool {
    let set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    !cfg!(target_os = "linux")
        || ["DISPLAY", "WAYLAND_DISPLAY", "GDK_BACKEND"]
            .into_iter()
            .any(set)
}

/// Says that there is no display, and what to do.
pub(crate) fn explain_no_display() {
    crate::message::show(
        "The window could not be opened: there is no display here. Use forgekeeperctl, or start \
         it within a desktop session.",
        "La fenêtre n’a pas pu s’ouvrir\u{a0}: il n’y a pas d’écran ici. Utilisez forgekeeperctl, \
         ou lancez-la dans une session de bureau.",
    );
}

/// Says why there is no window, in words and with the remedy.
pub(crate) fn explain_failure(error: &impl Display) {
    let said = error.to_string();
    let (english, french) = remedy(&said);
    crate::message::show(
        &format!("The window could not be opened: {said}\n{english}"),
        &format!("La fenêtre n’a pas pu s’ouvrir. {french}"),
    );
}

fn remedy(said: &str) -> (&'static str, &'static str) {
    if cfg!(windows) && said.to_ascii_lowercase().contains("webview") {
        (
            "Install the Microsoft Edge WebView2 runtime \
             (https://go.microsoft.com/fwlink/p/?LinkId=2124703), then start Forgekeeper again.",
            "Installez Microsoft Edge WebView2 \
             (https://go.microsoft.com/fwlink/p/?LinkId=2124703), puis relancez Forgekeeper.",
        )
    } else {
        (
            "forgekeeperctl works without a window.",
            "forgekeeperctl fonctionne sans fenêtre.",
        )
    }
}
