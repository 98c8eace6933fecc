//! The thin shell around the keeper: start-up order, the window, typed IPC. It decides nothing.

use std::{process::ExitCode, sync::Arc};

use tauri::Manager as _;

mod args;
mod bridge;
pub mod ipc;
mod linux;
mod pictures;
mod session;
mod windows;

use session::Session;

/// Starts the program; returns when its last window is closed.
pub fn main() -> ExitCode {
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
        .plugin(tauri_plugin_window_state::Builder::new().build())
        .plugin(tauri_plugin_store::Builder::new().build())
        .register_asynchronous_uri_scheme_protocol("picture", pictures::answer)
        .manage(Arc::clone(&session))
        .invoke_handler(commands)
        .setup(move |app| {
            ipc.mount_events(app);
            let session: Arc<Session> = Arc::clone(&app.state::<Arc<Session>>());
            // The keeper starts while the window opens; commands wait for it.
            bridge::start(app.handle().clone(), Arc::clone(&session));
            tauri::async_runtime::spawn(async move { session.open().await });
            if let Err(error) = windows::open_main(app) {
                // An error returned from here would become a panic inside the event loop.
                windows::explain_failure(&error);
                std::process::exit(1);
            }
            Ok(())
        })
        .build(tauri::generate_context!())?;
    app.run(|app, event| {
        if let tauri::RunEvent::Exit = event {
            let session: Arc<Session> = Arc::clone(&app.state::<Arc<Session>>());
            tauri::async_runtime::block_on(session.close());
        }
    });
    Ok(())
}
