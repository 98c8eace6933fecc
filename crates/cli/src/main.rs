//! `forgekeeperctl`: arguments in, printing and exit codes out. It decides nothing.

use std::process::ExitCode;

use clap::Parser as _;
use forgekeeper_keeper::{clients::courier, sys::tasks::Tasks};

mod args;
mod commands;
mod exit;
mod interrupt;
mod session;
mod text;

use interrupt::Interrupt;

fn main() -> ExitCode {
    if let Some(code) = courier::carry_if_asked(std::env::args_os()) {
        return code;
    }
    let cli = match args::Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version are no errors; wrong use is 2, as clap does it.
            let code = if error.use_stderr() {
                exit::WRONG_USE
            } else {
                exit::OK
            };
            // A closed pipe is the reader's choice.
            let _ = error.print();
            return ExitCode::from(code);
        }
    };
    // bollard's debug lines hold whole inspect bodies, environment values included.
    let filter = std::env::var("FORGEKEEPER_LOG").unwrap_or_else(|_| "error".to_owned());
    tracing_subscriber::fmt()
        .with_env_filter(tracing_subscriber::EnvFilter::new(format!(
            "{filter},bollard=warn"
        )))
        .with_writer(std::io::stderr)
        .init();
    let runtime = match tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("forgekeeperctl: the runtime could not be started: {error}");
            return ExitCode::from(exit::WRONG_USE);
        }
    };
    let json = cli.json;
    let code = match runtime.block_on(async {
        let tasks = Tasks::new();
        let interrupt = Interrupt::listen(&tasks);
        commands::run(cli, interrupt).await
    }) {
        Ok(code) => code,
        Err(error) => {
            text::print_error(&error, json);
            exit::of_error(&error)
        }
    };
    // Readers of standard input or a slow name look-up must not hold the program back.
    runtime.shutdown_timeout(std::time::Duration::from_millis(200));
    ExitCode::from(code)
}
