//! One file for each command.

use clap::CommandFactory as _;
use forgekeeper_domain::{
    action::{Action, RestartTarget},
    error::ErrorInfo,
};

use crate::{
    args::{Cli, Command},
    exit,
    interrupt::Interrupt,
    session::Session,
    text::print_bytes,
};

mod act;
mod backup;
mod demo;
mod discover;
mod generate;
mod golden;
mod gpu;
mod logs;
mod migration;
mod models;
mod placement;
mod rules;
mod snapshot;
mod status;

/// Runs a command; the number is the exit code.
pub(crate) async fn run(cli: Cli, interrupt: Interrupt) -> Result<u8, ErrorInfo> {
    match &cli.command {
        Command::Completions(args) => {
            // Into memory first: the generator panics when its reader has gone.
            let mut script = Vec::new();
            let name = "forgekeeperctl";
            clap_complete::generate(args.shell, &mut Cli::command(), name, &mut script);
            print_bytes(&script);
            return Ok(exit::OK);
        }
        Command::Demo(args) => return demo::run(args, cli.json, interrupt).await,
        // The file alone is looked at.
        Command::Rules(args) => {
            if let Some(code) = rules::of_file(&cli, args)? {
                return Ok(code);
            }
        }
        _ => {}
    }
    let session = Session::open(&cli).await?;
    let result = with_session(&cli, &session, interrupt).await;
    session.close().await;
    result
}

async fn with_session(
    cli: &Cli,
    session: &Session,
    mut interrupt: Interrupt,
) -> Result<u8, ErrorInfo> {
    let json = cli.json;
    let (service, action, force) = match &cli.command {
        Command::Discover => return interrupt.unless(discover::run(session, json)).await,
        Command::Status(args) => return interrupt.unless(status::run(session, args, json)).await,
        Command::Gpu(args) => return gpu::run(session, args, json, interrupt).await,
        Command::Logs(args) => return logs::run(session, args, json, interrupt).await,
        Command::Rules(args) => return rules::run(session, args, json, interrupt).await,
        Command::Placement(args) => return placement::run(session, args, json, interrupt).await,
        Command::Snapshot(args) => {
            return Box::pin(snapshot::run(session, args, json, interrupt)).await;
        }
        Command::Backup(args) => {
            return Box::pin(backup::run(session, args, json, interrupt)).await;
        }
        Command::Migration(args) => {
            return Box::pin(interrupt.unless(migration::run(session, args, json))).await;
        }
        Command::Models(args) => return models::run(session, args, json, interrupt).await,
        Command::Generate(args) => return generate::run(session, args, json, interrupt).await,
        Command::Demo(_) | Command::Completions(_) => return Ok(exit::OK),
        Command::Start(args) => (&args.service, Action::Start, args.force),
        Command::Stop(args) => (&args.service, Action::Stop, args.force),
        Command::Restart(args) => {
            let target = if args.program {
                RestartTarget::Program
            } else {
                RestartTarget::Container
            };
            (&args.service, Action::Restart { target }, args.force)
        }
    };
    act::run(session, service, action, force, json, interrupt).await
}
