//! The thin shell around the keeper: start-up order, the window, typed IPC. It decides nothing.

use std::{process::ExitCode, sync::Arc};

use tauri::Manager as _;
use tauri_plugin_window_state::StateFlags;

mod args;
mod bridge;
pub mod ipc;
mod linux;
mod message;
mod pictures;
mod session;
mod windows;

use session::Session;

/// Starts the program; returns when its last window is closed.
pub fn main() -> ExitCode {
    if let Some(code) = forgekeeper_keeper::clients::courier::carry_if_asked(std::env::args_os()) {
        return code;
    }
    message::use_console();
    let args = match args::parse(std::env::args_os().skip(1)) {
        Ok(args) => args,
        Err(answer) => return answer.print(),
    };
    // bollard's debug lines hold whole inspect bodies, environment values included.
    let filter = std::env::var("FORGEKEEPER_LOG").unwrap_or_else(|_| "warn".to_owned());
    tracing_subscriber::fmt()
        .with_env_filter(tracing_subscriber::EnvFilter::new(format!(
            "{filter},bollard=warn"
        )))
        .with_writer(std::io::stderr)
        .init();
    if !windows::display_is_there() {
        windows::explain_no_display();
        return ExitCode::FAILURE;
    }
    linux::work_around_webkit();
    match run(args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            windows::explain_failure(&error);
            ExitCode::FAILURE
        }
    }
}

fn run(args: args::Args) -> tauri::Result<()> {
    let session = Arc::new(Session::new(args));
    let ipc = ipc::builder();
    let commands = ipc.invoke_handler();
    let mut builder = tauri::Builder::default();
    if session.single_instance() {
        // First of all plugins: a second start must not do anything else.
        builder = builder.plugin(tauri_plugin_single_instance::init(|app, _, _| {
            windows::show_main(app);
        }));
    }
    let app = builder
        .plugin(
            tauri_plugin_window_state::Builder::new()
                // Neither hidden nor without its frame: a window comes back where one can use it.
                .with_state_flags(StateFlags::SIZE | StateFlags::POSITION | StateFlags::MAXIMIZED)
                .build(),
        )
        .plugin(tauri_plugin_store::Builder::new().build())
        // Asked by the shell alone; the page has no permission for it.
        .plugin(tauri_plugin_dialog::init())
        .register_asynchronous_uri_scheme_protocol("picture", pictures::answer)
        .manage(Arc::clone(&session))
        .invoke_handler(commands)
        .setup(|app| {
            if let Err(error) = windows::open_main(app) {
                // An error returned from here would become a panic inside the event loop.
                windows::explain_failure(&error);
                std::process::exit(1);
            }
            Ok(())
        })
        .build(tauri::generate_context!())?;
    // This is the only instance. The keeper starts while the window opens; commands wait for it.
    ipc.mount_events(&app);
    bridge::start(app.handle().clone(), Arc::clone(&session));
    tauri::async_runtime::spawn(async move { session.open().await });
    app.run(|app, event| {
        if let tauri::RunEvent::Exit = event {
            let session: Arc<Session> = Arc::clone(&app.state::<Arc<Session>>());
            tauri::async_runtime::block_on(session.close());
        }
    });
    Ok(())
}
